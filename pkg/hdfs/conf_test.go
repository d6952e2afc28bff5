package hdfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// settings makes a folder of Hadoop's settings, name=value in each line.
func settings(t *testing.T, lines ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("<configuration>")
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		b.WriteString("<property><name>" + name + "</name><value> " + value + "\n</value></property>")
	}
	b.WriteString("</configuration>")
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "core-site.xml"), []byte(b.String()), 0o600))
	return dir
}

func TestNameNodes(t *testing.T) {
	t.Setenv("HADOOP_HOME", "")
	ha := []string{
		"fs.defaultFS=hdfs://lake", "dfs.ha.namenodes.lake=nn1, nn2",
		"dfs.namenode.rpc-address.lake.nn1=a:9000", "dfs.namenode.rpc-address.lake.nn2=b",
		"dfs.ha.namenodes.other=x", "dfs.namenode.rpc-address.single=c:1",
	}
	for _, c := range []struct {
		conf    []string
		address string
		name    string
		nodes   []string
		err     string
	}{
		{nil, "nn:9000", "nn:9000", []string{"nn:9000"}, ""},
		{nil, "nn", "nn:8020", []string{"nn:8020"}, ""},
		{nil, "::1", "[::1]:8020", []string{"[::1]:8020"}, ""},
		{nil, "[::1]", "[::1]:8020", []string{"[::1]:8020"}, ""},
		{nil, "", "", nil, "there are no settings of Hadoop"},
		{ha, "", "lake", []string{"a:9000", "b:8020"}, ""},
		{ha, "lake", "lake", []string{"a:9000", "b:8020"}, ""},
		{ha, "single", "single", []string{"c:1"}, ""},
		{ha, "nn:9000", "nn:9000", []string{"nn:9000"}, ""},
		{ha, "other", "", nil, "does not say where a NameNode of other is"},
		{[]string{"x=y"}, "", "", nil, "has no fs.defaultFS"},
		{[]string{"fs.defaultFS=s3a://bucket"}, "", "", nil, "which is no HDFS"},
		{[]string{"fs.default.name=hdfs://nn/"}, "", "nn:8020", []string{"nn:8020"}, ""},
	} {
		t.Setenv("HADOOP_CONF_DIR", "")
		if c.conf != nil {
			t.Setenv("HADOOP_CONF_DIR", settings(t, c.conf...))
		}
		cf, err := loadConf()
		must(t, err)
		name, nodes, err := cf.nameNodes(c.address)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || hint.Of(err) == "" {
				t.Errorf("%v %q: got %v", c.conf, c.address, err)
			}
			continue
		}
		if err != nil || name != c.name || !slices.Equal(nodes, c.nodes) {
			t.Errorf("%v %q: got %s, %v, %v", c.conf, c.address, name, nodes, err)
		}
	}
	t.Setenv("HADOOP_CONF_DIR", t.TempDir())
	if _, err := loadConf(); err == nil || hint.Of(err) == "" {
		t.Errorf("of an empty folder: got %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Setenv("HADOOP_CONF_DIR", settings(t, "dfs.blocksize=64M", "dfs.replication=2", "a=12q", "b=-1", "fs.permissions.umask-mode=027"))
	cf, err := loadConf()
	must(t, err)
	if n, err := cf.number("dfs.blocksize"); n != 64<<20 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := cf.number("dfs.replication"); n != 2 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := cf.number("none"); n != 0 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for _, key := range []string{"a", "b"} {
		if n, err := cf.number(key); err == nil {
			t.Errorf("%s: got %d", key, n)
		}
	}
	for text, want := range map[string]fs.FileMode{"027": 0o027, "0002": 0o002, "u=rwx,g=rx,o=": 0o027, "a=rw": 0o111, "": 0o022} {
		cf.values["fs.permissions.umask-mode"] = text
		if got, err := cf.umask(); err != nil || got != want {
			t.Errorf("%q: got %o, %v", text, got, err)
		}
	}
	for _, text := range []string{"9", "u:rwx", "u=q", "z=r"} {
		cf.values["fs.permissions.umask-mode"] = text
		if got, err := cf.umask(); err == nil {
			t.Errorf("%q: got %o", text, got)
		}
	}
}

// What the library could write but not read is refused.
func TestProtection(t *testing.T) {
	for _, line := range []string{"dfs.data.transfer.protection=integrity", "dfs.data.transfer.protection=authentication,privacy", "dfs.encrypt.data.transfer=true"} {
		t.Setenv("HADOOP_CONF_DIR", settings(t, line))
		if _, err := Open(t.Context(), Options{Address: "127.0.0.1:1"}); err == nil || hint.IsTransient(err) || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}
