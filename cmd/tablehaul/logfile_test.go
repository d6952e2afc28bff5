package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// TestLogFileIsMoved does what logrotate does in its two ways, and copytruncate.
func TestLogFileIsMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.log")
	l, err := openLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) { _, _ = l.Write([]byte(text + "\n")) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	must(os.Rename(path, path+".1"))
	write("b")
	must(os.Rename(path, path+".2"))
	must(os.WriteFile(path, nil, 0o600))
	write("c")
	must(os.WriteFile(path+".3", []byte(read(t, path)), 0o600))
	must(os.Truncate(path, 0))
	write("d")
	for name, want := range map[string]string{".1": "a\n", ".2": "b\n", ".3": "c\n", "": "d\n"} {
		if got := read(t, path+name); got != want {
			t.Errorf("run.log%s: %q, want %q", name, got, want)
		}
	}
	if lost := l.close(); lost != 0 {
		t.Errorf("%d records lost", lost)
	}
}

// TestLogFileOnAFullDisk has the disk full for a while.
func TestLogFileOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	path, disk := filepath.Join(dir, "run.log"), filepath.Join(dir, "disk")
	link := func(to string) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	link("/dev/full")
	l, err := openLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := l.Write([]byte("lost\n")); n != 5 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if n := <-l.news; !errors.Is(n.err, syscall.ENOSPC) {
		t.Errorf("told %v", n.err)
	}
	link(disk)
	_, _ = l.Write([]byte("kept\n"))
	if n := <-l.news; n.err != nil || n.lost != 3 {
		t.Errorf("told %+v", n)
	}
	if got := read(t, disk); got != "kept\n" {
		t.Errorf("got %q", got)
	}
	// A line that was cut short is no part of the next one.
	l.half = true
	_, _ = l.Write([]byte("next\n"))
	if got := read(t, disk); got != "kept\n\nnext\n" {
		t.Errorf("got %q", got)
	}
	link(filepath.Join(dir, "nowhere", "run.log"))
	_, _ = l.Write([]byte("lost\n"))
	if lost := l.close(); lost != 1 {
		t.Errorf("%d records lost", lost)
	}
	if strings.Contains(read(t, disk), "lost") {
		t.Error("written to the old file")
	}
}
