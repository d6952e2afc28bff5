package mysql

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Login says where user, password, host and the settings of TLS come from,
// beside the URL. For each of them the first place counts that names it: the
// URL, Password, LoginPath, DefaultsFile, the variable TABLEHAUL_PASSWORD,
// UserFile, the variable MYSQL_PWD. What the command line names thus goes before
// the environment, and that before what lies about.
type Login struct {
	// Password is one that was asked for or read from a file of its own, and
	// PasswordFrom tells which, for messages. nil is none, which is not the same as
	// an empty one.
	Password     *string
	PasswordFrom string
	// LoginPath is a group of the login file, which mysql_config_editor writes:
	// $MYSQL_TEST_LOGIN_FILE, or .mylogin.cnf in the home folder.
	LoginPath string
	// DefaultsFile is an option file that must be there; UserFile is read if
	// there is no DefaultsFile, and need not be there: ~/.my.cnf. Of both, the
	// groups [client] and [tablehaul] count.
	DefaultsFile, UserFile string

	warn func(msg string) // of files whose password others can read; may be nil
}

// A config is what a connection is made with.
type config struct {
	addr     string // host:port, or the path of a socket
	user     string
	password secret
	from     string // where the password is from; "" if there is none
	db       string // "" means every database
	tls      tlsConfig
	// key encrypts the password where nothing else does; askKey takes the one that
	// the server offers, unseen.
	key    *rsa.PublicKey
	askKey bool
	// clear sends the password as it is to servers that want it so, if the
	// connection is encrypted.
	clear bool
}

// A secret is a text that is printed with nothing that holds it: fmt does not follow
// pointers within structs, and would not call a method there.
type secret struct{ hidden *string }

func newSecret(s string) secret { return secret{&s} }

func (s secret) text() string {
	if s.hidden == nil {
		return ""
	}
	return *s.hidden
}

// at returns the config for another host:port that takes the same credentials,
// such as a replica.
func (c config) at(addr string) config {
	c.addr = addr
	return c
}

// socket reports whether the connection is one within the machine's kernel.
func (c config) socket() bool { return filepath.IsAbs(c.addr) }

// host returns the name that a server's certificate must bear.
func (c config) host() string {
	if host, _, err := net.SplitHostPort(c.addr); err == nil && !c.socket() {
		return host
	}
	return "localhost"
}

// local reports whether nobody on a network can listen.
func (c config) local() bool {
	if c.socket() || c.host() == "localhost" {
		return true
	}
	ip := net.ParseIP(c.host())
	return ip != nil && ip.IsLoopback()
}

// parseURL is configure with the URL and the environment alone.
func parseURL(s string) (config, error) { return configure(s, Login{}) }

// configure puts together what a connection is made with. The URL is
// mysql://user:password@host:port/db?ssl-mode=REQUIRED, with the parameters that
// settings.go lists.
func configure(s string, l Login) (config, error) {
	u, own, err := readURL(s)
	if err != nil {
		return config{}, err
	}
	found, err := l.layers(own)
	if err != nil {
		return config{}, err
	}
	// Names may begin or end with a slash too.
	c := config{db: strings.TrimPrefix(u.Path, "/"), user: found.value("user")}
	if strings.HasSuffix(u.EscapedPath(), "/") {
		c.db = strings.TrimSuffix(c.db, "/")
	}
	if c.user == "" { // as mysql does
		if own, err := user.Current(); err == nil {
			c.user = own.Username
		} else {
			c.user = os.Getenv("USER")
		}
	}
	if c.user == "" {
		return config{}, hint.Wrap(errors.New("there is no user to log in as"), "want mysql://USER@HOST/DATABASE, or user in an option file")
	}
	for _, f := range found {
		if p, ok := f.settings["password"]; ok {
			c.password, c.from = newSecret(p), f.name
			break
		}
	}
	if c.addr, err = found.address(u); err != nil {
		return config{}, err
	}
	if c.tls, err = found.tls(); err != nil {
		return config{}, err
	}
	c.clear = isOn(found.value("enable-cleartext-plugin"))
	// What cannot be overheard can as well be encrypted with a key that nobody vouches for.
	ask := found.value("get-server-public-key")
	c.askKey = isOn(ask) || ask == "" && c.local()
	c.key, err = readPublicKey(found.value("server-public-key-path"))
	return c, err
}

// CheckURL finds what is wrong with a source's URL without asking anybody, and
// without reading the files that it names: those may be there the next time.
func CheckURL(url string) error {
	_, own, err := readURL(url)
	if err != nil {
		return err
	}
	var t tlsConfig
	if err := t.readMode(own["ssl-mode"]); err != nil {
		return fmt.Errorf("bad source URL: %w", err)
	}
	if err := t.readVersions(own["tls-version"]); err != nil {
		return fmt.Errorf("bad source URL: %w", err)
	}
	return nil
}

// readURL takes the URL apart.
func readURL(s string) (*url.URL, settings, error) {
	u, err := url.Parse(s)
	if err != nil {
		// url.Error repeats the whole text, and with it the password.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, nil, hint.Wrap(fmt.Errorf("bad source URL: %w", err),
			"want mysql://user@host:3306/database; special characters in a name are written %%XX")
	}
	if db := strings.Trim(u.EscapedPath(), "/"); strings.Contains(db, "/") { // one in a name is written %2F
		return nil, nil, hint.Wrap(fmt.Errorf("bad source URL: %q is no database", db), "the URL ends with the database; --tables names tables")
	}
	own := settings{}
	for k, v := range u.Query() {
		if !isParameter(k) {
			err := fmt.Errorf("bad source URL: unknown parameter %q", k)
			if near := hint.Nearest(k, parameters); near != "" {
				return nil, nil, hint.Wrap(err, "did you mean %s?", near)
			}
			return nil, nil, hint.Wrap(err, "known parameters: %s", strings.Join(parameters, ", "))
		}
		own[k] = v[len(v)-1]
	}
	if name := u.User.Username(); name != "" {
		own["user"] = name
	}
	if p, ok := u.User.Password(); ok {
		own["password"] = p
	}
	return u, own, nil
}

// A layer is one place and what it says.
type layer struct {
	name string // for messages
	settings
}

// layers are places, the one that counts most first.
type layers []layer

// layers reads all places.
func (l Login) layers(own settings) (layers, error) {
	all := layers{{"the URL", own}}
	if l.Password != nil {
		all = append(all, layer{l.PasswordFrom, settings{"password": *l.Password}})
	}
	if l.LoginPath != "" {
		s, path, err := readLoginPath(l.LoginPath)
		if err != nil {
			return nil, err
		}
		all = append(all, layer{"login path " + l.LoginPath + " of " + path, s})
	}
	file := func(path string) error {
		s, err := readOptionFile(path, l.warn)
		all = append(all, layer{path, s})
		return err
	}
	if l.DefaultsFile != "" {
		if err := file(l.DefaultsFile); err != nil {
			return nil, err
		}
	}
	env := func(name string) {
		if v, ok := os.LookupEnv(name); ok {
			all = append(all, layer{name, settings{"password": v}})
		}
	}
	env("TABLEHAUL_PASSWORD")
	if l.DefaultsFile == "" && l.UserFile != "" {
		if err := l.notAsked(file(l.UserFile)); err != nil {
			return nil, err
		}
	}
	env("MYSQL_PWD")
	return all, nil
}

// notAsked passes over a UserFile that is not there, or, with a word, that cannot be
// read: nobody has named it.
func (l Login) notAsked(err error) error {
	var pe *fs.PathError
	if !errors.As(err, &pe) || pe.Path != l.UserFile {
		return err
	}
	if l.warn != nil && !errors.Is(err, fs.ErrNotExist) {
		l.warn(fmt.Sprintf("%v; it is passed over", err))
	}
	return nil
}

// value returns what is said of a setting, "" if nothing is.
func (ls layers) value(name string) string {
	for _, l := range ls {
		if v, ok := l.settings[name]; ok {
			return v
		}
	}
	return ""
}

// address returns host:port, or the path of a socket. A URL with a host means
// port 3306 if it says nothing else: another server's port has no place behind it.
func (ls layers) address(u *url.URL) (string, error) {
	if path := ls[0].settings["socket"]; path != "" {
		return filepath.Abs(path)
	}
	port := func(s string) string {
		if u.Port() != "" {
			return u.Port()
		}
		if s != "" {
			return s
		}
		return "3306"
	}
	if u.Hostname() != "" {
		return net.JoinHostPort(u.Hostname(), port("")), nil
	}
	for _, l := range ls[1:] {
		host, path := l.settings["host"], l.settings["socket"]
		switch {
		case path != "" && u.Port() == "" && (host == "" || host == "localhost"): // as mysql does
			return filepath.Abs(path)
		case host != "":
			return net.JoinHostPort(host, port(l.settings["port"])), nil
		}
	}
	return "", hint.Wrap(errors.New("bad source URL: it names no host"), "want mysql://user@host:3306/database, or host or socket in an option file")
}
