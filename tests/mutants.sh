#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mutants.sh SOURCE_ROOT CC - does the proof table catch what it is for?
#
# Each patch in tests/mutants/ plants one known mistake; its second line names
# the row of the table that must fail.  The same row passes without it.
set -eu
root=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
failed=0

say() {		# ok|not ok, words
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] || failed=1
}

build() {	# in the current folder
	"$@" -std=gnu11 -O2 -D_GNU_SOURCE -I. -Iinclude -Wl,-z,now \
		tests/kill*.c shm/*.c lib/*.c -o kill -pthread
}

mkdir "$work/sound"
cp -r "$root/shm" "$root/lib" "$root/include" "$root/tests" "$work/sound"
(cd "$work/sound" && build "$@")

for patch in "$root"/tests/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	row=$(sed -n 's/^row: //p' "$patch")
	rm -rf "$work/mutant"
	cp -r "$work/sound" "$work/mutant"
	if ! (cd "$work/mutant" &&
	      GIT_CEILING_DIRECTORIES=$work git apply "$patch" &&
	      build "$@"); then
		say 'not ok' "$name: the patch does not fit any more"
	elif ! "$work/sound/kill" "$row" >"$work/out"; then
		say 'not ok' "$name: '$row' fails without it"
	elif "$work/mutant/kill" "$row" >"$work/out"; then
		say 'not ok' "$name: not caught by '$row'"
	else
		say ok "$name is caught: $(sed -n 's/^not ok [0-9]* - //p' \
			"$work/out")"
	fi
done
echo "1..$n"
exit $failed
