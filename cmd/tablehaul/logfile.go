package main

import (
	"os"
	"sync"
)

// A logFile is a log that others may move away: it begins a new one where its
// path leads to another file, or to none, as after logrotate's work. What cannot
// be written, as on a full disk, is dropped and counted, and the run goes on.
type logFile struct {
	path string
	news chan logNews // of size 1: who reads it is told of the first of several

	mu   sync.Mutex
	f    *os.File
	lost int  // records, of the trouble at hand
	half bool // the last line was cut short
}

// A logNews is trouble that begins, or, without an error, that is over.
type logNews struct {
	err  error
	lost int // records
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path, news: make(chan logNews, 1)}
	return l, l.open()
}

func (l *logFile) open() (err error) {
	l.f, err = os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return err
}

// Write writes a record. It never fails, since slog would drop the error.
func (l *logFile) Write(record []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.follow()
	if err == nil {
		err = l.write(record)
	}
	switch {
	case err != nil:
		if l.lost++; l.lost == 1 {
			l.tell(logNews{err: err})
		}
	case l.lost > 0:
		l.tell(logNews{lost: l.lost})
		l.lost = 0
	}
	return len(record), nil
}

func (l *logFile) tell(n logNews) {
	select {
	case l.news <- n:
	default: // a disk that is full now and again
	}
}

// follow opens the path anew if it leads elsewhere.
func (l *logFile) follow() error {
	if l.f != nil {
		here, err := l.f.Stat()
		if err != nil {
			return err
		}
		if there, err := os.Stat(l.path); err == nil && os.SameFile(here, there) {
			return nil
		}
		_ = l.f.Close() // every record has been written
		l.f, l.half = nil, false
	}
	return l.open()
}

func (l *logFile) write(record []byte) error {
	if l.half {
		record = append([]byte("\n"), record...)
	}
	n, err := l.f.Write(record)
	if n > 0 {
		l.half = err != nil
	}
	return err
}

// close returns how many records have been lost and not been told of.
func (l *logFile) close() (lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil && l.f.Close() != nil {
		l.lost++ // a disk in the network may tell it only now
	}
	return l.lost
}
