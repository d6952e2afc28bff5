package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// s3Place is a place of the test's own in a real store, which is cleared in the end.
func s3Place(t *testing.T) s3Options {
	t.Helper()
	o := s3Options{
		endpoint: services.Env(t, "TABLEHAUL_TEST_S3"), bucket: services.Env(t, "TABLEHAUL_TEST_S3_BUCKET"),
		prefix: fmt.Sprintf("files-test/%s-%d", url.PathEscape(t.Name()), time.Now().UnixNano()), pathStyle: true,
	}
	s := s3At(t, o)
	t.Cleanup(func() {
		ctx := context.Background()
		storeMust(t, s.abortUploads(ctx, s.folder(""), func(string, string) bool { return true }))
		found, err := s.list(ctx, "")
		storeMust(t, err)
		for _, f := range found {
			storeMust(t, s.remove(ctx, f.name))
		}
	})
	return o
}

func s3At(t *testing.T, o s3Options) *s3Store {
	t.Helper()
	s, err := newS3(t.Context(), o)
	storeMust(t, err)
	return s.(*s3Store)
}

// s3Uploads returns the keys of what was begun to upload and is neither there nor aborted.
func s3Uploads(t *testing.T, s *s3Store) []string {
	t.Helper()
	var keys []string
	storeMust(t, s.abortUploads(t.Context(), s.folder(""), func(key, _ string) bool {
		keys = append(keys, strings.TrimPrefix(key, s.folder("")))
		return false
	}))
	return keys
}

func TestS3Store(t *testing.T) {
	testStore(t, func(t *testing.T) store {
		o := s3Place(t)
		o.copyBytes = 1 << 30
		return s3At(t, o)
	})
}

// Nothing is left of files that are given up, nor of a stage that is discarded, be it by
// another run; and nothing else is touched.
func TestS3Discard(t *testing.T) {
	t.Parallel()
	o := s3Place(t)
	s, other := s3At(t, o), s3At(t, o)
	dead, alive := storeRun(t, s, "a"), storeRun(t, s, "a-5")
	for _, at := range []stage{dead, alive} {
		storeFile(t, s, at, 1, []byte("finished"))
		storeFile(t, s, at, 2, []byte("finished"))
	}
	open, err := s.create(t.Context(), dead, "part-a-00003.bin")
	storeMust(t, err)
	given, err := s.create(t.Context(), dead, "part-a-00004.bin")
	storeMust(t, err)
	_, err = given.Write(make([]byte, s3PartSize+1))
	storeMust(t, err)
	given.abort()
	if got := s3Uploads(t, s); len(got) != 5 {
		t.Errorf("got %v, want five uploads", got)
	}
	var steps []string
	other.options.step = func(step string) {
		steps = append(steps, step)
		if found, err := other.stages(t.Context(), storeTable); err != nil || len(found) != 2 {
			t.Errorf("%s: who dies here leaves %v (%v): others cannot see it", step, found, err)
		}
	}
	storeMust(t, other.discard(t.Context(), dead))
	if want := []string{"uploads aborted"}; !slices.Equal(steps, want) {
		t.Errorf("steps: got %v, want %v", steps, want)
	}
	got, want := s3Uploads(t, s), []string{"db/t/day=2026-01-02/part-a-5-00002.bin", "db/t/part-a-5-00001.bin"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// The run that was taken for dead finds out whatever it does.
	_, err = open.Write(make([]byte, 5*s3PartSize))
	if err == nil {
		_, err = open.finish()
	}
	for what, err := range map[string]error{
		"write": err, "hold": s.hold(t.Context(), dead, []byte("me")), "claim": s.claim(t.Context(), dead, 1, []byte("me")),
	} {
		if err == nil || !strings.Contains(err.Error(), "taken away by another run") || hint.Of(err) == "" {
			t.Errorf("%s: got %v (hint %q)", what, err, hint.Of(err))
		}
	}
	storeMust(t, s.claim(t.Context(), alive, 1, []byte("me")))
}

// A run that dies after its commit was made leaves the object of its stage. The uploads are
// the commit's.
func TestS3ClaimedAndHeld(t *testing.T) {
	o := s3Place(t)
	s, other := s3At(t, o), s3At(t, o)
	at := storeRun(t, s, "a")
	name, token := storeFile(t, s, at, 1, []byte("x"))
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.hold(t.Context(), at, []byte("by who does not know yet")))
	if found, err := s.list(t.Context(), storeTable+"/"+hidden+"/staging"); err != nil || len(found) > 0 {
		t.Errorf("got %v, %v; want no stage", found, err)
	}
	storeMust(t, other.hold(t.Context(), at, []byte("as it was")))
	if found, err := other.stages(t.Context(), storeTable); err != nil || len(found) > 0 {
		t.Errorf("got %v, %v; want no stage", found, err)
	}
	if found, err := s.list(t.Context(), storeTable+"/"+hidden+"/staging"); err != nil || len(found) > 0 {
		t.Errorf("got %v, %v once somebody has looked; want nothing left of the stage", found, err)
	}
	storeMust(t, other.discard(t.Context(), at))
	storeMust(t, other.publish(t.Context(), storeTable, 1, name, token))
	storeContent(t, s, storeTable+"/"+name, []byte("x"))
}

func TestS3Publish(t *testing.T) {
	s := s3At(t, s3Place(t))
	at := storeRun(t, s, "a")
	name, token := storeFile(t, s, at, 1, []byte("x"))
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
	gone := strings.Replace(token, `"upload":"`, `"upload":"0`, 1) // as after some days
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, gone))
	storeMust(t, s.remove(t.Context(), storeTable+"/"+name))
	err := s.publish(t.Context(), storeTable, 1, name, gone)
	if !errors.Is(err, fs.ErrNotExist) || hint.IsTransient(err) || hint.Of(err) == "" || !strings.Contains(err.Error(), "the file is lost") {
		t.Errorf("got %v (hint %q), want that the file is lost", err, hint.Of(err))
	}
	for _, bad := range []string{"", "{}", "x"} {
		if err := s.publish(t.Context(), storeTable, 1, name, bad); err == nil {
			t.Errorf("with the token %q it was published", bad)
		}
	}
}

// There are more files than one answer has, and marks that tools make of folders.
func TestS3Many(t *testing.T) {
	t.Parallel()
	s := s3At(t, s3Place(t))
	const many = 1100
	var wg sync.WaitGroup
	room := make(chan struct{}, 8)
	for i := range many {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if err := s.replace(t.Context(), "", fmt.Sprintf("d/%04d", i), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	storeMust(t, s.put(t.Context(), s.folder("d"), nil))
	storeMust(t, s.put(t.Context(), s.folder("d/empty"), nil))
	found, err := s.list(t.Context(), "d")
	storeMust(t, err)
	if len(found) != many+1 || found[many-1] != (info{name: fmt.Sprintf("%04d", many-1)}) || found[many] != (info{name: "empty", folder: true}) {
		t.Errorf("got %d, the last are %v", len(found), found[max(0, len(found)-2):])
	}
	if err := s.remove(t.Context(), ""); err == nil {
		t.Error("everything was removed")
	}
	storeMust(t, s.remove(t.Context(), "d"))
	if found, err := s.list(t.Context(), ""); err != nil || len(found) > 0 {
		t.Errorf("got %v, %v; want nothing", found, err)
	}
}

// What is read is one and the same file, or an error.
func TestS3ReplacedWhileRead(t *testing.T) {
	s := s3At(t, s3Place(t))
	storeMust(t, s.replace(t.Context(), "", "f", bytes.Repeat([]byte("a"), 2*s3Window)))
	f, err := s.open(t.Context(), "f")
	storeMust(t, err)
	p := make([]byte, 10)
	_, err = f.ReadAt(p, 0)
	storeMust(t, err)
	storeMust(t, s.replace(t.Context(), "", "f", bytes.Repeat([]byte("b"), 2*s3Window)))
	if n, err := f.ReadAt(p, s3Window); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("got %q, %v", p[:n], err)
	}
	storeMust(t, f.Close())
	if _, err := f.ReadAt(p, s3Window); !errors.Is(err, context.Canceled) {
		t.Errorf("closed: got %v", err)
	}
}

func TestS3Places(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	for prefix, want := range map[string][3]string{
		"":       {"s3://b/t/f", "t/f", ""},
		"/a//b/": {"s3://b/a/b/t/f", "a/b/t/f", "a/b/"},
	} {
		s := s3At(t, s3Options{bucket: "b", prefix: prefix, endpoint: "http://127.0.0.1:1"})
		if got := [3]string{s.url("t/f"), s.key("t/f"), s.folder("")}; got != want {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
	for _, o := range []s3Options{
		{}, {bucket: "b"}, {bucket: "b", endpoint: "host:9000"}, {bucket: "b", endpoint: "http://u:s3cret@host"}, {bucket: "b", endpoint: "ftp://host"},
	} {
		if s, err := newS3(t.Context(), o); err == nil || strings.Contains(err.Error()+hint.Of(err), "s3cret") {
			t.Errorf("%v: got %v, %v", o, s, err)
		}
	}
	var size int64
	for part := range 10_000 {
		size += s3SizeOf(part)
	}
	if s3SizeOf(999) != 16<<20 || s3SizeOf(1000) != 32<<20 || size < 5<<40 {
		t.Errorf("the parts make %d bytes at most", size)
	}
}

// A part is read as the SDK reads it: to its end, and from its beginning again.
func TestS3Part(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abc"), 50_000)
	var p s3Part
	for rest := content; len(rest) > 0; {
		n := p.add(rest[:min(len(rest), 9999)], 600_000)
		if rest = rest[n:]; n == 0 {
			content = content[:len(content)-len(rest)]
			break
		}
	}
	if len(content) != 600_000 {
		t.Errorf("it has %d bytes", len(content))
	}
	for range 2 {
		var got bytes.Buffer
		if _, err := got.ReadFrom(&p); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("got %d bytes (%v), want %d", got.Len(), err, len(content))
		}
		if at, err := p.Seek(0, 0); at != 0 || err != nil {
			t.Errorf("at %d: %v", at, err)
		}
	}
	p.free()
	if !reflect.DeepEqual(p, s3Part{}) {
		t.Errorf("it has %v", p)
	}
}

// What is staged can be read where there is room for it, and removed.
func TestS3Reveal(t *testing.T) {
	o := s3Place(t)
	o.copyBytes, o.copyDir = 3*s3PartSize, t.TempDir()
	s := s3At(t, o)
	at := stage{table: storeTable, name: "a", again: true}
	storeMust(t, s.hold(t.Context(), at, []byte("a")))
	content := make([]byte, s3PartSize+12345)
	rand.NewChaCha8([32]byte{}).Read(content)
	one, oneToken := storeFile(t, s, at, 1, content)
	two, twoToken := storeFile(t, s, at, 2, nil)
	three, threeToken := storeFile(t, s, at, 3, make([]byte, 3*s3PartSize)) // for which there is no room
	in, err := s.reveal(t.Context(), at, one, oneToken)
	storeMust(t, err)
	for _, r := range [][2]int64{{0, 10}, {s3PartSize - 3, 9}, {s3PartSize, 1}, {5, s3PartSize + 100}, {int64(len(content)) - 4, 4}} {
		p := make([]byte, r[1])
		if n, err := in.ReadAt(p, r[0]); err != nil || !bytes.Equal(p[:n], content[r[0]:r[0]+r[1]]) {
			t.Errorf("from %d on: got %d of %d (%v)", r[0], n, r[1], err)
		}
	}
	if got, err := io.ReadAll(io.NewSectionReader(in, 0, in.length())); err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %d bytes of %d, or others (%v)", len(got), len(content), err)
	}
	if n, err := in.ReadAt(make([]byte, 9), int64(len(content))-4); n != 4 || err != io.EOF {
		t.Errorf("at the end: got %d, %v", n, err)
	}
	if in, err := s.reveal(t.Context(), at, two, twoToken); err != nil || in.length() != 0 {
		t.Errorf("an empty file: %v", err)
	}
	// It is completed, to be read.
	if in, err := s.reveal(t.Context(), at, three, threeToken); err != nil || in.length() != 3*s3PartSize {
		t.Errorf("one without a copy: %v", err)
	}
	for range 2 {
		storeMust(t, s.unstage(t.Context(), at, one, oneToken))
	}
	if _, err := s.reveal(t.Context(), at, one, oneToken); err == nil {
		t.Error("what was removed can be read")
	}
	if left := s3Uploads(t, s); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, two, twoToken))
	storeMust(t, s.publish(t.Context(), storeTable, 1, three, threeToken))
	if s.copied != 0 {
		t.Errorf("%d bytes are kept", s.copied)
	}
	b := stage{table: storeTable, name: "b", again: true}
	storeMust(t, s.hold(t.Context(), b, []byte("b")))
	storeFile(t, s, b, 1, content)
	storeMust(t, s.discard(t.Context(), b))
	if left, err := os.ReadDir(o.copyDir); err != nil || len(left) > 0 || s.copied != 0 {
		t.Errorf("%d bytes are kept, there is %v (%v)", s.copied, left, err)
	}
}

// Who has lost a race leaves nothing of its own at the commit, and sees what has won.
func TestS3ClaimedBy(t *testing.T) {
	s := s3At(t, s3Place(t))
	for n := range int64(40) {
		var wg sync.WaitGroup
		begin := make(chan struct{})
		winner := make(chan string, 8)
		for r := range 8 {
			at := stage{table: fmt.Sprint("t", n), name: fmt.Sprint("r", r)}
			storeMust(t, s.hold(t.Context(), at, nil))
			wg.Go(func() {
				<-begin
				err := s.claim(t.Context(), at, n, []byte(at.name))
				if err == nil {
					winner <- at.name
				} else if !errors.Is(err, errTaken) {
					t.Error(err)
				} else if _, err := s.entry(t.Context(), at.table, n); err != nil {
					t.Errorf("it is taken, and: %v", err)
				}
			})
		}
		close(begin)
		wg.Wait()
		won := <-winner
		entry, err := s.entry(t.Context(), fmt.Sprint("t", n), n)
		storeMust(t, err)
		got, err := s.claimed(t.Context(), fmt.Sprint("t", n))
		if want := map[string]bool{won: true}; err != nil || !reflect.DeepEqual(got, want) || string(entry) != won {
			t.Errorf("claimed by %v, with the entry %s (%v); %s has won", got, entry, err, won)
		}
	}
}
