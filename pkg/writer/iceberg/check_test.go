package iceberg

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	restcat "github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// names are those of the findings.
func names(found []finding.Finding) string {
	var out []string
	for _, f := range found {
		out = append(out, f.Level.String()+" "+f.Check)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// tree lists all files and folders below a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		out = append(out, path)
		return err
	}))
	return out
}

var forSnapshot = finding.Purpose{Snapshot: true}

// TestCheckFolder looks at lakes in folders, which stay as they are.
func TestCheckFolder(t *testing.T) {
	dir := t.TempDir()
	lake := filepath.Join(dir, "lake")
	all := []*schema.Table{accounts("a"), accounts("b")}
	check := func(url string, tables []*schema.Table, mode writer.Mode, want string) []finding.Finding {
		t.Helper()
		before := tree(t, dir)
		s := openSink(t, url, Options{Look: true})
		found, err := s.Check(t.Context(), tables, mode, forSnapshot)
		must(t, err)
		if got := names(found); got != want {
			t.Errorf("got %q, want %q: %+v", got, want, found)
		}
		if after := tree(t, dir); !slices.Equal(before, after) {
			t.Errorf("the check has left its marks: %q, was %q", after, before)
		}
		return found
	}
	check("iceberg:"+lake, all, writer.Create, "")
	check("iceberg+sql:"+lake+"/c.db?warehouse="+lake, all, writer.Create, "")

	s := openSink(t, "iceberg:"+lake, Options{})
	load(t, s, all[0], writer.Create, 0, 10, "p1")
	check("iceberg:"+lake, all, writer.Create, "")

	// One of another shape is in the way, of which the remedy is told.
	other := schema.New("shop", "a", cols("id int!", "mail varchar(20)"), []int{0})
	found := check("iceberg:"+lake, []*schema.Table{other}, writer.Create, "error table-refused")
	if len(found) == 1 && !strings.Contains(found[0].Remedy, "replace") {
		t.Errorf("remedy: %q", found[0].Remedy)
	}
	// Names.
	crm := schema.New("crm", "a", cols("id int!"), []int{0})
	check("iceberg:"+lake+"2?namespace=ods", append(all, crm), writer.Create, "error name-collision")
	check("iceberg:"+lake+"2", append(all, accounts("A")), writer.Create, "warning name-case")
	// Space.
	huge := accounts("huge")
	huge.Bytes = 1 << 60
	check("iceberg:"+lake, []*schema.Table{huge}, writer.Create, "warning space")
	// One commit for several tables.
	sink := openSink(t, "iceberg:"+lake, Options{Look: true})
	found, err := sink.Check(t.Context(), all, writer.Follow, finding.Purpose{Tail: true})
	must(t, err)
	if got := names(found); got != "note one-by-one" {
		t.Errorf("tail: %q", got)
	}
	found, err = sink.Check(t.Context(), []*schema.Table{huge}, writer.Follow, finding.Purpose{Tail: true, Before: true})
	must(t, err)
	if got := names(found); got != "warning space" {
		t.Errorf("before a run: %q", got)
	}
}

// TestCheckReadOnly looks at what cannot be written.
func TestCheckReadOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	for _, dir := range []string{"/proc/lake", file + "/lake"} {
		s, err := Open(t.Context(), "iceberg:"+dir, Options{Look: true})
		if err != nil {
			continue // told by that
		}
		found, err := s.Check(t.Context(), []*schema.Table{accounts("a")}, writer.Create, forSnapshot)
		must(t, err)
		if got := names(found); got != "error sink-write" || found[0].Remedy == "" {
			t.Errorf("%s: got %q: %+v", dir, got, found)
		}
	}
}

// TestCheckREST has a catalog make a table, and leaves nothing of it.
func TestCheckREST(t *testing.T) {
	url := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST")
	warehouse := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST_WAREHOUSE")
	services.Need(t)
	_, host, _ := strings.Cut(url, "://")
	s := openSink(t, "iceberg+rest://"+host, Options{Look: true})
	probe := schema.New("check_"+strings.ToLower(t.Name()), "a", cols("id int!"), []int{0})
	found, err := s.Check(t.Context(), []*schema.Table{probe}, writer.Create, forSnapshot)
	must(t, err)
	if got := names(found); got != "" {
		t.Errorf("got %q: %+v", got, found)
	}
	if there, err := s.cat.CheckNamespaceExists(t.Context(), []string{probe.DB}); err != nil || there {
		t.Errorf("the namespace is still there: %v %v", there, err)
	}
	if dir, err := localPath(warehouse); err == nil {
		if left, _ := filepath.Glob(filepath.Join(dir, probe.DB, "*", "*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	// Nobody answers.
	s = openSink(t, "iceberg+rest://"+host, Options{Look: true})
	cat := s.cat.(restCatalog)
	cat.Catalog = refusing{cat.Catalog}
	s.cat = cat
	found, err = s.Check(t.Context(), []*schema.Table{probe}, writer.Create, finding.Purpose{Snapshot: true})
	must(t, err)
	if got := names(found); got != "error sink-write" || !strings.Contains(found[0].Why, "namespace") {
		t.Errorf("refused: %q: %+v", got, found)
	}
}

// refusing is a catalog that lets nobody make a namespace.
type refusing struct{ catalog.Catalog }

func (refusing) CreateNamespace(context.Context, table.Identifier, iceberg.Properties) error {
	return restcat.ErrForbidden
}

// TestDescribe tells what would become of tables.
func TestDescribe(t *testing.T) {
	dir := t.TempDir()
	lake := filepath.Join(dir, "lake")
	describe := func(tbl *schema.Table, mode writer.Mode) writer.Description {
		t.Helper()
		d, err := openSink(t, "iceberg:"+lake, Options{Look: true}).Describe(t.Context(), tbl, mode)
		must(t, err)
		return d
	}
	a := accounts("a")
	a.Comment = "who's who"
	if d := describe(a, writer.Create); d.Fate != writer.New || d.Name != "shop.a" {
		t.Errorf("new: %+v", d)
	}
	load(t, openSink(t, "iceberg:"+lake, Options{}), a, writer.Create, 0, 10, "p1")
	for mode, want := range map[writer.Mode]writer.Fate{
		writer.Create: writer.Whole, writer.Append: writer.Added, writer.Replace: writer.Replaced, writer.Follow: writer.Followed,
	} {
		if d := describe(a, mode); d.Fate != want || d.DDL != "" {
			t.Errorf("%s: got %+v, want %s", mode, d, want)
		}
	}
	more := schema.New("shop", "a", cols("id int!", "owner varchar(20)", "mail varchar(20)"), []int{0})
	for mode, want := range map[writer.Mode]writer.Fate{writer.Evolve: writer.Evolved, writer.Replace: writer.Replaced} {
		if d := describe(more, mode); d.Fate != want || !strings.Contains(d.Detail, "mail") {
			t.Errorf("%s with a new column: got %+v, want %s", mode, d, want)
		}
	}
	other := schema.New("shop", "a", cols("id int!", "mail varchar(20)"), []int{0})
	if d := describe(other, writer.Create); d.Fate != writer.Refused || !strings.Contains(d.Detail, "mail") || d.Remedy == "" {
		t.Errorf("refused: %+v", d)
	}
}

// TestSparkTakesDDL has Spark make a table by the statement of a dry run, which is
// then the table that we would have made.
func TestSparkTakesDDL(t *testing.T) {
	services.Need(t)
	needSpark(t)
	lake := filepath.Join(t.TempDir(), "lake")
	tbl := schema.New("shop", "every `type`", cols("id bigint unsigned!", "a int", "b bigint", "c double", "d float", "e decimal(12,3)", "f date", "g datetime(6)",
		"h timestamp", "i text", "j blob", "k vector(3)", "l bit(1)", "x varchar(9)!"), []int{0, 13})
	tbl.Columns[13].Name = "it's `x`"
	tbl.Comment = "who's \\ who"
	tbl.Columns[1].Comment = "it's\na line"
	s := openSink(t, "iceberg:"+lake, Options{})
	d, err := s.Describe(t.Context(), tbl, writer.Create)
	must(t, err)
	statements := strings.ReplaceAll(d.DDL, "`shop`.", "`default`.`shop`.")
	must(t, s.cat.CreateNamespace(t.Context(), []string{"shop"}, nil))
	python(t, spark+`
for q in sys.argv[2].split(';\n'):
    s.sql(q)
out([])
`, lake, statements)
	got, err := s.cat.LoadTable(t.Context(), []string{"shop", "every `type`"})
	must(t, err)
	want, err := icebergSchema(tbl)
	must(t, err)
	if diff := shapeDiff(got.Schema(), want, false); diff != "" || !slices.Equal(got.Schema().IdentifierFieldIDs, want.IdentifierFieldIDs) {
		t.Errorf("Spark has made another table: %s; key %v", diff, got.Schema().IdentifierFieldIDs)
	}
	if f := got.Schema().Field(1); f.Doc != tbl.Columns[1].Comment || got.Properties()["comment"] != tbl.Comment {
		t.Errorf("comments: %q, %q", f.Doc, got.Properties()["comment"])
	}
	for k, v := range newTableProperties(tbl) {
		if got.Properties()[k] != v {
			t.Errorf("property %s: got %q, want %q", k, got.Properties()[k], v)
		}
	}
}
