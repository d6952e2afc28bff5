# shellcheck shell=bash
# files.sh: all that is expected is there and nothing else, and its sums agree.

same "what was built" "$(cd "$dist" && ls -- *.tar.gz *.deb *.rpm SHA256SUMS | sort)" "$({
	for os in darwin linux; do for arch in amd64 arm64; do
		echo "tablehaul_${version}_${os}_$arch.tar.gz"
	done; done
	for arch in amd64 arm64; do for kind in deb rpm; do
		echo "tablehaul_${version}_linux_$arch.$kind"
	done; done
	echo SHA256SUMS
} | sort)"
same "names in SHA256SUMS" "$(cut -c67- "$dist/SHA256SUMS" | sort)" "$(cd "$dist" && ls -- *.tar.gz *.deb *.rpm | sort)"
(cd "$dist" && sha256sum --quiet --strict -c SHA256SUMS)

man=$(ls dist-docs/man1)
[[ $man == *tablehaul-tail.1* && $man == *tablehaul-snapshot.1* ]] || die "dist-docs/man1 lacks pages: $man"
for archive in "$dist"/*.tar.gz; do
	top=$(basename "$archive" .tar.gz)
	same "content of $top" "$(tar -tzf "$archive" | grep -v '/$' | sort)" "$({
		printf '%s\n' CHANGELOG.md LICENSE README.md THIRD_PARTY_LICENSES tablehaul
		git ls-files docs
		sed 's#^#man1/#' <<<"$man"
		printf 'completions/%s\n' bash fish zsh
		printf 'systemd/%s\n' tablehaul-snapshot@.{service,timer} tablehaul-tail@.service
	} | sed "s#^#$top/#" | sort)"
	same "owners in $top" "$(tar --numeric-owner -tvzf "$archive" | awk '{print $2}' | sort -u)" 0/0
	dir=$(unpack "$archive")
	want "mode of the program in $top" "$(stat -c %a "$dir/tablehaul")" 755
	cmp LICENSE "$dir/LICENSE"
	for module in github.com/apache/iceberg-go github.com/apache/arrow-go/v18 modernc.org/sqlite; do
		grep -q "^$module v" "$dir/THIRD_PARTY_LICENSES" || die "THIRD_PARTY_LICENSES lacks $module"
	done
done
