package files

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/parquet"
)

// A Format is how rows lie in a file.
type Format string

// The formats. Text is as Hive and Spark read it by default: docs/files.md.
const (
	Parquet Format = "parquet"
	// ParquetLegacy is Parquet as Hive 2 and 3 read it, and others of their age.
	ParquetLegacy Format = "parquet-legacy"

	CSV   Format = "csv"   // strings in quotes, a backslash before quotes and backslashes; NULL is nothing
	TSV   Format = "tsv"   // a backslash before tabs and backslashes, ends of lines are \n and \r; NULL is \N
	JSONL Format = "jsonl" // an object a line
)

// Formats are the names of all formats.
var Formats = []string{string(Parquet), string(ParquetLegacy), string(CSV), string(TSV), string(JSONL)}

// ParseFormat reads a format's name; "" is none.
func ParseFormat(name string) (Format, error) {
	if name == "" || slices.Contains(Formats, name) {
		return Format(name), nil
	}
	return "", hint.Wrap(fmt.Errorf("format %q is not known", name), "files are written as parquet, parquet-legacy, csv, tsv or jsonl")
}

// columnar reports whether the format is one of Parquet's.
func (f Format) columnar() bool { return f == Parquet || f == ParquetLegacy }

// compression is that of files for which none is asked for.
func (f Format) compression() string {
	switch f {
	case Parquet:
		return "zstd"
	case ParquetLegacy:
		return "snappy" // for which no reader needs a library
	}
	return "none"
}

// textSuffixes are what names of compressed text end with, by which readers know it.
var textSuffixes = map[string]string{"none": "", "gzip": ".gz", "zstd": ".zst"}

// suffix is what the names of files end with.
func (f Format) suffix(compression string) string {
	if f.columnar() {
		return ".parquet"
	}
	return "." + string(f) + textSuffixes[compression]
}

// CheckForm finds what is wrong with a format and what is said of its files. What is empty
// is not given.
func CheckForm(f Format, compression string, header bool) error {
	switch {
	case f == "" || f.columnar():
		if header {
			return errors.New("a header is for files in CSV and TSV")
		}
		if compression == "" {
			return nil
		}
		_, err := parquet.ParseCodec(compression)
		return err
	case header && f == JSONL:
		return errors.New("a header is for files in CSV and TSV")
	}
	if _, ok := textSuffixes[compression]; !ok && compression != "" {
		return hint.Wrap(fmt.Errorf("text is not compressed by %s", compression), "take gzip, zstd or none")
	}
	return nil
}

// An encoder makes a file of rows. One goroutine at a time uses it.
type encoder interface {
	// rows adds rows from..from+n-1 of columns, which are those of the file.
	rows(columns []arrow.Array, from, n int) error
	// size is about how large the file would be if it ended here.
	size() int64
	// held is what of it is held back in memory.
	held() int64
	// relieve gives back as much of that as can be.
	relieve() error
	// end writes what is left. The file itself is not closed by it.
	end() error
	// drop gives memory back.
	drop()
}

// encode starts a file.
func (w *Writer) encode(out io.Writer) (encoder, error) {
	if w.format.columnar() {
		return w.newParquetFile(out)
	}
	return newTextFile(out, w.format, w.columns, w.types, w.compression, w.header)
}

// A parquetFile is an encoder.
type parquetFile struct{ *parquet.Writer }

func (w *Writer) newParquetFile(out io.Writer) (encoder, error) {
	columns := w.columns
	codec, err := parquet.ParseCodec(w.compression)
	if err != nil {
		return nil, err
	}
	specs := make([]parquet.Column, len(columns))
	next := len(columns)
	for i, c := range columns {
		specs[i] = parquet.Column{Name: c.Name, ID: i + 1, Type: w.types[i], Nullable: c.Nullable}
		if w.types[i].ID() == arrow.LIST {
			next++
			specs[i].ElementID = next
		}
	}
	// Pages of very wide tables are small, for there is one of each column.
	page := min(max(w.sink.opts.Memory/int64(16*len(columns)), 16<<10), 1<<20)
	f, err := parquet.NewWriter(out, specs, parquet.Options{Codec: codec, PageBytes: int(page), Legacy: w.format == ParquetLegacy})
	if err != nil {
		return nil, err
	}
	return parquetFile{f}, nil
}

func (f parquetFile) rows(columns []arrow.Array, from, n int) error {
	return f.WriteRows(columns, from, n)
}

func (f parquetFile) size() int64    { return f.Estimate() }
func (f parquetFile) held() int64    { return f.Buffered() }
func (f parquetFile) relieve() error { return f.Flush() }
func (f parquetFile) drop()          { f.Discard() }

func (f parquetFile) end() error {
	_, err := f.Close()
	return err
}
