package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// MySQL is not asked for a global lock while a long query runs, nor by a user who
// cannot see whether one does.
func TestGlobalLockLongQuery(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		if s.maria {
			return // which waits for no query
		}
		s.must(t, "DROP USER IF EXISTS onlyreload", "CREATE USER onlyreload IDENTIFIED BY ''", "GRANT SELECT, RELOAD ON *.* TO onlyreload")
		defer s.must(t, "DROP USER onlyreload")
		open := func() *Stock {
			st, err := Open(context.WithoutCancel(t.Context()), strings.Replace(s.url, "root@", "onlyreload@", 1), Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			return st
		}
		st := open()
		if err := st.control.atRest(t.Context()); !errors.Is(err, errNotPinned) || !strings.Contains(err.Error(), "without PROCESS") {
			t.Errorf("without PROCESS: got %v", err)
		}
		s.must(t, "GRANT PROCESS ON *.* TO onlyreload")
		st = open() // grants count from the next connection on
		long := s.open(t, Options{})
		done := make(chan error, 1)
		go func() { done <- long.control.exec(t.Context(), "SELECT SLEEP(20)") }()
		running := func(p process) bool { return p.info == "SELECT SLEEP(20)" && p.seconds >= 1 }
		for {
			all, err := st.control.processes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(all, running) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := st.control.atRest(t.Context()); !errors.Is(err, errNotPinned) || !strings.Contains(err.Error(), "a long query runs") {
			t.Errorf("beside a long query: got %v", err)
		}
		s.must(t, fmt.Sprintf("KILL QUERY %d", long.control.GetConnectionID()))
		<-done
	})
}
