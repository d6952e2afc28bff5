package hdfs

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/colinmarc/hdfs/v2/hadoopconf"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A conf is what Hadoop's files of settings say.
type conf struct {
	dir    string // "" if there is none
	values hadoopconf.HadoopConf
}

// loadConf reads core-site.xml and hdfs-site.xml of the folder that Hadoop's programs
// would read them from.
func loadConf() (conf, error) {
	dir := os.Getenv("HADOOP_CONF_DIR")
	if home := os.Getenv("HADOOP_HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, "etc", "hadoop")
	}
	if dir == "" {
		return conf{}, nil
	}
	values, err := hadoopconf.Load(dir)
	if err != nil {
		return conf{}, fmt.Errorf("read Hadoop's settings in %s: %w", dir, err)
	}
	if values == nil {
		return conf{}, hint.Wrap(fmt.Errorf("there is neither core-site.xml nor hdfs-site.xml in %s", dir),
			"name the folder that they are in by HADOOP_CONF_DIR")
	}
	for name, v := range values {
		values[name] = strings.TrimSpace(v)
	}
	return conf{dir, values}, nil
}

// nameNodes returns the name of the HDFS at an address, and host:port of its NameNodes.
func (c conf) nameNodes(address string) (name string, nodes []string, err error) {
	if address == "" {
		if address, err = c.defaultFS(); err != nil {
			return "", nil, err
		}
	}
	if ids := c.values["dfs.ha.namenodes."+address]; ids != "" {
		for id := range strings.SplitSeq(ids, ",") {
			key := "dfs.namenode.rpc-address." + address + "." + strings.TrimSpace(id)
			node := c.values[key]
			if node == "" {
				return "", nil, hint.Wrap(fmt.Errorf("hdfs-site.xml in %s does not say where a NameNode of %s is", c.dir, address), "set %s there", key)
			}
			nodes = append(nodes, withPort(node))
		}
		return address, nodes, nil
	}
	// A nameservice may have one NameNode.
	if node := c.values["dfs.namenode.rpc-address."+address]; node != "" {
		return address, []string{withPort(node)}, nil
	}
	address = withPort(address)
	return address, []string{address}, nil
}

func (c conf) defaultFS() (string, error) {
	const remedy = "name the NameNode in the URL, hdfs://HOST:8020/PATH, or the folder of core-site.xml by HADOOP_CONF_DIR"
	value := c.values["fs.defaultFS"]
	if value == "" {
		value = c.values["fs.default.name"]
	}
	switch u, err := url.Parse(value); {
	case c.dir == "":
		return "", hint.Wrap(fmt.Errorf("no NameNode is named, and there are no settings of Hadoop to find one in"), remedy)
	case value == "":
		return "", hint.Wrap(fmt.Errorf("no NameNode is named, and core-site.xml in %s has no fs.defaultFS", c.dir), remedy)
	case err != nil || u.Scheme != "hdfs" || u.Host == "":
		return "", hint.Wrap(fmt.Errorf("no NameNode is named, and fs.defaultFS in %s is %s, which is no HDFS", c.dir, value), remedy)
	default:
		return u.Host, nil
	}
}

// umask returns which rights new files and folders lack.
func (c conf) umask() (fs.FileMode, error) {
	const key = "fs.permissions.umask-mode"
	v := c.values[key]
	if v == "" {
		return 0o022, nil
	}
	if n, err := strconv.ParseUint(v, 8, 9); err == nil {
		return fs.FileMode(n), nil
	}
	mask, ok := symbolicUmask(v)
	if !ok {
		return 0, fmt.Errorf("%s in %s is %q: want an octal number such as 022, or u=rwx,g=rx,o=rx", key, c.dir, v)
	}
	return mask, nil
}

// symbolicUmask reads u=rwx,g=rx,o=: what is named is what is left.
func symbolicUmask(s string) (mask fs.FileMode, ok bool) {
	shifts := map[rune]int{'u': 6, 'g': 3, 'o': 0}
	bits := map[rune]fs.FileMode{'r': 4, 'w': 2, 'x': 1}
	for part := range strings.SplitSeq(s, ",") {
		who, rights, ok := strings.Cut(part, "=")
		if !ok {
			return 0, false
		}
		left := fs.FileMode(7)
		for _, r := range rights {
			if bits[r] == 0 {
				return 0, false
			}
			left &^= bits[r]
		}
		for _, w := range strings.ReplaceAll(who, "a", "ugo") {
			shift, ok := shifts[w]
			if !ok {
				return 0, false
			}
			mask |= left << shift
		}
	}
	return mask, true
}

// number returns a setting that may have a suffix such as k or m; 0 if there is none.
func (c conf) number(key string) (int64, error) {
	v := strings.ToLower(c.values[key])
	if v == "" {
		return 0, nil
	}
	digits := strings.TrimRight(v, "kmgtpe")
	n, err := strconv.ParseInt(digits, 10, 64)
	shift := uint(0)
	if unit := v[len(digits):]; len(unit) == 1 {
		shift = uint(strings.Index("kmgtpe", unit)+1) * 10
	} else if unit != "" {
		err = strconv.ErrSyntax
	}
	if err != nil || n <= 0 || n<<shift>>shift != n {
		return 0, fmt.Errorf("%s in %s is %q, which is no number that can be used", key, c.dir, c.values[key])
	}
	return n << shift, nil
}
