# shellcheck shell=bash
# page.sh: no block of the page is left untried.

tried=$(cat "$here"/*.sh "$here/parts" "$repo/packaging/prepare")
for name in $("$repo/packaging/extract" "$page"); do
	grep -qw -- "$name" <<<"$tried" || die "docs/operations.md has a block $name that nothing tries"
done
