package doris

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// TestSuite runs what every sink must show, and reads what is written over the MySQL port.
func TestSuite(t *testing.T) {
	writertest.Run(t, func(t *testing.T) writertest.Harness { return harness(t, doristest.Options{MaxString: 1 << 30}) })
}

// harness is a cluster that stands in for Doris.
func harness(t *testing.T, o doristest.Options) writertest.Harness {
	c, err := doristest.Start(o)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	l := &loss{}
	c.Inject(l.fault)
	return writertest.Harness{
		Open: func(t *testing.T) writer.Sink {
			s := newSink(locationOf(t, c), Options{LoadSize: 64 << 10, Memory: 1 << 20})
			s.store.patience = 300 * time.Millisecond
			return deafSink{s, l}
		},
		Rows: func(t *testing.T, table *schema.Table) []arrow.RecordBatch {
			got := rowsOf(t, c, table)
			scannedAlike(t, testSink(t, c, Options{Look: true}), table, got)
			return got
		},
		LoseReply:  func(*testing.T) { l.begin() },
		OneRowAKey: true,
	}
}

// A deafSink cannot find out what has become of a commit whose reply is lost: until that is
// over.
type deafSink struct {
	*Sink
	loss *loss
}

func (s deafSink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	w, err := s.open(ctx, t, mode)
	if err != nil {
		return nil, err
	}
	return deafWriter{w, s.loss}, nil
}

type deafWriter struct {
	*Writer
	loss *loss
}

func (w deafWriter) Commit(ctx context.Context, pos batch.Position) error {
	defer w.loss.end()
	return w.Writer.Commit(ctx, pos)
}

// A loss is of the reply to what shows a commit, and of all that is asked from then on.
type loss struct {
	due, deaf atomic.Bool
	shown     sync.Map // transactions
}

func (l *loss) begin() { l.due.Store(true) }
func (l *loss) end()   { l.due.Store(false); l.deaf.Store(false) }

func (l *loss) fault(call doristest.Call) doristest.Fault {
	_, again := l.shown.LoadOrStore(call.Txn, true)
	shows := call.What == "commit" && !again || strings.HasPrefix(call.SQL, "ALTER TABLE") && (strings.Contains(call.SQL, " RENAME ") || strings.Contains(call.SQL, " REPLACE "))
	switch {
	case shows && l.due.CompareAndSwap(true, false):
		l.deaf.Store(true)
		return doristest.Fault{After: true}
	case l.deaf.Load():
		return doristest.Fault{Before: true}
	}
	return doristest.Fault{}
}

func locationOf(t *testing.T, c *doristest.Cluster) location {
	t.Helper()
	l, err := parseURL("doris://root@" + strings.Join(c.Frontends(), ",") + "/?query-port=" + c.SQL()[strings.LastIndexByte(c.SQL(), ':')+1:])
	must(t, err)
	return l
}

// rowsOf reads a table by a client of MySQL.
func rowsOf(t *testing.T, c *doristest.Cluster, table *schema.Table) []arrow.RecordBatch {
	t.Helper()
	conn, err := client.Connect(c.SQL(), "root", "", "")
	must(t, err)
	defer conn.Close()
	return rowsBy(t, conn, tableName(table.DB), table)
}

func rowsBy(t *testing.T, conn *client.Conn, db string, table *schema.Table) []arrow.RecordBatch {
	t.Helper()
	var names []string
	for _, col := range table.Columns {
		names = append(names, quoted(columnName(col.Name)))
	}
	res, err := conn.Execute("SELECT " + strings.Join(names, ", ") + " FROM " + quoted(db, tableName(table.Name)))
	if err != nil {
		if strings.Contains(err.Error(), "does not exist") {
			return nil
		}
		t.Fatal(err)
	}
	var rows []batchtest.Row
	for i := range res.RowNumber() {
		row := make(batchtest.Row, len(table.Columns))
		for j, col := range table.Columns {
			null, err := res.IsNull(i, j)
			must(t, err)
			if null {
				continue
			}
			s, err := res.GetString(i, j)
			must(t, err)
			row[j] = valueOf(t, col, s)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	b := batchtest.Build(memory.DefaultAllocator, table, rows)
	return []arrow.RecordBatch{b.Rows}
}

// valueOf is a text that Doris has printed as rows of tests have it.
func valueOf(t *testing.T, c schema.Column, s string) any {
	t.Helper()
	switch typ := c.Arrow.(type) {
	case *arrow.BooleanType:
		return s == "1"
	case *arrow.BinaryType:
		if c.Type.Kind == schema.Geometry {
			return pointOf(t, s)
		}
		b, err := base64.StdEncoding.DecodeString(s)
		must(t, err)
		return b
	case *arrow.Int64Type:
		if c.Type.Kind == schema.Time {
			us, err := literal.ParseClock([]byte(s))
			must(t, err)
			return int(us)
		}
		var v int64
		_, err := fmt.Sscan(s, &v)
		must(t, err)
		return v
	case *arrow.Int32Type:
		var v int
		_, err := fmt.Sscan(s, &v)
		must(t, err)
		return v
	case *arrow.Float32Type:
		var v float32
		_, err := fmt.Sscan(s, &v)
		must(t, err)
		return v
	case *arrow.Float64Type:
		var v float64
		_, err := fmt.Sscan(s, &v)
		must(t, err)
		return v
	case *arrow.TimestampType:
		if !strings.Contains(s, ".") {
			s += "."
		}
		s += strings.Repeat("0", 26-len(s))
		if typ.TimeZone != "" {
			s += "Z"
		}
		return s
	case *arrow.ListType:
		var list []float32
		for f := range strings.SplitSeq(strings.Trim(s, "[]"), ",") {
			var v float32
			_, err := fmt.Sscan(strings.TrimSpace(f), &v)
			must(t, err)
			list = append(list, v)
		}
		return list
	}
	return s
}

// pointOf is a point in words as WKB, which is what batches have.
func pointOf(t *testing.T, s string) []byte {
	t.Helper()
	var x, y float64
	_, err := fmt.Sscanf(s, "POINT(%g %g)", &x, &y)
	must(t, err)
	b := binary.LittleEndian.AppendUint32([]byte{1}, 1)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(y))
}
