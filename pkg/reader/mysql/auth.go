package mysql

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// plugins are the ways of showing a password that are spoken here, by the names of
// the client's half.
var plugins = []string{
	mysql.AUTH_CACHING_SHA2_PASSWORD, mysql.AUTH_SHA256_PASSWORD, mysql.AUTH_NATIVE_PASSWORD, mysql.AUTH_MARIADB_ED25519, mysql.AUTH_CLEAR_PASSWORD,
}

// maxAuth is how many packets a server may ask for before the login is over.
// MariaDB's accounts can have several plugins, tried one after the other.
const maxAuth = 32

// login answers the greeting, and whatever the server asks then. Where user and
// server meet within one machine, and the account is the system's user
// (unix_socket, auth_socket), no plugin is asked for and any answer will do.
func (h *handshake) login() error {
	h.plugin, h.scramble = h.greeting.plugin, h.greeting.scramble
	answer, err := h.answer()
	if err != nil {
		// The server's default need not be the account's: it names that next.
		h.plugin = mysql.AUTH_NATIVE_PASSWORD
		if answer, err = h.answer(); err != nil {
			return err
		}
	}
	b := h.opening(0)
	if h.encrypted {
		b = h.opening(mysql.CLIENT_SSL)
	}
	b = append(append(b, h.cfg.user...), 0)
	b = append(mysql.AppendLengthEncodedInteger(b, uint64(len(answer))), answer...)
	b = append(append(b, h.plugin...), 0)
	if h.negotiated()&mysql.CLIENT_CONNECT_ATTRS != 0 {
		var attrs []byte
		for _, s := range []string{"program_name", "tablehaul", "_client_name", "tablehaul"} {
			attrs = append(attrs, mysql.PutLengthEncodedString([]byte(s))...)
		}
		b = append(mysql.AppendLengthEncodedInteger(b, uint64(len(attrs))), attrs...)
	}
	if err := h.write(b); err != nil {
		return err
	}
	return h.prove()
}

// prove answers until the server lets us in.
func (h *handshake) prove() error {
	for range maxAuth {
		p, err := h.read()
		if err != nil {
			return err
		}
		if len(p) == 0 {
			return errors.New("empty packet while logging in")
		}
		var answer []byte
		switch p[0] {
		case mysql.OK_HEADER:
			return nil
		case mysql.ERR_HEADER:
			if err := asError(p); err != nil {
				return err
			}
			return errors.New("bad error packet while logging in")
		case mysql.EOF_HEADER:
			answer, err = h.change(p)
		case mysql.MORE_DATE_HEADER:
			answer, err = h.more(p[1:])
			if err == nil && answer == nil {
				continue // nothing is asked
			}
		case 2: // AuthNextFactor
			return hint.Wrap(errors.New("the account wants a second factor"), "make a user of its own for this program, with a password alone")
		default:
			return errors.New("unknown packet while logging in")
		}
		if err != nil {
			return err
		}
		if err := h.write(answer); err != nil {
			return err
		}
	}
	return errors.New("the server keeps asking and lets nobody in")
}

// change reads an AuthSwitchRequest and answers by the plugin that it names.
func (h *handshake) change(p []byte) ([]byte, error) {
	name, data, ok := bytes.Cut(p[1:], []byte{0})
	if !ok {
		return nil, hint.Wrap(errors.New("the account has a password of before MySQL 4.1"), "set it anew")
	}
	h.plugin, h.scramble = string(name), data
	// Most scrambles have a zero byte behind them; that of ed25519 can end with one.
	if n := len(data); n > 0 && n%4 == 1 {
		h.scramble = data[:n-1]
	}
	return h.answer()
}

// answer is the first word by the plugin of the account. It is never nil without an
// error.
func (h *handshake) answer() ([]byte, error) {
	pw := []byte(h.cfg.password.text())
	switch h.plugin {
	case mysql.AUTH_NATIVE_PASSWORD:
		if len(h.scramble) < 20 {
			return nil, errors.New("the server's scramble is too short")
		}
		return notNil(mysql.CalcNativePassword(h.scramble[:20], pw)), nil
	case mysql.AUTH_CACHING_SHA2_PASSWORD:
		return notNil(mysql.CalcCachingSha2Password(h.scramble, pw)), nil
	case mysql.AUTH_SHA256_PASSWORD:
		switch {
		case len(pw) == 0:
			return []byte{0}, nil
		case h.safe() || h.cfg.key != nil || h.cfg.askKey:
			return h.whole(1)
		}
		return nil, h.unsafe()
	case mysql.AUTH_MARIADB_ED25519:
		if len(h.scramble) != 32 {
			return nil, errors.New("the server's scramble is not of 32 bytes")
		}
		return mysql.CalcEd25519Password(h.scramble, h.cfg.password.text())
	case mysql.AUTH_CLEAR_PASSWORD:
		switch {
		case !h.cfg.clear:
			return nil, hint.Wrap(errors.New("the server wants the password as it is (mysql_clear_password)"),
				"if it is to have it, as for PAM and LDAP: enable-cleartext-plugin=1, with ssl-mode=VERIFY_CA or VERIFY_IDENTITY")
		case !h.safe():
			return nil, hint.Wrap(errors.New("the server wants the password as it is (mysql_clear_password) over a connection that is not encrypted"), "ssl-mode=VERIFY_IDENTITY")
		}
		return append(pw, 0), nil
	}
	return nil, hint.Wrap(fmt.Errorf("the account logs in by %q, which is not spoken here", h.plugin), "make a user for this program by one of: %s", strings.Join(plugins, ", "))
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// whole sends the whole password: as it is where nobody listens, else encrypted,
// or, if there is no key yet, ask, which asks for one.
func (h *handshake) whole(ask byte) ([]byte, error) {
	switch {
	case h.safe():
		return append([]byte(h.cfg.password.text()), 0), nil
	case h.cfg.key != nil:
		return h.cfg.password.encrypted(h.scramble, h.cfg.key)
	case h.cfg.askKey:
		return []byte{ask}, nil
	}
	return nil, h.unsafe()
}

func (h *handshake) unsafe() error {
	return hint.Wrap(fmt.Errorf("%s takes a connection that is encrypted", h.plugin),
		"ssl-mode=REQUIRED or better; without TLS name the server's public_key.pem by server-public-key-path, or take any key by get-server-public-key=1")
}

// more answers what a plugin asks beyond its first word; nil is nothing.
func (h *handshake) more(data []byte) ([]byte, error) {
	const fast, full, wantKey = 3, 4, 2
	sha2 := h.plugin == mysql.AUTH_CACHING_SHA2_PASSWORD
	switch {
	case sha2 && len(data) == 1 && data[0] == fast: // known from an earlier login
		return nil, nil
	case sha2 && len(data) == 1 && data[0] == full:
		return h.whole(wantKey)
	case (sha2 || h.plugin == mysql.AUTH_SHA256_PASSWORD) && !h.safe() && h.cfg.key == nil && h.cfg.askKey:
		key, err := parsePublicKey(data)
		if err != nil {
			return nil, fmt.Errorf("read the server's public key: %w", err)
		}
		return h.cfg.password.encrypted(h.scramble, key)
	}
	return nil, fmt.Errorf("%s asks for something unknown", h.plugin)
}
