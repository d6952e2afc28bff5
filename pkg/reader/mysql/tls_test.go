package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A tlsServer is a server of the test's own with certificates that can be changed.
type tlsServer struct {
	*testServer
	dir   string
	right *authority // which the server and its clients trust
	wrong *authority // which nobody trusts
}

// tlsServers runs the test on servers of its own.
func tlsServers(t *testing.T, f func(t *testing.T, s *tlsServer)) {
	for _, service := range []string{"mysql", "mariadb"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			services.Need(t)
			s := &tlsServer{dir: t.TempDir()}
			s.right, s.wrong = newAuthority(t, s.dir, "right"), newAuthority(t, s.dir, "wrong")
			s.right.issue("server", nil)
			copyFile(t, s.right.file, filepath.Join(s.dir, "server-ca.pem"))
			settings := fmt.Sprintf("ssl_ca=%[1]s/server-ca.pem\nssl_cert=%[1]s/server.pem\nssl_key=%[1]s/server-key.pem\n", s.dir)
			options := []string{"--config", filepath.Join(s.dir, "extra.cnf")}
			if service == "mariadb" {
				settings = "plugin_load_add=auth_ed25519\n" + settings
				options = append(options, "--plugins")
			} else {
				settings = "plugin_load_add=auth_socket.so\n" + settings
			}
			if err := os.WriteFile(options[1], []byte(settings), 0o600); err != nil {
				t.Fatal(err)
			}
			addr, script := services.Private(t, service, options...)
			s.testServer = newTestServer(t, "mysql://root@"+addr)
			s.script = script
			f(t, s)
		})
	}
}

// serve has the server show another certificate.
func (s *tlsServer) serve(t *testing.T, by *authority, change func(*x509.Certificate)) {
	t.Helper()
	by.issue("server", change)
	copyFile(t, by.file, filepath.Join(s.dir, "server-ca.pem")) // MySQL shows no other certificates
	s.reload(t)
}

func (s *tlsServer) reload(t *testing.T) {
	t.Helper()
	if s.maria {
		s.must(t, "FLUSH SSL")
		return
	}
	s.must(t, "ALTER INSTANCE RELOAD TLS")
}

// login is a URL of the server with parameters: "ssl-mode=REQUIRED&…".
func (s *tlsServer) login(t *testing.T, user, password, parameters string) string {
	t.Helper()
	u, err := url.Parse(s.as(t, user, password, ""))
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery = parameters
	return u.String()
}

// try connects and returns the cipher, "" if the connection is not encrypted. The
// client's clock is ahead.
func try(t *testing.T, url string, ahead time.Duration) (cipher string, err error) {
	t.Helper()
	cfg, err := parseURL(url)
	if err != nil {
		return "", err
	}
	cfg.tls.now = func() time.Time { return time.Now().Add(ahead) }
	c, err := dial(t.Context(), cfg)
	if err != nil {
		return "", err
	}
	defer c.Close()
	rows, err := c.query(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'")
	if err != nil {
		return "", err
	}
	if len(rows) != 1 {
		t.Fatalf("got %q", rows)
	}
	_, isTLS := c.Conn.Conn.Conn.(*tls.Conn)
	if isTLS != (rows[0][1] != "") {
		t.Errorf("the connection is a %T, and the server's cipher %q", c.Conn.Conn.Conn, rows[0][1])
	}
	return rows[0][1], nil
}

// wantTLS wants a connection, encrypted or not.
func wantTLS(t *testing.T, url string, encrypted bool) {
	t.Helper()
	cipher, err := try(t, url, 0)
	if err != nil || (cipher != "") != encrypted {
		t.Errorf("%s: got cipher %q, %v (%s), want encrypted %t", url, cipher, err, hint.Of(err), encrypted)
	}
}

// refused wants an error in one line, which passes for no other than it is.
func refused(t *testing.T, url, text, remedy string) {
	t.Helper()
	refusedAt(t, 0, url, text, remedy)
}

func refusedAt(t *testing.T, ahead time.Duration, url, text, remedy string) {
	t.Helper()
	_, err := try(t, url, ahead)
	wantError(t, err, text, remedy)
	if err != nil && (strings.Contains(err.Error()+hint.Of(err), "\n") || strings.Contains(err.Error(), "hush-hush") || hint.IsTransient(err)) {
		t.Errorf("%v: not one line, or a password in it, or transient", err)
	}
}

// TestLogins logs in by each plugin and in each mode of TLS, and wants each wrong
// certificate refused.
func TestLogins(t *testing.T) {
	tlsServers(t, func(t *testing.T, s *tlsServer) {
		if s.maria {
			t.Run("plugins", s.mariaPlugins)
		} else {
			t.Run("plugins", s.mysqlPlugins)
		}
		t.Run("accounts", s.accounts)
		s.must(t, "DROP USER IF EXISTS u", "CREATE USER u IDENTIFIED BY 'hush-hush'", "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)", "INSERT INTO t SELECT n, 'x' FROM "+sequence(20000))
		with := func(parameters string) string { return s.login(t, "u", "hush-hush", parameters) }
		ca := "&ssl-ca=" + s.right.file
		onlyCA := "ssl-ca=" + s.right.file
		named := func(names ...string) func(*x509.Certificate) {
			return func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = names, nil }
		}

		t.Run("right", func(t *testing.T) {
			wantTLS(t, with(""), false) // to this machine
			wantTLS(t, with("ssl-mode=DISABLED"), false)
			wantTLS(t, with("ssl-mode=PREFERRED"), true)
			wantTLS(t, with("ssl-mode=REQUIRED"), true)
			wantTLS(t, with("ssl-mode=required"), true)
			wantTLS(t, with("ssl-mode=VERIFY_CA"+ca), true)
			wantTLS(t, with("ssl-mode=VERIFY_IDENTITY"+ca), true)
			wantTLS(t, with(onlyCA), true)
			wantTLS(t, with("ssl-mode=VERIFY_CA&ssl-capath="+s.caFolder(t)), true)
			wantTLS(t, with("ssl-mode=REQUIRED&tls-version=TLSv1.2"), true)
			wantTLS(t, with("ssl-mode=REQUIRED&tls-version=TLSv1.3"), true)
			socket := mustOne(t, s.testServer, "SELECT @@socket")
			wantTLS(t, with("ssl-mode=PREFERRED&socket="+socket), false)
			wantTLS(t, with("ssl-mode=REQUIRED&socket="+socket), true)
		})
		t.Run("another CA", func(t *testing.T) {
			refused(t, with("ssl-mode=VERIFY_CA"), `signed by "CN=right", which is not among the system's certificates`, "ssl-ca")
			s.serve(t, s.wrong, nil)
			defer s.serve(t, s.right, nil)
			wantTLS(t, with("ssl-mode=REQUIRED"), true)
			for _, mode := range []string{"VERIFY_CA", "VERIFY_IDENTITY", "REQUIRED", "PREFERRED"} { // where a CA is named it counts
				refused(t, with("ssl-mode="+mode+ca), `signed by "CN=wrong", which is not among ssl-ca `+s.right.file, "ssl-ca")
			}
			refused(t, with(onlyCA), "not among ssl-ca", "ssl-ca")
		})
		t.Run("expired", func(t *testing.T) {
			// MySQL itself shows no certificate that is out of its time.
			refusedAt(t, 2*time.Hour, with("ssl-mode=VERIFY_CA"+ca), "the server's certificate expired on 20", "clock")
			if !s.maria {
				return
			}
			s.serve(t, s.right, func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
			})
			defer s.serve(t, s.right, nil)
			wantTLS(t, with("ssl-mode=REQUIRED"), true)
			refused(t, with("ssl-mode=VERIFY_CA"+ca), "the server's certificate expired on 20", "renew it")
			refused(t, with("ssl-mode=VERIFY_IDENTITY"+ca), "the server's certificate expired on 20", "renew it")
		})
		t.Run("not yet valid", func(t *testing.T) {
			refusedAt(t, -2*time.Hour, with("ssl-mode=VERIFY_CA"+ca), "the server's certificate is not valid before 20", "clock")
			if !s.maria {
				return
			}
			s.serve(t, s.right, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) })
			defer s.serve(t, s.right, nil)
			refused(t, with("ssl-mode=VERIFY_CA"+ca), "the server's certificate is not valid before 20", "clock")
		})
		t.Run("another host", func(t *testing.T) {
			s.serve(t, s.right, named("db.example", "db2.example"))
			defer s.serve(t, s.right, nil)
			wantTLS(t, with("ssl-mode=VERIFY_CA"+ca), true)
			refused(t, with("ssl-mode=VERIFY_IDENTITY"+ca), "the server's certificate is not for 127.0.0.1: it names db.example, db2.example", "VERIFY_CA")
		})
		t.Run("common name", func(t *testing.T) {
			defer s.serve(t, s.right, nil)
			for name, good := range map[string]bool{"127.0.0.1": true, "db.example": false} {
				s.serve(t, s.right, func(c *x509.Certificate) {
					c.DNSNames, c.IPAddresses, c.Subject = nil, nil, pkix.Name{CommonName: name}
				})
				if good {
					wantTLS(t, with("ssl-mode=VERIFY_IDENTITY"+ca), true)
				} else {
					refused(t, with("ssl-mode=VERIFY_IDENTITY"+ca), "it names db.example", "VERIFY_CA")
				}
			}
			// Not where there are others, and not as a pattern.
			s.serve(t, s.right, func(c *x509.Certificate) {
				c.DNSNames, c.IPAddresses, c.Subject = []string{"db.example"}, nil, pkix.Name{CommonName: "127.0.0.1"}
			})
			refused(t, with("ssl-mode=VERIFY_IDENTITY"+ca), "not for 127.0.0.1", "VERIFY_CA")
		})
		t.Run("for clients only", func(t *testing.T) {
			s.serve(t, s.right, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
			defer s.serve(t, s.right, nil)
			refused(t, with("ssl-mode=VERIFY_CA"+ca), "the server's certificate", "ssl_cert")
		})
		t.Run("clients", func(t *testing.T) { s.clientCerts(t, with, ca) })
		t.Run("stock and log", func(t *testing.T) { s.readsEncrypted(t) })
		if !s.maria {
			t.Run("required by the server", func(t *testing.T) {
				s.must(t, "SET GLOBAL require_secure_transport=ON")
				defer s.must(t, "SET GLOBAL require_secure_transport=OFF")
				refused(t, with("ssl-mode=DISABLED"), "insecure transport", "ssl-mode=REQUIRED")
			})
			t.Run("without TLS", func(t *testing.T) {
				if err := os.Remove(filepath.Join(s.dir, "server.pem")); err != nil {
					t.Fatal(err)
				}
				s.must(t, "ALTER INSTANCE RELOAD TLS NO ROLLBACK ON ERROR")
				s.withoutTLS(t, with)
			})
		}
	})
	t.Run("mariadb without TLS", func(t *testing.T) {
		s := &tlsServer{testServer: newTestServer(t, services.Env(t, "TABLEHAUL_TEST_MARIADB"))}
		s.withoutTLS(t, func(parameters string) string { return s.login(t, "", "", parameters) })
	})
}

func (s *tlsServer) withoutTLS(t *testing.T, with func(string) string) {
	wantTLS(t, with(""), false)
	wantTLS(t, with("ssl-mode=PREFERRED"), false)
	for _, mode := range []string{"REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"} {
		refused(t, with("ssl-mode="+mode), "the server offers no TLS, and ssl-mode is "+mode, "ssl_cert")
	}
}

// caFolder is a folder with certificates of CAs.
func (s *tlsServer) caFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(s.dir, "cas")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*authority{s.right, s.wrong} {
		copyFile(t, a.file, filepath.Join(dir, filepath.Base(a.file)))
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// clientCerts shows the server certificates, the right one and wrong ones.
func (s *tlsServer) clientCerts(t *testing.T, with func(string) string, ca string) {
	subject := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} }
	}
	cert, key := s.right.issue("client", subject("app"))
	other, otherKey := s.right.issue("other-client", subject("other"))
	foreign, foreignKey := s.wrong.issue("foreign-client", subject("app"))
	expired, expiredKey := s.right.issue("expired-client", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	show := func(cert, key string) string {
		return with("ssl-mode=VERIFY_CA" + ca + "&ssl-cert=" + cert + "&ssl-key=" + key)
	}
	defer s.must(t, "ALTER USER u REQUIRE NONE")
	s.must(t, "ALTER USER u REQUIRE SSL")
	refused(t, with(""), "Access denied", "ssl-mode=REQUIRED")
	wantTLS(t, with("ssl-mode=REQUIRED"), true)
	for _, require := range []string{"X509", "SUBJECT '/CN=app'", "ISSUER '/CN=right'", "SUBJECT '/CN=app' AND ISSUER '/CN=right'"} {
		s.must(t, "ALTER USER u REQUIRE "+require)
		refused(t, with("ssl-mode=VERIFY_CA"+ca), "Access denied", "ssl-cert")
		wantTLS(t, show(cert, key), true)
		wantTLS(t, show(cert, key)+"&tls-version=TLSv1.2", true)
		for range 5 { // what is lost of the server's words depends on who is faster
			for _, version := range []string{"", "&tls-version=TLSv1.2"} {
				refused(t, show(foreign, foreignKey)+version, "the server refuses the client's certificate", "ssl_ca")
				refused(t, show(expired, expiredKey)+version, "the server refuses the client's certificate", "in its time")
			}
		}
	}
	s.must(t, "ALTER USER u REQUIRE SUBJECT '/CN=app'")
	refused(t, show(other, otherKey), "Access denied", "another certificate")

	refused(t, show(cert, otherKey), "private key does not match", "made for")
	refused(t, show(cert, "/nowhere"), "ssl-key: open /nowhere", "may read")
	refused(t, show(cert, s.right.write("locked.pem", "ENCRYPTED PRIVATE KEY", []byte("x"))), "encrypted with a passphrase", "openssl pkey")
	refused(t, show(s.right.write("odd.pem", "SOMETHING", []byte("x")), key), "ssl-cert", "PEM")
	refused(t, with("ssl-mode=VERIFY_CA&ssl-ca="+key), "holds no certificate", "PEM")
	// Both in one file.
	both := filepath.Join(s.dir, "both.pem")
	var text []byte
	for _, f := range []string{cert, key} {
		part, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	if err := os.WriteFile(both, text, 0o600); err != nil {
		t.Fatal(err)
	}
	wantTLS(t, with("ssl-mode=VERIFY_CA"+ca+"&ssl-cert="+both), true)
}

// readsEncrypted reads rows and log as a user who may not without TLS.
func (s *tlsServer) readsEncrypted(t *testing.T) {
	s.must(t, "ALTER USER u REQUIRE SSL", "GRANT SELECT, LOCK TABLES ON *.* TO u")
	grants := "REPLICATION SLAVE, REPLICATION CLIENT"
	if s.maria {
		grants = "REPLICATION SLAVE, REPLICATION MASTER ADMIN, BINLOG MONITOR"
	}
	s.must(t, "GRANT "+grants+" ON *.* TO u")
	defer s.must(t, "ALTER USER u REQUIRE NONE")
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		st, err := Open(t.Context(), s.login(t, "u", "hush-hush", "ssl-mode=VERIFY_IDENTITY&ssl-ca="+s.right.file+"&tls-version="+version), Options{Parallel: 2, eager: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		tables := s.tables(t, st)
		rows, pos := stockOf(t, st, tables)
		before := len(rows["t"])
		s.must(t, "INSERT INTO t SELECT MAX(id)+1, REPEAT('y', 20<<20) FROM t", "INSERT INTO t SELECT n+"+itoa(uint64(1000000+before))+", REPEAT('z', 200) FROM "+sequence(20000))
		if _, err := drain(t, changes(t, st, all(tables, pos), locate(t, st, "now")), rows, false); err != nil {
			t.Fatal(err)
		}
		if got, want := len(rows["t"]), before+20001; got != want {
			t.Errorf("%s: got %d rows, want %d", version, got, want)
		}
	}
}

// TestCancelInTLS has a server accept and say nothing more, before TLS and in it.
func TestCancelInTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = c.Write(packetOf(0, greetingOf("caching_sha2_password", true)))
		}
	}()
	silent(t, "mysql://u:p@"+l.Addr().String()+"/?ssl-mode=REQUIRED")
}
