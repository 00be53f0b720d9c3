/* SPDX-License-Identifier: MIT */
/*
 * barrier_round.c - how a barrier's rounds end, and what those hear of it who
 * come round late
 *
 * The phase may be generations away by then.  A generation has ended well, if
 * it is not among the last fourteen that did not.
 */
#include <errno.h>
#include <limits.h>

#include "lib/barrier.h"
#include "shm/os.h"

#define LOOKS		1000		/* for a moment without a new round */

/*
 * To another phase, and all who sleep are awake.  Under the latch only their
 * bit can change meanwhile: set, not cleared.
 */
void
kn_barrier_move(kn_word *phase, uint32_t to)
{
	uint32_t v = kn_load(phase);

	for (;;) {
		if ((v & KN_PHASE_ASLEEP) &&
		    kn_os_futex_add_wake(phase, (int)(to - v), INT_MAX) >= 0)
			return;
		if (kn_cas(phase, &v, to)) {
			/* As in publish: without the call, in two steps. */
			if (v & KN_PHASE_ASLEEP)
				(void)kn_os_futex_wake(phase, INT_MAX);
			return;
		}
	}
}

/* Who sleeps sleeps on: nothing has happened yet that concerns them. */
void
kn_barrier_begin_action(kn_word *phase)
{
	uint32_t v = kn_load(phase);

	while (!kn_cas(phase, &v, v | KN_BARRIER_ACTING << 1))
		;
}

/*
 * The place for one more: that which such a death has left that came before
 * the generation's end, an empty one, or else the oldest.
 */
static kn_word *
ill_place(struct kn_barrier_shared *shared, uint32_t generation)
{
	kn_word *best = &shared->ill[0];
	uint32_t i;

	for (i = 0; i < KN_ILL_ENDS; i++) {
		uint32_t v = kn_load(&shared->ill[i]), b = kn_load(best);

		if (v != 0 && v / KN_ILL_ONE == generation)
			return &shared->ill[i];
		if (b != 0 && (v == 0 || kn_generation_later(v / KN_ILL_ONE,
						  b / KN_ILL_ONE)))
			best = &shared->ill[i];
	}
	return best;
}

static void
next_generation(struct kn_barrier_shared *shared, uint32_t generation)
{
	kn_barrier_move(&shared->phase, kn_phase_of(generation + 1, KN_BARRIER_OPEN));
}

/* That it ends ill is written before it ends. */
void
kn_barrier_end_ill(struct kn_barrier_shared *shared, uint32_t generation, bool by_death)
{
	kn_store(ill_place(shared, generation),
		 generation * KN_ILL_ONE | KN_ILL_END |
		 (by_death ? KN_ILL_DEAD : 0));
	next_generation(shared, generation);
}

/* Somebody may have died while it was about to end ill. */
void
kn_barrier_end_well(struct kn_barrier_shared *shared, uint32_t generation)
{
	kn_word *place = ill_place(shared, generation);
	uint32_t v = kn_load(place);

	if (v != 0 && v / KN_ILL_ONE == generation)
		kn_store(place, 0);
	next_generation(shared, generation);
}

/* ---- what a broken one says ---- */

static int
dead(const kin_barrier *b)
{
	char name[96];

	return kn_fail(-EOWNERDEAD, "%s: a party has died",
		       kn_object_name(&b->o, name));
}

static int
broken(const kin_barrier *b, const char *why)
{
	char name[96];

	return kn_fail(-ECANCELED, "%s %s", kn_object_name(&b->o, name), why);
}

int
kn_barrier_broken_by(const kin_barrier *b, uint32_t state)
{
	return state == KN_BARRIER_DEAD ? dead(b) :
	       broken(b, "is broken: aborted, or a party gave up, or the "
			 "action failed");
}

/*
 * Did that generation, which is past, end ill?  Its entry, or 0; if so many
 * have since that it would not be there any more, 1.
 */
static uint32_t
ill_end(const struct kn_barrier_shared *shared, uint32_t generation)
{
	uint32_t i, later = 0;

	for (i = 0; i < KN_ILL_ENDS; i++) {
		uint32_t v = kn_load(&shared->ill[i]);

		if (v != 0 && v / KN_ILL_ONE == generation)
			return v;
		later += v != 0 && kn_generation_later(generation, v / KN_ILL_ONE);
	}
	return later == KN_ILL_ENDS ? KN_ILL_END : 0;
}

/* What became of that generation, now past or broken: 0, or its error. */
int
kn_barrier_outcome(const kin_barrier *b, uint32_t generation)
{
	uint32_t before, v, ill = KN_ILL_END;
	int i;

	v = kn_load(&b->shared->phase);
	if (kn_phase_generation(v) == generation)
		return kn_barrier_broken_by(b, kn_phase_state(v));
	/* In one generation, one entry changes at most, to a later one. */
	for (i = 0; i < LOOKS; i++) {
		before = kn_phase_generation(v);
		ill = ill_end(b->shared, generation);
		v = kn_load(&b->shared->phase);
		if (kn_phase_generation(v) == before)
			break;
	}
	if (ill == 0)
		return 0;
	return ill & KN_ILL_DEAD ? dead(b) : broken(b, "was reset");
}
