package front

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Vendor hands out keys to an S3 store along with tables, as catalogs do, and keeps
// the store's door: keys of others and those that have expired are refused. A signature
// does not cover the ID of the key, so that the store can be given its own instead.
type Vendor struct {
	// ID and Secret are the key that the store knows.
	ID, Secret string
	// Life is how long a key is good for.
	Life time.Duration
	// Listed hands them out as a list of storage credentials, which says when they
	// expire. Else they are in the table's configuration, which does not.
	Listed bool

	url     string
	mu      sync.Mutex
	good    map[string]time.Time
	refused int
}

// Start opens the door to the store at that URL until the test ends.
func (v *Vendor) Start(t testing.TB, store string) *Vendor {
	t.Helper()
	v.good = make(map[string]time.Time)
	proxy := passTo(t, store)
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		id, rest, _ := strings.Cut(rest, "/")
		if !v.knows(id) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`)
			return
		}
		r.Header.Set("Authorization", before+"Credential="+v.ID+"/"+rest)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(door.Close)
	v.url = door.URL
	return v
}

func (v *Vendor) knows(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	ok := time.Now().Before(v.good[id])
	if !ok {
		v.refused++
	}
	return ok
}

// Vended tells how many keys were handed out, and how many requests came with none
// that was good.
func (v *Vendor) Vended() (keys, refused int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.good), v.refused
}

// Vend adds a key to a catalog's answer, if that is a table. It is for Front.Answer.
func (v *Vendor) Vend(res *http.Response) error {
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	var table map[string]json.RawMessage
	if json.Unmarshal(body, &table) == nil && table["metadata"] != nil && table["metadata-location"] != nil {
		if body, err = v.add(table); err != nil {
			return err
		}
	}
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

func (v *Vendor) add(table map[string]json.RawMessage) ([]byte, error) {
	until := time.Now().Add(v.Life)
	v.mu.Lock()
	id := fmt.Sprintf("VENDED%d", len(v.good)+1)
	v.good[id] = until
	v.mu.Unlock()
	config := map[string]string{
		"s3.endpoint": v.url, "s3.path-style-access": "true", "client.region": "us-east-1", "s3.region": "us-east-1",
		"s3.access-key-id": id, "s3.secret-access-key": v.Secret,
	}
	var err error
	if !v.Listed {
		table["config"], err = json.Marshal(config)
	} else {
		config["s3.session-token-expires-at-ms"] = strconv.FormatInt(until.UnixMilli(), 10)
		table["storage-credentials"], err = json.Marshal([]any{map[string]any{"prefix": "s3://", "config": config}})
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(table)
}
