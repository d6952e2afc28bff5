package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A controlServer answers whoever may open its socket: HTTP, one resource, /.
// GET tells how hard the run works its source, a held; POST changes it,
// by an adjustment, and tells the same. An error is {"error": …, "hint": …}.
type controlServer struct {
	path   string
	file   os.FileInfo // the socket that was made
	server *http.Server
	done   chan struct{}
}

// serveControl listens at a socket that this user alone may open. One that a dead
// run has left is replaced, one that answers is not.
func serveControl(path string, t throttles, hide secrets, warn func(string)) (*controlServer, error) {
	l, file, err := listenSocket(path)
	if err != nil {
		return nil, fmt.Errorf("--control: %w", err)
	}
	s := &controlServer{
		path: path, file: file, done: make(chan struct{}),
		server: &http.Server{Handler: controlHandler(t, hide), ReadHeaderTimeout: 10 * time.Second},
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			warn("the control socket is no longer served: " + err.Error())
		}
	}()
	return s, nil
}

// listenSocket makes the socket beside its place and then moves it there, so that
// nobody finds it before its mode is set, or none while an old one is replaced.
func listenSocket(path string) (net.Listener, os.FileInfo, error) {
	switch old, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, err
	case old.Mode().Type() != fs.ModeSocket:
		return nil, nil, hint.Wrap(fmt.Errorf("%s is there and is no socket", path), "name another path")
	default:
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, nil, hint.Wrap(fmt.Errorf("another run listens at %s", path), "name another path, or end the other run first")
		}
	}
	beside := fmt.Sprintf("%s.%d", path, os.Getpid())
	l, err := net.Listen("unix", beside)
	if err != nil {
		return nil, nil, hint.Wrap(err, "the folder must be there, and the path be no longer than about 95 bytes")
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	err = os.Chmod(beside, 0o600)
	if err == nil {
		err = os.Rename(beside, path)
	}
	var file os.FileInfo
	if err == nil {
		file, err = os.Lstat(path)
	}
	if err != nil {
		l.Close()
		return nil, nil, errors.Join(err, os.Remove(beside))
	}
	return l, file, nil
}

// close ends the server and takes the socket away, unless it is another's by now.
func (s *controlServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close() // who still asks gets no answer
	}
	<-s.done
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
		_ = os.Remove(s.path) // one that stays is replaced by the next run
	}
}

// A refusal is what the socket answers instead.
type refusal struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func controlHandler(t throttles, hide secrets) http.Handler {
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		e := json.NewEncoder(hide.writer(w))
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // who asked may be gone
	}
	refuse := func(w http.ResponseWriter, err error) {
		answer(w, http.StatusBadRequest, refusal{oneLine(err), hint.Of(err)})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, heldBy(t.State()))
	})
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		var a adjustment
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
		d.DisallowUnknownFields() // a name that is misspelt must not pass for done
		if err := d.Decode(&a); err != nil {
			refuse(w, fmt.Errorf("read the adjustment: %w", err))
			return
		}
		if err := a.apply(r.Context(), t); err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, heldBy(t.State()))
	})
	return mux
}

// apply changes all that the adjustment names, or nothing.
func (a adjustment) apply(ctx context.Context, t throttles) error {
	change, err := a.change()
	if err != nil {
		return err
	}
	if err := t.Adjust(ctx, change); err != nil {
		return err
	}
	if a.Paused != nil {
		t.Pause(*a.Paused)
	}
	return nil
}
