package main

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxLabels is how many tables have series of their own: each of them costs
	// Prometheus a dozen, kept in memory.
	maxLabels = 1000
	// otherTables is what the others are counted under, a name that no table has.
	otherTables = "(others)"
)

// tableLabels gives tables their value of the label table. Who has one keeps it,
// so that no counter goes down; those that are asked for first get theirs.
type tableLabels struct {
	mu  sync.Mutex
	own map[string]bool
}

func (l *tableLabels) of(table string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.own[table]:
	case len(l.own) >= maxLabels:
		return otherTables
	default:
		if l.own == nil {
			l.own = make(map[string]bool)
		}
		l.own[table] = true
	}
	return table
}

// tableSums adds up the values of metrics by label before they are sent, since
// several tables may share one.
type tableSums struct {
	order []tableSum
	at    map[tableKey]int
}

type tableKey struct {
	desc  *prometheus.Desc
	label string
}

type tableSum struct {
	tableKey
	kind  prometheus.ValueType
	value float64
}

func (s *tableSums) index(d *prometheus.Desc, kind prometheus.ValueType, label string) *float64 {
	k := tableKey{d, label}
	i, ok := s.at[k]
	if !ok {
		if s.at == nil {
			s.at = make(map[tableKey]int)
		}
		i = len(s.order)
		s.at[k] = i
		s.order = append(s.order, tableSum{k, kind, 0})
	}
	return &s.order[i].value
}

func (s *tableSums) add(d *prometheus.Desc, label string, value float64) {
	*s.index(d, prometheus.CounterValue, label) += value
}

func (s *tableSums) gauge(d *prometheus.Desc, label string, value float64) {
	*s.index(d, prometheus.GaugeValue, label) += value
}

// latest keeps the highest value.
func (s *tableSums) latest(d *prometheus.Desc, label string, value float64) {
	v := s.index(d, prometheus.GaugeValue, label)
	*v = max(*v, value)
}

func (s *tableSums) send(ch chan<- prometheus.Metric) {
	for _, m := range s.order {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value, m.label)
	}
}
