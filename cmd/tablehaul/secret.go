package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// secrets are texts of the command line that must not be printed, each with
// what is printed instead. Errors come from many packages, so nothing is
// trusted to have left a password out: all output passes through writer.
type secrets struct{ *knownSecrets }

// knownSecrets are shared by all copies: a job's file may hold more, and is read when
// there is output already.
type knownSecrets struct {
	pairs    []string
	replacer atomic.Pointer[strings.Replacer]
}

// hidden stands where a secret was.
const hidden = "***"

// user finds what stands before a password.
var user = regexp.MustCompile(`://[^/?#:@\s]*:`)

// parameter finds what is secret in a URL's query.
var parameter = regexp.MustCompile(`(?i)[?&]((?:[^=&#\s]*(?:password|passwd|secret|token|credential|access-key-id|authorization|api-key|account[.-]key|connection-string|jsonkey)[^=&#\s]*|sig|signature)=)([^&#\s]+)`)

// newSecrets collects what is secret in a command line.
func newSecrets(args []string) secrets {
	var pairs []string
	for i, arg := range args {
		pairs = append(pairs, pairsOf(arg)...)
		if flag, password := typedPassword(arg); password != "" {
			pairs = append(pairs, arg, flag+hidden)
		}
		// As if it were the value of a flag that takes none, as mysql's -p.
		if i > 0 && args[i-1] == "-p" && scheme(arg) == "" && !strings.HasPrefix(arg, "-") && arg != "" {
			pairs = append(pairs, arg, hidden)
		}
	}
	s := secrets{&knownSecrets{pairs: pairs}}
	s.replacer.Store(strings.NewReplacer(pairs...))
	return s
}

// add collects what is secret in a text that does not stand in the command line. One
// goroutine may do so at a time.
func (s secrets) add(text string) {
	if more := pairsOf(text); len(more) > 0 {
		s.pairs = append(s.pairs, more...)
		s.replacer.Store(strings.NewReplacer(s.pairs...))
	}
}

// typedPassword parts -pSECRET and --password=SECRET, which mysql has, and which are
// no flags of ours.
func typedPassword(arg string) (flag, password string) {
	for _, flag := range []string{"--password=", "-p"} {
		if password, ok := strings.CutPrefix(arg, flag); ok {
			return flag, password
		}
	}
	return "", ""
}

// passwordFlag refuses them before a message of others repeats a part of them.
func passwordFlag(args []string) error {
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if flag, password := typedPassword(arg); password != "" {
			return &usageError{nil, hint.Wrap(fmt.Errorf("%s takes no password: every user of this machine would see it", strings.TrimSuffix(flag, "=")),
				"-p alone asks for it; --password-file FILE reads it")}
		}
	}
	return nil
}

func pairsOf(arg string) []string {
	var pairs []string
	for _, at := range user.FindAllStringIndex(arg, -1) {
		for _, p := range passwords(arg, arg[at[1]:]) {
			for _, password := range spellings(p) {
				pairs = append(pairs, ":"+password+"@", ":"+hidden+"@")
			}
		}
	}
	for _, m := range parameter.FindAllStringSubmatch(arg, -1) {
		for _, value := range spellings(m[2]) {
			pairs = append(pairs, m[1]+value, m[1]+hidden)
		}
	}
	return pairs
}

// passwords returns what may be the password at the start of rest, a part of
// arg. It ends at the last @ before the first slash; but a password may hold a
// slash that its user forgot to escape, so then whatever may have been meant
// counts, the longest first.
func passwords(arg, rest string) []string {
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		return []string{authority[:i]}
	}
	// Where there need not be a user, it may as well be a port, and the @ part
	// of a path: iceberg+rest://host:8181/ns?warehouse=s3://a@b.
	if _, err := url.Parse(arg); err == nil && !isServer(arg) {
		return nil
	}
	var out []string
	for i := len(rest) - 1; i >= 0; i-- {
		if rest[i] == '@' {
			out = append(out, rest[:i])
		}
	}
	return out
}

// spellings returns a secret as it was typed and as a library may print it, also
// within quotes, and those again within JSON. The longest come first: a shorter
// one may be their beginning.
func spellings(s string) []string {
	var out []string
	for _, plain := range plainSpellings(s) {
		quoted := escaped(plain)
		out = append(out, plain, quoted, escaped(quoted))
	}
	slices.SortStableFunc(out, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(out)
}

// escaped returns a text as it stands within the quotes of a JSON string, or, as
// far as it can be printed, of one of Go's.
func escaped(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return s // a string always has a form
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

func plainSpellings(s string) []string {
	out := []string{s}
	if plain, err := url.QueryUnescape(s); err == nil && plain != s {
		out = append(out, plain, url.QueryEscape(plain), url.PathEscape(plain))
	}
	if plain, err := url.PathUnescape(s); err == nil && plain != s {
		out = append(out, plain)
	}
	return out
}

// redact returns text without the secrets.
func (s secrets) redact(text string) string { return s.replacer.Load().Replace(text) }

// writer returns w with the secrets taken out of each Write.
func (s secrets) writer(w io.Writer) io.Writer { return redactor{w, s} }

type redactor struct {
	w io.Writer
	secrets
}

// Write reports all of p as written, since what it stands for was.
func (r redactor) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.w, r.redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
