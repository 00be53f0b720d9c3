/* SPDX-License-Identifier: MIT */
/*
 * undo.h - stores to shared memory that all happen, or none
 *
 *      set:        log[n] = { where, old }; n++; store     for each word
 *      commit:     n = 0
 *      roll back:  for n-1 ... 0 { *where = old; n-- }
 *
 * One latch guards the log and all that is stored by it.  Whoever takes that
 * latch and finds that n is not 0 has come after somebody who died in the
 * middle, and rolls back; killed in that, the next one goes on.  So a
 * structure of any number of words needs no repair of its own.
 *
 * A dead thread's stores are a beginning of its program, and whoever has
 * learnt of the death from the kernel sees them all: between log, n and store
 * the compiler must keep the order, the CPU need not.
 *
 * What is found in a log may be a scribble: it is rolled back where it lies
 * within what the log is for, or not at all.
 */
#ifndef KN_UNDO_H
#define KN_UNDO_H

#include "shm/error.h"
#include "shm/word.h"

#define KN_UNDO_MAX	511u

struct kn_undo_shared {
	kn_word count;			/* the truth: stores that are not sure */
	uint32_t zero[3];
	struct {
		kn_wide at;		/* offset from the base */
		kn_wide old;
	} log[KN_UNDO_MAX];
};

_Static_assert(sizeof(struct kn_undo_shared) == 8192, "layout");

/* A process's view; private memory. */
struct kn_undo {
	struct kn_undo_shared *shared;
	unsigned char *base;
	uint64_t first, end;		/* offsets that it may change */
};

/* One who has the latch, between his first store and his commit. */
struct kn_tx {
	struct kn_undo_shared *shared;
	unsigned char *base;
	uint32_t count;
};

static inline struct kn_tx
kn_tx_begin(const struct kn_undo *undo)
{
	return (struct kn_tx){ undo->shared, undo->base, 0 };
}

/* *w may be read by others who do not have the latch. */
static inline void
kn_tx_set(struct kn_tx *tx, kn_wide *w, uint64_t v)
{
	uint32_t n = tx->count;

	kn_assert(n < KN_UNDO_MAX);
	kn_wide_store_relaxed(&tx->shared->log[n].at,
			      (uint64_t)((unsigned char *)w - tx->base));
	kn_wide_store_relaxed(&tx->shared->log[n].old,
			      kn_wide_load_relaxed(w));
	kn_in_order();
	kn_store_relaxed(&tx->shared->count, tx->count = n + 1);
	kn_in_order();
	kn_wide_store(w, v);
}

static inline void
kn_tx_commit(struct kn_tx *tx)
{
	kn_in_order();
	kn_store_relaxed(&tx->shared->count, tx->count = 0);
	kn_in_order();
}

/*
 * By the latch's holder: 0, there was nothing to undo; 1, it is undone;
 * -EUCLEAN, with a sentence: the log is spoilt.
 */
int kn_undo_slow(const struct kn_undo *undo);

static inline int
kn_undo(const struct kn_undo *undo)
{
	if (kn_likely(kn_load_relaxed(&undo->shared->count) == 0))
		return 0;
	return kn_undo_slow(undo);
}

#endif
