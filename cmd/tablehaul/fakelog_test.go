package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// The log of a fakeSource begins at fake:7 and has a transaction at each number
// behind it, as many as there are changes.
const fakeStart = 7

func (f *fakeSource) at(pos batch.Position) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(string(pos), "fake:"), 10, 64)
	return n
}

func fakePos(n int64) batch.Position { return batch.Position(fmt.Sprintf("fake:%d", n)) }

func (f *fakeSource) Locate(_ context.Context, where string) (batch.Position, error) {
	switch where {
	case "now":
		return fakePos(fakeStart + f.changes), nil
	case "earliest":
		return fakePos(fakeStart), nil
	}
	return "", hint.Wrap(errors.New("no such place in the log"), "look at its ends")
}

// Loosen leaves positions as they are: rows of fake sources show all of them.
func (f *fakeSource) Loosen(pos batch.Position) (batch.Position, error) { return pos, nil }

func (f *fakeSource) Unlogged(context.Context, []*schema.Table) (map[*schema.Table]error, error) {
	return nil, nil
}

func (f *fakeSource) Headroom(_ context.Context, pos batch.Position) (reader.Headroom, error) {
	n, end := f.at(pos), fakeStart+f.changes
	if f.q.Has("deadlog") {
		return reader.Headroom{}, errors.New("may not read the log")
	}
	if f.q.Get("odd") == string(pos) {
		return reader.Headroom{}, errors.New("no such place in the log")
	}
	h := reader.Headroom{Gone: f.q.Has("purged") && n < end, AtEnd: n >= end, Ahead: (end - n) * 1000, Before: (n - fakeStart) * 1000, Keep: 72 * time.Hour}
	if !h.AtEnd {
		h.Behind = time.Duration(end-n) * time.Minute
	}
	return h, nil
}

func (f *fakeSource) Changes(_ context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	l := &fakeLog{fakeSource: f, from: map[*schema.Table]int64{}, until: -1, next: fakeStart + f.changes}
	for t, pos := range from {
		l.from[t] = f.at(pos)
		l.next = min(l.next, l.from[t])
		if f.q.Has("purged") && l.from[t] < fakeStart+f.changes {
			return nil, fmt.Errorf("position %s: %w", pos, reader.ErrPurged)
		}
		l.tables = append(l.tables, t)
	}
	if until != "" {
		l.until = f.at(until)
	}
	return l, nil
}

// A fakeLog brings a row for each table with each transaction.
type fakeLog struct {
	*fakeSource
	tables []*schema.Table
	from   map[*schema.Table]int64
	next   int64 // the last transaction that was read
	table  int   // of the one under way
	until  int64
}

func (l *fakeLog) Read(ctx context.Context) (*batch.Batch, error) {
	if l.until >= 0 && l.next >= l.until {
		return nil, io.EOF
	}
	if l.next == fakeStart+l.changes {
		if l.cuts > 0 {
			l.cuts--
			return nil, hint.Transient(errors.New("connection reset"))
		}
		// The log stands still.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
			return &batch.Batch{Pos: fakePos(l.next), Time: time.Now()}, nil
		}
	}
	for l.table < len(l.tables) {
		t := l.tables[l.table]
		l.table++
		if t.Name == l.q.Get("alters") {
			return nil, &schema.TableError{Table: t.String(), Err: hint.Wrap(errors.New("was altered"), "copy it anew")}
		}
		if l.from[t] <= l.next {
			return l.row(t), nil
		}
	}
	time.Sleep(l.pause)
	l.next, l.table = l.next+1, 0
	return &batch.Batch{Pos: fakePos(l.next), Time: time.Now()}, nil
}

func (l *fakeLog) row(t *schema.Table) *batch.Batch {
	columns := make([]arrow.Array, len(t.Columns))
	for i, c := range t.Columns {
		b := array.NewBuilder(memory.DefaultAllocator, c.Arrow)
		b.AppendEmptyValue()
		columns[i] = b.NewArray()
	}
	b := &batch.Batch{Table: t, Rows: array.NewRecordBatch(t.Arrow, columns, 1), Bytes: 8}
	if len(t.Key) > 0 {
		b.Ops = []batch.Op{batch.Insert}
	}
	return b
}

func (l *fakeLog) Close() error { return nil }

// List returns the files of the folder.
func (s fakeSink) List(context.Context) ([]writer.Held, error) {
	files, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []writer.Held
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		pos, err := os.ReadFile(filepath.Join(s.dir, f.Name()))
		if err != nil {
			return nil, err
		}
		info, err := f.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, writer.Held{Name: f.Name(), Source: f.Name(), Position: batch.Position(pos), Committed: info.ModTime(), Rows: -1})
	}
	return out, nil
}
