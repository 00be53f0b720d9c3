#!/bin/sh
# SPDX-License-Identifier: MIT
#
# readonly.sh READONLY - the example, without its bug and with it
set -eu
readonly=$1
n=0
failed=0

verdict() {	# words, status
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$work/out" "$work/err"
		failed=1
	fi
}

# The status of a command, for verdict.
try() {
	if "$@" >/dev/null 2>&1; then r=0; else r=1; fi
}

# A sanitizer's own report would end the child in another way.
for tool in ASAN UBSAN TSAN; do
	eval "$tool"'_OPTIONS="${'"$tool"'_OPTIONS:-}:handle_segv=0"'
	export "${tool?}_OPTIONS"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$readonly" >"$work/out" 2>"$work/err" && r=0 || r=1
verdict 'it bills, and checks itself' "$r"
[ "$(grep -c '^child [0-9]* exited with 0$' "$work/out")" -eq 3 ] && r=0 || r=1
verdict 'three children end well' "$r"
[ ! -s "$work/err" ] && r=0 || r=1
verdict 'nothing is said' "$r"
# 1000 prices of 32 bytes, and a few bytes of other arguments.
try awk '/^total/ { exit !($6 >= 32000 && $6 < 33000) }' "$work/out"
verdict 'the table was copied once' "$r"

"$readonly" --bug >"$work/out" 2>"$work/err" &
parent=$!
if wait $parent; then r=0; else r=$?; fi
verdict 'with its bug it ends with 1' $((r != 1))
child=$(sed -n 's/^child \([0-9]*\) killed by SIGSEGV.*/\1/p' "$work/out")
try test -n "$child"
verdict 'the child with the bug was killed by SIGSEGV' "$r"
[ "$(grep -c '^child [0-9]* exited with 0$' "$work/out")" -eq 2 ] && r=0 || r=1
verdict 'the others ended well' "$r"
try grep -E "^kin: pid $child wrote to frozen 'config' \+0x[0-9a-f]+, frozen\
 by pid $parent\$" "$work/err"
verdict 'the report names both processes and the table' "$r"
try grep -E '^kin:   at .*readonly.*\+0x[0-9a-f]+' "$work/err"
verdict 'and the place in the code' "$r"
echo "1..$n"
exit $failed
