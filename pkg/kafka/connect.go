package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// The environment variables that hold secrets.
const (
	PasswordVariable = "TABLEHAUL_KAFKA_PASSWORD"
	TokenVariable    = "TABLEHAUL_KAFKA_TOKEN"
)

// Options returns what a client needs to reach the brokers. Files and variables are
// read at once, so that what is wrong with them is told before anybody is asked; a token
// is read again for each connection, since it may have been renewed.
func (u *URL) Options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(u.Brokers...), kgo.ClientID("tablehaul"), kgo.DialTimeout(10 * time.Second)}
	if id := u.Param("client-id"); id != "" {
		opts = append(opts, kgo.ClientID(id))
	}
	cfg, err := u.tls()
	if err != nil {
		return nil, err
	}
	if cfg != nil {
		opts = append(opts, kgo.DialTLSConfig(cfg))
	}
	m, err := u.sasl()
	if err != nil {
		return nil, err
	}
	if m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// tls returns nil if connections are not to be encrypted.
func (u *URL) tls() (*tls.Config, error) {
	switch on := u.Param("tls"); on {
	case "true":
	case "", "false":
		for _, p := range []string{"tls-ca", "tls-cert", "tls-key", "tls-server-name"} {
			if u.Param(p) != "" {
				return nil, hint.Wrap(fmt.Errorf("%s is given, but connections are not encrypted", p), "add tls=true")
			}
		}
		return nil, nil
	default:
		return nil, fmt.Errorf("tls=%s: want true or false", on)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Param("tls-server-name")}
	if file := u.Param("tls-ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read tls-ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls-ca: %s holds no certificate in PEM", file)
		}
	}
	cert, key := u.Param("tls-cert"), u.Param("tls-key")
	if (cert == "") != (key == "") {
		return nil, errors.New("tls-cert and tls-key belong together")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read tls-cert and tls-key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// mechanisms are the ways to log in, by the names that Kafka has for them.
var mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"}

// sasl returns nil if nobody is to log in.
func (u *URL) sasl() (sasl.Mechanism, error) {
	name := strings.ToUpper(u.Param("sasl"))
	user := u.User
	if user == "" {
		user = u.Param("user")
	}
	if name == "" {
		if user != "" {
			return nil, hint.Wrap(fmt.Errorf("there is a user, %s, but no word of how to log in", user), "add sasl=%s", strings.Join(mechanisms[:3], ", or "))
		}
		return nil, nil
	}
	if name == "OAUTHBEARER" {
		return u.oauth()
	}
	if user == "" {
		return nil, hint.Wrap(fmt.Errorf("sasl=%s needs a user", name), "kafka://USER@…")
	}
	password, err := u.secret(u.Password, "password-file", PasswordVariable)
	if err != nil {
		return nil, err
	}
	switch name {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, hint.Wrap(fmt.Errorf("sasl=%s is not known", name), "known: %s", strings.Join(mechanisms, ", "))
}

func (u *URL) oauth() (sasl.Mechanism, error) {
	if _, err := u.secret("", "token-file", TokenVariable); err != nil {
		return nil, err
	}
	return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
		token, err := u.secret("", "token-file", TokenVariable)
		return oauth.Auth{Token: token}, err
	}), nil
}

// secret is what the URL holds, else the content of the file that a parameter names,
// else that of a variable.
func (u *URL) secret(own, param, variable string) (string, error) {
	if own != "" {
		return own, nil
	}
	if file := u.Param(param); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", param, err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	if text := os.Getenv(variable); text != "" {
		return text, nil
	}
	return "", hint.Wrap(fmt.Errorf("sasl=%s lacks its secret", u.Param("sasl")), "set %s, or %s=FILE in the URL", variable, param)
}

// reachTime is how long a broker may take to answer for the first time.
const reachTime = 20 * time.Second

// Connect returns a client once a broker has answered it.
func Connect(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	in, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	// What a new connection begins with minds no context: a client that is closed does.
	stop := context.AfterFunc(in, cl.Close)
	err = cl.Ping(in)
	if stop() && err == nil {
		return cl, nil
	}
	cl.Close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case in.Err() != nil:
		return nil, hint.Transient(hint.Wrap(fmt.Errorf("reach the brokers: no answer within %s", reachTime), "is a broker running there?"))
	}
	return nil, fmt.Errorf("reach the brokers: %w", Explain(err))
}

// Explain adds the remedy to errors of a cluster, and says which of them may pass.
func Explain(err error) error {
	var authority x509.UnknownAuthorityError
	var name *net.DNSError
	var early *kgo.ErrFirstReadEOF
	var conn *net.OpError
	switch {
	case err == nil, hint.Of(err) != "":
		return err
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return hint.Wrap(err, "the broker does not take the user or the password: see sasl=, user and %s", PasswordVariable)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return hint.Wrap(err, "the broker's listener offers another way to log in: sasl=%s", strings.Join(mechanisms, "|"))
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return hint.Wrap(err, "the user lacks an ACL for it")
	case errors.As(err, &authority):
		return hint.Wrap(err, "name the CA that has signed the broker's certificate: tls-ca=FILE")
	case errors.Is(err, kerr.InvalidTransactionTimeout):
		return hint.Wrap(err, "the brokers allow less (transaction.max.timeout.ms): a shorter transaction-timeout= in the URL")
	case strings.Contains(err.Error(), "oauth response"): // which is all that the client tells
		return hint.Wrap(err, "the broker does not take the token: see token-file= and %s", TokenVariable)
	case errors.Is(err, kerr.UnsupportedVersion), strings.Contains(err.Error(), "request key is unknown"), strings.Contains(err.Error(), "broker is too old"):
		return hint.Wrap(err, "the brokers know no transactions, or not of this kind: Kafka 2.5 or newer is needed, with transaction.state.log in order")
	case errors.As(err, &early), strings.Contains(err.Error(), "tls alert record"):
		return hint.Transient(hint.Wrap(err, "does the broker's listener have TLS (tls=true) or not, or want a login (sasl=%s)?", strings.Join(mechanisms, "|")))
	case strings.Contains(err.Error(), "invalid large response size"): // all that the client tells
		return hint.Wrap(err, "is it a broker's port?")
	case errors.As(err, &name) && name.IsNotFound:
		return hint.Transient(hint.Wrap(err, "no such host: see the brokers' names, those that they give for themselves (advertised.listeners) included"))
	case errors.As(err, &conn):
		return hint.Transient(hint.Wrap(err, "is a broker running there?"))
	case kerr.IsRetriable(err), errors.Is(err, kerr.OperationNotAttempted): // the latter for what came in one request with what failed
		return hint.Transient(err)
	}
	return err
}
