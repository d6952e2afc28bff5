package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// look finds out what the table holds, and completes what a run that was stopped has
// committed and not published.
func (w *Writer) look(ctx context.Context) error {
	m, err := w.sink.load(ctx, w.dir)
	if err != nil {
		return err
	}
	w.known, w.mark, w.gen = m, m.Position, cmp.Or(m.Generation, firstGeneration)
	if w.mode == writer.Replace && m.Number > 0 {
		w.gen = w.sink.newGeneration(m.Generation)
	}
	return nil
}

// admit checks that the mode lets rows be written to what is there, and chooses what the
// table is to be.
func (w *Writer) admit(ctx context.Context) error {
	want, err := columnsOf(w.src)
	if err != nil {
		return err
	}
	m := w.known
	w.replaces = w.mode == writer.Replace
	w.supersedes = w.replaces && m.Number > 0
	w.adds = w.mode == writer.Append || w.mode == writer.Evolve
	if err := w.keyable(); err != nil {
		return err
	}
	if m.Number == 0 || w.replaces {
		return w.anew(ctx, want)
	}
	if err := w.contentThere(ctx); err != nil {
		return err
	}
	if w.mode == writer.Extend && m.Rows == 0 { // whatever shape it had
		if m.Source != w.src.String() {
			return w.ofAnother()
		}
		w.fresh = true
		return errors.Join(w.sameForm(), w.use(m.Format, m.Compression, m.Header, m.Partition, want))
	}
	if err := w.goesOn(want); err != nil {
		return err
	}
	if err := w.sameForm(); err != nil {
		return err
	}
	columns := m.Columns
	if w.mode == writer.Evolve || w.mode == writer.Extend {
		if columns, err = grown(m.Columns, want, w.mode == writer.Extend); err != nil {
			return hint.Wrap(fmt.Errorf("%s: %w", w.place(), err), "%s", w.remedy())
		}
	}
	return w.use(m.Format, m.Compression, m.Header, m.Partition, columns)
}

// anew readies a table that is to be made, or whose content is to be exchanged.
func (w *Writer) anew(ctx context.Context, want []column) error {
	if err := w.foreign(ctx); err != nil {
		// Unless they are of a run that has made the table since it was looked at.
		if err2 := w.look(ctx); err2 != nil || w.known.Number == 0 {
			return errors.Join(err, err2)
		}
		return w.admit(ctx)
	}
	if op := schema.MetaOp.Column(); w.known.Number > 0 && find(w.known.Columns, op) != nil && find(want, op) == nil {
		w.sink.opts.Warn(fmt.Sprintf("%s holds a row for each change: the source's rows take their place, and the changes are gone with the replace after this one", w.place()))
	}
	return w.begin(want)
}

// contentThere looks for the folder of the content that the table is said to have: some are
// removed by hand.
func (w *Writer) contentThere(ctx context.Context) error {
	m := w.known
	if len(m.Files) == 0 {
		return nil
	}
	gone := w.sink.store.there(ctx, path.Join(w.dir, m.Generation))
	if !errors.Is(gone, fs.ErrNotExist) {
		return gone
	}
	if shown, err := w.sink.manifest(ctx, w.dir); err != nil || shown.Number != m.Number {
		return err // it is about to be shown
	}
	return lost(gone)
}

func (w *Writer) place() string { return w.sink.store.url(w.dir) }

// foreign refuses a folder that somebody else has filled.
func (w *Writer) foreign(ctx context.Context) error {
	if w.known.Number > 0 {
		return nil
	}
	found, err := w.sink.store.list(ctx, w.dir)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.name != hidden && !strings.HasPrefix(f.name, ".") {
			return errForeign(w.place())
		}
	}
	return nil
}

// begin chooses what a table is to be that is made, or whose content is exchanged.
func (w *Writer) begin(want []column) error {
	o, m := w.sink.opts, w.known
	w.fresh = true
	// Content that is exchanged keeps the form that it had, but for what is asked for.
	format := cmp.Or(o.Format, m.Format, Parquet)
	compression, header := o.Compression, o.Header
	if compression == "" {
		compression = format.compression()
	}
	if format == m.Format {
		compression, header = cmp.Or(o.Compression, m.Compression), o.Header || m.Header
	}
	return w.use(format, compression, header, cmp.Or(o.Partition(w.src), m.Partition), want)
}

// sameForm checks that what was asked for is what the table is.
func (w *Writer) sameForm() error {
	o, m := w.sink.opts, w.known
	var was, is string
	switch asked := o.Partition(w.src); {
	case o.Format != "" && o.Format != m.Format:
		was, is = string(m.Format), string(o.Format)
	case o.Compression != "" && o.Compression != m.Compression:
		was, is = "compressed by "+m.Compression, o.Compression
	case asked != "" && asked != m.Partition:
		was, is = fmt.Sprintf("in folders %q", m.Partition), fmt.Sprintf("%q", asked)
	case o.Header && !m.Header:
		was, is = "without a header", "one"
	default:
		return nil
	}
	return hint.Wrap(fmt.Errorf("the files in %s are %s, and %s is asked for", w.place(), was, is),
		"leave the option out to go on with what is there; snapshot --mode replace writes the table anew")
}

// goesOn checks that a table is what the source's has become since, or may become it.
func (w *Writer) goesOn(want []column) error {
	m := w.known
	same := w.mode == writer.Create || w.follows()
	if same && m.Source != w.src.String() {
		return w.ofAnother()
	}
	if err := w.sameKind(want); err != nil {
		return err
	}
	if same && m.Filter != w.src.Filter {
		return hint.Wrap(fmt.Errorf("%s holds the rows %s, and those %s are asked for", w.place(), rowsBy(m.Filter), rowsBy(w.src.Filter)), "%s", w.remedy())
	}
	if w.follows() && m.RowsAdded != "" && !w.src.IsChangelog() {
		return hint.Wrap(fmt.Errorf("--mode %s has added rows to those of %s, which may be there twice", m.RowsAdded, w.place()), "%s", w.remedy())
	}
	since := w.src.Since(m.Shape)
	diff := ""
	switch w.mode {
	case writer.Extend:
		diff = w.src.KeySince(m.Shape)
	case writer.Create, writer.Follow:
		diff = cmp.Or(shapeDiff(m.Columns, want, since == ""), since)
	case writer.Append:
		diff = shapeDiff(m.Columns, want, since == "")
	}
	if diff == "" {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%s has another shape than the source's table: %s", w.place(), diff), "%s", w.remedy())
}

func (w *Writer) ofAnother() error {
	return hint.Wrap(fmt.Errorf("%s was made from %s", w.place(), w.known.Source), "name another folder for one of them by ?namespace=… in the sink's URL")
}

// keyable refuses changes by a key that cannot identify rows.
func (w *Writer) keyable() error {
	name := unkeyable(w.src, w.src.Key)
	if name == "" || !w.follows() {
		return nil
	}
	remedy := "write its changes, without --latest, or leave the table out with --exclude"
	if w.known.Number > 0 && find(w.known.Columns, schema.MetaOp.Column()) == nil { // changes do not go with rows
		remedy = rowsAlone
	}
	return hint.Wrap(fmt.Errorf("column %s of its key is of a type that cannot identify rows", name), "%s", remedy)
}

// rowsAlone is what can be done about rows of a table that cannot be followed by them.
const rowsAlone = "leave the table out with --exclude, or write its changes elsewhere, without --latest, by ?namespace=… in the sink's URL"

// unkeyable returns the column of a key that cannot identify rows, or "".
func unkeyable(t *schema.Table, key []int) string {
	for _, k := range key {
		switch c := t.Columns[k]; c.Arrow.ID() {
		case arrow.FLOAT32, arrow.FLOAT64, arrow.LIST:
			return c.Name
		}
	}
	return ""
}

func rowsBy(filter string) string {
	if filter == "" {
		return "without --where"
	}
	return "where " + filter
}

// sameKind tells tables of rows from tables in which each change is a row.
func (w *Writer) sameKind(want []column) error {
	op := schema.MetaOp.Column()
	log, own := find(w.known.Columns, op) != nil, find(want, op) != nil
	switch {
	case log && !own:
		return hint.Wrap(fmt.Errorf("%s holds a row for each change, and not the source's rows", w.place()),
			"tail and dump go on with it, without --latest; or write elsewhere, by ?namespace=… in the sink's URL")
	case !log && own:
		remedy := "follow it with --latest, or write elsewhere, by ?namespace=… in the sink's URL"
		if len(w.src.RowKey) == 0 || unkeyable(w.src, w.src.RowKey) != "" || w.known.Format == ParquetLegacy {
			remedy = rowsAlone
		}
		return hint.Wrap(fmt.Errorf("%s holds the source's rows, and not a row for each change", w.place()), "%s", remedy)
	}
	return nil
}

// remedy is what can be done where a table cannot be gone on with.
func (w *Writer) remedy() string {
	switch {
	case w.src.IsChangelog(), w.mode == writer.Extend:
		return "leave the table out with --exclude, or write elsewhere, by ?namespace=… in the sink's URL; to begin anew here, remove its folder, with what is in it"
	case w.mode == writer.Append:
		return "--mode evolve adapts the columns, where text and Parquet allow it, and adds the rows; --mode replace exchanges the content"
	case w.mode == writer.Create, w.mode == writer.Evolve:
		return "--mode replace exchanges the content and the columns"
	}
	return fmt.Sprintf("copy the table anew with snapshot --mode replace --tables %s, then run the same command again", w.src)
}

// follows reports whether changes are written to the table from where it is.
func (w *Writer) follows() bool { return w.mode == writer.Follow || w.mode == writer.Extend }
