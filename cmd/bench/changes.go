package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	source "github.com/tablehaul/tablehaul/pkg/reader/mysql"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// decodeMain reads the case's changes with the product's reader of logs and
// throws its batches away.
func decodeMain(ctx context.Context, args []string, stdout io.Writer) error {
	return readChanges(ctx, args, stdout, func(*batch.Batch) error { return nil })
}

// provedFile is what proveMain writes into its folder.
const provedFile = "rows.parquet"

// proveMain reads them likewise, and writes a file of all rows, so that it can be
// seen whether what decodeMain throws away is right.
func proveMain(ctx context.Context, args []string, stdout io.Writer) (err error) {
	p, c, err := parsePart(args)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(p.out, provedFile))
	if err != nil {
		return err
	}
	defer f.Close()
	var w *pqarrow.FileWriter
	err = readChanges(ctx, args, stdout, func(b *batch.Batch) (err error) {
		if b.Rows == nil {
			return nil
		}
		if w == nil {
			w, err = pqarrow.NewFileWriter(b.Table.Arrow, f, throwawayProperties(c.columns), pqarrow.DefaultWriterProps())
			if err != nil {
				return err
			}
		}
		return w.WriteBuffered(b.Rows)
	})
	if err == nil && w != nil {
		err = w.Close()
	}
	return err
}

// readChanges reads the case's changes, shows every batch to look and prints how
// many rows there were.
func readChanges(ctx context.Context, args []string, stdout io.Writer, look func(*batch.Batch) error) error {
	p, c, err := parsePart(args)
	if err != nil {
		return err
	}
	stop, err := profile(os.Getenv("TABLEHAUL_CPUPROFILE"))
	if err != nil {
		return err
	}
	defer stop()
	span, err := measuredRange(ctx, p, c)
	if err != nil {
		return err
	}
	stock, err := source.Open(ctx, "mysql://root@"+p.addr+"/"+logDatabase(p.rows), source.Options{})
	if err != nil {
		return err
	}
	defer stock.Close()
	r, err := openChanges(ctx, stock, c.table, span)
	if err != nil {
		return err
	}
	defer r.Close()
	sum, err := count(ctx, r, look)
	if err != nil {
		return err
	}
	sum.Rows /= c.log.changesPerRow()
	return json.NewEncoder(stdout).Encode(sum)
}

// profile writes a CPU profile until the function returned is called.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

func openChanges(ctx context.Context, stock *source.Stock, table string, span logRange) (reader.Reader, error) {
	tables, err := stock.Tables(ctx, reader.Selection{Include: []string{table}, DB: stock.DB()})
	if err != nil {
		return nil, err
	}
	from, err := stock.Locate(ctx, "gtid:"+span.from.gtid)
	if err != nil {
		return nil, err
	}
	until, err := stock.Locate(ctx, "gtid:"+span.to.gtid)
	if err != nil {
		return nil, err
	}
	return stock.Changes(ctx, map[*schema.Table]batch.Position{tables[0]: from}, until)
}

// count reads to the end.
func count(ctx context.Context, r reader.Reader, look func(*batch.Batch) error) (sum report, err error) {
	for {
		b, err := r.Read(ctx)
		if err == io.EOF { //nolint:errorlint // that it is bare is part of the contract
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		if b.Rows != nil {
			sum.Rows += b.Rows.NumRows()
		}
		for _, op := range b.Ops {
			if op == batch.Before {
				sum.Rows-- // the After that follows counts
			}
		}
		sum.Bytes += int64(b.Bytes)
		err = look(b)
		b.Release()
		if err != nil {
			return sum, err
		}
	}
}
