package doristest

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pierrec/lz4/v4"
)

// A loadResponse is what a back end says of a load.
type loadResponse struct {
	TxnID                  int64  `json:"TxnId"`
	Label                  string `json:"Label"`
	Comment                string `json:"Comment"`
	TwoPhaseCommit         string `json:"TwoPhaseCommit"`
	Status                 string `json:"Status"`
	ExistingJobStatus      string `json:"ExistingJobStatus,omitempty"`
	Message                string `json:"Message"`
	NumberTotalRows        int64  `json:"NumberTotalRows"`
	NumberLoadedRows       int64  `json:"NumberLoadedRows"`
	NumberFilteredRows     int64  `json:"NumberFilteredRows"`
	NumberUnselectedRows   int64  `json:"NumberUnselectedRows"`
	LoadBytes              int64  `json:"LoadBytes"`
	LoadTimeMs             int64  `json:"LoadTimeMs"`
	BeginTxnTimeMs         int64  `json:"BeginTxnTimeMs"`
	StreamLoadPutTimeMs    int64  `json:"StreamLoadPutTimeMs"`
	ReadDataTimeMs         int64  `json:"ReadDataTimeMs"`
	WriteDataTimeMs        int64  `json:"WriteDataTimeMs"`
	ReceiveDataTimeMs      int64  `json:"ReceiveDataTimeMs"`
	CommitAndPublishTimeMs int64  `json:"CommitAndPublishTimeMs"`
	ErrorURL               string `json:"ErrorURL,omitempty"`
}

func (c *Cluster) serveBackend(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/":
		w.WriteHeader(http.StatusOK)
		return
	case r.URL.Path == "/api/_load_error_log":
		c.mu.Lock()
		text, ok := c.errors[r.URL.Query().Get("file")]
		c.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
		return
	}
	if !c.authorized(r) {
		answer(w, http.StatusUnauthorized, map[string]string{"Status": "Fail", "Message": "[NOT_AUTHORIZED]Access denied for user"})
		return
	}
	switch {
	case len(parts) == 4 && parts[3] == "_stream_load" && r.Method == http.MethodPut:
		c.load(w, r, parts[1], parts[2])
	case len(parts) == 3 && parts[2] == "_stream_load_2pc" && r.Method == http.MethodPut:
		c.twoPhase(w, r, parts[1])
	default:
		http.NotFound(w, r)
	}
}

// load is one stream load.
func (c *Cluster) load(w http.ResponseWriter, r *http.Request, db, name string) {
	began := time.Now()
	res := loadResponse{Label: r.Header.Get("label"), TwoPhaseCommit: "false", Status: "Success", Message: "OK"}
	if res.Label == "" {
		c.mu.Lock()
		c.lastTxn++
		res.Label = fmt.Sprintf("stand-in-%d", c.lastTxn)
		c.mu.Unlock()
	}
	two := r.Header.Get("two_phase_commit") == "true"
	if two {
		res.TwoPhaseCommit = "true"
	}
	f := c.fault(r.Context(), Call{What: "load", DB: db, Table: name, Label: res.Label})
	if f.Before {
		cut(w)
		return
	}
	fail := func(format string, args ...any) {
		res.Status, res.Message = "Fail", fmt.Sprintf(format, args...)
		answer(w, http.StatusOK, res)
	}
	if f.Status != "" {
		res.Status, res.Message = f.Status, f.Message
		answer(w, http.StatusOK, res)
		return
	}
	x, status, err := c.beginLoad(db, name, res.Label, two)
	switch {
	case err != nil:
		fail("%s", err)
		return
	case status != "": // before a byte of the body is asked for
		res.TxnID, res.Status, res.ExistingJobStatus = -1, "Label Already Exists", status
		res.Message = fmt.Sprintf("errCode = 2, detailMessage = Label [%s] has already been used, relate to txn [%d]", res.Label, x.id)
		answer(w, http.StatusOK, res)
		return
	}
	res.TxnID = x.id
	p, err := c.parse(r, x)
	res.LoadBytes, res.NumberTotalRows = p.bytes, p.total
	res.NumberFilteredRows = p.filtered
	res.NumberLoadedRows = p.total - p.filtered
	if err == nil && p.filtered > 0 && float64(p.filtered) > p.maxRatio*float64(p.total) {
		err = errors.New("[DATA_QUALITY_ERROR]too many filtered rows")
		res.NumberLoadedRows = 0
	}
	if len(p.why) > 0 {
		res.ErrorURL = c.keepErrors(r.Host, x.id, p.why)
	}
	c.mu.Lock()
	switch {
	case err != nil:
		x.rows, x.why = nil, err.Error()
		x.become(aborted)
	case x.state != prepare: // somebody has aborted it meanwhile
		x.rows = nil
		err = fmt.Errorf("transaction [%d] is already aborted. abort reason: %s", x.id, x.why)
	case two:
		x.become(precommitted)
	case f.Late:
		x.become(committed)
		res.Status, res.Message = "Publish Timeout", "transaction commit successfully, BUT data will be visible later"
	default:
		x.publish()
	}
	c.mu.Unlock()
	if f.After {
		cut(w)
		return
	}
	res.LoadTimeMs = time.Since(began).Milliseconds()
	if err != nil {
		fail("%s", err)
		return
	}
	answer(w, http.StatusOK, res)
}

// beginLoad makes the transaction of a load, or returns the state of the one that has its
// label.
func (c *Cluster) beginLoad(db, name, label string, two bool) (*txn, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tend()
	if !labelForm.MatchString(label) {
		return nil, "", fmt.Errorf("errCode = 2, detailMessage = Label format error. regex: %s, label: %s", labelForm, label)
	}
	t, err := c.table(db, name)
	if err != nil {
		return nil, "", err
	}
	if two && c.opts.Cloud && t.unique && t.mow {
		return nil, "", errors.New("errCode = 2, detailMessage = Two phase commit is not supported for mow table in cloud mode")
	}
	x, fresh := c.begin(c.dbs[db], t, label)
	switch {
	case fresh:
		return x, "", nil
	case x.state == prepare:
		return x, "RUNNING", nil
	case x.state == precommitted:
		return x, "PRECOMMITTED", nil
	}
	return x, "FINISHED", nil
}

// keepErrors returns where the reasons can be read.
func (c *Cluster) keepErrors(host string, txn int64, why []string) string {
	file := "__shard_0/error_log_" + strconv.FormatInt(txn, 10)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errors[file] = strings.Join(why, "")
	return "http://" + host + "/api/_load_error_log?file=" + file
}

// body undoes the compression of a load.
func body(r *http.Request) (io.Reader, error) {
	switch kind := strings.ToLower(r.Header.Get("compress_type")); kind {
	case "":
		return r.Body, nil
	case "gz":
		return gzip.NewReader(r.Body)
	case "lz4":
		return lz4.NewReader(r.Body), nil
	case "deflate":
		return flate.NewReader(r.Body), nil
	default:
		return nil, fmt.Errorf("[INTERNAL_ERROR]unknown compress type: %s", kind)
	}
}

// twoPhase commits or aborts what was precommitted.
func (c *Cluster) twoPhase(w http.ResponseWriter, r *http.Request, db string) {
	op, label := r.Header.Get("txn_operation"), r.Header.Get("label")
	id, _ := strconv.ParseInt(r.Header.Get("txn_id"), 10, 64)
	f := c.fault(r.Context(), Call{What: op, DB: db, Label: label, Txn: id})
	if f.Before {
		cut(w)
		return
	}
	status, msg := f.Status, f.Message
	if status == "" {
		status, msg = c.decide(db, op, label, id, f.Late)
	}
	if f.After {
		cut(w)
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": status, "msg": msg})
}

func (c *Cluster) decide(db, op, label string, id int64, late bool) (status, msg string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tend()
	d, err := c.database(db)
	if err != nil {
		return "ANALYSIS_ERROR", "TStatus: " + err.Error()
	}
	x, what := d.txn(id), strconv.FormatInt(id, 10)
	if label != "" {
		x, what = d.labelled(label), label
	}
	switch {
	case op != "commit" && op != "abort":
		return "INTERNAL_ERROR", "transaction operation should be 'commit' or 'abort'"
	case x == nil:
		return "ANALYSIS_ERROR", fmt.Sprintf("TStatus: errCode = 2, detailMessage = transaction [%s] not found.", what)
	case op == "commit":
		return c.commit(x, late)
	}
	return c.abort(x)
}
