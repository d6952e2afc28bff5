package ddl

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A server runs statements, and tells what a table is after them.
type server struct {
	*client.Conn
	Server
	db string
}

func servers(t *testing.T, f func(t *testing.T, s *server)) {
	for _, name := range []string{"mysql", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(services.Env(t, "TABLEHAUL_TEST_"+strings.ToUpper(name)))
			must(t, err)
			conn, err := client.Connect(u.Host, u.User.Username(), "", "")
			must(t, err)
			defer conn.Close()
			s := &server{Conn: conn, Server: Server{Maria: name == "mariadb"}, db: "ddl_" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_"))}
			s.run(t, "DROP DATABASE IF EXISTS "+s.db)
			s.run(t, "CREATE DATABASE "+s.db+" CHARACTER SET utf8mb4")
			s.run(t, "USE "+s.db)
			f(t, s)
			s.run(t, "DROP DATABASE "+s.db)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) run(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.Execute(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// lines are a table's columns, a line each, and its key.
func lines(t *Table) string {
	var b strings.Builder
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "%s %s null=%v %s %q\n", c.Name, c.Native, c.Nullable, c.Charset, c.Comment)
	}
	fmt.Fprintf(&b, "key %s", strings.Join(t.Key, ","))
	return b.String()
}

// table is what the server says of one.
func (s *server) table(t *testing.T, name string) *Table {
	t.Helper()
	out := &Table{Charset: "utf8mb4"}
	res, err := s.Execute("SELECT column_name, column_type, is_nullable, COALESCE(character_set_name,''), column_comment FROM information_schema.columns WHERE table_schema = '" + s.db + "' AND table_name = '" + name + "' ORDER BY ordinal_position")
	must(t, err)
	for i := range res.RowNumber() {
		var v [5]string
		for j := range v {
			v[j], _ = res.GetString(i, j)
			v[j] = strings.Clone(v[j])
		}
		out.Columns = append(out.Columns, schema.Column{Name: v[0], Native: v[1], Nullable: v[2] == "YES", Charset: v[3], Comment: v[4]})
	}
	res, err = s.Execute("SELECT column_name FROM information_schema.statistics WHERE index_name = 'PRIMARY' AND table_schema = '" + s.db + "' AND table_name = '" + name + "' ORDER BY seq_in_index")
	must(t, err)
	for i := range res.RowNumber() {
		k, _ := res.GetString(i, 0)
		out.Key = append(out.Key, strings.Clone(k))
	}
	return out
}

// TestTypes has each type be declared in its many forms, and printed as the server does.
func TestTypes(t *testing.T) {
	both := []string{
		"TINYINT", "TINYINT(1)", "TINYINT(1) UNSIGNED", "BOOL", "BOOLEAN", "SMALLINT UNSIGNED", "MEDIUMINT", "INT", "INTEGER UNSIGNED", "INT(5)", "INT ZEROFILL", "BIGINT(20) UNSIGNED",
		"SERIAL", "FLOAT", "FLOAT(7,3)", "FLOAT(20)", "FLOAT(30)", "DOUBLE", "DOUBLE PRECISION", "REAL", "DOUBLE(10,2) UNSIGNED", "DECIMAL", "DECIMAL(7)", "NUMERIC(12,4)", "DEC(5,5) UNSIGNED", "FIXED(3)",
		"BIT", "BIT(12)", "YEAR", "YEAR(4)", "DATE", "TIME", "TIME(3)", "DATETIME", "DATETIME(6)", "TIMESTAMP NULL", "TIMESTAMP(2) NULL",
		"CHAR", "CHAR(10)", "VARCHAR(20)", "VARCHAR(20) CHARACTER SET latin1", "VARCHAR(20) COLLATE latin1_bin", "VARCHAR(9) CHARACTER SET binary", "VARCHAR(5) CHARSET utf8",
		"TEXT", "TEXT(20)", "TEXT(100)", "TEXT(20000)", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT CHARACTER SET gbk", "LONG", "LONG VARCHAR",
		"BINARY", "BINARY(16)", "VARBINARY(100)", "BLOB", "BLOB(300)", "BLOB(70000)", "TINYBLOB", "LONGBLOB", "JSON", "ENUM('a','b ''c','d\\\\e','x,y)')", "SET('x','y') CHARACTER SET latin1",
		"INT NOT NULL", "INT DEFAULT 5", "INT NOT NULL DEFAULT '7' COMMENT 'how many; isn''t it'", "INT GENERATED ALWAYS AS (1+1) VIRTUAL", "INT AS (1+1) STORED", "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
		"VARCHAR(36) DEFAULT (UUID())", "INT CHECK (c > 1)", "INT UNIQUE", "INT PRIMARY KEY", "INT AUTO_INCREMENT UNIQUE KEY",
	}
	servers(t, func(t *testing.T, s *server) {
		for i, typ := range both {
			name := fmt.Sprintf("t%d", i)
			statement := fmt.Sprintf("CREATE TABLE %s (c %s)", name, typ)
			if _, err := s.Execute(statement); err != nil {
				t.Logf("not of this server: %s: %v", typ, err)
				continue
			}
			got, err := s.Create(statement, "utf8mb4", nil)
			if err != nil {
				t.Errorf("%s: %v", typ, err)
				continue
			}
			if want := s.table(t, name); lines(got) != lines(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", typ, lines(got), lines(want))
			}
		}
	})
}

// TestAlter has clauses of all kinds applied, one statement after the other.
func TestAlter(t *testing.T) {
	statements := []string{
		"ALTER TABLE t ADD a INT", "ALTER TABLE t ADD COLUMN (b VARCHAR(10), c TEXT NOT NULL)", "ALTER TABLE t ADD first DATE FIRST, ADD d INT AFTER a",
		"ALTER TABLE t DROP b, DROP COLUMN first", "ALTER TABLE t MODIFY a BIGINT NOT NULL COMMENT 'wide'", "ALTER TABLE t MODIFY a BIGINT FIRST", "ALTER TABLE t CHANGE a A2 BIGINT UNSIGNED AFTER c",
		"ALTER TABLE t RENAME COLUMN A2 TO a3, RENAME COLUMN c TO a2", "ALTER TABLE t CHANGE a3 x INT, ADD y INT AFTER x", "ALTER TABLE t ALTER x SET DEFAULT 5, ALTER y DROP DEFAULT",
		"ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (x, id)", "ALTER TABLE t RENAME COLUMN x TO xx", "ALTER TABLE t ADD INDEX (d), ADD UNIQUE u (d), ADD CONSTRAINT ck CHECK (d > 0)", "ALTER TABLE t DROP INDEX u",
		"ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id)", "ALTER TABLE t ADD v VARCHAR(5), ADD w TEXT, ADD e ENUM('a'), ALGORITHM=COPY, LOCK=SHARED", "ALTER TABLE t DEFAULT CHARACTER SET latin1", "ALTER TABLE t ADD l VARCHAR(5)",
		"ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", "ALTER TABLE t ADD m TEXT", "ALTER TABLE t CONVERT TO CHARACTER SET latin1 COLLATE latin1_bin", "ALTER TABLE t COMMENT 'of all sorts', ENGINE=InnoDB, ROW_FORMAT=DYNAMIC",
		"ALTER TABLE t MODIFY v VARCHAR(50), MODIFY e ENUM('a','b') FIRST", "ALTER TABLE `t` ADD `order` INT, ADD `a b` INT AFTER `order`", "ALTER TABLE t FORCE", "ALTER TABLE t ORDER BY id",
		// Servers have an order of their own: what goes, what is declared anew by the names there were, what comes.
		"ALTER TABLE t RENAME COLUMN v TO w, RENAME COLUMN w TO v", "ALTER TABLE t CHANGE v w VARCHAR(9), CHANGE w v TEXT", "ALTER TABLE t ADD `a b` INT FIRST, DROP `a b`",
		"ALTER TABLE t DROP CONSTRAINT ck", "ALTER TABLE t ADD z INT AFTER d2, CHANGE d d2 INT", "ALTER TABLE t ADD n VARCHAR(5), CHARACTER SET greek", "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, ADD o VARCHAR(5) CHARACTER SET latin1",
		"ALTER TABLE t DROP CONSTRAINT `PRIMARY`", "CREATE INDEX i ON t (z)", "ALTER TABLE t ADD PRIMARY KEY (id)", "DROP INDEX `PRIMARY` ON t", "ALTER TABLE t CHANGE id id2 INT, DROP xx, ADD PRIMARY KEY (id2)",
		"ALTER TABLE t DROP id2, ADD id2 INT", "ALTER TABLE t RENAME COLUMN id2 TO z, RENAME COLUMN z TO id2", "ALTER TABLE t ADD p CHAR(0), ADD q BINARY(0), ADD r TEXT(0)", "ALTER TABLE t ADD g1 VARCHAR(20) COLLATE utf8mb3_bin, ADD g2 ENUM('a') CHARACTER SET binary",
		"ALTER TABLE t ADD h1 INT COMMENT 'a 😀', ADD h2 ENUM('😀', 'b')",
	}
	servers(t, func(t *testing.T, s *server) {
		create := "CREATE TABLE t (id INT NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB"
		s.run(t, create)
		at, err := s.Create(create, "utf8mb4", nil)
		must(t, err)
		for _, statement := range statements {
			s.run(t, statement)
			at = s.altered(t, at, statement)
		}
	})
}

// TestRenamed tells which columns have got other names, swapped ones too.
func TestRenamed(t *testing.T) {
	s := Server{}
	at, err := s.Create("CREATE TABLE t (a INT, b INT, c INT)", "utf8mb4", nil)
	must(t, err)
	next, err := s.Alter(at, "ALTER TABLE t RENAME COLUMN a TO b3, RENAME COLUMN b TO a")
	must(t, err)
	if got := fmt.Sprint(next.Renamed, lines(next.Table)); got != fmt.Sprint(map[string]string{"a": "b3", "b": "a"}, "b3 int null=true  \"\"\na int null=true  \"\"\nc int null=true  \"\"\nkey ") {
		t.Error(got)
	}
	if !slices.Equal(at.Key, nil) || at.Columns[0].Name != "a" {
		t.Error("the table that was altered is another one now")
	}
}

// TestFilled tells which new columns have values in rows that were there.
func TestFilled(t *testing.T) {
	s := Server{}
	at, err := s.Create("CREATE TABLE t (a INT)", "utf8mb4", nil)
	must(t, err)
	next, err := s.Alter(at, "ALTER TABLE t ADD b INT, ADD c INT DEFAULT NULL, ADD d INT DEFAULT 0, ADD e INT NOT NULL, ADD f INT AS (a+1), ADD g TIMESTAMP DEFAULT CURRENT_TIMESTAMP, ADD i INT NULL COMMENT 'x'")
	must(t, err)
	if !slices.Equal(next.Filled, []string{"d", "e", "f", "g"}) {
		t.Errorf("got %v", next.Filled)
	}
}

// TestRare is of what the parser does not read, and is read all the same.
func TestRare(t *testing.T) {
	columns := []string{
		"POINT", "GEOMETRY NOT NULL", "GEOMETRYCOLLECTION", "POINT NOT NULL SRID 4326", "POINT REF_SYSTEM_ID=101", "UUID", "INET6 DEFAULT '::1'", "INET4 NOT NULL",
		"NCHAR(5)", "NATIONAL CHAR VARYING(7)", "NVARCHAR(3) NOT NULL DEFAULT N'x'", "NCHAR VARCHAR(4)", "NATIONAL VARCHAR(4)", "CHAR(5) BYTE", "CHAR(4) ASCII", "TEXT UNICODE",
		"INT INVISIBLE", "INT DEFAULT 4 INVISIBLE COMMENT 'x'", "TEXT COMPRESSED", "VARCHAR(9) COMPRESSED=zlib CHARACTER SET latin1", "VARCHAR(9) CHARACTER SET greek COLLATE greek_bin",
		"VARCHAR(5) COLLATE utf8mb4_uca1400_ai_ci", "VARCHAR(5) COLLATE latin1_swedish_nopad_ci", "INT DEFAULT (1 + 2)", "DATE DEFAULT (CURRENT_DATE + INTERVAL 1 YEAR) NOT NULL", "INT DEFAULT LENGTH('abc')",
		"DATE DEFAULT DATE'2020-01-01'", "INT AS (id + 1) PERSISTENT", "INT GENERATED ALWAYS AS (id) STORED INVISIBLE", "INT CHECK (c > 0) NOT ENFORCED", "INT WITHOUT SYSTEM VERSIONING",
		"INT /*!50000 NOT NULL */ /*M!100100 COMMENT 'x' */", "INT /* , x INT */", "INT -- , x INT\n", "INT COMMENT '-- /*! ; NCHAR'",
		"INT INVISIBLE, PRIMARY KEY (id), KEY (c), CONSTRAINT a CHECK (c > 0), CONSTRAINT FOREIGN KEY (c) REFERENCES t0 (id) ON DELETE SET NULL ON UPDATE CASCADE",
		"INT INVISIBLE REFERENCES t0 (id) ON DELETE SET NULL, d INT",
	}
	servers(t, func(t *testing.T, s *server) {
		s.run(t, "CREATE TABLE t0 (id INT PRIMARY KEY)")
		for i, column := range columns {
			for j, form := range []string{"CREATE TABLE t%d_%d (id INT, c %s)", "CREATE TABLE t%d_%d (id INT, c %s) CHARACTER SET = latin1 COMMENT='x' /*!50100 PARTITION BY HASH (id) PARTITIONS 2 */"} {
				statement := fmt.Sprintf(form, i, j, column)
				if _, err := s.Execute(statement); err != nil {
					t.Logf("not of this server: %s: %v", statement, err)
					continue
				}
				got, err := s.Create(statement, "utf8mb4", nil)
				if err != nil {
					t.Errorf("%s: %v", statement, err)
					continue
				}
				if want := s.table(t, fmt.Sprintf("t%d_%d", i, j)); lines(got) != lines(want) {
					t.Errorf("%s: got\n%s\nwant\n%s", statement, lines(got), lines(want))
				}
			}
		}
	})
}

// TestRareClauses alters tables in ways that the parser does not read.
func TestRareClauses(t *testing.T) {
	statements := []string{
		"ALTER TABLE t ADD p POINT, ADD point INT AFTER id, DROP a", "ALTER TABLE t MODIFY b NCHAR(9) FIRST, CHANGE c d INT INVISIBLE AFTER id", "ALTER TABLE t ADD COLUMN (h INT INVISIBLE, i NVARCHAR(3))",
		"ALTER TABLE t ADD v INT INVISIBLE, ADD PRIMARY KEY (id), ADD KEY (v), COMMENT 'x', DEFAULT CHARSET=latin1", "ALTER TABLE t ADD w INT INVISIBLE, ADD x TEXT", "ALTER TABLE t DROP PRIMARY KEY, ADD y POINT",
		"ALTER TABLE t ADD COLUMN IF NOT EXISTS y INT, ADD INDEX IF NOT EXISTS (v)", "ALTER TABLE t RENAME COLUMN IF EXISTS y TO z, RENAME COLUMN IF EXISTS nothing TO z2", "ALTER TABLE IF EXISTS t WAIT 5 DROP COLUMN IF EXISTS z, DROP INDEX IF EXISTS nothing",
		"ALTER ONLINE TABLE t ADD z INT", "ALTER TABLE t ADD PRIMARY KEY IF NOT EXISTS (id)", "ALTER TABLE t ADD PRIMARY KEY IF NOT EXISTS (v)", "ALTER TABLE t ADD COLUMN IF NOT EXISTS k INT PRIMARY KEY", "ALTER TABLE t DROP PRIMARY KEY", "ALTER TABLE t ADD COLUMN IF NOT EXISTS k INT PRIMARY KEY", "SET STATEMENT max_statement_time = (10 + 20) FOR ALTER TABLE t ADD s INT",
		"ALTER TABLE t ADD SYSTEM VERSIONING, ADD s2 INT", "ALTER TABLE t DROP SYSTEM VERSIONING", "ALTER TABLE t CONVERT TO CHARACTER SET greek, ADD g INT INVISIBLE", "ALTER TABLE t ALTER COLUMN id SET DEFAULT (1 + 1), ORDER BY id, v",
	}
	servers(t, func(t *testing.T, s *server) {
		create := "CREATE TABLE t (id INT, a INT, b VARCHAR(10), c INT) CHARACTER SET utf8mb4"
		s.run(t, create)
		at, err := s.Create(create, "utf8mb4", nil)
		must(t, err)
		for _, statement := range statements {
			if _, err := s.Execute(statement); err != nil {
				t.Logf("not of this server: %s: %v", statement, err)
				continue
			}
			at = s.altered(t, at, statement)
		}
	})
}

// TestLax has types that are too long become others, as where sql_mode is not strict.
func TestLax(t *testing.T) {
	servers(t, func(t *testing.T, s *server) {
		s.run(t, "SET sql_mode = ''")
		create := "CREATE TABLE lax (a VARCHAR(70000), b VARBINARY(70000), c VARCHAR(30000) CHARACTER SET latin1)"
		s.run(t, create)
		at, err := s.Create(create, "utf8mb4", nil)
		must(t, err)
		alter := "ALTER TABLE lax CONVERT TO CHARACTER SET utf8mb4"
		s.run(t, alter)
		next, err := s.Alter(at, alter)
		must(t, err)
		if want := s.table(t, "lax"); lines(next.Table) != lines(want) {
			t.Errorf("got\n%s\nwant\n%s", lines(next.Table), lines(want))
		}
	})
}

// TestHiddenKey has MySQL's generated key stay the first column.
func TestHiddenKey(t *testing.T) {
	s := Server{}
	at, err := s.Create("CREATE TABLE t (my_row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT)", "utf8mb4", nil)
	must(t, err)
	next, err := s.Alter(at, "ALTER TABLE t ADD b INT FIRST")
	must(t, err)
	if next.Columns[0].Name != "my_row_id" || next.Columns[1].Name != "b" {
		t.Errorf("got %s", lines(next.Table))
	}
}

// TestUnknown is of statements that cannot be read.
func TestUnknown(t *testing.T) {
	s := Server{}
	at, err := s.Create("CREATE TABLE t (a INT)", "utf8mb4", nil)
	must(t, err)
	for _, statement := range []string{"ALTER TABLE t ADD", "ALTER TABLE t DROP b", "ALTER TABLE t ADD a INT", "ALTER TABLE t ADD p FOO", "ALTER TABLE t ADD `\xff` INT", "ALTER TABLE t ADD n NCHAR(3) WHATEVER", "ALTER TABLE t ADD (", "ALTER TABLE t ADD (n NCHAR(3)", "ALTER TABLE t MODIFY", "ALTER TABLE", "CREATE TABLE t (x INT)", "", "ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT", "ALTER TABLE t ADD x TEXT, CONVERT TO CHARACTER SET latin1", "ALTER TABLE t ADD x ENUM('a') CHARACTER SET latin1, CONVERT TO CHARACTER SET ucs2", "ALTER TABLE t CONVERT TO CHARACTER SET ucs2, CHARACTER SET latin1", "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO c"} {
		if _, err := s.Alter(at, statement); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{"CREATE TABLE t AS SELECT 1", "CREATE TABLE t LIKE u", "CREATE TABLE t (a POINT, PERIOD FOR p (a, b))", "CREATE TABLE t (a POINT) SELECT 1", "CREATE TABLE t (a POINT", "CREATE TABLE", "ALTER TABLE t ADD b INT"} {
		if _, err := s.Create(statement, "utf8mb4", nil); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// altered is what a statement makes of the table t, which the server has it done to and agrees with.
func (s *server) altered(t *testing.T, at *Table, statement string) *Table {
	t.Helper()
	next, err := s.Alter(at, statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if want := s.table(t, "t"); lines(next.Table) != lines(want) {
		t.Fatalf("%s: got\n%s\nwant\n%s", statement, lines(next.Table), lines(want))
	}
	return next.Table
}
