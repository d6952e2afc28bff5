package binlog_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A server is a real server, and a connection to it.
type server struct {
	*client.Conn
	t     *testing.T
	url   *url.URL
	maria bool
	sets  *binlog.Charsets

	format []byte // the format description event that the log began with
}

// servers runs the test on MySQL and MariaDB.
func servers(t *testing.T, f func(t *testing.T, s *server)) {
	for name, env := range map[string]string{"mysql": "TABLEHAUL_TEST_MYSQL", "mariadb": "TABLEHAUL_TEST_MARIADB"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(services.Env(t, env))
			if err != nil {
				t.Fatal(err)
			}
			f(t, newServer(t, u, name == "mariadb"))
		})
	}
}

func newServer(t *testing.T, u *url.URL, maria bool) *server {
	s := &server{t: t, url: u, maria: maria, Conn: connect(t, u)}
	s.sets = &binlog.Charsets{Collations: map[uint64]string{}}
	q := "SELECT id, character_set_name FROM information_schema.collations"
	if maria {
		q = "SELECT id, character_set_name FROM information_schema.collation_character_set_applicability"
	}
	for _, r := range s.query(q) {
		id, err := strconv.ParseUint(r[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.sets.Collations[id] = r[1]
	}
	s.sets.Ask = func(charset string, texts [][]byte) ([][]byte, error) {
		r, err := s.Execute(binlog.ConvertSQL(charset, texts))
		if err != nil {
			return nil, err
		}
		out := make([][]byte, len(texts))
		for i := range out {
			v, err := r.GetString(0, i)
			if err != nil {
				return nil, err
			}
			out[i] = []byte(v)
		}
		return out, nil
	}
	return s
}

func connect(t *testing.T, u *url.URL) *client.Conn {
	c, err := client.Connect(u.Host, u.User.Username(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Execute("SET NAMES utf8mb4"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) query(q string) (out [][]string) {
	s.t.Helper()
	r, err := s.Execute(q)
	if err != nil {
		s.t.Fatalf("%.200s: %v", q, err)
	}
	for i := range r.Values {
		row := make([]string, len(r.Values[i]))
		for j := range row {
			row[j], _ = r.GetString(i, j)
		}
		out = append(out, row)
	}
	return out
}

// load runs the statements of a case in a new database.
func (s *server) load(db, file string) {
	s.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	s.loadSQL(db, string(text))
}

func (s *server) loadSQL(db, text string) {
	s.t.Helper()
	s.query("DROP DATABASE IF EXISTS " + db)
	s.query("CREATE DATABASE " + db)
	c := connect(s.t, s.url)
	defer c.Close()
	for _, q := range append([]string{"USE " + db}, strings.Split(text, ";\n")...) {
		if strings.TrimSpace(q) == "" {
			continue
		}
		if _, err := c.Execute(q); err != nil {
			s.t.Fatalf("%.200s: %v", q, err)
		}
	}
}

// A point is where the log stands.
type point struct {
	file string
	pos  uint32
}

func (s *server) point() point {
	q := "SHOW BINARY LOG STATUS"
	if s.maria {
		q = "SHOW MASTER STATUS"
	}
	r := s.query(q)[0]
	n, _ := strconv.ParseUint(r[1], 10, 32)
	return point{r[0], uint32(n)}
}

// An event is one of the log's, of a database.
type event struct {
	typ  binlog.EventType
	body []byte
	raw  []byte // with header and checksum
}

// events returns the table maps and row events of a database since a point.
func (s *server) events(db string, from point) (out []event) {
	s.t.Helper()
	mark := fmt.Sprintf("end_of_%s_%d", db, rand.Uint64())
	s.query("CREATE DATABASE " + mark)
	defer s.query("DROP DATABASE " + mark)
	flavor := mysql.MySQLFlavor
	if s.maria {
		flavor = mysql.MariaDBFlavor
	}
	port, _ := strconv.ParseUint(s.url.Port(), 10, 16)
	syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: 1000 + rand.Uint32N(1<<30), Flavor: flavor, Host: s.url.Hostname(), Port: uint16(port),
		User: s.url.User.Username(), RawModeEnabled: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	defer syncer.Close()
	stream, err := syncer.StartSync(mysql.Position{Name: from.file, Pos: from.pos})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	checksum, ours := 0, map[uint64]bool{}
	for {
		e, err := stream.GetEvent(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		if f, ok := e.Event.(*replication.FormatDescriptionEvent); ok && f.ChecksumAlgorithm == replication.BINLOG_CHECKSUM_ALG_CRC32 {
			checksum, s.format = 4, e.RawData
			continue
		}
		raw := e.RawData[:len(e.RawData)-checksum]
		ev := event{binlog.EventType(e.Header.EventType), raw[replication.EventHeaderSize:], e.RawData}
		switch e.Header.EventType {
		case replication.QUERY_EVENT:
			if strings.Contains(string(raw), mark) {
				return out
			}
		case replication.TABLE_MAP_EVENT:
			m, err := binlog.ParseTableMap(ev.body)
			if err != nil {
				s.t.Fatal(err)
			}
			if ours[m.ID] = m.DB == db; ours[m.ID] {
				out = append(out, ev)
			}
		default:
			if ev.isRows() && ours[binlog.TableID(ev.body)] {
				out = append(out, ev)
			}
		}
	}
}

func (e event) isRows() bool {
	switch e.typ {
	case binlog.WriteRowsV1, binlog.UpdateRowsV1, binlog.DeleteRowsV1, binlog.WriteRowsV2, binlog.UpdateRowsV2, binlog.DeleteRowsV2, binlog.PartialUpdateRows:
		return true
	}
	return false
}

// cases lists the SQL cases for a server by name.
func (s *server) cases() map[string]string {
	out := map[string]string{}
	own := "mysql.sql"
	if s.maria {
		own = "mariadb.sql"
	}
	for _, name := range []string{"case.sql", own} {
		files, err := filepath.Glob("../../../../testdata/sql/*/" + name)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, f := range files {
			out[filepath.Base(filepath.Dir(f))] = f
		}
	}
	return out
}
