package readertest

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// soon is how long something is given that should not happen, and late how long
// something that should.
const (
	soon = 50 * time.Millisecond
	late = 20 * time.Second
)

// openWaits asks for a second reader where one was pinned.
func (k *kit) openWaits() {
	tables := k.list("numbers", "texts")
	snap := k.pin(tables, 1)
	defer k.close(snap)
	first, second := k.splits(snap, tables[0])[0], k.splits(snap, tables[1])[0]
	a, err := snap.Open(k.Context(), first)
	if err != nil {
		k.Fatalf("open: %v", err)
	}

	// Whoever gives up waiting is let go, and takes no place with it.
	ctx, cancel := context.WithTimeout(k.Context(), soon)
	defer cancel()
	if _, err := snap.Open(ctx, second); !errors.Is(err, context.DeadlineExceeded) {
		k.Errorf("open while all readers are busy: got %v, want %v", err, context.DeadlineExceeded)
	}

	rows := make(chan []batchtest.Row, 1)
	go func() {
		got, err := k.read(snap, second)
		if err != nil {
			k.Errorf("read after waiting: %v", err)
		}
		rows <- got
	}()
	select {
	case <-rows:
		k.Error("a second reader was let in beside the only one pinned")
	case <-time.After(soon):
	}
	k.close(a)
	select {
	case got := <-rows:
		if len(got) == 0 {
			k.Error("got no rows after waiting")
		}
	case <-time.After(late):
		k.Fatal("a closed reader's place was not freed")
	}
}

// closedEarly gives readers up in the middle, whose place must then be as good
// as new: nothing of the rows that were under way may turn up in the next one.
func (k *kit) closedEarly() {
	tables := k.list("numbers", "wide")
	snap := k.pin(tables, 1)
	defer k.close(snap)
	for _, t := range tables {
		splits := k.splits(snap, t)
		for _, reads := range []int{0, 1} {
			r, err := k.open(snap, splits[0])
			if err != nil {
				k.Fatalf("open: %v", err)
			}
			for range reads {
				if _, err := k.next(r, splits[0]); err != nil {
					k.Fatalf("read: %v", err)
				}
			}
			k.close(r)
		}
	}
	for _, t := range tables {
		if d := batchtest.DiffOrdered(k.readAll(snap, t), k.table(t.Name).Rows); d != "" {
			k.Errorf("%s after readers were closed early: %s", t, d)
		}
	}
}

// cancelled wants every call to say so when its context is over, and none to
// take that for the end of the rows. What a cancelled call leaves behind need
// only be fit to be closed, so each has a source of its own.
func (k *kit) cancelled() {
	over, cancel := context.WithCancel(k.Context())
	cancel()
	tables := k.list("numbers")
	var (
		stock reader.Stock
		snap  reader.Snapshot
		split reader.Split
		r     reader.Reader
	)
	for _, call := range []struct {
		name string
		run  func() (any, error)
	}{
		{"Tables", func() (any, error) { return stock.Tables(over, reader.Selection{DB: DB}) }},
		{"Pin", func() (any, error) { return stock.Pin(over, tables, 2) }},
		{"Splits", func() (any, error) { return snap.Splits(over, tables[0]) }},
		{"Open", func() (any, error) { return snap.Open(over, split) }},
		{"Read", func() (any, error) { return r.Read(over) }},
	} {
		var err error
		stock = k.h.Open(k.T, k.alloc)
		if snap, err = stock.Pin(k.Context(), tables, 2); err != nil {
			k.Fatalf("pin: %v", err)
		}
		split = k.splits(snap, tables[0])[0]
		if r, err = k.open(snap, split); err != nil {
			k.Fatalf("open: %v", err)
		}
		if _, err := k.next(r, split); err != nil {
			k.Fatalf("read: %v", err)
		}
		if _, err := call.run(); !errors.Is(err, context.Canceled) {
			k.Errorf("%s with a cancelled context: got %v, want %v", call.name, err, context.Canceled)
		}
		k.close(r)
		k.close(snap)
		k.close(stock)
	}
}

// closeFrees opens and closes all kinds of things, in the order of an early end
// too, and wants the program as it was.
func (k *kit) closeFrees() {
	tables := k.list("numbers")
	before := runtime.NumGoroutine()
	for i := range 20 {
		s := k.h.Open(k.T, k.alloc)
		snap, err := s.Pin(k.Context(), tables, 3)
		if err != nil {
			k.Fatalf("pin for the %d. time: %v", i+1, err)
		}
		r, err := k.open(snap, k.splits(snap, tables[0])[0])
		if err != nil {
			k.Fatalf("open: %v", err)
		}
		b, err := r.Read(k.Context())
		if err != nil {
			k.Fatalf("read: %v", err)
		}
		k.close(r)
		k.close(snap)
		k.close(s)
		b.Release() // a batch outlives its reader
	}
	for end := time.Now().Add(late); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			k.Fatalf("got %d goroutines after everything is closed, want %d", runtime.NumGoroutine(), before)
		}
	}
}
