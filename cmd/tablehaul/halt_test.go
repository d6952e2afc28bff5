package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// haltVar has the program halt while it reads a MySQL source, so that a test can do
// something in the midst of a run: "FOLDER pin TABLE:N open TABLE:N read TABLE:N …" halts it
// before it pins tables of which this one is the first for the N-th time, opens a table's
// N-th split of the run, or reads its N-th batch. It makes the file
// TABLE in the folder, and goes on once the file "go" is there, or "go-TABLE" for that alone.
const haltVar = "TABLEHAUL_TEST_HALT"

// A halter halts.
type halter struct {
	folder string
	mu     sync.Mutex
	left   map[string]int // "open TABLE" → how many are to come
}

func newHalter(spec string) *halter {
	words := strings.Fields(spec)
	h := &halter{folder: words[0], left: make(map[string]int)}
	for i := 1; i < len(words); i += 2 {
		table, n, _ := strings.Cut(words[i+1], ":")
		h.left[words[i]+" "+table], _ = strconv.Atoi(n)
	}
	return h
}

func (h *halter) at(ctx context.Context, step string, t *schema.Table) error {
	h.mu.Lock()
	h.left[step+" "+t.Name]--
	halt := h.left[step+" "+t.Name] == 0
	h.mu.Unlock()
	if !halt {
		return nil
	}
	if err := os.WriteFile(h.folder+"/"+t.Name, nil, 0o600); err != nil {
		return err
	}
	for {
		for _, sign := range []string{"go", "go-" + t.Name} {
			if _, err := os.Stat(h.folder + "/" + sign); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A haltingSource is a MySQL source that halts.
type haltingSource struct {
	*mysql.Stock
	*halter
}

func openHalting(ctx context.Context, url string, o storeOptions) (source, error) {
	src, err := openMySQL(ctx, url, o)
	if err != nil {
		return nil, err
	}
	return haltingSource{src.(*mysql.Stock), newHalter(os.Getenv(haltVar))}, nil
}

func (s haltingSource) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	if err := s.at(ctx, "pin", tables[0]); err != nil {
		return nil, err
	}
	snap, err := s.Stock.Pin(ctx, tables, parallel)
	if err != nil {
		return nil, err
	}
	return haltingSnapshot{snap, s.halter}, nil
}

type haltingSnapshot struct {
	reader.Snapshot
	*halter
}

func (s haltingSnapshot) Loose() bool { return s.Snapshot.(reader.Loose).Loose() }

func (s haltingSnapshot) Open(ctx context.Context, sp reader.Split) (reader.Reader, error) {
	if err := s.at(ctx, "open", sp.Table); err != nil {
		return nil, err
	}
	rd, err := s.Snapshot.Open(ctx, sp)
	if err != nil {
		return nil, err
	}
	return haltingReader{rd, s.halter, sp.Table}, nil
}

type haltingReader struct {
	reader.Reader
	*halter
	table *schema.Table
}

func (r haltingReader) Read(ctx context.Context) (*batch.Batch, error) {
	if err := r.at(ctx, "read", r.table); err != nil {
		return nil, err
	}
	return r.Reader.Read(ctx)
}
