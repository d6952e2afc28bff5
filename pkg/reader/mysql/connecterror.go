package mysql

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Errors of logging in that go-mysql has no name for.
const (
	errAccountLocked = 3118 // ER_ACCOUNT_HAS_BEEN_LOCKED
	errLockedMaria   = 4151 // MariaDB: ER_ACCOUNT_HAS_BEEN_LOCKED
	errPlainRefused  = 3159 // ER_SECURE_TRANSPORT_REQUIRED
)

// errCertRefused is a server that ends the connection once it has seen our
// certificate, or that there is none. It says why if it can.
var errCertRefused = errors.New("the server refuses the client's certificate")

const certRemedy = "ssl-cert and ssl-key must name one that is signed by the server's ssl_ca, and in its time"

// connectError explains why there is no connection.
func connectError(cfg config, err error) error {
	err = fmt.Errorf("connect to %s as %s: %w", cfg.addr, cfg.user, serverError(alert(err)))
	switch code(err) {
	case mysql.ER_ACCESS_DENIED_ERROR, mysql.ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
		return hint.Wrap(err, "%s", cfg.deniedHint())
	case mysql.ER_HOST_NOT_PRIVILEGED:
		return hint.Wrap(err, "create the user at the server for this machine: '%s'@'…'", cfg.user)
	case errPlainRefused:
		return hint.Wrap(err, "ssl-mode=REQUIRED")
	case errAccountLocked, errLockedMaria:
		return hint.Wrap(err, "ALTER USER '%s' ACCOUNT UNLOCK", cfg.user)
	case 0:
		var ne net.Error
		if errors.As(err, &ne) || gone(err) { // not so a certificate that is not trusted
			err = hint.Transient(err)
		}
		return hint.Wrap(err, "check that the server runs and that host and port are right")
	}
	return err
}

// deniedHint says what to look at when user and password are not accepted, or what
// else the account asks for. A server tells none of them from the others.
func (c config) deniedHint() string {
	h := "check the user, and the password, which is from " + c.from
	if c.from == "" {
		h = "there is no password: give it by TABLEHAUL_PASSWORD, --password-file, --login-path or ~/.my.cnf, or have it asked for by --ask-password"
	}
	switch {
	case c.wanted() == nil:
		return h + "; a user who must use TLS needs ssl-mode=REQUIRED"
	case len(c.tls.certs) == 0:
		return h + "; a user who must show a certificate needs ssl-cert and ssl-key"
	}
	return h + "; a user may also have to show another certificate by ssl-cert"
}

// alert turns what TLS says of the other side's refusal into words. Such an error
// looks like one of the network, and is none that passes.
func alert(err error) error {
	var oe *net.OpError
	if !errors.As(err, &oe) || oe.Op != "remote error" {
		return err
	}
	text := strings.TrimPrefix(oe.Err.Error(), "tls: ")
	if strings.Contains(text, "certificate") {
		return hint.Wrap(fmt.Errorf("%w: %s", errCertRefused, text), certRemedy)
	}
	return hint.Wrap(fmt.Errorf("the server refuses TLS: %s", text), "see the server's tls_version and tls-version here")
}
