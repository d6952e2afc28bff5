package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/schema/ddl"
)

// runOn runs all files on one server.
func runOn(ctx context.Context, on, url string, folders []string) (r *report, err error) {
	var files []string
	for _, folder := range folders {
		list, err := find(folder, on)
		if err != nil {
			return nil, err
		}
		files = append(files, list...)
	}
	s, err := newServer(ctx, on, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r = newReport()
	for i, file := range files {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		r.file = file
		r.files++
		if err := s.file(ctx, file, fmt.Sprintf("shapes_%d_%d", os.Getpid(), i), r); err != nil {
			r.fail(err.Error(), "")
		}
	}
	return r, nil
}

// find lists the files that are for a server.
func find(folder, on string) (files []string, err error) {
	other := map[string]string{"mysql": "mariadb.sql", "mariadb": "mysql.sql"}[on]
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		base := strings.TrimSuffix(filepath.Base(path), ".gz")
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(base, ".sql") && base != other {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
	}
	text, err := io.ReadAll(in)
	return strings.TrimPrefix(string(text), "\ufeff"), err
}

// A job is a file that is run.
type job struct {
	*server
	*tracker
	r    *report
	conn *client.Conn
	own  string
	dbs  map[string]bool // that it has to do with
}

// patience is how long a statement may take.
const patience = 2 * time.Minute

func (s *server) file(ctx context.Context, path, db string, r *report) error {
	text, err := read(path)
	if err != nil {
		return err
	}
	if _, err := s.ask.Execute("CREATE DATABASE " + quoteName(db) + " CHARACTER SET utf8mb4"); err != nil {
		return err
	}
	s.created[db] = true
	conn, err := dial(ctx, s.at, db)
	if err != nil {
		return err
	}
	defer conn.Close()
	j := &job{s, &tracker{s, map[name]*ddl.Table{}, map[name]bool{}}, r, conn, db, map[string]bool{db: true}}
	plain := false
	for in := (&script{text: text}); ; {
		statement, ok := in.next(plain)
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if plain, err = j.statement(ctx, statement, plain); err != nil {
			return fmt.Errorf("%w, at %s", err, short(statement))
		}
	}
	return j.end(ctx)
}

// statement runs one, and follows what the server has written down of it.
func (j *job) statement(ctx context.Context, text string, plain bool) (bool, error) {
	j.r.statements++
	if ofServer.MatchString(text[skipSpace(text):]) {
		j.r.skipped++
		return plain, nil
	}
	if err := j.database(text); err != nil {
		return plain, err
	}
	if err := j.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return plain, err
	}
	var said error
	_, err := j.conn.ExecuteMultiple(text, func(res *mysql.Result, err error) {
		if err != nil {
			said = err
			return
		}
		plain = res.Status&mysql.SERVER_STATUS_NO_BACKSLASH_ESCAPED != 0
		res.Close()
	})
	if err = errors.Join(err, said); err != nil && !refused(err) {
		return plain, err
	}
	if err != nil {
		j.r.refused[err.Error()] = append(j.r.refused[err.Error()], j.r.file+": "+text)
	}
	if ofRows.MatchString(text[skipSpace(text):]) {
		return plain, nil
	}
	return plain, j.follow(ctx)
}

var (
	// ofServer is what has to do with more than tables, or keeps statements out of the log.
	ofServer = regexp.MustCompile(`(?is)^(?:/\*[!M]*\d*)?\s*(?:GRANT|REVOKE|SHUTDOWN|RESTART|RESET|PURGE|FLUSH|KILL|CHANGE|START\s+(?:SLAVE|REPLICA|GROUP)|STOP|CLONE|INSTALL|UNINSTALL|BINLOG|` +
		`(?:CREATE|ALTER|DROP|RENAME)\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:USER|ROLE|SERVER|TABLESPACE|UNDO|LOGFILE|RESOURCE|INSTANCE|EVENT)\b|` +
		`SET\s.*(?:GLOBAL|PERSIST|PASSWORD|ROLE|SQL_LOG_BIN|BINLOG_FORMAT|GTID_|PSEUDO_THREAD_ID|READ_ONLY)|` +
		"(?:USE|DROP\\s+(?:DATABASE|SCHEMA)(?:\\s+IF\\s+EXISTS)?)\\s+`?(?:mysql|sys|information_schema|performance_schema)\\b)")
	// ofRows is what makes no table. Tables are compared at the next statement that may, and at the end.
	ofRows = regexp.MustCompile(`(?i)^(?:INSERT|REPLACE|UPDATE|DELETE|SELECT|LOCK|UNLOCK|USE|SET\s+[^s]|SHOW|COMMIT|LOAD|ANALYZE|CHECK)`)
	inDB   = regexp.MustCompile("(?is)^(use|(?:create|drop)\\s+(?:database|schema))\\s+(?:if\\s+(?:not\\s+)?exists\\s+)?(?:`((?:[^`]|``)+)`|([^\\s;`]+))")
)

// database makes room for a database that a statement makes, or expects to be there.
func (j *job) database(text string) error {
	plain := strings.NewReplacer("/*!32312", " ", "/*!40000", " ", "*/", " ").Replace(text[skipSpace(text):])
	m := inDB.FindStringSubmatch(plain)
	if m == nil {
		return nil
	}
	db := strings.ReplaceAll(m[2], "``", "`") + m[3]
	rows, err := j.rows("SELECT 1 FROM information_schema.schemata WHERE schema_name = " + quoteText(db))
	if err != nil {
		return err
	}
	mine, use := j.created[db], strings.EqualFold(m[1], "use")
	switch {
	case len(rows) > 0 && !mine:
		return fmt.Errorf("database %s was there before, and may be somebody's", db)
	case len(rows) == 0 && use:
		_, err = j.ask.Execute("CREATE DATABASE " + quoteName(db))
	}
	if mine && !j.dbs[db] { // an earlier file's
		if !use {
			if _, err = j.ask.Execute("DROP DATABASE IF EXISTS " + quoteName(db)); err != nil {
				return err
			}
		}
		names, err := j.all([]string{db})
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := j.look(n); err != nil {
				return err
			}
		}
		clear(j.asked)
	}
	j.created[db], j.dbs[db] = true, true
	return err
}

// follow applies what the connection has written into the log.
func (j *job) follow(ctx context.Context) error {
	list, err := j.until(ctx, j.conn.GetConnectionID())
	if err != nil {
		return err
	}
	clear(j.asked)
	var touched []name
	text := ""
	for _, q := range list {
		names, err := j.apply(q, j.r)
		if err != nil {
			return err
		}
		for _, n := range names {
			if !slices.Contains(touched, n) {
				touched = append(touched, n)
			}
		}
		if len(names) > 0 {
			text = strings.TrimSpace(text + "\n  " + string(q.Query))
		}
	}
	return j.compare(touched, text, j.r)
}

// end compares all that the file has left, and drops its own database.
func (j *job) end(ctx context.Context) error {
	if err := j.follow(ctx); err != nil {
		return err
	}
	names, err := j.all(slices.Collect(maps.Keys(j.dbs)))
	if err != nil {
		return err
	}
	if err := j.compare(names, "(the end of the file)", j.r); err != nil {
		return err
	}
	if err := j.conn.Quit(); err != nil { // it may hold locks on the database's tables
		return err
	}
	delete(j.created, j.own)
	_, err = j.ask.Execute("DROP DATABASE " + quoteName(j.own))
	return err
}
