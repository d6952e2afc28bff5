package message_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/reader/readertest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A mirror is a Target that keeps the rows that its tables have after all changes.
type mirror struct {
	t     *testing.T
	rows  map[string]*message.Rows
	state map[string]map[string]batchtest.Row // of each table, by key
}

func (m *mirror) Rows(t *schema.Table) (*message.Rows, error) {
	want := t
	if have := m.rows[t.String()]; have != nil {
		m.settle()
		var err error
		if want, err = schema.Union(have.Into.Table, t); err != nil {
			return nil, err
		}
		if want != have.Into.Table {
			have.Into.Over = true
		}
	}
	into, err := message.NewChanges(want, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	r, err := message.NewRows(t, into)
	m.rows[t.String()] = r
	return r, err
}

func (m *mirror) Emptied(db, table string, _ message.Change) error {
	m.settle()
	clear(m.state[db+"."+table])
	return nil
}

// settle applies what has come.
func (m *mirror) settle() {
	for name, r := range m.rows {
		b := r.Into.Batch()
		rows, err := batchtest.Rows(b.Rows)
		if err != nil {
			m.t.Fatal(err)
		}
		if m.state[name] == nil {
			m.state[name] = map[string]batchtest.Row{}
		}
		for i, row := range rows {
			key := ""
			for _, k := range b.Table.Key {
				key += fmt.Sprint(row[k], "|")
			}
			if op := b.Ops[i]; op == batch.Delete || op == batch.Before {
				delete(m.state[name], key)
			} else {
				m.state[name][key] = row
			}
		}
		b.Release()
	}
}

// table returns the rows of a table in the order of a key that is an integer.
func (m *mirror) table(name string) (rows []batchtest.Row) {
	m.settle()
	for _, r := range m.state[name] {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b batchtest.Row) int { return int(a[0].(int64) - b[0].(int64)) })
	return rows
}

// TestDebeziumReal has a real Debezium tell of a real MySQL: its stock, and changes of
// every kind. What its messages are read as is what the server holds.
func TestDebeziumReal(t *testing.T) {
	env, _ := services.PrivateEnv(t, "mysql", "--buffer-pool", "64M")
	address, client := env["TABLEHAUL_TEST_MYSQL"], env["TABLEHAUL_TEST_MYSQL_CLIENT"]
	for name, settings := range map[string][]string{
		"schemas":          {"bigint.unsigned.handling.mode=precise"},
		"types propagated": {"column.propagate.source.type=.*"},
		"other modes":      {"bigint.unsigned.handling.mode=precise", "decimal.handling.mode=string", "time.precision.mode=microseconds"},
		"ISO 8601":         {"bigint.unsigned.handling.mode=precise", isoTimes},
		"without schemas":  {"converter.schemas.enable=false"},
	} {
		t.Run(name, func(t *testing.T) { debeziumReal(t, address, client, settings) })
	}
}

const isoTimes = "time.precision.mode=isostring"

// told is what Debezium tells of a value: JSON without spaces, as it prints it itself, and
// of a TIME that is no time of day, as ISO 8601 has them, something else or nothing.
func told(c schema.Column, v any, settings []string) any {
	switch v := v.(type) {
	case string:
		var compact bytes.Buffer
		if c.Type.Kind == schema.JSON && json.Compact(&compact, []byte(v)) == nil {
			return compact.String()
		}
	case int64:
		if c.Type.Kind == schema.Time && slices.Contains(settings, isoTimes) && (v < 0 || v >= 24*3600*1e6) {
			return nil
		}
	}
	return v
}

func debeziumReal(t *testing.T, address, client string, settings []string) {
	types, small := everyType()
	sql(t, address, client, readertest.SQL([]batchtest.Table{{Table: types.Table, Rows: types.Rows[:2]}, {Table: small, Rows: []batchtest.Row{{int64(1), "stock"}, {int64(2), "stock"}}}})...)
	topic := "test-" + strings.ToLower(rand.Text()[:10])
	consumer := consume(t, topic)
	wait := services.Debezium(t, address, append(settings, "to.kafka="+services.Env(t, "TABLEHAUL_TEST_KAFKA"), "to.topic="+topic,
		"database.include.list="+readertest.DB, "skipped.operations=none", "provide.transaction.metadata=true", "until=the end")...)

	m := &mirror{t: t, rows: map[string]*message.Rows{}, state: map[string]map[string]batchtest.Row{}}
	decoder, err := message.NewDecoder("debezium-json", m)
	if err != nil {
		t.Fatal(err)
	}
	until(t, consumer, decoder, `"snapshot":"last"`)
	name := readertest.Name(small)
	changes := []readertest.Change{
		{Table: small, Row: batchtest.Row{int64(3), "new"}},
		{Table: small, Old: batchtest.Row{int64(1), nil}, Row: batchtest.Row{int64(1), "changed"}},
		{Table: small, Old: batchtest.Row{int64(2), nil}, Row: batchtest.Row{int64(20), "moved"}},
		{Table: small, Old: batchtest.Row{int64(3), nil}},
	}
	for _, r := range types.Rows[2:] {
		changes = append(changes, readertest.Change{Table: types.Table, Row: r})
	}
	// Of FLOATs Debezium's stock has six digits, as the server prints them: those of before
	// come again in the log, which has all of their bits.
	for _, r := range types.Rows[:2] {
		changes = append(changes, readertest.Change{Table: types.Table, Old: r}, readertest.Change{Table: types.Table, Row: r})
	}
	sql(t, address, client, readertest.ChangeSQL(changes)...)
	sql(t, address, client, "CREATE TABLE "+readertest.DB+".emptied (id INT PRIMARY KEY)", "INSERT INTO "+readertest.DB+".emptied VALUES (1)", "TRUNCATE TABLE "+readertest.DB+".emptied",
		"INSERT INTO "+readertest.DB+".emptied VALUES (2)", "ALTER TABLE "+name+" ADD COLUMN extra BIGINT", "INSERT INTO "+name+" VALUES (4, 'the end', 5000000000)")
	until(t, consumer, decoder, "the end")
	wait()

	if diff := batchtest.DiffOrdered(m.table(small.String()), []batchtest.Row{{int64(1), "changed"}, {int64(4), "the end", int64(5e9)}, {int64(20), "moved"}}); diff != "" {
		t.Error(diff)
	}
	if diff := batchtest.DiffOrdered(m.table(readertest.DB+".emptied"), []batchtest.Row{{int64(2)}}); diff != "" {
		t.Error(diff)
	}
	got := m.table(types.String())
	if slices.Contains(settings, "converter.schemas.enable=false") { // the types are inferred
		if len(got) != len(types.Rows) {
			t.Errorf("got %d rows, want %d", len(got), len(types.Rows))
		}
		return
	}
	if len(got) != len(types.Rows) {
		t.Fatalf("got %d rows, want %d", len(got), len(types.Rows))
	}
	for i, row := range got {
		for c, col := range types.Columns {
			want := told(col, types.Rows[i][c], settings)
			if want == nil && types.Rows[i][c] != nil {
				continue
			}
			if diff := batchtest.DiffOrdered([]batchtest.Row{{told(col, row[c], settings)}}, []batchtest.Row{{want}}); diff != "" {
				t.Errorf("%s %s, row %d of %s", col.Name, col.Native, i, diff)
			}
		}
	}
	if shape := m.rows[types.String()].Into.Table; strings.Contains(strings.Join(settings, " "), "propagate") {
		for i, c := range shape.Columns {
			if want := types.Columns[i]; c.Native != want.Native {
				t.Errorf("column %s: got %s, want %s", c.Name, c.Native, want.Native)
			}
		}
	}
}

// everyType is a table of all types and a small one.
func everyType() (batchtest.Table, *schema.Table) {
	all := batchtest.AllTypes(readertest.DB, "types")
	last := len(all.Columns) - 1 // a vector, whose literal is another one
	for i, r := range all.Rows {
		all.Rows[i] = r[:last]
	}
	all.Table = schema.New(all.DB, all.Name, all.Columns[:last], all.Key)
	slices.SortFunc(all.Rows, func(a, b batchtest.Row) int { return int(a[0].(int64) - b[0].(int64)) })
	return all, batchtest.Shape(readertest.DB, "small", "id int key", "v varchar(20)")
}

// sql runs statements in one session.
func sql(t *testing.T, address, client string, statements ...string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(client, "-h", u.Hostname(), "-P", u.Port(), "-u", u.User.Username())
	cmd.Stdin = strings.NewReader(strings.Join(statements, ";\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// consume makes a topic of one partition and reads it from its beginning.
func consume(t *testing.T, topic string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(services.Env(t, "TABLEHAUL_TEST_KAFKA")), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.DeleteTopics(context.WithoutCancel(t.Context()), topic) })
	return client
}

// until decodes messages up to the first that holds a text.
func until(t *testing.T, client *kgo.Client, d message.Decoder, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for found := false; !found; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("no message with %s has come: %v", text, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if err := d.Decode(r.Key, r.Value); err != nil {
				t.Errorf("%s: %v", r.Value, err)
			}
			found = found || strings.Contains(string(r.Value), text)
		})
	}
}
