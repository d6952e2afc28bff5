package iceberg

import (
	"fmt"
	"strconv"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/writer/parquet"
)

// Properties of tables by which files are written, where Options do not say
// otherwise.
const (
	codecProperty = table.ParquetCompressionKey
	levelProperty = "write.parquet.compression-level"
)

// Sizes of data files.
const (
	defaultTarget = 256 << 20
	minTarget     = 1 << 20
)

// target is the size at which a data file ends.
func (w *Writer) target() int64 {
	if n := w.sink.opts.TargetFileSize; n > 0 {
		return n
	}
	if n, err := strconv.ParseInt(w.props[table.WriteTargetFileSizeBytesKey], 10, 64); err == nil && n >= minTarget {
		return n
	}
	return defaultTarget
}

// codec is what compresses the files. A codec of the table that is not known here
// is no reason not to write to it.
func (w *Writer) codec() parquet.Codec {
	if c := w.sink.opts.Codec; c != "" {
		codec, _ := parquet.ParseCodec(c) // Open has checked it
		return codec
	}
	if codec, ok, err := propertyCodec(w.props); ok && err == nil {
		return codec
	}
	return parquet.Zstd
}

// propertyCodec reads the codec of a table's properties. That it is not ok means
// that they name none, or one that others write.
func propertyCodec(props iceberg.Properties) (codec parquet.Codec, ok bool, err error) {
	name, level := props[codecProperty], props[levelProperty]
	switch name {
	case "":
		if level == "" {
			return 0, false, nil
		}
		name = "zstd"
	case "uncompressed":
		name = "none"
	}
	if level != "" && name == "zstd" {
		name += ":" + level
	}
	if codec, err = parquet.ParseCodec(name); err != nil {
		return 0, false, fmt.Errorf("properties %s and %s: %w", codecProperty, levelProperty, err)
	}
	return codec, true, nil
}
