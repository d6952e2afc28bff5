# shellcheck shell=bash
# systemd.sh: a systemd boots in the copy, in a container of systemd-nspawn that
# shares the network, and there systemd-inside.sh uses the page's units.

tablehaul_user
tablehaul man /usr/local/share/man/man1 # which the units name
put shop.env /etc/tablehaul/shop.env
put nightly.env /etc/tablehaul/nightly.env
for name in shop nightly; do install -m 600 <(echo secret) /etc/tablehaul/$name.password; done
put tablehaul-tail@.service "/etc/systemd/system/tablehaul-tail@.service"
put tablehaul-snapshot@.service "/etc/systemd/system/tablehaul-snapshot@.service"
put tablehaul-snapshot@.timer "/etc/systemd/system/tablehaul-snapshot@.timer"
for unit in tail@shop.service snapshot@nightly.service snapshot@nightly.timer; do
	verdict=$(systemd-analyze verify "/etc/systemd/system/tablehaul-$unit" 2>&1 | grep tablehaul) || true
	want "systemd-analyze verify $unit" "$verdict" ""
done
for unit in tail snapshot; do
	exposure=$(systemd-analyze security --offline=yes "/etc/systemd/system/tablehaul-$unit@.service" | tail -n 1 | grep -oE '[0-9]+\.[0-9]')
	[[ ${exposure%.*} -lt 2 ]] || die "systemd-analyze finds tablehaul-$unit@.service exposed: $exposure"
done

# Units of this system that have nothing to do in the container.
for unit in getty.target console-getty.service systemd-logind.service cron.service \
	apt-daily.timer apt-daily-upgrade.timer prometheus.service prometheus-node-exporter.service logrotate.timer; do
	ln -sf /dev/null "/etc/systemd/system/$unit"
done
cat >/etc/systemd/system/inside.service <<END
[Unit]
After=basic.target
[Service]
Type=oneshot
Environment="repo=$repo" "here=$here" HOME=/root TZ=UTC MYSQL_HOST=127.0.0.1
ExecStart=/bin/bash -c 'bash -euo pipefail $here/systemd-inside.sh >/var/tmp/inside.log 2>&1 && touch /var/tmp/inside.ok; systemctl --no-block poweroff'
[Install]
WantedBy=multi-user.target
END
mkdir -p /etc/systemd/system/multi-user.target.wants
rm -f /etc/systemd/system/multi-user.target.wants/*
ln -s ../inside.service /etc/systemd/system/multi-user.target.wants/
# It refuses / itself.
mkdir /srv/system
mount --bind / /srv/system
timeout 400 systemd-nspawn --quiet --register=no --keep-unit --directory=/srv/system --bind-ro="$repo" --boot systemd.unit=multi-user.target \
	>/var/tmp/boot.log 2>&1 </dev/null || true
[[ -e /var/tmp/inside.ok ]] || { tail -n 40 /var/tmp/boot.log /var/tmp/inside.log >&2; die "inside of systemd it went wrong"; }
cat /var/tmp/inside.log
