package files

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestSuite runs what every sink must show, for each format, and reads what is written with
// DuckDB.
func TestSuite(t *testing.T) {
	rd := newReader(t)
	for _, o := range []Options{
		{Format: Parquet}, {Format: CSV}, {Format: TSV, Compression: "gzip"}, {Format: JSONL, Compression: "zstd"},
	} {
		t.Run(string(o.Format), func(t *testing.T) {
			t.Parallel()
			writertest.Run(t, func(t *testing.T) writertest.Harness { return localHarness(t, rd, o) })
		})
	}
}

// localHarness is a folder.
func localHarness(t *testing.T, rd *reader, o Options) writertest.Harness {
	root := t.TempDir()
	var loss loss
	return writertest.Harness{
		Open: func(*testing.T) writer.Sink { return smallSink(losing{folders{local{root}}, &loss}, o) },
		Rows: func(t *testing.T, table *schema.Table) []arrow.RecordBatch {
			got := rd.rows(t, filepath.Join(root, filepath.FromSlash(new(Sink).folder(table)), manifestFile))
			scannedAlike(t, newSink(folders{local{root}}, "", Options{Look: true}), table, got)
			return got
		},
		LoseReply: func(*testing.T) { loss.next() },
	}
}

// smallSink has files and buffers so small that some thousand rows fill several.
func smallSink(st store, o Options) *Sink {
	o.TargetFileSize, o.Memory = 100_000, 1<<20
	return newSink(st, "", o)
}

// A loss is of the reply to the next commit.
type loss struct {
	mu  sync.Mutex
	due bool
}

func (l *loss) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = true
}

func (l *loss) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := l.due
	l.due = false
	return due
}

// A losing store puts a manifest in place, and does not say so once.
type losing struct {
	store
	loss *loss
}

func (s losing) replace(ctx context.Context, via, path string, data []byte) error {
	err := s.store.replace(ctx, via, path, data)
	if err == nil && strings.HasSuffix(path, manifestFile) && s.loss.take() {
		return errors.New("the reply is lost")
	}
	return err
}

// A reader is a script of testdata, running.
type reader struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Scanner
}

func newReader(t *testing.T) *reader { return newReaderOf(t, "testdata/read.py") }

func newReaderOf(t *testing.T, script string) *reader {
	t.Helper()
	cmd := exec.Command(services.Env(t, "TABLEHAUL_TEST_PYTHON"), script)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &reader{in: in, out: bufio.NewScanner(out)}
}

// rows reads the table that a manifest is of; one that is not there has none.
func (r *reader) rows(t *testing.T, manifest string) []arrow.RecordBatch {
	t.Helper()
	if _, err := os.Stat(manifest); err != nil {
		return nil
	}
	return r.ask(t, manifest)
}

// ask reads the table, as the script takes what else is said.
func (r *reader) ask(t *testing.T, manifest string, how ...string) []arrow.RecordBatch {
	t.Helper()
	answer := filepath.Join(t.TempDir(), "rows.arrow")
	request, err := json.Marshal(append([]string{manifest, answer}, how...))
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.in.Write(append(request, '\n')); err != nil {
		t.Fatal(err)
	}
	if !r.out.Scan() || r.out.Text() != "ok" {
		t.Fatalf("read %s: %s", manifest, r.out.Text())
	}
	f, err := os.Open(answer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rd, err := ipc.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []arrow.RecordBatch
	for rd.Next() {
		rec := rd.RecordBatch()
		rec.Retain()
		all = append(all, rec)
	}
	if err := rd.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
