package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// layoutOptions say how tables are to lie in files at the sink.
type layoutOptions struct {
	partition, sort perTable
	formatVersion   int
	properties      []string // key=value
	compression     compression
	targetFileSize  byteSize
	sizeGiven       bool
	spillSize       byteSize
	files           filesOptions
	buckets         int
	formatFlag      string
	given           map[string]bool // flags, of formFlags, hdfsFlags, icebergFlags, fileFlags and dorisFlags
}

// filesOptions say how plain files are to be.
type filesOptions struct {
	format      *oneOf
	header      bool
	blockSize   byteSize
	replication int
}

// A filesLayout is what of them was asked for; what is zero was not.
type filesLayout struct {
	format      string
	header      bool
	blockSize   int64
	replication int
}

// The flag that chooses the format of plain files; the other one where a dump's --format is
// that of messages.
const (
	formatFlag     = "format"
	fileFormatFlag = "file-format"
)

// Flags that mean something to sinks of one kind alone.
var (
	formFlags    = []string{formatFlag, fileFormatFlag, "header"} // of plain files
	hdfsFlags    = []string{"block-size", "replication"}          // of those in HDFS
	icebergFlags = []string{"sort", "format-version", "property"}
	fileFlags    = []string{"partition", "compression", "target-file-size", "spill-size"} // of lakes and plain files
	dorisFlags   = []string{"buckets"}
)

// A layout is how one table is to lie in files.
type layout struct {
	partition, sort string
	formatVersion   int
	properties      map[string]string
	codec           string // "" if none was asked for
	buckets         int    // 0 likewise
	files           filesLayout
}

func newLayoutOptions() layoutOptions {
	return layoutOptions{
		formatVersion: 2, targetFileSize: 256 << 20, spillSize: 16 << 30,
		files: filesOptions{format: newFileFormat()},
	}
}

func newFileFormat() *oneOf { return newOneOf(fileFormats...) }

// flags registers the flags; format is the name of that which chooses the format of files.
func (o *layoutOptions) flags(f *pflag.FlagSet, format string) {
	o.formatFlag = format
	f.Var(o.files.format, format, "`format` of plain files, for tables that are made: parquet,\nparquet-legacy (for Hive 2 and 3), csv, tsv or jsonl")
	f.BoolVar(&o.files.header, "header", false, "begin files in CSV and TSV with the names of the columns")
	f.Var(&o.partition, "partition", "partition tables that are made: 'day(created_at), bucket(16,id)',\nor 'orders: month(at)' for some of them; repeatable. Of plain files,\nthe folders: 'dt=day(created_at)', 'dt=day(@commit), hour=hour(@commit)'")
	f.Var(&o.sort, "sort", "sort the rows of files: 'customer_id, at desc nulls last', or\n'orders: …' for some tables; repeatable")
	f.Var(&o.compression, "compression", "compression of data files: zstd, zstd:LEVEL, snappy, gzip, lz4 or\nnone (default zstd; plain text: none)")
	f.Var(&o.compression, "codec", "deprecated: what --compression was called")
	_ = f.MarkHidden("codec") // the flag exists
	f.Var(&o.targetFileSize, "target-file-size", "size of data files")
	f.IntVar(&o.formatVersion, "format-version", o.formatVersion, "`version` of Iceberg's table format for tables that are made: 2 or 3")
	f.StringArrayVar(&o.properties, "property", nil, "set a property on tables that are made: `key=value`; repeatable")
	f.Var(&o.files.blockSize, "block-size", "size of the blocks of files in HDFS (default as HADOOP_CONF_DIR or\nthe server says)")
	f.Lookup("block-size").DefValue = ""
	f.IntVar(&o.files.replication, "replication", 0, "`number` of replicas of files in HDFS (default likewise), or of\ntables in Doris")
	f.IntVar(&o.buckets, "buckets", 0, "`number` of buckets of tables that are made in Doris (default as it\nsees fit)")
	f.Var(&o.spillSize, "spill-size", "temporary files that rows of a table are sorted in may take so much")
}

// check finds what is wrong with the options without asking anybody.
func (o *layoutOptions) check(given func(flag string) bool) error {
	o.sizeGiven = given("target-file-size")
	o.given = make(map[string]bool)
	for _, f := range slices.Concat(formFlags, hdfsFlags, icebergFlags, fileFlags, dorisFlags) {
		if given(f) && (f != formatFlag || o.formatFlag == formatFlag) {
			o.given[f] = true
		}
	}
	switch {
	case given("block-size") && o.files.blockSize < 1<<20:
		return errors.New("--block-size must be at least 1MiB")
	case given("replication") && (o.files.replication < 1 || o.files.replication > 512):
		return errors.New("--replication must be 1 to 512")
	case given("buckets") && o.buckets < 1:
		return errors.New("--buckets must be at least 1")
	case o.targetFileSize < 1<<20:
		return errors.New("--target-file-size must be at least 1MiB")
	case o.spillSize < 64<<20:
		return errors.New("--spill-size must be at least 64MiB")
	case o.formatVersion != 2 && o.formatVersion != 3:
		return errors.New("--format-version must be 2 or 3")
	}
	for _, p := range o.properties {
		if key, _, ok := strings.Cut(p, "="); !ok || strings.TrimSpace(key) == "" {
			return fmt.Errorf("--property %q: want key=value", p)
		}
	}
	return errors.Join(o.partition.check("partition"), o.sort.check("sort"))
}

// all returns the layouts that the options have in them, whatever the tables.
func (o *layoutOptions) all() []layout {
	layouts := []layout{o.common()}
	for _, e := range o.partition.entries {
		layouts = append(layouts, layout{partition: e.text, formatVersion: o.formatVersion})
	}
	for _, e := range o.sort.entries {
		layouts = append(layouts, layout{sort: e.text, formatVersion: o.formatVersion})
	}
	return layouts
}

// said returns an error about a layout of all with the text that it is about.
func (l layout) said(err error) error {
	switch {
	case l.partition != "":
		return &textError{"partition", l.partition, err}
	case l.sort != "":
		return &textError{"sort", l.sort, err}
	}
	return err
}

// asked is what was said of plain files.
func (o *layoutOptions) asked() filesLayout {
	l := filesLayout{header: o.files.header, blockSize: int64(o.files.blockSize), replication: o.files.replication}
	if o.given[o.formatFlag] {
		l.format = o.files.format.value
	}
	return l
}

// common is what all tables have in common.
func (o *layoutOptions) common() layout {
	l := layout{formatVersion: o.formatVersion, properties: make(map[string]string), codec: string(o.compression), buckets: o.buckets, files: o.asked()}
	for _, p := range o.properties {
		key, value, _ := strings.Cut(p, "=")
		l.properties[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return l
}

// resolve returns the layout of each of the tables.
func (o *layoutOptions) resolve(db string, tables []*schema.Table) (func(*schema.Table) layout, error) {
	partition, err := o.partition.resolve("partition", db, tables)
	if err != nil {
		return nil, err
	}
	sort, err := o.sort.resolve("sort", db, tables)
	if err != nil {
		return nil, err
	}
	common, each := o.common(), o.each(db)
	// By name: a table that is altered is described anew.
	layouts := make(map[[2]string]layout)
	for _, t := range tables {
		l := common
		l.partition, l.sort = partition[t], sort[t]
		layouts[[2]string{t.DB, t.Name}] = l
	}
	return func(t *schema.Table) layout {
		if l, ok := layouts[[2]string{t.DB, t.Name}]; ok {
			return l
		}
		return each(t) // it has turned up since
	}, nil
}

// each returns the layout of any table, for where the tables are not known beforehand: a
// pattern that is about none of them goes unnoticed.
func (o *layoutOptions) each(db string) func(*schema.Table) layout {
	return func(t *schema.Table) layout {
		l := o.common()
		l.partition, _ = o.partition.of("partition", db, t) // clash has the errors
		l.sort, _ = o.sort.of("sort", db, t)
		return l
	}
}

// clash refuses a table for which several layouts were given, where the tables are not
// known beforehand.
func (o *layoutOptions) clash(db string, t *schema.Table) error {
	_, partition := o.partition.of("partition", db, t)
	_, sort := o.sort.of("sort", db, t)
	if err := errors.Join(partition, sort); err != nil {
		return &schema.TableError{Table: t.String(), Err: err}
	}
	return nil
}

// compression is a flag's value: the name of a codec, with a level for zstd.
type compression string

// Set checks the name.
func (c *compression) Set(s string) error {
	switch s {
	case "zstd", "snappy", "gzip", "lz4", "none":
		*c = compression(s)
		return nil
	}
	if level, ok := strings.CutPrefix(s, "zstd:"); ok {
		n, err := strconv.Atoi(level)
		if err != nil || n < 1 || n > 22 {
			return errors.New("the levels of zstd are 1 to 22")
		}
		*c = compression(s)
		return nil
	}
	return errors.New("want zstd, zstd:LEVEL, snappy, gzip, lz4 or none")
}

// String returns the name; "" if none was given.
func (c *compression) String() string { return string(*c) }

// Type names the value in help texts.
func (c *compression) Type() string { return "codec" }
