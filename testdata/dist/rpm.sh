# shellcheck shell=bash
# rpm.sh: the package for Red Hat and its kin, installed in a copy of this
# system, whose own package manager knows nothing of it.

need rpm rpm
need rpm rpm2cpio
need cpio cpio
for arch in amd64 arm64; do
	rpm=$dist/tablehaul_${version}_linux_$arch.rpm
	[[ $arch == amd64 ]] && machine=x86_64 || machine=aarch64
	want "name and architecture of $arch" "$(rpm -qp --qf '%{NAME} %{ARCH} %{LICENSE}' "$rpm")" "tablehaul $machine Apache-2.0"
	files=$(rpm -qlp "$rpm")
	for file in /usr/bin/tablehaul /usr/share/man/man1/tablehaul-tail.1.gz /usr/share/zsh/site-functions/_tablehaul \
		/usr/lib/systemd/system/tablehaul-tail@.service /usr/share/licenses/tablehaul/LICENSE /usr/share/doc/tablehaul/docs/operations.md; do
		grep -qxF "$file" <<<"$files" || die "the rpm of $arch lacks $file"
	done
	mkdir "$work/rpm-$arch"
	# rpm2cpio ends with 1 where a package does not tell the size of what it holds,
	# as nfpm's do not; rpm itself installs it below.
	(cd "$work/rpm-$arch" && { rpm2cpio "$rpm" || true; } | cpio -id --quiet --no-absolute-filenames 2>cpio.log)
	cmp "$(unpack "$dist/tablehaul_${version}_linux_$arch.tar.gz")/tablehaul" "$work/rpm-$arch/usr/bin/tablehaul"
done

[[ $(go env GOHOSTARCH) == amd64 ]] && arch=amd64 || arch=arm64
# --nodeps: /bin/sh is there, but no package of that manager has brought it.
in_copy "$dist/tablehaul_${version}_linux_$arch.rpm" "tablehaul v$version" <<'END'
rpm --initdb
rpm -i --nodeps --nosignature "$1" 2>/dev/null
[[ $(tablehaul version) == "$2 ("* ]]
[[ $(getent passwd tablehaul) == *:/var/lib/tablehaul:*nologin ]]
[[ $(stat -c '%a %U:%G' /etc/tablehaul) == '700 root:root' ]]
rpm -V --nodeps tablehaul
rpm -U --force --nodeps --nosignature "$1" 2>/dev/null
rpm -e tablehaul 2>/dev/null
[[ ! -e /usr/bin/tablehaul ]]
END
