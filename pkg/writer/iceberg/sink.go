// Package iceberg writes tables into an Iceberg catalog: a lake in one folder, a
// REST catalog, a SQL catalog, or one that .iceberg-go.yaml names.
//
// A table's content and position appear in one commit. Data files are staged
// before it under names of their own; what a dead run has staged is discarded
// by the next one.
package iceberg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/io/gocloud/s3"
	"github.com/apache/iceberg-go/utils"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/parquet"
)

// Options tune a Sink. The zero value is ready for use.
type Options struct {
	// Codec compresses the data files: zstd, zstd:LEVEL, snappy, gzip, lz4 or none.
	// The default is what the table's own properties name, else zstd.
	Codec string
	// TargetFileSize is where a data file ends and the next begins, in bytes; the
	// default is what the table's own properties name, else 256 MiB.
	TargetFileSize int64
	// Layout, if set, says how a table is to be laid out that does not exist yet.
	// One that exists keeps its own layout, and Warn is told the difference.
	Layout func(*schema.Table) Layout
	// Warn, if set, is told what does not keep the run from going on.
	Warn func(string)
	// Memory bounds, in bytes, what all open data files together hold back to
	// make row groups of, and what is kept of changes; the default is 256 MiB.
	Memory int64
	// SpillDir is where the keys of a transaction go that do not fit into memory,
	// and rows that are to be sorted or put together by partition; the default is
	// the system's folder of temporary files.
	SpillDir string
	// SpillBytes is how much of the rows of one table SpillDir holds at most, in
	// bytes; the default is 16 GiB. What is there is then made into files, so that
	// more room makes fewer files.
	SpillBytes int64
	// Step, if set, is called at the steps of a commit, so that tests can end the
	// process there. The steps are, in order: "rows written", "files durable",
	// "manifests written", "commit sent" (it is about to be), "commit landed" and
	// "tidied". A commit that is tried again repeats some of them. Before them come, of
	// stock that is kept, "kept stock taken over" and "stock kept", and when a table is
	// opened, of each run that has died before, "dead run discarded". Those of upkeep are
	// "compact: planned", "rows written", "compact: files durable", then of each of its
	// commits "compact: manifests written", "compact: commit sent" and "compact: commit
	// landed", and in the end "compact: expired" and "compact: orphans found".
	Step func(name string)
	// KeepEvery is how long stock that is kept may stay in a file that is not full,
	// while others are read: what is lost if the process dies. The default is 30 s.
	KeepEvery time.Duration
	// Look opens the sink only to be looked at: Check and Describe make and change
	// nothing, and a lake that is not there counts as an empty one.
	Look bool
	// Parallel is how many goroutines are going to write at once; the default is 1.
	Parallel int
}

// A Sink is an opened catalog and the warehouse behind it. It is safe for
// concurrent use.
type Sink struct {
	opts      Options
	kind      catalogKind
	ns        []string // "" means each table's own database
	props     iceberg.Properties
	cat       tableCatalog
	root      string // where new tables go; "" if the catalog decides
	file      string // of a catalog in SQLite; "" if it is none
	retry     retryPolicy
	leaseTerm time.Duration
	dead      time.Duration // after which a run that has not touched its record is
	// rest means a catalog behind HTTP: it may hand out credentials with each
	// table, and a commit may land there after its sender has died.
	rest    bool
	session *session
	present present

	aws *aws.Config // with the one HTTP client for all object stores; nil for a lake on disk

	// uploads holds a token for each file that is being made durable.
	uploads chan struct{}

	// buffered is what all open files hold back at the moment, in bytes.
	buffered atomic.Int64

	unread sync.Once // tells which tables of the catalog cannot be read

	mu    sync.Mutex
	once  map[string]*sync.Mutex // one for each thing in ready, held while it is made
	ready map[string]bool        // namespaces that exist and folders that can be written
	homes map[string]string      // where a namespace's new tables go; "" if the catalog decides
	ios   map[string]iceio.WriteFileIO
	folds map[*fold]bool // that hold changes in memory
}

var (
	_ writer.Sink      = (*Sink)(nil)
	_ writer.Committer = (*Sink)(nil)
	_ writer.Lister    = (*Sink)(nil)
)

// Open connects to the catalog that the URL names:
//
//	iceberg:FOLDER[?namespace=NS]              a lake in one folder, made if absent
//	iceberg+rest://HOST:PORT[/NS][?warehouse=…] a REST catalog; iceberg+rests for HTTPS
//	iceberg+sql:FILE?warehouse=…[&namespace=NS] a SQL catalog in a SQLite file
//	iceberg://NAME[/NS]                        a catalog of .iceberg-go.yaml
//
// Without NS a table goes to the namespace named as its database. Further query
// parameters are properties of the catalog and its file IO, such as s3.endpoint.
// Credentials come from the environment (AWS_*, ICEBERG_REST_TOKEN,
// ICEBERG_REST_CREDENTIAL, and the latter two with _FILE).
func Open(ctx context.Context, url string, opts Options) (*Sink, error) {
	opts.SpillBytes = cmp.Or(opts.SpillBytes, 16<<30)
	opts.Memory = cmp.Or(opts.Memory, 256<<20)
	opts.KeepEvery = cmp.Or(opts.KeepEvery, 30*time.Second)
	opts.Parallel = max(opts.Parallel, 1)
	if opts.Codec != "" {
		if _, err := parquet.ParseCodec(opts.Codec); err != nil {
			return nil, err
		}
	}
	t, err := parseURL(url)
	if err != nil {
		return nil, hint.Wrap(err, "see the forms that a sink's URL can have with --help")
	}
	var s3conf *aws.Config
	if t.kind != embedded {
		defaultRegion(t.props)
		// What is wrong with it is told when S3 is used, if it is.
		if s3conf, err = s3.ParseAWSConfig(ctx, t.props); err == nil && s3conf.HTTPClient == nil {
			s3conf.HTTPClient = awshttp.NewBuildableClient()
		}
	}
	t.look = opts.Look
	openCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cat, root, err := openCatalog(openCtx, t)
	if err != nil {
		return nil, advise(fmt.Errorf("open the Iceberg catalog: %w", err))
	}
	s := &Sink{
		opts: opts, kind: t.kind, ns: t.ns, props: t.props, cat: cat, root: root, retry: defaultRetry, leaseTerm: leaseTerm, session: newSession(), dead: 24 * time.Hour, aws: s3conf,
		once:  make(map[string]*sync.Mutex),
		ready: make(map[string]bool),
		homes: make(map[string]string),
		ios:   make(map[string]iceio.WriteFileIO),
		// One for who writes, and some so that those need not wait for small files.
		uploads: make(chan struct{}, opts.Parallel+16),
	}
	_, s.rest = cat.(restCatalog)
	switch t.kind {
	case embedded:
		s.file = filepath.Join(t.path, "catalog.db")
	case sqlite:
		s.file = t.path
	}
	return s, nil
}

// Open readies the destination of t: it finds or makes the namespace, checks
// that what exists fits the mode and that files can be written, and discards
// what dead runs have staged. The table itself appears with the first Commit.
func (s *Sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	ctx, cancel := context.WithTimeout(s.shared(ctx), s.retry.timeout)
	defer cancel()
	w, err := s.open(ctx, t, mode)
	if err != nil {
		return nil, advise(err)
	}
	return w, nil
}

// step tells a test how far a commit has come.
func (s *Sink) step(name string) {
	if s.opts.Step != nil {
		s.opts.Step(name)
	}
}

// warn tells what does not keep the run from going on.
func (s *Sink) warn(msg string) {
	if s.opts.Warn != nil {
		s.opts.Warn(msg)
	}
}

// shared makes the S3 clients that iceberg-go opens, one for each table and
// commit, use the same connections.
func (s *Sink) shared(ctx context.Context) context.Context {
	if s.aws == nil {
		return ctx
	}
	return utils.WithAwsConfig(ctx, s.aws)
}

func (s *Sink) open(ctx context.Context, t *schema.Table, mode writer.Mode) (*Writer, error) {
	mode, once := mode.Once()
	switch mode {
	case writer.Create, writer.Append, writer.Evolve, writer.Replace, writer.Follow, writer.Extend:
	default:
		return nil, fmt.Errorf("mode %q is not one of create, append, evolve, replace, follow, extend, amend", mode)
	}
	w := &Writer{sink: s, src: t, ident: s.identifier(t), mode: mode, once: once, replace: mode == writer.Replace}
	if err := s.ensureNamespace(ctx, catalog.NamespaceFromIdent(w.ident)); err != nil {
		return nil, err
	}
	if err := w.shape(); err != nil {
		return nil, err
	}
	tbl, err := s.load(ctx, w.ident)
	switch {
	case errors.Is(err, catalog.ErrNoSuchTable):
		err = w.plan(ctx)
	case err != nil:
		return nil, w.unloaded(err)
	default:
		err = w.adopt(ctx, tbl)
	}
	if err == nil {
		err = w.arrange()
	}
	if err != nil {
		return nil, err
	}
	if w.st != nil {
		var err error
		if mode != writer.Create || w.pos == "" { // else the table is whole, and nothing is going to be written
			err = s.probe(ctx, w)
		}
		if err != nil && s.rest && tbl == nil {
			// Not with our own credentials; the catalog may have some for the
			// table, but gives them out only once there is one.
			err = w.probeBare(ctx, err)
		}
		if err != nil {
			return nil, err
		}
		if err := w.discardDead(ctx); err != nil {
			return nil, fmt.Errorf("discard leftovers of %s: %w", w.name(), err)
		}
	}
	return w, nil
}

// shape finds out what a new table would look like.
func (w *Writer) shape() (err error) {
	if w.want, err = icebergSchema(w.src); err != nil {
		return w.tableError(err)
	}
	if len(identifierIDs(w.src)) > 0 {
		w.fold = &fold{w: w, keys: newKeyHasher(w.src)}
	} else if w.follows() && len(w.src.Key) > 0 {
		return w.tableError(w.noKey())
	}
	return nil
}

// storageAt returns the storage of a location. Object stores share one client:
// iceberg-go would make one, with its own connections, for every table.
func (s *Sink) storageAt(ctx context.Context, location string) (*storage, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, err
	}
	key := u.Scheme + "://" + u.User.String() + "@" + u.Host // Azure has its containers there
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.ios[key]; f != nil {
		return &storage{io: f, dirs: &dirSet{}}, nil
	}
	// The IO keeps its context for every later call.
	st, err := openStorage(context.WithoutCancel(ctx), s.props, location)
	if err == nil {
		s.ios[key] = st.files()
	}
	return st, err
}

// Close ends the connections.
func (s *Sink) Close() error {
	var errs []error
	if c, ok := s.cat.(catalog.Closer); ok {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
