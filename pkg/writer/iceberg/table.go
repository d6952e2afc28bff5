package iceberg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/naming"
)

// plan readies the writer for a table that does not exist yet.
func (w *Writer) plan(ctx context.Context) error {
	w.exists, w.pos, w.last, w.schema = false, "", "", w.want
	var err error
	if w.layout, w.props, err = w.newTable(); err != nil {
		return err
	}
	ns := catalog.NamespaceFromIdent(w.ident)
	w.sink.mu.Lock()
	home := w.sink.homes[strings.Join(ns, "\x00")]
	w.sink.mu.Unlock()
	if home == "" {
		return nil // the catalog tells at the first Write
	}
	w.location = home + "/" + naming.Folder(catalog.TableNameFromIdent(w.ident))
	w.st, err = w.sink.storageAt(ctx, w.location)
	return err
}

func newTableProperties(t *schema.Table) iceberg.Properties {
	p := iceberg.Properties{
		sourceProperty: t.String(),
		// iceberg-go's default, copy on write, brings rows back that equality
		// deletes have removed (iceberg-go#2042).
		"write.delete.mode": "merge-on-read",
		// Its default, serializable, takes any concurrent append for a conflict.
		"write.delete.isolation-level": "snapshot",
		// Each commit of a stream writes the metadata anew, with all snapshots.
		table.MetadataDeleteAfterCommitEnabledKey: "true",
		table.MetadataPreviousVersionsMaxKey:      "20",
	}
	if t.Comment != "" {
		p["comment"] = t.Comment
	}
	return p
}

// adopt takes over what the catalog says of an existing table and checks that
// the mode allows to write to it.
func (w *Writer) adopt(ctx context.Context, tbl *table.Table) error {
	w.note(tbl)
	if err := w.admit(tbl); err != nil {
		return err
	}
	if err := w.compareLayout(); err != nil {
		return err
	}
	if w.sink.kind == embedded {
		if err := w.sink.syncHint(ctx, w.ident, w.location); err != nil {
			return err
		}
	}
	if w.st != nil {
		return nil
	}
	if !w.sink.rest {
		var err error
		w.st, err = w.sink.storageAt(ctx, w.location)
		return err
	}
	return w.storeOf(ctx, tbl)
}

// admit checks that the mode allows to write to a table that is there.
func (w *Writer) admit(tbl *table.Table) error {
	if w.pos != "" {
		if err := w.goesOn(tbl); err != nil {
			return err
		}
	}
	if err := w.widen(tbl.Schema()); err != nil {
		return err
	}
	if err := w.reshape(tbl); err != nil {
		return err
	}
	if w.mode != writer.Create || w.pos == "" {
		return w.fits(tbl)
	}
	return nil
}

// goesOn checks that a table that holds a position is what the source's has become
// since, or may become it.
func (w *Writer) goesOn(tbl *table.Table) error {
	same := w.mode == writer.Create || w.follows()
	if src := w.props[sourceProperty]; same && src != "" && src != w.src.String() {
		return w.otherSource(src)
	}
	if err := w.sameKind(tbl.Schema()); err != nil || !same {
		return err
	}
	if err := w.sameRows(); err != nil {
		return err
	}
	if w.mode == writer.Extend {
		if countedRows(tbl) == 0 {
			return nil
		}
		return w.sameKey()
	}
	// Left alone, it would pass for what the source holds. Many types of the source
	// are one type here.
	diff := cmp.Or(w.misfit(tbl.Schema()), w.src.Since(w.props[shapeProperty]))
	switch {
	case diff == "":
		return nil
	case w.mode == writer.Create:
		err := fmt.Errorf("table %s is whole since an earlier run, but the source's has changed its shape: %s", w.name(), diff)
		return w.tableError(hint.Wrap(err, exchange))
	case w.src.IsChangelog():
		return w.tableError(writer.Unlike(hint.Wrap(fmt.Errorf("its shape at the source has changed since it was last followed: %s", diff), dropFirst)))
	}
	return w.tableError(writer.Unlike(hint.Wrap(fmt.Errorf("its shape at the source is not the one that the table was last copied or followed in: %s", diff), "%s", w.copyAnew())))
}

// otherSource says that the table is another one's of the source.
func (w *Writer) otherSource(src string) error {
	err := fmt.Errorf("%s exists and was made from %s", w.name(), src)
	return w.tableError(hint.Wrap(err, "name another namespace for one of them in the sink's URL"))
}

// sameKind tells tables of rows from tables in which each change is a row.
func (w *Writer) sameKind(have *iceberg.Schema) error {
	pos := schema.MetaPos.Column() // rows may have the others too, by --meta
	_, log := fieldByName(have, pos)
	_, own := fieldByName(w.want, pos) // of the source's, or of its changes
	switch {
	case log && !own:
		return w.tableError(hint.Wrap(fmt.Errorf("table %s holds a row for each change, and not the source's rows", w.name()),
			"follow it with tail and the flag that it was made with, --changelog or --keyless append, or write to another ?namespace=… of the sink"))
	case !log && w.src.IsChangelog():
		return w.tableError(hint.Wrap(fmt.Errorf("table %s holds the source's rows, and not a row for each change", w.name()),
			"write to another ?namespace=… of the sink, or follow it without --changelog and --keyless append"))
	}
	return nil
}

// storeOf takes the storage that a REST catalog gives with the table.
func (w *Writer) storeOf(ctx context.Context, tbl *table.Table) error {
	f, err := tbl.FS(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if w.st, err = storageOf(f); err == nil {
		w.lease = &lease{load: w.reload, term: w.sink.leaseTerm, io: f, from: time.Now()}
		w.st.renew = func(ctx context.Context) (iceio.IO, error) { return w.lease.current(w.sink.shared(ctx)) }
	}
	return err
}

// reload loads the table, whoever asks for what is with it.
func (w *Writer) reload(ctx context.Context) (*table.Table, error) {
	ctx, cancel := context.WithTimeout(ctx, min(w.sink.retry.timeout, leaseTimeout))
	defer cancel()
	return w.sink.cat.LoadTable(ctx, w.ident)
}

// note remembers the state of the table.
func (w *Writer) note(tbl *table.Table) {
	w.unborn = w.isBare(tbl)
	w.exists, w.uuid, w.sequence = true, tbl.Metadata().TableUUID(), tbl.Metadata().LastSequenceNumber()
	w.props, w.location = tbl.Properties(), tbl.Location()
	w.pos, w.last = batch.Position(w.props[positionProperty]), w.props[commitProperty]
	w.schema, w.was = tbl.Schema(), nil
	w.layout = layoutOf(tbl.Metadata())
	w.stale = false
}

// What can be done where a table is in the way.
const (
	exchange  = "--mode replace exchanges its content and its columns in one commit"
	dropFirst = "drop the table with a client of the catalog, such as PyIceberg's drop_table, or add ?namespace=… to the sink's URL"
)

// copyAnew is the remedy of a table that can be followed once it is copied anew.
func (w *Writer) copyAnew() string {
	return fmt.Sprintf("copy the table anew with snapshot --mode replace --tables %s, unless that has just been done, then run the same command again", w.src)
}

// remedy is what can be done where the table has another shape.
func (w *Writer) remedy(have *iceberg.Schema) string {
	switch _, diff := evolved(have, w.want, 0); {
	case w.src.IsChangelog():
		return dropFirst
	case w.mode == writer.Extend:
		return dropFirst
	case w.mode == writer.Follow:
		return w.copyAnew()
	case w.mode == writer.Append && diff == "":
		return "--mode evolve adapts its columns and adds the rows; --mode replace exchanges its content too"
	}
	return exchange
}

// misfit tells what keeps the source's rows from being added to a table; "" if
// nothing does. Columns that the source has no longer are no obstacle where the
// last run has seen to them.
func (w *Writer) misfit(have *iceberg.Schema) string {
	shape := w.props[shapeProperty]
	return shapeDiff(have, w.want, w.mode == writer.Evolve || w.mode == writer.Extend || shape != "" && w.src.Since(shape) == "")
}

// fits checks that rows of the source can be put into an existing table.
func (w *Writer) fits(tbl *table.Table) error {
	if tbl.CurrentSnapshot() != nil && w.pos == "" {
		switch {
		case w.mode == writer.Create:
			return w.tableError(hint.Wrap(fmt.Errorf("table %s exists", w.name()),
				"add to it with --mode append, or exchange its content with --mode replace"))
		case w.follows():
			return w.tableError(hint.Wrap(fmt.Errorf("table %s exists and was not made by tablehaul", w.name()),
				"%s, then run the same command again, or add ?namespace=… to the sink's URL", w.wholly("exchange its content")))
		}
	}
	have := tbl.Schema()
	if w.was != nil {
		have = w.schema // by then
	}
	if diff := w.misfit(have); diff != "" {
		return w.tableError(writer.Unlike(hint.Wrap(fmt.Errorf("table %s has another shape: %s", w.name(), diff), "%s", w.remedy(have))))
	}
	v := tbl.Metadata().Version()
	if v < formatVersion && (w.mode == writer.Create || w.follows()) { // it cannot hold deletes
		return w.tableError(hint.Wrap(fmt.Errorf("table %s is of format version %d, which cannot take changes", w.name(), v),
			"exchange its content with snapshot --mode replace --tables %s, which upgrades it, or set its property format-version to 2 with a client of the catalog", w.src))
	}
	if v > maxVersion {
		return w.tableError(hint.Wrap(fmt.Errorf("table %s is of format version %d, and only those up to %d are written", w.name(), v, maxVersion), dropFirst))
	}
	return nil
}

// createBare creates the table, empty and without a position, because only the
// catalog knows where its files go, or because it commits several tables at once
// only if they exist. A run that dies leaves it so, and the next
// one goes on with it.
func (w *Writer) createBare(ctx context.Context) error {
	props := maps.Clone(w.props)
	props[table.PropertyFormatVersion] = strconv.Itoa(w.layout.version)
	asked := w.layout
	options := []catalog.CreateTableOpt{catalog.WithProperties(props), catalog.WithPartitionSpec(&asked.spec), catalog.WithSortOrder(asked.order)}
	if w.location != "" { // it has files there already
		options = append(options, catalog.WithLocation(w.location))
	}
	tbl, err := w.sink.cat.CreateTable(ctx, w.ident, w.want, options...)
	w.sink.present.forget()
	if errors.Is(err, catalog.ErrTableAlreadyExists) {
		return w.joinBare(ctx, err)
	}
	if err != nil {
		return err
	}
	if !sameIDs(tbl.Schema(), w.schema) {
		return errors.New("the catalog has numbered the columns in another way than is usual")
	}
	w.note(tbl)
	w.ours = true
	if err := w.layout.same(asked, w.schema); err != nil {
		return fmt.Errorf("the catalog has made another table than was asked for: %w", err)
	}
	return w.storeOf(ctx, tbl)
}

// isBare reports whether the table is one that createBare has made, of whatever shape,
// and that nobody has committed to.
func (w *Writer) isBare(tbl *table.Table) bool {
	p := tbl.Properties()
	return tbl.CurrentSnapshot() == nil && p[positionProperty] == "" && p[commitProperty] == "" && p[sourceProperty] == w.src.String()
}

// exchanges reports whether the next commit may give the table another shape and layout
// in place of its own, as there are no rows that it would keep.
func (w *Writer) exchanges() bool { return w.mode == writer.Replace || w.unborn }

// sameIDs reports whether columns of one name have one id.
func sameIDs(a, b *iceberg.Schema) bool {
	for _, f := range a.Fields() {
		if g, ok := fieldByName(b, f.Name); !ok || f.ID != g.ID {
			return false
		}
	}
	return true
}

// probeBare creates the table and tries again what has failed with cause.
func (w *Writer) probeBare(ctx context.Context, cause error) error {
	if err := w.createBare(ctx); hint.IsTransient(err) {
		return err
	} else if err != nil {
		return cause
	}
	if err := w.sink.probe(ctx, w); err != nil {
		w.leaveBare()
		return cause
	}
	return nil
}

// leaveBare tells of a table that createBare made and nothing was committed to. It stays,
// and the next run goes on with it: a catalog cannot be asked to drop a table only if it
// is empty, and of one that another run has just committed to the rows would go.
func (w *Writer) leaveBare() {
	if w.ours {
		w.ours = false
		w.sink.warn(w.name() + " was made and stays, empty: the next run goes on with it")
	}
}
