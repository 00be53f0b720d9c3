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
verdict 'only lib/pack.c packs msgpack, only lib/poll_uring.c knows io_uring' \
	"$(grep -rnE 'include <(msgpack|liburing)' shm lib manager |
	   grep -vE '^lib/(pack.c:.*msgpack|poll_uring.c:.*liburing)' || true)"
verdict 'only shm/os*.c ask the kernel for futexes, memory and sockets' \
	"$(grep -rnwE 'syscall|mmap|munmap|memfd_create|fcntl|fallocate|sendmsg|recvmsg|socketpair|epoll_ctl' \
	   shm lib manager --include='*.c' | grep -vE '^shm/os[a-z_]*.c:' |
	   grep -vE '^[^:]+:[0-9]+:( \*|/\*|[[:space:]]*\*)' |
	   grep -vE 'RING_THE_BELL|include' || true)"
echo "1..$n"
exit $failed
