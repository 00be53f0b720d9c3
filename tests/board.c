/* SPDX-License-Identifier: MIT */
/*
 * board.c - what the processes of a test have in common
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/board.h"

struct board *board;
static int file;

static struct board *
map(int fd)
{
	return mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
}

/* Who does not inherit its memory finds it through its environment. */
static void
hang_up_board(void)
{
	char path[64];

	file = memfd_create("board", MFD_CLOEXEC);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, sizeof(*board)), 0);
	board = map(file);
	ck_assert_ptr_ne(board, MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), file);
	setenv("KIT_BOARD", path, 1);
}

static void
take_down_board(void)
{
	munmap(board, sizeof(*board));
	close(file);
	unsetenv("KIT_BOARD");
}

__attribute__((constructor)) static void
find_board(void)
{
	const char *path = getenv("KIT_BOARD");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	board = map(fd);
	close(fd);
}

TCase *
board_case(Suite *suite, const char *name)
{
	TCase *tc = kit_case(suite, name);

	tcase_add_checked_fixture(tc, hang_up_board, take_down_board);
	return tc;
}

void
lower_flag(void)
{
	__atomic_store_n(&board->flag, 0, __ATOMIC_RELEASE);
}

/* Who comes late with a lower one changes nothing. */
void
raise_flag(int value)
{
	int was = __atomic_load_n(&board->flag, __ATOMIC_RELAXED);

	while (was < value &&
	       !__atomic_compare_exchange_n(&board->flag, &was, value, 0,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* Also for those who are not to fail by Check's means: then it is over. */
void
await_flag(int value)
{
	kin_time patience = KIT_PATIENCE;

	while (__atomic_load_n(&board->flag, __ATOMIC_ACQUIRE) < value) {
		if (kin_now().ns >= patience.ns)
			ck_abort_msg("nobody raised flag %d", value);
		sched_yield();
	}
}
