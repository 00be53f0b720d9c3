#!/bin/sh
# SPDX-License-Identifier: MIT
#
# headers.sh SOURCE_ROOT CC... - each public header compiles alone, in C and
# in C++17, without a warning
set -eu
cd "$1"
shift
flags='-Iinclude -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only'
n=0
failed=0

alone() {	# language, standard, header, compiler...
	language=$1
	standard=$2
	header=$3
	shift 3
	n=$((n + 1))
	# shellcheck disable=SC2086
	if printf '#include <kin/%s>\nint main(void);\n' "$header" |
	   "$@" $flags -std="$standard" -x "$language" -; then
		echo "ok $n - $header in $standard"
	else
		echo "not ok $n - $header in $standard"
		failed=1
	fi
}

for path in include/kin/*.h; do
	header=${path##*/}
	alone c gnu11 "$header" "$@"
	alone c++ c++17 "$header" "$@"
done
echo "1..$n"
exit $failed
