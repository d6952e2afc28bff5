package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// installRivals gets the tools that the product is compared with in the selected
// cases. One that cannot be had is told and left out: the bench is about the
// product.
func (e *env) installRivals(ctx context.Context, selected []*benchCase) {
	logs, stocks := false, false
	for _, c := range selected {
		logs, stocks = logs || c.log != nil, stocks || c.log == nil && !c.scale
	}
	for _, r := range []struct {
		name    string
		used    bool
		tool    **tool
		install func(context.Context) (*tool, string, error)
	}{
		{"mydumper", stocks, &e.mydumper, e.installMydumper},
		{"duckdb", stocks, &e.duckdb, e.installDuckDB},
		{"mysqlbinlog", logs, &e.mysqlbinlog, e.installMysqlbinlog},
	} {
		if !r.used || !e.wants(r.name) {
			continue
		}
		t, version, err := r.install(ctx)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is left out, it cannot be installed: %v\n", r.name, err)
			continue
		}
		*r.tool, e.versions[r.name] = t, version
	}
}

// installMydumper unpacks the mydumper of this system's release in the cache,
// with the means of testdata/services: no package of the system changes.
func (e *env) installMydumper(ctx context.Context) (*tool, string, error) {
	const script = `service=mydumper port=1
. "$1/testdata/services/lib.sh"
dir=$cache/mydumper
install_once "$dir" 1 apt_unpack host '^mydumper$' >&2
unpacked_loader "$dir/root"
printf '%s\n' "${loader[@]}" "$dir/root/usr/bin/mydumper"
echo "MARIADB_PLUGIN_DIR=$(dirname "$(find "$dir/root" -name caching_sha2_password.so | head -n 1)")"`
	cmd := exec.CommandContext(ctx, "bash", "-c", script, "mydumper", e.root)
	cmd.Env, cmd.Stderr = append(os.Environ(), "TABLEHAUL_CACHE="+e.cache), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, "", err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := len(lines) - 1
	t := &tool{argv: slices.Clip(lines[:last]), env: lines[last:]}
	version, err := exec.CommandContext(ctx, t.argv[0], append(t.argv[1:], "--version")...).Output()
	if err != nil {
		return nil, "", fmt.Errorf("mydumper --version: %w", err)
	}
	return t, strings.TrimSpace(string(version)), nil
}

// installMysqlbinlog finds the program beside the server that testdata/services
// has installed, or on PATH, and else unpacks it in the cache.
func (e *env) installMysqlbinlog(ctx context.Context) (*tool, string, error) {
	const script = `service=mysqlbinlog port=1
. "$1/testdata/services/lib.sh"
for dir in "$cache"/mysql-{debian,apt}; do
	if [[ -x $dir/root/usr/bin/mysqlbinlog ]] && unpacked_loader "$dir/root"; then
		printf '%s\n' "${loader[@]}" "$dir/root/usr/bin/mysqlbinlog"
		exit
	fi
done
found=$(type -P mysqlbinlog || true)
if [[ -n $found && $("$found" --no-defaults --version) != *MariaDB* ]]; then
	echo "$found"
	exit
fi
from=host
debian_mirrors >/dev/null && from=sid
dir=$cache/mysqlbinlog
install_once "$dir" 1 apt_unpack "$from" '^mysql-server-core(-[0-9.]+)?$' '^mysql-client-core(-[0-9.]+)?$' >&2
[[ -x $dir/root/usr/bin/mysqlbinlog ]] || die "the packages hold no mysqlbinlog"
unpacked_loader "$dir/root"
printf '%s\n' "${loader[@]}" "$dir/root/usr/bin/mysqlbinlog"`
	cmd := exec.CommandContext(ctx, "bash", "-c", script, "mysqlbinlog", e.root)
	cmd.Env, cmd.Stderr = append(os.Environ(), "TABLEHAUL_CACHE="+e.cache), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, "", err
	}
	t := &tool{argv: slices.Clip(strings.Split(strings.TrimSpace(string(out)), "\n"))}
	version, err := exec.CommandContext(ctx, t.argv[0], append(t.argv[1:], "--no-defaults", "--version")...).Output()
	if err != nil {
		return nil, "", fmt.Errorf("mysqlbinlog --version: %w", err)
	}
	return t, strings.TrimSpace(string(version)), nil
}

//go:embed scan.py
var duckdbScript []byte

//go:embed count.py
var countScript []byte

// readers gets the Python that the tests read lakes with, and its DuckDB's folder
// of extensions.
func (e *env) readers(ctx context.Context) (python, extensions string, err error) {
	if _, err := e.service(ctx, "readers", "start"); err != nil {
		return "", "", err
	}
	out, err := e.service(ctx, "readers", "env")
	if err != nil {
		return "", "", err
	}
	settings := parseSettings(out)
	return settings["TABLEHAUL_TEST_PYTHON"], settings["TABLEHAUL_TEST_DUCKDB_EXTENSIONS"], nil
}

// installDuckDB installs the readers, whose DuckDB has the MySQL scanner.
func (e *env) installDuckDB(ctx context.Context) (*tool, string, error) {
	python, extensions, err := e.readers(ctx)
	if err != nil {
		return nil, "", err
	}
	script := filepath.Join(e.tmp, "scan.py")
	if err := os.WriteFile(script, duckdbScript, 0o644); err != nil {
		return nil, "", err
	}
	version, err := exec.CommandContext(ctx, python, "-c", "import duckdb; print(duckdb.__version__)").Output()
	if err != nil {
		return nil, "", fmt.Errorf("import duckdb: %w", err)
	}
	return &tool{argv: slices.Clip([]string{python, script, extensions})}, strings.TrimSpace(string(version)), nil
}
