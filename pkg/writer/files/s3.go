package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// s3Options say where a store in S3 is. Who we are is found as by AWS's own programs:
// in the environment, in its files, from the machine.
type s3Options struct {
	bucket, prefix string
	endpoint       string // "" for Amazon's, or what AWS_ENDPOINT_URL says
	region         string // "" for what AWS_REGION says
	pathStyle      bool
	// copyBytes is how much of files that are staged may be kept in copyDir, to be read
	// again before they are published; "" is the system's folder of temporary files.
	copyBytes int64
	copyDir   string
	// warn, if set, is told what does not keep the run from going on.
	warn func(string)
	// step, if set, is called at the steps of a claim, "stage found", "commit made", and
	// of a discard, "uploads aborted", so that tests can do something there.
	step func(string)
}

// An s3Store keeps data files as uploads to their last names: S3 shows nobody an upload
// before it is completed, and keeps it until it is completed or aborted. So the stage is
// the uploads that bear its name, and an object that says whose it is; a commit is the
// object that says which uploads to complete, and its number is its name.
type s3Store struct {
	client       *s3.Client
	bucket, root string // root is "" or a prefix without a slash at its end
	options      s3Options
	where        string // the bucket on its server, for what is found out once for both

	// sending holds a token for each part on its way, of whatever file.
	sending chan struct{}
	idle    func() // closes connections

	mu     sync.Mutex
	held   map[stage]*s3Held
	copied int64   // bytes
	claims []stage // the last ones
	warned map[string]bool
}

var _ store = (*s3Store)(nil)

const (
	// s3Sending is how many parts are on their way at most: they are in memory.
	s3Sending = 8
	// s3Silence is how long a server may take to begin an answer. Putting the parts of a
	// large file together takes some stores minutes.
	s3Silence = 5 * time.Minute
)

// newS3 returns the store. Nothing is asked of it yet.
func newS3(ctx context.Context, o s3Options) (store, error) {
	if o.bucket == "" {
		return nil, errors.New("no bucket is named")
	}
	web := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = s3Silence
		t.MaxIdleConnsPerHost = 2 * s3Sending
	})
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(web), config.WithLogger(logging.Nop{})}
	if o.region != "" {
		load = append(load, config.WithRegion(o.region))
	}
	conf, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("read AWS's settings: %w", err), "check AWS_PROFILE, AWS_CA_BUNDLE and the files config and credentials in ~/.aws")
	}
	client := s3.NewFromConfig(conf, func(c *s3.Options) {
		if o.endpoint != "" {
			c.BaseEndpoint = &o.endpoint
		}
		c.UsePathStyle = o.pathStyle
		c.Retryer = newS3Retryer()
		c.DisableLogOutputChecksumValidationSkipped = true
		if c.BaseEndpoint == nil {
			return
		}
		// Some server's that is not Amazon's. What it knows of checksums is not known, and
		// of regions it mostly takes any.
		c.Region = cmp.Or(c.Region, "us-east-1")
		c.UsePathStyle = o.pathStyle || o.endpoint == ""
		if os.Getenv("AWS_REQUEST_CHECKSUM_CALCULATION") == "" {
			c.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
		if os.Getenv("AWS_RESPONSE_CHECKSUM_VALIDATION") == "" {
			c.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})
	endpoint := aws.ToString(client.Options().BaseEndpoint)
	if endpoint != "" {
		if err := checkS3Endpoint(endpoint); err != nil {
			return nil, hint.Wrap(err, "name it as http://HOST:PORT or https://HOST, and keys by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
		}
	}
	if client.Options().Region == "" {
		return nil, hint.Wrap(errors.New("the region of the bucket is not known"), "name it by AWS_REGION or by region= in the URL")
	}
	return &s3Store{
		client: client, bucket: o.bucket, root: strings.Trim(path.Clean("/"+o.prefix), "/"), options: o,
		where:   endpoint + " " + o.bucket,
		sending: make(chan struct{}, s3Sending), idle: web.GetTransport().CloseIdleConnections,
		held: make(map[stage]*s3Held), warned: make(map[string]bool),
	}, nil
}

// checkS3Endpoint refuses what is none, without repeating what may be secret.
func checkS3Endpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return errors.New("the endpoint of the bucket is not the URL of a server")
	}
	return nil
}

// key returns the key of a path: that of the root is no key.
func (s *s3Store) key(name string) string { return strings.Trim(path.Join(s.root, name), "/") }

// folder returns what keys below a folder begin with.
func (s *s3Store) folder(name string) string {
	if key := s.key(name); key != "" {
		return key + "/"
	}
	return ""
}

func (s *s3Store) url(name string) string { return s.location(s.key(name)) }

func (s *s3Store) location(key string) string {
	return strings.TrimSuffix("s3://"+s.bucket+"/"+key, "/")
}

func (s *s3Store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		s.dropCopies(h)
	}
	s.idle()
	return nil
}

func (s *s3Store) step(name string) {
	if s.options.step != nil {
		s.options.step(name)
	}
}

// warn tells, once, what does not keep the run from going on.
func (s *s3Store) warn(text string) {
	s.mu.Lock()
	told := s.warned[text]
	s.warned[text] = true
	s.mu.Unlock()
	if !told && s.options.warn != nil {
		s.options.warn(text)
	}
}
