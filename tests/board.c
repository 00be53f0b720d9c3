/* SPDX-License-Identifier: MIT */
/*
 * board.c - what the processes of a test have in common
 */
#include <sched.h>
#include <sys/mman.h>

#include "tests/board.h"

struct board *board;

static void
hang_up_board(void)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(board, MAP_FAILED);
}

static void
take_down_board(void)
{
	munmap(board, sizeof(*board));
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
