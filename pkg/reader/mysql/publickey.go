package mysql

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// readPublicKey reads the file that a server has as public_key.pem: what passwords
// are encrypted with where the connection is not.
func readPublicKey(path string) (*rsa.PublicKey, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("read server-public-key-path: %w", err), "check the path and that this user may read it")
	}
	key, err := parsePublicKey(text)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("server-public-key-path %s: %w", path, err), "it is the server's public_key.pem: -----BEGIN PUBLIC KEY-----")
	}
	return key, nil
}

func parsePublicKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no public key in PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	rsaKey, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a public key of another kind: %T", key)
	}
	return rsaKey, nil
}

// encrypted is the password as servers decrypt it: ended by a zero byte, mixed with
// the scramble, RSA with OAEP and SHA-1.
func (s secret) encrypted(scramble []byte, key *rsa.PublicKey) ([]byte, error) {
	if len(scramble) == 0 {
		return nil, errors.New("the server sent no scramble")
	}
	plain := append([]byte(s.text()), 0)
	for i := range plain {
		plain[i] ^= scramble[i%len(scramble)]
	}
	return rsa.EncryptOAEP(sha1.New(), rand.Reader, key, plain, nil)
}
