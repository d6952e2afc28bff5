package mysql

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// noEnv keeps the environment of whoever runs the tests out of them.
func noEnv(t *testing.T) {
	for _, name := range []string{"TABLEHAUL_PASSWORD", "MYSQL_PWD"} {
		t.Setenv(name, "") // has it restored
		os.Unsetenv(name)
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAddress(t *testing.T) {
	noEnv(t)
	for _, c := range []struct{ url, file, want string }{
		{"mysql://h/shop", "", "h:3306"},
		{"mysql://h:7/shop", "", "h:7"},
		{"mysql://[::1]/shop", "", "[::1]:3306"},
		{"mysql://h/shop", "host=other\nport=8", "h:3306"},
		{"mysql://h/shop", "socket=/run/s", "h:3306"},
		{"mysql:///shop", "host=other", "other:3306"},
		{"mysql:///shop", "host=other\nport=8", "other:8"},
		{"mysql://:9/shop", "host=other\nport=8", "other:9"},
		{"mysql:///shop", "socket=/run/s", "/run/s"},
		{"mysql:///shop", "host=localhost\nsocket=/run/s", "/run/s"},
		{"mysql:///shop", "host=other\nsocket=/run/s", "other:3306"},
		{"mysql:///shop?socket=/tmp/x", "host=other\nsocket=/run/s", "/tmp/x"},
		{"mysql://h/shop?socket=/tmp/x", "", "/tmp/x"},
	} {
		got, err := configure(c.url, Login{DefaultsFile: writeFile(t, "f.cnf", "[client]\n"+c.file)})
		if err != nil || got.addr != c.want || got.db != "shop" {
			t.Errorf("%s with %q: got %s %s %v, want %s", c.url, c.file, got.addr, got.db, err, c.want)
		}
	}
	_, err := configure("mysql:///shop", Login{})
	wantError(t, err, "names no host", "option file")
	c, err := parseURL("mysql://app:pw@h:7/shop?ssl-mode=VERIFY_IDENTITY")
	if err != nil {
		t.Fatal(err)
	}
	other := c.at("replica:8")
	if w := other.wanted(); other.addr != "replica:8" || other.password.text() != "pw" || w == nil || w.ServerName != "replica" {
		t.Errorf("for a replica: got %s, TLS %+v", other.addr, w)
	}
}

// TestPrecedence takes the places away one by one, the one that counts most first.
func TestPrecedence(t *testing.T) {
	noEnv(t)
	t.Setenv("MYSQL_TEST_LOGIN_FILE", loginFile(t, "[shop]\npassword = from-path\nuser = path\n"))
	asked := "asked"
	l := Login{
		Password: &asked, PasswordFrom: "the terminal", LoginPath: "shop",
		DefaultsFile: writeFile(t, "d.cnf", "[client]\npassword=defaults\nuser=defaults"),
		UserFile:     writeFile(t, "u.cnf", "[client]\npassword=user\nuser=user"),
	}
	t.Setenv("TABLEHAUL_PASSWORD", "own")
	t.Setenv("MYSQL_PWD", "pwd")
	url := "mysql://url:in-url@h/"
	system, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		password, user, from string
		remove               func()
	}{
		{"in-url", "url", "the URL", func() { url = "mysql://h/" }},
		{"asked", "path", "the terminal", func() { l.Password = nil }},
		{"from-path", "path", "login path shop", func() { l.LoginPath = "" }},
		{"defaults", "defaults", "d.cnf", func() { l.DefaultsFile = "" }},
		{"own", "user", "TABLEHAUL_PASSWORD", func() { os.Unsetenv("TABLEHAUL_PASSWORD") }},
		{"user", "user", "u.cnf", func() { l.UserFile = "" }},
		{"pwd", system.Username, "MYSQL_PWD", func() { os.Unsetenv("MYSQL_PWD") }},
		{"", system.Username, "", func() {}},
	} {
		c, err := configure(url, l)
		if err != nil || c.password.text() != step.password || c.user != step.user || !strings.Contains(c.from, step.from) {
			t.Errorf("got password %q of %q for %q (%v), want %q of %q for %q", c.password.text(), c.from, c.user, err, step.password, step.from, step.user)
		}
		step.remove()
	}
	// An empty password is one, and stands before those of other places.
	t.Setenv("TABLEHAUL_PASSWORD", "own")
	if c, err := configure("mysql://root:@h/", l); err != nil || c.password.text() != "" || c.from != "the URL" {
		t.Errorf("an empty password: got %q of %q, %v", c.password.text(), c.from, err)
	}
}

func TestConfigPrintsNoPassword(t *testing.T) {
	c, err := parseURL("mysql://app:hush-hush@h/")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		if s := fmt.Sprintf(f, c) + fmt.Sprintf(f, &c) + fmt.Sprintf(f, c.password) + fmt.Sprintf(f, &Stock{cfg: c}); strings.Contains(s, "hush") || strings.Contains(s, "68757368") || strings.Contains(s, "104 117") {
			t.Errorf("%s prints the password: %s", f, s)
		}
	}
}

func TestBadURLs(t *testing.T) {
	noEnv(t)
	for _, c := range []struct{ url, text, remedy string }{
		{"mysql://h/a/b", "no database", "--tables"},
		{"mysql://h/?sslmode=REQUIRED", `unknown parameter "sslmode"`, "ssl-mode"},
		{"mysql://h/?ssl-mode=VERIFY", `unknown ssl-mode "VERIFY"`, "VERIFY_CA"},
		{"mysql://h/?password=x", `unknown parameter "password"`, ""},
		{"mysql://h/?tls-version=TLSv1.1", `unknown tls-version "TLSv1.1"`, "TLSv1.3"},
		{"mysql://h/?ssl-ca=/nowhere", "ssl-ca: open /nowhere", "may read"},
		{"mysql://h/?ssl-capath=/nowhere", "ssl-capath: open /nowhere", "folder"},
		{"mysql://h/?ssl-key=/nowhere", "without ssl-cert", "ssl-cert"},
		{"mysql://h/?ssl-cert=/nowhere", "ssl-cert: open /nowhere", "may read"},
		{"mysql://h/?server-public-key-path=/nowhere", "open /nowhere", "may read"},
	} {
		_, err := parseURL(c.url)
		wantError(t, err, c.text, c.remedy)
		if hint.Of(err) == "" {
			t.Errorf("%s: no remedy", c.url)
		}
	}
}

// TestUserFileUnread has a home that cannot be read: nobody has named its file.
func TestUserFileUnread(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if err := os.WriteFile(home, nil, 0o600); err != nil { // a file in a folder's place
		t.Fatal(err)
	}
	var warned string
	l := Login{UserFile: filepath.Join(home, ".my.cnf"), warn: func(s string) { warned = s }}
	if _, err := configure("mysql://app@h/db", l); err != nil {
		t.Errorf("got %v, want it passed over", err)
	}
	if !strings.Contains(warned, ".my.cnf") {
		t.Errorf("got warning %q, want one of the file", warned)
	}
	if _, err := configure("mysql://app@h/db", Login{DefaultsFile: l.UserFile}); err == nil {
		t.Error("a file that was named is passed over")
	}
}

// TestUserOfTheSystem has a URL without a user, and an environment without one.
func TestUserOfTheSystem(t *testing.T) {
	t.Setenv("USER", "")
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	c, err := configure("mysql:///db?socket=/s", Login{})
	if err != nil || c.user != own.Username {
		t.Errorf("got user %q, %v, want %q", c.user, err, own.Username)
	}
}
