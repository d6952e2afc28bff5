package iceberg

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// What a snapshot has is looked up in its manifests and not by planning a scan: which
// deletes apply to which file follows from sequence numbers, which a plan does not tell,
// and a plan holds all pairs, of which there are as many as commits times commits.

// A liveFile is a file of a snapshot.
type liveFile struct {
	df    iceberg.DataFile
	seq   int64
	where string // the partition that it is of, with its spec; "" reaches all of them
	low   bound  // of the key's first column, where they are known
	high  bound
}

// contents is what a snapshot has.
type contents struct {
	snapshot  *table.Snapshot
	data      []*liveFile
	keys      []*liveFile // equality deletes, ascending by sequence number
	positions []*liveFile // position deletes and deletion vectors
}

// A manifestCache has what manifests list, by their names: they never change, and a commit
// that others come before is built again and again.
type manifestCache map[string][]*liveFile

// contentsOf reads the manifests of the current snapshot.
func contentsOf(tbl *table.Table, fs iceio.IO, cache manifestCache) (*contents, error) {
	c := &contents{snapshot: tbl.CurrentSnapshot()}
	if c.snapshot == nil {
		return c, nil
	}
	manifests, err := c.snapshot.Manifests(fs)
	if err != nil {
		return nil, err
	}
	bounds := boundsOf(tbl.Metadata())
	for _, m := range manifests {
		files, known := cache[m.FilePath()]
		if !known {
			if files, err = readManifest(m, fs, bounds); err != nil {
				return nil, fmt.Errorf("read %s: %w", m.FilePath(), err)
			}
			cache[m.FilePath()] = files
		}
		for _, f := range files {
			switch f.df.ContentType() {
			case iceberg.EntryContentData:
				c.data = append(c.data, f)
			case iceberg.EntryContentEqDeletes:
				c.keys = append(c.keys, f)
			default:
				c.positions = append(c.positions, f)
			}
		}
	}
	slices.SortStableFunc(c.keys, func(a, b *liveFile) int { return cmp.Compare(a.seq, b.seq) })
	return c, nil
}

// readManifest returns the files that a manifest lists.
func readManifest(m iceberg.ManifestFile, fs iceio.IO, bounds *keyBounds) (files []*liveFile, err error) {
	for e, err := range m.Entries(fs, true) {
		if err != nil {
			return nil, err
		}
		f := &liveFile{df: e.DataFile(), seq: e.SequenceNum(), where: placeOf(e.DataFile())}
		content := f.df.ContentType()
		if content == iceberg.EntryContentData || content == iceberg.EntryContentEqDeletes && bounds != nil && slices.Contains(f.df.EqualityFieldIDs(), bounds.field) {
			f.low, f.high = bounds.of(f.df)
		}
		files = append(files, f)
	}
	return files, nil
}

// placeOf returns a name of the partition that a file is of.
func placeOf(df iceberg.DataFile) string {
	values := df.Partition()
	if len(values) == 0 {
		return ""
	}
	ids := make([]int, 0, len(values))
	for id := range values {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var b strings.Builder
	fmt.Fprintf(&b, "%d", df.SpecID())
	for _, id := range ids {
		fmt.Fprintf(&b, "/%d=%T:%v", id, values[id], values[id])
	}
	return b.String()
}

// reaches reports whether a file of deleted keys may have keys of a data file's rows: it
// does not, if it is of another partition, or older, or its keys are others.
func (d *liveFile) reaches(f *liveFile) bool {
	if d.seq <= f.seq || d.where != "" && d.where != f.where {
		return false
	}
	return d.low == nil || f.low == nil || d.low.compare(f.high) <= 0 && f.low.compare(d.high) <= 0
}

// keysOf counts the files of deleted keys that may reach a data file, up to most.
func (c *contents) keysOf(f *liveFile, most int) (n int) {
	for i := len(c.keys) - 1; i >= 0 && n < most && c.keys[i].seq > f.seq; i-- {
		if c.keys[i].reaches(f) {
			n++
		}
	}
	return n
}

// positionsOf lists the files of deleted positions that may have some of a data file.
func (c *contents) positionsOf(f *liveFile) (out []*liveFile) {
	for _, d := range c.positions {
		if d.seq >= f.seq && targets(d.df, f.df.FilePath()) {
			out = append(out, d)
		}
	}
	return out
}

// targets reports whether a file of deleted positions may have some of the file at path.
func targets(d iceberg.DataFile, path string) bool {
	if ref := d.ReferencedDataFile(); ref != nil && *ref != "" {
		return *ref == path
	}
	id := iceberg.PositionalDeleteSchema.Fields()[0].ID
	low, high := d.LowerBoundValues()[id], d.UpperBoundValues()[id]
	// Bounds of text may be cut off: a path that begins with the upper one may be below it.
	return (low == nil || path >= string(low)) && (high == nil || path <= string(high) || strings.HasPrefix(path, string(high)))
}

// small reports whether a data file is worth being merged with others.
func (c *compaction) small(f *liveFile) bool { return f.df.FileSizeBytes() < c.target()/4*3 }

// mergeFrom is how many small files of a partition are merged at least.
const mergeFrom = 5

// choose returns the data files that are to be written anew, by partition and key.
func (c *compaction) choose(all *contents) []*liveFile {
	var chosen []*liveFile
	small := make(map[string][]*liveFile)
	withDeletes := make(map[string]int)
	for _, f := range all.data {
		n := all.keysOf(f, c.o.Deletes)
		if n < c.o.Deletes {
			n += len(all.positionsOf(f))
		}
		switch {
		case n >= c.o.Deletes:
			chosen = append(chosen, f)
			withDeletes[f.where]++
		case c.small(f):
			small[f.where] = append(small[f.where], f)
		}
	}
	for where, files := range small {
		if len(files) >= mergeFrom || len(files) > 0 && len(files)+withDeletes[where] >= mergeFrom {
			chosen = append(chosen, files...)
		}
	}
	slices.SortFunc(chosen, func(a, b *liveFile) int {
		return cmp.Or(strings.Compare(a.where, b.where), compareBounds(a.low, b.low), cmp.Compare(a.seq, b.seq), strings.Compare(a.df.FilePath(), b.df.FilePath()))
	})
	return chosen
}

// commitBytes is how much of data files a commit of upkeep takes the place of: what is
// lost if the process dies, or if another run has had the files too.
const commitBytes = 4 << 30

// portions cuts files into those of one commit each.
func portions(files []*liveFile) (out [][]*liveFile) {
	size := int64(0)
	from := 0
	for i, f := range files {
		if size += f.df.FileSizeBytes(); size >= commitBytes {
			out = append(out, files[from:i+1])
			from, size = i+1, 0
		}
	}
	if from < len(files) {
		out = append(out, files[from:])
	}
	return out
}

// dead returns the files of deletes that reach none of the data files that stay.
func (all *contents) dead(stay []*liveFile) (out []*liveFile) {
	keys, positions := make(map[*liveFile]bool), make(map[*liveFile]bool)
	for _, f := range stay {
		for _, d := range all.keys {
			if !keys[d] && d.reaches(f) {
				keys[d] = true
			}
		}
		for _, d := range all.positionsOf(f) {
			positions[d] = true
		}
	}
	for _, d := range all.keys {
		if !keys[d] {
			out = append(out, d)
		}
	}
	for _, d := range all.positions {
		if !positions[d] {
			out = append(out, d)
		}
	}
	return out
}
