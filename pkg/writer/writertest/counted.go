package writertest

import (
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// counted wants a sink that tells what it has written to count what is part of
// the table, once, and nothing else.
func (k *kit) counted() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	counter, ok := w.(writer.Counter)
	if !ok {
		k.Skip("the sink does not tell what it has written")
	}
	var files, bytes int64
	step := func(what string, more bool) {
		k.Helper()
		f, b := counter.Written()
		if more != (f > files && b > bytes) || !more && (f != files || b != bytes) {
			k.Errorf("%s: %d files of %d bytes, after %d of %d", what, f, b, files, bytes)
		}
		files, bytes = f, b
	}
	step("opened", false)
	k.write(w, t, ids(1, 3))
	step("staged", false)
	k.commit(w, "p1")
	step("committed", true)
	k.commit(w, "p2")
	step("a position alone", false)
	k.write(w, t, ids(4, 6))
	if k.h.LoseReply != nil {
		k.h.LoseReply(k.T)
		if err := w.Commit(k.Context(), "p3"); err == nil {
			k.Fatal("the reply was not lost")
		}
	}
	k.commit(w, "p3")
	f, b := files, bytes
	step("repeated", true)
	if files-f != f || bytes-b > 2*b {
		k.Errorf("as many rows again: %d files of %d bytes, after %d of %d", files, bytes, f, b)
	}
}
