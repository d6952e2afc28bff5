package doris

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// The columns of a table are changed by its owner again and again, some at once and some in
// the background, while a run changes its rows.
func TestAlterUnderLoad(t *testing.T) {
	c, s := started(t, doristest.Options{AlterTime: 30 * time.Millisecond})
	j := job{table: notes()}
	var want []batchtest.Row
	for i := range 20 {
		rows := []batchtest.Row{{i, fmt.Sprint("new ", i)}}
		ops := []batch.Op{batch.Insert}
		if i > 0 {
			rows, ops = append(rows, batchtest.Row{i - 1, fmt.Sprint("old ", i)}), append(ops, batch.After)
			want = append(want[:i-1:i-1], rows[1])
		}
		want = append(want[:i:i], rows[0])
		j.steps, j.after = append(j.steps, step{rows: rows, ops: ops}), append(j.after, want)
	}
	first := job{j.table, j.steps[:1], j.after[:1]}
	must(t, first.run(t, s))

	conn, err := client.Connect(c.SQL(), "root", "", "shop")
	must(t, err)
	defer conn.Close()
	var owner sync.WaitGroup
	done := make(chan struct{})
	altered := 0
	owner.Go(func() {
		for n := 50; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			for _, statement := range []string{
				fmt.Sprintf("ALTER TABLE notes ADD COLUMN c%d INT NULL", n), fmt.Sprintf("ALTER TABLE notes MODIFY COLUMN note VARCHAR(%d) NULL", 200+n),
				fmt.Sprintf("ALTER TABLE notes MODIFY COLUMN c%d BIGINT NULL", n),
			} {
				if _, err := conn.Execute(statement); err == nil {
					altered++
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	err = j.run(t, s)
	close(done)
	owner.Wait()
	must(t, err)
	if got := j.among(t, c); got != 20 || altered < 5 {
		t.Errorf("%d commits, %d alterations", got, altered)
	}
}
