package iceberg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/io/gocloud/blobfs"
	"gocloud.dev/blob/azureblob"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Properties that PyIceberg has besides those of iceberg-go, which name an account
// or a host. They are for whatever account a location is in.
const (
	azureAccount    = "adls.account-name"
	azureKey        = "adls.account-key"
	azureSAS        = "adls.sas-token"
	azureConnection = "adls.connection-string"
)

// openAzure opens the container of abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/…,
// whose files are written through the account's blob endpoint.
func openAzure(ctx context.Context, u *url.URL, props map[string]string) (iceio.IO, error) {
	if u.User.Username() == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("%s://%s names no container: want %s://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH", u.Scheme, u.Host, u.Scheme)
	}
	client, err := azureClient(u, props)
	if err != nil {
		return nil, err
	}
	bucket, err := azureblob.OpenBucket(ctx, client, nil)
	if err != nil {
		return nil, err
	}
	return blobfs.New(ctx, bucket, azureObjects(u)), nil
}

// azureObjects knows the container by the names of all its schemes.
func azureObjects(u *url.URL) blobfs.ObjectLocationExtractor {
	own := u.User.Username() + "@" + u.Hostname()
	return func(location string) (blobfs.ObjectLocation, error) {
		scheme, rest, _ := strings.Cut(location, "://")
		authority, key, _ := strings.Cut(rest, "/")
		o := blobfs.NewObjectLocation(scheme, authority, key)
		switch {
		case authority != own:
			return o, fmt.Errorf("%w: %s is not in %s", blobfs.ErrUnsupportedObjectAuthority, location, own)
		case key == "":
			return o, fmt.Errorf("%w: %s", blobfs.ErrEmptyObjectKey, location)
		}
		return o, nil
	}
}

// azureClient finds credentials in the properties, among which are those that a
// catalog hands out, then in the environment, by the names that Azure's programs
// have for them, and at last wherever Azure's SDK looks.
func azureClient(u *url.URL, props map[string]string) (*container.Client, error) {
	account, domain, _ := strings.Cut(u.Hostname(), ".")
	name := u.User.Username()
	service := azureblob.ServiceURLOptions{
		AccountName: account, Protocol: props[iceio.ADLSProtocol],
		// dfs.core.windows.net, or that of another of Azure's clouds
		StorageDomain: cmp.Or(props[iceio.ADLSEndpoint], strings.Replace(domain, "dfs.", "blob.", 1)),
	}
	opts := &container.ClientOptions{}
	opts.Transport = azureTransport{&http.Client{Transport: storeTransport()}}
	at := func() (string, error) {
		s, err := azureblob.NewServiceURL(&service)
		if err != nil {
			return "", err
		}
		return url.JoinPath(string(s), name)
	}
	c := azureSecrets(u, props)
	switch {
	case c.key != "":
		location, err := at()
		if err != nil {
			return nil, err
		}
		shared, err := container.NewSharedKeyCredential(cmp.Or(c.account, account), c.key)
		if err != nil {
			return nil, unreadable("the account's key is not in base64")
		}
		return container.NewClientWithSharedKeyCredential(location, shared, opts)
	case c.sas != "":
		service.SASToken = strings.TrimPrefix(c.sas, "?")
		location, err := at()
		if err != nil {
			return nil, unreadable("the shared access signature cannot be part of a URL")
		}
		return container.NewClientWithNoCredential(location, opts)
	case c.connection != "":
		client, err := container.NewClientFromConnectionString(c.connection, name, opts)
		if err != nil {
			return nil, unreadable("the connection string cannot be read")
		}
		return client, nil
	}
	location, err := at()
	if err != nil {
		return nil, err
	}
	var token azcore.TokenCredential
	if props[iceio.ADLSManagedIdentityEnabled] == "true" {
		token, err = managedIdentity(props[iceio.ADLSClientID])
	} else {
		token, err = defaultIdentity()
	}
	if err != nil {
		return nil, err
	}
	return container.NewClient(location, token, opts)
}

// unreadable is an error of a secret, which is not repeated.
func unreadable(text string) error {
	return hint.Wrap(errors.New(text), "check %s", azureKeys)
}

// azureSecret is one of a key, a signature and a connection string, or none.
type azureSecret struct{ account, key, sas, connection string }

func azureSecrets(u *url.URL, props map[string]string) azureSecret {
	account, _, _ := strings.Cut(u.Hostname(), ".")
	c := azureSecret{
		account:    cmp.Or(props[iceio.ADLSSharedKeyAccountName], props[azureAccount]),
		key:        cmp.Or(props[iceio.ADLSSharedKeyAccountKey], props[azureKey]),
		sas:        cmp.Or(props[iceio.ADLSSasTokenPrefix+u.Hostname()], props[iceio.ADLSSasTokenPrefix+account], props[azureSAS]),
		connection: cmp.Or(props[iceio.ADLSConnectionStringPrefix+account], props[azureConnection]),
	}
	if c.key+c.sas+c.connection != "" || props[iceio.ADLSManagedIdentityEnabled] == "true" {
		return c
	}
	// Those of another account are of no use here.
	if a := os.Getenv("AZURE_STORAGE_ACCOUNT"); a == "" || a == account {
		c = azureSecret{key: os.Getenv("AZURE_STORAGE_KEY"), sas: os.Getenv("AZURE_STORAGE_SAS_TOKEN"), connection: os.Getenv("AZURE_STORAGE_CONNECTION_STRING")}
	}
	return c
}

// defaultIdentity is one for the whole process: it keeps tokens until they expire.
var defaultIdentity = sync.OnceValues(func() (azcore.TokenCredential, error) {
	return azidentity.NewDefaultAzureCredential(nil)
})

// identities are managed identities by the id of their client.
var identities sync.Map

func managedIdentity(client string) (azcore.TokenCredential, error) {
	if c, ok := identities.Load(client); ok {
		return c.(azcore.TokenCredential), nil
	}
	var opts azidentity.ManagedIdentityCredentialOptions
	if client != "" {
		opts.ID = azidentity.ClientID(client)
	}
	c, err := azidentity.NewManagedIdentityCredential(&opts)
	if err != nil {
		return nil, err
	}
	kept, _ := identities.LoadOrStore(client, c)
	return kept.(azcore.TokenCredential), nil
}

// azureTransport keeps signatures out of errors, and has a server that shows a wrong
// certificate not asked again.
type azureTransport struct{ *http.Client }

func (t azureTransport) Do(req *http.Request) (*http.Response, error) {
	resp, err := t.Client.Do(req)
	if err = withoutQuery(err); badCertificate(err) {
		err = finalError{err}
	}
	return resp, err
}

// A finalError is one that Azure's SDK repeats no request after.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// NonRetriable is what the SDK knows such errors by.
func (finalError) NonRetriable() {}
