package main

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestS3 finds keys in the places where AWS's programs look for them, and tells
// what is wrong with them in one error that names the bucket.
func TestS3(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	dir := t.TempDir()
	endpoint := "&s3.endpoint=" + url.QueryEscape(services.Env(t, "TABLEHAUL_TEST_S3"))
	sink := func(warehouse, more string) string {
		return "iceberg+sql:" + filepath.Join(dir, "catalog.db") + "?warehouse=s3://" + warehouse + endpoint + more
	}
	lake := "lake/" + s.name
	creds := filepath.Join(dir, "credentials")
	if err := os.WriteFile(creds, []byte("[store]\naws_access_key_id = test\naws_secret_access_key = testsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_REGION=", "AWS_EC2_METADATA_DISABLED=true"}
	keys := append(none[:2:2], "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=testsecret")
	succeed(t, keys, "snapshot", s.source(), sink(lake, "&namespace=a"), "-q")
	succeed(t, append(none, "AWS_SHARED_CREDENTIALS_FILE="+creds, "AWS_PROFILE=store"), "snapshot", s.source(), sink(lake, "&namespace=b"), "-q")
	succeed(t, none, "snapshot", s.source(), sink(lake, "&namespace=c&s3.access-key-id=test&s3.secret-access-key=testsecret&s3.region=us-east-1"), "-q")

	const check = "hint: check AWS_ACCESS_KEY_ID"
	for name, c := range map[string]struct {
		env             []string
		warehouse, more string
		want            []string
	}{
		"wrong secret":  {append(keys, "AWS_SECRET_ACCESS_KEY=wr0ng"), lake, "", []string{"write to s3://" + lake + ": SignatureDoesNotMatch: ", check}},
		"wrong key":     {append(keys, "AWS_ACCESS_KEY_ID=nobody"), lake, "", []string{"write to s3://" + lake + ": ", check}},
		"wrong session": {append(keys, "AWS_SESSION_TOKEN=wr0ng"), lake, "", []string{"write to s3://" + lake + ": InvalidToken", check}},
		"no key":        {none, lake, "", []string{"write to s3://" + lake + ": there are no credentials for it", "hint: set AWS_ACCESS_KEY_ID"}},
		"wrong region":  {keys, lake, "&s3.region=eu-west-1", []string{"write to s3://" + lake + ": AuthorizationHeaderMalformed", "hint: name the bucket's region"}},
		"no bucket":     {keys, "nowhere/x", "", []string{"write to s3://nowhere/x: NoSuchBucket: ", "hint: create the bucket"}},
	} {
		t.Run(name, func(t *testing.T) {
			complain(t, c.env, "wr0ng", c.want, "snapshot", s.source(), sink(c.warehouse, c.more+"&namespace=d"), "-q")
		})
	}
	complain(t, keys, "", []string{"ftp:// are not built in", "hint: warehouses can lie on a local disk, on S3"}, "snapshot", s.source(),
		"iceberg+sql:"+filepath.Join(dir, "other.db")+"?warehouse=ftp://x/y", "-q")
}
