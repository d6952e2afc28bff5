# shellcheck shell=bash
# systemd-inside.sh: run by systemd itself, once it has booted in its container.

source "$here/lib.sh"
lake=/var/lib/tablehaul/lake

state() { # UNIT PROPERTY
	case $1 in
	tail) systemctl show -P "$2" tablehaul-tail@shop.service ;;
	snapshot) systemctl show -P "$2" tablehaul-snapshot@nightly.service ;;
	esac
}

echo "systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p') is process 1: $(cat /proc/1/comm)"
bash -euo pipefail -c "$(block systemd.sh)"
until_ok 100 "tail is ready" answers http://127.0.0.1:9100/readyz 200
want "health" "$(curl -s http://127.0.0.1:9100/healthz)" ok
want "user of the process" "$(ps -o user:20= -p "$(state tail MainPID)")" tablehaul
want "password in the process list" "$(ps -ef | grep -c '[s]ecret' || true)" 0
for table in orders customers; do equal "$lake/shop" "$table" || die "$table is not the source's"; done

sql 'UPDATE shop.orders SET total = 1 WHERE id = 2'
changed() { [[ $(lake "$lake/shop/orders" 'SELECT total FROM T WHERE id = 2') == 1.00 ]]; }
until_ok 60 "a change arrives" changed

# It can be held back and let go.
control=/run/tablehaul-tail-shop/control
tablehaul adjust "$control" --pause --json | jq -e '.paused' >/dev/null
tablehaul adjust "$control" --resume >/dev/null

# Killed, it is started again and goes on.
pid=$(state tail MainPID)
kill -9 "$pid"
restarted() { [[ $(state tail NRestarts) == 1 ]] && answers http://127.0.0.1:9100/readyz 200; }
sql 'UPDATE shop.orders SET total = 3 WHERE id = 2'
until_ok 90 "it is started again" restarted
changed() { [[ $(lake "$lake/shop/orders" 'SELECT total FROM T WHERE id = 2') == 3.00 ]]; }
until_ok 60 "a change arrives after it" changed

# Stopped, it has ended well.
systemctl stop tablehaul-tail@shop
want "state after stop" "$(state tail ActiveState) $(state tail Result) $(state tail ExecMainStatus)" "inactive success 0"

# Wrong usage is not tried again.
sed -i 's/^OPTIONS=/&--no-such-flag /' /etc/tablehaul/shop.env
systemctl start tablehaul-tail@shop || true
failed() { [[ $(state tail ActiveState) == failed ]]; }
until_ok 20 "wrong usage fails" failed
want "exit code of wrong usage" "$(state tail ExecMainStatus) $(state tail NRestarts)" "2 0"
sed -i 's/--no-such-flag //' /etc/tablehaul/shop.env
systemctl reset-failed tablehaul-tail@shop

# A failure is: RestartSec goes by, and it starts again.
echo wrong >/etc/tablehaul/shop.password
systemctl start tablehaul-tail@shop
waiting() { [[ $(state tail SubState) == auto-restart ]]; }
until_ok 60 "a failure waits for its next start" waiting
want "exit code of a wrong password" "$(state tail ExecMainStatus)" 1
systemctl stop tablehaul-tail@shop
echo secret >/etc/tablehaul/shop.password

# The timer knows its night, and makes up for one that was missed.
next=$(systemctl list-timers --no-legend tablehaul-snapshot@nightly.timer)
[[ $next == *" 02:30:00 "* ]] || die "the timer's next time: $next"
systemctl stop tablehaul-snapshot@nightly.timer
touch -d '2 days ago' /var/lib/systemd/timers/stamp-tablehaul-snapshot@nightly.timer
systemctl start tablehaul-snapshot@nightly.timer
copied() { [[ $(state snapshot ExecMainExitTimestampMonotonic) != 0 && $(state snapshot ActiveState) == inactive ]]; }
until_ok 100 "the timer starts the snapshot" copied
want "result of the snapshot" "$(state snapshot Result) $(state snapshot ExecMainStatus)" "success 0"
journalctl -u tablehaul-snapshot@nightly | grep -q 'msg=end .*exit=0' || die "the journal lacks the snapshot's result"

# One that failed is tried again later.
echo wrong >/etc/tablehaul/nightly.password
systemctl start tablehaul-snapshot@nightly || true
waiting() { [[ $(state snapshot SubState) == auto-restart ]]; }
until_ok 60 "a snapshot that failed waits for its next start" waiting
want "exit code of its wrong password" "$(state snapshot ExecMainStatus)" 1
