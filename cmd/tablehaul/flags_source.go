package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// sourceFlags say where the password of a source comes from, and what else is
// needed to log in. Every command with a SOURCE has them, and calls check, and
// p.logIn before it opens the source.
type sourceFlags struct {
	ask                                   bool
	passwordFile, defaultsFile, loginPath string
	found                                 sourceLogin // by logIn
}

// A sourceLogin is what a source is told of where credentials are. docs/source-mysql.md
// has the order of precedence.
type sourceLogin struct {
	password                          *string // nil: none was asked for or read
	passwordFrom                      string
	loginPath, defaultsFile, userFile string
}

func (o *sourceFlags) register(f *pflag.FlagSet) {
	f.BoolVarP(&o.ask, "ask-password", "p", false, "ask for the source's password at the terminal")
	f.StringVar(&o.passwordFile, "password-file", "", "read the source's password from the first line of this `file`;\n- is standard input")
	f.StringVar(&o.defaultsFile, "defaults-file", "", "read user, password, host, ssl-ca and so on from this option `file`\nof mysql's instead of ~/.my.cnf")
	f.StringVar(&o.loginPath, "login-path", "", "read them from this login `path` of mysql_config_editor's")
}

// check finds what is wrong without asking anybody. source may be "".
func (o *sourceFlags) check(given func(flag string) bool, source string) error {
	for _, f := range []struct{ flag, value string }{
		{"password-file", o.passwordFile}, {"defaults-file", o.defaultsFile}, {"login-path", o.loginPath},
	} {
		if given(f.flag) && f.value == "" {
			return fmt.Errorf("--%s is empty", f.flag)
		}
	}
	if o.ask && o.passwordFile != "" {
		return errors.New("--ask-password and --password-file name two passwords")
	}
	if u, err := url.Parse(source); err == nil && (o.ask || o.passwordFile != "") {
		if _, has := u.User.Password(); has {
			return hint.Wrap(errors.New("SOURCE holds a password already"), "leave it out of SOURCE")
		}
	}
	return nil
}

// logIn reads or asks for what the flags name, before there is a progress display.
// What goes wrong is wrong usage.
func (p *program) logIn(ctx context.Context, o *sourceFlags, source string) error {
	l := sourceLogin{loginPath: o.loginPath, defaultsFile: o.defaultsFile}
	if home := p.getenv("HOME"); home != "" {
		l.userFile = filepath.Join(home, ".my.cnf")
	}
	p.warnTyped(source)
	var password string
	var err error
	switch {
	case o.ask:
		l.passwordFrom = "the terminal"
		password, err = askPassword(ctx, "Password for "+p.hide.redact(source)+": ")
	case o.passwordFile != "":
		l.passwordFrom = "--password-file " + o.passwordFile
		password, err = p.readPasswordFile(o.passwordFile)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &usageError{nil, err}
	}
	if l.passwordFrom != "" {
		l.password = &password
	}
	o.found = l
	return nil
}

// warnTyped warns of a password in the URL of a source.
func (p *program) warnTyped(source string) {
	u, err := url.Parse(source)
	if err != nil {
		return
	}
	switch password, _ := u.User.Password(); {
	case password == "":
	case p.sourceFile != "":
		p.warnReadable(p.sourceFile)
	default:
		p.console.warn("the password in SOURCE could be seen by every user of this machine when the program was started: TABLEHAUL_PASSWORD and --password-file keep it hidden")
	}
}

// maxPassword is how long the first line of a password's file may be.
const maxPassword = 64 << 10

func (p *program) readPasswordFile(path string) (string, error) {
	var r io.Reader = os.Stdin
	if path == "-" {
		if term.IsTerminal(int(os.Stdin.Fd())) {
			return "", hint.Wrap(errors.New("--password-file -: standard input is a terminal, which would show the password"), "--ask-password asks without showing it")
		}
	} else {
		f, err := os.Open(path)
		if err != nil {
			return "", hint.Wrap(fmt.Errorf("--password-file: %w", err), "check the path and that this user may read it")
		}
		defer f.Close()
		p.warnReadable(path)
		r = f
	}
	line, err := bufio.NewReader(io.LimitReader(r, maxPassword)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("--password-file %s: its first line is empty", path)
	}
	return line, nil
}

// warnReadable warns of a file with a password that others can read.
func (p *program) warnReadable(path string) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 {
		// Containers are given secrets so, in which there is no other user: no error.
		p.console.warn(fmt.Sprintf("%s holds a password and can be read by every user of this machine: chmod 600 %s", path, path))
	}
}

// askPassword asks at the terminal that the process belongs to, wherever standard
// input and output lead.
func askPassword(ctx context.Context, prompt string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", hint.Wrap(errors.New("--ask-password: there is no terminal to ask at"), "--password-file FILE or TABLEHAUL_PASSWORD need none")
	}
	defer tty.Close()
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("--ask-password: %w", err)
	}
	type answer struct {
		password []byte
		err      error
	}
	// A read from a terminal cannot be interrupted. The process ends soon after
	// the context does, and the terminal must show what is typed again by then.
	got := make(chan answer, 1)
	go func() {
		p, err := term.ReadPassword(fd)
		got <- answer{p, err}
	}()
	// Not before the terminal has stopped to show what is typed: a script answers at
	// once. One that never showed it does not change.
	for range 100 {
		if now, err := term.GetState(fd); err != nil || !reflect.DeepEqual(now, before) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := io.WriteString(tty, prompt); err != nil {
		return "", errors.Join(fmt.Errorf("--ask-password: %w", err), term.Restore(fd, before))
	}
	select {
	case a := <-got:
		fmt.Fprintln(tty)
		if a.err != nil {
			a.err = fmt.Errorf("--ask-password: %w", a.err)
		}
		return string(a.password), a.err
	case <-ctx.Done():
		fmt.Fprintln(tty)
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
}
