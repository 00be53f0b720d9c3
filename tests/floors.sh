#!/bin/sh
# SPDX-License-Identifier: MIT
#
# floors.sh SOURCE_ROOT - the staircase: includes only go down
#
#      tools, examples    see what users see: <kin/...>, and their own files
#      manager            manager, lib, shm
#      lib                lib, shm
#      shm                shm
#
# And each foreign thing has one door: what may be included in one file only
# is looked for everywhere.
set -eu
cd "$1"
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

# Lines of floor $1 that include "..." from elsewhere than $2.
upward() {
	grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$1" \
		--include='*.[ch]' --include='*.cpp' |
		grep -vE "include[[:space:]]*\"($2)" || true
}

verdict 'shm includes from shm' "$(upward shm 'shm/')"
verdict 'lib includes from lib and shm' "$(upward lib 'lib/|shm/')"
verdict 'manager includes from manager, lib and shm' \
	"$(upward manager 'manager/|lib/|shm/')"
verdict 'tools include <kin/...> and their own' \
	"$(upward tools '[a-z_]+\.h"')"
verdict 'examples include <kin/...> and their own' \
	"$(upward examples '[a-z_]+\.h"')"
verdict 'public headers include <kin/...>' \
	"$(upward include '^$')"
verdict 'only the kit knows Check' \
	"$(grep -rn 'include <check.h>' . --include='*.[ch]' |
	   grep -v '^./tests/kit.h:' || true)"
verdict 'only shm/os.c asks the kernel for futexes and memory' \
	"$(grep -rnwE 'syscall|mmap|munmap|memfd_create|fcntl|fallocate' \
	   shm lib manager --include='*.c' | grep -v '^shm/os.c:' |
	   grep -vE '^[^:]+:[0-9]+:( \*|/\*|[[:space:]]*\*)' |
	   grep -vE 'RING_THE_BELL|include' || true)"
echo "1..$n"
exit $failed
