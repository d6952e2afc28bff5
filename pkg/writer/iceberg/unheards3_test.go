package iceberg

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/front"
)

// TestStoreMadeItAndFailed has a real store take an object, take a part of one, put the
// parts together and remove what is to be removed, and answer that it has failed.
func TestStoreMadeItAndFailed(t *testing.T) {
	warehouse, _ := s3Warehouse(t)
	var mu sync.Mutex
	struck := make(map[string]int)
	f := (&front.Front{After: func(r *http.Request, status int) int {
		kind := r.Method
		switch q := r.URL.Query(); {
		case r.Method == http.MethodGet || r.Method == http.MethodHead || status >= 300:
			return 0
		case q.Has("uploadId") && r.Method == http.MethodPost:
			kind = "complete"
		case q.Has("partNumber"):
			kind = "part"
		case q.Has("uploads"):
			return 0 // a second one would stay behind
		}
		mu.Lock()
		defer mu.Unlock()
		if struck[kind]++; struck[kind] > 1 { // each costs a pause
			return 0
		}
		return http.StatusInternalServerError
	}}).Start(t, service(t, "s3", "TABLEHAUL_TEST_S3"))
	s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+warehouse+"&s3.endpoint="+url.QueryEscape(f.URL), Options{Codec: "none", KeepEvery: 1})
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	must(t, w.Keep(t.Context(), "note"))
	write(t, w, rows(tbl, 0, 10))
	must(t, w.Whole(t.Context(), 0))
	big, err := w.st.create(t.Context(), w.location+"/data/big") // as data files are
	must(t, err)
	content := strings.Repeat("0123456789abcdef", 20<<20/16)
	_, err = io.WriteString(big, content)
	must(t, errors.Join(err, big.Close()))
	if got, err := readAll(w.st.files(), w.location+"/data/big"); err != nil || got != content {
		t.Errorf("got %d bytes back (%v), want %d", len(got), err, len(content))
	}
	must(t, w.Commit(t.Context(), "p"))
	must(t, w.Close())
	wantIDs(t, ids(t, s, "t"), 0, 10)
	for _, kind := range []string{"complete", "part", "PUT", "DELETE"} {
		if struck[kind] == 0 {
			t.Errorf("no answer to a %s was exchanged", strings.ToLower(kind))
		}
	}
}
