package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// fileCases write the tables of the snapshots as plain files, to a local disk and to HDFS.
func fileCases() []*benchCase {
	var list []*benchCase
	for _, c := range snapshotCases() {
		for _, format := range []string{"csv", "parquet"} {
			f := *c
			f.name, f.format = "files/"+format+"/"+c.table, format
			limit := map[string]float64{"csv/sbtest": 0.8, "csv/orders": 1.5, "parquet/sbtest": 1.3, "parquet/orders": 2}[format+"/"+c.table]
			f.goals = []goal{{name: "cpu_us_per_row", limit: limit}, {name: "peak_mib", limit: 400}}
			list = append(list, &f)
		}
	}
	return list
}

// An hdfsPlace is the bench's own HDFS.
type hdfsPlace struct {
	addr string
	conf string // HADOOP_CONF_DIR
	run  string // runs Hadoop's own tools
	pids []int
	stop bool // it was started by this run
}

// hdfsOptions are those of the bench's own HDFS: tests use another.
func (e *env) hdfsOptions() []string {
	return []string{"--port", "28120", "--data", filepath.Join(e.cache, "bench", "hdfs")}
}

func (e *env) startHDFS(ctx context.Context) error {
	place := e.hdfsOptions()
	_, err := e.service(ctx, "hdfs", append([]string{"status"}, place...)...)
	running := err == nil
	if _, err := e.service(ctx, "hdfs", append([]string{"start"}, place...)...); err != nil {
		return err
	}
	out, err := e.service(ctx, "hdfs", append([]string{"env"}, place...)...)
	if err != nil {
		return err
	}
	s := parseSettings(out)
	e.hdfs = hdfsPlace{addr: s["TABLEHAUL_TEST_HDFS"], conf: s["TABLEHAUL_TEST_HDFS_CONF"], run: s["TABLEHAUL_TEST_HDFS_RUN"], stop: !running}
	for _, name := range []string{"NAMENODE", "DATANODE"} {
		text, err := os.ReadFile(s["TABLEHAUL_TEST_HDFS_"+name+"_PID"])
		if err != nil {
			return err
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return err
		}
		e.hdfs.pids = append(e.hdfs.pids, pid)
	}
	return nil
}

// hdfsFolder is where a run writes, which the next one removes.
const hdfsFolder = "/bench"

// shell is a command of Hadoop's own client.
func (h hdfsPlace) shell(args ...string) []string {
	return append([]string{h.run, "org.apache.hadoop.fs.FsShell"}, args...)
}

// fileContenders are the product, to a local disk and to HDFS, and Hadoop's own client,
// which copies the files of the former to HDFS.
func (e *env) fileContenders(c *benchCase, rows int64) []*contender {
	snapshot := func(sink string) []string {
		return []string{
			e.product, "snapshot", "mysql://root@" + e.addr + "/" + database(rows), sink,
			"--tables", c.table, "--parallel", strconv.Itoa(e.opts.connections), "--format", c.format, "--quiet",
		}
	}
	table := filepath.Join(database(rows), c.table)
	var list []*contender
	if e.product == "" {
		return nil
	}
	list = append(list, &contender{
		name:  "product",
		argv:  func(out string) []string { return snapshot("file:" + out) },
		check: func(out string, _ []byte) (report, error) { return manifestReport(filepath.Join(out, table)) },
	})
	clear := func(string) [][]string { return [][]string{e.hdfs.shell("-rm", "-r", "-f", "-skipTrash", hdfsFolder)} }
	if e.wants("hdfs") {
		list = append(list, &contender{
			name: "hdfs", env: []string{"HADOOP_CONF_DIR=" + e.hdfs.conf}, prepare: clear,
			argv:  func(string) []string { return snapshot("hdfs://" + e.hdfs.addr + hdfsFolder) },
			check: func(string, []byte) (report, error) { return e.hdfs.report(filepath.Join(hdfsFolder, table)) },
		})
	}
	if e.wants("hdfs-put") {
		list = append(list, &contender{
			name: "hdfs-put", rival: true,
			prepare: func(out string) [][]string { return append(clear(out), snapshot("file:"+out)) },
			argv:    func(out string) []string { return e.hdfs.shell("-put", out, hdfsFolder) },
			check:   func(string, []byte) (report, error) { return e.hdfs.report(filepath.Join(hdfsFolder, table)) },
		})
	}
	return list
}

// manifestReport counts what a table's manifest names, with the files' own sizes.
func manifestReport(dir string) (report, error) {
	text, err := os.ReadFile(filepath.Join(dir, "_tablehaul", "manifest.json"))
	if err != nil {
		return report{}, err
	}
	return countManifest(text, func(path string) (int64, error) {
		st, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			return 0, err
		}
		return st.Size(), nil
	})
}

// report is manifestReport for a folder of HDFS, as Hadoop's own client lists it.
func (h hdfsPlace) report(dir string) (report, error) {
	run := func(args ...string) ([]byte, error) {
		argv := h.shell(args...)
		return exec.Command(argv[0], argv[1:]...).Output()
	}
	text, err := run("-cat", dir+"/_tablehaul/manifest.json")
	if err != nil {
		return report{}, err
	}
	listed, err := run("-du", dir+"/g1")
	if err != nil {
		return report{}, err
	}
	sizes := map[string]int64{}
	for line := range strings.Lines(string(listed)) {
		if f := strings.Fields(line); len(f) == 3 {
			sizes[filepath.Base(f[2])], _ = strconv.ParseInt(f[0], 10, 64)
		}
	}
	return countManifest(text, func(path string) (int64, error) { return sizes[filepath.Base(path)], nil })
}

func countManifest(text []byte, size func(path string) (int64, error)) (r report, err error) {
	var m struct {
		Rows  int64
		Files []struct {
			Path  string
			Bytes int64
		}
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return r, err
	}
	for _, f := range m.Files {
		n, err := size(f.Path)
		if err != nil {
			return r, err
		}
		if n != f.Bytes {
			return r, fmt.Errorf("%s has %d bytes, the manifest says %d", f.Path, n, f.Bytes)
		}
		r.Bytes += n
	}
	r.Rows = m.Rows
	return r, nil
}

// fileRatios compares writing to HDFS with copying the same bytes there.
func fileRatios(by map[string]*figures, out map[string]float64) {
	if h, put := by["hdfs"], by["hdfs-put"]; h != nil && put != nil {
		out["hdfs_put"], out["hdfs_put_cpu"] = h.WallS/put.WallS, h.CPUPerRow/put.CPUPerRow
	}
	if h := by["hdfs"]; h != nil {
		out["hdfs_cpu_us"] = h.CPUPerRow
	}
}

func anyFiles(cases []*benchCase) bool {
	return slices.ContainsFunc(cases, func(c *benchCase) bool { return c.format != "" })
}
