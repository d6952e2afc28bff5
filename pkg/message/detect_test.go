package message

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestDetect(t *testing.T) {
	for _, c := range []struct{ key, value, want, err string }{
		{"", "", "", ""},
		{"", " null\n", "", ""},
		{`{"id":1}`, "", "", ""}, // a tombstone
		{"", `{"data":[{"id":"1"}],"database":"d"`, "canal-json", ""},
		{"", `{"id":0,"database":"d","table":"t","pkNames":["id"],"isDdl":false}`, "canal-json", ""},
		{"", `{"_tidb":{"claimCheckLocation":"x"}}`, "canal-json", ""},
		{"", `{"id":0,"database":"","table":"","type":"TIDB_WATERMARK"}`, "canal-json", ""},
		{"", `{"database":"d","type":"insert","data":[]}`, "canal-json", ""},
		{"", ` {"database":"d","table":"t","type":"insert","ts":1,"data":{"id":1}}`, "maxwell-json", ""},
		{"", `{"type":"database-create","database":"d"}`, "maxwell-json", ""},
		{"", `{"database":"d","table":"t","type":"insert","ts":1,"xid":5}`, "maxwell-json", ""},
		{"", `{"database":"d","table":"t","type":"insert","encrypted":{}}`, "maxwell-json", ""},
		{"", `{"before":null,"after":{"id":1},"op":"c"}`, "debezium-json", ""},
		{"", `{"schema":{"type":"struct"},"payload":{"op":"c"}}`, "debezium-json", ""},
		{"", `{"ts_ms":1}`, "debezium-json", ""},
		{"", "\xff\xff\xff\xff\x10\x00\x00\x00", "arrow", ""},
		{"", `{"database":"d`, "", `its format cannot be told, it begins with "{\"database\":\"d": the JSON text is cut short`},
		{"", `{"level":"info","msg":"x"}`, "", `no format has its members, it begins with "{\"level\"`},
		{"", `{}`, "", "no format has its members"},
		{"", `{"version":1,"database":"d","commitTs":5}`, "", "TiCDC's simple protocol"},
		{"", "hello", "", `it is of no format that is known, it begins with "hello"`},
		{"", strings.Repeat("x", 100), "", `it begins with "` + strings.Repeat("x", 80) + `"`},
		{"", "\x00\x00\x00\x01\x02\x06abc", "", "of schema 258 of a schema registry (Avro"},
		{"\x00\x00\x00\x00\x00\x00\x00\x01\x00", "\x00\x00\x00\x00\x00\x00\x00\x05{}", "", "TiCDC's open-protocol"},
		{"", "\x08\x11\x12\x05abc", "", "Protocol Buffers"},
		{"", "\x1f\x8b\x08", "", "gzip"},
		{"", "\x28\xb5\x2f\xfd\x00", "", "zstd"},
		{"", "Obj\x01", "", "Avro"},
		{"", "PAR1", "", "Parquet"},
		{"", "[1]", "", "a JSON array"},
		{"", "<a/>", "", "XML"},
		{"", "\n x", "", "no format that is known"},
	} {
		got, err := Detect([]byte(c.key), []byte(c.value))
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: got %q, %v, want %q, %q", c.value, got, err, c.want, c.err)
		}
		if err != nil && strings.Contains(err.Error(), "it is not read") && hint.Of(err) == "" {
			t.Errorf("%q: got no remedy", c.value)
		}
	}
}

// TestDetectLines has what may be a log's line be told how it is read.
func TestDetectLines(t *testing.T) {
	for value, want := range map[string]string{
		`{"level":"info"}`:                    "--format json with",
		` [{"level":"info"}]`:                 "--format json with",
		`{"ts_ms":1,"type":"click","user":7}`: "--format json with",
		`{"status":200,"path":"/"}`:           "--format json with",
		`{"source":"web","event":"click"}`:    "--format json with",
		"7;click":                             "--format csv or json with",
		"\x01\x02\xff":                        "",
		`{"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"INSERT","mysqlType":{"id":"int"},"data":[{"id":"x"}]}`: "",
	} {
		r, err := NewDecoder(Auto, &union{})
		if err != nil {
			t.Fatal(err)
		}
		err = r.Decode(nil, []byte(value))
		if got := hint.Of(err); err == nil || want == "" && strings.Contains(got, "--format") || !strings.Contains(got, want) {
			t.Errorf("%q: got %v, hint %q, want %q", value, err, got, want)
		}
	}
}

// TestAuto has every format that is written be told, all of them in one topic, and what is
// none between them.
func TestAuto(t *testing.T) {
	table := batchtest.Shape("d", "t", "id int key", "v varchar(9)")
	b := logged(t, table, []string{"c", "b", "u", "d"}, []batchtest.Row{{int64(1), "a"}, {int64(1), "a"}, {int64(1), "b"}, {int64(1), "b"}})
	u := &union{}
	r, err := NewDecoder(Auto, u)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 2 {
		for _, format := range Formats {
			for _, o := range []Options{{}, {Schemas: true}} {
				e, err := NewEncoder(format, b.Table, one, o)
				if err != nil {
					t.Fatal(err)
				}
				records, err := e.Encode(nil, b)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range records {
					if got, err := Detect(m.Key, m.Value); err != nil || got != format && m.Value != nil {
						t.Errorf("%s: got %q, %v", m.Value, got, err)
					}
					if err := r.Decode(m.Key, m.Value); err != nil {
						t.Errorf("%s: %v", m.Value, err)
					}
				}
				n += 3
				for bad, want := range map[string]string{
					"hello": "it begins with \"hello\"", "\x1f\x8b": "gzip", `{"database":"d","ta`: "cut short", "null": "", "": "",
					`{"id":1,"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"NONE","mysqlType":{"id":"int"},"data":null}`: `its type "NONE" is not known`,
				} {
					err := r.Decode(nil, []byte(bad))
					if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
						t.Errorf("%s behind %s: got %v, want %q", bad, format, err, want)
					}
				}
			}
		}
	}
	got := u.texts(t, "d.t")
	want := slices.Repeat([]string{`Insert 1 | "a"`, `After 1 | "b"`, `Delete 1 | "b"`}, n/3)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// failing is a Target that fails.
type failing struct{ err error }

func (f failing) Rows(*schema.Table) (*Rows, error)    { return nil, f.err }
func (f failing) Emptied(string, string, Change) error { return f.err }

// TestAutoTarget has the error be that of the Target.
func TestAutoTarget(t *testing.T) {
	f := failing{errors.New("the sink is away")}
	r, err := NewDecoder(Auto, f)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, m := range []string{
			`{"database":"d","table":"t","type":"insert","ts":1,"data":{"id":1}}`,
			`{"id":0,"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"INSERT","mysqlType":{"id":"int"},"data":[{"id":"1"}]}`,
			`{"id":0,"database":"d","table":"t","isDdl":true,"type":"TRUNCATE"}`,
			`{"database":"d","table":"t","type":"table-truncate","ts":1}`,
		} {
			if err := r.Decode(nil, []byte(m)); !errors.Is(err, f.err) {
				t.Errorf("%s: got %v", m, err)
			}
		}
	}
}

// TestAutoPartition has the partition be told to those who want to know.
func TestAutoPartition(t *testing.T) {
	r := &autoReader{to: &union{}}
	r.Partition(2)
	mark := func(ts string) []byte {
		return []byte(`{"id":0,"type":"TIDB_WATERMARK","_tidb":{"watermarkTs":` + ts + `}}`)
	}
	if err := r.Decode(nil, mark("5")); err != nil {
		t.Fatal(err)
	}
	r.Partition(3)
	if err := r.Decode(nil, mark("7")); err != nil {
		t.Fatal(err)
	}
	if got := r.readers["canal-json"].(*CanalReader).watermarks; !slices.Equal(got, []uint64{0, 0, 5, 7}) {
		t.Errorf("got watermarks %d", got)
	}
}

// FuzzAuto feeds all readers what nobody would write.
func FuzzAuto(f *testing.F) {
	f.Add([]byte(""), []byte(`{"data":[{"id":"5","v":"a"}],"database":"d","isDdl":false,"mysqlType":{"id":"bigint(20)","v":"decimal"},"old":[{"id":"4"}],"pkNames":["id"],"table":"t","type":"UPDATE","_tidb":{"commitTs":5}}`))
	f.Add([]byte(`{"database":"d","table":"t","pk.id":1}`), []byte(`{"database":"d","table":"t","type":"update","ts":1,"data":{"id":1,"v":1.5},"old":{"v":null}}`))
	f.Add([]byte(`{"id":1}`), []byte(`{"before":null,"after":{"id":1,"v":"x"},"source":{"db":"d","table":"t"},"op":"c"}`))
	f.Add([]byte(""), []byte("\xff\xff\xff\xff\x10\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, key, value []byte) {
		u := &union{}
		r := &autoReader{to: u}
		r.Partition(1)
		_ = r.Decode(key, value)
		_ = r.Decode(key, value) // the second has a table to fit into
		_ = r.Decode(nil, []byte(`{"data":[{"id":"5","v":"a"}],"database":"d","isDdl":false,"mysqlType":{"id":"bigint(20)","v":"text"},"pkNames":["id"],"table":"t","type":"INSERT"}`))
	})
}
