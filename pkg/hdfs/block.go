package hdfs

import (
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The library writes a block to the DataNodes that the NameNode names, or fails. Of one that
// has died the NameNode will often know nothing for ten minutes. So those of a new block are
// tried before the library is told of it; a block with one that cannot be reached is given
// back, and another one asked for, without it: as Hadoop's own client does.

// A deadNode is a DataNode that could not be reached.
type deadNode struct {
	info []byte // as the NameNode names it
	at   time.Time
	err  error
}

const (
	// deadFor is how long a DataNode that could not be reached is not asked for.
	deadFor = time.Minute
	// createReplicated are the flags CREATE and SHOULD_REPLICATE.
	createReplicated = 0x81
	// probeTimeout is how long one may take to be reached.
	probeTimeout = 5 * time.Second
)

// replicated is the body of a request that creates a file whose blocks are whole, also in a
// folder of those that are erasure coded: the library would write them wrong.
func replicated(body []byte) []byte {
	return protowire.AppendVarint(protowire.AppendTag(clone(body), 4, protowire.VarintType), createReplicated)
}

// without returns the request for a block with the DataNodes in it that it must not be on.
func (l *link) without(req *request) *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	body := clone(req.body)
	for _, d := range l.dead {
		if time.Since(d.at) < deadFor {
			body = protowire.AppendBytes(protowire.AppendTag(body, 4, protowire.BytesType), d.info)
		}
	}
	return req.with("", 0, body)
}

// settle returns a reply with a block whose DataNodes are there, or an exception.
func (c *rpcConn) settle(req *request, r reply) (reply, error) {
	start := time.Now()
	for n := int32(1); ; n++ {
		if !r.failed && c.link.probe(bytesOf(r.body, 1)) {
			return r, nil
		}
		if r.failed && (!fullOrGone(r) || c.link.missing() == "" || time.Since(start) > c.link.patient()) {
			return r, nil
		}
		if !r.failed {
			if err := c.abandon(req, bytesOf(bytesOf(r.body, 1), 1), n); err != nil {
				return r, err
			}
		} else {
			// None is left without them: they may be back by now.
			c.link.forgive()
			if err := c.link.sleep(min(100*time.Millisecond<<min(n, 10), longestPause)); err != nil {
				return r, err
			}
		}
		var err error
		if r, err = c.ask(c.link.without(req.with("", 0, withoutExcluded(req.body)))); err != nil {
			return r, err
		}
	}
}

// fullOrGone reports whether there is no DataNode for a block.
func fullOrGone(r reply) bool { return noNodes(r.message) }

// noNodes is what Hadoop 3 and 2 say.
func noNodes(message string) bool {
	return strings.Contains(message, "could only be written to") || strings.Contains(message, "could only be replicated to")
}

// ask makes a request of our own.
func (c *rpcConn) ask(req *request) (reply, error) {
	if err := c.send(req.packet); err != nil {
		return reply{}, err
	}
	return c.reply(req)
}

// abandon gives a block back.
func (c *rpcConn) abandon(req *request, block []byte, n int32) error {
	var body []byte
	body = protowire.AppendBytes(protowire.AppendTag(body, 1, protowire.BytesType), block)
	body = protowire.AppendString(protowire.AppendTag(body, 2, protowire.BytesType), text(req.body, 1))
	body = protowire.AppendString(protowire.AppendTag(body, 3, protowire.BytesType), text(req.body, 2))
	if id, ok := number(req.body, 5); ok {
		body = protowire.AppendVarint(protowire.AppendTag(body, 4, protowire.VarintType), id)
	}
	// A number that the library does not get to.
	_, err := c.ask(req.with("abandonBlock", 1<<30+n, body))
	return err
}

// withoutExcluded is a request's body without the DataNodes that without has put into it.
func withoutExcluded(body []byte) (left []byte) {
	for len(body) > 0 {
		num, _, n := protowire.ConsumeField(body)
		if n < 0 {
			return left
		}
		if num != 4 {
			left = append(left, body[:n]...)
		}
		body = body[n:]
	}
	return left
}

// probe reports whether all DataNodes of a block can be reached.
func (l *link) probe(block []byte) bool {
	var wg sync.WaitGroup
	each(block, func(field protowire.Number, info []byte, _ uint64) {
		if field != 3 {
			return
		}
		wg.Go(func() {
			address := l.dataAddress(info)
			conn, err := (&net.Dialer{Timeout: probeTimeout}).DialContext(l.ended, "tcp", address)
			l.mu.Lock()
			defer l.mu.Unlock()
			if err == nil {
				_ = conn.Close()
				delete(l.dead, address)
				return
			}
			l.dead[address] = deadNode{info, time.Now(), err}
		})
	})
	wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	well := true
	each(block, func(field protowire.Number, info []byte, _ uint64) {
		if field == 3 {
			_, dead := l.dead[l.dataAddress(info)]
			well = well && !dead
		}
	})
	return well
}

func (l *link) dataAddress(info []byte) string {
	id := bytesOf(info, 1)
	host := text(id, 1)
	if l.hostnames {
		host = text(id, 2)
	}
	port, _ := number(id, 4)
	return net.JoinHostPort(host, strconv.FormatUint(port, 10))
}

// forgive has DataNodes be asked for again.
func (l *link) forgive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for address, d := range l.dead {
		d.at = time.Time{}
		l.dead[address] = d
	}
}

// missing names the DataNodes that could not be reached.
func (l *link) missing() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for address, d := range l.dead {
		all = append(all, "the DataNode "+address+" "+cause(d.err))
	}
	return strings.Join(all, ", ")
}
