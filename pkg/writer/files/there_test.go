package files

import (
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// TestNothingThere is a place in each store to which nothing was ever written.
func TestNothingThere(t *testing.T) {
	for name, st := range map[string]store{"local": folders{local{t.TempDir()}}, "hdfs": folders{testHDFS(t)}, "s3": s3At(t, s3Place(t))} {
		s := newSink(st, "none", Options{})
		err := s.there(t.Context())
		if !strings.Contains(err.Error(), "there is nothing at "+s.store.url("none")) || hint.Of(err) == "" {
			t.Errorf("%s: got %v (hint %q)", name, err, hint.Of(err))
		}
		if err := st.replace(t.Context(), "", "none/t/x", nil); err != nil {
			t.Fatal(err)
		}
		if err := s.there(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
