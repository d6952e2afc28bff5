package iceberg

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// The properties that a URL can have. One that is not among them would be passed on
// and mean nothing, and tables might go elsewhere than where they were meant to: with
// ?warehous=x into the catalog's own warehouse.
var (
	// storeProperties are those of stores. Source: io/config.go of iceberg-go, and what
	// azure.go takes besides.
	storeProperties = []string{
		iceio.S3Region, iceio.S3SessionToken, iceio.S3SecretAccessKey, iceio.S3AccessKeyID, iceio.S3EndpointURL,
		iceio.S3ProxyURI, iceio.S3ConnectTimeout, iceio.S3SignerURI, iceio.S3RemoteSigningEnabled,
		iceio.S3ForceVirtualAddressing, iceio.S3ClientRegion, iceio.S3CompatMode,
		iceio.GCSEndpoint, iceio.GCSServiceHost, iceio.GCSKeyPath, iceio.GCSJSONKey, iceio.GCSCredType,
		iceio.GCSUseJSONAPI, iceio.GCSOAuthToken, iceio.GCSOAuthExpiresAt, iceio.GCSNoAuth,
		iceio.ADLSSharedKeyAccountName, iceio.ADLSSharedKeyAccountKey, iceio.ADLSEndpoint, iceio.ADLSProtocol,
		iceio.ADLSManagedIdentityEnabled, iceio.ADLSClientID,
		azureAccount, azureKey, azureSAS, azureConnection,
	}
	// storeFamilies are beginnings of properties of stores that end with a name.
	storeFamilies = []string{iceio.ADLSSasTokenPrefix, iceio.ADLSConnectionStringPrefix}

	// restProperties are those of REST catalogs. Source: catalog/rest/rest.go and
	// metrics_reporter.go of iceberg-go, and rest.go and oauth.go here.
	restProperties = []string{
		"uri", "warehouse", "prefix", "token", tokenFileProperty, "credential", credentialFileProperty,
		"scope", "audience", "resource", "oauth2-server-uri", "rest.authorization-url",
		"rest.sigv4-enabled", "rest.signing-region", "rest.signing-name",
		"namespace-separator", "view-endpoints-supported", "rest-metrics-reporting-enabled",
		caProperty, certProperty, keyProperty, insecureProperty,
	}
	restFamilies = []string{"header."}

	sqlProperties = []string{"warehouse"}

	// urlProperties are those that parsing the URL takes away.
	urlProperties = map[catalogKind][]string{
		embedded: {"namespace", "catalog"}, sqlite: {"namespace", "catalog"}, rest: {"namespace"}, named: {"namespace"},
	}
)

// CheckURL finds what is wrong with a sink's URL without asking anybody.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return hint.Wrap(err, "see the forms that a sink's URL can have with --help")
}

// checkURLProperties refuses a property that means nothing to the kind of catalog.
func checkURLProperties(kind catalogKind, props iceberg.Properties) error {
	var known, families []string
	if kind != embedded {
		known, families = append(known, storeProperties...), append(families, storeFamilies...)
	}
	if kind == rest || kind == named { // whose kind its file tells
		known, families = append(known, restProperties...), append(families, restFamilies...)
	}
	if kind == sqlite {
		known = append(known, sqlProperties...)
	}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		inFamily := slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(name, f) && name != f })
		if inFamily || slices.Contains(known, name) {
			continue
		}
		err := fmt.Errorf("bad Iceberg URL: unknown property %q", name)
		all := append(slices.Concat(known, urlProperties[kind]), families...)
		if near := hint.Nearest(name, all); near != "" {
			return hint.Wrap(err, "did you mean %s?", near)
		}
		if kind == embedded {
			return hint.Wrap(err, "iceberg:FOLDER takes namespace and catalog")
		}
		return hint.Wrap(err, "docs/catalogs.md lists what catalogs and stores take")
	}
	return nil
}
