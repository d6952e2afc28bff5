package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestShapedUnderLoad has rows move into a condition and out of it, by values and by keys, while
// their table is altered and runs are killed: what readers of the sink see is what the server
// itself makes of the table by the same expressions.
func TestShapedUnderLoad(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"MYSQL", "MARIADB"} {
		for _, sink := range []string{"iceberg", "file", "doris"} {
			t.Run(server+" "+sink, func(t *testing.T) {
				t.Parallel()
				a := newAlteredAt(t, server, sink)
				a.rnd = rand.New(rand.NewPCG(4, 9)) //nolint:gosec // to be had again
				shapedUnderLoad(t, a)
			})
		}
	}
}

func shapedUnderLoad(t *testing.T, a *altered) {
	a.args = append(a.args, "--tables", "p", "--where", "p: region='EU' AND v > 10", "--set", "p: email=sha256(email)", "--set", "p: w=v*2+1",
		"--set", "p: kind=case when v>50 then upper(region) else concat(region,'-',v) end", "--meta", "_table")
	a.sql("CREATE TABLE DB.p (id INT PRIMARY KEY, region VARCHAR(10), email VARCHAR(30), v INT)")
	regions := []string{"'EU'", "'eu'", "'US'", "NULL"}
	for i := range 200 {
		a.sql(fmt.Sprintf("INSERT INTO DB.p VALUES (%d, %s, 'e%d@x', %d)", i, regions[i%4], i, i%100))
	}
	a.tail()
	work := func(n int) {
		var text strings.Builder
		for range n {
			id, v, region := a.rnd.IntN(300), a.rnd.IntN(100), regions[a.rnd.IntN(4)]
			switch a.rnd.IntN(6) {
			case 0:
				fmt.Fprintf(&text, "INSERT IGNORE INTO DB.p (id, region, email, v) VALUES (%d, %s, 'n%d', %d);", id, region, v, v)
			case 1:
				fmt.Fprintf(&text, "DELETE FROM DB.p WHERE id = %d;", id)
			case 2:
				fmt.Fprintf(&text, "UPDATE IGNORE DB.p SET id = %d WHERE id = %d;", a.rnd.IntN(300), id)
			case 3:
				fmt.Fprintf(&text, "BEGIN; UPDATE DB.p SET v = v + %d WHERE id BETWEEN %d AND %d; UPDATE DB.p SET region = %s WHERE id = %d; COMMIT;", v-50, id, id+5, region, id)
			default:
				fmt.Fprintf(&text, "UPDATE DB.p SET region = %s, v = %d WHERE id = %d;", region, v, id)
			}
		}
		a.sql(text.String())
	}
	for round := range 6 {
		cmd := exec.Command("tablehaul", a.args...)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			work(40)
			time.Sleep(time.Duration(a.rnd.IntN(120)) * time.Millisecond)
		}
		if round == 2 {
			a.sql("ALTER TABLE DB.p ADD COLUMN note VARCHAR(10) NULL; UPDATE DB.p SET note = 'x' WHERE v > 40")
		}
		if round == 4 {
			a.sql("TRUNCATE TABLE DB.p")
			for i := range 60 {
				a.sql(fmt.Sprintf("INSERT INTO DB.p (id, region, email, v) VALUES (%d, %s, 'r%d@x', %d)", i, regions[i%3], i, i%100))
			}
		}
		_ = cmd.Process.Signal(os.Kill)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != -1 {
			t.Fatalf("it has ended by itself: %d: %s", code, &out)
		}
	}
	a.tail()
	want := strings.Split(a.sql("SELECT CONCAT_WS(' ', id, region, IFNULL(sha2(email,256),'None'), v, IFNULL(note,'None'), v*2+1, case when v>50 then upper(region) else concat(region,'-',v) end, 'p') FROM DB.p WHERE region='EU' AND v > 10"), "\n")
	names := []string{"id", "region", "email", "v", "note", "w", "kind", "_table"}
	var got []string
	if a.sink == "doris" {
		got = a.dorisRows("p", names)
	} else {
		got = a.fileRows("p", names)
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 5 || !slices.Equal(got, want) {
		t.Errorf("the sink has\n%s\nthe source\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
