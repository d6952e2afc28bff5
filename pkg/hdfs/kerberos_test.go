package hdfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

func TestKerberos(t *testing.T) {
	cl := newCluster(t, "--kerberos")
	at := Options{Address: cl.env["TABLEHAUL_TEST_HDFS"], Patience: slowStart}
	var err error
	wants := func(what, text, remedy string) {
		t.Helper()
		_, err = Open(t.Context(), at)
		if !strings.Contains(fmt.Sprint(err), text) || !strings.Contains(hint.Of(err), remedy) || strings.Contains(fmt.Sprint(err), "\n") {
			t.Errorf("%s: got %v (hint %q)", what, err, hint.Of(err))
		}
	}
	wants("no settings", "the NameNode wants Kerberos", "HADOOP_CONF_DIR")

	t.Setenv("HADOOP_CONF_DIR", cl.env["TABLEHAUL_TEST_HDFS_CONF"])
	t.Setenv("KRB5_CONFIG", filepath.Join(t.TempDir(), "none"))
	wants("no settings of Kerberos", "read Kerberos's settings", "KRB5_CONFIG")
	t.Setenv("KRB5_CONFIG", cl.env["TABLEHAUL_TEST_HDFS_KRB5_CONF"])
	t.Setenv("KRB5CCNAME", "FILE:"+filepath.Join(t.TempDir(), "none"))
	wants("no tickets", "read the Kerberos tickets", "kinit")
	t.Setenv("KRB5CCNAME", "KEYRING:persistent")
	wants("tickets elsewhere", "a cache of the kind KEYRING", "KRB5_CLIENT_KTNAME")

	keys := cl.env["TABLEHAUL_TEST_HDFS_KEYTAB"]
	t.Setenv("KRB5_CLIENT_KTNAME", "FILE:"+keys)
	t.Setenv("TABLEHAUL_HDFS_PRINCIPAL", "nobody@EXAMPLE.COM")
	wants("another principal", "log in to Kerberos as nobody@EXAMPLE.COM", "klist -k")
	t.Setenv("TABLEHAUL_HDFS_PRINCIPAL", "")
	for _, principal := range []string{"", cl.env["TABLEHAUL_TEST_HDFS_PRINCIPAL"]} {
		t.Setenv("TABLEHAUL_HDFS_PRINCIPAL", principal)
		c := cl.open(at)
		user, _, _ := strings.Cut(cl.env["TABLEHAUL_TEST_HDFS_PRINCIPAL"], "@")
		if c.User() != user {
			t.Errorf("got %s", c.User())
		}
		name := "/f" + principal
		var started func()
		must(t, writing(t, c, name, small, func() {
			cl.kill("NAMENODE", syscall.SIGKILL)
			started = after(time.Second, func() { cl.script("start") })
		}))
		started()
		st, err := c.Stat(t.Context(), name)
		must(t, err)
		if owner := st.(interface{ Owner() string }).Owner(); owner != user {
			t.Errorf("the file is %s's", owner)
		}
	}

	// By settings that want more protection than there can be.
	dir := t.TempDir()
	for _, f := range []string{"core-site.xml", "hdfs-site.xml"} {
		text, err := os.ReadFile(filepath.Join(cl.env["TABLEHAUL_TEST_HDFS_CONF"], f))
		must(t, err)
		const key = "<name>dfs.data.transfer.protection</name><value>"
		text = bytes.ReplaceAll(text, []byte(key+"authentication"), []byte(key+"integrity"))
		must(t, os.WriteFile(filepath.Join(dir, f), text, 0o600))
	}
	t.Setenv("HADOOP_CONF_DIR", dir)
	wants("integrity", "protected by integrity, which is not supported", "dfs.data.transfer.protection")
}
