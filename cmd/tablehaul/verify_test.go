package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestVerifyUnderLoad compares tables again and again while clients write to them and tail brings
// their changes to the sink: nothing that is in flight is taken for a difference. Then a row is changed
// behind tail's back, which is found. TABLEHAUL_TEST_ALTERED is as in TestAlteredAtRandom.
func TestVerifyUnderLoad(t *testing.T) {
	t.Parallel()
	atRandom(t, 1, func(t *testing.T, sink string, seed uint64) {
		b := &backfilled{altered: newSeeded(t, sink, seed, 13)}
		for _, table := range b.tables {
			b.sql("INSERT INTO DB." + table + " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, i, i FROM n")
		}
		b.ends(b.command(append(b.args, "--until", "now")...))
		tail := b.start(b.args...)
		stop := b.clients(5*time.Millisecond, b.write)
		line := []string{"verify", b.args[1], b.args[2], "--wait", "20s"} // others run beside it
		for range 5 {
			code, out := execute(t, nil, line...)
			if code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
		}
		// Rows that no client writes to, changed so that tail does not see it.
		table, id := []string{"t0", "t1"}[b.roll(2)], 100+b.roll(300)
		b.sql(fmt.Sprintf("SET sql_log_bin = 0; UPDATE DB.%[1]s SET c1 = -c1 WHERE id = %[2]d; UPDATE DB.%[1]s SET c0 = NULL WHERE id = %[2]d + 1; DELETE FROM DB.%[1]s WHERE id = %[2]d + 2; INSERT INTO DB.%[1]s (id) VALUES (1000)", table, id))
		code, out := execute(t, nil, append(line, "--json")...)
		if code != exitDiffers {
			t.Errorf("exit code %d: %s", code, out)
		}
		for _, want := range []string{
			`"table":"` + b.db + "." + table + `","equal":false`, `"missing":1,"extra":1,"changed":2,"doubled":0`,
			fmt.Sprintf(`{"kind":"changed","key":{"id":"%d"},"columns":[{"name":"c1","source":"-%[1]d","sink":"%[1]d"}]}`, id),
			fmt.Sprintf(`{"kind":"changed","key":{"id":"%d"},"columns":[{"name":"c0","source":null,"sink":"%[1]d"}]}`, id+1),
			fmt.Sprintf(`{"kind":"extra","key":{"id":"%d"}}`, id+2), `{"kind":"missing","key":{"id":"1000"}}`, `"equal":true`,
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s is not in %s", want, out)
			}
		}
		stop()
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
