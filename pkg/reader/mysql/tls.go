package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// The modes of TLS, by the names of mysql's own client. Each means:
const (
	modeDisabled       = "DISABLED"        // no TLS
	modePreferred      = "PREFERRED"       // if the server has it, whoever the server is
	modeRequired       = "REQUIRED"        // TLS, whoever the server is
	modeVerifyCA       = "VERIFY_CA"       // and a certificate of a CA that is trusted
	modeVerifyIdentity = "VERIFY_IDENTITY" // and one for this host
)

// A tlsConfig is what the settings of TLS come to.
type tlsConfig struct {
	mode     string // "" is PREFERRED where somebody might listen, else DISABLED
	roots    *x509.CertPool
	rootsAre string // for messages
	certs    []tls.Certificate
	min, max uint16
	now      func() time.Time // for tests; nil is time.Now
}

func (t tlsConfig) time() time.Time {
	if t.now != nil {
		return t.now()
	}
	return time.Now()
}

// tls reads the settings and the files that they name, so that one that cannot be
// used is told before anybody is asked.
func (ls layers) tls() (tlsConfig, error) {
	t := tlsConfig{rootsAre: "the system's certificates"}
	if err := t.readMode(ls.value("ssl-mode")); err != nil {
		return t, err
	}
	if t.mode == modeDisabled {
		return t, nil // mysql does not look at the files either
	}
	if err := t.readRoots(ls.value("ssl-ca"), ls.value("ssl-capath")); err != nil {
		return t, err
	}
	if err := t.readCert(ls.value("ssl-cert"), ls.value("ssl-key")); err != nil {
		return t, err
	}
	return t, t.readVersions(ls.value("tls-version"))
}

// readMode reads a mode, whose case does not matter.
func (t *tlsConfig) readMode(name string) error {
	switch t.mode = strings.ToUpper(name); t.mode {
	case "", modeDisabled, modePreferred, modeRequired, modeVerifyCA, modeVerifyIdentity:
		return nil
	}
	return hint.Wrap(fmt.Errorf("unknown ssl-mode %q", name), "known modes: DISABLED, PREFERRED (the default), REQUIRED, VERIFY_CA, VERIFY_IDENTITY")
}

// readRoots reads the certificates of the CAs that are trusted: one file, or all of
// a folder.
func (t *tlsConfig) readRoots(file, dir string) error {
	if file == "" && dir == "" {
		return nil
	}
	var files []string
	if dir != "" {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return hint.Wrap(fmt.Errorf("read ssl-capath: %w", err), "ssl-capath is a folder with certificates of CAs in PEM files")
		}
		for _, e := range entries {
			if !e.IsDir() {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
		t.rootsAre = "ssl-capath " + dir
	}
	if file != "" {
		files = append(files, file)
		t.rootsAre = "ssl-ca " + file
	}
	t.roots = x509.NewCertPool()
	some := false
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return hint.Wrap(fmt.Errorf("read ssl-ca: %w", err), "check the path and that this user may read it")
		}
		some = t.roots.AppendCertsFromPEM(text) || some
	}
	if !some {
		return hint.Wrap(fmt.Errorf("%s holds no certificate", t.rootsAre), "it must be PEM: -----BEGIN CERTIFICATE-----")
	}
	// Whoever names a CA wants the server to be verified by it. mysql does so too,
	// under any mode that encrypts.
	if t.mode != modeVerifyIdentity {
		t.mode = modeVerifyCA
	}
	return nil
}

// readCert reads the certificate that the server is shown, and its key, which may
// be in the same file.
func (t *tlsConfig) readCert(certFile, keyFile string) error {
	switch {
	case certFile == "" && keyFile == "":
		return nil
	case certFile == "":
		return hint.Wrap(errors.New("ssl-key is given without ssl-cert"), "name the certificate that the key belongs to by ssl-cert")
	case keyFile == "":
		keyFile = certFile
	}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return hint.Wrap(fmt.Errorf("read ssl-cert: %w", err), "check the path and that this user may read it")
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return hint.Wrap(fmt.Errorf("read ssl-key: %w", err), "check the path and that this user may read it")
	}
	if isEncrypted(key) {
		return hint.Wrap(fmt.Errorf("ssl-key %s is encrypted with a passphrase", keyFile), "openssl pkey -in %s -out FILE writes one without; chmod 600 it", keyFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return hint.Wrap(fmt.Errorf("ssl-cert %s and ssl-key %s: %w", certFile, keyFile, plainTLS(err)), "both must be PEM, and the key the one that the certificate was made for")
	}
	t.certs = []tls.Certificate{pair}
	return nil
}

// plainTLS drops the package's name that crypto/tls puts before its errors.
func plainTLS(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "tls: ")) }

func isEncrypted(key []byte) bool {
	for block, rest := pem.Decode(key); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return true
		}
	}
	return false
}

// readVersions reads a list such as TLSv1.2,TLSv1.3.
func (t *tlsConfig) readVersions(list string) error {
	if list == "" {
		return nil
	}
	known := map[string]uint16{"TLSV1.2": tls.VersionTLS12, "TLSV1.3": tls.VersionTLS13}
	for _, name := range strings.Split(list, ",") {
		v := known[strings.ToUpper(strings.TrimSpace(name))]
		if v == 0 {
			return hint.Wrap(fmt.Errorf("unknown tls-version %q", name), "known versions: TLSv1.2, TLSv1.3, or both with a comma between")
		}
		if t.min == 0 || v < t.min {
			t.min = v
		}
		t.max = max(t.max, v)
	}
	return nil
}

// wanted returns how a connection is encrypted, nil if not at all.
func (c config) wanted() *tls.Config {
	mode := c.tls.mode
	switch {
	case mode == "" && c.local(), mode == modePreferred && c.socket(), mode == modeDisabled: // where nobody listens, mysql encrypts sockets as little
		return nil
	}
	t := &tls.Config{
		ServerName: c.host(), Certificates: c.tls.certs, MinVersion: c.tls.min, MaxVersion: c.tls.max,
		// What the modes verify is verified below, or nothing is: that is what they mean.
		InsecureSkipVerify: true, //nolint:gosec // see above
	}
	if mode == modeVerifyCA || mode == modeVerifyIdentity {
		t.VerifyConnection = func(s tls.ConnectionState) error { return c.verify(s.PeerCertificates, mode) }
	}
	return t
}

// must reports whether there must be no connection without TLS.
func (t tlsConfig) must() bool {
	return t.mode == modeRequired || t.mode == modeVerifyCA || t.mode == modeVerifyIdentity
}

// verify looks at the chain of certificates that a server shows, its own first.
func (c config) verify(chain []*x509.Certificate, mode string) error {
	if len(chain) == 0 {
		return errors.New("the server shows no certificate")
	}
	o := x509.VerifyOptions{Roots: c.tls.roots, Intermediates: x509.NewCertPool(), CurrentTime: c.tls.time()}
	for _, cert := range chain[1:] {
		o.Intermediates.AddCert(cert)
	}
	if _, err := chain[0].Verify(o); err != nil {
		return c.certError(chain[0], err)
	}
	if mode == modeVerifyIdentity {
		if err := verifyHost(chain[0], c.host()); err != nil {
			return hint.Wrap(fmt.Errorf("the server's certificate is not for %s: it names %s", c.host(), certNames(chain[0])),
				"connect to a name that it has, or verify the CA alone by ssl-mode=VERIFY_CA")
		}
	}
	return nil
}

// verifyHost falls back to the common name where a certificate has no other, as
// mysql's client does: the recipes for making certificates that people find leave
// the others out.
func verifyHost(cert *x509.Certificate, host string) error {
	err := cert.VerifyHostname(host)
	if err != nil && len(cert.DNSNames)+len(cert.IPAddresses)+len(cert.URIs)+len(cert.EmailAddresses) == 0 && cert.Subject.CommonName != "" && strings.EqualFold(cert.Subject.CommonName, host) {
		return nil
	}
	return err
}

func certNames(cert *x509.Certificate) string {
	names := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{cert.Subject.CommonName}
	}
	return strings.Join(names, ", ")
}

// certError says what is wrong with a server's certificate, and what helps.
func (c config) certError(cert *x509.Certificate, err error) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	const day = "2006-01-02 15:04 MST"
	switch {
	case errors.As(err, &unknown):
		return hint.Wrap(fmt.Errorf("the server's certificate is signed by %q, which is not among %s", cert.Issuer.String(), c.tls.rootsAre),
			"name the file with that CA's certificate by ssl-ca")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what := "the server's certificate expired on " + cert.NotAfter.UTC().Format(day)
		if now := c.tls.time(); now.Before(cert.NotBefore) {
			what = "the server's certificate is not valid before " + cert.NotBefore.UTC().Format(day)
		} else if !now.After(cert.NotAfter) {
			what = "the certificate of a CA of the server's is out of its time"
		}
		return hint.Wrap(errors.New(what), "renew it at the server, or set this machine's clock")
	}
	return hint.Wrap(fmt.Errorf("the server's certificate: %s", strings.TrimPrefix(err.Error(), "x509: ")), "see the server's ssl_cert and ssl_ca")
}
