package message

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A foreign is a message of another's, taken apart.
type foreign struct{ key, before, after, source, op, fields string }

const mysqlSource = `"connector":"mysql","name":"dbz","ts_ms":1767323045000,"snapshot":"false","db":"d","ts_us":1767323045000001,"table":"t","gtid":"u:7","file":"binlog.000002","pos":4711,"row":3`

// text puts it together as a connector does; with fields it has a schema.
func (f foreign) text() string {
	or := func(text, usual string) string {
		if text == "" {
			return usual
		}
		return text
	}
	payload := fmt.Sprintf(`{"before":%s,"after":%s,"source":{%s},"transaction":null,"op":"%s","ts_ms":5}`, or(f.before, "null"), or(f.after, "null"), or(f.source, mysqlSource), f.op)
	if f.fields == "" {
		return payload
	}
	return fmt.Sprintf(`{"schema":{"type":"struct","fields":[{"type":"struct","fields":[%s],"optional":true,"name":"dbz.d.t.Value","field":"before"},`+
		`{"type":"struct","fields":[%s],"optional":true,"name":"dbz.d.t.Value","field":"after"}],"optional":false,"name":"dbz.d.t.Envelope"},"payload":%s}`, f.fields, f.fields, payload)
}

func connectFieldText(name, typ, schema, parameters string) string {
	text := `{"type":"` + typ + `","optional":true,`
	if schema != "" {
		text += `"name":"` + schema + `","version":1,`
	}
	if parameters != "" {
		text += `"parameters":{` + parameters + `},`
	}
	return text + `"field":"` + name + `"}`
}

// TestDebeziumSchemas has a column in every way that connectors have for it.
func TestDebeziumSchemas(t *testing.T) {
	const kafka, debezium, source = "org.apache.kafka.connect.data.", "io.debezium.", `"__debezium.source.column.`
	for _, c := range []struct{ typ, name, parameters, value, native, want string }{
		{"boolean", "", "", `true`, "bit(1)", "true"},
		{"int8", "", "", `-128`, "tinyint", "-128"},
		{"int16", "", "", `255`, "smallint", "255"},
		{"int32", "", "", `-2147483648`, "int", "-2147483648"},
		{"int64", "", "", `-9223372036854775808`, "bigint", "-9223372036854775808"},
		{"float", "", "", `0.1`, "float", "0.1f"},
		{"double", "", "", `1.7976931348623157E308`, "double", "1.7976931348623157e+308d"},
		{"string", "", "", `"a\"\u00fc\n"`, "longtext", `"a\"ü\n"`},
		{"bytes", "", "", `"AP8="`, "longblob", `x'00ff'`},
		{"bytes", kafka + "Decimal", `"scale":"2","connect.decimal.precision":"10"`, `"EtaH"`, "decimal(10,2)", `"12345.67"`},
		{"bytes", kafka + "Decimal", `"scale":"10","connect.decimal.precision":"38"`, `"/av0G/8="`, "decimal(38,10)", `"-1.0000000001"`},
		{"bytes", kafka + "Decimal", `"scale":"2","connect.decimal.precision":"65"`, `"APMWJxx/w5CKi+9GTjlF73olNgn/////////nA=="`, "decimal(65,2)", `"` + strings.Repeat("9", 63) + `.00"`},
		{"bytes", kafka + "Decimal", `"scale":"2","connect.decimal.precision":"10"`, `-12345.6`, "decimal(10,2)", `"-12345.60"`},
		{"bytes", kafka + "Decimal", `"scale":"0"`, `"AP//////////"`, "bigint unsigned", `"18446744073709551615"`},
		{"string", "", source + `type":"DECIMAL",` + source + `length":"10",` + source + `scale":"2"`, `"-0.10"`, "decimal(10,2)", `"-0.10"`},
		{"double", "", source + `type":"DECIMAL",` + source + `length":"10",` + source + `scale":"2"`, `-0.1`, "double", "-0.1d"},
		{"struct", debezium + "data.VariableScaleDecimal", "", `{"scale":3,"value":"AeI="}`, "decimal(65,30)", `"0.482"`},
		{"struct", debezium + "data.VariableScaleDecimal", "", `{"scale":-2,"value":"/w=="}`, "decimal(65,30)", `"-100"`},
		{"int64", "", source + `type":"BIGINT UNSIGNED"`, `-1`, "bigint unsigned", `"18446744073709551615"`},
		{"int64", "", source + `type":"INT8"`, `-1`, "bigint", "-1"},
		{"int16", "", source + `type":"TINYINT",` + source + `length":"1"`, `1`, "tinyint(1)", "1"},
		{"boolean", "", source + `type":"TINYINT",` + source + `length":"1"`, `false`, "bit(1)", "false"},
		{"bytes", debezium + "data.Bits", `"length":"10"`, `"/wM="`, "bit(10)", "1023"},
		{"bytes", debezium + "data.Bits", `"length":"64"`, `"//////////8="`, "bit(64)", `"18446744073709551615"`},
		{"bytes", debezium + "data.Bits", `"length":"65"`, `"/w=="`, "longblob", `x'ff'`},
		{"int32", debezium + "time.Year", "", `2155`, "year", "2155"},
		{"int32", debezium + "time.Date", "", `19782`, "date", `"2024-02-29"`},
		{"int32", kafka + "Date", "", `-1`, "date", `"1969-12-31"`},
		{"string", debezium + "time.IsoDate", "", `"2024-02-29Z"`, "date", `"2024-02-29"`},
		{"int64", debezium + "time.Timestamp", "", `-1`, "datetime(3)", `"1969-12-31 23:59:59.999000"`},
		{"int64", kafka + "Timestamp", "", `1767323045678`, "datetime(3)", `"2026-01-02 03:04:05.678000"`},
		{"int64", debezium + "time.MicroTimestamp", "", `-1`, "datetime(6)", `"1969-12-31 23:59:59.999999"`},
		{"int64", debezium + "time.NanoTimestamp", "", `-1000`, "datetime(6)", `"1969-12-31 23:59:59.999999"`},
		{"string", debezium + "time.IsoTimestamp", "", `"1969-12-31T23:59:59.999999Z"`, "datetime(6)", `"1969-12-31 23:59:59.999999"`},
		{"int64", debezium + "time.Timestamp", source + `type":"DATETIME"`, `1000`, "datetime", `"1970-01-01 00:00:01.000000"`},
		{"string", debezium + "time.ZonedTimestamp", "", `"2026-01-02T03:04:05.678901Z"`, "timestamp(6)", `"2026-01-02 03:04:05.678901Z"`},
		{"string", debezium + "time.ZonedTimestamp", "", `"2026-01-02T03:04:05+02:30"`, "timestamp(6)", `"2026-01-02 00:34:05.000000Z"`},
		{"string", debezium + "time.ZonedTimestamp", "", `"2026-01-02T03:04Z"`, "timestamp(6)", `"2026-01-02 03:04:00.000000Z"`},
		{"int32", debezium + "time.Time", "", `-1`, "time(3)", "-1000"},
		{"int32", kafka + "Time", "", `86399999`, "time(3)", "86399999000"},
		{"int64", debezium + "time.MicroTime", "", `-3020399000000`, "time(6)", "-3020399000000"},
		{"int64", debezium + "time.NanoTime", "", `1000`, "time(6)", "1"},
		{"string", debezium + "time.IsoTime", "", `"00:00:00.000001Z"`, "time(6)", "1"},
		{"string", debezium + "data.Enum", `"allowed":"a,b\\,c,it's,ü"`, `"b,c"`, `enum('a','b,c','it''s','ü')`, `"b,c"`},
		{"string", debezium + "data.Enum", `"allowed":"a,b\\,c"`, `"b\\,c"`, `enum('a','b,c')`, `"b,c"`},
		{"string", debezium + "data.EnumSet", `"allowed":"x,y(z)"`, `"x,y(z)"`, `set('x','y(z)')`, `"x,y(z)"`},
		{"string", debezium + "data.Json", "", `"{\"a\": 1}"`, "json", `"{\"a\": 1}"`},
		{"string", debezium + "data.Uuid", "", `"6cbf"`, "uuid", `"6cbf"`},
		{"string", debezium + "data.Xml", "", `"<a/>"`, "longtext", `"<a/>"`},
		{"struct", debezium + "data.geometry.Point", "", `{"x":1.0,"y":2.0,"wkb":"AQE=","srid":null}`, "geometry", `x'0101'`},
		{"struct", debezium + "data.geometry.Geometry", "", `{"wkb":"AQI=","srid":4326}`, "geometry", `x'0102'`},
		{"array", debezium + "data.FloatVector", "", `[1.0,-2.5]`, "vector", "[1 -2.5]"},
		{"array", "", "", `["a",{"b":[1]}]`, "json", `"[\"a\",{\"b\":[1]}]"`},
		{"map", "", "", `{"a":"b"}`, "json", `"{\"a\":\"b\"}"`},
	} {
		f := foreign{op: "c", after: `{"id":1,"v":` + c.value + `}`, fields: connectFieldText("id", "int32", "", "") + "," + connectFieldText("v", c.typ, c.name, c.parameters)}
		u := &union{}
		r := NewDebeziumReader(u)
		if err := r.Decode([]byte(`{"schema":{"type":"struct"},"payload":{"id":1}}`), []byte(f.text())); err != nil {
			t.Errorf("%s %s %s: %v", c.typ, c.name, c.value, err)
			continue
		}
		table := u.tables["d.t"]
		if got := table.Columns[1].Native; got != c.native {
			t.Errorf("%s %s: got %s, want %s", c.typ, c.name, got, c.native)
		}
		if got, want := strings.Join(u.texts(t, "d.t"), ";"), "After 1 | "+c.want; got != want {
			t.Errorf("%s %s %s: got %s, want %s", c.typ, c.name, c.value, got, want)
		}
		if !slices.Equal(table.Key, []int{0}) || table.Columns[0].Nullable || !table.Columns[1].Nullable {
			t.Errorf("got key %d of %+v", table.Key, table.Columns)
		}
	}
}

// TestDebeziumOps has every kind of message, with schemas and without.
func TestDebeziumOps(t *testing.T) {
	fields := connectFieldText("id", "int64", "", "") + "," + connectFieldText("v", "string", "", "")
	const key = `{"id":1}`
	messages := []foreign{
		{key: key, op: "r", after: `{"id":1,"v":"stock"}`, source: strings.Replace(mysqlSource, `"snapshot":"false"`, `"snapshot":"last"`, 1)},
		{key: key, op: "c", after: `{"id":1,"v":"a"}`},
		{key: key, op: "u", before: `{"id":1,"v":"a"}`, after: `{"id":1,"v":"b"}`},
		{key: key, op: "u", after: `{"id":1,"v":"c"}`}, // PostgreSQL's, whose key has not changed
		{key: `{"id":2}`, op: "u", before: `{"id":1,"v":null}`, after: `{"id":2,"v":"d"}`},
		{key: key, op: "d", before: `{"id":1,"v":"c"}`},
		{key: key, op: "d"}, // what went is in the key alone
		{op: "t"},
		{op: "m"},
	}
	keyed := []string{
		`After 1 | "stock"`, `After 1 | "a"`, `After 1 | "b"`, `After 1 | "c"`, `Before 1 | NULL`, `After 2 | "d"`, `Delete 1 | "c"`, `Delete 1 | NULL`,
	}
	const meta = ` | "2026-01-02 03:04:05.000001Z" | "u:7" | "binlog.000002:00000000000000004711:00000003"`
	log := []string{
		`1 | "stock" | "r" | NULL | NULL | NULL`, `1 | "a" | "c"` + meta, `1 | "a" | "b"` + meta, `1 | "b" | "u"` + meta, `1 | "c" | "u"` + meta,
		`1 | NULL | "b"` + meta, `2 | "d" | "u"` + meta, `1 | "c" | "d"` + meta, `1 | NULL | "d"` + meta,
	}
	others := []string{
		`null`, `{"schema":null,"payload":null}`, `{"ts_ms":5}`, `{"schema":{"type":"struct","fields":[],"name":"io.debezium.connector.common.Heartbeat"},"payload":{"ts_ms":5}}`,
		`{"status":"BEGIN","id":"x","event_count":null,"data_collections":null,"ts_ms":5}`,
		`{"source":{` + mysqlSource + `},"ts_ms":5,"databaseName":"d","schemaName":null,"ddl":"DROP TABLE t","tableChanges":[{"type":"DROP","id":"\"d\".\"t\"","table":null}]}`,
	}
	for _, schemas := range []bool{false, true} {
		for _, isLog := range []bool{false, true} {
			u := &union{log: isLog}
			r := NewDebeziumReader(u)
			for _, m := range messages {
				key := m.key
				if schemas {
					m.fields = fields
					key = `{"schema":{"type":"struct"},"payload":` + key + `}`
				}
				if m.key == "" {
					key = ""
				}
				if err := r.Decode([]byte(key), []byte(m.text())); err != nil {
					t.Fatalf("%s: %v", m.text(), err)
				}
				if err := r.Decode([]byte(key), nil); err != nil {
					t.Fatal(err)
				}
				for _, o := range others {
					if err := r.Decode(nil, []byte(o)); err != nil {
						t.Fatalf("%s: %v", o, err)
					}
				}
			}
			want := keyed
			if isLog {
				want = log
			}
			if got := u.texts(t, "d.t"); !slices.Equal(got, want) {
				t.Errorf("schemas %t, log %t: got\n%s\nwant\n%s", schemas, isLog, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if want := []string{"d.t u:7 1767323045000001"}; !slices.Equal(u.emptied, want) {
				t.Errorf("emptied: got %q, want %q", u.emptied, want)
			}
		}
	}
}

// TestDebeziumKeys has keys as they come from different converters and connectors.
func TestDebeziumKeys(t *testing.T) {
	fields := connectFieldText("b", "int32", "", "") + "," + connectFieldText("a", "int32", "", "")
	for key, want := range map[string]string{
		"":                             "[]",
		"null":                         "[]",
		`{"schema":null,"payload":{}}`: "[]",
		`{"a":1}`:                      "[1]",
		`{"a":1,"b":2}`:                "[1 0]",
		`{"schema":{"type":"struct"},"payload":{"a":1,"b":2}}`: "[1 0]",
		`{"schema":null,"payload":{"b":2}}`:                    "[0]",
		`{"a":1,"__dbz__physicalTableIdentifier":"d.t"}`:       "[1]",
		`7`:                               "",
		`Struct{id=1}`:                    "",
		`{"c":1}`:                         "its key names a column c that its row has not",
		`{"a":1`:                          "",
		`{"schema":{},"payload":{"c":1}}`: "its key names a column c that its row has not",
	} {
		u := &union{}
		err := NewDebeziumReader(u).Decode([]byte(key), []byte(foreign{op: "c", after: `{"b":2,"a":1}`, fields: fields}.text()))
		switch {
		case strings.HasPrefix(want, "["):
			if err != nil || fmt.Sprint(u.tables["d.t"].Key) != want {
				t.Errorf("%s: got %v, %v, want %s", key, u.tables["d.t"], err, want)
			}
		case err == nil || want != "" && err.Error() != want:
			t.Errorf("%s: got %v, want an error: %s", key, err, want)
		}
	}
}

// TestDebeziumInferred has columns whose types nobody tells.
func TestDebeziumInferred(t *testing.T) {
	for _, c := range []struct {
		rows        []string // beside id
		shape, want string
		err         string
	}{
		{rows: []string{`"a":1,"b":1.5,"c":"x","d":true,"e":{"f": [1]},"g":[1]`}, shape: "id int64, a int64, b float64, c utf8, d bool, e utf8, g utf8", want: `1 | 1.5d | "x" | true | "{\"f\": [1]}" | "[1]"`},
		// What has held nothing is no column yet, and what has come stays.
		{rows: []string{`"a":null,"b":1`, `"a":"x"`, `"b":null`}, shape: "id int64, b int64, a utf8", want: `1; NULL | "x"; NULL | NULL`},
		{rows: []string{`"a":1.5`, `"a":2`, `"a":9007199254740993`}, err: "column a was double and is longtext"},
		{rows: []string{`"a":1.5`, `"a":2`, `"a":-1.0E10`}, shape: "id int64, a float64", want: `1.5d; 2d; -1e+10d`},
		{rows: []string{`"a":1`, `"a":1.5`}, err: "column a was bigint and is double"},
		{rows: []string{`"a":"007"`, `"a":7`, `"a":null`, `"a":{"b":1}`, `"a":true`}, shape: "id int64, a utf8", want: `"007"; "7"; NULL; "{\"b\":1}"; "true"`},
		{rows: []string{`"a":7`, `"a":"007"`}, err: "column a was bigint and is longtext"},
		{rows: []string{`"a":{}`, `"a":"x"`}, shape: "id int64, a utf8", want: `"{}"; "x"`},
		{rows: []string{`"a":18446744073709551615`, `"a":-1`}, shape: "id int64, a decimal(38, 0)", want: `"18446744073709551615"; "-1"`},
		{rows: []string{`"a":0.1234567890123456789`}, shape: "id int64, a utf8", want: `"0.1234567890123456789"`},
		{rows: []string{`"a":true`, `"a":1`}, err: "column a was bit(1) and is longtext"},
		{rows: []string{`"a":nan`}, shape: "id int64, a utf8", want: `"nan"`},
		{rows: []string{`"\u0061\n":1`, `"a\n":2`}, shape: "id int64, a\n int64", want: "1; 2"},
	} {
		u := &union{}
		r := NewDebeziumReader(u)
		var err error
		for i, row := range c.rows {
			if err = r.Decode([]byte(`{"id":1}`), []byte(foreign{op: "c", after: fmt.Sprintf(`{"id":%d,%s}`, i, row)}.text())); err != nil {
				break
			}
		}
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want %s", c.rows, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.rows, err)
			continue
		}
		var got []string
		for _, text := range u.texts(t, "d.t") {
			_, text, _ = strings.Cut(text, " | ")
			got = append(got, text)
		}
		want := strings.Split(c.want, "; ")
		for i := range got { // those of earlier shapes lack what has come behind them
			if i < len(want) && strings.HasPrefix(want[i], got[i]) {
				got[i] = want[i]
			}
		}
		if !slices.Equal(got, want) || shapeText(u.tables["d.t"]) != c.shape {
			t.Errorf("%s: got %q of %s, want %q of %s", c.rows, got, shapeText(u.tables["d.t"]), want, c.shape)
		}
	}
}

// TestDebeziumEvolves has a column come, and one become wider, by the schema.
func TestDebeziumEvolves(t *testing.T) {
	u := &union{}
	r := NewDebeziumReader(u)
	id := connectFieldText("id", "int32", "", "")
	for _, f := range []foreign{
		{op: "c", after: `{"id":1}`, fields: id},
		{op: "c", after: `{"id":2,"v":1}`, fields: id + "," + connectFieldText("v", "int32", "", "")},
		{op: "c", after: `{"id":1}`, fields: id},
		{op: "c", after: `{"id":2,"v":3000000000}`, fields: id + "," + connectFieldText("v", "int64", "", "")},
		{op: "c", after: `{"id":2,"v":1}`, fields: id + "," + connectFieldText("v", "int32", "", "")},
	} {
		if err := r.Decode([]byte(`{"id":1}`), []byte(f.text())); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"After 1", "After 2 | 1", "After 1 | NULL", "After 2 | 3000000000", "After 2 | 1"}
	if got := u.texts(t, "d.t"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDebeziumManySchemas has tables take turns, more than are looked for first.
func TestDebeziumManySchemas(t *testing.T) {
	u := &union{}
	r := NewDebeziumReader(u)
	const tables, rounds = 20, 3
	for i := range tables * rounds {
		f := foreign{op: "c", after: `{"id":1}`, fields: connectFieldText("id", "int32", "", ""), source: strings.Replace(mysqlSource, `"t"`, fmt.Sprintf(`"t%d"`, i%tables), 1)}
		text := strings.ReplaceAll(f.text(), "dbz.d.t.", fmt.Sprintf("dbz.d.t%d.", i%tables))
		if err := r.Decode([]byte(key1), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if u.shapes != tables {
		t.Errorf("got %d shapes, want %d", u.shapes, tables)
	}
	for i := range tables {
		if got := len(u.texts(t, fmt.Sprintf("d.t%d", i))); got != rounds {
			t.Errorf("table %d: got %d rows, want %d", i, got, rounds)
		}
	}
}

const key1 = `{"id":1}`

// TestDebeziumPostgres has a message as PostgreSQL's connector writes it.
func TestDebeziumPostgres(t *testing.T) {
	const source = `"version":"3.3.1.Final","connector":"postgresql","name":"pg","ts_ms":1767323045000,"snapshot":"false","db":"shop","sequence":"[null,\"24023128\"]","schema":"public","table":"orders","txId":571,"lsn":24023128,"xmin":null`
	fields := strings.Join([]string{
		connectFieldText("id", "int32", "", ""), connectFieldText("n", "bytes", nameDecimal, `"scale":"2","connect.decimal.precision":"10"`),
		connectFieldText("at", "string", "io.debezium.time.ZonedTimestamp", ""), connectFieldText("tags", "array", "", ""),
		connectFieldText("u", "string", "io.debezium.data.Uuid", `"__debezium.source.column.type":"UUID"`),
	}, ",")
	u := &union{}
	r := NewDebeziumReader(u)
	for _, f := range []foreign{
		{op: "c", source: source, fields: fields, after: `{"id":1,"n":"EtaH","at":"2026-01-02T03:04:05.5Z","tags":["a","b"],"u":"6cbf"}`},
		{op: "d", source: source, fields: fields, before: `{"id":1,"n":null,"at":null,"tags":null,"u":null}`},
	} {
		if err := r.Decode([]byte(`{"id":1}`), []byte(f.text())); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{`After 1 | "12345.67" | "2026-01-02 03:04:05.500000Z" | "[\"a\",\"b\"]" | "6cbf"`, "Delete 1 | NULL | NULL | NULL | NULL"}
	if got := u.texts(t, "public.orders"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := u.texts(t, "shop.orders"); got != nil {
		t.Errorf("got %q", got)
	}
}

// TestDebeziumBad has messages between good ones that cannot be read: nothing of them stays.
func TestDebeziumBad(t *testing.T) {
	fields := connectFieldText("id", "int32", "", "") + "," + connectFieldText("v", "int32", "io.debezium.time.Date", "")
	good := foreign{op: "c", after: `{"id":1,"v":20512}`, fields: fields}
	const key = `{"id":1}`
	own := string(encodeDebezium(t, logged(t, batchtest.Shape("d", "o", "id int key", "v date"), []string{schema.OpInsert}, []batchtest.Row{{int64(1), "2026-02-28"}}), Options{})[0].Value)
	bad := []string{
		"[]", "{}", "7", good.text()[:200], good.text() + "x", own[:len(own)-1], own + "}",
		strings.Replace(own, `"date"`, `"no type"`, 1), strings.Replace(own, `"keys":["id"]`, `"keys":["x"]`, 1), strings.Replace(own, `"types":`, `"x":`, 1),
		strings.Replace(own, `"op":"c","ts`, `"op":"z","ts`, 1), strings.Replace(own, `"after":{"id":1`, `"after":{"id":null`, 1), strings.Replace(own, `"after":{"id":1`, `"after":{"id":"1`, 1),
		strings.Replace(own, `{"id":1,"v":20512}`, `7`, 1), strings.Replace(own, `{"id":1,"v":20512}`, `null`, 1), strings.Replace(own, `20512`, `"2026-02-28"`, 1),
		foreign{op: "c", after: `{"id":2,"v":-719529}`, fields: fields}.text(), foreign{op: "c", after: `{"id":2,"v":2932897}`, fields: fields}.text(),
		foreign{op: "c", after: `{"id":2,"v":"x"}`, fields: fields}.text(), foreign{op: "c", after: `{"v":1}`, fields: fields}.text(), foreign{op: "c", fields: fields}.text(),
		foreign{op: "x", after: `{"id":2}`, fields: fields}.text(), foreign{op: "u", before: `{"id":1,"v":1}`, after: `{"id":2,"v":[]}`, fields: fields}.text(),
		foreign{op: "c", after: `{"id":2}`, source: `"db":"d"`, fields: fields}.text(), foreign{op: "c", after: `{"id":2}`, source: strings.Replace(mysqlSource, "1767323045000001", "x", 1), fields: fields}.text(),
		foreign{op: "c", after: `{"id":2}`, fields: connectFieldText("v", "int32", "", "")}.text(), foreign{op: "c", after: `{"id":2,"x":"AA=="}`, fields: fields + "," + connectFieldText("x", "bytes", nameDecimal, `"scale":"x"`)}.text(),
		`{"schema":{"type":7},"payload":{}}`, `{"schema":{"type":"struct","fields":[]},"payload":` + foreign{op: "c", after: `{"id":2}`}.text() + `}`,
		`{"id":1,"name":"x","__op":"c","__deleted":"false"}`,
		foreign{op: "u", after: `{"id":1,"v":"__debezium_unavailable_value"}`, fields: connectFieldText("id", "int32", "", "") + "," + connectFieldText("v", "string", "", "")}.text(),
	}
	for _, b := range bad {
		u := &union{}
		r := NewDebeziumReader(u)
		for i := range 2 {
			for _, m := range []string{good.text(), own} {
				if err := r.Decode([]byte(key), []byte(m)); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Decode([]byte(key), []byte(b)); err == nil {
				t.Errorf("%s: got no error", b)
			}
			for _, table := range []string{"d.t", "d.o"} {
				into := u.rows[table].Into
				if got := into.Builder.Rows(); got != i+1 || len(into.Ops) != i+1 {
					t.Errorf("%s: got %d rows, %d ops of %s, want %d", b, got, len(into.Ops), table, i+1)
				}
			}
		}
		for table, want := range map[string]string{"d.t": `After 1 | "2026-02-28"`, "d.o": `Insert 1 | "2026-02-28"`} {
			if got := u.texts(t, table); !slices.Equal(got, []string{want, want}) {
				t.Errorf("%s: got %q of %s", b, got, table)
			}
		}
	}
}
