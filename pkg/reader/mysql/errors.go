package mysql

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// errGone is a connection that ended under a statement.
var errGone = errors.New("the server closed the connection")

// Errors of servers that go-mysql has no name for.
const (
	errKilled        = 1927 // MariaDB: ER_CONNECTION_KILLED
	errSessionKilled = 3169 // ER_SESSION_WAS_KILLED
	errOffline       = 3032 // ER_SERVER_OFFLINE_MODE
)

// ended reports whether a server ends the connection with such an error.
func ended(code uint16) bool {
	switch code {
	case mysql.ER_SERVER_SHUTDOWN, mysql.ER_NORMAL_SHUTDOWN, errKilled, errSessionKilled, errOffline:
		return true
	}
	return false
}

// code returns the server's error number within err, or 0.
func code(err error) uint16 {
	var me *mysql.MyError
	if errors.As(err, &me) {
		return me.Code
	}
	return 0
}

// serverError is the one place that tells apart what a server or a connection
// can answer, and attaches the remedy.
func serverError(err error) error {
	if err == nil {
		return nil
	}
	var me *mysql.MyError
	if errors.As(err, &me) {
		err = me // without the client's own trace around it
	}
	switch code(err) {
	case 0:
		if gone(err) {
			return hint.Transient(hint.Wrap(errGone, "see the server's error log; run the same command again once it is up"))
		}
	case mysql.ER_QUERY_INTERRUPTED, mysql.ER_SERVER_SHUTDOWN, mysql.ER_NORMAL_SHUTDOWN, errKilled, errSessionKilled, errOffline:
		return hint.Transient(hint.Wrap(err, "somebody ended the server or the connection; run the same command again"))
	case mysql.ER_CON_COUNT_ERROR, mysql.ER_TOO_MANY_USER_CONNECTIONS, mysql.ER_USER_LIMIT_REACHED:
		return hint.Transient(hint.Wrap(err, "raise max_connections, or the user's limit, or run with fewer --parallel"))
	case mysql.ER_MUST_CHANGE_PASSWORD, mysql.ER_MUST_CHANGE_PASSWORD_LOGIN:
		return hint.Wrap(err, "the user's password has expired: ALTER USER … IDENTIFIED BY …, with mysql's client")
	case mysql.ER_NET_PACKET_TOO_LARGE:
		return hint.Wrap(err, "raise max_allowed_packet on the server: a row is larger")
	case mysql.ER_TABLEACCESS_DENIED_ERROR, mysql.ER_COLUMNACCESS_DENIED_ERROR, mysql.ER_DBACCESS_DENIED_ERROR:
		return hint.Wrap(err, "grant SELECT on it to the user")
	}
	return err
}

// gone reports whether the connection broke under a statement.
func gone(err error) bool {
	if errors.Is(err, mysql.ErrBadConn) {
		// go-mysql hides what it caught behind this. A certificate that is not
		// trusted will not be next time either.
		return !strings.Contains(err.Error(), "tls:")
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// tableError narrows err to the table if the server says that it is about the
// table: the connection is then as good as before.
func tableError(t *schema.Table, err error) error {
	anew := false
	switch code(err) {
	case mysql.ER_NO_SUCH_TABLE, mysql.ER_BAD_TABLE_ERROR, mysql.ER_BAD_DB_ERROR:
		anew = true
		err = hint.Wrap(err, "the table was dropped or renamed while the run was under way; run the command again without it")
	case mysql.ER_LOCK_WAIT_TIMEOUT:
		err = hint.Wrap(err, "the table is being altered; run the command again when that is over")
	case mysql.ER_TABLE_DEF_CHANGED:
		anew = true
		// As after TRUNCATE: a snapshot that is taken anew can be read.
		err = hint.Transient(hint.Wrap(err, "the table was altered or truncated while the run was under way; run the command again"))
	case mysql.ER_BAD_FIELD_ERROR:
		anew = true
		err = hint.Wrap(err, "the table was altered while the run was under way; run the command again")
	case mysql.ER_TABLEACCESS_DENIED_ERROR, mysql.ER_COLUMNACCESS_DENIED_ERROR, mysql.ER_DBACCESS_DENIED_ERROR:
	case mysql.ER_NET_PACKET_TOO_LARGE, mysql.ER_CRASHED_ON_USAGE, mysql.ER_NOT_KEYFILE, mysql.ER_TABLESPACE_DISCARDED:
	default:
		return err
	}
	return &schema.TableError{Table: t.String(), Err: err, Anew: anew}
}
