package iceberg

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// logLayouts are what logs are partitioned by: times, each with the column that readers
// leave partitions out by.
var logLayouts = []struct{ partition, column string }{
	{"day(ts)", "ts"},
	{"hour(ts)", "ts"},
	{"month(local)", "local"},
	{"day(day), bucket(2,name)", "day"},
	{"day(received)", "received"},
}

// A logTable is a Target of one table.
type logTable struct{ into *message.Changes }

func (l *logTable) Rows(t *schema.Table) (*message.Rows, error) {
	var err error
	if l.into, err = message.NewChanges(t, memory.DefaultAllocator); err != nil {
		return nil, err
	}
	return message.NewRows(t, l.into)
}

func (l *logTable) Emptied(string, string, message.Change) error { return nil }

// logLake appends lines in JSON to a table of each layout, in several commits, and returns
// a folder of Arrow files with what is there then.
func logLake(t *testing.T, lake string) (want string) {
	t.Helper()
	s := openSink(t, "iceberg:"+lake, Options{Memory: 32 << 10, TargetFileSize: 1 << 20, SpillDir: t.TempDir()})
	want = t.TempDir()
	names := make(map[string][]string)
	for i, l := range logLayouts {
		name := fmt.Sprintf("t%d", i)
		names[name] = []string{l.column}
		s.opts.Layout = func(*schema.Table) Layout { return Layout{Partition: l.partition, FormatVersion: 2 + i%2} }
		columns, err := message.ParseLogSchema("id long\nts timestamptz\nlocal timestamp\nday date\nreceived timestamptz(ms) meta.ms\nname string\nrest json *")
		must(t, err)
		to := &logTable{}
		r, err := message.NewLogReader(message.LogOptions{Format: "json", DB: "shop", Table: name, Columns: columns}, to)
		must(t, err)
		var rows []batchtest.Row
		var w *Writer
		for commit := range 3 {
			for range 100 {
				line, row := logLine(len(rows))
				must(t, r.Decode(nil, []byte(line)))
				rows = append(rows, row)
			}
			if w == nil {
				w = openTable(t, s, to.into.Table, writer.Follow)
			}
			write(t, w, to.into.Batch())
			must(t, w.Commit(t.Context(), batch.Position(fmt.Sprint("p", commit))))
		}
		must(t, w.Close())
		f, err := os.Create(filepath.Join(want, name))
		must(t, err)
		fw, err := ipc.NewFileWriter(f, ipc.WithSchema(to.into.Table.Arrow))
		must(t, err)
		must(t, fw.Write(batchtest.Build(memory.DefaultAllocator, to.into.Table, rows).Rows))
		must(t, fw.Close())
		must(t, f.Close())
	}
	text, err := json.Marshal(names)
	must(t, err)
	must(t, os.WriteFile(want+".json", text, 0o600))
	return want
}

// logLine is a line, and the row that it stands for. The times are of three days, some of
// them around midnight.
func logLine(id int) (string, batchtest.Row) {
	at := time.Date(2026, 2, 27, 23, 59, 59, 999_000_000, time.UTC).Add(time.Duration(id%3) * 12 * time.Hour).Add(time.Duration(id) * time.Millisecond)
	if id%10 == 7 {
		return fmt.Sprintf(`{"id":%d,"name":null}`, id), batchtest.Row{id, nil, nil, nil, nil, nil, nil}
	}
	zone := time.FixedZone("", (rand.IntN(27)-13)*1800)
	line := fmt.Sprintf(`{"day":"%s","id":%d,"ts":"%s","local":"%s","meta":{"ms":%d},"name":"n%d","n":%d}`, at.Format(time.DateOnly), id,
		at.In(zone).Format(time.RFC3339Nano), at.Format("2006-01-02 15:04:05.000"), at.UnixMilli(), id%5, id)
	text := at.Format("2006-01-02 15:04:05.000000")
	return line, batchtest.Row{id, text + "Z", text, at.Format(time.DateOnly), text + "Z", fmt.Sprintf("n%d", id%5), fmt.Sprintf(`{"n":%d}`, id)}
}

func TestDuckDBSeesLogs(t *testing.T) {
	services.Need(t)
	lake := t.TempDir()
	want := logLake(t, lake)
	if got := python(t, filteredByDuckDB, lake, want); len(got.([]any)) > 0 {
		t.Error(got)
	}
	files, err := filepath.Glob(filepath.Join(lake, "shop", "t0", "data", "*.parquet"))
	must(t, err)
	if len(files) < 3*3 { // of each commit one a day
		t.Errorf("%d files: they are not by day", len(files))
	}
}

func TestSparkSeesLogs(t *testing.T) {
	services.Need(t)
	needSpark(t)
	lake := t.TempDir()
	want := logLake(t, lake)
	if got := python(t, filteredBySpark, lake, want); len(got.([]any)) > 0 {
		t.Error(got)
	}
}
