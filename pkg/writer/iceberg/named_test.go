package iceberg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// What a file names and we do not have, or do not follow, is said.
func TestNamedCatalogs(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, ".iceberg-go.yaml"), []byte(`
catalog:
  glue: {type: glue}
  profile: {type: rest, uri: "http://127.0.0.1:1", aws-profile: prod}
  postgres: {type: sql, uri: "postgres://h/db", sql-dialect: postgres}
`), 0o600))
	t.Setenv("GOICEBERG_HOME", dir)
	t.Setenv("AWS_PROFILE", "")
	for name, want := range map[string]struct{ text, hint string }{
		"glue":     {`is of type "glue", which is not built in`, "name a REST catalog"},
		"profile":  {`wants the AWS profile "prod"`, "set AWS_PROFILE"},
		"postgres": {`wants the SQL dialect "postgres"`, ""},
		"nowhere":  {`catalog "nowhere" is not in .iceberg-go.yaml`, "add it to the file"},
	} {
		_, err := Open(t.Context(), "iceberg://"+name, Options{})
		if err == nil || !strings.Contains(err.Error(), want.text) || !strings.HasPrefix(hint.Of(err), want.hint) {
			t.Errorf("%s: got %v (hint %q), want %q", name, err, hint.Of(err), want.text)
		}
	}
}

// Secrets of the environment count where the URL names none.
func TestEnvSecrets(t *testing.T) {
	t.Setenv("ICEBERG_REST_TOKEN", "")
	t.Setenv("ICEBERG_REST_CREDENTIAL_FILE", "")
	t.Setenv("ICEBERG_REST_TOKEN_FILE", "/token")
	t.Setenv("ICEBERG_REST_CREDENTIAL", "a:b")
	p := map[string]string{}
	envProps(p)
	if len(p) != 1 || p[tokenFileProperty] != "/token" {
		t.Errorf("got %v, want the token's file alone", p)
	}
	p = map[string]string{"credential": "c:d"}
	envProps(p)
	if len(p) != 1 {
		t.Errorf("got %v, want the URL's alone", p)
	}
}
