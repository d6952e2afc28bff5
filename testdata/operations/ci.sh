# shellcheck shell=bash
# ci.sh: the smoke job, and that it notices what is wrong.

dir=$(mktemp -d) && cd "$dir"
put smoke.sh smoke.sh 755
export TABLEHAUL_PASSWORD=secret
out=$(./smoke.sh) || die "the smoke job ended with $?: $out"
want "its last line" "$(tail -n 1 <<<"$out")" "the pipeline works"
want "tables that it counted" "$(grep -c ' rows$' <<<"$out")" 6

rm -rf lake
code=0
out=$(TABLEHAUL_PASSWORD=wrong ./smoke.sh 2>/dev/null) || code=$?
want "exit code with a wrong password" "$code" 1
[[ $out == *"Access denied"* ]] || die "the error is not told: $out"
