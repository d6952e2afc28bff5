package mysql

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// TestServerErrorOfBrokenConnections has every way in which a connection breaks
// count as one that may be there again in a moment: who follows a log waits then.
func TestServerErrorOfBrokenConnections(t *testing.T) {
	// What go-mysql makes of it: the cause is in the text alone.
	bad := func(text string) error { return fmt.Errorf("%s: %w", text, mysql.ErrBadConn) }
	for _, err := range []error{
		io.EOF, io.ErrUnexpectedEOF, fmt.Errorf("read: %w", syscall.ECONNRESET), syscall.EPIPE,
		bad("io.ReadFull(header) failed. err EOF"),
		bad("Write failed. err write tcp 127.0.0.1:1->127.0.0.1:2: write: connection reset by peer"),
		bad("Write failed. err write: broken pipe"),
		bad("io.ReadFull(header) failed. err read: i/o timeout"),
	} {
		if got := serverError(err); !hint.IsTransient(got) || !errors.Is(got, errGone) {
			t.Errorf("%v: got %v", err, got)
		}
	}
	for _, err := range []error{errors.New("short packet"), bad("io.ReadFull(header) failed. err remote error: tls: certificate required")} {
		if got := serverError(err); hint.IsTransient(got) {
			t.Errorf("%v passes for what may be over in a moment", err)
		}
	}
}

// TestIdleConnectionEnds has the server end the connection that lasts while it has
// nothing to do: whoever asks next does not notice.
func TestIdleConnectionEnds(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		st := s.open(t, Options{})
		s.must(t, "KILL "+itoa(uint64(st.control.GetConnectionID())))
		if _, err := st.logState(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
