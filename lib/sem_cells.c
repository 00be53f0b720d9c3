/* SPDX-License-Identifier: MIT */
/*
 * sem_cells.c - owned permits: who holds how many, and what the dead held
 *
 * Each process has a cell, which only its own threads write while it lives.
 * What counts is this, at every instruction:
 *
 *      a live process's cell says no less than the process has taken
 *
 *      acquire    cell + n       free - n
 *      release    cell: n leave  free + n     cell - n
 *
 * So all permits, less what the cells of the living say, are no more than what
 * is free; and when everybody has come to the end of what they do, no less.
 * Whoever finds that more are free than the word says may raise it.  It must be
 * sure that nobody has taken any while it added up the cells: each take counts
 * on the word beside, which the raising swaps, too.  Who gives some back
 * meanwhile changes the word itself.
 *
 * A cell of another generation than its slot is a dead one's, and void.  So the
 * dead need nobody to take their permits away from them, and it does not
 * matter what they were in the middle of.
 */
#include <errno.h>

#include "lib/sem.h"
#include "shm/os.h"

#define TRIES		16		/* to raise, where others take */

/* What the i-th one holds, if it lives; or an error. */
static int64_t
held_by(kin_sem *s, uint32_t i)
{
	const struct kn_registry *reg = &s->o.control->registry;
	uint64_t cell = kn_wide_load(&s->shared->cells[i]);
	uint32_t state, stamp;
	int r = 1;

	if (kn_cell_held(cell) == 0)
		return 0;
	state = kn_load(&reg->roster->slots[i].state);
	stamp = kn_stamp_of(state, i);
	if ((state & KN_SLOT_ACTIVE) &&
	    kn_cell_is_of(cell, kn_cell_of_state(state)))
		r = stamp == reg->party.stamp
		    ? 0 : kn_control_dead(s->o.control, stamp);
	if (r < 0)
		return r;
	if (r == 0)
		return (int64_t)kn_cell_held(cell);
	/* Nobody will ever look at it again; it only has to go before the
	 * slot has had so many owners that their numbers come again. */
	(void)kn_wide_cas(&s->shared->cells[i], &cell, 0);
	return 0;
}

static int64_t
held_by_all(kin_sem *s)
{
	int64_t sum = 0;
	uint32_t i;

	for (i = 0; i < s->members; i++) {
		int64_t held = held_by(s, i);

		if (held < 0)
			return held;
		sum += held;
	}
	return sum;
}

/* 1: raised; 0: nothing to raise; -EAGAIN: somebody was faster. */
static int
raise_once(kin_sem *s)
{
	struct kn_sem_shared *shared = s->shared;
	uint64_t both = kn_wide_load(&shared->both);
	int64_t held = held_by_all(s);
	uint32_t v, takes, to;
	kn_word half[2];

	if (held < 0)
		return (int)held;
	__builtin_memcpy(half, &both, sizeof(half));
	v = half[0].v;
	takes = half[1].v;
	if (held + kn_sem_free(v) >= s->total)
		return 0;
	to = (s->total - (uint32_t)held) * KN_SEM_ONE | (v & KN_SEM_FLAGS);
	if (!kn_wide_cas(&shared->both, &both, kn_wide_of(to, takes + 1)))
		return -EAGAIN;
	/* Only its turn's holder sleeps on it, and only it is to take. */
	if (v & KN_SEM_ASLEEP)
		(void)kn_os_futex_wake(&shared->free, 1);
	return 1;
}

int
kn_sem_recover(kin_sem *s)
{
	int i, r = -EAGAIN;

	for (i = 0; i < TRIES && r == -EAGAIN; i++)
		r = raise_once(s);
	return r == -EAGAIN ? 0 : r;
}
