# shellcheck shell=bash
# lib.sh: what the parts share.

page=$repo/docs/operations.md
die() { echo "operations: $*" >&2; exit 1; }
want() { [[ $2 == "$3" ]] || die "$1: got ${2@Q}, want ${3@Q}"; } # NAME GOT WANT

# block NAME: the block of the page.
block() { "$repo/packaging/extract" "$page" "$1"; }

# put NAME FILE [MODE]: write the block to the file, as the page tells.
put() {
	mkdir -p "$(dirname "$2")"
	block "$1" >"$2"
	chmod "${3:-644}" "$2"
}

sql() { mysql -h127.0.0.1 -uroot -NBe "$1"; }

# lake FOLDER QUERY: ask DuckDB about a table of a lake, which is T in the query.
lake() {
	duckdb -noheader -list -c "LOAD avro; LOAD iceberg; WITH T AS (FROM iceberg_scan('$1')) $2" | tail -n 1
}

# until_ok SECONDS WHAT COMMAND…: wait until the command succeeds.
until_ok() {
	local patience=$1 deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		((SECONDS < deadline)) || die "$what: not so after $patience s"
		sleep 0.3
	done
}

answers() { [[ $(curl -s -o /dev/null -w '%{http_code}' "$1") == "$2" ]]; } # URL CODE

# equal FOLDER TABLE: the lake's table has the source's rows, by count and keys.
equal() {
	[[ $(lake "$1/$2" 'SELECT count(*) || chr(9) || sum(id) FROM T') == "$(sql "SELECT COUNT(*), SUM(id) FROM shop.$2")" ]]
}

tablehaul_user() {
	getent passwd tablehaul >/dev/null ||
		useradd --system --home-dir /var/lib/tablehaul --shell /usr/sbin/nologin tablehaul
}
