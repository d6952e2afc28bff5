package main

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A topicSource is a database of MySQL whose tables go through topics into lakes.
type topicSource struct {
	t       *testing.T
	url, db string
	client  string
}

// newTopicSource makes the database, which goes with the test.
func newTopicSource(t *testing.T, url, client, db string) *topicSource {
	t.Helper()
	s := &topicSource{t: t, url: url, client: client, db: db}
	s.sql("DROP DATABASE IF EXISTS " + db + "; CREATE DATABASE " + db)
	t.Cleanup(func() { s.sql("DROP DATABASE " + db) })
	return s
}

// sql runs statements as a dump of tables is loaded.
func (s *topicSource) sql(text string) string {
	s.t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(s.client, "-uroot", "-h", u.Hostname(), "-P", u.Port(), "-N", "--max-allowed-packet=1G", "--init-command=SET sql_mode=''")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// use runs statements in the database.
func (s *topicSource) use(text string) { s.t.Helper(); s.sql("USE " + s.db + ";\n" + text) }

// load makes the tables of SQL cases, but for those without a key, or with one of floats:
// such become rows of a log, which are not compared.
func (s *topicSource) load(cases ...string) {
	s.t.Helper()
	for _, c := range cases {
		for _, file := range []string{"case.sql", "mysql.sql"} {
			text, err := os.ReadFile(filepath.Join(mustRoot(s.t), "testdata", "sql", c, file))
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				s.t.Fatal(err)
			}
			s.use(string(text))
		}
	}
	s.sql(s.sql(`SELECT CONCAT('DROP TABLE ', t.table_schema, '.` + "`', t.table_name, '`" + `;') FROM information_schema.tables t WHERE table_schema = '` + s.db + `' AND NOT EXISTS
		(SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name AND column_key = 'PRI' AND data_type NOT IN ('float', 'double'))`))
}

// equal compares the database and a lake.
func (s *topicSource) equal(t *testing.T, lake string) {
	t.Helper()
	args := []string{filepath.Join(mustRoot(t), "testdata", "compare", "compare.py"), "--source", s.url, "--databases", s.db, "--lake", lake, "--through-topic"}
	if out, err := exec.CommandContext(t.Context(), services.Env(t, "TABLEHAUL_TEST_PYTHON"), args...).CombinedOutput(); err != nil {
		t.Errorf("source and lake differ: %v\n%s", err, out)
	}
}

// carried runs the program, which has to end well.
func carried(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "tablehaul", args...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// changes are made of a table of that name.
const changes = `INSERT INTO changes VALUES (1, 'a', 1.5, '2026-02-28 01:02:03.456789', x'00ff'), (2, 'b', NULL, NULL, ''), (3, '', -0.001, '1000-01-01', NULL);
	UPDATE changes SET v = 'ä🚀' WHERE id = 1; UPDATE changes SET id = 20 WHERE id = 2; DELETE FROM changes WHERE id = 3;`

const changesTable = "DROP TABLE IF EXISTS changes; CREATE TABLE changes (id INT PRIMARY KEY, v VARCHAR(20), n DECIMAL(12,3), at DATETIME(6), b VARBINARY(9));"

// TestTopicTypes has every type go from MySQL through a topic into a lake, in each format:
// stock by one command, changes by another. The lake holds what the source does.
func TestTopicTypes(t *testing.T) {
	s := newTopicSource(t, services.Env(t, "TABLEHAUL_TEST_MYSQL"), services.Env(t, "TABLEHAUL_TEST_MYSQL_CLIENT"), "topic_types")
	s.load("integers", "decimals", "dates", "datetimes", "timestamps", "times", "years", "bits", "enums", "sets",
		"strings", "binaries", "json", "geometry", "vectors", "charsets", "big-values")
	for _, format := range []string{"canal-json", "debezium-json", "maxwell-json", "arrow"} {
		t.Run(format, func(t *testing.T) {
			topic := "kafka://" + services.Env(t, "TABLEHAUL_TEST_KAFKA") + "/types-" + strings.ToLower(rand.Text()[:8])
			sink := topic + "?partitions=3&config.max.message.bytes=100000000&format=" + format
			lake := filepath.Join(t.TempDir(), "lake")
			s.use(changesTable)
			carried(t, "snapshot", s.url+"/"+s.db, sink, "-q")
			s.use(changes)
			carried(t, "tail", s.url+"/"+s.db, sink, "-q", "--until", "now")
			carried(t, "dump", topic, "iceberg:"+lake, "--until", "end", "-q")
			s.equal(t, lake)
		})
	}
}

// TestDebeziumDumped has a real Debezium fill a topic, from stock on, while it is dumped.
// The lake holds what the source does, but for what Debezium does not tell (docs/types.md).
func TestDebeziumDumped(t *testing.T) {
	brokers := services.Env(t, "TABLEHAUL_TEST_KAFKA")
	env, _ := services.PrivateEnv(t, "mysql", "--buffer-pool", "64M")
	s := newTopicSource(t, env["TABLEHAUL_TEST_MYSQL"], env["TABLEHAUL_TEST_MYSQL_CLIENT"], "dbz")
	s.load("integers", "decimals", "dates", "datetimes", "timestamps", "times", "years", "bits", "enums", "sets", "strings", "binaries", "charsets")
	s.withoutJava()
	s.use(changesTable + "CREATE TABLE gone (id INT PRIMARY KEY); INSERT INTO gone VALUES (1), (2); CREATE TABLE ended (id INT PRIMARY KEY);")
	topic := "debezium-" + strings.ToLower(rand.Text()[:8])
	newTopic(t, brokers, topic)
	ended := services.Debezium(t, s.url, "to.kafka="+brokers, "to.topic="+topic, "database.include.list="+s.db,
		"skipped.operations=none", "provide.transaction.metadata=true", "bigint.unsigned.handling.mode=precise", "column.propagate.source.type=.*", "enable.time.adjuster=false", `until="id":4711`)
	lake := filepath.Join(t.TempDir(), "lake")
	dump := func() {
		t.Helper()
		carried(t, "dump", "kafka://"+brokers+"/"+topic, "iceberg:"+lake, "-q", "--until", "end")
	}
	for deadline := time.Now().Add(2 * time.Minute); ; { // in the midst of whatever it is at
		dump()
		if _, err := os.Stat(filepath.Join(lake, s.db, "years")); err == nil {
			break // the last table of the stock
		}
		if time.Now().After(deadline) {
			t.Fatal("Debezium has told nothing of the last table")
		}
	}
	s.use(changes + "TRUNCATE gone; INSERT INTO gone VALUES (3); ALTER TABLE changes ADD COLUMN more BIGINT UNSIGNED;" +
		"INSERT INTO changes VALUES (5, 'e', 2, NULL, NULL, 18446744073709551615); UPDATE changes SET n = 7 WHERE id = 20;")
	dump()
	s.use("INSERT INTO ended VALUES (4711);")
	ended()
	dump()
	s.equal(t, lake)
}

// withoutJava takes away what Debezium's snapshot does not tell as it is: MySQL's driver for
// Java throws at a ZEROFILL longer than its width, and has another year for 0; a day in
// October 1582 is not in Java's calendar; a BIT of a key has its bytes in the wrong order.
func (s *topicSource) withoutJava() {
	s.t.Helper()
	s.sql(s.sql("SELECT DISTINCT CONCAT('DROP TABLE ', table_schema, '.`', table_name, '`;') FROM information_schema.columns WHERE table_schema = '" + s.db + "' AND column_type LIKE '%zerofill%'"))
	s.use("DROP TABLE bit_key, year_zero; DELETE FROM year_key WHERE k = 0; DELETE FROM years WHERE y = 0; DELETE FROM datetimes WHERE d4 LIKE '1582-10-10%'")
}

// newTopic makes a topic of one partition, which goes with the test.
func newTopic(t *testing.T, brokers, topic string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": kadm.StringPtr("67108864")}, topic); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.DeleteTopics(context.WithoutCancel(t.Context()), topic) })
}
