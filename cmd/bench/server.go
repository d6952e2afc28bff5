package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// port is that of the bench's own MySQL server: tests use another, so that
// neither disturbs the other's data.
const port = "23098"

func (e *env) serverData() string { return filepath.Join(e.cache, "bench", "mysql") }

func (e *env) startServer(ctx context.Context) error {
	place := []string{"--port", port, "--data", e.serverData()}
	_, err := e.service(ctx, "mysql", append([]string{"status"}, place...)...)
	wasRunning := err == nil
	if _, err := e.service(ctx, "mysql", append([]string{"start", "--buffer-pool", "2G"}, place...)...); err != nil {
		return err
	}
	e.stop = !wasRunning
	out, err := e.service(ctx, "mysql", append([]string{"env"}, place...)...)
	if err != nil {
		return err
	}
	settings := parseSettings(out)
	u, err := url.Parse(settings["TABLEHAUL_TEST_MYSQL"])
	if err != nil || u.Host == "" {
		return fmt.Errorf("mysql env names no server: %q", out)
	}
	e.addr = u.Host
	pid, err := os.ReadFile(settings["TABLEHAUL_TEST_MYSQL_PID"])
	if err != nil {
		return err
	}
	if e.serverPID, err = strconv.Atoi(strings.TrimSpace(string(pid))); err != nil {
		return err
	}
	conn, err := connect(ctx, e.addr, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	// mydumper cuts a table into chunks by the row estimate of an EXPLAIN as it
	// was before MySQL made a tree of it; else one of its threads does all. Older
	// servers do not know the variable, and need no help.
	_ = execute(conn, "SET GLOBAL explain_format='TRADITIONAL'")
	res, err := conn.Execute("SELECT VERSION()")
	if err != nil {
		return err
	}
	e.versions["mysql"], err = res.GetString(0, 0)
	return err
}

// service runs one of the scripts in testdata/services and returns its output.
// What it says while it installs something goes through to the user.
func (e *env) service(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(e.root, "testdata", "services", name), args...)
	cmd.Env = append(os.Environ(), "TABLEHAUL_CACHE="+e.cache)
	cmd.Stdout, cmd.Stderr = &out, &said
	if args[0] == "start" {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("testdata/services/%s %s: %w\n%s", name, args[0], err, tail(said.Bytes(), 2000))
	}
	return out.Bytes(), nil
}

// parseSettings reads the KEY=VALUE lines of a service's env command.
func parseSettings(out []byte) map[string]string {
	settings := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			if strings.HasPrefix(value, "'") {
				value = strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'")
			}
			settings[key] = value
		}
	}
	return settings
}
