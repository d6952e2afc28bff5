package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// A depot is where the plain files of one run lie, and who looks at them meanwhile. A nil
// one is that of a run into a lake.
type depot struct {
	env   *env
	url   string // SINK
	asked plain
	tcp   *tcpProxy // before the server; nil: there is none

	end   context.CancelFunc // of the watch
	ended chan struct{}
}

// plain tells check.py where plain files are.
type plain struct {
	Kind     store                        `json:"kind"`
	Root     string                       `json:"root"`
	Endpoint string                       `json:"endpoint,omitempty"`
	Seen     string                       `json:"seen"`            // folder for copies of what was read
	Latest   bool                         `json:"latest"`          // files go while others come
	Looks    map[string][]json.RawMessage `json:"looks,omitempty"` // by table, what was seen meanwhile
}

func (e *env) depot(ctx context.Context, f *filesPlan, dir, db string) (d *depot, err error) {
	d = &depot{env: e, asked: plain{
		Kind: f.store, Root: filepath.Join(dir, "lake"), Seen: filepath.Join(dir, "seen"),
		Latest: f.latest || f.command == "snapshot", Looks: map[string][]json.RawMessage{},
	}}
	switch f.store {
	case s3:
		endpoint, err := e.objectStore(ctx)
		if err != nil {
			return nil, err
		}
		bucket := os.Getenv("TABLEHAUL_TEST_S3_BUCKET")
		if d.tcp, err = newTCPProxy(strings.TrimPrefix(endpoint, "http://")); err != nil {
			return nil, err
		}
		d.asked.Root, d.asked.Endpoint = bucket+"/"+db, endpoint
		d.url = "s3://" + d.asked.Root + "?endpoint=" + url.QueryEscape("http://"+d.tcp.addr())
	case hdfs:
		addr, web, err := e.hdfs(ctx)
		if err != nil {
			return nil, err
		}
		if d.tcp, err = newTCPProxy(addr); err != nil {
			return nil, err
		}
		d.asked.Root, d.asked.Endpoint = "/"+db, web
		d.url = "hdfs://" + d.tcp.addr() + d.asked.Root
	default:
		d.url = "file:" + d.asked.Root
	}
	return d, os.MkdirAll(d.asked.Seen, 0o755)
}

// hdfs returns where the NameNode is, and its HTTP port, which is the one behind.
func (e *env) hdfs(ctx context.Context) (addr, web string, err error) {
	const name = "TABLEHAUL_TEST_HDFS"
	if addr = os.Getenv(name); addr == "" {
		if _, err := e.service(ctx, "hdfs", "start"); err != nil {
			return "", "", err
		}
		out, err := e.service(ctx, "hdfs", "env")
		if err != nil {
			return "", "", err
		}
		addr = settings(out)[name]
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", "", err
	}
	n, err := strconv.Atoi(port)
	return addr, fmt.Sprintf("http://%s:%d", host, n+1), err
}

func (d *depot) served() bool { return d != nil && d.tcp != nil }

func (d *depot) plain() *plain { return &d.asked }

func (d *depot) close() {
	d.unwatch()
	if d.served() {
		d.tcp.close()
	}
}

// strike does something to the connections.
func (d *depot) strike(ctx context.Context, e event) {
	switch e.fault {
	case storeCut:
		d.tcp.cut()
	case storeFreeze:
		d.tcp.freeze(ctx, e.last)
	case storeRefuse:
		d.tcp.refuse(ctx, e.last)
	}
}

// watch has somebody read the tables, one after the other, until unwatch.
func (d *depot) watch(ctx context.Context, q question) {
	if d == nil {
		return
	}
	ctx, d.end = context.WithCancel(ctx)
	d.ended = make(chan struct{})
	named := *q.Plain
	named.Looks = nil
	q.Plain = &named
	go func() {
		defer close(d.ended)
		for n := 0; ctx.Err() == nil; n++ {
			q.Look = q.Tables[n%len(q.Tables)].Name
			if seen := d.look(ctx, q); string(seen) != "null" {
				d.asked.Looks[q.Look] = append(d.asked.Looks[q.Look], seen)
			}
			sleep(ctx, 40*time.Millisecond)
		}
	}()
}

// look asks for one look. What went wrong with it is one as well, which fails the run.
func (d *depot) look(ctx context.Context, q question) json.RawMessage {
	v, err := d.env.watch(ctx, q)
	if err != nil {
		text, _ := json.Marshal(map[string]any{"id": 0, "at": 0, "position": "", "place": nil, "error": err.Error()})
		return text
	}
	return v.Look
}

// watch is ask for another check.py, so that neither waits for the other.
func (e *env) watch(ctx context.Context, q question) (v verdict, err error) {
	if e.watcher == nil {
		if e.watcher, err = e.newChecker(ctx); err != nil {
			return v, err
		}
	}
	return e.watcher.ask(q)
}

func (d *depot) unwatch() {
	if d != nil && d.end != nil {
		d.end()
		<-d.ended
	}
}

// uploads counts what S3 holds of files that were never finished, which a listing does not
// show.
func (d *depot) uploads(ctx context.Context, v *verdict) error {
	if d == nil || d.asked.Kind != s3 {
		return nil
	}
	conf, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := awss3.NewFromConfig(conf, func(o *awss3.Options) { o.BaseEndpoint, o.UsePathStyle = &d.asked.Endpoint, true })
	bucket, prefix, _ := strings.Cut(d.asked.Root, "/")
	prefix += "/"
	pages := awss3.NewListMultipartUploadsPaginator(client, &awss3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(errors.New("list uploads"), err)
		}
		for _, u := range page.Uploads {
			if strings.HasPrefix(aws.ToString(u.Key), prefix) {
				v.Orphans++
				v.Findings = append(v.Findings, "an upload is left over: "+aws.ToString(u.Key))
			}
		}
	}
	return nil
}
