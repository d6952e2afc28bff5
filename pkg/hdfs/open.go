// Package hdfs opens HDFS the way its operators expect it, by Hadoop's own settings, and
// stands what a cluster goes through: a NameNode that fails over or is started again, safe
// mode, DataNodes that are gone.
package hdfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Options say which HDFS is opened, and how.
type Options struct {
	// Address is host:port of a NameNode, or the nameservice of hdfs-site.xml; "" is
	// that of fs.defaultFS.
	Address string
	// Patience is for how long a NameNode that does not answer, or is in safe mode, is
	// waited for, and DataNodes where none takes a block. 0 is a minute.
	Patience time.Duration
	// Warn, if set, is told of what passes by itself, such as a NameNode being waited for.
	Warn func(text string)
}

const defaultPatience = time.Minute

// A Client is a connection to an HDFS. All methods may be called concurrently.
type Client struct {
	c        *hdfs.Client
	link     *link
	conf     conf
	address  string
	patience time.Duration

	mu       sync.Mutex
	defaults *hdfs.ServerDefaults
}

// Open connects to an HDFS. It does not wait for one that is not there.
func Open(ctx context.Context, o Options) (*Client, error) {
	cf, err := loadConf()
	if err != nil {
		return nil, err
	}
	name, nodes, err := cf.nameNodes(o.Address)
	if err != nil {
		return nil, err
	}
	opts := hdfs.ClientOptionsFromConf(cf.values)
	if err := checkProtection(opts.DataTransferProtection); err != nil {
		return nil, err
	}
	if opts.User, err = userName(); err != nil {
		return nil, err
	}
	if opts.KerberosClient != nil {
		if opts.KerberosClient, err = kerberosClient(); err != nil {
			return nil, err
		}
		if opts.KerberosServicePrincipleName == "" {
			return nil, hint.Wrap(errors.New("hdfs-site.xml does not name the NameNode's Kerberos principal"),
				"set dfs.namenode.kerberos.principal there, such as nn/_HOST@EXAMPLE.COM")
		}
	}
	c := &Client{conf: cf, address: name, patience: cmp.Or(o.Patience, defaultPatience)}
	c.link = newLink(nodes, opts.UseDatanodeHostname, o.Warn)
	// Each NameNode is there many times: the library leaves one that has failed alone for
	// 5 seconds, and gives up when it has tried all. The link knows how long to wait.
	opts.Addresses = slices.Repeat(nodes, 10+int(c.patience/longestPause))
	opts.NamenodeDialFunc = c.link.dial
	opts.DatanodeDialFunc = c.link.dialData
	err = call(ctx, func() (err error) {
		made, err := hdfs.NewClient(opts)
		if err == nil && ctx.Err() != nil {
			return made.Close()
		}
		c.c = made
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			err = c.translate("open", "", err)
		}
		return nil, fmt.Errorf("connect to hdfs://%s: %w", name, err)
	}
	d, err := c.serverDefaults(ctx) // the first question: who we are is checked with it
	if err == nil && d.EncryptDataTransfer {
		err = checkProtection(hdfs.DataTransferProtectionPrivacy)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to hdfs://%s: %w", name, err), c.Close())
	}
	c.link.wait(c.patience)
	return c, nil
}

// Address is what the HDFS is called in a URL: host:port, or its nameservice.
func (c *Client) Address() string { return c.address }

// User is who we are there.
func (c *Client) User() string { return c.c.User() }

// Close ends the connection, and with it the lease on files that are still open.
func (c *Client) Close() error {
	c.link.close() // which closes the connection before the library does
	_ = c.c.Close()
	return nil
}

// userName is who we are without Kerberos, as Hadoop's programs have it.
func userName() (string, error) {
	if name := os.Getenv("HADOOP_USER_NAME"); name != "" {
		return name, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", hint.Wrap(fmt.Errorf("look up this system's user: %w", err), "set HADOOP_USER_NAME")
	}
	return u.Username, nil
}

// checkProtection refuses what the library can write but not read.
func checkProtection(p string) error {
	if p == "" || p == hdfs.DataTransferProtectionAuthentication {
		return nil
	}
	return hint.Wrap(fmt.Errorf("the DataNodes want their traffic protected by %s, which is not supported: only authentication is", p),
		"set dfs.data.transfer.protection to authentication and dfs.encrypt.data.transfer to false, on the cluster and in hdfs-site.xml")
}

// call runs f and returns early when ctx ends. f then goes on unheard: the library takes no
// context.
func call(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withPort adds the NameNode's usual port to a host without one.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), "8020")
}
