//go:build doris

package doris

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// TestRealCluster runs what every sink must show on the cluster that TABLEHAUL_DORIS names, a
// URL as of a sink without a database. Each test has a database of its own, which is dropped.
// Replies are not lost there.
func TestRealCluster(t *testing.T) {
	l, err := parseURL(os.Getenv("TABLEHAUL_DORIS"))
	if err != nil || l.db != "" {
		t.Fatalf("TABLEHAUL_DORIS=doris://USER@FE:8030/?query-port=9030 is to name a cluster, without a database: %v", err)
	}
	password := os.Getenv("TABLEHAUL_DORIS_PASSWORD")
	writertest.Run(t, func(t *testing.T) writertest.Harness {
		own := apart{prefix: "test_" + strings.ToLower(rand.Text()[:10]) + "_"}
		conn, err := client.Connect(l.sql[0], l.user, password, "")
		must(t, err)
		t.Cleanup(func() {
			res, err := conn.Execute("SHOW DATABASES")
			must(t, err)
			for i := range res.RowNumber() {
				name, _ := res.GetString(i, 0)
				if strings.HasPrefix(name, own.prefix) {
					_, err := conn.Execute("DROP DATABASE " + quoted(name) + " FORCE")
					must(t, err)
				}
			}
			must(t, conn.Close())
		})
		return writertest.Harness{
			Open: func(*testing.T) writer.Sink {
				s := own
				s.Sink = newSink(l, Options{
					Password: password, LoadSize: 64 << 10, Memory: 1 << 20,
					Layout: func(*schema.Table) Layout { return Layout{Replication: 1, Buckets: 1} },
				})
				return s
			},
			Rows: func(t *testing.T, table *schema.Table) []arrow.RecordBatch {
				got := rowsBy(t, conn, tableName(own.table(table).DB), table)
				scannedAlike(t, newSink(l, Options{Password: password, Look: true}), own.table(table), got)
				return got
			},
			OneRowAKey: true,
		}
	})
}

// An apart sink has databases that nobody else has.
type apart struct {
	*Sink
	prefix string
}

func (s apart) table(t *schema.Table) *schema.Table {
	own := *t
	own.DB = s.prefix + t.DB
	return &own
}

func (s apart) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	return s.Sink.Open(ctx, s.table(t), mode)
}
