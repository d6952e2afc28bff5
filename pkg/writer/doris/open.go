package doris

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

var types = kept.Types{Same: alike, Widens: widens}

// look finds out what the table holds.
func (w *Writer) look(ctx context.Context) error {
	st, err := w.sink.load(ctx, w.db, w.name)
	if err != nil {
		return err
	}
	w.known, w.mark = st, st.Position
	return nil
}

// admit checks that the mode lets rows be written to what is there, and chooses what the
// table is to be.
func (w *Writer) admit(ctx context.Context) error {
	want, at, err := columnsOf(w.src)
	if err != nil {
		return err
	}
	if err := w.followable(); err != nil && kept.Follows(w.mode) {
		return err
	}
	m := w.known
	replaces := w.mode == writer.Replace
	w.fresh = false
	w.adds = w.mode == writer.Append || w.mode == writer.Evolve
	w.supersedes = replaces && m.Number > 0
	if m.Source == "" || replaces {
		return w.anew(ctx, want, w.names(at))
	}
	there, err := w.sink.exists(ctx, w.db, w.name)
	if err != nil {
		return err
	}
	if !there && m.Staged == "" {
		return hint.Wrap(fmt.Errorf("table %s is not there any more", w.place()), "copy it anew with snapshot --mode replace --tables %s", w.src)
	}
	if err := w.rules().GoesOn(m.Table, w.src, want); err != nil {
		return err
	}
	have := commented(m.Columns, want)
	columns := slices.Clone(have)
	if w.mode == writer.Evolve || w.mode == writer.Extend {
		if columns, err = types.Grown(have, want, w.mode == writer.Extend); err != nil {
			return writer.Unlike(hint.Wrap(fmt.Errorf("%s: %w", w.place(), err), "%s", w.rules().Remedy(w.src)))
		}
	}
	for i, c := range columns { // a VARCHAR may be longer than when it was made
		if own := kept.Find(want, c.Name); own != nil && widens(c.Type, own.Type) && alike(c.Type, own.Type) {
			columns[i].Type = own.Type
		}
	}
	if err := w.keyStays(have, columns, m.Key); err != nil {
		return writer.Unlike(err)
	}
	return w.use(have, columns, m.Key)
}

// commented are columns with the comments of the source's.
func commented(columns, source []kept.Column) []kept.Column {
	out := slices.Clone(columns)
	for i, c := range out {
		if own := kept.Find(source, c.Name); own != nil {
			out[i].Comment = own.Comment
		}
	}
	return out
}

// uncommented are columns without their comments, as the table of positions has them: its
// values may be a mebibyte, and a thousand comments more than that.
func uncommented(columns []kept.Column) []kept.Column {
	out := slices.Clone(columns)
	for i := range out {
		out[i].Comment = ""
	}
	return out
}

// followable checks that changes find their rows.
func (w *Writer) followable() error {
	if name := kept.Unkeyable(w.src, w.src.Key); name != "" {
		return hint.Wrap(fmt.Errorf("column %s of its key is of a type that cannot identify rows in Doris", name), "%s", w.rules().RowsAlone())
	}
	return nil
}

// keyStays leaves columns of the key as they are, and refuses what has no place in them.
func (w *Writer) keyStays(have, columns []kept.Column, key []string) error {
	for _, name := range key {
		h, c := kept.Find(have, name), kept.Find(columns, name)
		isTime := false
		if c != nil {
			_, isTime = timeDigits(c.Type)
		}
		switch {
		case h == nil || c == nil || declared(h.Type) == declared(c.Type) && (!isTime || h.Type == c.Type):
		case !isTime && widens(c.Type, declared(h.Type)):
			c.Type = h.Type
		default:
			return hint.Wrap(fmt.Errorf("%s: column %s of its key is %s in the table and %s at the source, and Doris cannot alter what a table is distributed by",
				w.place(), name, declared(h.Type), bare(c.Type)), "copy the table anew with snapshot --mode replace --tables %s", w.src)
		}
	}
	return nil
}

func (w *Writer) rules() kept.Rules {
	return kept.Rules{
		Types: types, Place: w.place(), Mode: w.mode, Elsewhere: "by another database in the sink's URL",
		AsChanges: "with --changelog or, where it has no key, --keyless append", AsRows: "without --changelog",
	}
}

func (w *Writer) names(at []int) []string {
	var names []string
	for _, i := range at {
		names = append(names, w.src.Columns[i].Name)
	}
	return names
}

// anew readies a table that is to be made, or whose content is to be exchanged, or that
// somebody else has made.
func (w *Writer) anew(ctx context.Context, want []kept.Column, key []string) error {
	w.fresh = true
	if w.mode == writer.Replace {
		return w.use(nil, want, key)
	}
	theirs, theirKey, err := w.theirs(ctx, want)
	if err != nil {
		return err
	}
	if theirs == nil {
		return w.use(nil, want, key)
	}
	if w.known.Number == 0 { // another run may have made it since that was found
		if err := w.look(ctx); err != nil {
			return err
		}
		if w.known.Number > 0 {
			return w.admit(ctx)
		}
	}
	if !w.adds {
		return hint.Wrap(fmt.Errorf("table %s is there, and was not made by Tablehaul", w.place()), "%s", w.rules().Remedy(w.src))
	}
	w.fresh = false
	columns := theirs
	if w.mode == writer.Evolve {
		columns, err = types.Grown(theirs, want, false)
	} else if diff := types.Diff(theirs, want, true); diff != "" {
		err = fmt.Errorf("another shape than the source's table: %s", diff)
	}
	if err != nil {
		return hint.Wrap(fmt.Errorf("%s: %w", w.place(), err), "--mode replace exchanges the content and the columns")
	}
	if err := w.keyStays(theirs, columns, theirKey); err != nil {
		return err
	}
	return w.use(theirs, columns, theirKey)
}

// theirs are the columns of a table that this program knows nothing of, and its unique key.
func (w *Writer) theirs(ctx context.Context, want []kept.Column) (columns []kept.Column, key []string, err error) {
	rows, err := w.sink.store.sql.read(ctx, "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_KEY, COLUMN_COMMENT FROM information_schema.columns WHERE TABLE_SCHEMA = "+
		text(w.db)+" AND TABLE_NAME = "+text(w.name)+" ORDER BY ORDINAL_POSITION")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		c := kept.Column{Name: r[0], Type: strings.ToLower(r[1]), Nullable: r[2] == "YES", Comment: r[4]}
		if c.Type == "text" {
			c.Type = "string"
		}
		for _, own := range want {
			if strings.EqualFold(columnName(own.Name), c.Name) {
				c.Name = own.Name
				if declared(own.Type) == c.Type {
					c.Type = own.Type
				}
			}
		}
		if r[3] == "UNI" {
			key = append(key, c.Name)
		}
		columns = append(columns, c)
	}
	return columns, key, nil
}

// use takes over what the table is to be, and works out how batches become its rows.
func (w *Writer) use(have, columns []kept.Column, key []string) error {
	w.have, w.columns, w.key = have, columns, key
	var names []string
	w.plan = nil
	for _, c := range ordered(columns, key) {
		from := w.src.Index(c.Name)
		e := encoded{name: c.Name, from: from, shape: strings.HasPrefix(c.Type, asWKT)}
		if from >= 0 {
			var err error
			if e.bind, err = bindOf(w.src.Columns[from].Arrow, c.Type); err != nil {
				return fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
		w.plan = append(w.plan, e)
		names = append(names, quoted(columnName(c.Name)))
	}
	w.keyAt = nil
	for _, c := range w.plan[:len(key)] {
		w.keyAt = append(w.keyAt, c.from)
	}
	w.loads = strings.Join(names, ",")
	return nil
}

// alter brings the table that is there into the columns that rows need.
func (w *Writer) alter(ctx context.Context) error {
	if slices.Equal(w.have, w.columns) {
		return nil
	}
	if err := w.keepComments(ctx); err != nil {
		return err
	}
	for _, statement := range alterations(w.db, w.name, w.have, w.columns) {
		for {
			_, err := w.sink.store.sql.read(ctx, statement)
			busy := refusedWith(err, "is not NORMAL") // with an alteration of another run
			// A run that was stopped may have done so.
			if err != nil && !busy && !refusedWith(err, "already exists", "Nothing is changed") {
				return fmt.Errorf("alter the table: %w", err)
			}
			if err := w.altered(ctx, err == nil); err != nil {
				return err
			}
			if !busy {
				break
			}
		}
	}
	w.have = w.columns
	return nil
}

// keepComments has columns that are there keep the comments that they have in Doris: to alter one
// is to declare it anew.
func (w *Writer) keepComments(ctx context.Context) error {
	if len(alterations(w.db, w.name, w.have, w.columns)) == 0 {
		return nil
	}
	there, _, err := w.theirs(ctx, w.columns)
	if err != nil {
		return err
	}
	w.columns = slices.Clone(w.columns)
	for i, c := range w.columns {
		if own := kept.Find(there, c.Name); own != nil && own.Comment != "" {
			w.columns[i].Comment = own.Comment
		}
	}
	return nil
}

// altered waits until a change of columns is done that Doris makes in the background, which may
// take as long as the table is large. That one was given up is an error if it is ours.
func (w *Writer) altered(ctx context.Context, ours bool) error {
	began := time.Now()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		var names []string
		var rows [][]string
		err := w.sink.store.patiently(ctx, func() (bool, error) {
			var err error
			names, rows, err = w.sink.store.sql.table(ctx, "SHOW ALTER TABLE COLUMN FROM "+quoted(w.db)+" WHERE TableName = "+text(w.name)+" ORDER BY CreateTime DESC LIMIT 1")
			return !hint.IsTransient(err), err
		})
		if err != nil {
			return fmt.Errorf("look how far the change of columns is: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		at := func(name string) string {
			if i := slices.Index(names, name); i >= 0 {
				return rows[0][i]
			}
			return ""
		}
		switch at("State") {
		case "FINISHED":
			return nil
		case "CANCELLED":
			if !ours {
				return nil
			}
			return fmt.Errorf("alter the table: Doris has given it up: %s", at("Msg"))
		}
		if took := time.Since(began); took > warnAfter {
			w.sink.store.warnOf(fmt.Sprintf("waiting for Doris, which alters %s for %s now (SHOW ALTER TABLE COLUMN tells more)", w.place(), took.Round(time.Second)))
		}
		if err := sleep(ctx, min(wait, time.Second)); err != nil {
			return err
		}
	}
}
