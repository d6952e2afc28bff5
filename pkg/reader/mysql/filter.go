package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var _ reader.Filterer = (*Stock)(nil)

// filtered adds a table's condition to one of ours. The line break ends a comment
// that it may end with.
func filtered(t *schema.Table, where string) string {
	if t.Filter == "" {
		return where
	}
	if where != "" {
		where = "(" + where + ") AND "
	}
	return where + "(" + t.Filter + "\n)"
}

// Filtered asks the server whether it understands the table's condition: alone, so
// that it is one, and not a piece that closes our parentheses and opens others; and
// in parentheses, so that it is no more than a condition.
func (s *Stock) Filtered(ctx context.Context, t *schema.Table) (rows int64, err error) {
	for _, where := range []string{t.Filter, filtered(t, "1=1")} {
		if _, err := s.control.query(ctx, "EXPLAIN SELECT 1 FROM "+qualified(t)+" WHERE "+where); err != nil {
			if code(err) == 0 {
				return 0, err // the connection's, and no word about the condition
			}
			err = hint.Wrap(fmt.Errorf("the condition %q: %w", t.Filter, err), "it is what stands behind WHERE in a SELECT of this table alone")
			return 0, &schema.TableError{Table: t.String(), Err: err}
		}
	}
	return s.estimate(ctx, t, "")
}

// estimate asks the optimizer how many rows of a table meet its condition and
// another one, which is on the key. Without its own it must be USE INDEX: under
// FORCE INDEX the server saves itself the dives into the index and guesses.
func (s *Stock) estimate(ctx context.Context, t *schema.Table, where string) (int64, error) {
	q := "EXPLAIN FORMAT=TRADITIONAL "
	if s.control.maria {
		q = "EXPLAIN EXTENDED "
	}
	q += "SELECT 1 FROM " + qualified(t)
	if t.Filter == "" {
		q += " USE INDEX (PRIMARY)"
	}
	if where = filtered(t, where); where != "" {
		q += " WHERE " + where
	}
	rows, err := s.control.named(ctx, q)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if !strings.EqualFold(r["table"], t.Name) {
			continue // of a subquery
		}
		n := float64(number(r["rows"]))
		if share, err := strconv.ParseFloat(r["filtered"], 64); err == nil && t.Filter != "" {
			n *= min(share, 100) / 100
		}
		return int64(n), nil
	}
	return 0, nil // the condition cannot be met
}
