package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"strings"
	"syscall"

	"github.com/colinmarc/hdfs/v2"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// An answer is what an HDFS has said instead of doing what it was asked for, in one line.
type answer struct {
	text string
	kind error // of package fs, or nil
	err  error
}

func (a *answer) Error() string { return a.text }

func (a *answer) Unwrap() []error {
	if a.kind == nil {
		return []error{a.err}
	}
	return []error{a.kind, a.err}
}

// Passing reports whether err is what an HDFS has said of something that may pass.
func Passing(err error) bool {
	var a *answer
	return hint.IsTransient(err) && errors.As(err, &a)
}

// translate puts an error of the library into words, with a remedy where there is one.
func (c *Client) translate(op, path string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	err = c.explain(path, err)
	if path == "" {
		return err
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

func (c *Client) explain(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) { // the library's
		err = at.Err
	}
	var e hdfs.Error
	var node *DataNodeError
	var op *net.OpError
	switch {
	case errors.As(err, &node):
		return hint.Transient(hint.Wrap(&answer{text: node.Error(), err: err},
			"hdfs dfsadmin -report shows which DataNodes are there; a file that was being written is lost, and written again by the next run"))
	case errors.As(err, &e):
		return c.explainException(path, e, err)
	case errors.Is(err, errNoRPC), strings.HasPrefix(err.Error(), "no available namenodes"):
		return c.unreachable(err)
	case err.Error() == "no available datanodes":
		return hint.Transient(hint.Wrap(&answer{text: "no DataNode is there that has its data", err: err}, "hdfs fsck %s -files -blocks -locations shows which blocks are missing", path))
	case errors.Is(err, syscall.ENOTEMPTY):
		return &answer{"the folder is not empty", fs.ErrExist, err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrInvalid):
		return err
	case strings.HasPrefix(err.Error(), "Ack error from datanode"), strings.HasPrefix(err.Error(), "write failed:"):
		return hint.Transient(&answer{text: "a DataNode did not take the block: " + firstLine(err.Error()), err: err})
	case errors.As(err, &op), strings.Contains(err.Error(), "EOF"):
		return hint.Transient(&answer{text: firstLine(err.Error()), err: err})
	}
	return &answer{text: firstLine(err.Error()), err: err}
}

// otherPort is that something else than a NameNode answers.
func otherPort(reason string, err error) error {
	return hint.Wrap(&answer{text: reason, err: err},
		"name the port for RPC, often 8020 or 9000, and not one for browsers: hdfs getconf -confKey fs.defaultFS prints host and port")
}

// unreachable is that no NameNode answers.
func (c *Client) unreachable(err error) error {
	reason := c.link.reason()
	switch {
	case reason == "":
		reason = "none was found"
	case c.link.strangers(): // and no NameNode that may be back
		return otherPort(reason, err)
	case strings.Contains(reason, errStandby.Error()):
		return hint.Transient(hint.Wrap(&answer{text: "no NameNode is active: " + reason, err: err},
			"hdfs haadmin -getAllServiceState shows which one is; name the nameservice instead of one of them, with HADOOP_CONF_DIR set"))
	}
	if c.conf.dir == "" && strings.Contains(reason, "no such host") {
		return hint.Transient(hint.Wrap(&answer{text: "no NameNode answers: " + reason, err: err},
			"check the name of the host; if it is that of a nameservice, name the folder of hdfs-site.xml by HADOOP_CONF_DIR"))
	}
	return hint.Transient(hint.Wrap(&answer{text: "no NameNode answers: " + reason, err: err},
		"check that the NameNode is up, and its host and port for RPC: hdfs getconf -confKey fs.defaultFS prints them"))
}

var (
	deniedText = regexp.MustCompile(`user=([^,]*), access=([^,]*), inode="([^"]*)":([^:]*):([^:]*):(\S*)`)
	quotaText  = regexp.MustCompile(`(?:quota of |directory |quota \(.*\) of )(/\S*)`)
)

func (c *Client) explainException(path string, e hdfs.Error, err error) error {
	class := e.Exception()[strings.LastIndexByte(e.Exception(), '.')+1:]
	text := exceptionText(e.Message(), e.Exception())
	a := &answer{text: text, err: err}
	switch class {
	case accessExceptionHere:
		return c.denied(a)
	case "SafeModeException":
		a.text = "the NameNode is in safe mode, in which nothing can be written"
		return hint.Transient(hint.Wrap(a, "hdfs dfsadmin -safemode get shows its state: it leaves safe mode by itself when enough blocks are reported, or by -safemode leave if somebody has put it there"))
	case "DSQuotaExceededException", "QuotaByStorageTypeExceededException":
		return overQuota(a, "space quota", path, "hdfs dfsadmin -setSpaceQuota or -clrSpaceQuota")
	case "NSQuotaExceededException":
		return overQuota(a, "quota of files and folders", path, "hdfs dfsadmin -setQuota or -clrQuota")
	case "FileNotFoundException", "LeaseExpiredException", "ParentNotDirectoryException":
		a.kind = fs.ErrNotExist
		if class == "ParentNotDirectoryException" {
			a.kind = syscall.ENOTDIR
		}
	case "FileAlreadyExistsException", "AlreadyBeingCreatedException", "PathIsNotEmptyDirectoryException":
		a.kind = fs.ErrExist
	case "InvalidPathException":
		a.kind = fs.ErrInvalid
		return hint.Wrap(a, "names of files on HDFS cannot have a colon in them")
	case "UnknownCryptoProtocolVersionException":
		a.text = "the folder is in an encryption zone, in which files cannot be written"
		return hint.Wrap(a, "name a folder outside of it: hdfs crypto -listZones shows the zones")
	case "RpcNoSuchProtocolException":
		return otherPort(c.address+" "+errNoRPC.Error(), err)
	case "RetriableException", "StandbyException":
		return hint.Transient(a)
	}
	switch {
	case strings.Contains(text, "is not empty"):
		a.text, a.kind = "the folder that it would replace is not empty", fs.ErrExist
	case noNodes(e.Message()):
		return c.noDataNode(a)
	}
	return a
}

// exceptionText is the first line of what the NameNode says, without the name of a class.
func exceptionText(message, class string) string {
	text := firstLine(message)
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(text, class), ":"))
	if text == "" {
		text = class
	}
	return text
}

func (c *Client) denied(a *answer) error {
	a.kind = fs.ErrPermission
	if strings.Contains(a.text, "authentication is not enabled") {
		a.text = "the NameNode wants Kerberos"
		return hint.Wrap(a, "name by HADOOP_CONF_DIR a folder whose core-site.xml has hadoop.security.authentication=kerberos, and get tickets by kinit")
	}
	m := deniedText.FindStringSubmatch(a.text)
	if m == nil {
		return hint.Wrap(a, "let the user %s do this, or be another one by HADOOP_USER_NAME", c.c.User())
	}
	a.text = fmt.Sprintf("permission denied: the user %s needs the right to %s in %s, which is %s of %s:%s", m[1], strings.ToLower(m[2]), m[3], m[6], m[4], m[5])
	return hint.Wrap(a, "grant it by hdfs dfs -chown, -chmod or -setfacl on %s, or be another user by HADOOP_USER_NAME", m[3])
}

func overQuota(a *answer, what, path, remedy string) error {
	if m := quotaText.FindStringSubmatch(a.text); m != nil {
		path = m[1]
	}
	if i := strings.Index(a.text, "exceeded:"); i >= 0 {
		what += " of " + path + " is exceeded" + a.text[i+len("exceeded"):]
	} else {
		what += " of " + path + " is exceeded"
	}
	a.text = "the " + what
	if strings.HasPrefix(what, "space") {
		remedy += "; each file takes a whole block while it is written, so a smaller --block-size needs less"
	}
	return hint.Wrap(a, "hdfs dfs -count -q %s shows what is left; an administrator raises it by %s", path, remedy)
}

func (c *Client) noDataNode(a *answer) error {
	a.text = "no DataNode took the block: " + strings.TrimSuffix(a.text[max(strings.Index(a.text, "There are"), 0):], ".")
	if missing := c.link.missing(); missing != "" {
		a.text += "; " + missing
	}
	return hint.Transient(hint.Wrap(a, "hdfs dfsadmin -report shows whether DataNodes are there and have space left; this machine has to reach their ports too"))
}
