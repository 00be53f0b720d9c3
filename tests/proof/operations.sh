#!/bin/sh
# SPDX-License-Identifier: MIT
#
# operations.sh PROVE OPERATION... - does meson.build know the whole table?
set -eu
prove=$1
shift
listed=$(printf '%s\n' "$@" | sort)
table=$("$prove" --list | sort)
if [ "$listed" = "$table" ]; then
	echo 'ok 1 - every operation of the table is a test'
	echo 1..1
else
	echo 'not ok 1 - the table and meson.build do not list the same'
	printf '# table:\n%s\n# meson.build:\n%s\n' "$table" "$listed" |
		sed 's/^[^#]/# &/'
	echo 1..1
	exit 1
fi
