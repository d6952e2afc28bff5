package writertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A step is one commit of a run, in the shape that the run has met until then.
type step struct {
	table   *schema.Table
	changes []change
}

// A member is a run of several that write to one table at a time.
type member struct {
	part  string
	sink  writer.Sink
	steps []step
	again int // how often it had to begin anew
}

// mostAgain bounds how often a member begins anew.
const mostAgain = 100

// run commits the member's steps from where the table is, and begins anew there after
// errors that may pass.
func (m *member) run(k *kit) error {
	for {
		err := m.attempt(k)
		if err == nil || !hint.IsTransient(err) || m.again == mostAgain {
			return err
		}
		m.again++
	}
}

func (m *member) attempt(k *kit) (err error) {
	var w writer.Writer
	at := 0
	defer func() {
		if w != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	for n := 0; n < len(m.steps); n++ {
		s := m.steps[n]
		if w == nil || s.table != m.steps[n-1].table {
			if w != nil {
				if err := w.Close(); err != nil {
					return err
				}
			}
			if w, err = m.sink.Open(k.Context(), s.table, writer.Extend); err != nil {
				w = nil
				return err
			}
			pos, err := w.Position(k.Context())
			if err == nil {
				at, err = Reached(pos, m.part)
			}
			if err != nil {
				return err
			}
			w.(writer.Sharer).Share(MergePart(m.part))
		}
		if n < at {
			continue
		}
		if err := k.trySend(w, s.table, false, s.changes); err != nil {
			return err
		}
		if err := w.Commit(k.Context(), reached{m.part: n + 1}.position()); err != nil {
			return err
		}
	}
	return nil
}

// crowd has runs commit to one table at the same time, and wants all that they have
// committed, once, in the end.
func (k *kit) crowd(members []*member, read *schema.Table, want []batchtest.Row) {
	k.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(members))
	end := reached{}
	for i, m := range members {
		end[m.part] = len(m.steps)
		m.sink = k.sink()
		wg.Go(func() { errs[i] = m.run(k) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			k.Fatalf("run %d: %v", i, err)
		}
		if members[i].again > 0 {
			k.Logf("run %d has begun anew %d times", i, members[i].again)
		}
	}
	k.visible(read, want)
	k.restart(read, writer.Extend, end.position())
}

// sharedCrowd has two and four runs insert, change and delete rows of their own.
func (k *kit) sharedCrowd() {
	k.share(k.restart(notes("probe"), writer.Extend, ""), MergePart("a"))
	commits := 120
	if testing.Short() {
		commits = 40 // enough to meet, and slow with the race detector
	}
	for _, n := range []int{2, 4} {
		t := notes(fmt.Sprintf("crowd_%d", n))
		var members []*member
		var want []batchtest.Row
		for i := range n {
			r := rand.New(rand.NewPCG(uint64(i), uint64(n)))
			m := &member{part: string(rune('a' + i))}
			model := map[int]batchtest.Row{}
			for c := range commits / n {
				s := step{table: t}
				for range r.IntN(6) { // none: a position alone
					for _, c := range randomChange(r, 12, c, model) {
						s.changes = append(s.changes, c.of(i))
					}
				}
				m.steps = append(m.steps, s)
			}
			for _, row := range model {
				want = append(want, change{row: row}.of(i).row)
			}
			members = append(members, m)
		}
		k.crowd(members, t, want)
	}
}

// of makes a change, as randomChange returns it, one of notes, of the n-th run's rows.
func (c change) of(run int) change {
	return change{c.op, batchtest.Row{c.row[1].(int) + 1000*run, c.row[0]}}
}

// sharedExtended has runs find a table at the same time that is not there, and give it
// other columns, each when it comes to them.
func (k *kit) sharedExtended() {
	shape := func(columns ...string) *schema.Table {
		return batchtest.Shape("shop", "share_extended", columns...)
	}
	k.share(k.restart(notes("probe"), writer.Extend, ""), MergePart("a"))
	shapes := []*schema.Table{
		shape("id int key", "note varchar(50)"),
		shape("id int key", "note varchar(50)", "size int"),
		shape("size bigint", "note varchar(50)", "id bigint key"),
		shape("size bigint", "id bigint key", "extra varchar(20)"),
	}
	read := shape("id bigint key", "note varchar(50)", "size bigint", "extra varchar(20)")
	const runs, commits = 3, 16
	var members []*member
	var want []batchtest.Row
	for run := range runs {
		m := &member{part: string(rune('a' + run))}
		rows := map[int]batchtest.Row{}
		for c := range commits {
			t := shapes[min((c+2*run)*len(shapes)/commits, len(shapes)-1)]
			s := step{table: t}
			put := func(op batch.Op, id, value int) {
				row, all := make(batchtest.Row, len(t.Columns)), make(batchtest.Row, len(read.Columns))
				for i, col := range t.Columns {
					switch col.Name {
					case "id":
						row[i] = id
					case "size":
						row[i] = value
					default:
						row[i] = fmt.Sprint(value)
					}
					all[slices.IndexFunc(read.Columns, func(o schema.Column) bool { return o.Name == col.Name })] = row[i]
				}
				s.changes = append(s.changes, change{op, row})
				if delete(rows, id); op != batch.Delete {
					rows[id] = all
				}
			}
			base := 1000 * run
			put(batch.Insert, base+c, c)
			put(batch.After, base+c/2, 100+c) // mostly of an older shape
			if c%3 == 2 {
				put(batch.Delete, base+c/3, c)
			}
			m.steps = append(m.steps, s)
			if c%5 == 4 { // a position alone
				m.steps = append(m.steps, step{table: t})
			}
		}
		for _, row := range rows {
			want = append(want, row)
		}
		members = append(members, m)
	}
	k.crowd(members, read, want)
}
