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

foreign="$(pkg-config --cflags --libs msgpack-c 2>/dev/null ||
	   pkg-config --cflags --libs msgpack) \
	$(pkg-config --cflags --libs liburing libsodium)"

# In the current folder; only what has no object yet.
build() {
	for source in tests/left.c tests/proof/*.c shm/*.c lib/*.c manager/*.c; do
		case $source in
		# Another program.
		tests/proof/suffer.c | tests/proof/plays*.c) ;;
		*) [ -f "$source.o" ] || echo "$source" ;;
		esac
	done >sources
	# shellcheck disable=SC2086 # $foreign is several words
	xargs -P 2 -I '{}' "$@" -std=gnu11 -O2 -D_GNU_SOURCE \
		'-DKN_HELPER="none"' -I. -Iinclude -c '{}' -o '{}.o' <sources &&
		"$@" tests/*.o tests/proof/*.o shm/*.o lib/*.o manager/*.o \
			$foreign -pthread -Wl,-z,now -o prove
}

# The objects of what a patch changes; of all, if it changes a header.
forget() {
	sed -n 's/^+++ b\///p' "$1" | while read -r file; do
		case $file in
		*.c) rm "$file.o" ;;
		*) find . -name '*.o' -delete ;;
		esac
	done
}

mkdir "$work/sound"
cp -r "$root/shm" "$root/lib" "$root/manager" "$root/include" "$root/tests" \
	"$work/sound"
(cd "$work/sound" && build "$@")

for patch in "$root"/tests/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	row=$(sed -n 's/^row: //p' "$patch")
	rm -rf "$work/mutant"
	cp -r "$work/sound" "$work/mutant"
	if ! (cd "$work/mutant" &&
	      GIT_CEILING_DIRECTORIES=$work git apply "$patch" &&
	      forget "$patch" &&
	      build "$@"); then
		say 'not ok' "$name: the patch does not fit any more"
	elif ! "$work/sound/prove" kill "$row" >"$work/out"; then
		say 'not ok' "$name: '$row' fails without it"
	elif "$work/mutant/prove" kill "$row" >"$work/out"; then
		say 'not ok' "$name: not caught by '$row'"
	else
		say ok "$name is caught: $(sed -n 's/^not ok [0-9]* - //p' \
			"$work/out")"
	fi
done
echo "1..$n"
exit $failed
