package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// azureWarehouse readies the environment for Azure's emulator and returns a warehouse
// there that is this test's own, and the query that leads to the server.
func azureWarehouse(t *testing.T) (warehouse, query string) {
	t.Helper()
	u, err := url.Parse(service(t, "azurite", "TABLEHAUL_TEST_AZURITE"))
	must(t, err)
	account := service(t, "azurite", "TABLEHAUL_TEST_AZURITE_ACCOUNT")
	t.Setenv("AZURE_STORAGE_ACCOUNT", account)
	t.Setenv("AZURE_STORAGE_KEY", service(t, "azurite", "TABLEHAUL_TEST_AZURITE_KEY"))
	warehouse = fmt.Sprintf("abfss://%s@%s.dfs.core.windows.net/%s-%d",
		service(t, "azurite", "TABLEHAUL_TEST_AZURITE_CONTAINER"), account, t.Name(), time.Now().UnixNano())
	return warehouse, "adls.protocol=http&adls.endpoint=" + u.Host
}

// gcsWarehouse is the same for Google's.
func gcsWarehouse(t *testing.T) (warehouse, query string) {
	t.Helper()
	endpoint := service(t, "gcs", "TABLEHAUL_TEST_GCS")
	bucket := service(t, "gcs", "TABLEHAUL_TEST_GCS_BUCKET")
	warehouse = fmt.Sprintf("gs://%s/%s-%d", bucket, t.Name(), time.Now().UnixNano())
	return warehouse, "gcs.no-auth=true&gcs.service.host=" + url.QueryEscape(endpoint)
}

// hdfsWarehouse is the same for HDFS, of which nothing is to be told.
func hdfsWarehouse(t *testing.T) (warehouse, query string) {
	t.Helper()
	warehouse = fmt.Sprintf("hdfs://%s/%s-%d", service(t, "hdfs", "TABLEHAUL_TEST_HDFS"), t.Name(), time.Now().UnixNano())
	t.Cleanup(func() {
		c, name, err := hdfsIO{}.find(context.Background(), warehouse)
		must(t, err)
		must(t, c.RemoveAll(context.Background(), name))
	})
	return warehouse, ""
}

// onStores runs a test on each store that is neither a disk nor S3.
func onStores(t *testing.T, test func(t *testing.T, warehouse, query string)) {
	t.Helper()
	for name, ready := range map[string]func(*testing.T) (string, string){"Azure": azureWarehouse, "GCS": gcsWarehouse, "HDFS": hdfsWarehouse} {
		t.Run(name, func(t *testing.T) {
			warehouse, query := ready(t)
			test(t, warehouse, query)
		})
	}
}

// storeParts are those of the suite that look at files and records.
var storeParts = []string{
	"a crash leaves nothing staged", "close abandons", "two writers on one table",
	"replace", "stock and changes in one commit", "two writers of changes", "list",
}

// TestSuiteStores runs those alone, unless wholeSuites, which takes minutes.
func TestSuiteStores(t *testing.T) {
	onStores(t, func(t *testing.T, warehouse, query string) {
		parts := storeParts
		if wholeSuites() {
			parts = nil
		}
		writertest.Some(t, harness(func(t *testing.T) string {
			return fmt.Sprintf("iceberg+sql:%s/c.db?warehouse=%s-%d&%s", t.TempDir(), warehouse, time.Now().UnixNano(), query)
		}), parts...)
	})
}

func TestSQLOnStores(t *testing.T) {
	onStores(t, func(t *testing.T, warehouse, query string) {
		s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+warehouse+"&"+query, Options{})
		for _, name := range []string{"with space", "#?&=+/:50%表"} {
			wholeLife(t, s, name)
		}
	})
}

func TestLeftoversOnStores(t *testing.T) { onStores(t, leftovers) }

// A file of several parts is whole or absent.
func TestLargeFileOnStores(t *testing.T) {
	onStores(t, func(t *testing.T, warehouse, query string) {
		s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+warehouse+"&"+query, Options{})
		st, err := s.storageAt(t.Context(), warehouse)
		must(t, err)
		content := make([]byte, 20<<20)
		rand.NewChaCha8([32]byte{}).Read(content)
		create := func(name string) stagedFile {
			f, err := st.create(t.Context(), warehouse+"/"+name)
			must(t, err)
			_, err = f.Write(content)
			must(t, err)
			return f
		}
		must(t, create("whole").Close())
		if got, err := readAll(st.files(), warehouse+"/whole"); err != nil || got != string(content) {
			t.Errorf("got %d bytes of %d, or others: %v", len(got), len(content), err)
		}
		create("given up").Abort()
		if _, err := readAll(st.files(), warehouse+"/given up"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("of a file that was given up: got %v, want that there is none", err)
		}
		must(t, st.remove(warehouse+"/whole"))
		must(t, st.remove(warehouse+"/whole"))
	})
}

// Two containers of one account are two stores.
func TestTwoContainers(t *testing.T) {
	warehouse, query := azureWarehouse(t)
	s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+warehouse+"&"+query, Options{})
	for _, w := range []string{warehouse, strings.Replace(warehouse, "lake@", "nowhere@", 1)} {
		st, err := s.storageAt(t.Context(), w)
		must(t, err)
		err = tryFile(t.Context(), st, w)
		if missing := err != nil && strings.Contains(err.Error(), "ContainerNotFound"); missing != strings.Contains(w, "nowhere") {
			t.Errorf("%s: got %v", w, err)
		}
	}
}

// What a store answers must not pass for that there is no such file: a record that is
// gone lets others delete a run's files.
func TestAnswersThatAreNoAbsence(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable} {
		var asked atomic.Int32
		var wg sync.WaitGroup
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		}))
		t.Setenv("AZURE_STORAGE_KEY", "a2V5")
		t.Setenv("AZURE_STORAGE_ACCOUNT", "")
		for location, query := range map[string]string{
			"gs://lake/w": "gcs.no-auth=true&gcs.service.host=" + url.QueryEscape(srv.URL),
			"abfss://lake@acme.dfs.core.windows.net/w": "adls.protocol=http&adls.endpoint=" + strings.TrimPrefix(srv.URL, "http://"),
		} {
			s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+location+"&"+query, Options{})
			st, err := s.storageAt(t.Context(), location)
			must(t, err)
			for what, do := range map[string]func() error{
				"read":   func() error { _, err := readAll(st.files(), location+"/x"); return err },
				"remove": func() error { return st.files().Remove(location + "/x") },
				"write":  func() error { return st.files().WriteFile(location+"/x", []byte("x")) },
			} {
				wg.Go(func() { // each waits between its attempts
					err := do()
					if err == nil || errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s %s: %d: got %v", what, location, status, err)
						return
					}
					err = advise(err)
					if busy := status == http.StatusServiceUnavailable; hint.IsTransient(err) != busy || (hint.Of(err) == "") != busy || strings.Contains(err.Error(), "\n") {
						t.Errorf("%s %s: %d: got %v (hint %q)", what, location, status, err, hint.Of(err))
					}
				})
			}
		}
		wg.Wait()
		if n := asked.Load(); n > 6*(gcsAttempts+1) {
			t.Errorf("%d: asked %d times", status, n)
		}
		srv.Close()
	}
}

// A server that cannot be found, and one that does not answer, are neither; and no
// signature is repeated.
func TestStoresOutOfReach(t *testing.T) {
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=s3cret")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	var wg sync.WaitGroup
	for _, c := range []struct{ location, query string }{
		{"gs://lake/w", "gcs.no-auth=true&gcs.service.host=http://127.0.0.1:1"},
		{"gs://lake/w", "gcs.no-auth=true&gcs.service.host=http://nowhere.invalid"},
		{"abfss://lake@acme.dfs.core.windows.net/w", "adls.endpoint=127.0.0.1:1"},
		{"abfss://lake@acme.nowhere.invalid/w", ""},
	} {
		s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+c.location+"&"+c.query, Options{})
		st, err := s.storageAt(t.Context(), c.location)
		must(t, err)
		wg.Go(func() { // each waits between its attempts
			_, err := readAll(st.files(), c.location+"/x")
			if errors.Is(err, fs.ErrNotExist) || !hint.IsTransient(advise(err)) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s&%s: got %v", c.location, c.query, err)
			}
		})
	}
	wg.Wait()
}
