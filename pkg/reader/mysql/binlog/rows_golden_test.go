package binlog_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var update = flag.Bool("update", false, "write what servers log now into testdata")

// A golden is a captured table map, one event of its rows, and what they hold.
// In testdata it is a file: a line for each column (type, charset, whether it
// may be NULL, name), the map, the event's type and body, and a line a row.
type golden struct {
	maria bool
	table *schema.Table
	mapb  []byte
	typ   binlog.EventType
	body  []byte
	rows  []string
}

func (g *golden) write(file string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "mariadb %v\n", g.maria)
	for _, c := range g.table.Columns {
		fmt.Fprintf(&b, "column %q %q %v %q\n", c.Native, c.Charset, c.Nullable, c.Name)
	}
	fmt.Fprintf(&b, "map %x\nevent %d %x\n", g.mapb, g.typ, g.body)
	for _, r := range g.rows {
		fmt.Fprintf(&b, "row %q\n", r)
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func readGolden(t testing.TB, file string) *golden {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	var cols []schema.Column
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && err == nil {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "mariadb":
			g.maria = rest == "true"
		case "column":
			var c schema.Column
			if _, err = fmt.Sscanf(rest, "%q %q %t %q", &c.Native, &c.Charset, &c.Nullable, &c.Name); err == nil {
				c.Type, err = schema.ParseMySQL(c.Native)
				c.Arrow = c.Type.Arrow()
				cols = append(cols, c)
			}
		case "map":
			g.mapb, err = hex.DecodeString(rest)
		case "event":
			typ, body, _ := strings.Cut(rest, " ")
			var n uint64
			n, _ = strconv.ParseUint(typ, 10, 8)
			g.typ = binlog.EventType(n)
			g.body, err = hex.DecodeString(body)
		case "row":
			var row string
			row, err = strconv.Unquote(rest)
			g.rows = append(g.rows, row)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	g.table = schema.New("db", "t", cols, nil)
	return g
}

// decode returns the rows of the event.
func (g *golden) decode() ([]string, error) {
	m, err := binlog.ParseTableMap(g.mapb)
	if err != nil {
		return nil, err
	}
	table, err := schema.Changelog(g.table)
	if err != nil {
		return nil, err
	}
	b, err := batch.NewBuilder(table, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	d, err := binlog.NewDecoder(table, m, b, binlog.Options{ZeroDate: "null", MariaDB: g.maria})
	if err != nil {
		return nil, err
	}
	if _, err := d.Rows(g.typ, g.body, &binlog.Tx{}); err != nil {
		return nil, err
	}
	got := b.Batch()
	defer got.Release()
	return texts(got, len(g.table.Columns)), nil
}

func goldens(t testing.TB) []string {
	files, err := filepath.Glob("testdata/rows/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captured events: %v", err)
	}
	return files
}

// TestGolden decodes events that servers have written.
func TestGolden(t *testing.T) {
	for _, file := range goldens(t) {
		g := readGolden(t, file)
		got, err := g.decode()
		if err != nil || !slices.Equal(got, g.rows) {
			t.Errorf("%s: %v\n got %q\nwant %q", file, err, got, g.rows)
		}
	}
}

// maxGolden is the largest body that goes into testdata, in bytes.
const maxGolden = 6000

// keep writes the largest such event of each table into testdata, if it can be
// decoded without asking a server.
func (s *server) keep(t *testing.T, name string, tables []*schema.Table, events []event) {
	maps, best := map[uint64][]byte{}, map[string]int{}
	for _, e := range events {
		id := binlog.TableID(e.body)
		if !e.isRows() {
			maps[id] = e.body
			continue
		}
		m, err := binlog.ParseTableMap(maps[id])
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(tables, func(c *schema.Table) bool { return c.Name == m.Name })
		if i < 0 || len(e.body) > maxGolden || strings.HasSuffix(m.Name, "_key") {
			continue
		}
		g := &golden{maria: s.maria, table: tables[i], mapb: maps[id], typ: e.typ, body: e.body}
		if g.rows, err = g.decode(); err != nil || best[m.Name] > len(e.body) {
			continue
		}
		best[m.Name] = len(e.body)
		server := "mysql"
		if s.maria {
			server = "mariadb"
		}
		if err := g.write(fmt.Sprintf("testdata/rows/%s-%s-%s.txt", server, name, m.Name)); err != nil {
			t.Fatal(err)
		}
	}
}

// goldenCases are the cases of which testdata has events.
var goldenCases = []string{"integers", "decimals", "dates", "dates-of-no-calendar", "times", "timestamps", "datetimes", "bits", "years", "floats", "enums", "json", "mariadb-types", "geometry", "vectors", "binaries"}
