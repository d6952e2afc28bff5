package doris

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

var _ writer.Scanner = (*Sink)(nil)

const (
	// scanTime is how long Doris may take for all rows of a table.
	scanTime = 24 * time.Hour
	// So many rows, or bytes, are handed on at once.
	scanRows  = 4096
	scanBytes = 8 << 20
)

// Scan asks for the rows by one query, over one connection, whatever parallel says. What the
// query sees is of one moment. The position is that of the last commit before: rows may be those of a
// commit that has come between the two, for nothing in Doris tells of which one they are. JSON is as
// Doris prints it, which is not as MySQL does.
func (s *Sink) Scan(ctx context.Context, t *schema.Table, _ int, rows func(goroutine int, b arrow.RecordBatch) error) (batch.Position, error) {
	sc := &scan{sink: s, table: t, rows: rows}
	sc.db, sc.name = s.place(t)
	pos, err := sc.run(ctx)
	var own *schema.TableError
	if err != nil && ctx.Err() == nil && !errors.As(err, &own) {
		err = fmt.Errorf("read %s.%s: %w", sc.db, sc.name, err)
	}
	return pos, err
}

// A scan is one Scan.
type scan struct {
	sink     *Sink
	table    *schema.Table
	db, name string
	rows     func(goroutine int, b arrow.RecordBatch) error

	builder *batch.Builder
	values  []valueFunc // of each column
	handed  bool        // rows were called
}

func (sc *scan) run(ctx context.Context) (batch.Position, error) {
	if sc.table.IsChangelog() {
		return "", sc.refuse(errors.New("a table that has a row for each change is not read again"))
	}
	var pos batch.Position
	err := sc.sink.store.patiently(ctx, func() (bool, error) {
		st, err := sc.held(ctx)
		if err != nil {
			return !hint.IsTransient(err), err
		}
		if st.Source == "" { // there is none, or all of it was taken back
			pos = ""
			return true, nil
		}
		pos = st.Position
		if err = sc.read(ctx, st); err == nil {
			return true, nil
		}
		pos = ""
		if sc.handed || hint.IsTransient(err) {
			return sc.handed, err
		}
		// Unless the table has become another one meanwhile.
		now, err2 := sc.sink.store.read(ctx, sc.db, sc.name)
		return err2 != nil || now.Number == st.Number, err
	})
	return pos, err
}

func (sc *scan) refuse(err error) error {
	return &schema.TableError{Table: sc.table.String(), Err: err}
}

// held is what the table holds for its readers.
func (sc *scan) held(ctx context.Context) (*state, error) {
	s := sc.sink
	st, err := s.load(ctx, sc.db, sc.name)
	if err != nil || st.Source == "" {
		return st, err
	}
	if s.opts.Look {
		return sc.looked(ctx, st)
	}
	for _, l := range st.Loads {
		if err := s.store.seen(ctx, sc.db, l.Label); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// looked is the commit before if what the last one brings is not seen for sure: who only looks
// shows none of it.
func (sc *scan) looked(ctx context.Context, st *state) (*state, error) {
	s := sc.sink
	if st.Shown || st.Before == nil {
		return st, nil
	}
	if st.Staged != "" {
		comment, _, err := s.store.comment(ctx, sc.db, sc.name)
		if err == nil && !strings.HasSuffix(comment, "("+st.Staged+")") {
			st = st.Before
		}
		return st, err
	}
	for _, l := range st.Loads {
		if state, err := s.store.state(ctx, sc.db, l.Label); err != nil || state != "VISIBLE" {
			return st.Before, ctx.Err()
		}
	}
	return st, nil
}

// query is the one for the table's columns.
func (sc *scan) query(st *state) (string, error) {
	if st.IsChangelog() {
		return "", sc.refuse(fmt.Errorf("%s.%s holds a row for each change, and not the source's rows", sc.db, sc.name))
	}
	var err error
	if sc.builder, err = batch.NewBuilder(sc.table, memory.DefaultAllocator); err != nil {
		return "", sc.refuse(err)
	}
	sc.values = nil
	names := make([]string, len(sc.table.Columns))
	for i, c := range sc.table.Columns {
		own := kept.Find(st.Columns, c.Name)
		if own == nil {
			return "", sc.refuse(fmt.Errorf("%s.%s has no column %s", sc.db, sc.name, c.Name))
		}
		value := valueFuncOf(bare(own.Type), c.Arrow, sc.builder.Columns[i])
		if value == nil {
			return "", sc.refuse(fmt.Errorf("column %s is %s in %s.%s, of which no value is one of %s", c.Name, declared(own.Type), sc.db, sc.name, c.Native))
		}
		sc.values = append(sc.values, value)
		names[i] = quoted(columnName(own.Name))
		if own.Type == "float" { // some versions print fewer digits than tell all values apart
			names[i] = "CAST(" + names[i] + " AS DOUBLE)"
		}
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM " + quoted(sc.db, sc.name), nil
}

// read asks for the rows, and hands them on.
func (sc *scan) read(ctx context.Context, st *state) error {
	query, err := sc.query(st)
	if err != nil {
		return err
	}
	err = sc.sink.store.sql.streamFields(ctx, query, scanTime, func(fields []mysql.FieldValue) error {
		if err := sc.add(fields); err != nil {
			return err
		}
		if sc.builder.Rows() < scanRows && sc.builder.Bytes() < scanBytes {
			return nil
		}
		return errors.Join(ctx.Err(), sc.hand())
	})
	if absent(err) {
		return sc.refuse(hint.Wrap(fmt.Errorf("table %s.%s is not there any more: %w", sc.db, sc.name, err), "copy it anew with snapshot --mode replace --tables %s", sc.table))
	}
	if err == nil && sc.builder.Rows() > 0 {
		err = sc.hand()
	}
	return err
}

// add takes a row.
func (sc *scan) add(fields []mysql.FieldValue) error {
	if len(fields) != len(sc.values) {
		return fmt.Errorf("a row has %d values, of %d columns", len(fields), len(sc.values))
	}
	size := 0
	for i := range fields {
		f := &fields[i]
		if f.Type == mysql.FieldValueTypeNull {
			sc.builder.Columns[i].Null()
			continue
		}
		n, err := sc.values[i](f)
		if err != nil {
			return sc.refuse(fmt.Errorf("column %s: %w", sc.table.Columns[i].Name, err))
		}
		size += n
	}
	sc.builder.EndRow(size)
	return nil
}

func (sc *scan) hand() error {
	b := sc.builder.Batch()
	defer b.Release()
	sc.handed = true
	return sc.rows(0, b.Rows)
}
