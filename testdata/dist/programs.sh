# shellcheck shell=bash
# programs.sh: each program is for its system, static, stamped, and runs where
# this machine can run it.

host=$(go env GOHOSTARCH)
stamp="tablehaul v$version (${commit:0:12} of $(TZ=UTC0 git log -1 --date=format-local:%F --format=%cd), $(go env GOVERSION), "
for archive in "$dist"/*.tar.gz; do
	program=$(unpack "$archive")/tablehaul
	arch=${archive%.tar.gz} arch=${arch##*_} os=${archive%_*} os=${os##*_}
	info=$(go version -m "$program")
	for setting in GOOS="$os" GOARCH="$arch" CGO_ENABLED=0 -trimpath=true vcs.revision="$commit" vcs.modified=false; do
		grep -qxF "	build	$setting" <<<"$info" || die "$os/$arch is not built with $setting: $info"
	done
	case $os in
	darwin) want "first bytes of $os/$arch" "$(head -c 4 "$program" | od -An -tx1)" " cf fa ed fe" ;;
	linux)
		emulator=''
		if [[ $arch != "$host" ]]; then
			case $arch in arm64) emulator=qemu-aarch64-static ;; amd64) emulator=qemu-x86_64-static ;; esac
			need qemu-user-static "$emulator"
		fi
		want "version of $os/$arch, alone in a root" "$(alone "$program" version)" "$stamp$os/$arch)"
		alone "$program" tail --help | grep -q '^Usage:' || die "$os/$arch: no help"
		;;
	esac
	# No path of the machine that built it.
	! grep -qF "$PWD" "$program" || die "$os/$arch holds the path $PWD"
done
