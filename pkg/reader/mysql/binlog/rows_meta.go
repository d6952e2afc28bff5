package binlog

import (
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A meta fills the columns of a changelog that are not the source's.
type meta struct {
	op, gtid, pos *batch.Bytes
	time          *batch.Fixed[int64]
	tx            *Tx
	gtidText      []byte
	posText       []byte // tx.Pos, a colon and 8 digits
	rows          int    // of the event at hand
}

// newMeta finds the columns behind the first n, in the order of schema.Changelog.
func newMeta(t *schema.Table, b *batch.Builder, n int) (*meta, error) {
	m := &meta{tx: &Tx{}}
	for i, c := range t.Columns[n:] {
		ok := false
		switch col := b.Columns[n+i]; c.Meta {
		case schema.MetaOp:
			m.op, ok = col.(*batch.Bytes)
		case schema.MetaTime:
			m.time, ok = col.(*batch.Fixed[int64])
		case schema.MetaGTID:
			m.gtid, ok = col.(*batch.Bytes)
		case schema.MetaPos:
			m.pos, ok = col.(*batch.Bytes)
		}
		if !ok {
			return nil, fmt.Errorf("column %s of %s: no builder", c.Name, t)
		}
	}
	if m.op == nil || m.time == nil || m.gtid == nil || m.pos == nil {
		return nil, fmt.Errorf("%s lacks columns of a changelog", t)
	}
	return m, nil
}

const posDigits = 8

// begin starts an event.
func (m *meta) begin(tx *Tx) {
	m.tx, m.rows = tx, tx.Row
	m.gtidText = append(m.gtidText[:0], tx.GTID...)
	m.posText = append(append(append(m.posText[:0], tx.Pos...), ':'), strings.Repeat("0", posDigits)...)
}

// row fills the columns of a row of the event and counts it.
func (m *meta) row(op string) {
	m.op.Append([]byte(op))
	m.time.Append(m.tx.Time)
	if len(m.gtidText) == 0 {
		m.gtid.Null()
	} else {
		m.gtid.Append(m.gtidText)
	}
	end := len(m.posText)
	for i, n := end-1, m.rows; i >= end-posDigits; i, n = i-1, n/10 {
		m.posText[i] = byte('0' + n%10)
	}
	m.pos.Append(m.posText)
	m.rows++
	m.tx.Row = m.rows
}

// AppendTruncate appends to the builder of a changelog t the row that says that
// the table was emptied.
func AppendTruncate(b *batch.Builder, t *schema.Table, tx *Tx) error {
	n := len(t.Columns)
	for n > 0 && t.Columns[n-1].Meta != schema.NotMeta {
		n--
	}
	m, err := newMeta(t, b, n)
	if err != nil {
		return err
	}
	for _, c := range b.Columns[:n] {
		c.Null()
	}
	m.begin(tx)
	m.row(schema.OpTruncate)
	b.EndRow(0)
	return nil
}
