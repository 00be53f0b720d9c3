#!/bin/sh
# SPDX-License-Identifier: MIT
#
# readme.sh SOURCE_ROOT LIBKIN.a CC... - the README's program, as printed
set -eu
root=$1
library=$2
shift 2
n=0
failed=0

verdict() {	# words, status
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		failed=1
	fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What stands between a line "```$1" and the next "```".
block() {
	awk -v open='```'"$1" '$0 == "```" { inside = 0 } inside
		$0 == open { inside = 1 }' "$root/README.md"
}

block c >"$work/program.c"
block output >"$work/expected"

lines=$(wc -l <"$work/program.c")
[ "$lines" -gt 0 ] && [ "$lines" -le 25 ] && r=0 || r=1
verdict "it has $lines lines, 25 at most" "$r"

# What the static library leaves to others.
foreign="$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack)
	$(pkg-config --libs liburing libsodium)"
# shellcheck disable=SC2086
"$@" -std=gnu11 -Wall -Wextra -Werror -I"$root/include" "$work/program.c" \
	"$library" $foreign -pthread -o "$work/program" && r=0 || r=1
verdict 'it compiles as printed' "$r"

"$work/program" >"$work/out" && r=0 || r=1
verdict 'it runs' "$r"

diff "$work/expected" "$work/out" >"$work/diff" && r=0 || r=1
sed 's/^/# /' "$work/diff"
verdict 'it prints what the README says' "$r"
echo "1..$n"
exit $failed
