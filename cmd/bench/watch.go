package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A lakeWatch notes when a table's position moves: up to which transaction
// readers of the lake see, and since when.
type lakeWatch struct {
	folder string
	stop   chan struct{}
	done   sync.WaitGroup
	mu     sync.Mutex
	seen   []marker
	err    error // the last that came up
}

// watchEvery bounds the error of a lag. What is read each time is a few bytes,
// unless the table has changed.
const watchEvery = 20 * time.Millisecond

// watchLake watches a table's folder. number reads from its metadata how far it has come.
func watchLake(folder string, number func(path string) (int64, error)) *lakeWatch {
	w := &lakeWatch{folder: folder, stop: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		hint := ""
		for {
			select {
			case <-tick.C:
			case <-w.stop:
				return
			}
			// The hint is what DuckDB goes by; it is written after the commit.
			text, err := os.ReadFile(filepath.Join(folder, "metadata", "version-hint.text"))
			if err != nil || string(text) == hint {
				continue
			}
			at := time.Now()
			reached, err := number(filepath.Join(folder, "metadata", "v"+strings.TrimSpace(string(text))+".metadata.json"))
			w.mu.Lock()
			if w.err = err; err == nil {
				hint = string(text)
				w.seen = append(w.seen, marker{Number: reached, At: at})
			}
			w.mu.Unlock()
		}
	})
	return w
}

// committed reads from a table's metadata up to which transaction it goes.
func committed(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var metadata struct {
		Properties map[string]string `json:"properties"`
	}
	if err := json.Unmarshal(text, &metadata); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	var position struct {
		GTID string `json:"gtid"`
	}
	if err := json.Unmarshal([]byte(metadata.Properties["tablehaul.position"]), &position); err != nil {
		return 0, fmt.Errorf("position in %s: %w", path, err)
	}
	return lastNumber(position.GTID)
}

// waitFor waits until a transaction is in sight.
func (w *lakeWatch) waitFor(ctx context.Context, number int64, longest time.Duration, ended chan error) error {
	for end := time.After(longest); ; {
		w.mu.Lock()
		last, cause := marker{}, w.err
		if len(w.seen) > 0 {
			last = w.seen[len(w.seen)-1]
		}
		w.mu.Unlock()
		if last.Number >= number {
			return nil
		}
		select {
		case <-time.After(watchEvery):
		case err := <-ended:
			ended <- err
			return errEarly
		case <-end:
			return errors.Join(fmt.Errorf("after %s the lake goes to transaction %d, not to %d", longest, last.Number, number), cause)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end stops watching and returns what was seen.
func (w *lakeWatch) end() []marker {
	close(w.stop)
	w.done.Wait()
	return w.seen
}
