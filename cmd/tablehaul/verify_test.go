package main

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestVerifyUnderLoad compares tables again and again while clients write to them and tail brings
// their changes to the sink: nothing that is in flight is taken for a difference. Then a row is changed
// behind tail's back, which is found. TABLEHAUL_TEST_ALTERED is as in TestAlteredAtRandom.
func TestVerifyUnderLoad(t *testing.T) {
	atRandom(t, 1, func(t *testing.T, sink string, seed uint64) {
		b := &backfilled{altered: newSeeded(t, sink, seed, 13)}
		for _, table := range b.tables {
			b.sql("INSERT INTO DB." + table + " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, i, i FROM n")
		}
		b.ends(b.command(append(b.args, "--until", "now")...))
		tail := b.start(b.args...)
		stop := make(chan struct{})
		var clients sync.WaitGroup
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				b.mu.Lock()
				b.write([]string{"t0", "t1"}[b.rnd.IntN(2)])
				b.mu.Unlock()
			}
		})
		line := []string{"verify", b.args[1], b.args[2], "--wait", "8s"}
		for range 5 {
			code, out := execute(t, nil, line...)
			if code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
		}
		table, id := []string{"t0", "t1"}[b.roll(2)], 100+b.roll(300) // that no client writes to
		for _, fault := range []string{
			fmt.Sprintf("UPDATE DB.%s SET c1 = COALESCE(c1, 0) + 1 WHERE id = %d", table, id),
			fmt.Sprintf("UPDATE DB.%s SET c0 = CONCAT('x', LEFT(COALESCE(c0, ''), 8)), c1 = c1 - 1 WHERE id = %d", table, id),
			fmt.Sprintf("DELETE FROM DB.%s WHERE id = %d", table, id),
			fmt.Sprintf("INSERT INTO DB.%s (id) VALUES (%d)", table, 1000+id),
		} {
			b.sql("SET sql_log_bin = 0; " + fault)
			if code, out := execute(t, nil, append(line, "--tables", table)...); code != exitDiffers {
				t.Errorf("%s: exit code %d: %s", fault, code, out)
			}
		}
		close(stop)
		clients.Wait()
		b.quit(tail)
	})
}

// write changes rows of a table whose ids are small.
func (b *backfilled) write(table string) {
	id := b.rnd.IntN(60)
	switch b.rnd.IntN(4) {
	case 0:
		b.do(fmt.Sprintf("DELETE FROM DB.%s WHERE id = %d", table, id))
	case 1:
		b.do(fmt.Sprintf("UPDATE DB.%s SET c1 = %d WHERE id < 60 AND id %% 7 = %d", table, b.rnd.IntN(9), id%7))
	default:
		b.do(fmt.Sprintf("REPLACE INTO DB.%s (id, c0, c1) VALUES (%d, 'w%d', %d)", table, id, b.rnd.IntN(9), b.rnd.IntN(9)))
	}
}
