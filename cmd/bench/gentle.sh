#!/usr/bin/env bash
# gentle.sh HOST PORT [ROUNDS [SECONDS]]
# How much a snapshot with --max-load takes from a server's other users: sysbench's
# oltp_read_write, alone and beside snapshots that begin anew as they end, in turns.
# Prints transactions a second of each run, the medians and the share that was lost,
# threads_running as seen once a second (our own threads included), and for how much
# of the time the snapshots were paused. HOST PORT is a server whose root has no
# password; a database sbtest is made there.
# Needs sysbench (Debian has it), bin/tablehaul and a mysql client in $MYSQL.
set -euo pipefail
host=$1 port=$2 rounds=${3:-5} seconds=${4:-30}
: "${MYSQL:=mysql}" "${TABLEHAUL:=bin/tablehaul}" "${THREADS:=4}" "${MAX_LOAD:=4}" "${FLAGS:=}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

sql() { $MYSQL -h "$host" -P "$port" -uroot -NBe "$1"; }
bench() {
	sysbench oltp_read_write --db-driver=mysql --mysql-host="$host" --mysql-port="$port" --mysql-user=root \
		--mysql-db=sbtest --tables=4 --table-size="${ROWS:-100000}" --threads="$THREADS" --time="$seconds" "$@"
}

# snapshots copies again and again until it is killed.
snapshots() {
	while :; do
		"$TABLEHAUL" snapshot "mysql://root@$host:$port/sbtest" "iceberg:$out/lake" --mode replace \
			--max-load "threads_running=$MAX_LOAD" $FLAGS --json >>"$out/json" 2>/dev/null || return
	done
}

sql 'CREATE DATABASE IF NOT EXISTS sbtest'
[[ -n $(sql "SHOW TABLES FROM sbtest") ]] || bench prepare >/dev/null
bench run >/dev/null # warm
sample() { while sleep 1; do sql "SHOW GLOBAL STATUS LIKE 'threads_running'" | cut -f 2 >>"$out/threads-$1" || return; done; }
for ((i = 1; i <= rounds; i++)); do
	for kind in alone beside; do
		pid=''
		sample "$kind" &
		sampler=$!
		if [[ $kind == beside ]]; then
			set -m
			snapshots &
			pid=$!
			set +m
		fi
		bench run | sed -nE 's/.*transactions:.*\((.*) per sec.*/\1/p' | tee -a "$out/$kind" | sed "s/^/$kind /"
		kill "$sampler" && wait "$sampler" 2>/dev/null || true
		[[ -z $pid ]] || { kill -TERM -- "-$pid" && wait "$pid" 2>/dev/null || true; }
	done
done
median() { sort -n "$1" | awk '{a[NR]=$1} END {print (NR%2) ? a[(NR+1)/2] : (a[NR/2]+a[NR/2+1])/2}'; }
a=$(median "$out/alone") b=$(median "$out/beside")
awk -v a="$a" -v b="$b" 'BEGIN {printf "median alone %.1f, beside %.1f transactions/s: %.0f %% lost\n", a, b, 100*(a-b)/a}'
paste "$out/beside" "$out/alone" | awk '{print $1/$2}' >"$out/pairs"
echo "beside/alone, median of the pairs: $(median "$out/pairs")"
for kind in alone beside; do
	sort -n "$out/threads-$kind" | awk -v k="$kind" '{a[NR]=$1} END {printf "threads_running %s: median %d, 95th percentile %d, most %d\n", k, a[int((NR+1)/2)], a[int(NR*.95)], a[NR]}'
done
awk -F'"rows":' '/"event":"summary"/ {split($2,n,","); rows+=n[1]; runs++} /"event":"progress"/ {all++; if (/"paused"/) paused++}
	END {printf "%d snapshots, %d rows copied, paused for %d of %d s\n", runs, rows, paused, all}' "$out/json"
