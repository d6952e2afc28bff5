package iceberg

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	restcat "github.com/apache/iceberg-go/catalog/rest"
)

// Properties of REST catalogs that are for us and not for iceberg-go: certificates
// by the names that PyIceberg has for them, and whether to do without.
const (
	caProperty       = "ssl.cabundle"
	certProperty     = "ssl.client.cert"
	keyProperty      = "ssl.client.key"
	insecureProperty = "rest.tls.skip-verify"
)

// openREST connects to a REST catalog. Who we are is told by SigV4, if that is
// asked for, else by a token, if there is any.
func openREST(ctx context.Context, props iceberg.Properties) (tableCatalog, string, error) {
	p := maps.Clone(props)
	// Whether a commit has landed is looked up in the whole history.
	p["snapshot-loading-mode"] = string(restcat.SnapshotModeAll)
	own, err := tlsConfig(p)
	if err != nil {
		return nil, "", err
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = askedAtOnce // of two, most would be opened anew for each request
	base.TLSClientConfig = own
	var transport http.RoundTripper = base
	source := tokenSource(p, &http.Client{Transport: base, Timeout: tokenTimeout})
	sigV4 := strings.EqualFold(p["rest.sigv4-enabled"], "true")
	if source != nil && !sigV4 {
		transport = &bearer{base, source}
	}
	opts := []restcat.Option{
		restcat.WithCustomTransport(inJSON{transport}),
		restcat.WithPrefix(take(p, "prefix")),
		restcat.WithWarehouseLocation(take(p, "warehouse")),
		restcat.WithAdditionalProps(p),
	}
	if sigV4 {
		opts = append(opts, restcat.WithSigV4RegionSvc(p["rest.signing-region"], p["rest.signing-name"]))
	}
	cat, err := restcat.NewCatalog(ctx, "tablehaul", take(p, "uri"), opts...)
	if err != nil {
		return nil, "", err
	}
	root := ""
	// A warehouse may be a mere name that the server knows; only a location
	// tells where new tables go.
	if strings.Contains(props["warehouse"], "://") {
		root = strings.TrimSuffix(props["warehouse"], "/")
	}
	return restCatalog{cat, base.CloseIdleConnections}, root, nil
}

// tlsConfig takes the properties of certificates out of p.
func tlsConfig(p iceberg.Properties) (*tls.Config, error) {
	own := &tls.Config{InsecureSkipVerify: strings.EqualFold(take(p, insecureProperty), "true")}
	if file := take(p, caProperty); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", caProperty, err)
		}
		own.RootCAs = x509.NewCertPool()
		if !own.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read %s: no certificate in PEM form is in %s", caProperty, file)
		}
	}
	if file := take(p, certProperty); file != "" {
		key := take(p, keyProperty)
		if key == "" {
			key = file // both may be in one file
		}
		pair, err := tls.LoadX509KeyPair(file, key)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", certProperty, err)
		}
		own.Certificates = []tls.Certificate{pair}
	}
	return own, nil
}

// Close ends the connections.
func (c restCatalog) Close() error {
	defer c.idle()
	if closer, ok := c.Catalog.(catalog.Closer); ok {
		return closer.Close()
	}
	return nil
}
