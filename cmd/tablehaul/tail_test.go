package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func parseTail(args ...string) (tailOptions, error) {
	var got tailOptions
	cmd := newTail(func(_ context.Context, o tailOptions) error {
		got = o
		return nil
	})
	cmd.SetArgs(append([]string{"mysql://h/shop", "iceberg:./lake"}, args...))
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return got, cmd.Execute()
}

func TestTailFlags(t *testing.T) {
	o, err := parseTail()
	if err != nil {
		t.Fatal(err)
	}
	if o.start != "snapshot" || o.bounded() || o.commitInterval != 10*time.Second || o.commitSize != 256<<20 || o.retryTime != 10*time.Minute ||
		o.keyless.value != "refuse" || o.onPurged.value != "fail" || o.changelog || o.serverID != 0 || o.heartbeat != 2*time.Second || o.watch.metrics != "" {
		t.Errorf("defaults: %+v", o)
	}
	o, err = parseTail("--tables", "a", "--start", "now", "--until", "gtid:a:1-5", "--idle-exit", "30s", "--commit-interval", "1s", "--commit-size", "1GB",
		"--keyless", "append", "--changelog", "--on-purged", "snapshot", "--retry-time", "0", "--server-id", "7", "--heartbeat", "5s", "--metrics", ":9100", "--json", "-q")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(o.tables, []string{"a"}) || o.start != "now" || o.until != "gtid:a:1-5" || !o.bounded() || o.idleExit != 30*time.Second ||
		o.commitInterval != time.Second || o.commitSize != 1e9 || o.keyless.value != "append" || !o.changelog || o.onPurged.value != "snapshot" ||
		o.retryTime != 0 || o.serverID != 7 || o.heartbeat != 5*time.Second || o.watch.metrics != ":9100" || !o.json || !o.quiet {
		t.Errorf("got %+v", o)
	}
}

func TestTailPlaces(t *testing.T) {
	for _, good := range []string{"--start=earliest", "--start=file:binlog.000007:4", "--start=gtid:0-1-5", "--until=time:2026-07-01T12:00:00+02:00", "--until=now"} {
		if _, err := parseTail(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"--start=time:2999-01-01T00:00:00Z": "would be left out",
		"--start=nwo":                       "did you mean now?",
		"--start=":                          "want snapshot, now, earliest, gtid:SET",
		"--start=later":                     "want snapshot, now, earliest, gtid:SET",
		"--start=gtid:":                     "want snapshot, now, earliest, gtid:SET",
		"--start=file:binlog.000007":        "want file:NAME:POS",
		"--start=time:yesterday":            "want time: and a time such as",
		"--until=earliest":                  "want now, gtid:SET",
		"--until=":                          "",
		"--idle-exit=0":                     "",
		"--commit-interval=-1s":             "",
		"--commit-size=1k":                  "",
		"--server-id=0":                     "",
		"--metrics=9100":                    "want :PORT",
		"--metrics=":                        "",
		"--keyless=ignore":                  "",
		"--server-id=99999999999":           "",
		"--on-purged=snapsot":               "",
		"--heartbeat=0":                     "",
		"--commit-interval=ten":             "",
		"--retry-time=-1m":                  "",
		"--until=file:binlog.000007:":       "want file:NAME:POS",
	} {
		_, err := parseTail(bad)
		var usage *usageError
		if err == nil || want != "" && !errors.As(err, &usage) || !strings.Contains(hint.Of(err), want) {
			t.Errorf("%s: %v (%s)", bad, err, hint.Of(err))
		}
	}
}

// TestShape looks at what becomes of tables without a key.
func TestShape(t *testing.T) {
	columns := []schema.Column{{Name: "id", Arrow: arrow.PrimitiveTypes.Int64}}
	tables := func() []*schema.Table {
		return []*schema.Table{
			schema.New("shop", "a", columns, []int{0}), schema.New("shop", "b", columns, nil), schema.New("shop", "c", columns, nil),
		}
	}
	var refused []finding.Finding
	changelogs := func(o tailOptions) (string, error) {
		shaped, found, err := o.shape(tables())
		refused = found
		text := ""
		for _, t := range shaped {
			if t.IsChangelog() {
				text += t.Name
			}
		}
		return text, err
	}
	o := tailOptions{keyless: newOneOf("refuse", "append")}
	if _, err := changelogs(o); err != nil || len(refused) != 1 || refused[0].Level != finding.Error || refused[0].Thing != "2 tables have no primary key" || !slices.Equal(refused[0].Tables, []string{"shop.b", "shop.c"}) {
		t.Errorf("refuse: %v, %+v", err, refused)
	}
	o.changelog = true
	if got, err := changelogs(o); got != "abc" || err != nil || len(refused) > 0 {
		t.Errorf("changelog: %s %v", got, err)
	}
	o.changelog, o.keyless.value = false, "append"
	if got, err := changelogs(o); got != "bc" || err != nil || len(refused) > 0 {
		t.Errorf("append: %s %v", got, err)
	}
}

// TestTailStops: a signal is the normal end of a run without bounds, and cuts
// short one that has them.
func TestTailStops(t *testing.T) {
	for _, c := range []struct {
		name  string
		query string
		args  []string
		code  int
		json  string
		notes string
	}{
		{"unbounded", "", nil, exitDone, `"status":"stopped","exit":0,`, "tablehaul: stopped at fake:12; the same command goes on from there"},
		{"connecting", "&mute", nil, exitDone, `"status":"stopped","exit":0,`, "tablehaul: stopped before the log was followed; the same command goes on"},
		{"bounded", "", []string{"--idle-exit", "1h"}, exitInterrupted, `"status":"interrupted","exit":130,`, "tablehaul: interrupted"},
		{"left behind", "&alters=b", nil, exitIncomplete, `"status":"incomplete","exit":3,`, "tablehaul: incomplete: 1 of 2 tables were left behind: shop.b: was altered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("tablehaul", append([]string{"tail", "fake://h/shop?tables=a:10,b:10&changes=5" + c.query, "folder:" + t.TempDir(), "--json", "--commit-interval", "50ms"}, c.args...)...)
			var notes strings.Builder
			cmd.Stderr = &notes
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timeout := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
			defer timeout.Stop()
			last := ""
			for sc := bufio.NewScanner(stdout); sc.Scan(); {
				last = sc.Text()
				committed := strings.Contains(last, `"position":"fake:12"`) && strings.Contains(last, `"event":"commit"`)
				if committed || c.name == "connecting" && strings.Contains(last, `"event":"start"`) {
					_ = cmd.Process.Signal(syscall.SIGTERM)
				}
			}
			err = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(last, c.json) || !strings.Contains(notes.String(), c.notes) {
				t.Errorf("%v\nlast line: %s\nstderr: %s", err, last, &notes)
			}
		})
	}
}

// TestTestKill: the process is gone at that step, and not before.
func TestTestKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("tablehaul", "snapshot", "fake://h/shop?tables=a:1,b:1,c:1", "folder:"+dir, "--parallel", "1")
	cmd.Env = append(os.Environ(), "TABLEHAUL_TEST_KILL=commit sent:3")
	out, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("%v: %s", err, out)
	}
	if whole, err := os.ReadDir(dir); err != nil || len(whole) != 3 { // two, and one staged
		t.Errorf("left: %v %v", whole, err)
	}
	for _, bad := range []string{"x", "x:", ":1", "x:0"} {
		if _, err := testKill(func(string) string { return bad }); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// The steps that a process has passed outlive it, those of several one behind the other.
func TestTestSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "steps")
	for _, steps := range [][]string{{"a", "b"}, {"a"}} {
		step, err := testKill(func(name string) string {
			return map[string]string{"TABLEHAUL_TEST_STEPS": path, "TABLEHAUL_TEST_KILL": "never:1"}[name]
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			step(s)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a\nb\na\n" {
		t.Errorf("got %q, %v", got, err)
	}
}
