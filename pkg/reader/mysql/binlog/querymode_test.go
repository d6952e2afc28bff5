package binlog

import "testing"

// TestStandard has statements of other modes written as in the default one.
func TestStandard(t *testing.T) {
	const all = ansiQuotes | noBackslash | realAsFloat
	for _, c := range []struct {
		s          session
		text, want string
	}{
		{session{}, `ALTER TABLE "a" ADD b REAL COMMENT 'x\'y'`, `ALTER TABLE "a" ADD b REAL COMMENT 'x\'y'`},
		{session{mode: ansiQuotes}, "ALTER TABLE \"a\"\"b`c\" COMMENT 'say \"x\"; it''s \\'so\\''", "ALTER TABLE `a\"b``c` COMMENT 'say \"x\"; it''s \\'so\\''"},
		{session{mode: noBackslash}, `ADD c INT COMMENT 'C:\', ADD d INT COMMENT "\"`, `ADD c INT COMMENT 'C:\\', ADD d INT COMMENT "\\"`},
		{session{mode: realAsFloat}, "CREATE TABLE t (`real` REAL, r real(5,2) COMMENT 'real') -- real", "CREATE TABLE t (`real` FLOAT, r FLOAT(5,2) COMMENT 'real') -- real"},
		{session{mode: all}, `/* "x" */ ALTER TABLE "a" ADD "\" REAL /* 'y' */ COMMENT '\' # "`, "/* \"x\" */ ALTER TABLE `a` ADD `\\` FLOAT /* 'y' */ COMMENT '\\\\' # \""},
		{session{mode: all}, `"`, `"`},
		{session{client: 8}, "ADD \xe4\x80 INT", "ADD ä€ INT"},
		{session{client: 28}, "ADD \xc4\xe3 INT COMMENT 'ä'", "ADD \xff\xff INT COMMENT '\xff\xff'"},
		{session{client: 248}, "ADD ä INT", "ADD \xff\xff INT"},
		{session{client: 255}, "ADD ä INT", "ADD ä INT"},
		{session{client: 45}, "ADD ä INT", "ADD ä INT"},
	} {
		if got := string(c.s.standard([]byte(c.text))); got != c.want {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

// TestSession reads what events of both servers say of the session.
func TestSession(t *testing.T) {
	mysql := "\x00\x00\x00\x00\x00\x01\x04\x00\xa0\x45\x00\x00\x00\x00\x06\x03std\x04\x08\x00\x08\x00\xff\x00\x0c\x01shop\x00\x10\x00\x11\x31\x2c\x0c\x00\x00\x00\x00\x00\x12\xff\x00\x13\x00"
	maria := "\x00\x00\x00\x00\x01\x01\x00\x00\x20\x54\x00\x00\x00\x00\x06\x03std\x04\x2d\x00\x2d\x00\x2d\x00\x81\xd3\x2f\x12\x00\x00\x00\x00\x00"
	if got := readSession([]byte(mysql)); got != (session{mode: 0x45a00004, client: 8}) {
		t.Errorf("MySQL: got %+v", got)
	}
	if got := readSession([]byte(maria)); got != (session{mode: 0x54200000, client: 45, explicit: 1, flags: mariaExplicit}) {
		t.Errorf("MariaDB: got %+v", got)
	}
	for i := range mysql {
		readSession([]byte(mysql[:i]))
	}
	q := QueryEvent{session: readSession([]byte(mysql))}
	if !q.ImplicitTimestamps(false) {
		t.Error("MySQL: explicit_defaults_for_timestamp is off there")
	}
	q = QueryEvent{session: readSession([]byte(maria))}
	if q.ImplicitTimestamps(true) {
		t.Error("MariaDB: explicit_defaults_for_timestamp is on there")
	}
}
