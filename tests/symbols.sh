#!/bin/sh
# SPDX-License-Identifier: MIT
#
# symbols.sh LIBKIN.so LIBKIN.a KIN.map - what is exported is what kin.map says
set -eu
n=0
failed=0

verdict() {	# words, offending lines
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
		failed=1
	fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n 's/^	\(kin_[a-z_]*\);$/\1/p' "$3" | sort >"$work/map"
nm -D --defined-only "$1" | awk '$2 ~ /[A-Z]/ && $2 != "A" { print $3 }' |
	sed 's/@.*//' | sort >"$work/shared"
nm -g --defined-only "$2" | awk 'NF == 3 { print $3 }' | sort >"$work/static"

verdict 'the map names something' "$([ -s "$work/map" ] || echo empty)"
verdict 'the shared library exports what the map says' \
	"$(diff "$work/map" "$work/shared" || true)"
# Sanitizers add symbols of their own to every object.
verdict 'and so does the static one, all else being local' \
	"$(grep -vE '^(__asan|__odr_asan|__ubsan|__tsan|_GLOBAL__)' \
	   "$work/static" | diff "$work/map" - || true)"
echo "1..$n"
exit $failed
