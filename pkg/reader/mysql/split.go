package mysql

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Splits cuts the table along its primary key. Every comparison of keys is the
// server's own, so collations and padding cannot put a row on both sides of a
// bound or on neither; the splits are (−∞,b1], (b1,b2] … (bn,∞), so rows that
// come or go meanwhile cannot fall between two of them either.
//
// Integer keys are halved in value until the server's estimate of what lies
// between is small enough, which asks only for index dives. Other keys are
// walked with ORDER BY and OFFSET. A table without a usable key is one split.
func (p *snapshot) Splits(ctx context.Context, t *schema.Table) ([]reader.Split, error) {
	if err := p.altered[t.String()]; err != nil {
		return nil, err
	}
	// A user with grants on some columns sees only those listed. What * stands
	// for is refused to them.
	all := "*"
	if t.Whole != nil {
		all = columnList(source(t))
	}
	if err := p.s.control.exec(ctx, "SELECT "+all+" FROM "+qualified(t)+" LIMIT 0"); err != nil {
		return nil, tableError(t, err)
	}
	splits, err := p.s.plan(ctx, t)
	if err != nil {
		return nil, tableError(t, err)
	}
	for i := range splits {
		splits[i].Table, splits[i].Seq = t, i
	}
	return splits, nil
}

func (s *Stock) plan(ctx context.Context, t *schema.Table) ([]reader.Split, error) {
	whole := []reader.Split{{Rows: t.Rows}}
	k := splitKeyOf(t)
	if len(k) == 0 && t.Filter == "" {
		return whole, nil
	}
	pl := &planner{ctx: ctx, s: s, t: t, key: k}
	rows, err := pl.estimate("")
	if err != nil {
		return nil, err
	}
	whole[0].Rows = rows
	if pl.want = s.splitRows(t, rows); len(k) == 0 || rows < pl.want+pl.want/2 {
		return whole, nil
	}
	if isInteger(k[0].Type.Kind) {
		err = pl.halve(rows)
	} else {
		err = pl.walk(nil)
	}
	if err != nil {
		return nil, err
	}
	return pl.splits(), nil
}

// splitRows is how many rows a split should hold: SplitBytes of them, but so
// that each reader gets several, and not too few.
func (s *Stock) splitRows(t *schema.Table, rows int64) int64 {
	if s.opts.SplitRows > 0 {
		return s.opts.SplitRows
	}
	width := int64(100)
	if t.Rows > 0 && t.Bytes > 0 {
		width = max(t.Bytes/t.Rows, 1)
	}
	return max(min(s.opts.SplitBytes/width, rows/int64(4*s.opts.Parallel)), 10_000)
}

func isInteger(k schema.Kind) bool {
	// YEAR is none: 1 … 99 are read as years of two digits, and not every number is one.
	return k == schema.TinyInt || k == schema.SmallInt || k == schema.MediumInt || k == schema.Int || k == schema.BigInt
}

// A planner finds the bounds of one table.
type planner struct {
	ctx    context.Context
	s      *Stock
	t      *schema.Table
	key    splitKey
	want   int64   // rows a split should hold
	total  int64   // rows of the table
	bounds []bound // upper, ascending
	rows   []int64 // estimate for the split up to each bound
}

// estimate asks the optimizer how many rows meet a condition on the key, and the
// table's own.
func (pl *planner) estimate(where string) (int64, error) {
	return pl.s.estimate(pl.ctx, pl.t, where)
}

func (pl *planner) add(b bound, rows int64) {
	pl.bounds = append(pl.bounds, b)
	pl.rows = append(pl.rows, rows)
}

// walk finds bounds want rows apart among the rows whose leading key columns
// have the values in prefix.
func (pl *planner) walk(prefix bound) error {
	rest := pl.key[len(prefix):]
	names, values := make([]string, len(rest)), make([]string, len(rest))
	for i, c := range rest {
		names[i], values[i] = ident(c.Name), keyText(c)
	}
	within := make([]string, len(prefix))
	for i, v := range prefix {
		within[i] = pl.key.is(i, v)
	}
	var from bound
	for {
		where := within
		if from != nil {
			where = append(where[:len(prefix):len(prefix)], pl.key.after(from))
		}
		q := "SELECT " + strings.Join(values, ",") + " FROM " + qualified(pl.t) + " FORCE INDEX (PRIMARY)"
		if cond := filtered(pl.t, strings.Join(where, " AND ")); cond != "" {
			q += " WHERE " + cond
		}
		q += fmt.Sprintf(" ORDER BY %s LIMIT 1 OFFSET %d", strings.Join(names, ","), pl.want-1)
		res, err := pl.s.control.query(pl.ctx, q)
		if err != nil || len(res) == 0 {
			return err
		}
		next := append(bound{}, prefix...)
		next = append(next, res[0]...)
		if ok, err := pl.found(next, from); err != nil || !ok {
			return err
		}
		from = next
		pl.add(from, pl.want)
	}
}

// found reports whether the server finds a row by the bound's literals, and
// behind the bound before. Some values have no literal: text that does not
// survive the way through utf8mb4, dates of no calendar. The walk ends there,
// and what is left is one split: a bound that lies elsewhere would double rows.
func (pl *planner) found(b, before bound) (bool, error) {
	var terms []string
	for i, v := range b {
		terms = append(terms, pl.key.is(i, v))
	}
	if before != nil {
		terms = append(terms, pl.key.after(before))
	}
	res, err := pl.s.control.query(pl.ctx, "SELECT 1 FROM "+qualified(pl.t)+" FORCE INDEX (PRIMARY) WHERE "+strings.Join(terms, " AND ")+" LIMIT 1")
	switch code(err) {
	case mysql.ER_WRONG_VALUE, mysql.ER_TRUNCATED_WRONG_VALUE:
		return false, nil
	}
	return len(res) > 0, err
}

// halve cuts by the leading, integer column. rows is the estimate for the whole
// table: for a range InnoDB never tells more than half of that, and often twice of
// what there is, so that the range of all keys would pass for no larger than its
// quarters.
func (pl *planner) halve(rows int64) error {
	pl.total = rows
	col := ident(pl.key[0].Name)
	res, err := pl.s.control.query(pl.ctx, "SELECT MIN("+col+"), MAX("+col+") FROM "+qualified(pl.t))
	if err != nil {
		return err
	}
	lo, ok1 := new(big.Int).SetString(res[0][0], 10)
	hi, ok2 := new(big.Int).SetString(res[0][1], 10)
	if !ok1 || !ok2 {
		return nil // no rows
	}
	// The last bound is dropped by splits: what is beyond it belongs to the last split.
	lo.Sub(lo, big.NewInt(1))
	return pl.halves(lo, hi, rows)
}

func (pl *planner) estimateIn(lo, hi *big.Int) (int64, error) {
	return pl.estimate(pl.key.between(bound{lo.String()}, bound{hi.String()}))
}

// halves cuts the keys in (lo, hi], about so many rows, whose leading column
// holds whole numbers.
func (pl *planner) halves(lo, hi *big.Int, rows int64) error {
	to := bound{hi.String()}
	if rows <= pl.want+pl.want/2 {
		pl.add(to, rows)
		return nil
	}
	if width := new(big.Int).Sub(hi, lo); width.Cmp(big.NewInt(1)) <= 0 {
		// One value of the leading column holds too many rows: the rest of the
		// key, if there is any, tells them apart.
		before := len(pl.bounds)
		if len(pl.key) > 1 {
			if err := pl.walk(to); err != nil {
				return err
			}
		}
		pl.add(to, max(rows-pl.want*int64(len(pl.bounds)-before), 1))
		return nil
	}
	mid := new(big.Int).Add(lo, hi)
	mid.Rsh(mid, 1)
	low, err := pl.estimateIn(lo, mid)
	if err != nil {
		return err
	}
	high, err := pl.estimateIn(mid, hi)
	if err != nil {
		return err
	}
	if low >= pl.total && high >= pl.total {
		// The engine has no ranges of this key, as MEMORY's hash index, and reads the
		// whole table for each.
		pl.add(to, rows)
		return nil
	}
	if err := pl.halves(lo, mid, low); err != nil {
		return err
	}
	return pl.halves(mid, hi, high)
}

// splits turns the bounds into splits, small neighbours made one.
func (pl *planner) splits() []reader.Split {
	var out []reader.Split
	var lo bound
	var rows int64
	for i, b := range pl.bounds {
		rows += pl.rows[i]
		if i+1 < len(pl.bounds) && rows+pl.rows[i+1] <= pl.want {
			continue
		}
		if i+1 == len(pl.bounds) && isInteger(pl.key[0].Type.Kind) {
			break
		}
		out = append(out, reader.Split{Range: encodeRange(lo, b), Rows: rows})
		lo, rows = b, 0
	}
	return append(out, reader.Split{Range: encodeRange(lo, nil), Rows: max(rows, 1)})
}
