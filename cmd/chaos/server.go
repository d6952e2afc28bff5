package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A mysqlServer is the private MySQL that runs kill and start again.
type mysqlServer struct {
	env  *env
	addr string
	pid  string // file
}

// mysqlPort is one that neither tests nor the bench use.
const mysqlPort = "33099"

func (s *mysqlServer) place() []string {
	return []string{"--port", mysqlPort, "--data", filepath.Join(s.env.cache, "mysql")}
}

func newMySQLServer(ctx context.Context, e *env) (*mysqlServer, error) {
	s := &mysqlServer{env: e}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	out, err := e.service(ctx, "mysql", append([]string{"env"}, s.place()...)...)
	if err != nil {
		return nil, err
	}
	known := settings(out)
	u, err := url.Parse(known["TABLEHAUL_TEST_MYSQL"])
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("mysql env names no server: %q", out)
	}
	s.addr, s.pid = u.Host, known["TABLEHAUL_TEST_MYSQL_PID"]
	return s, s.users(ctx)
}

// users makes the two that the processes connect as: one with all that the
// documents recommend, and one that may not lock.
func (s *mysqlServer) users(ctx context.Context) error {
	conn, err := (&bank{addr: s.addr}).connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	return execute(conn,
		"CREATE USER IF NOT EXISTS full@'%', loose@'%'",
		"GRANT SELECT, SHOW VIEW, LOCK TABLES, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO full@'%'",
		"GRANT SELECT, SHOW VIEW, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO loose@'%'")
}

func (s *mysqlServer) start(ctx context.Context) error {
	_, err := s.env.service(ctx, "mysql", append([]string{"start"}, s.place()...)...)
	return err
}

func (s *mysqlServer) stop(ctx context.Context) error {
	_, err := s.env.service(ctx, "mysql", append([]string{"stop"}, s.place()...)...)
	return err
}

// crash kills the server as it stands.
func (s *mysqlServer) crash() error {
	text, err := os.ReadFile(s.pid)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("%s holds no process id: %q", s.pid, text)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// clear drops what earlier runs have left, and their part of the log.
func (s *mysqlServer) clear(ctx context.Context) error {
	conn, err := (&bank{addr: s.addr}).connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := (&bank{}).settle(conn); err != nil {
		return err
	}
	old, err := conn.Execute(`SHOW DATABASES LIKE 'chaos\_%'`)
	if err != nil {
		return err
	}
	var names []string
	for i := range old.RowNumber() {
		name, err := old.GetString(i, 0)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	for _, name := range names {
		if err := execute(conn, "DROP DATABASE `"+name+"`"); err != nil {
			return err
		}
	}
	return execute(conn, "FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW()")
}
