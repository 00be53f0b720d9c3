#!/bin/sh
# SPDX-License-Identifier: MIT
#
# contexts.sh SOURCE_ROOT LIBKIN.a LIBKIN.so HELPER CC... - starts in programs
# as they are built: static and PIE, entries in archives and libraries, files
# that were replaced, without kin_init
set -eu
root=$1
archive=$2
shared=$3
helper=$4
shift 4
cc="$*"
n=0
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/out" >"$work/err"

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

# Runs; true if it prints that line.
prints() {	# line, command...
	line=$1
	shift
	timeout 60 "$@" >"$work/out" 2>"$work/err" &&
		[ "$(cat "$work/out")" = "$line" ]
}

# Runs; true if it fails, by itself, with those words.
fails() {	# words, command...
	pattern=$1
	r=0
	shift
	timeout 60 "$@" >"$work/out" 2>"$work/err" || r=$?
	[ $r -ne 0 ] && [ $r -ne 124 ] && grep -qe "$pattern" "$work/err"
}

try() {	# words, command...
	words=$1
	shift
	if "$@"; then verdict "$words" 0; else verdict "$words" 1; fi
}

foreign="$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack)
	$(pkg-config --libs liburing libsodium)"
flags="-D_GNU_SOURCE -std=gnu11 -O1 -Wall -Wextra -Werror"

compile() {	# words...
	# shellcheck disable=SC2086
	$cc $flags -I"$root/include" "$@"
}

# Of one build or another; the last words are what it is linked with.
build() {	# file, build, words...
	file=$1
	number=$2
	shift 2
	compile -DKIN_STARTED_BUILD="$number" "$root/tests/started.c" "$@" \
		-pthread -o "$work/$file"
}

theirs=$root/tests/started_theirs.c
compile -DKIN_STARTED_BUILD=1 -ffunction-sections -c "$theirs" \
	-o "$work/theirs.o"
ar rcs "$work/libtheirs.a" "$work/theirs.o"

# shellcheck disable=SC2086
build pie 1 -fPIE -pie -Wl,--gc-sections "$work/libtheirs.a" "$archive" $foreign
# shellcheck disable=SC2086
build pie2 2 -fPIE -pie "$work/libtheirs.a" "$archive" $foreign
for how in fork spawn forkserver; do
	try "a position-independent program: $how" \
		prints "own by $how, build 1" "$work/pie" $how own
done
for how in spawn forkserver; do
	try "an entry of an archive outlives the linker: $how" \
		prints "theirs by $how, build 1" "$work/pie" $how theirs
	cp "$work/pie" "$work/moving"
	cp "$work/pie2" "$work/other"
	try "a program whose file was replaced: $how" \
		prints "own by $how, build 1" \
		"$work/moving" -r "$work/other" $how own
	try "and it was: $how" \
		prints "own by $how, build 2" "$work/moving" $how own
	try "without kin_init there is a word, and no end of processes: $how" \
		fails 'ENOEXEC.*kin_init' "$work/pie" -n $how own
done
try 'but fork does without' \
	prints 'own by fork, build 1' "$work/pie" -n fork own
try "nobody else says what a child's parent says" \
	fails 'kin-child' "$work/pie" --kin-child=5
try 'and what is not said that way is for the program' \
	fails 'started: what' "$work/pie" --kin-child=5 more

case $cc in
*-fsanitize*)	;;
*)
	# shellcheck disable=SC2086
	if build static 1 -static "$work/libtheirs.a" "$archive" $foreign \
	   2>"$work/err"; then
		for how in fork spawn forkserver; do
			try "a static program: $how" \
				prints "own by $how, build 1" \
				"$work/static" $how own
		done
		try 'and its archive' prints 'theirs by spawn, build 1' \
			"$work/static" spawn theirs
	else
		sed 's/^/# /' "$work/err"
		echo "# SKIP: the libraries are not there to link statically"
	fi ;;
esac

library() {	# file, build
	compile -DKIN_STARTED_BUILD="$2" -fPIC -shared "$theirs" "$shared" \
		-Wl,-soname,"$work/libtheirs.so" -o "$work/$1"
}
library libtheirs.so 1
rpath=$(dirname "$shared")
build dynamic 1 "$work/libtheirs.so" "$shared" -Wl,-rpath,"$rpath"
export KIN_HELPER="$helper" LD_LIBRARY_PATH="$rpath"
for how in spawn forkserver; do
	try "an entry of a library: $how" \
		prints "theirs by $how, build 1" "$work/dynamic" $how theirs
	try "an entry of a library, by the helper: $how" \
		prints "theirs by $how, build 1" "$work/dynamic" -n $how theirs
	library newer.so 2
	try "a library that was replaced is refused: $how" \
		fails 'ESTALE.*libtheirs' "$work/dynamic" -r "$work/newer.so" \
		-t "$work/libtheirs.so" $how theirs
	library libtheirs.so 1
done
try 'without the helper there is a word' \
	fails 'no-helper' env KIN_HELPER=/no-helper "$work/dynamic" -n spawn \
	theirs
try 'the helper alone does nothing' fails 'kin starts' "$helper"
echo "1..$n"
exit $failed
