package main

import (
	"context"

	"github.com/tablehaul/tablehaul/pkg/reader/mysql"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/iceberg"
)

// all returns every kind of source and sink by the scheme of its URL. This is
// the one file that names concrete ones.
func all() stores {
	return stores{
		sources: map[string]openSource{
			"mysql":   openMySQL,
			"mariadb": openMySQL,
		},
		sinks: map[string]openSink{
			"iceberg":       openIceberg,
			"iceberg+rest":  openIceberg,
			"iceberg+rests": openIceberg,
			"iceberg+sql":   openIceberg,
		},
	}
}

// The parts of --memory that readers and writers may fill. The rest is for the
// program itself, batches on their way, and garbage not yet collected.
const (
	readerShare = 8
	sinkShare   = 2
)

func openMySQL(ctx context.Context, url string, o snapshotOptions, warn func(string)) (source, error) {
	s, err := mysql.Open(ctx, url, mysql.Options{
		ZeroDate: o.zeroDate.value, Memory: int64(o.memory) / readerShare, Parallel: o.parallel, Warn: warn,
	})
	if err != nil {
		return nil, err // not a *mysql.Stock that is nil
	}
	return s, nil
}

func openIceberg(ctx context.Context, url string, o snapshotOptions) (writer.Sink, error) {
	s, err := iceberg.Open(ctx, url, iceberg.Options{
		Codec: o.codec.value, TargetFileSize: int64(o.targetFileSize),
		Memory: int64(o.memory) / sinkShare, Parallel: o.parallel,
	})
	if err != nil {
		return nil, err // not an *iceberg.Sink that is nil
	}
	return s, nil
}
