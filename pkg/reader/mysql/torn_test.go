package mysql

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/reader"
)

// A table that is made and dropped again and again has its key whenever it is found.
func TestFoundWhileDropped(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		src, err := Open(t.Context(), s.url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		if _, err := s.query(t.Context(), "CREATE TABLE stays (id INT PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, q := range []string{"CREATE TABLE here (id INT PRIMARY KEY)", "DO SLEEP(0.003)", "DROP TABLE here"} {
					if _, err := s.query(t.Context(), q); err != nil {
						t.Error(err)
						return
					}
				}
			}
		}()
		found := 0
		for n := 0; n < 2000 && found < 60; n++ {
			table, err := src.Find(t.Context(), reader.Selection{DB: s.db}, s.db, "here")
			switch {
			case err != nil:
				t.Error(err)
			case table != nil:
				if found++; len(table.Key) != 1 {
					t.Errorf("columns %v, key %v", table.Columns, table.Key)
				}
			}
			all, err := src.Tables(t.Context(), reader.Selection{DB: s.db})
			if err != nil {
				t.Error(err)
			}
			for _, table := range all {
				if len(table.Key) != 1 {
					t.Errorf("of all: columns %v, key %v", table.Columns, table.Key)
				}
			}
		}
		close(stop)
		<-done
		if found == 0 {
			t.Error("it was never found")
		}
	})
}
