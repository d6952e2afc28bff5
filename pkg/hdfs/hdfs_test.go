package hdfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/testdata/services"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (hint %q)", err, hint.Of(err))
	}
}

// open opens the HDFS of all tests, and returns a folder there of this one's.
func open(t *testing.T, o Options) (c *Client, dir string) {
	t.Helper()
	if o.Address == "" {
		o.Address = services.Env(t, "TABLEHAUL_TEST_HDFS")
	}
	o.Warn = func(text string) { t.Log("warning:", text) }
	c, err := Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	dir = fmt.Sprintf("/%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano())
	must(t, c.MkdirAll(t.Context(), dir))
	t.Cleanup(func() { must(t, c.RemoveAll(context.Background(), dir)) })
	return c, dir
}

func write(t testing.TB, c *Client, name string, content []byte, o CreateOptions) {
	t.Helper()
	f, err := c.Create(t.Context(), name, o)
	must(t, err)
	_, err = f.Write(content)
	must(t, err)
	must(t, f.Close())
}

func read(t testing.TB, c *Client, name string) []byte {
	t.Helper()
	r, err := c.Open(t.Context(), name)
	must(t, err)
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	must(t, err)
	must(t, r.Close())
	return b
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestFiles(t *testing.T) {
	c, dir := open(t, Options{})
	for name, content := range map[string][]byte{
		"empty": nil, "small": []byte("x"), "blocks": noise(5<<20 + 7), "whole blocks": noise(4 << 20), "#?&=+%表": noise(100),
	} {
		write(t, c, dir+"/"+name, content, CreateOptions{BlockSize: 1 << 20})
		if got := read(t, c, dir+"/"+name); !bytes.Equal(got, content) {
			t.Errorf("%s: got %d bytes of %d, or others", name, len(got), len(content))
		}
		st, err := c.Stat(t.Context(), dir+"/"+name)
		must(t, err)
		if st.Size() != int64(len(content)) || st.Mode() != 0o644 {
			t.Errorf("%s: %d bytes, mode %v", name, st.Size(), st.Mode())
		}
	}
	list, err := c.List(t.Context(), dir)
	must(t, err)
	var names []string
	for _, st := range list {
		names = append(names, st.Name())
	}
	if want := []string{"#?&=+%表", "blocks", "empty", "small", "whole blocks"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestReadAt(t *testing.T) {
	c, dir := open(t, Options{})
	content := noise(3 << 20)
	write(t, c, dir+"/f", content, CreateOptions{BlockSize: 1 << 20})
	r, err := c.Open(t.Context(), dir+"/f")
	must(t, err)
	defer r.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				off := rand.IntN(len(content))
				b := make([]byte, 1+rand.IntN(1<<20))
				n, err := r.ReadAt(b, int64(off))
				if want := min(len(b), len(content)-off); n != want || err != nil && (err != io.EOF || n == len(b)) {
					t.Errorf("at %d: got %d of %d: %v", off, n, want, err)
				} else if !bytes.Equal(b[:n], content[off:off+n]) {
					t.Errorf("at %d: other bytes", off)
				}
			}
		})
	}
	wg.Wait()
	if n, err := r.ReadAt(make([]byte, 1), int64(len(content))); n != 0 || err != io.EOF {
		t.Errorf("behind the end: got %d, %v", n, err)
	}
}

// A commit is a folder that takes a name: one of all wins.
func TestRenameOneWins(t *testing.T) {
	c, dir := open(t, Options{})
	other, _ := open(t, Options{})
	for round := range 5 {
		to := fmt.Sprintf("%s/commit%d", dir, round)
		var won, lost int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 20 {
			c := []*Client{c, other}[i%2]
			from := fmt.Sprintf("%s/stage%d-%d", dir, round, i)
			must(t, c.MkdirAll(t.Context(), from))
			write(t, c, from+"/entry", []byte(from), CreateOptions{})
			wg.Go(func() {
				err := c.Rename(t.Context(), from, to)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, fs.ErrExist):
					lost++
				default:
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 || lost != 19 {
			t.Errorf("%d won, %d lost", won, lost)
		}
	}
}

func TestRename(t *testing.T) {
	c, dir := open(t, Options{})
	write(t, c, dir+"/a", []byte("a"), CreateOptions{})
	write(t, c, dir+"/b", []byte("b"), CreateOptions{})
	must(t, c.Rename(t.Context(), dir+"/a", dir+"/b"))
	if got := read(t, c, dir+"/b"); string(got) != "a" {
		t.Errorf("got %q", got)
	}
	must(t, c.MkdirAll(t.Context(), dir+"/from"))
	must(t, c.MkdirAll(t.Context(), dir+"/to"))
	must(t, c.Rename(t.Context(), dir+"/from", dir+"/to")) // of which nothing is in
	for _, names := range [][2]string{{"/gone", "/x"}, {"/b", "/none/x"}} {
		if err := c.Rename(t.Context(), dir+names[0], dir+names[1]); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: got %v", names, err)
		}
	}
}

func TestNoneAndTwice(t *testing.T) {
	c, dir := open(t, Options{})
	ctx := t.Context()
	write(t, c, dir+"/a", []byte("a"), CreateOptions{})
	_, stat := c.Stat(ctx, dir+"/none")
	_, list := c.List(ctx, dir+"/none")
	_, openErr := c.Open(ctx, dir+"/none")
	_, create := c.Create(ctx, dir+"/none/f", CreateOptions{})
	for what, err := range map[string]error{"stat": stat, "list": list, "open": openErr, "create": create, "remove": c.Remove(ctx, dir+"/none")} {
		if !errors.Is(err, fs.ErrNotExist) || hint.IsTransient(err) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	must(t, c.RemoveAll(ctx, dir+"/none"))
	for _, name := range []string{"a", ""} {
		if _, err := c.Create(ctx, dir+"/"+name, CreateOptions{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create %q again: got %v", name, err)
		}
	}
	if err := c.Remove(ctx, dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("remove a folder with something in it: got %v", err)
	}
	if _, err := c.Create(ctx, dir+"/a:b", CreateOptions{}); !errors.Is(err, fs.ErrInvalid) || hint.Of(err) == "" {
		t.Errorf("a colon: got %v", err)
	}
}

func TestAbort(t *testing.T) {
	c, dir := open(t, Options{})
	for _, size := range []int{0, 10, 3 << 20, 2 << 20} {
		f, err := c.Create(t.Context(), dir+"/f", CreateOptions{BlockSize: 1 << 20})
		must(t, err)
		_, err = f.Write(noise(size))
		must(t, err)
		f.Abort()
		if _, err := c.Stat(t.Context(), dir+"/f"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d: got %v", size, err)
		}
		if err := f.Close(); err == nil {
			t.Errorf("%d: closed", size)
		}
	}
	write(t, c, dir+"/f", []byte("f"), CreateOptions{})
}

// Contexts hold for their calls, and no longer.
func TestCancel(t *testing.T) {
	c, dir := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	f, err := c.Create(ctx, dir+"/f", CreateOptions{})
	must(t, err)
	cancel()
	_, err = f.Write(noise(1 << 20))
	must(t, err)
	must(t, f.Close())
	f.Abort()
	if _, err := c.Stat(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if st, err := c.Stat(t.Context(), dir+"/f"); err != nil || st.Size() != 1<<20 {
		t.Errorf("got %v, %v", st, err)
	}
}

func TestDenied(t *testing.T) {
	c, dir := open(t, Options{})
	write(t, c, dir+"/a", []byte("a"), CreateOptions{})
	t.Setenv("HADOOP_USER_NAME", "somebody")
	s, err := Open(t.Context(), Options{Address: os.Getenv("TABLEHAUL_TEST_HDFS")})
	must(t, err)
	defer s.Close()
	_, create := s.Create(t.Context(), dir+"/b", CreateOptions{})
	for what, err := range map[string]error{
		"create": create, "mkdir": s.MkdirAll(t.Context(), dir+"/d"), "remove": s.RemoveAll(t.Context(), dir+"/a"),
		"rename": s.Rename(t.Context(), dir+"/a", dir+"/b"),
	} {
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(fmt.Sprint(err), "the user somebody needs the right to write in "+dir) ||
			hint.Of(err) == "" || hint.IsTransient(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v (hint %q)", what, err, hint.Of(err))
		}
	}
}

func TestNow(t *testing.T) {
	c, dir := open(t, Options{})
	now, err := c.Now(t.Context(), dir)
	must(t, err)
	if d := time.Since(now).Abs(); d > time.Minute {
		t.Errorf("%v away", d)
	}
	if list, err := c.List(t.Context(), dir); err != nil || len(list) > 0 {
		t.Errorf("left %v, %v", list, err)
	}
}

func TestNobodyThere(t *testing.T) {
	start := time.Now()
	_, err := Open(t.Context(), Options{Address: "127.0.0.1:1"})
	if !hint.IsTransient(err) || hint.Of(err) == "" || !strings.Contains(fmt.Sprint(err), "no NameNode answers: 127.0.0.1:1 cannot be reached: connection refused") {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("after %v", d)
	}
}

// TestOtherPort is a URL with the port of a page for browsers.
func TestOtherPort(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	_, err := Open(t.Context(), Options{Address: page.Listener.Addr().String()})
	want := page.Listener.Addr().String() + " answers, but not as a NameNode does at its RPC port"
	if hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), want) || !strings.Contains(hint.Of(err), "port for RPC") {
		t.Errorf("got %v (hint %q), want %q", err, hint.Of(err), want)
	}
}

// An address at which something else answers is final only if it is so at all of them: a
// NameNode may be back.
func TestStrangers(t *testing.T) {
	for name, c := range map[string]struct {
		second error
		passes bool
	}{
		"all":             {errNoRPC, false},
		"one, and an end": {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
	} {
		cl := &Client{link: newLink([]string{"nn1:8020", "nn2:8020"}, false, nil)}
		cl.link.failed("nn1:8020", errNoRPC)
		cl.link.failed("nn2:8020", c.second)
		err := cl.unreachable(errors.New("no available namenodes"))
		if hint.IsTransient(err) != c.passes || !strings.Contains(hint.Of(err), "port") {
			t.Errorf("%s: %v (hint %q), may pass: %v", name, err, hint.Of(err), hint.IsTransient(err))
		}
	}
}
