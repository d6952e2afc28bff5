package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hdfs"
	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A location is a sink's URL, taken apart.
type location struct {
	scheme, host, path string
	namespace          string
	endpoint, region   string
	pathStyle          bool
}

// knownParameters are those that may stand behind the question mark, by scheme.
var knownParameters = map[string]string{
	"file": "namespace",
	"hdfs": "namespace",
	"s3":   "namespace endpoint region path-style",
}

// CheckURL finds what is wrong with a sink's URL without asking anybody.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

func parseURL(text string) (location, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	l := location{scheme: strings.ToLower(scheme)}
	rest, query, _ := strings.Cut(rest, "?")
	if err := l.parameters(query); err != nil {
		return l, err
	}
	if l.scheme == "file" {
		l.path = strings.TrimPrefix(rest, "//")
		if strings.HasPrefix(rest, "//") && !strings.HasPrefix(l.path, "/") {
			return l, hint.Wrap(errors.New("a folder of another machine cannot be written"), "want file:FOLDER, or file:///FOLDER")
		}
		if l.path == "" {
			return l, hint.Wrap(errors.New("it names no folder"), "want file:FOLDER")
		}
		return l, nil
	}
	rest, ok := strings.CutPrefix(rest, "//")
	l.host, l.path, _ = strings.Cut(rest, "/")
	switch {
	case strings.Contains(l.host, "@"):
		return l, hint.Wrap(errors.New("it names a user"), "the user of HDFS comes from HADOOP_USER_NAME, keys of S3 from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case l.scheme == "s3" && (!ok || l.host == ""):
		return l, hint.Wrap(errors.New("it names no bucket"), "want s3://BUCKET/PREFIX")
	case l.scheme == "hdfs" && !ok:
		return l, hint.Wrap(errors.New("it is not whole"), "want hdfs://HOST:PORT/PATH, hdfs://NAMESERVICE/PATH, or hdfs:///PATH for fs.defaultFS of HADOOP_CONF_DIR")
	}
	l.path = strings.Trim(l.path, "/")
	return l, nil
}

func (l *location) parameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("what stands behind the question mark cannot be read: %w", err)
	}
	known := strings.Fields(knownParameters[l.scheme])
	for name := range values {
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") {
			return hint.Wrap(fmt.Errorf("parameter %q is not known", name), "known ones: %s", strings.Join(known, ", "))
		}
	}
	l.namespace, l.endpoint, l.region = values.Get("namespace"), values.Get("endpoint"), values.Get("region")
	l.pathStyle = l.endpoint != ""
	if text := values.Get("path-style"); text != "" {
		if l.pathStyle, err = strconv.ParseBool(text); err != nil {
			return errors.New("path-style is true or false")
		}
	}
	return nil
}

// open opens the store.
func (l location) open(ctx context.Context, o Options) (store, error) {
	switch l.scheme {
	case "file":
		return openLocal(l.path, o)
	case "s3":
		return newS3(ctx, s3Options{
			bucket: l.host, prefix: l.path, endpoint: l.endpoint, region: l.region, pathStyle: l.pathStyle, warn: o.Warn, copyBytes: o.SpillBytes,
		})
	case "hdfs":
		client, err := hdfs.Open(ctx, hdfs.Options{Address: l.host, Warn: o.Warn})
		if err != nil {
			return nil, err
		}
		return folders{newHDFS(client, l.path, o.BlockSize, o.Replication)}, nil
	}
	return nil, fmt.Errorf("scheme %q is not known", l.scheme)
}

func openLocal(folder string, o Options) (store, error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if target, err := os.Readlink(root); err == nil {
			return nil, hint.Wrap(fmt.Errorf("%s is a link to %s, which is not there", root, target), "mount or make what it leads to, or name another folder")
		}
		if o.Look || o.Existing {
			break
		}
		m, err := makeRoot(root) // at once, or it is found out only when there are rows
		if err != nil {
			return nil, err
		}
		return folders{m}, nil
	case err != nil:
		return nil, explain(err)
	case !st.IsDir():
		return nil, hint.Wrap(fmt.Errorf("%s is a file", root), "name a folder")
	}
	return folders{local{root}}, nil
}
