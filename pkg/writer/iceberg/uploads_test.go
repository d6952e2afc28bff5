package iceberg

import (
	"context"
	"errors"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/writer"
)

// slowFile is one of a store that takes its time.
type slowFile struct {
	stagedFile
	started chan<- bool
	goOn    <-chan bool
}

func (f slowFile) Close() error {
	f.started <- true
	<-f.goOn
	return f.stagedFile.Close()
}

// Who writes faster than the store takes waits for it, and no longer than they want to.
func TestUploadsAreBounded(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{TargetFileSize: 1, Parallel: 3})
	const most, files = 3 + 16, 60
	w := openTable(t, s, accounts("t"), writer.Create)
	other := openTable(t, s, accounts("u"), writer.Create) // they are the sink's together
	started, goOn := make(chan bool, 2*files), make(chan bool)
	fill := func(ctx context.Context) (err error) {
		for i := range files {
			w := []*Writer{w, other}[i%2]
			f, err := w.take(t.Context(), 0)
			if err != nil {
				return err
			}
			if err := f.write(t.Context(), rows(w.src, i, i+1)); err != nil {
				return err
			}
			f.out = slowFile{f.out, started, goOn}
			w.give(ctx, f, nil)
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- fill(ctx) }()
	for range most {
		<-started
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the writer was waiting", err)
	}
	close(goOn)
	must(t, errors.Join(w.Close(), other.Close()))
	if n := len(started); n > 0 {
		t.Errorf("%d files were under way, want %d", most+n, most)
	}
	// Once the store takes them, all get there.
	w, other = openTable(t, s, accounts("t"), writer.Create), openTable(t, s, accounts("u"), writer.Create)
	must(t, fill(t.Context()))
	for _, w := range []*Writer{w, other} {
		must(t, w.Commit(t.Context(), "p"))
		if n := len(ids(t, s, w.src.Name)); n != files/2 {
			t.Errorf("%s has %d rows", w.src.Name, n)
		}
		must(t, w.Close())
	}
}
