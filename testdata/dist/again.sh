# shellcheck shell=bash
# again.sh: the same commit, built in another folder, makes the same bytes: of
# every program, archive and package.

git clone -q . "$work/again"
make -C "$work/again" --no-print-directory dist >"$work/again.log" 2>&1 || { tail -n 30 "$work/again.log" >&2; die "it cannot be built again"; }
same "sums of what was built again" "$(<"$work/again/dist/SHA256SUMS")" "$(<"$dist/SHA256SUMS")"
