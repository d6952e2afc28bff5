package mysql

import (
	"io"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// The history that MariaDB keeps of a table whose period has columns of its own
// is no part of what the table holds.
func TestLogDeclaredPeriod(t *testing.T) {
	s := newTestServer(t, services.Env(t, "TABLEHAUL_TEST_MARIADB"))
	s.must(t, `CREATE TABLE v (id INT PRIMARY KEY, n INT,
		begun TIMESTAMP(6) GENERATED ALWAYS AS ROW START, ended TIMESTAMP(6) GENERATED ALWAYS AS ROW END,
		PERIOD FOR SYSTEM_TIME (begun, ended)) WITH SYSTEM VERSIONING`)
	st := s.open(t, Options{})
	defer st.Close()
	tables, err := st.Tables(t.Context(), reader.Selection{})
	if err != nil || len(tables) != 1 {
		t.Fatalf("got %d tables, %v", len(tables), err)
	}
	start, err := st.Locate(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, "INSERT INTO v (id, n) VALUES (1, 1), (2, 2)", "UPDATE v SET n = 10 WHERE id = 1", "DELETE FROM v WHERE id = 2")
	end, err := st.Locate(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	r, err := st.Changes(t.Context(), map[*schema.Table]batch.Position{tables[0]: start}, end)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	names := []string{"insert", "before", "after", "delete"}
	for {
		b, err := r.Read(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Rows != nil {
			for i := range int(b.Rows.NumRows()) {
				op := batch.Insert
				if b.Ops != nil {
					op = b.Ops[i]
				}
				got = append(got, names[op]+" "+b.Rows.Column(0).ValueStr(i))
			}
		}
		b.Release()
	}
	if want := "insert 1, insert 2, after 1, delete 2"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
}
