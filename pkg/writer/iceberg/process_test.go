//go:build unix

package iceberg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/runs"
)

// Some tests need a second process, to kill it, to starve it, or to race with
// it: the test's own program, told by its environment which part to play.
const roleVar = "TABLEHAUL_TEST_ROLE"

func TestMain(m *testing.M) {
	if role, arg, ok := strings.Cut(os.Getenv(roleVar), " "); ok {
		if err := roles[role](arg); err != nil {
			fmt.Printf("error: %v\nhint: %s\n", err, hint.Of(err))
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if err := outsideReader.stop(); err != nil {
		fmt.Printf("the outside reader: %v\n", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

var roles = map[string]func(arg string) error{
	"stage":   stageForEver,
	"race":    raceOnLake,
	"small":   fillDisk,
	"write":   writeOnce,
	"keep":    keepForEver,
	"die":     dieAt,
	"compact": compactAt,
	"share":   shareTable,
}

// kills ends a test under -short that has processes of its own killed or starved: these are
// slow to start with the race detector, and tell nothing of what it finds.
func kills(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("has processes of its own killed or starved: left out by -short")
	}
}

// child starts a process in a role.
func child(t *testing.T, role, arg string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role+" "+arg)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewReader(out)
}

// stageForEver stages some files of one table, says so, and hangs.
func stageForEver(lake string) error {
	ctx := context.Background()
	s, err := Open(ctx, "iceberg:"+lake, Options{TargetFileSize: 1, Parallel: 2})
	if err != nil {
		return err
	}
	tbl := accounts("t")
	w, err := s.Open(ctx, tbl, writer.Append)
	if err != nil {
		return err
	}
	for i := range 3 { // files end at once, and one stays open
		if err := w.Write(ctx, rows(tbl, i*300000, (i+1)*300000)); err != nil {
			return err
		}
	}
	fmt.Println("staged")
	select {}
}

func TestKilledRunIsDiscarded(t *testing.T) {
	kills(t)
	for _, exists := range []bool{false, true} {
		lake := t.TempDir()
		s := openSink(t, "iceberg:"+lake, Options{})
		tbl := accounts("t")
		if exists {
			load(t, s, tbl, writer.Create, 0, 10, "p0")
		}
		before := len(filesIn(t, lake))
		cmd, out := child(t, "stage", lake)
		if line, _ := out.ReadString('\n'); line != "staged\n" {
			t.Fatalf("child said %q", line)
		}
		staged := len(filesIn(t, lake))
		if staged < before+3 {
			t.Fatalf("%d files staged", staged-before)
		}
		// While it lives, its files stay.
		must(t, openTable(t, s, tbl, writer.Append).Close())
		if n := len(filesIn(t, lake)); n != staged {
			t.Fatalf("%d of %d files of a live run are left", n, staged)
		}
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		must(t, openTable(t, s, tbl, writer.Append).Close())
		if got := filesIn(t, lake); len(got) != before {
			t.Fatalf("left behind: %v", got)
		}
		if exists {
			wantIDs(t, ids(t, s, "t"), 0, 10)
		} else if _, err := os.Stat(filepath.Join(lake, "shop")); err == nil {
			t.Fatal("the folder of the table that never was is still there")
		}
	}
}

// keptLayout is that of keepForEver.
var keptLayout = Layout{Partition: "bucket(4,id), truncate(1,owner)", Sort: "owner desc, id"}

// keepForEver has rows of two origins kept that it writes at the same time, says so,
// and hangs in the midst of a third.
func keepForEver(lake string) error {
	ctx := context.Background()
	kept := make(chan bool, 1)
	s, err := Open(ctx, "iceberg:"+lake, Options{
		KeepEvery: 1, TargetFileSize: 64 << 10, Memory: 1 << 20, Parallel: 2, Layout: func(*schema.Table) Layout { return keptLayout },
		Step: func(name string) {
			if name == "stock kept" {
				kept <- true
			}
		},
	})
	if err != nil {
		return err
	}
	tbl := accounts("t")
	opened, err := s.Open(ctx, tbl, writer.Create)
	if err != nil {
		return err
	}
	w := opened.(*Writer)
	if err := w.Keep(ctx, "plan"); err != nil {
		return err
	}
	put := func(origin, from int) error {
		b := rows(tbl, from, from+50000)
		defer b.Release()
		b.Origin = origin
		return w.Write(ctx, b)
	}
	for _, from := range []int{0, 50000} {
		if err := errors.Join(put(0, from), put(1, 100000+from)); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Whole(ctx, 0), put(2, 200000), w.Whole(ctx, 1), put(2, 250000)); err != nil {
		return err
	}
	select {
	case <-kept:
		fmt.Println("kept")
	case <-time.After(3 * time.Minute):
		return errors.New("nothing was kept in three minutes")
	}
	select {}
}

// TestKilledRunOfALayoutGoesOn takes over what a process had kept that was killed.
func TestKilledRunOfALayoutGoesOn(t *testing.T) {
	kills(t)
	lake := t.TempDir()
	cmd, out := child(t, "keep", lake)
	if line, _ := out.ReadString('\n'); line != "kept\n" {
		t.Fatalf("child said %q", line)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	tbl := accounts("t")
	s := openSink(t, "iceberg:"+lake, Options{Layout: func(*schema.Table) Layout { return keptLayout }})
	w := openTable(t, s, tbl, writer.Create)
	wantKept(t, w, 200000, 0, 1)
	must(t, w.Keep(t.Context(), "plan"))
	b := rows(tbl, 200000, 300000)
	b.Origin = 2
	write(t, w, b)
	must(t, w.Whole(t.Context(), 2))
	must(t, w.Commit(t.Context(), "p"))
	must(t, w.Close())
	wantIDs(t, ids(t, s, "t"), 0, 300000)
	wantNoLeftovers(t, w, lake)
}

// A run that died between its commit and the removal of its record has files
// that the table names.
func TestKilledAfterCommitKeepsFiles(t *testing.T) {
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{})
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	write(t, w, rows(tbl, 0, 10))
	run := w.prefix
	must(t, w.Commit(t.Context(), "p1"))
	dir := filepath.Join(lake, "shop", "t", "metadata", "_staging")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, run), []byte(runs.Machine()), 0o644))
	must(t, openTable(t, s, tbl, writer.Append).Close())
	wantIDs(t, ids(t, s, "t"), 0, 10)
	if _, err := os.Stat(filepath.Join(dir, run)); err == nil {
		t.Fatal("the record is still there")
	}
}

// The same, but it commits and dies while another looks for the dead.
func TestKilledWhileLookedFor(t *testing.T) {
	for _, exists := range []bool{false, true} {
		s, h := hookedSink(t)
		tbl := accounts("t")
		from := 0
		if exists {
			load(t, s, tbl, writer.Create, 0, 10, "p0")
			from = 10
		}
		h.loaded = func() {
			w := openTable(t, s, tbl, writer.Append)
			write(t, w, rows(tbl, from, 20))
			run := w.prefix
			must(t, w.Commit(t.Context(), "p1"))
			dir, err := localPath(w.stagingFolder())
			must(t, err)
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, run), []byte(runs.Machine()), 0o644))
		}
		must(t, openTable(t, s, tbl, writer.Append).Close())
		wantIDs(t, ids(t, s, "t"), 0, 20)
	}
}

// A record that is not of this machine, or of a run whose commit may still land,
// is left alone until it is old.
func TestUncertainRunsAreKept(t *testing.T) {
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{})
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	before := filesIn(t, lake)
	dir := filepath.Join(lake, "shop", "t")
	must(t, os.MkdirAll(filepath.Join(dir, "metadata", "_staging"), 0o755))
	for run, content := range map[string]string{"sent": runs.Machine() + "\n" + sentMark, "other": "elsewhere 123\n", "empty": ""} {
		must(t, os.WriteFile(filepath.Join(dir, "metadata", "_staging", run), []byte(content), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "data", run+"-00001.parquet"), nil, 0o644))
	}
	must(t, openTable(t, s, tbl, writer.Append).Close())
	if n := len(filesIn(t, lake)) - len(before); n != 6 {
		t.Fatalf("%d of 6 files are left", n)
	}
	s.dead = 0
	must(t, openTable(t, s, tbl, writer.Append).Close())
	if got := filesIn(t, lake); len(got) != len(before) {
		t.Fatalf("left behind: %v", got)
	}
}

// On an object store only time tells.
func TestLeftoversOnS3(t *testing.T) {
	warehouse, query := s3Warehouse(t)
	leftovers(t, warehouse, query)
}

func leftovers(t *testing.T, warehouse, query string) {
	t.Helper()
	url := "iceberg+sql:" + t.TempDir() + "/c.db?warehouse=" + warehouse + "&" + query
	s := openSink(t, url, Options{TargetFileSize: 1})
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	lost := openTable(t, s, tbl, writer.Append)
	write(t, lost, rows(tbl, 10, 300000))
	lost.closing.Wait()
	count := func() (n int) {
		must(t, lost.st.files().(iceio.ListableIO).WalkDir(lost.location, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
			}
			return err
		}))
		return n
	}
	staged := count()
	other := openSink(t, url, Options{})
	must(t, openTable(t, other, tbl, writer.Append).Close())
	if n := count(); n != staged {
		t.Fatalf("%d of %d files of a live run are left", n, staged)
	}
	other.dead = -time.Second // stores round their times
	must(t, openTable(t, other, tbl, writer.Append).Close())
	if n := count(); n != staged-2 { // the record and a file
		t.Fatalf("%d files are left of %d", n, staged)
	}
	// Should the run be alive after all, it must not commit what is gone, nor bring its
	// record back.
	if err := lost.record.again(); err == nil || !strings.Contains(err.Error(), "staging record") {
		t.Fatalf("the record was touched: %v", err)
	}
	if err := lost.Commit(t.Context(), "p1"); err == nil || !strings.Contains(err.Error(), "staging record") {
		t.Fatalf("got %v", err)
	}
	must(t, lost.Close())
	wantIDs(t, ids(t, s, "t"), 0, 10)
}

func TestCloseRemovesWhatIsStaged(t *testing.T) {
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{TargetFileSize: 1})
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	write(t, w, rows(tbl, 0, 300000))
	write(t, w, rows(tbl, 0, 10))
	if n := len(filesIn(t, lake)); n < 3 {
		t.Fatalf("%d files", n)
	}
	must(t, w.Close())
	if got := filesIn(t, lake); len(got) != 1 || got[0] != "catalog.db" {
		t.Fatalf("left behind: %v", got)
	}
	if got := s.buffered.Load(); got != 0 {
		t.Fatalf("%d bytes are still counted as held", got)
	}
}

// raceOnLake commits to tables of its own and to one that all share.
func raceOnLake(arg string) error {
	name, lake, _ := strings.Cut(arg, " ")
	ctx := context.Background()
	s, err := Open(ctx, "iceberg:"+lake, Options{Parallel: 4})
	if err != nil {
		return err
	}
	defer s.Close()
	s.retry.attempts = 100 // there is more of a crowd than retries are made for
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for g := range errs {
		wg.Go(func() {
			tbl := accounts(fmt.Sprintf("%s_%d", name, g))
			for i := range 5 {
				w, err := s.Open(ctx, tbl, writer.Append)
				if err == nil {
					err = w.Write(ctx, rows(tbl, i*10, i*10+10))
				}
				if err == nil {
					err = w.Commit(ctx, batch.Position(strconv.Itoa(i)))
				}
				if err != nil {
					errs[g] = fmt.Errorf("%s: %w", tbl, err)
					return
				}
				errs[g] = w.Close()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func TestProcessesShareALake(t *testing.T) {
	lake := t.TempDir()
	var cmds []*exec.Cmd
	for p := range 3 { // on a lake that none of them has made yet
		cmd, out := child(t, "race", fmt.Sprintf("p%d %s", p, lake))
		cmds = append(cmds, cmd)
		go func() {
			text, _ := io.ReadAll(out)
			if len(text) > 0 {
				t.Errorf("process %d: %s", p, text)
			}
		}()
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	s := openSink(t, "iceberg:"+lake, Options{})
	for p := range 3 {
		for g := range 4 {
			wantIDs(t, ids(t, s, fmt.Sprintf("p%d_%d", p, g)), 0, 50)
		}
	}
}

// fillDisk loads until its files may not grow any more, and then a bit.
func fillDisk(lake string) error {
	ctx := context.Background()
	s, err := Open(ctx, "iceberg:"+lake, Options{Codec: "none"})
	if err != nil {
		return err
	}
	defer s.Close()
	// As good as a full disk, and had without being root.
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &lim); err != nil {
		return err
	}
	lim.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &lim); err != nil {
		return err
	}
	tbl := accounts("t")
	w, err := s.Open(ctx, tbl, writer.Create)
	if err != nil {
		return err
	}
	for i := 0; err == nil && i < 100; i++ {
		err = w.Write(ctx, rows(tbl, i*100000, (i+1)*100000))
	}
	if e := w.Commit(ctx, "p"); e == nil {
		return errors.New("committed in spite of it")
	}
	return errors.Join(err, w.Close())
}

func TestDiskFull(t *testing.T) {
	kills(t)
	lake := t.TempDir()
	cmd, out := child(t, "small", lake)
	text, _ := io.ReadAll(out)
	_ = cmd.Wait()
	for _, want := range []string{"write shop.t:", "file too large", "hint: free some space"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if got := filesIn(t, lake); len(got) != 1 || got[0] != "catalog.db" {
		t.Errorf("left behind: %v", got)
	}
}

// writeOnce loads a table into the lake.
func writeOnce(lake string) error {
	ctx := context.Background()
	s, err := Open(ctx, "iceberg:"+lake, Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	tbl := accounts("t")
	w, err := s.Open(ctx, tbl, writer.Append)
	if err != nil {
		return err
	}
	if err := w.Write(ctx, rows(tbl, 0, 10)); err != nil {
		return err
	}
	return w.Commit(ctx, "p")
}

// TestReadOnlyLake needs a process that is not root, which may write anywhere.
func TestReadOnlyLake(t *testing.T) {
	// Neither the test's folders nor its program can be reached by others.
	dir, err := os.MkdirTemp("/tmp", "tablehaul-test-")
	must(t, err)
	lake := filepath.Join(dir, "lake")
	t.Cleanup(func() {
		_, _ = os.Chmod(dir, 0o755), os.Chmod(lake, 0o755)
		_ = os.RemoveAll(dir)
	})
	must(t, os.Chmod(dir, 0o755))
	program, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "test"), program, 0o755))
	s := openSink(t, "iceberg:"+lake, Options{})
	load(t, s, accounts("t"), writer.Create, 0, 10, "p0")

	for _, c := range []struct{ name, arg string }{{"an existing lake", lake}, {"a new one", filepath.Join(dir, "new")}} {
		cmd := exec.Command(filepath.Join(dir, "test"))
		cmd.Env = []string{roleVar + "=write " + c.arg, "HOME=" + dir}
		cmd.Dir = dir
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		} else {
			must(t, os.Chmod(lake, 0o555))
			must(t, os.Chmod(dir, 0o555))
		}
		text, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(text), "hint: let this user write") {
			t.Errorf("%s: %v: %s", c.name, err, text)
		}
		if strings.Contains(string(text), "commit") {
			t.Errorf("%s: found out at the commit only: %s", c.name, text)
		}
	}
	wantIDs(t, ids(t, s, "t"), 0, 10)
}
