package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A fakeSource is a source whose URL says how it behaves:
//
//	fake://user@host/shop?tables=orders:1000,items:5&broken=items&hang=orders&pause=1ms
//
// tables have so many rows each, broken ones (* all) cannot be read, hang means
// one that yields a batch and then no more until the run is cancelled, deaf one
// that does not even notice that, dies that reading it ends the whole run, and
// pause is the time that each batch of 100 rows takes. mute is a server
// that does not answer, whatever the context is ended for being the error. changes is how many rows
// each table gets in the log, one transaction each, before the log stands still;
// cuts how often reading the log breaks off before it does so no more; keyless
// tables (* all) have no key; purged says that the log has lost what it had, and
// alters names a table that the log cannot follow.
type fakeSource struct {
	reader.Stock
	db           string
	q            url.Values
	broken, dies string
	hangs, deaf  string
	pause        time.Duration
	changes      int64
	cuts         int
}

func openFakeSource(ctx context.Context, s string, o storeOptions) (source, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	if q.Has("refuse") {
		// As careless a message as any library's.
		return nil, hint.Wrap(fmt.Errorf("access denied to %s", s), "check TABLEHAUL_PASSWORD")
	}
	if q.Has("mute") {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	if q.Has("warn") {
		o.warn(q.Get("warn"))
	}
	pause, _ := time.ParseDuration(q.Get("pause"))
	f := &fakeSource{db: strings.Trim(u.Path, "/"), q: q, broken: q.Get("broken"), hangs: q.Get("hang"), dies: q.Get("dies"), deaf: q.Get("deaf"), pause: pause}
	f.changes, _ = strconv.ParseInt(q.Get("changes"), 10, 64)
	f.cuts, _ = strconv.Atoi(q.Get("cuts"))
	return f, nil
}

func (f *fakeSource) DB() string   { return f.db }
func (f *fakeSource) Close() error { return nil }

func (f *fakeSource) Owns(pos batch.Position) error {
	if !strings.HasPrefix(string(pos), "fake:") {
		return errors.New("it is another's")
	}
	return nil
}

func (f *fakeSource) Tables(_ context.Context, sel reader.Selection) ([]*schema.Table, error) {
	m, err := sel.Matcher()
	if err != nil {
		return nil, err
	}
	var out []*schema.Table
	for _, spec := range strings.Split(f.q.Get("tables"), ",") {
		name, rows, _ := strings.Cut(spec, ":")
		if name == "" || !m.Match(f.db, name) {
			continue
		}
		key := []int{0}
		if k := f.q.Get("keyless"); k == "*" || k == name {
			key = nil
		}
		t := schema.New(f.db, name, []schema.Column{{Name: "id", Arrow: arrow.PrimitiveTypes.Int64}}, key)
		t.Rows, _ = strconv.ParseInt(rows, 10, 64)
		out = append(out, t)
	}
	if u := m.Unused(); len(u) > 0 {
		return nil, hint.Wrap(fmt.Errorf("no table matches %s", strings.Join(u, ", ")), "check the spelling")
	}
	return out, nil
}

func (f *fakeSource) Pin(context.Context, []*schema.Table, int) (reader.Snapshot, error) {
	return fakeSnapshot{f}, nil
}

type fakeSnapshot struct{ *fakeSource }

func (fakeSnapshot) Close() error             { return nil }
func (fakeSnapshot) Position() batch.Position { return "fake:7" }

func (fakeSnapshot) Splits(_ context.Context, t *schema.Table) ([]reader.Split, error) {
	return []reader.Split{{Table: t, Rows: t.Rows}}, nil
}

func (f fakeSnapshot) Open(_ context.Context, s reader.Split) (reader.Reader, error) {
	if s.Table.Name == f.dies {
		return nil, errors.New("the server is gone")
	}
	if f.broken == "*" || s.Table.Name == f.broken {
		err := hint.Wrap(errors.New("column \"d\" holds 0000-00-00"), "--zero-date null")
		return nil, &schema.TableError{Table: s.Table.String(), Err: err}
	}
	return &fakeReader{fakeSource: f.fakeSource, s: s}, nil
}

type fakeReader struct {
	*fakeSource
	s    reader.Split
	done int64
}

func (r *fakeReader) Read(ctx context.Context) (*batch.Batch, error) {
	n := min(100, r.s.Rows-r.done)
	if n == 0 {
		return nil, io.EOF
	}
	if r.s.Table.Name == r.hangs && r.done > 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if r.s.Table.Name == r.deaf && r.done > 0 {
		time.Sleep(time.Minute)
	}
	time.Sleep(r.pause)
	b := array.NewInt64Builder(memory.DefaultAllocator)
	for range n {
		b.Append(r.done)
	}
	r.done += n
	rows := array.NewRecordBatch(r.s.Table.Arrow, []arrow.Array{b.NewArray()}, n)
	return &batch.Batch{Table: r.s.Table, Rows: rows, Bytes: int(n * 8)}, nil
}

// A fakeSink is a folder with one file a table: folder:DIR. ?readonly refuses
// to open tables, ?full to take rows.
type fakeSink struct {
	dir  string
	q    url.Values
	step func(string)
}

func openFakeSink(_ context.Context, s string, o storeOptions) (writer.Sink, error) {
	dir, query, _ := strings.Cut(strings.TrimPrefix(s, "folder:"), "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil && o.existing {
		return nil, err
	}
	if o.look {
		return fakeSink{dir, q, o.step}, nil
	}
	return fakeSink{dir, q, o.step}, os.MkdirAll(dir, 0o755)
}

func (fakeSink) Close() error { return nil }

func (s fakeSink) Open(_ context.Context, t *schema.Table, _ writer.Mode) (writer.Writer, error) {
	if s.q.Has("readonly") {
		return nil, hint.Wrap(os.ErrPermission, "give the user the right to write %s", s.dir)
	}
	return &fakeWriter{fakeSink: s, file: filepath.Join(s.dir, t.String())}, nil
}

type fakeWriter struct {
	fakeSink
	file string
}

func (w *fakeWriter) Position(context.Context) (batch.Position, error) {
	b, err := os.ReadFile(w.file)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return batch.Position(b), err
}

func (w *fakeWriter) Write(context.Context, *batch.Batch) error {
	if w.q.Has("full") {
		return errors.New("no space left on device")
	}
	return os.WriteFile(w.file+".staged", nil, 0o644)
}

func (w *fakeWriter) Commit(_ context.Context, pos batch.Position) error {
	if w.step != nil {
		w.step("commit sent")
	}
	return os.WriteFile(w.file, []byte(pos), 0o644)
}

func (w *fakeWriter) Close() error {
	os.Remove(w.file + ".staged")
	return nil
}
