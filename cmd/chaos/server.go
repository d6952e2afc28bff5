package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server is a private MySQL or MariaDB, which a run may kill and start again.
type server struct {
	env     *env
	service string // script in testdata/services
	options []string
	addr    string
	pid     string // file
}

const (
	mysql   = "mysql"
	mariadb = "mariadb"
)

func (s *server) place() []string {
	return []string{"--port", s.env.ports[s.service], "--data", filepath.Join(s.env.cache, s.service)}
}

// server returns the private server of a kind, started when it is first wanted.
func (e *env) server(ctx context.Context, service string) (*server, error) {
	if s := e.servers[service]; s != nil {
		return s, nil
	}
	s := &server{env: e, service: service}
	e.servers[service] = s
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	out, err := e.service(ctx, service, append([]string{"env"}, s.place()...)...)
	if err != nil {
		return nil, err
	}
	known, name := settings(out), "TABLEHAUL_TEST_"+strings.ToUpper(service)
	u, err := url.Parse(known[name])
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s env names no server: %q", service, out)
	}
	s.addr, s.pid = u.Host, known[name+"_PID"]
	return s, s.users(ctx)
}

// users makes the two that the processes connect as: one with all that the
// documents recommend, and one that may not lock.
func (s *server) users(ctx context.Context) error {
	conn, err := (&bank{addr: s.addr}).connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	log := "REPLICATION SLAVE, REPLICATION CLIENT"
	if s.service == mariadb {
		log = "REPLICATION SLAVE, REPLICATION MASTER ADMIN, BINLOG MONITOR"
	}
	return execute(conn,
		"CREATE USER IF NOT EXISTS full@'%', loose@'%'",
		"GRANT SELECT, SHOW VIEW, LOCK TABLES, RELOAD, "+log+" ON *.* TO full@'%'",
		"GRANT SELECT, SHOW VIEW, "+log+" ON *.* TO loose@'%'")
}

func (s *server) start(ctx context.Context) error {
	_, err := s.env.service(ctx, s.service, slices.Concat([]string{"start"}, s.place(), s.options)...)
	return err
}

func (s *server) stop(ctx context.Context) error {
	_, err := s.env.service(ctx, s.service, append([]string{"stop"}, s.place()...)...)
	return err
}

// crash kills the server as it stands, and waits until it is gone: a start that still finds
// it would leave it at that.
func (s *server) crash() error {
	text, err := os.ReadFile(s.pid)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("%s holds no process id: %q", s.pid, text)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		// What is left of one whose threads have all ended may wait for its parent.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return nil //nolint:nilerr // it is gone
		}
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if _, state, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(state, "Z") && len(threads) < 2 {
			return nil
		}
	}
	return fmt.Errorf("process %d survives SIGKILL", pid)
}

// clear drops what earlier runs have left, and their part of the log.
func (s *server) clear(ctx context.Context) error {
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
