package mysql

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// The connection phase is our own, and not go-mysql's, which hands the password as
// it is to whatever server asks for it, and encrypts it with whatever key it is
// offered. Source: MySQL Internals, "Connection Phase".

// capabilities are what we ask of a server. packetReader and execute speak the
// protocol without CLIENT_DEPRECATE_EOF and CLIENT_QUERY_ATTRIBUTES. LONG_PASSWORD
// tells MariaDB that no capabilities of its own follow.
const capabilities = mysql.CLIENT_LONG_PASSWORD | mysql.CLIENT_LONG_FLAG | mysql.CLIENT_PROTOCOL_41 | mysql.CLIENT_TRANSACTIONS |
	mysql.CLIENT_SECURE_CONNECTION | mysql.CLIENT_PLUGIN_AUTH | mysql.CLIENT_CONNECT_ATTRS | mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA

const (
	// utf8mb4General is a collation that all servers know; SET NAMES follows.
	utf8mb4General = 45
	// maxHandshake bounds a packet of the connection phase, in which the server has
	// not yet shown who it is.
	maxHandshake = 1 << 20
)

// A handshake is a connection in its first phase.
type handshake struct {
	conn net.Conn
	cfg  config
	seq  uint8
	greeting
	encrypted bool
	plugin    string // by which the password is shown
	scramble  []byte
}

// A greeting is what a server says first.
type greeting struct {
	version      string
	id           uint32
	capabilities uint32
	status       uint16
	plugin       string
	scramble     []byte
}

// shake encrypts the connection, if that is wanted, and logs in. The connection that
// it returns is to be used from here on; it never reads more of conn than the
// phase has.
func shake(ctx context.Context, conn net.Conn, cfg config) (net.Conn, greeting, error) {
	h := handshake{conn: conn, cfg: cfg}
	p, err := h.read()
	if err != nil {
		return nil, greeting{}, err
	}
	if h.greeting, err = parseGreeting(p); err != nil {
		return nil, greeting{}, err
	}
	if err := h.encrypt(ctx); err != nil {
		return nil, greeting{}, err
	}
	return h.conn, h.greeting, h.certRefused(h.login())
}

// certRefused knows what it means if a server hangs up on whoever logs in over TLS. Of
// TLS 1.3 a client is done before the server has looked at its certificate, and what
// the server says of it is lost if it closes the connection upon our next words.
func (h *handshake) certRefused(err error) error {
	if h.encrypted && len(h.cfg.tls.certs) > 0 && gone(err) {
		return hint.Wrap(fmt.Errorf("%w and closes the connection", errCertRefused), certRemedy)
	}
	return err
}

// parseGreeting reads Protocol::HandshakeV10.
func parseGreeting(p []byte) (g greeting, err error) {
	if err := asError(p); err != nil {
		return g, err
	}
	bad := errors.New("what answers there is no MySQL server")
	end := bytes.IndexByte(p, 0)
	if len(p) == 0 || p[0] != mysql.ClassicProtocolVersion || end < 0 || len(p) < end+1+4+8+1+2 {
		return g, hint.Wrap(bad, "check the port: 3306 is that of MySQL's protocol, 33060 is another's")
	}
	g.version = string(p[1:end])
	p = p[end+1:]
	g.id = binary.LittleEndian.Uint32(p)
	g.scramble = append(g.scramble, p[4:12]...)
	g.capabilities = uint32(binary.LittleEndian.Uint16(p[13:]))
	p = p[15:]
	if len(p) < 1+2+2+1+10 {
		return g, errors.New("the server is too old: it knows no protocol 4.1")
	}
	g.status = binary.LittleEndian.Uint16(p[1:])
	g.capabilities |= uint32(binary.LittleEndian.Uint16(p[3:])) << 16
	rest := max(int(p[5])-8, 13)
	p = p[16:]
	const need = mysql.CLIENT_PROTOCOL_41 | mysql.CLIENT_SECURE_CONNECTION | mysql.CLIENT_PLUGIN_AUTH
	if g.capabilities&need != need || len(p) < rest {
		return g, errors.New("the server is too old: it knows no authentication plugins")
	}
	g.scramble = append(g.scramble, p[:rest-1]...) // and a zero byte
	name, _, _ := bytes.Cut(p[rest:], []byte{0})
	g.plugin = string(name)
	return g, nil
}

// encrypt begins TLS if that is wanted and the server has it.
func (h *handshake) encrypt(ctx context.Context) error {
	want := h.cfg.wanted()
	if want == nil {
		return nil
	}
	if h.capabilities&mysql.CLIENT_SSL == 0 {
		if h.cfg.tls.must() {
			return hint.Wrap(fmt.Errorf("the server offers no TLS, and ssl-mode is %s", h.cfg.tls.mode), "set ssl_cert and ssl_key at the server, or ssl-mode=PREFERRED here")
		}
		return nil
	}
	if err := h.write(h.opening(mysql.CLIENT_SSL)); err != nil {
		return err
	}
	t := tls.Client(h.conn, want)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	h.conn, h.encrypted = t, true
	return nil
}

// opening is the part that an SSLRequest and a HandshakeResponse41 have in common.
func (h *handshake) opening(more uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, h.negotiated()|more)
	b = binary.LittleEndian.AppendUint32(b, 1<<24-1) // the largest packet: servers take no notice
	b = append(b, utf8mb4General)
	return append(b, make([]byte, 23)...)
}

func (h *handshake) negotiated() uint32 { return capabilities & h.capabilities }

// safe reports whether nobody can read what is sent but the server. The server's half
// of sha256_password does not count on that where there is a socket.
func (h *handshake) safe() bool {
	return h.encrypted || h.cfg.socket() && h.plugin != mysql.AUTH_SHA256_PASSWORD
}

// read returns the next packet. It takes no more bytes than the packet has, since
// behind it another layer may begin.
func (h *handshake) read() ([]byte, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(h.conn, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(head[:]) & maxPayload)
	if n > maxHandshake || head[3] != h.seq {
		return nil, errors.New("what answers there does not speak MySQL's protocol")
	}
	h.seq++
	p := make([]byte, n)
	_, err := io.ReadFull(h.conn, p)
	return p, err
}

func (h *handshake) write(payload []byte) error {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(payload))|uint32(h.seq)<<24)
	h.seq++
	_, err := h.conn.Write(append(b, payload...))
	return err
}

// A greeted plays a finished connection phase to go-mysql's client, which cannot be
// given a connection that is ready: greeting, an answer that nobody reads, and OK.
type greeted struct {
	net.Conn
	script bytes.Reader
}

func newGreeted(conn net.Conn, g greeting) *greeted {
	b := append([]byte{mysql.ClassicProtocolVersion}, g.version...)
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint32(b, g.id)
	b = append(b, make([]byte, 8+1)...) // half a scramble
	caps := g.capabilities & capabilities
	b = binary.LittleEndian.AppendUint16(b, uint16(caps))
	b = append(b, utf8mb4General)
	b = binary.LittleEndian.AppendUint16(b, g.status)
	b = binary.LittleEndian.AppendUint16(b, uint16(caps>>16))
	b = append(b, 8+13)
	b = append(b, make([]byte, 10+13)...)
	b = append(b, mysql.AUTH_NATIVE_PASSWORD...)
	b = append(b, 0)
	ok := []byte{mysql.OK_HEADER, 0, 0, byte(g.status), byte(g.status >> 8), 0, 0}
	var script []byte
	for i, p := range [][]byte{b, ok} {
		script = binary.LittleEndian.AppendUint32(script, uint32(len(p))|uint32(2*i)<<24)
		script = append(script, p...)
	}
	r := &greeted{Conn: conn}
	r.script.Reset(script)
	return r
}

func (r *greeted) Read(p []byte) (int, error)  { return r.script.Read(p) }
func (r *greeted) Write(p []byte) (int, error) { return len(p), nil }
