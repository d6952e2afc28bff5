package mem

import (
	"context"
	"fmt"
	"maps"

	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var _ reader.Loader = (*Stock)(nil)

// SetLoad says how busy the database is from now on: what its status variables
// are, and how far its replicas are behind.
func (d *DB) SetLoad(status map[string]float64, lags ...reader.Lag) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status, d.lags = maps.Clone(status), lags
}

// Load tells what SetLoad has set.
func (s *Stock) Load(ctx context.Context, variables []string, lag bool) (reader.Load, error) {
	if err := s.begin(ctx, Load, nil); err != nil {
		return reader.Load{}, err
	}
	s.DB.mu.Lock()
	defer s.DB.mu.Unlock()
	var l reader.Load
	for _, name := range variables {
		v, ok := s.DB.status[name]
		if !ok {
			return l, fmt.Errorf("there is no status variable %s", name)
		}
		l.Values = append(l.Values, v)
	}
	if lag {
		l.Lags = s.DB.lags
	}
	return l, nil
}

var _ reader.Filterer = (*Stock)(nil)

// Filtered knows the condition "all" alone.
func (s *Stock) Filtered(ctx context.Context, t *schema.Table) (int64, error) {
	if err := s.begin(ctx, Filtered, t); err != nil {
		return 0, err
	}
	if t.Filter != "all" {
		return 0, &schema.TableError{Table: t.String(), Err: fmt.Errorf("unknown condition %q", t.Filter)}
	}
	return t.Rows, nil
}
