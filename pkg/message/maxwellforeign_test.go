package message

import (
	"strings"
	"testing"
)

// maxwellOf reads messages, each behind its key if a | parts them, and returns the rows of d.t,
// its shape, and the first error.
func maxwellOf(t *testing.T, u *union, messages ...string) (rows, shape string, err error) {
	t.Helper()
	r := NewMaxwellReader(u)
	for _, m := range messages {
		key, value, ok := strings.Cut(m, "|")
		if !ok {
			key, value = "", m
		}
		if e := r.Decode([]byte(key), []byte(value)); e != nil && err == nil {
			err = e
		}
	}
	if table := u.tables["d.t"]; table != nil {
		shape = shapeText(table)
		for _, k := range append(table.Key, table.RowKey...) {
			shape += ", key " + table.Columns[k].Name
		}
	}
	return strings.Join(u.texts(t, "d.t"), "; "), shape, err
}

// TestMaxwellForeign reads what Maxwell writes.
func TestMaxwellForeign(t *testing.T) {
	const head = `{"database":"d","table":"t",`
	const key = `{"database":"d","table":"t","pk.id":1}|`
	for _, c := range []struct {
		name             string
		messages         []string
		rows, shape, err string
	}{
		{
			"all there is, and an update of the key",
			[]string{
				key + head + `"type":"insert","ts":1477053217,"xid":23396,"xoffset":3,"commit":true,"position":"master.000006:800911","gtid":"u:1","server_id":23042,"thread_id":108,"schema_id":2,"primary_key":[1],"primary_key_columns":["id"],"query":"insert…","data":{"id":1,"m":4.5,"c":"a\"b","b":true,"s":["x","y"],"j":{"a":[1, 2]},"l":[1,"a"],"n":null,"big":18446744073709551615}}`,
				key + head + `"type":"update","ts":1477053218,"primary_key_columns":["id"],"data":{"id":2,"m":5.0,"c":null,"b":false,"s":[],"j":{},"l":[],"n":null,"big":0},"old":{"id":1,"m":4.5,"c":"a\"b"}}`,
				key + head + `"type":"delete","ts":1477053219,"primary_key_columns":["id"],"data":{"id":2}}`,
			},
			`After 1 | 4.5d | "a\"b" | true | "x,y" | "{\"a\":[1, 2]}" | "[1,\"a\"]" | "18446744073709551615"; Before 1 | 4.5d | "a\"b" | false | "" | "{}" | "[]" | "0"; After 2 | 5d | NULL | false | "" | "{}" | "[]" | "0"; Delete 2 | NULL | NULL | NULL | NULL | NULL | NULL | NULL`,
			"id int64, m float64, c utf8, b bool, s utf8, j utf8, l utf8, big decimal(38, 0), key id", "",
		},
		{
			"the key from the record's, in any case", []string{
				`{"database":"d","table":"t","pk.id":1,"pk.part":"x"}|` + head + `"type":"insert","ts":1,"data":{"v":1,"ID":1,"Part":"x"}}`,
				`["d","t",[{"id":2},{"part":"y"}]]|` + head + `"type":"insert","ts":1,"data":{"v":1,"ID":2,"Part":"y"}}`,
			}, `After 1 | 1 | "x"; After 1 | 2 | "y"`, "v int64, ID int64, Part utf8, key ID, key Part", "",
		},
		{
			"no key", []string{
				`{"database":"d","table":"t","_uuid":"0-1"}|` + head + `"type":"insert","ts":1,"data":{"v":1}}`,
				head + `"type":"insert","ts":1,"data":{"v":2}}`,
			}, "1; 2", "v int64", "",
		},
		{
			"nulls left out, and columns that come later", []string{
				key + head + `"type":"insert","ts":1,"data":{"id":1}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":2,"v":"x"}}`,
				key + head + `"type":"update","ts":1,"data":{"id":2,"w":1.5},"old":{"v":"x","w":null}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":3,"v":null}}`,
			}, `After 1; After 2 | "x"; After 2 | NULL | 1.5d; After 3 | NULL | NULL`, "id int64, v utf8, w float64, key id", "",
		},
		{
			"text takes what comes", []string{
				key + head + `"type":"insert","ts":1,"data":{"id":1,"v":"x"}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":2,"v":1.50}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":3,"v":{"a": 1}}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":4,"v":["a","b"]}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":5,"v":[1]}}`,
			}, `After 1 | "x"; After 2 | "1.50"; After 3 | "{\"a\": 1}"; After 4 | "a,b"; After 5 | "[1]"`, "id int64, v utf8, key id", "",
		},
		{
			"what was narrower cannot become wider where rows are there", []string{
				key + head + `"type":"insert","ts":1,"data":{"id":1,"v":1}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":2,"v":"x"}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":3,"v":3}}`,
			}, "After 1 | 1; After 3 | 3", "id int64, v int64, key id", `column v: "x" is no number`,
		},
		{
			"a fraction that no double holds", []string{
				key + head + `"type":"insert","ts":1,"data":{"id":1,"v":0.5}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":2,"v":12345678901234567.89}}`,
				key + head + `"type":"insert","ts":1,"data":{"id":3,"v":1.2345678901234567E-8}}`,
			}, "After 1 | 0.5d; After 3 | 1.2345678901234567e-08d", "id int64, v float64, key id", `column v: "12345678901234567.89" is no number that a double holds exactly`,
		},
		{
			"types from statements",
			[]string{
				`{"type":"database-create","database":"d","charset":"utf8","ts":1477053217000,"sql":"create database d"}`,
				`{"type":"table-create","database":"d","table":"t","def":{"database":"d","charset":"utf8mb4","table":"t","columns":[{"type":"int","name":"id","signed":false},{"type":"decimal","name":"n"},{"type":"datetime","name":"at","column-length":3},{"type":"timestamp","name":"ts"},{"type":"time","name":"ti"},{"type":"date","name":"da"},{"type":"year","name":"y"},{"type":"enum","name":"e","enum-values":["a","it's"]},{"type":"set","name":"s","enum-values":["a","b"]},{"type":"varbinary","name":"b","charset":"binary"},{"type":"bit","name":"f"},{"type":"json","name":"j"},{"type":"point","name":"p"},{"type":"bigint","name":"u","signed":false},{"type":"float","name":"r"}],"primary-key":["id"]},"ts":1477053217000,"sql":"create table …"}`,
				head + `"type":"insert","ts":1,"data":{"id":4294967295,"n":12345678901234567.89,"at":"2026-01-02 03:04:05.678","ts":"2026-01-02 03:04:05","ti":"-10:00:00","da":"0000-00-00","y":2026,"e":"it's","s":["a","b"],"b":"/wA=","f":255,"j":"text","p":"POINT(1 2)","u":1,"r":0.1}}`,
				head + `"type":"insert","ts":1,"data":{"id":2,"n":1.50,"da":"2026-02-03","j":null}}`,
				`{"type":"table-alter","database":"d","table":"t","old":{"database":"d","charset":"utf8mb4","table":"t","columns":[],"primary-key":["id"]},"def":{"database":"d","charset":"utf8mb4","table":"t","columns":[{"type":"bigint","name":"id","signed":true},{"type":"decimal","name":"n"},{"type":"varchar","name":"new","charset":"utf8mb4"}],"primary-key":["id"]},"ts":1477053217000,"sql":"alter table …"}`,
				head + `"type":"insert","ts":1,"data":{"id":3,"n":null,"new":"x"}}`,
				head + `"type":"insert","ts":1,"data":{"id":"4"}}`,
			},
			`After 4294967295 | "12345678901234567.89" | "2026-01-02 03:04:05.678000" | "2026-01-02 03:04:05.000000Z" | -36000000000 | NULL | 2026 | "it's" | "a,b" | x'ff00' | "255" | "\"text\"" | "POINT(1 2)" | "1" | 0.1f; ` +
				`After 2 | "1.50" | NULL | NULL | NULL | "2026-02-03" | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL; ` +
				`After 3 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | "x"; ` +
				`After 4 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL`,
			"id int64, n decimal(38, 2), at timestamp[us], ts timestamp[us, tz=UTC], ti int64, da date32, y int32, e utf8, s utf8, b binary, f decimal(20, 0), j utf8, p utf8, u decimal(20, 0), r float32, new utf8, key id", "",
		},
		{
			"of what is no row", []string{
				head + `"type":"bootstrap-start","ts":1,"data":{}}`,
				head + `"type":"bootstrap-complete","ts":1,"data":{}}`,
				head + `"type":"table-drop","ts":1,"sql":"drop table t"}`,
				`{"type":"database-drop","database":"d","ts":1,"sql":"drop database d"}`,
			}, "", "", "",
		},
		{"encrypted", []string{head + `"type":"insert","ts":1,"encrypted":{"iv":"a","bytes":"b"}}`}, "", "", "its data is encrypted"},
		{"encrypted of old", []string{head + `"type":"insert","ts":1,"data":"c2VjcmV0"}`}, "", "", "its data is encrypted"},
		{"another format", []string{`{"database":"d","table":"t","type":"INSERT","data":[{"id":"1"}]}`}, "", "", `its type "INSERT" is not known`},
		{"no table", []string{`{"type":"insert","data":{"id":1}}`}, "", "", "it names no table"},
		{"the key's column is not there", []string{key + head + `"type":"insert","ts":1,"data":{"v":1}}`}, "", "", "column id of the key is missing"},
		{
			"the key is null",
			[]string{key + head + `"type":"insert","ts":1,"data":{"id":1}}`, key + head + `"type":"insert","ts":1,"data":{"id":null}}`},
			"After 1", "id int64, key id", "column id: it is null, and a part of the key",
		},
		{"cut short", []string{head + `"type":"insert","ts":1,"data":{"id":1}`}, "", "", "the JSON text is cut short"},
	} {
		rows, shape, err := maxwellOf(t, &union{}, c.messages...)
		if rows != c.rows || shape != c.shape {
			t.Errorf("%s: got\n%s\n%s, want\n%s\n%s", c.name, rows, shape, c.rows, c.shape)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.err)
		}
	}
}

// TestMaxwellThere reads into a table that is there: its types count, not those that are
// guessed.
func TestMaxwellThere(t *testing.T) {
	u := &union{}
	own := `{"database":"d","table":"t","type":"insert","ts":1,"_tablehaul":{"op":"c","us":1,"types":{"id":"int","at":"datetime(3)","v":"double","n":"decimal(8,2)","b":"varbinary(9)","s":"longtext"},"keys":["id"]},"data":{"id":1,"at":"2026-01-02 03:04:05.678","v":1.5,"n":1.50,"b":"/w==","s":"x"}}`
	rows, shape, err := maxwellOf(t, u, own, `{"database":"d","table":"t","type":"insert","ts":1,"primary_key_columns":["id"],"data":{"id":2,"at":"2026-01-02 03:04:05","v":2,"n":2.5,"b":"/wA=","s":3}}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := `Insert 1 | "2026-01-02 03:04:05.678000" | 1.5d | "1.50" | x'ff' | "x"; After 2 | "2026-01-02 03:04:05.000000" | 2d | "2.50" | x'ff00' | "3"`; rows != want {
		t.Errorf("got\n%s\nwant\n%s", rows, want)
	}
	if want := "id int64, at timestamp[us], v float64, n decimal(8, 2), b binary, s utf8, key id"; shape != want {
		t.Errorf("got %s, want %s", shape, want)
	}
}

// TestMaxwellLog reads what Maxwell tells of a change into a changelog.
func TestMaxwellLog(t *testing.T) {
	rows, _, err := maxwellOf(
		t, &union{log: true},
		`{"database":"d","table":"t","type":"bootstrap-insert","ts":1,"primary_key_columns":["id"],"data":{"id":1,"v":"a"}}`,
		`{"database":"d","table":"t","type":"update","ts":1477053217,"xoffset":2,"position":"master.000006:800911","gtid":"u:7","primary_key_columns":["id"],"data":{"id":1,"v":"b"},"old":{"v":"a"}}`,
	)
	if err != nil {
		t.Fatal(err)
	}
	const told = `"2016-10-21 12:33:37.000000Z" | "u:7" | "master.000006:00000000000000800911:00000002"`
	if want := `1 | "a" | "r" | NULL | NULL | NULL; 1 | "a" | "b" | ` + told + `; 1 | "b" | "u" | ` + told; rows != want {
		t.Errorf("got\n%s\nwant\n%s", rows, want)
	}
}

// FuzzMaxwell feeds the reader what nobody would write.
func FuzzMaxwell(f *testing.F) {
	f.Add([]byte(`{"database":"d","table":"t","pk.id":1}`), []byte(`{"database":"d","table":"t","type":"insert","ts":1,"primary_key_columns":["id"],"data":{"id":1,"m":4.5,"c":"a\"b","b":true,"s":["x","y"],"j":{"a":[1]},"n":null}}`))
	f.Add([]byte(`["d","t",[{"id":2},{"part":"y"}]]`), []byte(`{"database":"d","table":"t","type":"update","ts":1,"data":{"id":1,"part":"x"},"old":{"id":2}}`))
	f.Add([]byte(``), []byte(`{"database":"d","table":"t","type":"delete","_tablehaul":{"op":"d","us":1,"types":{"id":"int","v":"json"},"keys":["id"]},"data":{"id":1,"v": null}}`))
	f.Add([]byte(``), []byte(`{"type":"table-create","database":"d","table":"t","def":{"database":"d","table":"t","columns":[{"type":"int","name":"id","signed":false},{"type":"enum","name":"e","enum-values":["a"]}],"primary-key":["id"]}}`))
	f.Fuzz(func(_ *testing.T, key, value []byte) {
		u := &union{}
		r := NewMaxwellReader(u)
		_ = r.Decode(key, value)
		_ = r.Decode(key, value) // the second has a table to fit into
		_ = r.Decode(key, []byte(`{"database":"d","table":"t","type":"insert","ts":1,"data":{"id":1,"v":"x"}}`))
	})
}
