/* SPDX-License-Identifier: MIT */
/*
 * latch.h - the short lock inside shared structures; it survives its holder
 *
 *      0 ──take──▶ stamp ──somebody sleeps──▶ stamp|W ──release──▶ 0, wakes one
 *                    └──────holder dies, taker finds out──▶ taker's stamp
 *
 * The word is claim and owner in one, written by one compare-and-swap, so at
 * no instruction is a latch held by nobody knows whom.  Release is a
 * compare-and-swap too, or, with sleepers, one FUTEX_WAKE_OP.  What a latch
 * guards must be right at every instruction of its holder.
 *
 * Who holds one may take a second one, where all who do so take the two in the
 * same order.
 *
 * Never held across user code.  Kin calls from a signal handler that has
 * interrupted a holder are refused: they would wait for themselves.
 */
#ifndef KN_LATCH_H
#define KN_LATCH_H

#include <kin/time.h>

#include "shm/wait.h"
#include "shm/word.h"

/*
 * A stamp names a registry's slot and the slot's generation.  Bit 29 is set,
 * so it is never 0 and never a thread id, which the kernel's robust lists
 * would look for.
 */
#define KN_STAMP	0x20000000u
#define KN_STAMP_THREAD	0x10000000u	/* a thread's (shm/control.h), or else a
					   process's */
#define KN_STAMP_MASK	0x3fffffffu
#define KN_LATCH_WAITER	0x80000000u
#define KN_INHERITED	1		/* taken over from a dead holder */

/* Whoever takes latches: its stamp, and who can tell about other stamps. */
struct kn_party {
	uint32_t stamp;
	int spins;			/* before it sleeps; 0 on one CPU */
	/* 1: surely dead; 0: not surely; -EUCLEAN: no stamp of ours; -EBADF:
	   there is nothing left to ask the kernel by. */
	int (*dead)(struct kn_party *party, uint32_t stamp);
};

extern struct kn_slices kn_latch_slices;
extern __thread int kn_latch_held
    __attribute__((tls_model("initial-exec")));	/* by this thread */

int kn_latch_take_slow(kn_word *w, struct kn_party *me, kin_time deadline);
void kn_latch_release_slow(kn_word *w, uint32_t stamp);

/*
 * 0, or KN_INHERITED; -EBUSY: its holder lives, and was in the way until the
 * deadline; -EDEADLK: from a signal handler; -EUCLEAN: it holds nonsense;
 * -EBADF.
 */
static inline int
kn_latch_take(kn_word *w, struct kn_party *me, kin_time deadline)
{
	uint32_t v = 0;

	if (kn_likely(kn_latch_held++ == 0) &&
	    kn_likely(kn_cas_acquire(w, &v, me->stamp)))
		return 0;
	return kn_latch_take_slow(w, me, deadline);
}

/* The same for one who holds another latch already. */
int kn_latch_take_second(kn_word *w, struct kn_party *me, kin_time deadline);

static inline void
kn_latch_release(kn_word *w, const struct kn_party *me)
{
	uint32_t v = me->stamp;

	if (kn_unlikely(!kn_cas_release(w, &v, 0)))
		kn_latch_release_slow(w, me->stamp);
	kn_latch_held--;
}

/* For a holder that has freed the word together with another one. */
static inline void
kn_latch_released(void)
{
	kn_latch_held--;
}

/* For reapers: free it if the dead owner of stamp holds it; did it? */
bool kn_latch_repair(kn_word *w, uint32_t stamp);

#endif
