package mysql

import (
	"os/user"
	"path/filepath"
	"testing"
)

// mysqlPlugins logs in by MySQL's own plugins, over each kind of connection.
func (s *tlsServer) mysqlPlugins(t *testing.T) {
	socket := "&socket=" + mustOne(t, s.testServer, "SELECT @@socket")
	rightKey := "&server-public-key-path=" + filepath.Join(mustOne(t, s.testServer, "SELECT @@datadir"), "public_key.pem")
	wrongKey := "&server-public-key-path=" + s.wrong.rsaPublicKey("public.pem")
	const plain, none, encrypted = "ssl-mode=DISABLED", "&get-server-public-key=0", "ssl-mode=REQUIRED"
	for _, plugin := range []string{"caching_sha2_password", "sha256_password"} {
		s.must(t, "DROP USER IF EXISTS p, nopw", "CREATE USER p IDENTIFIED WITH "+plugin+" BY 'hush-hush'", "CREATE USER nopw IDENTIFIED WITH "+plugin+" BY ''")
		// The server keeps what it knows from full logins; now it knows nothing.
		full := func(parameters string) string {
			s.must(t, "FLUSH PRIVILEGES")
			return s.login(t, "p", "hush-hush", parameters)
		}
		wantTLS(t, full(encrypted), true)
		wantTLS(t, full(plain+socket), false)
		wantTLS(t, full(plain), false) // to this machine: the server's key is taken
		wantTLS(t, full(plain+none+rightKey), false)
		refused(t, full(plain+none), plugin+" takes a connection that is encrypted", "server-public-key-path")
		refused(t, full(plain+wrongKey), "Access denied", "password")
		for _, parameters := range []string{encrypted, plain, plain + socket} {
			s.must(t, "FLUSH PRIVILEGES")
			refused(t, s.login(t, "p", "hush-hush-no", parameters), "Access denied", "which is from the URL")
			refused(t, s.login(t, "p", "", parameters), "Access denied", "password")
			wantTLS(t, s.login(t, "nopw", "", parameters), parameters == encrypted)
		}
		if plugin == "caching_sha2_password" {
			wantTLS(t, full(encrypted), true)
			wantTLS(t, s.login(t, "p", "hush-hush", plain+none), false) // the fast path needs no key
		}
	}
	s.must(t, "DROP USER p, nopw")
	s.systemUser(t, "auth_socket", socket)
}

// mariaPlugins logs in by MariaDB's plugins.
func (s *tlsServer) mariaPlugins(t *testing.T) {
	socket := "&socket=" + mustOne(t, s.testServer, "SELECT @@socket")
	for _, how := range []string{
		"VIA ed25519 USING PASSWORD('hush-hush')",
		"VIA mysql_native_password USING PASSWORD('hush-hush')",
		"VIA unix_socket OR ed25519 USING PASSWORD('hush-hush')",
		"VIA ed25519 USING PASSWORD('another') OR mysql_native_password USING PASSWORD('hush-hush')",
		"VIA mysql_native_password USING PASSWORD('another') OR unix_socket OR ed25519 USING PASSWORD('hush-hush')",
	} {
		s.must(t, "CREATE OR REPLACE USER p IDENTIFIED "+how)
		for _, parameters := range []string{"ssl-mode=REQUIRED", "ssl-mode=DISABLED", "ssl-mode=DISABLED" + socket} {
			for range 3 { // scrambles are random, their zero bytes too
				wantTLS(t, s.login(t, "p", "hush-hush", parameters), parameters == "ssl-mode=REQUIRED")
			}
			refused(t, s.login(t, "p", "hush-hush-no", parameters), "Access denied", "which is from the URL")
			refused(t, s.login(t, "p", "", parameters), "Access denied", "password")
		}
	}
	s.must(t, "DROP USER p")
	s.systemUser(t, "unix_socket", socket)
}

// systemUser logs in as the user that this process runs as, over the socket alone.
func (s *tlsServer) systemUser(t *testing.T, plugin, socket string) {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, "DROP USER IF EXISTS stranger@localhost", "CREATE USER stranger@localhost IDENTIFIED WITH "+plugin)
	defer s.must(t, "DROP USER stranger@localhost")
	refused(t, s.login(t, "stranger", "", socket[1:]), "Access denied", "password")
	if u.Username == "root" {
		// There is a root already, with an empty password and all rights.
		s.must(t, "ALTER USER root@localhost IDENTIFIED WITH "+plugin)
		defer s.must(t, "ALTER USER root@localhost IDENTIFIED BY ''")
	} else {
		s.must(t, "CREATE USER "+ident(u.Username)+"@localhost IDENTIFIED WITH "+plugin)
		defer s.must(t, "DROP USER "+ident(u.Username)+"@localhost")
	}
	wantTLS(t, s.login(t, u.Username, "", socket[1:]), false)
	wantTLS(t, s.login(t, u.Username, "whatever", "ssl-mode=REQUIRED"+socket), true)
	refused(t, s.login(t, u.Username, "", "ssl-mode=REQUIRED"), "Access denied", "password")
}

// accounts are in states in which nobody may log in.
func (s *tlsServer) accounts(t *testing.T) {
	s.must(t, "DROP USER IF EXISTS a", "CREATE USER a IDENTIFIED BY 'hush-hush'")
	defer s.must(t, "DROP USER a")
	login := s.login(t, "a", "hush-hush", "ssl-mode=REQUIRED")
	wantTLS(t, login, true)
	s.must(t, "ALTER USER a ACCOUNT LOCK")
	refused(t, login, "locked", "ALTER USER 'a' ACCOUNT UNLOCK")
	s.must(t, "ALTER USER a ACCOUNT UNLOCK", "ALTER USER a PASSWORD EXPIRE")
	if s.maria { // lets in, and answers nothing, or not even that
		refused(t, login, "SET PASSWORD", "ALTER USER")
		s.must(t, "SET GLOBAL disconnect_on_expired_password=ON")
	}
	refused(t, login, "password", "ALTER USER")
}
