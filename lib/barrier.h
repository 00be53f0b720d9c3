/* SPDX-License-Identifier: MIT */
/*
 * barrier.h - the layout of a barrier, for the barrier and for those who look
 *
 *      phase    bit 31 ... 3     2, 1     0
 *               generation       state    somebody sleeps on it
 *
 *      seat     63 ... 32        31             30  29 ... 0
 *               generation       it has left    0   stamp of the process
 */
#ifndef KN_BARRIER_H
#define KN_BARRIER_H

#include <kin/barrier.h>

#include "lib/object.h"

#define KN_PARTIES_MAX	1000u

#define KN_PHASE_ASLEEP	1u
#define KN_PHASE_ONE	8u		/* generation */

enum kn_barrier_state {
	KN_BARRIER_OPEN = 0,
	KN_BARRIER_ACTING = 1,		/* all are there; the action runs */
	KN_BARRIER_BROKEN = 2,
	KN_BARRIER_DEAD = 3		/* broken, by a death */
};

#define KN_SEAT_LEFT	0x80000000u

/* A generation that did not end well: its number over these two bits. */
#define KN_ILL_END	1u		/* there is one: all entries have it */
#define KN_ILL_DEAD	2u		/* by a death */
#define KN_ILL_ONE	4u		/* generation */
#define KN_ILL_ENDS	14u

struct kn_barrier_shared {
	kn_word latch;			/* phase and ill change under it, but
					   for the bit of those who sleep */
	kn_word phase;			/* the truth */
	kn_word ill[KN_ILL_ENDS];	/* the last ones, in no order */
	kn_wide seats[];		/* parties */
};

_Static_assert(sizeof(struct kn_barrier_shared) == 64, "layout");

struct kin_barrier {
	struct kn_object o;		/* first */
	struct kn_barrier_shared *shared;
	uint32_t parties;
	struct kn_spin spin;
};

static inline uint32_t
kn_phase_generation(uint32_t v)
{
	return v / KN_PHASE_ONE;
}

static inline uint32_t
kn_phase_state(uint32_t v)
{
	return v >> 1 & 3;
}

/* Who sits there in that generation: 0, or a stamp, perhaps with LEFT. */
static inline uint32_t
kn_seat_of(uint64_t seat, uint32_t generation)
{
	return seat >> 32 == generation ? (uint32_t)seat : 0;
}

/* Generations are modulo 2^29. */
static inline bool
kn_generation_later(uint32_t than, uint32_t generation)
{
	uint32_t ahead = kn_phase_generation((generation - than) *
					     KN_PHASE_ONE);

	return ahead != 0 && ahead < 1u << 28;
}

static inline uint32_t
kn_phase_of(uint32_t generation, uint32_t state)
{
	return generation * KN_PHASE_ONE | state << 1;
}

/* lib/barrier_round.c; all but the last two are under the latch. */
void kn_barrier_move(kn_word *phase, uint32_t to);
void kn_barrier_begin_action(kn_word *phase);
void kn_barrier_end_well(struct kn_barrier_shared *shared,
			 uint32_t generation);
void kn_barrier_end_ill(struct kn_barrier_shared *shared, uint32_t generation,
			bool by_death);

/* The error of that state, with its sentence. */
int kn_barrier_broken_by(const kin_barrier *b, uint32_t state);

/* What became of that generation, which is past or broken: 0, or its error. */
int kn_barrier_outcome(const kin_barrier *b, uint32_t generation);

extern const struct kn_object_kind kn_barrier_kind;

/* lib/sync_facts.c */
void kn_barrier_facts(const struct kn_object_look *look,
		      struct kn_listener *to);

#endif
