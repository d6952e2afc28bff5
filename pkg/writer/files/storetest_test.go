package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

// testStore tests what every store has to do. fresh returns one with nothing in it.
func testStore(t *testing.T, fresh func(t *testing.T) store) {
	for name, test := range map[string]func(*testing.T, store){
		"a commit":                 storeCommit,
		"a number that is taken":   storeTaken,
		"a claim repeated":         storeClaimAgain,
		"a claim of nothing":       storeClaimBare,
		"a stage taken away":       storeTakenAway,
		"many claims at once":      storeClaims,
		"many publish at once":     storePublishers,
		"files given up":           storeAborts,
		"no file of many parts":    storeAbortLarge,
		"a file of many parts":     storeLarge,
		"an empty file":            storeEmpty,
		"staged files":             storeStaged,
		"stages":                   storeStages,
		"replace":                  storeReplace,
		"list":                     storeList,
		"remove":                   storeRemove,
		"read":                     storeRead,
		"what is not there":        storeAbsent,
		"contexts":                 storeContexts,
		"a hold while it is made":  storeHoldMade,
		"names that are not plain": storeNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			t.Cleanup(func() { storeMust(t, s.close()) })
			test(t, s)
		})
	}
}

func storeMust(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const storeTable = "db/t"

// storeRun begins a stage, as runs do.
func storeRun(t *testing.T, s store, name string) stage {
	t.Helper()
	at := stage{table: storeTable, name: name}
	storeMust(t, s.hold(t.Context(), at, []byte("owner of "+name)))
	return at
}

// storeFile writes a file of a stage and returns its name and token.
func storeFile(t *testing.T, s store, at stage, n int, content []byte) (name, token string) {
	t.Helper()
	name = fmt.Sprintf("part-%s-%05d.bin", at.name, n)
	if n%2 == 0 {
		name = "day=2026-01-02/" + name
	}
	out, err := s.create(t.Context(), at, name)
	storeMust(t, err)
	for len(content) > 0 { // not by the size of anything
		m := min(len(content), 1<<20+7)
		_, err := out.Write(content[:m])
		storeMust(t, err)
		content = content[m:]
	}
	token, err = out.finish()
	storeMust(t, err)
	return name, token
}

func storeContent(t *testing.T, s store, name string, want []byte) {
	t.Helper()
	got, err := readAll(t.Context(), s, name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: got %d bytes (%v), want %d", name, len(got), err, len(want))
	}
}

func storeGone(t *testing.T, s store, name string) {
	t.Helper()
	if f, err := s.open(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: got %v, %v; want that it is not there", name, f, err)
	}
}

// storeShown returns what readers of the table find in a folder of it.
func storeShown(t *testing.T, s store, dir string) []info {
	t.Helper()
	found, err := s.list(t.Context(), dir)
	storeMust(t, err)
	return slices.DeleteFunc(found, func(i info) bool { return i.name == hidden })
}

func storeCommit(t *testing.T, s store) {
	ctx := t.Context()
	at := storeRun(t, s, "r1")
	one, oneToken := storeFile(t, s, at, 1, []byte("one"))
	two, twoToken := storeFile(t, s, at, 2, []byte("two, in a folder"))
	unseen := func() {
		t.Helper()
		storeGone(t, s, storeTable+"/"+one)
		storeGone(t, s, storeTable+"/"+two)
		if found := storeShown(t, s, storeTable); len(found) > 0 {
			t.Errorf("before it is published, there is %v", found)
		}
	}
	unseen()
	storeMust(t, s.claim(ctx, at, 7, []byte(`{"of":1}`)))
	unseen()
	if e, err := s.entry(ctx, storeTable, 7); err != nil || string(e) != `{"of":1}` {
		t.Errorf("the entry: got %q, %v", e, err)
	}
	if found, err := s.stages(ctx, storeTable); err != nil || len(found) > 0 {
		t.Errorf("stages: got %v, %v; want none: it was claimed", found, err)
	}
	for range 2 { // by anybody, any number of times
		storeMust(t, s.publish(ctx, storeTable, 7, one, oneToken))
		storeMust(t, s.publish(ctx, storeTable, 7, two, twoToken))
		storeContent(t, s, storeTable+"/"+one, []byte("one"))
		storeContent(t, s, storeTable+"/"+two, []byte("two, in a folder"))
	}
	for range 2 {
		storeMust(t, s.forget(ctx, storeTable, 7))
	}
	if e, err := s.entry(ctx, storeTable, 7); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a forgotten entry: got %q, %v", e, err)
	}
	storeContent(t, s, storeTable+"/"+one, []byte("one"))
}

func storeTaken(t *testing.T, s store) {
	a, b := storeRun(t, s, "a"), storeRun(t, s, "b")
	nameA, tokenA := storeFile(t, s, a, 1, []byte("A"))
	nameB, tokenB := storeFile(t, s, b, 1, []byte("B"))
	storeMust(t, s.claim(t.Context(), a, 1, []byte("A")))
	for range 2 {
		if err := s.claim(t.Context(), b, 1, []byte("B")); !errors.Is(err, errTaken) {
			t.Fatalf("got %v, want %v", err, errTaken)
		}
	}
	storeMust(t, s.claim(t.Context(), b, 2, []byte("B")))
	storeMust(t, s.publish(t.Context(), storeTable, 2, nameB, tokenB))
	storeMust(t, s.publish(t.Context(), storeTable, 1, nameA, tokenA))
	storeContent(t, s, storeTable+"/"+nameA, []byte("A"))
	storeContent(t, s, storeTable+"/"+nameB, []byte("B"))
}

// Who has lost the answer claims once more, and hears that the stage is gone, if not more.
func storeClaimAgain(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	name, token := storeFile(t, s, at, 1, []byte("x"))
	storeMust(t, s.claim(t.Context(), at, 1, []byte("mine")))
	if err := s.claim(t.Context(), at, 1, []byte("mine")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("again: %v", err)
	}
	if e, err := s.entry(t.Context(), storeTable, 1); err != nil || string(e) != "mine" {
		t.Errorf("the entry: got %q, %v", e, err)
	}
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
	storeContent(t, s, storeTable+"/"+name, []byte("x"))
}

func storeClaimBare(t *testing.T, s store) {
	if err := s.claim(t.Context(), stage{table: storeTable, name: "nobody"}, 1, []byte("e")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no stage: got %v", err)
	}
	if e, err := s.entry(t.Context(), storeTable, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the entry: got %q, %v", e, err)
	}
	storeMust(t, s.claim(t.Context(), storeRun(t, s, "bare"), 1, []byte("bare"))) // without files
	if e, err := s.entry(t.Context(), storeTable, 1); err != nil || string(e) != "bare" {
		t.Errorf("got %q, %v", e, err)
	}
	if err := s.claim(t.Context(), storeRun(t, s, "other"), 1, []byte("other")); !errors.Is(err, errTaken) {
		t.Errorf("got %v, want %v", err, errTaken)
	}
}

func storeTakenAway(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	name, token := storeFile(t, s, at, 1, []byte("x"))
	storeMust(t, s.discard(t.Context(), at))
	if err := s.claim(t.Context(), at, 1, []byte("r")); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, errTaken) {
		t.Errorf("claim: got %v, want an error about the stage", err)
	}
	if e, err := s.entry(t.Context(), storeTable, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the entry: got %q, %v", e, err)
	}
	if err := s.publish(t.Context(), storeTable, 1, name, token); err == nil {
		t.Error("what was taken away was published")
	}
	storeGone(t, s, storeTable+"/"+name)
}

func storeClaims(t *testing.T, s store) {
	const runs, numbers = 6, 4
	var mu sync.Mutex
	winners := make(map[int64]string)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for r := range runs {
		at := storeRun(t, s, fmt.Sprint("r", r))
		wg.Go(func() {
			<-begin
			for n := range int64(numbers) {
				err := s.claim(t.Context(), at, n, []byte(at.name))
				mu.Lock()
				switch {
				case err == nil && winners[n] == "":
					winners[n] = at.name
				case err == nil:
					t.Errorf("%d: claimed by %s and %s", n, winners[n], at.name)
				case !errors.Is(err, errTaken):
					t.Errorf("%d: %s: %v", n, at.name, err)
				}
				mu.Unlock()
				if err == nil {
					return
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	for n := range int64(numbers) {
		if e, err := s.entry(t.Context(), storeTable, n); err != nil || winners[n] != string(e) {
			t.Errorf("%d: %s has won, the entry is %q (%v)", n, winners[n], e, err)
		}
	}
}

func storePublishers(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	name, token := storeFile(t, s, at, 2, content)
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.publish(t.Context(), storeTable, 1, name, token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	storeContent(t, s, storeTable+"/"+name, content)
}

func storeAborts(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	empty, err := s.create(t.Context(), at, "part-r-00002.bin")
	storeMust(t, err)
	begun, err := s.create(t.Context(), at, "part-r-00003.bin")
	storeMust(t, err)
	_, err = begun.Write([]byte("begun"))
	storeMust(t, err)
	for range 2 {
		empty.abort()
		begun.abort()
	}
	if _, err := begun.Write(make([]byte, 20<<20)); err == nil {
		t.Error("what was given up can be written")
	}
	if _, err := begun.finish(); err == nil {
		t.Error("what was given up can be finished")
	}
	name, token := storeFile(t, s, at, 1, []byte("kept"))
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
	if found, want := storeShown(t, s, storeTable), []info{{name: name, size: 4}}; !reflect.DeepEqual(found, want) {
		t.Errorf("got %v, want %v", found, want)
	}
}

// storeAbortLarge gives a file up while it is being written.
func storeAbortLarge(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	out, err := s.create(t.Context(), at, "part-r-00001.bin")
	storeMust(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := make([]byte, 1<<20)
		for range 200 {
			if _, err := out.Write(p); err != nil {
				return
			}
		}
		t.Error("200 MiB were written to what was given up")
	}()
	time.Sleep(50 * time.Millisecond)
	out.abort()
	<-done
	storeMust(t, s.discard(t.Context(), at))
	storeGone(t, s, storeTable+"/part-r-00001.bin")
}

func storeLarge(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	content := make([]byte, 40<<20+12345)
	rand.NewChaCha8([32]byte{}).Read(content)
	name, token := storeFile(t, s, at, 1, content)
	exact, exactToken := storeFile(t, s, at, 3, content[:32<<20])
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
	storeMust(t, s.publish(t.Context(), storeTable, 1, exact, exactToken))
	storeContent(t, s, storeTable+"/"+name, content)
	storeContent(t, s, storeTable+"/"+exact, content[:32<<20])
}

func storeEmpty(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	name, token := storeFile(t, s, at, 1, nil)
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
	storeContent(t, s, storeTable+"/"+name, nil)
}

// What is staged can be read and removed by who has staged it.
func storeStaged(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	for n, content := range []string{"first", "second, in a folder"} {
		name, token := storeFile(t, s, at, n+1, []byte(content))
		f, err := s.reveal(t.Context(), at, name, token)
		storeMust(t, err)
		got, err := io.ReadAll(io.NewSectionReader(f, 0, f.length()))
		if err != nil || string(got) != content {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		storeMust(t, f.Close())
		for range 2 {
			storeMust(t, s.unstage(t.Context(), at, name, token))
		}
	}
	name, token := storeFile(t, s, at, 3, []byte("third"))
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
	if found, want := storeShown(t, s, storeTable), []info{{name: name, size: 5}}; !reflect.DeepEqual(found, want) {
		t.Errorf("got %v, want %v", found, want)
	}
}

func storeStages(t *testing.T, s store) {
	ctx := t.Context()
	if found, err := s.stages(ctx, storeTable); err != nil || len(found) > 0 {
		t.Errorf("of no table: got %v, %v", found, err)
	}
	storeRun(t, s, "a")
	b := storeRun(t, s, "b")
	storeFile(t, s, b, 1, []byte("b"))
	storeMust(t, s.hold(ctx, stage{table: "db/other", name: "c"}, []byte("c")))
	storeMust(t, s.hold(ctx, b, []byte("b again")))
	owners := func() map[string]string {
		t.Helper()
		found, err := s.stages(ctx, storeTable)
		storeMust(t, err)
		got := make(map[string]string)
		for _, i := range found {
			got[i.name] = string(i.owner)
			if i.idle < -2*time.Second || i.idle > 3*time.Minute {
				t.Errorf("%s is idle since %v", i.name, i.idle)
			}
		}
		return got
	}
	if got, want := owners(), map[string]string{"a": "owner of a", "b": "b again"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range 2 {
		storeMust(t, s.discard(ctx, b))
	}
	if got, want := owners(), map[string]string{"a": "owner of a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func storeReplace(t *testing.T, s store) {
	for _, content := range []string{"first", "", "another, which is longer"} {
		storeMust(t, s.replace(t.Context(), "", "db/t/_tablehaul/state.json", []byte(content)))
		storeContent(t, s, "db/t/_tablehaul/state.json", []byte(content))
	}
	if found, err := s.list(t.Context(), "db/t/_tablehaul"); err != nil || len(found) != 1 {
		t.Errorf("got %v, %v; want one file", found, err)
	}
}

func storeList(t *testing.T, s store) {
	if found, err := s.list(t.Context(), "nowhere"); err != nil || len(found) > 0 {
		t.Errorf("of no folder: got %v, %v", found, err)
	}
	for _, name := range []string{"d/b", "d/a/x", "d/a-", "d/a0", "d/c/y/z", "dd/e", "f"} {
		storeMust(t, s.replace(t.Context(), "", name, []byte(name)))
	}
	for dir, want := range map[string][]info{
		"d":   {{"a", true, 0}, {"a-", false, 4}, {"a0", false, 4}, {"b", false, 3}, {"c", true, 0}},
		"d/c": {{"y", true, 0}},
		"":    {{"d", true, 0}, {"dd", true, 0}, {"f", false, 1}},
	} {
		found, err := s.list(t.Context(), dir)
		for i := range found {
			if found[i].folder {
				found[i].size = 0 // which means nothing
			}
		}
		if err != nil || !reflect.DeepEqual(found, want) {
			t.Errorf("%q: got %v, %v; want %v", dir, found, err, want)
		}
	}
}

func storeRemove(t *testing.T, s store) {
	for _, name := range []string{"d/a", "d/sub/b", "d/sub/c", "dd", "d.x/y", "e"} {
		storeMust(t, s.replace(t.Context(), "", name, []byte("x")))
	}
	for range 2 {
		for _, name := range []string{"d", "e", "nowhere"} {
			storeMust(t, s.remove(t.Context(), name))
		}
	}
	for _, name := range []string{"d/a", "d/sub/b", "d/sub/c", "e"} {
		storeGone(t, s, name)
	}
	for _, name := range []string{"dd", "d.x/y"} {
		storeContent(t, s, name, []byte("x"))
	}
}

func storeRead(t *testing.T, s store) {
	content := make([]byte, 3<<20+77)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(content)
	storeMust(t, s.replace(t.Context(), "", "f", content))
	f, err := s.open(t.Context(), "f")
	storeMust(t, err)
	size := int64(len(content))
	if f.length() != size {
		t.Errorf("its length is %d, want %d", f.length(), size)
	}
	read := func(off, length int64) {
		p := make([]byte, length)
		n, err := f.ReadAt(p, off)
		want := content[min(off, size):min(off+length, size)]
		if !bytes.Equal(p[:n], want) || n < int(length) && err != io.EOF || n == int(length) && err != nil && err != io.EOF {
			t.Errorf("%d bytes from %d on: got %d (%v), want %d", length, off, n, err, len(want))
		}
	}
	for _, at := range [][2]int64{{0, 0}, {0, 1}, {size - 8, 8}, {size - 300, 292}, {size - 8, 20}, {size, 1}, {size + 9, 1}, {0, size}, {0, size + 1}, {1, 256 << 10}, {256<<10 - 1, 2}} {
		read(at[0], at[1])
	}
	for off := int64(0); off < size; off += 100_000 { // in order
		read(off, 100_000)
	}
	var wg sync.WaitGroup
	for i := range uint64(4) { // anywhere, by several
		r := rand.New(rand.NewPCG(1, i))
		wg.Go(func() {
			for range 40 {
				read(r.Int64N(size), r.Int64N(1<<r.IntN(20)))
			}
		})
	}
	wg.Wait()
	storeMust(t, f.Close())
}

func storeAbsent(t *testing.T, s store) {
	storeGone(t, s, "db/t/nothing")
	storeGone(t, s, "db/t")
	if e, err := s.entry(t.Context(), storeTable, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an entry: got %q, %v", e, err)
	}
	storeMust(t, s.forget(t.Context(), storeTable, 1))
	storeMust(t, s.discard(t.Context(), stage{table: storeTable, name: "nobody"}))
	storeMust(t, s.remove(t.Context(), "db/t/nothing"))
}

// Contexts hold for their calls, and no longer.
func storeContexts(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	ctx, cancel := context.WithCancel(t.Context())
	out, err := s.create(ctx, at, "part-r-00001.bin")
	storeMust(t, err)
	storeMust(t, s.replace(t.Context(), "", "f", []byte("content")))
	in, err := s.open(ctx, "f")
	storeMust(t, err)
	cancel()
	_, err = out.Write([]byte("x"))
	storeMust(t, err)
	token, err := out.finish()
	storeMust(t, err)
	p := make([]byte, 7)
	if n, err := in.ReadAt(p, 0); n != 7 || err != nil && err != io.EOF {
		t.Errorf("read: got %d, %v", n, err)
	}
	storeMust(t, in.Close())
	for what, do := range map[string]func() error{
		"create":  func() error { _, err := s.create(ctx, at, "part-r-00002.bin"); return err },
		"claim":   func() error { return s.claim(ctx, at, 1, []byte("e")) },
		"hold":    func() error { return s.hold(ctx, at, []byte("o")) },
		"replace": func() error { return s.replace(ctx, "", "f", []byte("other")) },
		"list":    func() error { _, err := s.list(ctx, ""); return err },
		"remove":  func() error { return s.remove(ctx, "f") },
	} {
		if err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled: got %v", what, err)
		}
	}
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, "part-r-00001.bin", token))
	storeContent(t, s, storeTable+"/part-r-00001.bin", []byte("x"))
	storeContent(t, s, "f", []byte("content"))
}

// One holds a stage all the time, also while files are written.
func storeHoldMade(t *testing.T, s store) {
	at := storeRun(t, s, "r")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.hold(t.Context(), at, fmt.Appendf(nil, "owner %d", n)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var names, tokens []string
	for n := range 10 {
		name, token := storeFile(t, s, at, n, []byte("x"))
		names, tokens = append(names, name), append(tokens, token)
	}
	close(stop)
	wg.Wait()
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	for i := range names {
		storeMust(t, s.publish(t.Context(), storeTable, 1, names[i], tokens[i]))
	}
}

func storeNames(t *testing.T, s store) {
	for _, name := range []string{"with space", "#&=+50%", "表", "a=b%2Fc", "(x)'!~*", "per%20cent+plus"} {
		at := stage{table: "n/" + name, name: "r"}
		storeMust(t, s.hold(t.Context(), at, []byte("o")))
		file := "k=" + name + "/part-r-00001.bin"
		out, err := s.create(t.Context(), at, file)
		storeMust(t, err)
		_, err = out.Write([]byte(name))
		storeMust(t, err)
		token, err := out.finish()
		storeMust(t, err)
		storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
		storeMust(t, s.publish(t.Context(), at.table, 1, file, token))
		storeContent(t, s, at.table+"/"+file, []byte(name))
		if found := storeShown(t, s, at.table); len(found) != 1 || found[0].name != "k="+name {
			t.Errorf("got %v, want k=%s", found, name)
		}
		storeMust(t, s.remove(t.Context(), at.table))
	}
	if found := storeShown(t, s, "n"); len(found) > 0 {
		// A file system keeps the folder.
		t.Errorf("got %v, want nothing", found)
	}
}

func TestLocalStore(t *testing.T) {
	testStore(t, func(t *testing.T) store { return folders{local{t.TempDir()}} })
}
