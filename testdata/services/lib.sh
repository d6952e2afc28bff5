# shellcheck shell=bash
# lib.sh: what the service scripts beside it share. A script sets `service` and
# `port`, defines the functions below and ends with `service_main "$@"`:
#
#   service_option NAME VALUE   take one more option (return 1: not known)
#   service_install             fetch what the server needs, into $cache
#   service_launch              start the server with `launch`
#   service_ready               succeed once this instance answers
#   service_env                 print the settings of a test with `setting`
#
# and those further down that have a default. They may use $cache, $data (folder of this instance), $log and $here.
set -euo pipefail
umask 022
unset CDPATH LD_PRELOAD
: "${service:?}" "${port:?}"

cache=${TABLEHAUL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/tablehaul}
[[ $cache == /* ]] || cache=$PWD/$cache
# shellcheck disable=SC2034
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
start_timeout=60 stop_timeout=30 stop_signal=TERM
data='' log='' wipe=''

say() { echo "$service: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

usage() {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# setting prints KEY=VALUE. A plain value stays unquoted, so that both
# `eval "$(… env)"` and `export $(… env)` read it.
setting() {
	if [[ $2 =~ ^[A-Za-z0-9_@%+=:,./-]*$ ]]; then echo "$1=$2"; else echo "$1=${2@Q}"; fi
}

# --- the process -------------------------------------------------------------
# $data/pid holds the pid alone. $data/pid.id tells which process that was: a
# pid is given out again, but never with the same start time in the same boot.

process_id() { # PID: pid, start time, boot
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra stat <<<"${stat##*) }"
	# A killed process can be a zombie while its threads still hold port and files.
	[[ ${stat[0]} != [ZX] ]] || (($(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) > 1)) || return 1
	echo "$1 ${stat[19]} $(cat /proc/sys/kernel/random/boot_id)"
}

pid() { cat "$data/pid" 2>/dev/null; }

alive() {
	local p id
	p=$(pid) && [[ $p =~ ^[0-9]+$ ]] && id=$(process_id "$p") &&
		[[ $id == "$(cat "$data/pid.id" 2>/dev/null)" ]]
}

record() { # PID
	# The identity goes first: a pid without it counts as dead, never as ours.
	process_id "$1" >"$data/pid.id" || true
	echo "$port" >"$data/port"
	echo "$1" >"$data/pid"
}

# launch runs a command as the server: detached, and without the files that we
# or our caller have open: a lock among them would stay taken while it lives. It is
# recorded first, still with our lock: a start after one that was killed knows of it.
launch() {
	(
		record "$BASHPID"
		for fd in "/proc/$BASHPID/fd/"*; do
			((${fd##*/} < 3)) || eval "exec ${fd##*/}>&-"
		done
		exec setsid "$@"
	) </dev/null >>"$log" 2>&1 &
	while [[ $(pid) != "$!" ]] && kill -0 "$!" 2>/dev/null; do sleep 0.01; done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# write_extra appends the file of --config to the server's settings.
extra=''
write_extra() { [[ -z $extra ]] || cat "$extra" >>"$data/my.cnf"; }

# What a service may define anew.
service_option() { return 1; }                          # NAME VALUE
service_running() { :; }                                # refuse what differs from the running one
service_kill() { kill -"$1" "$2" 2>/dev/null || true; } # SIGNAL PID
service_end() { kill_server; }                          # end all of its processes

# http_answers PATH: a whole HTTP answer comes, whatever its status.
http_answers() {
	local line=''
	# shellcheck disable=SC2016
	line=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3 && head -n 1 <&3' "$port" "$1" 2>/dev/null) || true
	[[ $line == HTTP/* ]]
}

forget() { rm -f "$data/pid" "$data/pid.id"; }

kill_server() {
	local p i
	alive || { forget; return 0; }
	p=$(pid)
	service_kill "$stop_signal" "$p"
	for ((i = 0; i < stop_timeout * 10; i++)); do
		alive || break
		sleep 0.1
	done
	if alive; then
		say "pid $p did not end in $stop_timeout s; killing it"
		service_kill KILL "$p"
		for ((i = 0; i < 50; i++)); do alive || break; sleep 0.1; done
		! alive || die "pid $p survives SIGKILL"
	fi
	forget
}

start_failed() { # MESSAGE
	say "$1; the end of $log:"
	tail -n 25 "$log" >&2 2>/dev/null || true
	die "remedy: mend what the log names, or begin afresh: '$0 stop --port $port --data $data && rm -r $data'"
}

# wait_ready OURS: until the server answers. Where it ends instead, that is the
# end of us too if we started it (OURS is yes); else it is only told.
wait_ready() {
	local deadline=$((SECONDS + start_timeout))
	until service_ready; do
		alive || break
		if ((SECONDS >= deadline)); then
			[[ $1 == yes ]] || die "runs as pid $(pid), but has not answered on 127.0.0.1:$port for $start_timeout s; see $log, or '$0 stop --port $port'"
			service_end
			start_failed "no answer on 127.0.0.1:$port in $start_timeout s; stopped it"
		fi
		sleep 0.1
	done
	# What answered may be another program, which took the port just before, or a server
	# that was killed and has not closed it yet.
	alive || { [[ $1 == yes ]] || return 1; service_end; start_failed "the server ended while starting"; }
}

# --- installing --------------------------------------------------------------

as_root() {
	if ((EUID == 0)); then "$@"; elif have sudo && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

# need_packages installs Debian packages in the system.
need_packages() {
	have apt-get || die "please install: $* (no apt-get here)"
	say "installing with apt-get: $*"
	mkdir -p "$cache"
	{
		as_root apt-get -q -o DPkg::Lock::Timeout=300 update &&
			as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
				install --no-install-recommends "$@"
	} >"$cache/apt.log" 2>&1 </dev/null || {
		tail -n 15 "$cache/apt.log" >&2
		die "could not install them; as root: apt-get update && apt-get install $*"
	}
}

# install_once DEST SPEC COMMAND…: makes folder DEST by running COMMAND… TMP.
# DEST appears by a rename, so a folder that is there is whole; it is kept until
# SPEC changes (one that is only a number is raised by hand). The lock makes the second of two starts wait for the first, and
# whatever a killed one left is removed by the next.
install_once() {
	local dest=$1 spec=$2 tmp
	shift 2
	installed "$dest" "$spec" && return
	mkdir -p "$cache/lock"
	exec 9>"$cache/lock/${dest##*/}"
	flock -n 9 || { say "waiting for another install of ${dest##*/}"; flock -w 1800 9; } ||
		die "another install of ${dest##*/} still runs after 30 minutes"
	if ! installed "$dest" "$spec"; then
		rm -rf "$dest".tmp.* "$dest".old.*
		tmp=$dest.tmp.$$
		mkdir -p "$tmp"
		say "installing ${dest##*/} (once) into $cache"
		# In a subshell with errexit: `||` here would switch errexit off inside.
		set +e
		(set -e; "$@" "$tmp") >"$cache/${dest##*/}.log" 2>&1 </dev/null
		local rc=$?
		set -e
		if ((rc != 0)); then
			tail -n 25 "$cache/${dest##*/}.log" >&2
			rm -rf "$tmp"
			die "installing ${dest##*/} went wrong; all of its output: $cache/${dest##*/}.log"
		fi
		echo "$spec" >"$tmp/.spec"
		[[ ! -e $dest ]] || mv -T "$dest" "$dest.old.$$"
		mv -T "$tmp" "$dest"
		rm -rf "$dest.old.$$"
	fi
	exec 9>&-
}

installed() { [[ $(cat "$1/.spec" 2>/dev/null) == "$2" ]]; }

# debian_mirrors prints the sources of this Debian release that apt uses. apt
# itself is asked, so that every form of sources list is understood. A vendor's
# source for this release can be among them.
debian_mirrors() {
	local os uris
	os=$(. /etc/os-release && echo "${ID:-} ${VERSION_CODENAME:-none}")
	[[ $os == debian\ * ]] && uris=$(apt-get update --print-uris 2>/dev/null) || return 1
	sed -nE "s#^'([^']*)/dists/(${os#* }|stable|testing)/InRelease'.*#\1#p" <<<"$uris" | sort -u | grep .
}

# apt_unpack FROM PATTERN… DIR unpacks the newest package whose name matches
# each PATTERN, with all it depends on down to libc, into DIR/root. FROM is sid,
# or host for the releases this system uses. apt runs on a state of its own:
# neither root nor the system's packages are touched, and no service starts. With
# apt_alone set, what they depend on is left out.
apt_unpack() {
	local from=$1 dir=${*: -1} patterns=("${@:2:$#-2}") mirrors keyring list=() p name deb
	if ! have apt-get || ! have dpkg-deb; then echo "no apt-get here"; return 1; fi
	mkdir -p "$dir"/apt/{parts,preferences,lists/partial,cache/archives/partial} "$dir/root"
	: >"$dir/apt/status"
	case $from in
	sid)
		mirrors=$(debian_mirrors) || { echo "apt uses no Debian mirror here"; return 1; }
		# The key leaves of these only Debian's own.
		for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
			[[ -r $keyring ]] && break
		done
		for p in $mirrors; do echo "deb [signed-by=$keyring] $p sid main"; done >"$dir/apt/parts/sid.list"
		;;
	host)
		for p in /etc/apt/sources.list{,.d/*.list,.d/*.sources}; do
			[[ ! -r $p ]] || cp "$p" "$dir/apt/parts/"
		done
		;;
	esac
	# The system's own settings are left out, for their hooks, but for proxies and
	# certificates. sid's Release file can count as expired on a mirror that lags.
	apt-config dump | grep -E '^Acquire::(http|https)::' >"$dir/apt.conf" || true
	cat >>"$dir/apt.conf" <<-END
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$dir/apt/parts";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "$dir/apt/preferences";
		Dir::State "$dir/apt";
		Dir::State::lists "$dir/apt/lists";
		Dir::State::status "$dir/apt/status";
		Dir::Cache "$dir/apt/cache";
		APT::Architectures { "$(dpkg --print-architecture)"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		APT::Keep-Downloaded-Packages "true";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::Check-Valid-Until "false";
		Acquire::Check-Date "false";
	END
	export APT_CONFIG=$dir/apt.conf
	# A foreign source that cannot be fetched need not matter; a package that is
	# missing because of it is noticed below.
	apt-get -qq update || true
	for p in "${patterns[@]}"; do
		name=$(apt-cache search --names-only "$p" | cut -d' ' -f1 | sort -V | tail -n 1)
		[[ -n $name ]] || { echo "no package is named like $p"; return 1; }
		list+=("$name")
	done
	if [[ -z ${apt_alone:-} ]]; then
		apt-get -qq -y --download-only install "${list[@]}"
	else
		(cd "$dir/apt/cache/archives" && apt-get -qq download "${list[@]}")
	fi
	# Not every release has all libraries below /usr; here they are.
	mkdir -p "$dir"/root/usr/{bin,sbin,lib,lib64}
	ln -s usr/{bin,sbin,lib,lib64} "$dir/root/"
	for deb in "$dir"/apt/cache/archives/*.deb; do
		case ${deb##*/} in perl* | libperl* | libgdbm* | libdb5*) continue ;; esac
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir/root" --no-same-owner --keep-directory-symlink \
			--exclude=./usr/share/{doc,man,locale}
	done
	rm -rf "$dir/apt" "$dir/apt.conf"
	[[ -n ${apt_alone:-} ]] || unpacked_loader "$dir/root"
}

# unpacked_loader ROOT sets loader: the command line that runs a program with
# the C library and the libraries unpacked in ROOT, the program to follow.
unpacked_loader() {
	local ld
	for ld in "$1"/usr/lib/*-linux-gnu/ld-linux*.so.*; do
		[[ -x $ld ]] || continue
		# shellcheck disable=SC2034
		loader=("$ld" --library-path "${ld%/*}")
		return
	done
	echo "no dynamic loader in $1"
	return 1
}

# maven_jars POM DIR: the runtime dependencies of POM, into DIR.
maven_jars() {
	java_tools mvn
	# Two Mavens must not write the local repository at once.
	mkdir -p "$cache/lock"
	(
		flock -w 1800 7
		mvn -q -B -ntp -f "$1" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2"
	) 7>"$cache/lock/maven"
}

java_tools() { # COMMAND…
	local c
	for c; do
		have "$c" && continue
		if [[ $c == mvn ]]; then need_packages default-jdk-headless maven; else need_packages default-jdk-headless; fi
	done
}

# --- MySQL and MariaDB --------------------------------------------------------

# socket: a Unix socket's path must fit in 107 bytes.
socket() {
	if ((${#data} < 90)); then echo "$data/my.sock"; else echo "/tmp/tablehaul-$service-$EUID-$port.sock"; fi
}

# copy_data MADE COMMAND… makes the data folder, as a copy of one that make_data makes
# once for each program, the last word of COMMAND: a copy takes a tenth of the time.
copy_data() {
	install_once "$1" "$(stat -Lc '%n %s %Y' "${*: -1}")" make_data "${@:2}"
	rm -rf "$data/data.tmp"
	cp -R "$1/data" "$data/data.tmp"
	mv -T "$data/data.tmp" "$data/data"
}

# write_client makes the script that runs this server's client, given as the
# command line of it with its first options, which the caller can overrule.
write_client() {
	printf '#!/bin/sh\nexec%s "$@"\n' "$(printf ' %q' "$@" --default-character-set=utf8mb4 --max-allowed-packet=1G --local-infile=1)" \
		>"$data/client.tmp"
	chmod 755 "$data/client.tmp"
	mv "$data/client.tmp" "$data/client"
}

# server_answers asks over TCP, as a test will, and compares the socket's path:
# an answer may come from another server that took the port just before.
server_answers() {
	[[ $(timeout 10 "$data/client" -h127.0.0.1 -P"$port" -uroot -NBe 'select @@socket' 2>/dev/null) == "$(socket)" ]]
}

# --- commands ----------------------------------------------------------------

do_start() {
	mkdir -p "$data"
	exec 8>"$data/lock"
	flock -w 1800 8 || die "another start of $data still runs"
	if alive; then
		[[ $(cat "$data/port") == "$port" ]] ||
			die "$data is in use by the server on port $(cat "$data/port"); give another --data"
		service_running
		if wait_ready no; then
			echo "$service: already running pid=$(pid) port=$port"
			return
		fi
	fi
	forget
	! port_open || die "port $port is taken by another program$(port_owner); stop it or give another --port"
	service_install
	[[ ! -s $log ]] || mv "$log" "$log.old"
	: >"$log"
	service_launch
	wait_ready yes
	echo "$service: running pid=$(pid) port=$port"
}

port_owner() {
	have ss || return 0
	ss -Hltnp "sport = :$port" 2>/dev/null | grep -om1 'users:.*' | sed 's/^/ /' || true
}

do_stop() {
	[[ -d $data ]] || { echo "$service: stopped"; return; }
	exec 8>"$data/lock"
	flock -w 1800 8 || die "a start of $data still runs"
	service_end
	# Of a folder that no start has made nothing is removed.
	[[ -z $wipe || ! -e $log ]] || find "$data" -mindepth 1 ! -path "$data/lock" -delete
	echo "$service: stopped"
}

do_status() {
	alive || { echo stopped; exit 3; }
	echo "running pid=$(pid) port=$(cat "$data/port")"
}

service_main() {
	local command=${1:-}
	[[ $command =~ ^(start|stop|status|env)$ ]] || usage
	shift
	while (($#)); do
		taken=2 # service_option sets it to 1 for an option without a value
		case $1 in
		--port) port=${2:-} ;;
		--data) data=${2:-} ;;
		--now) stop_signal=KILL taken=1 ;; # of a server whose data goes with it
		--wipe) wipe=yes taken=1 ;;
		-h | --help) usage ;;
		*) service_option "$1" "${2:-}" || { say "unknown option $1"; usage; } ;;
		esac
		((taken <= $#)) || { say "$1 needs a value"; usage; }
		shift "$taken"
	done
	[[ $port =~ ^[1-9][0-9]{0,4}$ && $port -le 65535 ]] || die "not a port: $port"
	data=${data:-$cache/run/$service-$port}
	[[ $data == /* ]] || data=$PWD/$data
	log=$data/$service.log
	case $command in
	start) do_start ;;
	stop) do_stop ;;
	status) do_status ;;
	env) service_env ;;
	esac
}
