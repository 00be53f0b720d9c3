#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test.sh - build kin and run its tests, in every configuration
#
#      sh tools/test.sh                  all of them
#      sh tools/test.sh gcc valgrind     only these
#
#      gcc, clang   every suite, warnings are errors; the models, which are no
#                   C, and the proofs of suite crash only by gcc
#      asan         suites unit, examples and hostile, under the address and
#                   the undefined behaviour sanitizers
#      tsan         suite threads, under the thread sanitizer
#      valgrind     suite valgrind, the gcc build
#
# and, only if it is named, since it takes long:
#
#      nightly      suite nightly: the provers at every instruction and every
#                   pair of points, and more states of the models, in the gcc
#                   build; the fuzzers, for a minute each, and peers that write
#                   anything, for $KIN_NIGHTLY seconds a kind (3600), under
#                   clang's address and undefined behaviour sanitizers
#
# The last line is the sum: "N passed, N failed, N skipped".
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
passed=0
failed=0
skipped=0

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# Keep it to oneself unless it fails.
quietly() {
	"$@" >"$log" 2>&1 || {
		cat "$log"
		return 1
	}
}

# build NAME CC CXX OPTIONS...: build all of kin in build/NAME.
build() {
	dir=$root/build/$1
	cc=$2
	cxx=$3
	shift 3
	if [ ! -f "$dir/build.ninja" ]; then
		quietly env CC="$cc" CXX="$cxx" meson setup "$@" \
			-Dtests=enabled "$dir" "$root" || return 1
	fi
	quietly ninja -C "$dir"
}

# Count the results in a log of meson.  It has a section for each program, with
# how that ended and what it said.  A program that ended badly without having
# said "not ok" is one failure; one that does not speak TAP is one test.
count() {
	awk '
	function program_ends() {
		bad = result != "exit status 0" && result != "exit status 77"
		if (result != "" && oks + not_oks + skips == 0 && !bad) {
			if (result == "exit status 0")
				oks = 1
			else
				skips = 1
		}
		if (result != "" && bad && not_oks == 0)
			not_oks = 1
		all_oks += oks
		all_not_oks += not_oks
		all_skips += skips
		oks = not_oks = skips = 0
		result = part = ""
	}
	/^=+ [0-9]+\/[0-9]+ =+$/ { program_ends(); part = "head" }
	/^-+ stdout -+$/ { part = "stdout" }
	/^-+ stderr -+$/ { part = "stderr" }
	/^=+$/ { part = "end" }
	part == "head" && sub(/^result: */, "") { result = $0 }
	part != "stdout" { next }
	/^(not )?ok.*# *[Ss][Kk][Ii][Pp]/ { skips++; next }
	/^ok / { oks++ }
	/^not ok / { not_oks++ }
	END { program_ends(); print all_oks + 0, all_not_oks + 0, all_skips + 0 }
	' "$1"
}

# run NAME MESON-TEST-ARGUMENTS...: run the tests of build/NAME, add them up.
run() {
	dir=$root/build/$1
	shift
	rm -f "$dir"/meson-logs/testlog*.txt
	status=0
	meson test -C "$dir" --no-rebuild --print-errorlogs "$@" </dev/null ||
		status=$?

	set -- 0 0 0
	for file in "$dir"/meson-logs/testlog*.txt; do
		if [ -f "$file" ]; then
			# shellcheck disable=SC2046 # it is three numbers
			set -- $(count "$file")
		fi
	done
	# There are no tests, or the log hides what failed.
	if [ $(($1 + $2 + $3)) -eq 0 ] ||
		{ [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; }; then
		set -- "$1" 1 "$3"
	fi
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
	echo "== $1 ok, $2 not ok, $3 skipped"
}

test_gcc() {
	build gcc gcc g++ -Dwerror=true &&
		run gcc
}

test_clang() {
	build clang clang clang++ -Dwerror=true &&
		run clang --no-suite models --no-suite crash
}

test_asan() {
	build asan gcc g++ -Db_sanitize=address,undefined -Db_lundef=false &&
		run asan --suite unit --suite examples --suite hostile -t 3
}

test_tsan() {
	build tsan gcc g++ -Db_sanitize=thread -Db_lundef=false &&
		run tsan --suite threads -t 5
}

test_valgrind() {
	# Leaks are the address sanitizer's: children that _exit have many.
	build gcc gcc g++ -Dwerror=true &&
		run gcc --suite valgrind -t 10 \
			--wrapper 'valgrind -q --error-exitcode=99'
}

test_nightly() {
	build gcc gcc g++ -Dwerror=true &&
		run gcc --suite nightly &&
		build fuzz clang clang++ -Db_sanitize=address,undefined \
			-Db_lundef=false -Dfuzz=enabled &&
		meson configure -Dnightly="${KIN_NIGHTLY:-3600}" \
			"$root/build/fuzz" &&
		quietly ninja -C "$root/build/fuzz" &&
		run fuzz --suite nightly
}

[ $# -gt 0 ] || set -- gcc clang asan tsan valgrind
needs=test
for name; do
	case $name in
	nightly)
		needs=nightly
		;;
	gcc | clang | asan | tsan | valgrind) ;;
	*)
		echo "test: no configuration '$name'" >&2
		exit 2
		;;
	esac
done

sh "$root/tools/setup.sh" $needs
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for name; do
	echo "== $name"
	since=$(date +%s)
	"test_$name" || {
		echo "$name did not build"
		failed=$((failed + 1))
	}
	echo "== $name took $(($(date +%s) - since)) s"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
