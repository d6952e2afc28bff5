# shellcheck shell=bash disable=SC2154,SC2016
# kerberos.sh: what hdfs does for --kerberos. The KDC is a part, on the port before the
# first. It knows its keys for as long as it runs, and makes the keytab anew at each start.

kdc_jars=$cache/hdfs-kdc-jars
realm=EXAMPLE.COM
# The superuser's name has to be that of who runs the script, who owns / by the format.
superuser=$(id -un)/localhost
client=app

install_kdc() { install_once "$kdc_jars" "$(cksum <"$source/kdc.xml")" maven_jars "$source/kdc.xml"; }

# launch_kdc starts it and waits for the keytab, without which nothing else starts.
launch_kdc() {
	local log=$data/kdc.log i
	mkdir -p "$data/kdc"
	part kdc forget
	rm -f "$data/kdc/keytab"
	[[ ! -s $log ]] || mv "$log" "$log.old"
	cat >"$data/kdc/settings" <<-END
		org.name=${realm%.*}
		org.domain=${realm#*.}
		kdc.bind.address=127.0.0.1
		kdc.port=$((port - 1))
		transport=TCP
		instance=DefaultKrbServer
		max.ticket.lifetime=86400000
		max.renewable.lifetime=604800000
	END
	cat >"$data/kdc/client.conf" <<-END
		[libdefaults]
		default_realm = $realm
		udp_preference_limit = 1
		[realms]
		$realm = {
		  kdc = 127.0.0.1:$((port - 1))
		}
	END
	part kdc launch java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx64m -cp "$source:$kdc_jars/*" \
		org.apache.hadoop.minikdc.MiniKdc "$data/kdc" "$data/kdc/settings" "$data/kdc/keytab" \
		"$client" "$superuser" HTTP/localhost
	for ((i = 0; i < 300; i++)); do
		! grep -qs 'MiniKdc Running' "$log" || return 0
		part kdc alive || break
		sleep 0.1
	done
	start_failed "no answer of the KDC"
}

# run_login has Hadoop's tools be the superuser, unless the caller says who they are.
run_login() {
	printf '[ -n "$KRB5PRINCIPAL" ] || KRB5PRINCIPAL=%q\n' "$superuser@$realm"
	printf '[ -n "$KRB5KEYTAB" ] || KRB5KEYTAB=%q\n' "$data/kdc/keytab"
	echo export KRB5PRINCIPAL KRB5KEYTAB
}

kerberos_core() {
	echo hadoop.security.authentication=kerberos
}

# Without these ports below 1024 a DataNode would not start, and cannot have them where no root runs it.
kerberos_hdfs() {
	local who
	for who in namenode datanode; do
		echo "dfs.$who.kerberos.principal=$superuser@$realm"
		echo "dfs.$who.keytab.file=$data/kdc/keytab"
	done
	cat <<-END
		dfs.web.authentication.kerberos.principal=HTTP/localhost@$realm
		dfs.web.authentication.kerberos.keytab=$data/kdc/keytab
		dfs.block.access.token.enable=true
		dfs.data.transfer.protection=authentication
		ignore.secure.ports.for.testing=true
	END
}

kerberos_env() {
	setting TABLEHAUL_TEST_HDFS_KRB5_CONF "$data/kdc/client.conf"
	setting TABLEHAUL_TEST_HDFS_KEYTAB "$data/kdc/keytab"
	setting TABLEHAUL_TEST_HDFS_PRINCIPAL "$client@$realm"
	setting TABLEHAUL_TEST_HDFS_SUPERUSER "$superuser@$realm"
	setting TABLEHAUL_TEST_HDFS_KDC_PID "$data/kdc/pid"
}
