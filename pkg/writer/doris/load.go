package doris

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A loadReply is what a back end says of a load, or a front end of why there is none.
type loadReply struct {
	TxnID              int64 `json:"TxnId"`
	Label              string
	Status, Message    string
	ExistingJobStatus  string
	NumberLoadedRows   int64
	NumberFilteredRows int64
	ErrorURL           string

	Failed string `json:"status"` // a front end's, in lower case
	Why    string `json:"msg"`
}

// A known label is one that a load had before.
type labelError struct {
	label string
	txn   int64  // of the load, 0 if it is not told
	state string // FINISHED, RUNNING or PRECOMMITTED
}

func (e *labelError) Error() string {
	return fmt.Sprintf("label %s is that of a load that is %s", e.label, e.state)
}

var txnGone = regexp.MustCompile(`transaction \[\d+\] not found`)

var relatedTxn = regexp.MustCompile(`relate to txn \[(\d+)\]`)

// load sends rows under a label, and returns its transaction. With two phases
// it is precommitted then, else it is done. That a label is known is a labelError; rows that
// the table does not take are an error for good, with what the back end says of them.
func (c *httpClient) load(ctx context.Context, db, table, label string, headers map[string]string, body func() (io.Reader, int64)) (sent, error) {
	h := map[string]string{"label": label}
	for k, v := range headers {
		h[k] = v
	}
	var reply loadReply
	err := c.do(ctx, request{method: http.MethodPut, path: path("api", db, table, "_stream_load"), headers: h, body: body, toBackend: true}, &reply)
	if err != nil {
		return sent{}, err
	}
	switch reply.Status {
	case "Success", "Publish Timeout": // the latter is committed too, and seen a little later
		return sent{reply.TxnID, reply.Status != "Success"}, nil
	case "Label Already Exists":
		known := &labelError{label: label, state: reply.ExistingJobStatus}
		if m := relatedTxn.FindStringSubmatch(reply.Message); m != nil {
			known.txn, _ = strconv.ParseInt(m[1], 10, 64)
		}
		return sent{}, known
	case "":
		return sent{}, classify(errors.New(reply.Why))
	}
	if reply.NumberFilteredRows > 0 && reply.ErrorURL != "" {
		return sent{}, &rowsError{reply.NumberFilteredRows, c.reasons(ctx, reply.ErrorURL)}
	}
	return sent{}, classify(errors.New(reply.Message))
}

// reasons fetches why rows were not taken.
func (c *httpClient) reasons(ctx context.Context, at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return "see " + at
	}
	host := u.Host
	if to := c.addresses[host]; to != "" {
		host = to
	}
	// Whose host it is nobody has said, and the log is had without a password.
	res, err := c.send(ctx, host, request{method: http.MethodGet, path: u.Path, query: u.Query(), anonymous: true})
	if err != nil {
		return "see " + at
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 2000))
	if err != nil || res.StatusCode != http.StatusOK {
		return "see " + at
	}
	return strings.TrimSpace(string(text))
}

// A rowsError is that rows of a load are not taken.
type rowsError struct {
	rows int64
	why  string
}

func (e *rowsError) Error() string { return fmt.Sprintf("%d rows are not taken: %s", e.rows, e.why) }

// Errors by what Doris says, and what can be done: the first one whose text is in it counts.
var known = []struct {
	text, remedy string
	passes       bool
}{
	{"E-235", "too many loads have come at once, or too small ones: they are tried again; a longer --commit-interval makes fewer", true},
	{"=-235", "too many loads have come at once, or too small ones: they are tried again; a longer --commit-interval makes fewer", true},
	{"get tableList write lock timeout", "", true},
	{"current running txns on db", "other loads have to end first: see max_running_txn_num_per_db", true},
	{"timeout by txn manager", "what was precommitted was not committed in time", false},
	{"DATA_QUALITY_ERROR", "", false},
	{"Unknown table", "", false},
	{"timeout", "", true},
	{"Timeout", "", true},
	// A back end that goes down, or comes up again.
	{"brpc", "", true},
	{"coordinator is down", "", true},
	{"No backend load available", "", true},
	{"MEM_LIMIT_EXCEEDED", "the back ends lack memory", true},
	{"alive replica num", "", true},
}

// classify tells what may pass, by the words of an error.
func classify(err error) error {
	for _, k := range known {
		if !strings.Contains(err.Error(), k.text) {
			continue
		}
		if k.remedy != "" {
			err = hint.Wrap(err, "%s", k.remedy)
		}
		if k.passes {
			err = hint.Transient(err)
		}
		return err
	}
	return err
}

// state asks what has become of a label: UNKNOWN, PREPARE, PRECOMMITTED, COMMITTED, VISIBLE
// or ABORTED.
func (c *httpClient) state(ctx context.Context, db, label string) (string, error) {
	var reply struct {
		Msg  string
		Code int
		Data string
	}
	err := c.do(ctx, request{method: http.MethodGet, path: path("api", db, "get_load_state"), query: url.Values{"label": {label}}}, &reply)
	if err == nil && reply.Code != 0 {
		err = errors.New(reply.Msg)
	}
	return reply.Data, err
}

// Outcomes of a commit, by what Doris says of one that has been made before, or never can be.
var (
	errGone    = errors.New("the load is not known any more")
	errAborted = errors.New("the load was aborted")
)

// decide commits or aborts a load that is precommitted. Doing so again is no error.
func (c *httpClient) decide(ctx context.Context, db, op string, txn int64) error {
	var reply struct{ Status, Msg string }
	err := c.do(ctx, request{
		method: http.MethodPut, path: path("api", db, "_stream_load_2pc"), toBackend: true,
		headers: map[string]string{"txn_operation": op, "txn_id": strconv.FormatInt(txn, 10)},
	}, &reply)
	commit := op == "commit"
	gone := txnGone.MatchString(reply.Msg)
	done := strings.Contains(reply.Msg, "already visible") || strings.Contains(reply.Msg, "already committed") || strings.Contains(reply.Msg, "already VISIBLE")
	aborted := strings.Contains(reply.Msg, "already aborted")
	switch {
	case err != nil || strings.EqualFold(reply.Status, "Success"):
		return err
	case commit && done, !commit && aborted, !commit && gone:
		return nil
	case commit && aborted:
		return fmt.Errorf("%w: %s", errAborted, reply.Msg)
	case commit && gone:
		return fmt.Errorf("%w: %s", errGone, reply.Msg)
	}
	return classify(errors.New(reply.Msg))
}
