/* SPDX-License-Identifier: MIT */
/*
 * sem.h - a semaphore inside, for its files and for those who look
 *
 *      free     bit 31 ... 2        1                     0
 *               free permits        who comes lines up    somebody sleeps
 *
 *      cell     63 ... 46           45 ... 23             22 ... 0
 *               generation          on their way back     held
 */
#ifndef KN_SEM_H
#define KN_SEM_H

#include <kin/sem.h>

#include "lib/object.h"

#define KN_SEM_ASLEEP	1u
#define KN_SEM_LINE	2u
#define KN_SEM_ONE	4u		/* permit */
#define KN_SEM_FLAGS	(KN_SEM_ASLEEP | KN_SEM_LINE)

#define KN_CELL_BITS	23u
#define KN_CELL_MASK	((1ull << KN_CELL_BITS) - 1)

struct kn_sem_shared {
	union {
		struct {
			kn_word free;
			kn_word takes;	/* of owned permits, so far */
		};
		kn_wide both;
	};
	kn_word turn;			/* a latch: who sleeps for permits */
	kn_word room;			/* plain with a bound: so many may still
					   be released */
	uint32_t zero[12];
	kn_wide cells[];		/* owned: one for each member's slot */
};

_Static_assert(sizeof(struct kn_sem_shared) == 64, "layout");

struct kin_sem {
	struct kn_object o;		/* first */
	struct kn_sem_shared *shared;
	uint32_t total;			/* owned: all there are; plain: bound */
	uint32_t members;
	uint32_t made;			/* generation of the process that made
					   the handle */
	uint32_t in_vain;		/* wakes that nobody needed */
	struct kn_spin spin;
	uint32_t quick;			/* plain without a bound: total.  Else 0 */
	bool owned;
	bool bounded;
};

static inline uint32_t
kn_sem_free(uint32_t v)
{
	return v / KN_SEM_ONE;
}

/* ---- cells ---- */

static inline uint64_t
kn_cell_held(uint64_t cell)
{
	return cell & KN_CELL_MASK;
}

static inline uint64_t
kn_cell_leaving(uint64_t cell)
{
	return cell >> KN_CELL_BITS & KN_CELL_MASK;
}

/* By the slot's state, or by a stamp of a process. */
static inline uint64_t
kn_cell_of_state(uint32_t state)
{
	return (uint64_t)(state >> 1 & KN_GENERATIONS) << 2 * KN_CELL_BITS;
}

static inline uint64_t
kn_cell_of_stamp(uint32_t stamp)
{
	return (uint64_t)(stamp >> 10 & KN_GENERATIONS) << 2 * KN_CELL_BITS;
}

static inline bool
kn_cell_is_of(uint64_t cell, uint64_t generation)
{
	return cell >> 2 * KN_CELL_BITS == generation >> 2 * KN_CELL_BITS;
}

/*
 * What this process, of that stamp, holds; see sem_cells.c for the order in
 * which cell and word change.
 */
static inline kn_wide *
kn_cell_of(const kin_sem *s, uint32_t stamp)
{
	return &s->shared->cells[kn_stamp_slot(stamp)];
}

/* False: so many threads are about to take so many that it has no room. */
static inline bool
kn_cell_hold(kin_sem *s, uint32_t stamp, uint32_t n)
{
	uint64_t mine = kn_cell_of_stamp(stamp), was;
	kn_wide *cell = kn_cell_of(s, stamp);
	uint64_t v = kn_wide_load(cell);

	do {
		was = kn_cell_is_of(v, mine) ? v : mine;
		if (kn_unlikely(kn_cell_held(was) + n > KN_CELL_MASK))
			return false;
	} while (!kn_wide_cas(cell, &v, was + n));
	return true;
}

static inline void
kn_cell_forget(kin_sem *s, uint32_t stamp, uint32_t n)
{
	__atomic_fetch_sub(&kn_cell_of(s, stamp)->v, n, __ATOMIC_SEQ_CST);
}

/* False: it holds less, not counting what others are just returning. */
static inline bool
kn_cell_begin_return(kin_sem *s, uint32_t stamp, uint32_t n)
{
	uint64_t mine = kn_cell_of_stamp(stamp);
	kn_wide *cell = kn_cell_of(s, stamp);
	uint64_t v = kn_wide_load(cell);

	do {
		if (kn_unlikely(!kn_cell_is_of(v, mine) ||
				kn_cell_held(v) < kn_cell_leaving(v) + n))
			return false;
	} while (!kn_wide_cas(cell, &v, v + ((uint64_t)n << KN_CELL_BITS)));
	return true;
}

static inline void
kn_cell_end_return(kin_sem *s, uint32_t stamp, uint32_t n)
{
	__atomic_fetch_sub(&kn_cell_of(s, stamp)->v,
			   ((uint64_t)n << KN_CELL_BITS) + n, __ATOMIC_SEQ_CST);
}

/* lib/sem_cells.c */
/* What the dead hold is free again: 1; 0: they hold nothing; or an error. */
int kn_sem_recover(kin_sem *s);

/* n are free, and who sleeps for them is awake. */
void kn_sem_give(kin_sem *s, uint32_t n);

extern const struct kn_object_kind kn_sem_kind;

/* lib/sync_facts.c */
void kn_sem_facts(const struct kn_object_look *look, struct kn_listener *to);

#endif
