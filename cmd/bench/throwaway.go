package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// The throwaway is the shortest program that brings a table into good Parquet
// files, a file a connection: no splits, no catalog, no statistics of its own,
// nothing that goes wrong handled. What the product costs beyond it is the
// price of being a product, and its files are what ours are weighed against.

const (
	throwawayBatch = 8 << 10
	throwawayGroup = 256 << 10 // rows of a row group
)

// throwawayMain copies the case's table into Parquet files in the folder out.
func throwawayMain(ctx context.Context, args []string, stdout io.Writer) error {
	return scan(ctx, args, stdout, func(ctx context.Context, p *part, c *benchCase, i int, query string) (report, error) {
		path := filepath.Join(p.out, fmt.Sprintf("%d.parquet", i))
		rows, err := throwaway(ctx, p, c, query, path)
		if err != nil {
			return report{}, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return report{}, err
		}
		return report{Rows: rows, Bytes: info.Size()}, nil
	})
}

func throwaway(ctx context.Context, p *part, c *benchCase, query, path string) (rows int64, err error) {
	conn, err := connect(ctx, p.addr, database(p.rows))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := send(conn, query, c.binary); err != nil {
		return 0, err
	}
	var packet []byte
	next := func() ([]byte, error) {
		var err error
		packet, err = conn.ReadPacketReuseMem(packet[:0])
		return packet, err
	}
	if err := skipHeader(next); err != nil {
		return 0, err
	}

	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	schema := throwawaySchema(c.columns)
	// The writer closes the file.
	w, err := pqarrow.NewFileWriter(schema, file, throwawayProperties(c.columns),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		file.Close()
		return 0, err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Reserve(throwawayBatch)
	flush := func() error {
		rec := b.NewRecordBatch()
		defer rec.Release()
		b.Reserve(throwawayBatch)
		return w.WriteBuffered(rec)
	}
	decode := textRow
	if c.binary {
		decode = binaryRow
	}
	appenders := newAppenders(c.columns, b, c.binary)
	for {
		row, err := next()
		if err != nil {
			return rows, err
		}
		if end, err := isEnd(row); err != nil {
			return rows, err
		} else if end {
			break
		}
		if err := decode(row, appenders); err != nil {
			return rows, fmt.Errorf("row %d: %w", rows, err)
		}
		if rows++; rows%throwawayBatch == 0 {
			if err := flush(); err != nil {
				return rows, err
			}
		}
	}
	if err := flush(); err != nil {
		return rows, err
	}
	return rows, w.Close()
}

func throwawaySchema(columns []column) *arrow.Schema {
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, arrow.Field{Name: c.name, Type: c.kind.arrow, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func throwawayProperties(columns []column) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithDictionaryDefault(false),
		parquet.WithMaxRowGroupLength(throwawayGroup),
		parquet.WithStoreDecimalAsInteger(true),
	}
	for _, c := range columns {
		if c.kind.delta {
			props = append(props, parquet.WithEncodingFor(c.name, parquet.Encodings.DeltaBinaryPacked))
		}
	}
	return parquet.NewWriterProperties(props...)
}
