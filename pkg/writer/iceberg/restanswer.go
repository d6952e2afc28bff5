package iceberg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// An inJSON has each answer that tells an error be in the form of the catalog's
// specification. What stands before a catalog (a proxy, a load balancer) answers in
// its own, by which iceberg-go does not tell that the server is busy or gone.
type inJSON struct{ base http.RoundTripper }

func (t inJSON) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(r)
	if err != nil || res.StatusCode < 400 || res.ContentLength == 0 {
		return res, err
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(text) == 0 || json.Valid(text) {
		res.Body = io.NopCloser(bytes.NewReader(text))
		return res, nil
	}
	var answer struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
			Code    int    `json:"code"`
		} `json:"error"`
	}
	answer.Error.Message = fmt.Sprintf("%s %s", r.Method, r.URL.Path)
	answer.Error.Type = fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	answer.Error.Code = res.StatusCode
	if text, err = json.Marshal(answer); err != nil {
		return nil, err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return res, nil
}
