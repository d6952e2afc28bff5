package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// packetOf is a payload on the wire.
func packetOf(seq uint8, payload []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(payload))|uint32(seq)<<24), payload...)
}

// greetingOf is a server's greeting.
func greetingOf(plugin string, tls bool) []byte {
	var caps uint32 = capabilities
	if tls {
		caps |= mysql.CLIENT_SSL
	}
	b := append([]byte{10}, "9.9-test\x00"...)
	b = append(b, 1, 0, 0, 0)
	b = append(b, "12345678\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(caps))
	b = append(b, 45, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(caps>>16))
	b = append(b, 21)
	b = append(b, make([]byte, 10)...)
	b = append(b, "123456789012\x00"...)
	return append(append(b, plugin...), 0)
}

// A played server says what it is to say, whatever it hears, and then hangs up.
type played struct {
	net.Conn
	says  bytes.Reader
	heard bytes.Buffer
}

func (p *played) Read(b []byte) (int, error)  { return p.says.Read(b) }
func (p *played) Write(b []byte) (int, error) { return p.heard.Write(b) }

// hear lets a client log in at a server that says packets, and returns what it sent.
func hear(cfg config, packets ...[]byte) (string, error) {
	p := &played{}
	var says []byte
	for i, b := range packets {
		says = append(says, packetOf(uint8(2*i), b)...)
	}
	p.says.Reset(says)
	_, _, err := shake(context.Background(), p, cfg)
	return p.heard.String(), err
}

// TestServerCannotAskForPassword has a server, which nobody has verified, ask for the
// password in every way that there is, over a connection that is not encrypted.
func TestServerCannotAskForPassword(t *testing.T) {
	cfg := config{addr: "db.example:3306", user: "u", password: newSecret("hush-hush")}
	ok := []byte{0, 0, 0, 2, 0, 0, 0}
	key := []byte("\x01-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n")
	for _, c := range []struct {
		name    string
		packets [][]byte
		text    string
	}{
		{"clear", [][]byte{greetingOf("mysql_native_password", false), []byte("\xfemysql_clear_password\x00"), ok}, "as it is (mysql_clear_password)"},
		{"clear at once", [][]byte{greetingOf("mysql_clear_password", false), []byte("\xfemysql_clear_password\x00"), ok}, "mysql_clear_password"},
		{"full", [][]byte{greetingOf("caching_sha2_password", false), {1, 4}, key, ok}, "takes a connection that is encrypted"},
		{"sha256", [][]byte{greetingOf("sha256_password", false), []byte("\xfesha256_password\x0012345678901234567890\x00"), key, ok}, "takes a connection that is encrypted"},
		{"dialog", [][]byte{greetingOf("mysql_native_password", false), []byte("\xfedialog\x00Password:"), ok}, `logs in by "dialog", which is not spoken here`},
		{"old", [][]byte{greetingOf("mysql_native_password", false), {0xfe}, ok}, "before MySQL 4.1"},
		{"factor", [][]byte{greetingOf("mysql_native_password", false), {2, 'x', 0}, ok}, "second factor"},
	} {
		heard, err := hear(cfg, c.packets...)
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got error %v, want %q in it", c.name, err, c.text)
		}
		if strings.Contains(heard, "hush-hush") {
			t.Errorf("%s: the password was sent: %q", c.name, heard)
		}
	}
	// Not even where it is allowed, as long as others may listen.
	cfg.clear = true
	heard, err := hear(cfg, greetingOf("mysql_native_password", false), []byte("\xfemysql_clear_password\x00"), ok)
	if err == nil || !strings.Contains(err.Error(), "not encrypted") || strings.Contains(heard, "hush") {
		t.Errorf("got %v, %q", err, heard)
	}
	// On this machine it is.
	cfg.addr = "/run/mysql.sock"
	heard, err = hear(cfg, greetingOf("mysql_native_password", false), []byte("\xfemysql_clear_password\x00"), ok)
	if err != nil || !strings.Contains(heard, "hush-hush\x00") {
		t.Errorf("over a socket: got %v, %q", err, heard)
	}
}

// TestOddServers wants words for whatever answers at a port.
func TestOddServers(t *testing.T) {
	for _, c := range []struct {
		says string
		text string
	}{
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak MySQL's protocol"},
		{"SSH-2.0-OpenSSH_9\r\n", "does not speak MySQL's protocol"},
		{string(packetOf(0, []byte{9, 'x', 0})), "no MySQL server"},
		{string(packetOf(0, nil)), "no MySQL server"},
		{string(packetOf(0, []byte("\xff\x10\x04Too many connections"))), "Too many connections"},
		{string(packetOf(0, []byte("\xff\x69\x04Host 'x' is not allowed"))), "is not allowed"},
	} {
		p := &played{}
		p.says.Reset([]byte(c.says))
		_, _, err := shake(context.Background(), p, config{addr: "h:1"})
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: got %v, want %q", c.says, err, c.text)
		}
	}
}

// silent wants the end of the context to end a login at once.
func silent(t *testing.T, url string) {
	t.Helper()
	cfg, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	start := time.Now()
	if _, err = dial(ctx, cfg); !errors.Is(err, why) || time.Since(start) > handshakeTime/2 {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

// FuzzLogin has a server say anything: the password is not among what it hears.
func FuzzLogin(f *testing.F) {
	for _, seed := range [][][]byte{
		{greetingOf("caching_sha2_password", false), {1, 4}},
		{greetingOf("mysql_native_password", false), []byte("\xfeclient_ed25519\x0012345678901234567890123456789012")},
		{greetingOf("sha256_password", false), []byte("\xfemysql_clear_password\x00")},
	} {
		var b []byte
		for i, p := range seed {
			b = append(b, packetOf(uint8(2*i), p)...)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		p := &played{}
		p.says.Reset(says)
		_, _, err := shake(context.Background(), p, config{addr: "h:1", user: "u", password: newSecret("hush-hush"), askKey: len(says)%2 == 0})
		if err == nil && len(says) < 40 {
			t.Error("logged in at nothing")
		}
		if strings.Contains(p.heard.String(), "hush-hush") {
			t.Errorf("the password was sent: %q", p.heard.String())
		}
	})
}
