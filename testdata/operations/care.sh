# shellcheck shell=bash
# care.sh: alerts, redoing a table under a running tail, backup and restore.

put alerts.yaml /etc/prometheus/alerts.yaml
promtool check rules /etc/prometheus/alerts.yaml >/dev/null
promtool test rules "$here/alerts_test.yaml" >/dev/null || die "the alerts are not raised as they should"

tablehaul_user
rm -rf /var/lib/tablehaul
install -d -o tablehaul -g tablehaul /var/lib/tablehaul
install -m 600 -o tablehaul -g tablehaul <(echo secret) /var/lib/tablehaul/password
lake=/var/lib/tablehaul/lake
as_user() { runuser -u tablehaul -- "$@"; }
follow() {
	as_user tablehaul tail mysql://app@db:3306/shop "iceberg:$lake" --password-file /var/lib/tablehaul/password \
		--keyless append --commit-interval 2s --metrics 127.0.0.1:9100 --quiet &
	tail=$!
	until_ok 100 "tail is ready" answers http://127.0.0.1:9100/readyz 200
}
stop() {
	kill "$(pgrep -x -u tablehaul tablehaul)"
	wait "$tail" || die "tail ended with $?"
}
total() { lake "$lake/shop/orders" "SELECT total FROM T WHERE id = $1"; }

code=0
out=$(as_user bash -c "$(block check.sh)" 2>&1) || code=$?
[[ $code == 0 ]] || die "check ended with $code: $out"
follow
# Each series that an alert asks for is there.
curl -s http://127.0.0.1:9100/metrics >/tmp/metrics
# Those of runs that have ended are cron.sh's.
grep -oE 'tablehaul_[a-z_]+' <(block alerts.yaml) | grep -v tablehaul_run_ | sort -u | while read -r metric; do
	grep -q "^$metric\b" /tmp/metrics || die "an alert asks for $metric, which is not served"
done

# A row that is not in the log: the lake is wrong, and the table redone.
sql 'SET sql_log_bin = 0; UPDATE shop.orders SET total = 7 WHERE id = 7'
bash -euo pipefail -c "$(block redo.sh | sed 's/^tablehaul/runuser -u tablehaul -- &/')" >/dev/null 2>&1
want "the row that was not in the log" "$(total 7)" 7.00
sql 'UPDATE shop.orders SET total = 8 WHERE id = 8'
arrived() { [[ $(total 8) == 8.00 ]]; }
until_ok 60 "a change after the table was redone" arrived
kill -0 "$tail" || die "tail has ended over the redone table"

# Backed up while it is written to; then the lake is lost.
mkdir /backup
for ((i = 0; i < 50; i++)); do echo "UPDATE shop.orders SET total = total + 1 WHERE id % 200 = $i; DO SLEEP(0.1);"; done |
	mysql -uroot shop &
writer=$!
sleep 3
bash -euo pipefail -c "$(block backup.sh)"
wait "$writer"
bash -euo pipefail -c "$(block spare.sh)" >/dev/null || die "half of the log's time has gone by already"
stop
rm -rf "$lake"
bash -euo pipefail -c "$(block restore.sh)" >/dev/null 2>&1 || die "it cannot be restored"
want "the restored lake" "$(lake "$lake/shop/orders" 'SELECT count(*) || chr(9) || sum(total) FROM T')" "$(sql 'SELECT COUNT(*), SUM(total) FROM shop.orders')"
follow
stop

# The log is purged: spare.sh tells.
sql 'FLUSH BINARY LOGS; UPDATE shop.orders SET total = 9 WHERE id = 9; FLUSH BINARY LOGS; PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY'
! bash -euo pipefail -c "$(block spare.sh)" >/dev/null 2>&1 || die "spare.sh is content with a log that was purged"
