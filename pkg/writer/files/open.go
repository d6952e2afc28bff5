package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
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
		if err := w.rules().SameSource(m.Table, w.src); err != nil {
			return err
		}
		w.fresh = true
		return errors.Join(w.sameForm(), w.use(m.Format, m.Compression, m.Header, m.Partition, want))
	}
	if err := w.rules().GoesOn(m.Table, w.src, want); err != nil {
		return err
	}
	if err := w.sameForm(); err != nil {
		return err
	}
	columns := m.Columns
	if w.mode == writer.Evolve || w.mode == writer.Extend {
		if columns, err = fileTypes.Grown(m.Columns, want, w.mode == writer.Extend); err != nil {
			return writer.Unlike(hint.Wrap(fmt.Errorf("%s: %w", w.place(), err), "%s", w.rules().Remedy(w.src)))
		}
	}
	return w.use(m.Format, m.Compression, m.Header, m.Partition, columns)
}

// anew readies a table that is to be made, or whose content is to be exchanged.
func (w *Writer) anew(ctx context.Context, want []kept.Column) error {
	if err := w.foreign(ctx); err != nil {
		// Unless they are of a run that has made the table since it was looked at.
		if err2 := w.look(ctx); err2 != nil || w.known.Number == 0 {
			return errors.Join(err, err2)
		}
		return w.admit(ctx)
	}
	if w.known.Number > 0 && w.known.IsChangelog() && kept.Find(want, schema.MetaPos.Column()) == nil {
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
func (w *Writer) begin(want []kept.Column) error {
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

// keyable refuses changes by a key that cannot identify rows.
func (w *Writer) keyable() error {
	name := kept.Unkeyable(w.src, w.src.Key)
	if name == "" || !w.follows() {
		return nil
	}
	remedy := "write its changes, without --latest, or leave the table out with --exclude"
	if w.known.Number > 0 && !w.known.IsChangelog() { // changes do not go with rows
		remedy = w.rules().RowsAlone()
	}
	return hint.Wrap(fmt.Errorf("column %s of its key is of a type that cannot identify rows", name), "%s", remedy)
}

// rules are those by which the table that is there is gone on with.
func (w *Writer) rules() kept.Rules {
	return kept.Rules{
		Types: fileTypes, Mode: w.mode, Place: w.place(), Elsewhere: "by ?namespace=… in the sink's URL",
		Home: "folder", Anew: "remove its folder, with what is in it", Adapts: "where text and Parquet allow it",
		RowsStay: w.known.Format == ParquetLegacy,
	}
}

// follows reports whether changes are written to the table from where it is.
func (w *Writer) follows() bool { return kept.Follows(w.mode) }
