package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// An origin is a place where a password can come from. It changes a command that is
// ready but for the password; typed is what is to be typed at the terminal.
type origin struct {
	name  string
	prime func(t *testing.T, cmd *exec.Cmd, password string) (typed bool)
}

func origins() []origin {
	env := func(name string) func(*testing.T, *exec.Cmd, string) bool {
		return func(_ *testing.T, cmd *exec.Cmd, password string) bool {
			cmd.Env = append(cmd.Env, name+"="+password)
			return false
		}
	}
	file := func(dir, name, text string, t *testing.T) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	option := func(password string) string {
		return "[client]\npassword = \"" + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password) + "\"\n"
	}
	flags := func(cmd *exec.Cmd, more ...string) { cmd.Args = append(cmd.Args, more...) }
	return []origin{
		{"URL", func(_ *testing.T, cmd *exec.Cmd, password string) bool {
			for i, arg := range cmd.Args {
				if u, err := url.Parse(arg); err == nil && u.Scheme == "mysql" {
					u.User = url.UserPassword(u.User.Username(), password)
					cmd.Args[i] = u.String()
				}
			}
			return false
		}},
		{"TABLEHAUL_PASSWORD", env("TABLEHAUL_PASSWORD")},
		{"MYSQL_PWD", env("MYSQL_PWD")},
		{"password file", func(t *testing.T, cmd *exec.Cmd, password string) bool {
			flags(cmd, "--password-file", file(secretsOf(cmd), "pw", password+"\nanother line\n", t))
			return false
		}},
		{"standard input", func(_ *testing.T, cmd *exec.Cmd, password string) bool {
			cmd.Stdin = strings.NewReader(password + "\n")
			flags(cmd, "--password-file", "-")
			return false
		}},
		{"option file", func(t *testing.T, cmd *exec.Cmd, password string) bool {
			flags(cmd, "--defaults-file", file(secretsOf(cmd), "my.cnf", option(password), t))
			return false
		}},
		{"~/.my.cnf", func(t *testing.T, cmd *exec.Cmd, password string) bool {
			file(secretsOf(cmd), ".my.cnf", option(password), t)
			return false
		}},
		{"login path", func(t *testing.T, cmd *exec.Cmd, password string) bool {
			setLoginPath(t, filepath.Join(secretsOf(cmd), ".mylogin.cnf"), "shop", password)
			flags(cmd, "--login-path", "shop")
			return false
		}},
		{"terminal", func(_ *testing.T, cmd *exec.Cmd, _ string) bool {
			flags(cmd, "--ask-password")
			return true
		}},
	}
}

// secretsOf is the HOME of a command, where alone passwords may lie.
func secretsOf(cmd *exec.Cmd) string {
	home := ""
	for _, v := range cmd.Env {
		if h, ok := strings.CutPrefix(v, "HOME="); ok {
			home = h
		}
	}
	return home
}

// setLoginPath has MySQL's own mysql_config_editor write a login file.
func setLoginPath(t *testing.T, file, name, password string) {
	t.Helper()
	args := append(mysqlTool(t, "mysql_config_editor"), "set", "--login-path="+name, "--password")
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "MYSQL_TEST_LOGIN_FILE="+file)
	p := startAtTerminal(t, cmd)
	// It leaves backslashes as they are, which mean something to whoever reads the file.
	p.answer("password", strings.ReplaceAll(password, `\`, `\\`))
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, p.seen())
	}
}

// mysqlTool is how a program beside MySQL's client is run.
func mysqlTool(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(services.Env(t, "TABLEHAUL_TEST_MYSQL_CLIENT"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "exec ")
	client, _, found := strings.Cut(line, "/mysql --no-defaults")
	if !found {
		t.Fatalf("no client is started by %q", text)
	}
	return strings.Fields(client + "/" + name)
}
