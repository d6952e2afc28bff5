package doristest

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
)

// certify gives the cluster the certificate that the library has for such ends: of 127.0.0.1.
func (c *Cluster) certify() {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	c.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: s.TLS.Certificates}
	c.roots = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// Roots is the certificate, in PEM, by which that of a cluster with TLS is believed.
func (c *Cluster) Roots() []byte { return c.roots }
