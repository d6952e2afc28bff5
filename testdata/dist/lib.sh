# shellcheck shell=bash
# lib.sh: what the parts of check share.

die() { echo "check: $*" >&2; exit 1; }

# want NAME GOT WANT
want() { [[ $2 == "$3" ]] || die "$1: got ${2@Q}, want ${3@Q}"; }

# same NAME GOT WANT compares lines, and shows which differ.
same() { diff -u --label "$1: want" <(echo "$3") --label "$1: got" <(echo "$2") >&2 || exit 1; }

need() { # PACKAGE PROGRAM
	command -v "$2" >/dev/null || die "needs $2; as root: apt-get install $1"
}

# unpack ARCHIVE: prints the folder that it holds, unpacked below $work.
unpack() {
	mkdir -p "$work/archives"
	tar -xzf "$1" -C "$work/archives"
	echo "$work/archives/$(basename "$1" .tar.gz)"
}

# rooted runs a command as root of a mount namespace of its own.
rooted() {
	if ((EUID == 0)); then unshare --mount "$@"; else unshare --map-root-user --mount "$@"; fi
}

# in_copy SCRIPT ARGUMENT…: run a shell script, given on standard input, in a
# copy of this system that is thrown away: an overlay over its root.
in_copy() {
	local upper=$work/overlay
	rm -rf "$upper"
	mkdir -p "$upper/disk"
	# The overlay's own folders lie on a tmpfs: their place may be an overlay itself.
	rooted bash -euo pipefail -c '
		disk=$1; shift
		mount -t tmpfs tmpfs "$disk"
		mkdir "$disk"/{upper,work,root}
		mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" overlay "$disk/root"
		mount --rbind /dev "$disk/root/dev"
		mount --rbind /proc "$disk/root/proc"
		mount -t tmpfs tmpfs "$disk/root/run"
		exec chroot "$disk/root" bash -euo pipefail -s -- "$@"
	' in_copy "$upper/disk" "$@"
}

# alone PROGRAM ARGUMENT…: run it in a root folder that holds nothing else, so
# that it can be linked with nothing; $emulator, if set, is put beside it.
alone() {
	local root=$work/alone program=$1
	shift
	rm -rf "$root"
	mkdir -p "$root/tmp"
	cp "$program" "$root/program"
	if [[ -n ${emulator:-} ]]; then
		cp "$(command -v "$emulator")" "$root/emulator"
		rooted chroot "$root" /emulator /program "$@"
	else
		rooted chroot "$root" /program "$@"
	fi
}
