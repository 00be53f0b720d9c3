/* SPDX-License-Identifier: MIT */
/*
 * mutex.h - the lock of threads of many processes, for all kinds that need one
 *
 *      0 ──take──▶ stamp ──somebody waits──▶ stamp|W
 *      ▲             │                          │ release: one step of the
 *      └─────────────┘                          ▼ kernel's, wakes the longest
 *              stamp|W ◀──anybody──  W          W, or after three others
 *              stamp|W ◀──next only─ H          H: kept for the one in `next`
 *
 * The word is claim and owner in one.  Who waits says so in its thread's
 * record, with a ticket, and sleeps on a word there, so that the releaser can
 * wake the one who has waited longest, and no other.  Three may take the lock
 * before that one comes; then it is kept for it.  So a waiter that comes when
 * called is passed over by at most 4 times the number of waiters.
 *
 * What is kept is only a favour: nobody owns it, so whose turn it is may die,
 * or be stopped, and others go on at their slice's end.
 *
 * The waiter bit goes off together with the look at the tickets, in one
 * compare-and-swap of both: a waiter that the releaser did not see has counted
 * itself since, and the swap fails; or it does so later, and looks at the word
 * after that.
 */
#ifndef KN_MUTEX_H
#define KN_MUTEX_H

#include <errno.h>

#include <kin/lock.h>

#include "shm/control.h"
#include "shm/wait.h"

#define KN_MUTEX_WAITER	0x80000000u
#define KN_MUTEX_KEPT	0x40000000u

/* In shared memory; zeros are free.  But for word and tickets, written by the
 * holder only. */
struct kn_mutex_shared {
	union {
		struct {
			kn_word word;
			kn_word tickets;	/* drawn so far */
		};
		kn_wide both;
	};
	kn_word inherited;		/* from the dead; until consistent */
	kn_word depth;			/* times it was taken again */
	kn_word next;			/* the longest waiter's stamp: a hint */
	kn_word passes;			/* how many have passed it over */
	kn_wide waits;			/* takers that had to wait: statistics */
	kn_wide longest_ns;		/* of their waits */
	kn_wide deaths;			/* takeovers */
	uint64_t zero[2];
};

_Static_assert(sizeof(struct kn_mutex_shared) == 64, "layout");

/* A handle's view of one; private. */
struct kn_mutex {
	struct kn_mutex_shared *shared;
	struct kn_control *control;
	uint64_t id;			/* the control part's */
	uint64_t at;			/* by which waits name it */
	bool recursive;
	uint32_t holder;		/* who has it by this handle; 0 = none */
	struct kn_spin spin;
};

/* So that a scribbled word is told from a stranger's release. */
static inline void
kn_mutex_note(struct kn_mutex *m, uint32_t stamp)
{
	__atomic_store_n(&m->holder, stamp, __ATOMIC_RELAXED);
}

void kn_mutex_init(struct kn_mutex *m, struct kn_mutex_shared *shared,
		   struct kn_control *control, uint64_t at, bool recursive);

static inline uint32_t
kn_mutex_noted(const struct kn_mutex *m)
{
	return __atomic_load_n(&m->holder, __ATOMIC_RELAXED);
}

/*
 * The whole of it where nobody else wants it.  0; 1: taken, but inherited, and
 * not yet called consistent; -EAGAIN: not so easily.
 */
static inline int
kn_mutex_try(struct kn_mutex *m)
{
	struct kn_mutex_shared *s = m->shared;
	uint32_t v = 0;

	if (!kn_control_known(m->id) ||
	    kn_unlikely(!kn_cas_acquire(&s->word, &v, kn_me_last.stamp)))
		return -EAGAIN;
	kn_mutex_note(m, kn_me_last.stamp);
	return kn_unlikely(kn_load_relaxed(&s->inherited) != 0) ? 1 : 0;
}

/*
 * 0, or 1; -ETIMEDOUT; -EDEADLK: this thread has it, or is in a ring; -EUCLEAN;
 * -ENOSPC, -EBADF, -ENOMEM as kn_control_me.  Sets no sentence for -ETIMEDOUT
 * and -EDEADLK.
 */
int kn_mutex_take_slow(struct kn_mutex *m, kin_time deadline);

static inline int
kn_mutex_take(struct kn_mutex *m, kin_time deadline)
{
	int r = kn_mutex_try(m);

	return kn_likely(r >= 0) ? r : kn_mutex_take_slow(m, deadline);
}

/* True where nobody waits, and it was taken once only. */
static inline bool
kn_mutex_try_release(struct kn_mutex *m)
{
	struct kn_mutex_shared *s = m->shared;
	uint32_t v = kn_me_last.stamp;

	if (!kn_control_known(m->id) ||
	    kn_unlikely(kn_load_relaxed(&s->depth) != 0) ||
	    kn_unlikely(kn_mutex_noted(m) != v))
		return false;
	kn_mutex_note(m, 0);
	if (kn_likely(kn_cas_release(&s->word, &v, 0)))
		return true;
	kn_mutex_note(m, kn_me_last.stamp);
	return false;
}

/*
 * 0; -EPERM: this thread does not have it; -ESTALE: it was taken before this
 * process was forked; -EUCLEAN: we have taken it, and the word says otherwise.
 * No sentence.
 */
int kn_mutex_release_slow(struct kn_mutex *m);

static inline int
kn_mutex_release(struct kn_mutex *m)
{
	return kn_mutex_try_release(m) ? 0 : kn_mutex_release_slow(m);
}

/* Does this thread have it?  0, or as release. */
int kn_mutex_check(struct kn_mutex *m);

/* For a condition: take it off whole, whatever its depth, and put that back. */
int kn_mutex_release_all(struct kn_mutex *m, uint32_t *ret_depth);
void kn_mutex_deepen(struct kn_mutex *m, uint32_t depth);

void kn_mutex_stat(const struct kn_mutex *m, struct kin_lock_stats *ret);

/* The stamp of who has it; 0: nobody, or it is kept for one. */
static inline uint32_t
kn_mutex_owner(uint32_t v)
{
	return v & KN_STAMP_MASK;
}

#endif
