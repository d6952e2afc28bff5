package hdfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// kerberosClient is who we are with Kerberos: of the keytab that KRB5_CLIENT_KTNAME names,
// else of the tickets that kinit has got.
func kerberosClient() (*client.Client, error) {
	path := cmp.Or(os.Getenv("KRB5_CONFIG"), "/etc/krb5.conf")
	cfg, err := config.Load(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("read Kerberos's settings: %w", err), "name their file by KRB5_CONFIG")
	}
	if name := os.Getenv("KRB5_CLIENT_KTNAME"); name != "" {
		return keytabClient(strings.TrimPrefix(name, "FILE:"), cfg)
	}
	return ticketClient(cfg)
}

// keytabClient gets new tickets whenever it needs some.
func keytabClient(path string, cfg *config.Config) (*client.Client, error) {
	kt, err := keytab.Load(path)
	if err != nil {
		return nil, fmt.Errorf("read the keytab %s: %w", path, err)
	}
	name := os.Getenv("TABLEHAUL_HDFS_PRINCIPAL")
	if name == "" {
		if len(kt.Entries) == 0 {
			return nil, fmt.Errorf("there is no key in the keytab %s", path)
		}
		name = kt.Entries[0].Principal.String()
	}
	principal, realm, _ := strings.Cut(name, "@")
	c := client.NewWithKeytab(principal, cmp.Or(realm, cfg.LibDefaults.DefaultRealm), kt, cfg, client.DisablePAFXFAST(true))
	if err := c.Login(); err != nil {
		return nil, hint.Wrap(fmt.Errorf("log in to Kerberos as %s with the keytab %s: %s", name, path, firstLine(err.Error())),
			"check that klist -k %s shows that principal, and name another by TABLEHAUL_HDFS_PRINCIPAL", path)
	}
	return c, nil
}

// ticketClient uses tickets while they last.
func ticketClient(cfg *config.Config) (*client.Client, error) {
	const remedy = "get tickets by kinit, or name a keytab by KRB5_CLIENT_KTNAME"
	path := os.Getenv("KRB5CCNAME")
	if kind, rest, ok := strings.Cut(path, ":"); ok {
		if kind != "FILE" {
			return nil, hint.Wrap(fmt.Errorf("KRB5CCNAME names a cache of the kind %s; only files can be read", kind), remedy)
		}
		path = rest
	}
	path = cmp.Or(path, "/tmp/krb5cc_"+strconv.Itoa(os.Getuid()))
	cache, err := credentials.LoadCCache(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("read the Kerberos tickets: %w", err), remedy)
	}
	c, err := client.NewFromCCache(cache, cfg)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("use the Kerberos tickets of %s: %w", path, errors.New(firstLine(err.Error()))), remedy)
	}
	return c, nil
}
