package iceberg

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

func TestParsePartition(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		" id ":                           "id",
		"days(at),BUCKET( 16 , id )":     "day(at) bucket(16,id)",
		"truncate(name,3), void(x)":      "truncate(3,name) void(x)",
		"`day(x)`,month(`a, ``b`` c`)":   "day(x) month(a, `b` c)",
		"identity(a),year(b),hours(c)":   "a year(b) hour(c)",
		"bucket(`16`,`a`),Größe,day(日付)": "bucket(16,a) Größe day(日付)",
	} {
		terms, err := parsePartition(text)
		var got []string
		for _, t := range terms {
			got = append(got, t.String())
		}
		if s := strings.Join(got, " "); err != nil || s != want {
			t.Errorf("%q: %q, %v; want %q", text, s, err, want)
		}
	}
	for text, want := range map[string]string{
		"id,":          "ends where a column should follow",
		"day(at":       "ends",
		"day at":       `"at" is not understood`,
		"week(at)":     "week is no transform",
		"bucket(id)":   "bucket wants a number and a column",
		"bucket(0,id)": "from 1 up",
		"day(1,at)":    "day wants a column and nothing else",
		"`a":           "a backtick is missing",
		"a;drop":       "", // a name like any other: it is looked up, and never SQL
	} {
		if _, err := parsePartition(text); want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestParseSort(t *testing.T) {
	for text, want := range map[string]string{
		"a":                                "a asc nulls first",
		"a desc, b":                        "a desc nulls last, b asc nulls first",
		"a ASC NULLS LAST,`desc` desc":     "a asc nulls last, desc desc nulls last",
		"a desc nulls first , nulls, b":    "a desc nulls first, nulls asc nulls first, b asc nulls first",
		"descending, ascii asc nulls last": "descending asc nulls first, ascii asc nulls last",
	} {
		terms, err := parseSort(text)
		var got []string
		for _, t := range terms {
			got = append(got, t.String())
		}
		if s := strings.Join(got, ", "); err != nil || s != want {
			t.Errorf("%q: %q, %v; want %q", text, s, err, want)
		}
	}
	for _, text := range []string{"a up", "a nulls", "a desc asc", "a,", "lower(a)"} {
		if _, err := parseSort(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestLayoutRefused asks for what does not go with the columns: it is said before
// anything is made.
func TestLayoutRefused(t *testing.T) {
	tbl := schema.New("shop", "t", cols("id int!", "at datetime", "x double", "v vector(3)", "s varchar(9)", "id_bucket int", "flag bit(1)"), []int{0})
	for _, c := range []struct {
		layout Layout
		want   string
	}{
		{Layout{Partition: "nope"}, "there is no column nope"},
		{Layout{Partition: "x"}, "partitions by double are not supported"},
		{Layout{Partition: "v"}, "does not go with"},
		{Layout{Partition: "day(id)"}, "day does not go with int"},
		{Layout{Partition: "hour(s)"}, "hour does not go with string"},
		{Layout{Partition: "bucket(4,flag)"}, "does not go with boolean"},
		{Layout{Partition: "bucket(4,id)"}, "id_bucket, which is the name of a column"},
		{Layout{Partition: "day(at), month(at)"}, "one of them is enough"},
		{Layout{Partition: "s, s"}, "one of them is enough"},
		{Layout{Sort: "nope"}, "there is no column nope"},
		{Layout{Sort: "v"}, "has no order"},
		{Layout{Sort: "s, s desc"}, "is there twice"},
		{Layout{FormatVersion: 1}, "not one of 2, 3"},
		{Layout{Properties: map[string]string{"tablehaul.position": "x"}}, "this program's own"},
	} {
		lake := t.TempDir()
		s := openSink(t, "iceberg:"+lake, Options{Layout: func(*schema.Table) Layout { return c.layout }})
		_, err := s.Open(t.Context(), tbl, writer.Create)
		var te *schema.TableError
		if !errors.As(err, &te) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.layout, err, c.want)
		}
		if tableExists(t, s, "t") {
			t.Errorf("%+v: the table was made", c.layout)
		}
	}
}

// TestLayoutOfExistingTable asks for another layout than a table has.
func TestLayoutOfExistingTable(t *testing.T) {
	lake := t.TempDir()
	l := Layout{Partition: "bucket(4,id)", Sort: "owner desc", FormatVersion: 3, Properties: map[string]string{"a": "b"}}
	var warned []string
	s := openSink(t, "iceberg:"+lake, Options{Layout: func(*schema.Table) Layout { return l }, Warn: func(s string) { warned = append(warned, s) }})
	load(t, s, accounts("t"), writer.Create, 0, 50, "p1")
	load(t, s, accounts("t"), writer.Append, 50, 60, "p2")
	if len(warned) > 0 {
		t.Errorf("told %q of the layout that the table has", warned)
	}
	l = Layout{Partition: "owner", Sort: "id", Properties: map[string]string{"a": "c"}}
	load(t, s, accounts("t"), writer.Append, 60, 70, "p3")
	want := `shop.t keeps the layout that it has: it is partitioned by bucket(4,id), and not by owner; ` +
		`it is sorted by owner desc nulls last, and not by id asc nulls first; its property a is "b", and not "c"`
	if len(warned) != 1 || warned[0] != want {
		t.Errorf("told %q, want %q", warned, want)
	}
	wantIDs(t, ids(t, s, "t"), 0, 70)
	it, err := s.cat.LoadTable(t.Context(), table.Identifier{"shop", "t"})
	must(t, err)
	if n := len(it.Metadata().PartitionSpecs()); n != 1 {
		t.Errorf("the table has %d specs", n)
	}
}

// TestReplaceKeepsPartitions takes away what the table is partitioned by.
func TestReplaceKeepsPartitions(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Layout: func(*schema.Table) Layout { return Layout{Partition: "owner"} }})
	load(t, s, accounts("t"), writer.Create, 0, 50, "p1")
	load(t, s, accounts("t"), writer.Replace, 100, 120, "p2")
	wantIDs(t, ids(t, s, "t"), 100, 120)
	s.opts.Layout = nil
	_, err := s.Open(t.Context(), schema.New("shop", "t", cols("id int!", "other int"), []int{0}), writer.Replace)
	wantTableError(t, err, "is or was partitioned by owner, which the source has not")
}

// TestPropertiesAreHonoured sets those by which files are written.
func TestPropertiesAreHonoured(t *testing.T) {
	props := map[string]string{"write.target-file-size-bytes": "1048576", "write.parquet.compression-codec": "lz4", "mine": "x"}
	s := openSink(t, "iceberg:"+t.TempDir(), Options{Layout: func(*schema.Table) Layout { return Layout{Properties: props} }})
	w := openTable(t, s, accounts("t"), writer.Create)
	if w.target() != 1<<20 || w.codec() != 7 {
		t.Errorf("target %d, codec %d", w.target(), w.codec())
	}
	must(t, w.Commit(t.Context(), "p"))
	must(t, w.Close())
	s.opts.Layout = nil
	w = openTable(t, s, accounts("t"), writer.Append)
	if w.target() != 1<<20 || w.codec() != 7 || w.props["mine"] != "x" {
		t.Errorf("target %d, codec %d, mine %q", w.target(), w.codec(), w.props["mine"])
	}
	s.opts.Codec, s.opts.TargetFileSize = "zstd:9", 1<<30
	if w.target() != 1<<30 || w.codec().String() != "zstd:9" {
		t.Errorf("what the run says does not count: %d, %s", w.target(), w.codec())
	}
	for _, c := range []struct{ name, level, want string }{
		{"uncompressed", "", "none"},
		{"", "5", "zstd:5"},
		{"zstd", "22", "zstd:22"},
		{"gzip", "5", "gzip"},
	} {
		got, ok, err := propertyCodec(iceberg.Properties{codecProperty: c.name, levelProperty: c.level})
		if !ok || err != nil || got.String() != c.want {
			t.Errorf("%+v: %s, %v, %v", c, got, ok, err)
		}
	}
}

// TestRowNumbers lets Spark say which numbers the rows of a table of version 3
// have, through stock, changes of it within the same commit, and commits later.
func TestRowNumbers(t *testing.T) {
	services.Need(t)
	needSpark(t)
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{Memory: 16 << 10, Layout: func(*schema.Table) Layout {
		return Layout{FormatVersion: 3, Partition: "bucket(3,id)"}
	}})
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	write(t, w, rows(tbl, 0, 300))
	write(t, w, after(rows(tbl, 100, 200)))
	write(t, w, after(rows(tbl, 150, 400)))
	must(t, w.Commit(t.Context(), "p1"))
	write(t, w, after(rows(tbl, 0, 50)))
	must(t, w.Commit(t.Context(), "p2"))
	must(t, w.Close())
	load(t, s, tbl, writer.Append, 400, 420, "p3")
	got := python(t, spark+`
out([[int(x) for x in s.sql("select count(*), count(distinct _row_id), count(distinct id), count(_last_updated_sequence_number) from default.shop.t").collect()[0]]])`, lake)
	if want := []any{[]any{420.0, 420.0, 420.0, 420.0}}; !reflect.DeepEqual(got, want) {
		t.Errorf("rows, row numbers, ids, sequence numbers: %v, want %v", got, want)
	}
	it, err := s.cat.LoadTable(t.Context(), w.ident)
	must(t, err)
	next := int64(0)
	for _, snap := range it.Metadata().Snapshots() {
		if snap.FirstRowID == nil || snap.AddedRows == nil || *snap.FirstRowID != next {
			t.Errorf("snapshot %d begins at %v and adds %v, want it to begin at %d", snap.SnapshotID, snap.FirstRowID, snap.AddedRows, next)
			break
		}
		next += *snap.AddedRows
	}
	if it.Metadata().NextRowID() != next {
		t.Errorf("next row number %d, want %d", it.Metadata().NextRowID(), next)
	}
}

// after makes all rows of a batch new images.
func after(b *batch.Batch) *batch.Batch {
	b.Ops = slices.Repeat([]batch.Op{batch.After}, int(b.Rows.NumRows()))
	return b
}
