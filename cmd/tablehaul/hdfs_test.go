package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hdfs"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestHDFS finds a NameNode by its address and by Hadoop's settings, and tells what is wrong
// in one error.
func TestHDFS(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	dir := t.TempDir()
	node := services.Env(t, "TABLEHAUL_TEST_HDFS")
	sink := func(at, namespace string) string {
		return "iceberg+sql:" + filepath.Join(dir, "catalog.db") + "?warehouse=hdfs://" + at + "&catalog=x&namespace=" + namespace
	}
	lake := "/" + s.name
	none := []string{"HADOOP_CONF_DIR=", "HADOOP_HOME=", "HADOOP_USER_NAME="}
	conf := with(none, "HADOOP_CONF_DIR="+services.Env(t, "TABLEHAUL_TEST_HDFS_CONF"))
	succeed(t, none, "snapshot", s.source(), sink(node+lake, s.name), "-q")
	s.sql("INSERT INTO " + s.name + ".t VALUES (3, 0)")
	succeed(t, none, "tail", s.source(), sink(node+lake, s.name), "--until", "now", "-q")
	succeed(t, conf, "snapshot", s.source(), sink(lake, "b"), "-q")

	c, err := hdfs.Open(t.Context(), hdfs.Options{Address: node})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, namespace := range []string{s.name, "b"} {
		found, err := c.List(t.Context(), lake+"/"+namespace+"/t/data")
		if err != nil || len(found) == 0 {
			t.Errorf("in %s: got %v, %v", namespace, found, err)
		}
	}
	if _, err := c.Stat(t.Context(), lake+"/"+s.name+"/t/metadata/_staging"); !os.IsNotExist(err) {
		t.Errorf("a record is left, or its folder: %v", err)
	}
	privacy := t.TempDir()
	if err := os.WriteFile(filepath.Join(privacy, "hdfs-site.xml"), []byte("<configuration><property><name>dfs.data.transfer.protection</name><value>privacy</value></property></configuration>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  []string
		at   string
		want []string
	}{
		"out of reach":       {none, "127.0.0.1:1" + lake, []string{"open hdfs://127.0.0.1:1" + lake, "no NameNode answers: 127.0.0.1:1 cannot be reached: connection refused", "hint: check that the NameNode is up"}},
		"nobody named":       {none, lake, []string{"open hdfs://" + lake, "no NameNode is named", "hint: name the NameNode in the URL"}},
		"no settings":        {with(none, "HADOOP_CONF_DIR="+dir), node + lake, []string{"neither core-site.xml nor hdfs-site.xml", "hint: name the folder"}},
		"no right":           {with(none, "HADOOP_USER_NAME=somebody"), node + lake, []string{"write to hdfs://" + node + lake, "permission denied: the user somebody needs the right to write in " + lake, "hint: grant it by hdfs dfs"}},
		"protected":          {with(none, "HADOOP_CONF_DIR="+privacy), node + lake, []string{"protected by privacy, which is not supported", "hint: set dfs.data.transfer.protection"}},
		"unknown nameserver": {none, "lake.invalid" + lake, []string{"lake.invalid:8020 cannot be reached", "hint: check the name of the host; if it is that of a nameservice"}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			complain(t, c.env, "", c.want, "snapshot", s.source(), sink(c.at, "f"), "-q")
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("after %v", d)
			}
		})
	}
	if err := c.RemoveAll(t.Context(), lake); err != nil {
		t.Error(err)
	}
}
