# shellcheck shell=bash
# image.sh: the container image is built without fetching anything, and its
# program runs in its root as its user.

need buildah buildah
[[ $(go env GOHOSTARCH) == amd64 ]] && arch=amd64 || arch=arm64
# A storage of its own, which goes with $work.
export BUILDAH_ISOLATION=chroot CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$work/storage" "$work/storage-run" >"$CONTAINERS_STORAGE_CONF"
name=localhost/tablehaul-check:latest
make --no-print-directory image BUILDER=buildah ARCH="$arch" VERSION="v$version" IMAGE="$name" >"$work/image.log" 2>&1 ||
	{ tail -n 30 "$work/image.log" >&2; die "the image was not built"; }
# The program that `make` builds is the one that was released.
cmp "$(unpack "$dist/tablehaul_${version}_linux_$arch.tar.gz")/tablehaul" dist-image/tablehaul

container=$(buildah from --pull-never "$name")
want "user of the image" "$(buildah inspect --format '{{.OCIv1.Config.User}}' "$container")" 65532:65532
want "entry point of the image" "$(buildah inspect --format '{{.OCIv1.Config.Entrypoint}}' "$container")" '[/usr/bin/tablehaul]'
root=$(buildah mount "$container")
same "files of the image" "$(cd "$root" && find . -type f | sort)" "$(printf '%s\n' ./etc/group ./etc/passwd \
	./etc/ssl/certs/ca-certificates.crt ./usr/bin/tablehaul ./usr/share/doc/tablehaul/{LICENSE,THIRD_PARTY_LICENSES} | sort)"
want "mode of /tmp" "$(stat -c %a "$root/tmp")" 1777
# The user may write to /tmp, and to nothing else.
want "what user 65532 may write" "$(find "$root" ! -type l \( -perm -o=w -o -user 65532 -o -group 65532 \))" "$root/tmp"
out=$(rooted chroot --userspec 65532:65532 "$root" /usr/bin/tablehaul version) || die "it does not run in its root"
[[ $out == "tablehaul v$version ("* ]] || die "the image's program is $out"
