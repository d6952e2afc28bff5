package doristest

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// A txnState is a transaction's, as get_load_state names it.
type txnState string

// The states.
const (
	prepare      txnState = "PREPARE"
	precommitted txnState = "PRECOMMITTED"
	committed    txnState = "COMMITTED"
	visible      txnState = "VISIBLE"
	aborted      txnState = "ABORTED"
)

// A txn is a load.
type txn struct {
	id    int64
	label string
	table *table
	state txnState
	since time.Time
	rows  []loaded
	why   string // it was aborted
}

func (t *txn) finished() bool { return t.state == visible || t.state == aborted }

func (t *txn) become(s txnState) { t.state, t.since = s, time.Now() }

var labelForm = regexp.MustCompile(`^[-_A-Za-z0-9:]{1,128}$`)

// begin makes a transaction, unless its label is one's that is not aborted: that is returned
// with false.
func (c *Cluster) begin(d *database, t *table, label string) (*txn, bool) {
	if old := d.labelled(label); old != nil && old.state != aborted {
		return old, false
	}
	c.lastTxn++
	x := &txn{id: c.lastTxn, label: label, table: t}
	x.become(prepare)
	d.txns = append(d.txns, x)
	return x, true
}

// labelled is the last transaction with a label that is still known.
func (d *database) labelled(label string) *txn {
	for _, x := range slices.Backward(d.txns) {
		if x.label == label {
			return x
		}
	}
	return nil
}

func (d *database) txn(id int64) *txn {
	for _, x := range d.txns {
		if x.id == id {
			return x
		}
	}
	return nil
}

// tend forgets what is old: transactions that were precommitted too long ago, and the labels
// of all but the last finished ones.
func (c *Cluster) tend() {
	for _, d := range c.dbs {
		finished := 0
		for _, x := range d.txns {
			if x.state == precommitted && time.Since(x.since) > c.opts.PrecommitTimeout {
				x.why = "timeout by txn manager"
				x.rows = nil
				x.become(aborted)
			}
			if x.finished() {
				finished++
			}
		}
		d.txns = slices.DeleteFunc(d.txns, func(x *txn) bool {
			if finished > c.opts.MaxLabels && x.finished() {
				finished--
				return true
			}
			return false
		})
	}
}

// publish makes a transaction's rows visible.
func (x *txn) publish() {
	x.table.apply(x.rows)
	x.rows = nil
	x.become(visible)
}

// commit is what PUT _stream_load_2pc does. It returns Doris's own words.
func (c *Cluster) commit(x *txn, late bool) (status, msg string) {
	switch x.state {
	case precommitted:
	case visible:
		return "ANALYSIS_ERROR", fmt.Sprintf("TStatus: errCode = 2, detailMessage = transaction [%d] is already visible, not pre-committed.", x.id)
	case committed:
		return "ANALYSIS_ERROR", fmt.Sprintf("TStatus: errCode = 2, detailMessage = transaction [%d] is already committed, not pre-committed.", x.id)
	case aborted:
		return "ANALYSIS_ERROR", fmt.Sprintf("TStatus: errCode = 2, detailMessage = transaction [%d] is already aborted. abort reason: %s", x.id, x.why)
	case prepare:
		return "ANALYSIS_ERROR", fmt.Sprintf("TStatus: errCode = 2, detailMessage = transaction [%d] is prepare, not pre-committed.", x.id)
	}
	if late {
		x.become(committed)
	} else {
		x.publish()
	}
	return "Success", fmt.Sprintf("transaction [%d] commit successfully.", x.id)
}

func (c *Cluster) abort(x *txn) (status, msg string) {
	switch x.state {
	case visible, committed:
		return "ANALYSIS_ERROR", fmt.Sprintf("TStatus: errCode = 2, detailMessage = transaction [%d] is already %s, could not abort.", x.id, x.state)
	case aborted:
		return "ANALYSIS_ERROR", fmt.Sprintf("TStatus: errCode = 2, detailMessage = transaction [%d] is already aborted", x.id)
	}
	x.rows, x.why = nil, "user abort"
	x.become(aborted)
	return "Success", fmt.Sprintf("transaction [%d] abort successfully.", x.id)
}

// Precommitted is how many loads wait for their commit.
func (c *Cluster) Precommitted() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, d := range c.dbs {
		for _, x := range d.txns {
			if x.state == precommitted {
				n++
			}
		}
	}
	return n
}
