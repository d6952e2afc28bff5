package mysql

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

func TestOptionFile(t *testing.T) {
	const text = `
# a comment
; another
user = nobody
[mysqld]
user = mysql
[client]
user=app          # the last line counts
user = app2
password = "p # w\"\\"
ssl_ca = '/etc/ca file.pem'
default-character-set = utf8mb4
loose-host = db.example
[ tablehaul ]
port=3307
ssl-mode = VERIFY_CA
[mysql]
password = other
`
	got, err := readOptionFile(writeFile(t, "my.cnf", text), nil)
	want := settings{"user": "app2", "password": `p # w"\`, "ssl-ca": "/etc/ca file.pem", "host": "db.example", "port": "3307", "ssl-mode": "VERIFY_CA"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	for line, mode := range map[string]string{
		"ssl": "REQUIRED", "ssl=0": "DISABLED", "skip-ssl": "DISABLED", "ssl=1": "REQUIRED",
		"ssl-verify-server-cert\nssl": "VERIFY_IDENTITY", "ssl\nssl_verify_server_cert": "VERIFY_IDENTITY", "ssl-verify-server-cert=0": "",
	} {
		got, err := readOptionFile(writeFile(t, "my.cnf", "[client]\n"+line+"\n"), nil)
		if err != nil || got["ssl-mode"] != mode {
			t.Errorf("%q: got mode %q, %v, want %q", line, got["ssl-mode"], err, mode)
		}
	}
}

func TestOptionFileIncludes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"my.cnf":     "[client]\nuser=a\n!include " + dir + "/one.cnf\n!include /nowhere.cnf\n!includedir " + dir + "/d[x]\nhost=h\n",
		"one.cnf":    "[client]\npassword=hush-hush\nuser=b\n",
		"d[x]/2.cnf": "[client]\nuser=d\n", "d[x]/1.cnf": "[client]\nuser=c\nport=1\n", "d[x]/3.txt": "[client]\nuser=e\n",
		"loop.cnf": "!include " + dir + "/loop.cnf\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readOptionFile(dir+"/my.cnf", nil)
	if want := (settings{"user": "d", "password": "hush-hush", "port": "1", "host": "h"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	_, err = readOptionFile(dir+"/loop.cnf", nil)
	wantError(t, err, "include each other", "")
}

func TestOptionFileErrors(t *testing.T) {
	_, err := readOptionFile(writeFile(t, "my.cnf", "[tablehaul]\npassword hush-hush\n"), nil)
	wantError(t, err, `line 2: unknown option "password"`, "known options")
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("the password is in the error: %v", err)
	}
	_, err = readOptionFile(writeFile(t, "my.cnf", "[client\n"), nil)
	wantError(t, err, "line 1: a group without ]", "")
	_, err = readOptionFile("/nowhere.cnf", nil)
	wantError(t, err, "/nowhere.cnf", "check the path")

	open := writeFile(t, "my.cnf", "[client]\npassword=hush-hush\n")
	var warned string
	for mode, text := range map[os.FileMode]string{0o600: "", 0o640: "", 0o644: "can be read by every user"} {
		warned = ""
		if err := os.Chmod(open, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := readOptionFile(open, func(s string) { warned = s }); err != nil || !strings.Contains(warned, text) || (text == "") != (warned == "") {
			t.Errorf("mode %o: warning %q, %v", mode, warned, err)
		}
	}
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = readOptionFile(open, nil)
	wantError(t, err, "can be written by every user", "chmod 600")
}

// TestOptionFileAsMySQL reads lines as MySQL's own my_print_defaults does.
func TestOptionFileAsMySQL(t *testing.T) {
	client, err := os.ReadFile(services.Env(t, "TABLEHAUL_TEST_MYSQL_CLIENT"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(client), "exec ")
	command, _, found := strings.Cut(line, "/mysql --no-defaults")
	if !found {
		t.Fatalf("no client is started by %q", client)
	}
	tool := strings.Fields(command + "/my_print_defaults")
	for _, value := range []string{
		`plain`, `"double"`, `'single'`, `"a # b"`, `a # b`, `'a''b'`, `"it's"`, `'say "x"'`, `"esc \" \\ \' \n \t \s \x end"`, `un\squoted\\ \# x`,
		`"half`, `half"`, `a=b=c`, ` = spaced`, `"tail" # comment`, `"#"#"`, `\`, `"\"`, `'\\'`, `žluťoučký 🚀`, `a;b`, `!x`, `[x]`, `""`, `"`, `%20`, `$HOME`,
	} {
		file := writeFile(t, "my.cnf", "[client]\npassword="+value+"\n")
		cmd := exec.CommandContext(t.Context(), tool[0], append(slices.Clone(tool[1:]), "--defaults-file="+file, "-s", "client")...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := strings.TrimSuffix(strings.TrimPrefix(string(out), "--password="), "\n")
		got, err := readOptionFile(file, nil)
		if err != nil || got["password"] != want {
			t.Errorf("password=%s: got %q, %v; MySQL has %q", value, got["password"], err, want)
		}
	}
}
