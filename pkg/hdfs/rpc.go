package hdfs

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// The exceptions that are looked for. That of missing rights is given another name before
// the library sees it, which would drop what the NameNode says: who lacks which, and where.
const (
	standbyException    = "org.apache.hadoop.ipc.StandbyException"
	safeModeException   = "org.apache.hadoop.hdfs.server.namenode.SafeModeException"
	retriableException  = "org.apache.hadoop.ipc.RetriableException"
	notReplicatedYet    = "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException"
	accessException     = "org.apache.hadoop.security.AccessControlException"
	accessExceptionHere = "AccessControlException"
)

var errNoRPC = errors.New("answers, but not as a NameNode does at its RPC port")

// A rpcConn is a connection to a NameNode. The library asks again where a NameNode says that
// it is a standby, under the same number, by which NameNodes know what they have done
// already. So a reply that is lost is given to it as one of a standby. And it forgets what a
// file is at when it asks for the next block in vain, so that is asked again here.
type rpcConn struct {
	net.Conn
	link    *link
	address string
	sent    *request // whose reply is awaited
	in      []byte   // what of the reply was not read yet
	greeted bool     // the NameNode has not turned us away
	refusal []byte
	broken  error
}

func (c *rpcConn) Write(b []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	c.in, c.sent = nil, parseRequest(b)
	if c.sent != nil && !c.greeted {
		c.greeted = true
		switch c.refusal = c.refused(); {
		case c.broken != nil:
			return 0, c.broken
		case c.refusal != nil:
			return len(b), nil
		}
	}
	packet := b
	if c.sent != nil {
		switch c.sent.method {
		case "addBlock":
			c.sent = c.link.without(c.sent)
		case "create":
			c.sent = c.sent.with("", 0, replicated(c.sent.body))
		}
		packet = c.sent.packet
	}
	if err := c.send(packet); err != nil {
		return 0, err
	}
	return len(b), nil
}

// refused returns what a NameNode says that does not want us. It closes the connection then,
// and what is sent to it would take the place of what it has said.
func (c *rpcConn) refused() []byte {
	first := make([]byte, 1)
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		return nil
	}
	if n, _ := c.Conn.Read(first); n == 0 {
		return nil
	}
	packet, err := readPacket(io.MultiReader(bytes.NewReader(first), c.Conn))
	if errors.Is(err, errNoRPC) {
		c.fail(err)
	}
	if err != nil {
		return nil
	}
	return packet
}

func (c *rpcConn) send(packet []byte) error {
	err := c.SetWriteDeadline(time.Now().Add(replyTimeout))
	if err == nil {
		_, err = c.Conn.Write(packet)
	}
	if err != nil {
		c.fail(err)
	}
	return err
}

// fail gives the connection up, whose next reply could be that of an earlier call.
func (c *rpcConn) fail(err error) {
	c.broken = err
	_ = c.Conn.Close()
	c.link.failed(c.address, err)
}

func (c *rpcConn) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *rpcConn) receive() ([]byte, error) {
	if packet := c.refusal; packet != nil {
		c.refusal = nil
		return packet, nil
	}
	err := c.SetReadDeadline(time.Now().Add(replyTimeout))
	var packet []byte
	if err == nil {
		packet, err = readPacket(c.Conn)
	}
	if err != nil {
		c.fail(err)
	}
	return packet, err
}

// next takes in a reply.
func (c *rpcConn) next() error {
	if c.broken != nil {
		return c.broken
	}
	req := c.sent
	c.sent = nil
	if req == nil {
		packet, err := c.receive()
		c.in = packet
		return err
	}
	r, err := c.reply(req)
	if err == nil && req.method == "addBlock" {
		r, err = c.settle(req, r)
	}
	switch {
	case err != nil && (req.method == "renewLease" || errors.Is(err, errNoRPC)):
		return err
	case err != nil:
		c.in = exception(req.call, standbyException, "")
	case r.failed && r.class == standbyException:
		c.link.failed(c.address, errStandby)
		c.in = r.packet
	case r.failed && r.class == accessException:
		c.link.answered()
		c.in = exception(req.call, accessExceptionHere, r.message)
	case r.failed && r.call != uint32(req.call): // it did not get as far as to read ours
		c.in = exception(req.call, r.class, r.message)
	default:
		c.link.answered()
		c.in = r.packet
	}
	return nil
}

// reply waits for the reply to a request that was sent. In the middle of a file it waits for
// what passes by itself too.
func (c *rpcConn) reply(req *request) (reply, error) {
	start := time.Now()
	for n := 0; ; n++ {
		packet, err := c.receive()
		if err != nil {
			return reply{}, err
		}
		r, ok := parseReply(packet)
		if !ok {
			c.fail(errNoRPC)
			return r, errNoRPC
		}
		c.link.mu.Lock()
		over := time.Since(start) > c.link.patience
		c.link.mu.Unlock()
		if !r.failed || over || !passes(req.method, r) {
			return r, nil
		}
		if n == 10 && c.link.warn != nil {
			c.link.warn("waiting for the NameNode: " + firstLine(r.message))
		}
		if err := c.link.sleep(min(50*time.Millisecond<<min(n, 10), longestPause)); err != nil {
			return r, err
		}
		if err := c.send(req.packet); err != nil {
			return r, err
		}
	}
}

// passes reports whether a request in the middle of a file may be granted later.
func passes(method string, r reply) bool {
	switch method {
	case "addBlock", "abandonBlock", "complete", "updateBlockForPipeline":
	default:
		return false
	}
	return r.class == safeModeException || r.class == retriableException || r.class == notReplicatedYet
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSpace(s)
}
