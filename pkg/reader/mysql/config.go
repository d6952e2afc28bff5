// Package mysql reads the stock and the binary logs of MySQL and MariaDB servers.
//
// To change how a table is found, read tables.go; how all tables are read at
// one point, pin.go; how a table is cut, split.go; how bytes become columns,
// packet.go and decode.go. Of the log: what a server must offer, logcheck.go;
// how a place in it is found, logplace.go; how it is asked for, logdump.go; what
// becomes of its events, stream.go; how these become batches, streambatch.go.
package mysql

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Options tell a Stock how to read.
type Options struct {
	// ZeroDate says what becomes of dates that no calendar holds, such as
	// 0000-00-00 and 2021-02-31: "null" (the default), "epoch", or "fail".
	ZeroDate string
	// Memory is the budget of all readers together, in bytes; 0 is 64 MiB.
	Memory int64
	// Parallel is how many readers share Memory; 0 is 1.
	Parallel int
	// SplitBytes is how much of a table a split should hold, in bytes as the
	// server stores it; 0 is 64 MiB.
	SplitBytes int64
	// SplitRows, if set, is how many rows a split should hold instead.
	SplitRows int64
	// ServerID is the id under which the log is read; 0 takes a random one that
	// nobody has. Two readers of one id drive each other out.
	ServerID uint32
	// Heartbeat is how often the server says that it has nothing new in its log;
	// 0 is 2 s. A connection that is silent for three of them counts as lost.
	Heartbeat time.Duration
	// Warn is told what the operator should know of but need not act on now. It
	// may be nil.
	Warn func(msg string)

	// For tests: the ways of pinning to try (nil means all), where batches come
	// from, what one may weigh, and whether a log tells its position at the end of
	// every transaction.
	ways       []way
	alloc      memory.Allocator
	batchBytes int
	eager      bool
}

// config is a parsed source URL.
type config struct {
	addr     string // host:port, or the path of a socket
	user     string
	password string
	db       string // "" means every database
	tls      *tls.Config
}

// parseSSLMode reads a mode as mysql's own client names it.
func parseSSLMode(mode, host string) (*tls.Config, error) {
	switch strings.ToUpper(mode) {
	case "", "DISABLED":
		return nil, nil
	case "REQUIRED":
		//nolint:gosec // that is what the mode means: encrypted, whoever the server is
		return &tls.Config{InsecureSkipVerify: true}, nil
	case "VERIFY_IDENTITY":
		return &tls.Config{ServerName: host}, nil
	}
	return nil, hint.Wrap(fmt.Errorf("bad source URL: unknown ssl-mode %q", mode), "known modes: DISABLED (the default), REQUIRED, VERIFY_IDENTITY")
}

// parseURL reads mysql://user:password@host:port/db?socket=/path&ssl-mode=REQUIRED. The password
// had better come from TABLEHAUL_PASSWORD or MYSQL_PWD: a command line is seen
// by everybody on the machine.
func parseURL(s string) (config, error) {
	u, err := url.Parse(s)
	if err != nil {
		// url.Error repeats the whole text, and with it the password.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return config{}, hint.Wrap(fmt.Errorf("bad source URL: %w", err),
			"want mysql://user@host:3306/database; special characters in a name are written %%XX")
	}
	c := config{user: u.User.Username(), db: strings.Trim(u.Path, "/")}
	if c.user == "" {
		c.user = os.Getenv("USER")
	}
	var ok bool
	if c.password, ok = u.User.Password(); !ok {
		if c.password, ok = os.LookupEnv("TABLEHAUL_PASSWORD"); !ok {
			c.password = os.Getenv("MYSQL_PWD")
		}
	}
	if strings.Contains(c.db, "/") {
		return config{}, hint.Wrap(fmt.Errorf("bad source URL: %q is no database", c.db), "the URL ends with the database; --tables names tables")
	}
	for k := range u.Query() {
		if k != "socket" && k != "ssl-mode" {
			return config{}, hint.Wrap(fmt.Errorf("bad source URL: unknown parameter %q", k), "known parameters: socket, ssl-mode")
		}
	}
	if c.tls, err = parseSSLMode(u.Query().Get("ssl-mode"), u.Hostname()); err != nil {
		return config{}, err
	}
	if c.addr = u.Query().Get("socket"); c.addr != "" {
		return c, nil
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return config{}, hint.Wrap(errors.New("bad source URL: it names no host"), "want mysql://user@host:3306/database")
	}
	if port == "" {
		port = "3306"
	}
	c.addr = net.JoinHostPort(host, port)
	return c, nil
}
