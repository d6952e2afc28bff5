# shellcheck shell=bash
# deb.sh: the package for Debian, installed for good in a copy of this system.

need dpkg dpkg-deb
for arch in amd64 arm64; do
	deb=$dist/tablehaul_${version}_linux_$arch.deb
	want "Package of $arch" "$(dpkg-deb -f "$deb" Package)" tablehaul
	want "Architecture of $arch" "$(dpkg-deb -f "$deb" Architecture)" "$arch"
	dpkg --compare-versions "$(dpkg-deb -f "$deb" Version)" lt "${version%%-*}" || [[ $version != *-* ]] ||
		die "a snapshot's version would be newer than the release's: $(dpkg-deb -f "$deb" Version)"
	mkdir "$work/deb-$arch"
	dpkg-deb -x "$deb" "$work/deb-$arch"
	archive=$(unpack "$dist/tablehaul_${version}_linux_$arch.tar.gz")
	cmp "$archive/tablehaul" "$work/deb-$arch/usr/bin/tablehaul"
	for file in man/man1/tablehaul-tail.1.gz bash-completion/completions/tablehaul zsh/vendor-completions/_tablehaul \
		fish/vendor_completions.d/tablehaul.fish doc/tablehaul/copyright doc/tablehaul/THIRD_PARTY_LICENSES doc/tablehaul/docs/operations.md; do
		[[ -s $work/deb-$arch/usr/share/$file ]] || die "the deb of $arch lacks /usr/share/$file"
	done
done

in_copy "$dist/tablehaul_${version}_linux_$(dpkg --print-architecture).deb" "tablehaul v$version" <<'END'
dpkg -i "$1" >/dev/null
[[ $(tablehaul version) == "$2 ("* ]]
[[ $(getent passwd tablehaul) == *:/var/lib/tablehaul:*nologin ]]
[[ $(stat -c '%a %U:%G' /etc/tablehaul) == '700 root:root' ]]
zcat /usr/share/man/man1/tablehaul-tail.1.gz | grep -q '^\.TH'
bash -n /usr/share/bash-completion/completions/tablehaul
if command -v systemd-analyze >/dev/null; then
	for unit in tail@shop.service snapshot@shop.service snapshot@shop.timer; do
		systemd-analyze verify "/usr/lib/systemd/system/tablehaul-$unit"
	done
fi
echo keep >/etc/tablehaul/shop.env
dpkg -i "$1" >/dev/null # again, as an upgrade does
[[ $(</etc/tablehaul/shop.env) == keep ]]
dpkg -r tablehaul >/dev/null 2>&1
[[ ! -e /usr/bin/tablehaul && ! -e /usr/lib/systemd/system/tablehaul-tail@.service ]]
[[ $(</etc/tablehaul/shop.env) == keep ]]
END
