// Package files writes tables as plain files, on a local disk, HDFS or S3: Parquet, CSV, TSV
// or JSON lines in a folder a table, which Hive, Spark, Impala, DuckDB or a script reads.
//
// The folder of table t of database d is ROOT/d/t. In it, g1 and so on are the generations
// of its content, of which the manifest _tablehaul/manifest.json names the current one, its
// files, and the position that they are of. docs/files.md describes all of it for readers.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/naming"
	"github.com/tablehaul/tablehaul/pkg/writer/runs"
)

// Options tune a Sink. The zero value is ready for use.
type Options struct {
	// Format and Compression are of tables that are made, or whose content is exchanged;
	// that of others has to be the same, where it is given. The defaults are Parquet with
	// zstd, and text that is not compressed.
	Format      Format
	Compression string
	Header      bool // a first line of CSV and TSV with the columns' names
	// Partition says into which folders the rows of a table go that is made, as in
	// ParseFolders. It may be nil.
	Partition func(*schema.Table) string

	// SpillBytes is how much of staged files may be kept in temporary files of this machine,
	// where the store does not let them be read. The default is 16 GiB.
	SpillBytes     int64
	TargetFileSize int64 // a file ends at about so many bytes; the default is 256 MiB
	Memory         int64 // all open files may hold back so much; the default is 256 MiB
	BlockSize      int64 // of files in HDFS; 0 is the client's own setting, or the server's
	Replication    int   // likewise

	// Step, if set, is called with the name of each step of a commit: "rows written",
	// "commit sent" (it is about to be), "commit landed", "published", "tidied"; and with
	// "dead run discarded" where something of one is found. For tests that kill the process.
	Step func(name string)
	Warn func(msg string)
	// Look opens the sink only to be looked at, Existing only if there is something there.
	Look, Existing bool
}

// A Sink is an opened store. It is safe for concurrent use.
type Sink struct {
	opts  Options
	store store
	db    string // folder of all tables; "" is that of each table's own database
	run   string // names this run among all
	clock func() time.Time

	buffered atomic.Int64 // what all open files hold back, in bytes
	stages   atomic.Int64 // names given out

	mu   sync.Mutex
	held map[stage]bool // whose owner is this run
	// cleared is, of each table's folder, the last commit whose removed files are gone for sure.
	cleared map[string]int64
	ended   chan struct{} // closed by Close; nil until something is held
	alive   sync.WaitGroup
}

var (
	_ writer.Sink   = (*Sink)(nil)
	_ writer.Lister = (*Sink)(nil)
)

// Open opens the store that the URL names:
//
//	file:FOLDER                            a folder of this machine
//	hdfs://HOST:PORT/PATH                  a NameNode, or a nameservice of HADOOP_CONF_DIR
//	s3://BUCKET/PREFIX?endpoint=…&region=… an object store
//
// With ?namespace=NAME all tables go to one folder, in place of those of their databases.
func Open(ctx context.Context, url string, opts Options) (*Sink, error) {
	u, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	st, err := u.open(ctx, opts)
	if err != nil {
		return nil, err
	}
	s := newSink(st, u.namespace, opts)
	if opts.Existing {
		if err := s.there(ctx); err != nil {
			return nil, errors.Join(err, st.close())
		}
	}
	return s, nil
}

// there looks whether anything was ever written here.
func (s *Sink) there(ctx context.Context) error {
	dir := ""
	if s.db != "" {
		dir = naming.Folder(s.db)
	}
	err := s.store.there(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return hint.Wrap(fmt.Errorf("there is nothing at %s: %w", s.store.url(dir), err), "check the spelling; snapshot, tail and dump make what they write to")
	}
	return err
}

func newSink(st store, db string, opts Options) *Sink {
	if opts.TargetFileSize <= 0 {
		opts.TargetFileSize = 256 << 20
	}
	if opts.Memory <= 0 {
		opts.Memory = 256 << 20
	}
	if opts.SpillBytes <= 0 {
		opts.SpillBytes = 16 << 30
	}
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	if opts.Step == nil {
		opts.Step = func(string) {}
	}
	if opts.Partition == nil {
		opts.Partition = func(*schema.Table) string { return "" }
	}
	id := uuid.New()
	return &Sink{opts: opts, store: st, db: db, run: fmt.Sprintf("%x", id[:6]), clock: time.Now, held: map[stage]bool{}, cleared: map[string]int64{}}
}

// folder is where a table lies.
func (s *Sink) folder(t *schema.Table) string { return s.folderNamed(t.DB, t.Name) }

// Open readies the folder of t.
func (s *Sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	w, err := s.open(ctx, t, mode)
	if err != nil {
		return nil, err // not a *Writer that is nil
	}
	return w, nil
}

func (s *Sink) open(ctx context.Context, t *schema.Table, mode writer.Mode) (*Writer, error) {
	w := &Writer{sink: s, src: t, dir: s.folder(t)}
	w.mode, w.once = mode.Once()
	if err := w.look(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", s.store.url(w.dir), err)
	}
	if err := s.tidy(ctx, w.dir); err != nil {
		return nil, fmt.Errorf("remove what earlier runs have left in %s: %w", s.store.url(w.dir), err)
	}
	if err := w.admit(ctx); err != nil {
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	if n := len(w.known.Files); n > manyNamed && w.follows() {
		s.opts.Warn(fmt.Sprintf("%s has %d files, which each commit names anew; a longer --commit-interval makes fewer and larger ones", w.place(), n))
	}
	return w, nil
}

// manyNamed is of how many files of a table there is a warning: its manifest is some megabytes
// long then, and written twice with each commit.
const manyNamed = 20_000

// stage returns a new one of a table.
func (s *Sink) stage(dir string, again bool) stage {
	return stage{dir, fmt.Sprintf("%s%04d", s.run, s.stages.Add(1)), again}
}

// A stage that has said nothing for so long is taken for that of a dead run, if the run is
// not one of this machine.
const (
	aliveEvery = time.Minute
	deadAfter  = 15 * time.Minute
)

// hold makes a new stage this run's, and says so again and again while it lasts.
func (s *Sink) hold(ctx context.Context, at stage) error {
	if err := s.store.hold(ctx, at, runs.Self()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[at] = true
	if s.ended != nil {
		return nil
	}
	ended := make(chan struct{}) // the field may be nil before the goroutine looks
	s.ended = ended
	s.alive.Go(func() {
		tick := time.NewTicker(aliveEvery)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				s.stayAlive()
			}
		}
	})
	return nil
}

// stayAlive renews what hold has said. Who cannot does not matter yet: the commit fails if
// the stage is gone by then.
func (s *Sink) stayAlive() {
	s.mu.Lock()
	held := slices.Collect(maps.Keys(s.held))
	s.mu.Unlock()
	for _, at := range held {
		ctx, cancel := context.WithTimeout(context.Background(), aliveEvery/2)
		_ = s.store.renew(ctx, at, runs.Self())
		cancel()
	}
}

// letGo forgets a stage that was claimed or discarded.
func (s *Sink) letGo(at stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, at)
}

// tidy removes what dead runs have staged in a table and not committed.
func (s *Sink) tidy(ctx context.Context, dir string) error {
	if s.opts.Look {
		return nil
	}
	found, err := s.store.stages(ctx, dir)
	if err != nil {
		return err
	}
	for _, st := range found {
		if !dead(st) {
			continue
		}
		if err := s.store.discard(ctx, stage{table: dir, name: st.name}); err != nil {
			return err
		}
		s.opts.Step("dead run discarded")
	}
	return nil
}

// dead reports whether the stage is nobody's any more. Of a process of this machine that is
// known; another one's has to be silent for long.
func dead(st stageInfo) bool {
	switch {
	case strings.HasPrefix(st.name, gone), string(st.owner) == gone:
		return true
	case len(st.owner) == 0: // killed before it could say whose it is
		return st.idle >= aliveEvery
	case runs.Here(st.owner):
		return runs.Ended(st.owner)
	}
	return st.idle >= deadAfter
}

// Close ends the sink. Its writers are closed before.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.ended != nil {
		close(s.ended)
		s.ended = nil
	}
	s.mu.Unlock()
	s.alive.Wait()
	return s.store.close()
}

// errForeign is hinted at where a folder holds what nobody knows of.
func errForeign(where string) error {
	return hint.Wrap(fmt.Errorf("folder %s holds files that are not Tablehaul's", where),
		"name another folder, or empty this one; rows are not added to files of others")
}
