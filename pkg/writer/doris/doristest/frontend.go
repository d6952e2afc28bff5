package doristest

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// answer writes JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// cut ends a connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func (c *Cluster) authorized(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == c.opts.User && password == c.opts.Password
}

// failed is how a front end tells of an error: with 200, and keys in lower case.
func failed(w http.ResponseWriter, format string, args ...any) {
	answer(w, http.StatusOK, map[string]string{"status": "FAILED", "msg": fmt.Sprintf(format, args...)})
}

func (c *Cluster) serveFrontend(w http.ResponseWriter, r *http.Request, _ int) {
	if r.URL.Path == "/" {
		w.WriteHeader(http.StatusOK)
		return
	}
	if !c.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm=""`)
		answer(w, http.StatusUnauthorized, map[string]any{"msg": "Unauthorized", "code": 401, "data": "Access denied for user '" + r.URL.User.Username() + "'", "count": 0})
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/api/bootstrap":
		answer(w, http.StatusOK, map[string]any{"msg": "success", "code": 0, "data": map[string]any{"replayedJournalId": 1, "queryPort": c.sqlPort(), "rpcPort": 0, "version": "doris-2.1.7-stand-in"}, "count": 0})
	case r.URL.Path == "/api/backends":
		c.listBackends(w)
	case len(parts) == 4 && parts[3] == "_stream_load":
		if !strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
			failed(w, "There is no 100-continue header")
			return
		}
		c.redirect(w, r)
	case len(parts) == 3 && parts[2] == "_stream_load_2pc":
		c.redirect(w, r)
	case len(parts) == 3 && parts[2] == "get_load_state":
		c.loadState(w, r, parts[1])
	case len(parts) == 4 && parts[3] == "_schema":
		c.describe(w, parts[1], parts[2])
	case len(parts) >= 3 && parts[1] == "query":
		c.query(w, r, parts[len(parts)-1])
	case len(parts) == 4 && parts[1] == "enable_light_schema_change":
		c.lightChange(w, parts[2], parts[3])
	default:
		answer(w, http.StatusNotFound, map[string]any{"msg": "Not Found", "code": 404, "data": r.URL.Path, "count": 0})
	}
}

func (c *Cluster) sqlPort() string {
	_, port, _ := net.SplitHostPort(c.SQL())
	return port
}

func (c *Cluster) listBackends(w http.ResponseWriter) {
	type backend struct {
		IP    string `json:"ip"`
		Port  any    `json:"http_port"`
		Alive bool   `json:"is_alive"`
	}
	var list []backend
	for _, b := range c.be {
		host, port, _ := net.SplitHostPort(b)
		var n int
		_, _ = fmt.Sscan(port, &n)
		list = append(list, backend{host, n, true})
	}
	answer(w, http.StatusOK, map[string]any{"msg": "success", "code": 0, "data": map[string]any{"backends": list}, "count": 0})
}

// redirect sends a request on to a back end, with the user's password in the address, as
// front ends do.
func (c *Cluster) redirect(w http.ResponseWriter, r *http.Request) {
	be := c.be[rand.IntN(len(c.be))]
	if c.opts.Redirect != nil {
		be = c.opts.Redirect(be)
	}
	user, password, _ := r.BasicAuth()
	to := url.URL{Scheme: "http", User: url.UserPassword(user, password), Host: be, Path: r.URL.Path}
	w.Header().Set("Location", to.String()+"?"+r.URL.RawQuery)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func (c *Cluster) loadState(w http.ResponseWriter, r *http.Request, db string) {
	label := r.URL.Query().Get("label")
	f := c.fault(r.Context(), Call{What: "state", DB: db, Label: label})
	if f.Before {
		cut(w)
		return
	}
	c.mu.Lock()
	c.tend()
	state := "UNKNOWN"
	d, err := c.database(db)
	if err == nil {
		if x := d.labelled(label); x != nil {
			state = string(x.state)
		}
	}
	c.mu.Unlock()
	if err != nil {
		answer(w, http.StatusOK, map[string]any{"msg": err.Error(), "code": 1, "data": nil, "count": 0})
		return
	}
	answer(w, http.StatusOK, map[string]any{"msg": "success", "code": 0, "data": state, "count": 0})
}

// describe is GET _schema.
func (c *Cluster) describe(w http.ResponseWriter, db, name string) {
	c.mu.Lock()
	t, err := c.table(db, name)
	type property struct {
		Name    string `json:"name"`
		Type    string `json:"type"`
		Comment string `json:"comment"`
		Agg     string `json:"aggregation_type"`
	}
	var properties []property
	keys := "DUP_KEYS"
	if err == nil {
		for _, col := range t.visible() {
			agg := ""
			if !col.key && t.unique {
				agg = "REPLACE"
			}
			properties = append(properties, property{col.name, col.typ.name, col.comment, agg})
		}
		if t.unique {
			keys = "UNIQUE_KEYS"
		}
	}
	c.mu.Unlock()
	if err != nil {
		answer(w, http.StatusOK, map[string]any{"msg": err.Error(), "code": 1, "data": nil, "count": 0})
		return
	}
	answer(w, http.StatusOK, map[string]any{"msg": "success", "code": 0, "data": map[string]any{"status": 200, "keysType": keys, "properties": properties}, "count": 0})
}

// query is POST /api/query: a statement by HTTP.
func (c *Cluster) query(w http.ResponseWriter, r *http.Request, db string) {
	var body struct {
		Stmt string `json:"stmt"`
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		answer(w, http.StatusOK, map[string]any{"msg": "Bad Request", "code": 403, "data": err.Error(), "count": 0})
		return
	}
	s := &session{c: c, db: db}
	res, err := s.run(r.Context(), body.Stmt)
	switch {
	case err != nil:
		answer(w, http.StatusOK, map[string]any{"msg": "Error", "code": 1, "data": "Failed to execute sql: " + err.Error(), "count": 0})
	case res == nil:
		answer(w, http.StatusOK, map[string]any{"msg": "success", "code": 0, "data": map[string]any{"type": "exec_status", "status": map[string]any{}, "time": 1}, "count": 0})
	default:
		meta := make([]map[string]string, len(res.names))
		for i, n := range res.names {
			meta[i] = map[string]string{"name": n, "type": "STRING"}
		}
		answer(w, http.StatusOK, map[string]any{"msg": "success", "code": 0, "data": map[string]any{"type": "result_set", "meta": meta, "data": res.rows, "time": 1}, "count": 0})
	}
}

func (c *Cluster) lightChange(w http.ResponseWriter, db, name string) {
	c.mu.Lock()
	t, err := c.table(db, name)
	light := err == nil && t.light
	c.mu.Unlock()
	if err != nil || !light {
		answer(w, http.StatusOK, map[string]any{"msg": fmt.Sprintf("light schema change is not to be had: %v", err), "code": 1, "data": nil, "count": 0})
		return
	}
	answer(w, http.StatusOK, map[string]any{"msg": "success", "code": 0, "data": nil, "count": 0})
}
