package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	topics "github.com/tablehaul/tablehaul/pkg/reader/kafka"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris"
	"github.com/tablehaul/tablehaul/pkg/writer/files"
	"github.com/tablehaul/tablehaul/pkg/writer/iceberg"
	"github.com/tablehaul/tablehaul/pkg/writer/kafka"
)

// all returns every kind of source and sink by the scheme of its URL. This is
// the one file that names concrete ones.
func all() stores {
	lake := sinkKind{
		open: openIceberg, check: iceberg.CheckURL, takes: rowsAlone, tended: true,
		layout: func(l layout) error { return icebergLayout(l).Check() }, unused: slices.Concat(formFlags, hdfsFlags, dorisFlags),
	}
	topic := sinkKind{open: openKafka, check: kafka.CheckURL, takes: changesAlone, asIs: true, unused: slices.Concat(formFlags, hdfsFlags, icebergFlags, fileFlags, dorisFlags)}
	onHDFS := sinkKind{open: openFiles, check: files.CheckURL, takes: changesOrRows, layout: checkFilesLayout, unused: slices.Concat(icebergFlags, dorisFlags)}
	plain := onHDFS
	plain.unused = slices.Concat(hdfsFlags, icebergFlags, dorisFlags)
	cluster := sinkKind{
		open: openDoris, check: doris.CheckURL, takes: rowsAlone, asIs: true, narrow: true, layout: checkDorisLayout,
		unused: slices.Concat(formFlags, []string{"block-size", "sort", "format-version", "target-file-size", "spill-size"}),
	}
	return stores{
		sources: map[string]sourceKind{
			"mysql":   {open: openMySQL, check: mysql.CheckURL},
			"mariadb": {open: openMySQL, check: mysql.CheckURL},
		},
		sinks: map[string]sinkKind{
			"iceberg":       lake,
			"iceberg+rest":  lake,
			"iceberg+rests": lake,
			"iceberg+sql":   lake,
			"kafka":         topic,
			"doris":         cluster,
			"file":          plain,
			"hdfs":          onHDFS,
			"s3":            plain,
		},
		feeds:   map[string]feedKind{"kafka": {open: openTopics, check: checkTopics, brought: broughtTo}},
		reached: mysql.Reached, same: mysql.Same,
		icebergType: iceberg.TypeName,
	}
}

// The parts of --memory that readers and writers may fill. The rest is for the
// program itself, batches on their way, and garbage not yet collected.
const (
	readerShare = 8
	sinkShare   = 2
	queueShare  = 8 // of changes between the two
	topicShare  = 8 // of messages that brokers have not taken; each costs half as much again
)

func openMySQL(ctx context.Context, url string, o storeOptions) (source, error) {
	lockWait := o.lockWait
	if lockWait == 0 {
		lockWait = -1 // 0 is the reader's own choice
	}
	s, err := mysql.Open(ctx, url, mysql.Options{
		ZeroDate: o.zeroDate, Memory: o.memory / readerShare, Parallel: o.parallel, Warn: o.warn,
		ServerID: o.serverID, Heartbeat: o.heartbeat, Evolve: o.evolve, Extent: o.extent, Narrow: o.narrow, Drops: o.drops,
		Login: mysql.Login{
			Password: o.login.password, PasswordFrom: o.login.passwordFrom,
			LoginPath: o.login.loginPath, DefaultsFile: o.login.defaultsFile, UserFile: o.login.userFile,
		},
		SplitRows: o.splitRows, Replicas: o.replicas, LockWait: lockWait,
	})
	if err != nil {
		return nil, err // not a *mysql.Stock that is nil
	}
	return s, nil
}

func openIceberg(ctx context.Context, url string, o storeOptions) (writer.Sink, error) {
	if file := catalogFile(url); o.existing && file != "" {
		// To open such a catalog is to make it.
		if _, err := os.Stat(file); err != nil {
			return nil, hint.Wrap(fmt.Errorf("there is no lake: %w", err), "check the spelling; snapshot, tail and dump make what they write to")
		}
	}
	opts := iceberg.Options{
		Codec: o.codec, TargetFileSize: o.targetFileSize, KeepEvery: o.keepEvery, Memory: o.memory / sinkShare, Parallel: o.parallel,
		SpillBytes: o.spillSize, Step: o.step, Look: o.look, Warn: o.warn,
	}
	if o.layout != nil {
		opts.Layout = func(t *schema.Table) iceberg.Layout { return icebergLayout(o.layout(t)) }
	}
	s, err := iceberg.Open(ctx, url, opts)
	if err != nil {
		return nil, err // not an *iceberg.Sink that is nil
	}
	return s, nil
}

// fileFormats are those of plain files; what is in legacyParquet is not written anew.
var (
	fileFormats   = files.Formats
	legacyParquet = string(files.ParquetLegacy)
)

func openFiles(ctx context.Context, url string, o storeOptions) (writer.Sink, error) {
	opts := files.Options{
		Format: files.Format(o.files.format), Compression: o.codec, Header: o.files.header,
		TargetFileSize: o.targetFileSize, SpillBytes: o.spillSize, Memory: o.memory / sinkShare, Step: o.step, Warn: o.warn, Look: o.look, Existing: o.existing,
		BlockSize: o.files.blockSize, Replication: o.files.replication,
	}
	if o.layout != nil {
		opts.Partition = func(t *schema.Table) string { return o.layout(t).partition }
	}
	s, err := files.Open(ctx, url, opts)
	if err != nil {
		return nil, err // not a *files.Sink that is nil
	}
	return s, nil
}

func checkFilesLayout(l layout) error {
	if _, err := files.ParseFolders(l.partition); err != nil {
		return fmt.Errorf("--partition: %w", err)
	}
	return files.CheckForm(files.Format(l.files.format), l.codec, l.files.header)
}

func openDoris(ctx context.Context, url string, o storeOptions) (writer.Sink, error) {
	opts := doris.Options{
		Password: os.Getenv("TABLEHAUL_DORIS_PASSWORD"), Compression: o.codec, Memory: o.memory / sinkShare, Step: o.step, Warn: o.warn,
		Look: o.look, Existing: o.existing,
	}
	if o.layout != nil {
		opts.Layout = func(t *schema.Table) doris.Layout { return dorisLayout(o.layout(t)) }
	}
	s, err := doris.Open(ctx, url, opts)
	if err != nil {
		return nil, err // not a *doris.Sink that is nil
	}
	return s, nil
}

func dorisLayout(l layout) doris.Layout {
	return doris.Layout{Partition: l.partition, Buckets: l.buckets, Replication: l.files.replication, Properties: l.properties}
}

func checkDorisLayout(l layout) error {
	if _, _, err := doris.ParsePartition(l.partition); err != nil {
		return fmt.Errorf("--partition: %w", err)
	}
	return doris.CheckCompression(l.codec)
}

func openKafka(ctx context.Context, url string, o storeOptions) (writer.Sink, error) {
	s, err := kafka.Open(ctx, url, kafka.Options{Memory: o.memory / topicShare, KeepEvery: o.keepEvery, Warn: o.warn, Step: o.step})
	if err != nil {
		return nil, err // not a *kafka.Sink that is nil
	}
	return s, nil
}

func openTopics(ctx context.Context, url string, o storeOptions, f feedOptions) (reader.Feed, error) {
	policy, err := topics.ParseBadPolicy(f.badMessage)
	if err != nil {
		return nil, err
	}
	s, err := topics.Open(ctx, url, topics.Options{
		Decoder: f.decoder, Format: f.format, Start: f.start, UntilEnd: f.untilEnd, Group: f.group, Purged: f.purged, Bad: policy, Covers: mysql.Covers,
		Memory: o.memory / readerShare, Warn: o.warn, Refused: f.refused,
	})
	if err != nil {
		return nil, err // not a *topics.Feed that is nil
	}
	return s, nil
}

func broughtTo(ctx context.Context, url string) ([]writer.Held, error) {
	match, err := topics.Match(url)
	if err != nil {
		return nil, err
	}
	held, err := kafka.Brought(ctx, url, match)
	if errors.Is(err, kafka.ErrHidden) { // as it may be where other programs fill the topics
		return nil, nil
	}
	return held, err
}

func checkTopics(url string, f feedOptions) error {
	if err := topics.CheckURL(url); err != nil {
		return fmt.Errorf("SOURCE: %w", err)
	}
	if err := topics.CheckStart(f.start); err != nil {
		return fmt.Errorf("--start: %w", err)
	}
	if err := topics.CheckBad(url, f.badMessage); err != nil {
		return fmt.Errorf("--bad-message: %w", err)
	}
	return nil
}

func icebergLayout(l layout) iceberg.Layout {
	return iceberg.Layout{Partition: l.partition, Sort: l.sort, FormatVersion: l.formatVersion, Properties: l.properties}
}

// catalogFile returns the file of a catalog that is one on this machine, else "".
func catalogFile(url string) string {
	kind, path, _ := strings.Cut(url, ":")
	path, _, _ = strings.Cut(path, "?")
	switch {
	case strings.EqualFold(kind, "iceberg") && !strings.HasPrefix(path, "//"):
		return filepath.Join(path, "catalog.db")
	case strings.EqualFold(kind, "iceberg+sql") && !strings.Contains(path, "://"):
		return path
	}
	return ""
}
