# shellcheck shell=bash
# cron.sh: Debian's cron daemon runs the page's file. Its clock, and no other, is
# shifted to just before the time of a line: it starts its jobs by fork and exec
# with an environment of their own, so these have the true time.

tablehaul_user
install -d -o tablehaul -g tablehaul /var/lib/tablehaul /var/log/tablehaul
rm -f /etc/cron.d/* # the system's own jobs
install -m 600 -o tablehaul -g tablehaul <(echo secret) /var/lib/tablehaul/password
put tablehaul.cron /etc/cron.d/tablehaul

# cron_at TIME COMMAND…: run the daemon from TIME on until the command succeeds.
cron_at() {
	local pid
	setsid faketime -f "@2026-03-01 $1" cron -f -L 15 &
	pid=$!
	shift
	until_ok 100 "cron: $*" "$@"
	kill -- "-$pid"
	wait "$pid" || true
}

# The night's line, at 02:30.
nightly_done() { grep -q 'msg=end .*status=done .*exit=0' /var/log/tablehaul/nightly.log 2>/dev/null; }
cron_at 02:29:55 nightly_done
equal /var/lib/tablehaul/nightly/shop orders || die "the nightly lake is not the source"
want "owner of the lake" "$(stat -c %U /var/lib/tablehaul/nightly/shop/orders)" tablehaul

# The quarter's line: copies at first, then follows.
quarter_done() { equal /var/lib/tablehaul/lake/shop orders 2>/dev/null && [[ -z $(pgrep -x tablehaul) ]]; }
cron_at 03:14:55 quarter_done
sql 'INSERT INTO shop.products SELECT id + 10000, CONCAT("T", id), name, category, price, weight_kg, traits, details FROM shop.products LIMIT 5'
quarter_again() { equal /var/lib/tablehaul/lake/shop products; }
cron_at 03:29:55 quarter_again

# While a run holds the lock the next is left out, and that is no error.
line=$(grep -o 'flock -n .*' /etc/cron.d/tablehaul | head -n 1)
flock /var/lib/tablehaul/tail.lock sh -c "$line" || die "a run that is left out is an error"

put tablehaul.logrotate /etc/logrotate.d/tablehaul
logrotate --force --state /tmp/logrotate.state /etc/logrotate.d/tablehaul
[[ ! -e /var/log/tablehaul/nightly.log && -s /var/log/tablehaul/nightly.log.1 && -s /var/log/tablehaul/tail.log.1 ]] || die "the logs were not turned over"
promtool check metrics </var/lib/tablehaul/nightly.prom
grep -q '^tablehaul_run_exit_code{.*} 0' /var/lib/tablehaul/nightly.prom || die "the metrics of the night lack its exit code"
