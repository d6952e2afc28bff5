package iceberg

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"
)

// Of a deleted key it is enough to know the highest sequence number under which it was
// deleted: all rows of it go that are older. That is one entry a key, where iceberg-go
// would have one for each key, file of deletes and file of rows; and it compares keys in
// the types that the two files have, and so misses those of columns that have become wider.

// deletedKeys are the keys that are deleted.
type deletedKeys struct {
	groups []*keyGroup
	most   int64 // of memory, in bytes
	part   keyPart

	mu   sync.Mutex // while they are read
	held int64
}

// A keyPart is one of so many parts of all keys, where they do not fit into memory at once.
// The zero keyPart is all of them.
type keyPart struct{ n, of uint64 }

// has reports whether the part has a key. Where an entry is in a keyIndex follows from the
// other half of its hash.
func (p keyPart) has(h keyHash) bool { return p.of <= 1 || h[1]%p.of == p.n }

// A keyGroup is deleted keys of the same columns. Those that reach the rows of one partition
// alone are in the index by other hashes than those of all: there may be thousands of
// partitions, of a few keys each.
type keyGroup struct {
	ids   []int
	index keyIndex // whose ref is a sequence number
	all   bool     // there are some that reach rows of all partitions
	some  bool     // and others
}

// saltOf is what hashes of keys that reach the rows of a partition differ by from those of
// keys that reach all.
func saltOf(where string) keyHash {
	if where == "" {
		return keyHash{}
	}
	return keyHash{maphash.String(hashSeeds[0], where), maphash.String(hashSeeds[1], where)}
}

func (h keyHash) salted(by keyHash) keyHash { return keyHash{h[0] ^ by[0], h[1] ^ by[1]} }

// errManyKeys says that the deleted keys do not fit into memory.
type errManyKeys struct{ most int64 }

func (e *errManyKeys) Error() string {
	return fmt.Sprintf("the deleted keys take more than %d MiB of memory", e.most>>20)
}

// readKeys reads those deleted keys of the part that may reach one of the files, some files
// of them at a time.
func (r *reading) readKeys(ctx context.Context, files []*liveFile, part keyPart, parallel int) (*deletedKeys, error) {
	keys := &deletedKeys{most: r.most, part: part}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, d := range r.all.keys {
		if !slices.ContainsFunc(files, d.reaches) {
			continue
		}
		group := keys.groupOf(d)
		g.Go(func() error {
			if err := r.readKeyFile(ctx, keys, group, d); err != nil {
				return fmt.Errorf("read %s: %w", d.df.FilePath(), err)
			}
			return nil
		})
	}
	return keys, g.Wait()
}

// groupOf returns the group that a file of deleted keys belongs to.
func (k *deletedKeys) groupOf(d *liveFile) *keyGroup {
	ids := d.df.EqualityFieldIDs()
	at := slices.IndexFunc(k.groups, func(g *keyGroup) bool { return slices.Equal(g.ids, ids) })
	if at < 0 {
		at = len(k.groups)
		k.groups = append(k.groups, &keyGroup{ids: ids})
	}
	g := k.groups[at]
	g.all, g.some = g.all || d.where == "", g.some || d.where != ""
	return g
}

// readKeyFile adds the keys of a file. It is read as a file of rows that has no more columns,
// so that they come in the types that the table has now.
func (r *reading) readKeyFile(ctx context.Context, keys *deletedKeys, g *keyGroup, d *liveFile) error {
	names, err := columnsOf(r.tbl.Schema(), g.ids)
	if err != nil {
		return err
	}
	scan := r.tbl.Scan(table.WithSelectedFields(names...), table.WithMaxConcurrency(1), table.WithArrowBatchSize(readRows))
	sc, err := scan.Projection()
	if err != nil {
		return err
	}
	hasher, err := hasherOf(sc, g.ids)
	if err != nil {
		return err
	}
	_, recs, err := scan.ReadTasks(ctx, []table.FileScanTask{{File: d.df, Length: d.df.FileSizeBytes()}})
	if err != nil {
		return err
	}
	for rec, err := range recs {
		if err != nil {
			return err
		}
		err = keys.take(g, rec, hasher, d)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// columnsOf returns the names of columns by their ids.
func columnsOf(sc *iceberg.Schema, ids []int) ([]string, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		at := slices.IndexFunc(sc.Fields(), func(f iceberg.NestedField) bool { return f.ID == id })
		if at < 0 {
			return nil, errors.New("it deletes rows by a column that the table no longer has")
		}
		names[i] = sc.Fields()[at].Name
	}
	return names, nil
}

// hasherOf returns what hashes the columns of these ids in rows that a scan of sc gives.
func hasherOf(sc *iceberg.Schema, ids []int) (*keyHasher, error) {
	names, err := columnsOf(sc, ids)
	if err != nil {
		return nil, err
	}
	src, err := asSource("", sc)
	if err != nil {
		return nil, err
	}
	src.Key = nil
	for _, name := range names {
		src.Key = append(src.Key, src.Index(name))
	}
	h := newKeyHasher(src)
	h.nulls = slices.ContainsFunc(src.Key, func(k int) bool { return src.Columns[k].Nullable })
	return h, nil
}

// take notes the keys of a batch.
func (k *deletedKeys) take(g *keyGroup, rec arrow.RecordBatch, hasher *keyHasher, d *liveFile) error {
	hashes, err := hasher.hash(rec)
	if err != nil {
		return err
	}
	seq, salt := rowRef(d.seq), saltOf(d.where) //nolint:gosec // from 1 up
	k.mu.Lock()
	defer k.mu.Unlock()
	before := g.index.bytes()
	for _, h := range hashes {
		if h = h.salted(salt); !k.part.has(h) {
			continue
		}
		if e := g.index.find(h); seq > e.ref {
			e.ref = seq
		}
	}
	if k.held += g.index.bytes() - before; k.held > k.most {
		return &errManyKeys{k.most}
	}
	return nil
}

// get returns what is known of h, 0 if nothing.
func (x *keyIndex) get(h keyHash) rowRef {
	if x.slots == nil {
		return 0
	}
	for i := h[0] >> (64 - x.bits); i < uint64(len(x.slots)) && x.slots[i].ref != 0; i++ {
		if x.slots[i].hash == h {
			return x.slots[i].ref
		}
	}
	return 0
}
