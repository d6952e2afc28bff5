package iceberg

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"
)

// registerStores makes HDFS, which iceberg-go does not have, and Azure's and Google's
// stores known to it. Its own packages for those would ask for a token anew with each
// table and commit, repeat signatures in errors, and, of Google's, ask again without end
// and take what is forbidden for what is not there.
var registerStores = sync.OnceFunc(func() {
	for _, scheme := range []string{"abfs", "abfss", "wasb", "wasbs"} {
		iceio.Register(scheme, openAzure)
	}
	iceio.Register("gs", openGCS)
	iceio.Register("hdfs", openHDFS)
})

// storeTransport is shared by all connections to these stores: of the two that
// Go keeps, most would be opened anew for each file.
var storeTransport = sync.OnceValue(func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return discreet{t}
})

// discreet is a transport whose errors can be shown and told apart.
type discreet struct{ http.RoundTripper }

func (d discreet) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(req)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		// By its usual words gocloud.dev takes it for a file that is not there.
		err = plainError{"the name of the host " + dns.Name + " is not known", err}
	}
	return resp, err
}

// withoutQuery takes the query out of the request that an error tells of: a shared
// access signature is in it.
func withoutQuery(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		ue.URL, _, _ = strings.Cut(ue.URL, "?")
	}
	return err
}
