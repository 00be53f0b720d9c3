/* SPDX-License-Identifier: MIT */
/*
 * self.h - this process: has it been forked, and whose turn is it
 *
 * What a handle has taken in shared memory belongs to the process that took
 * it.  A fork's child has the handle too, and must be told apart at the price
 * of one load: the kernel wipes a page in the child, and a wiped page makes
 * the next generation.  Children made by raw clone are seen as well; one that
 * shares its parent's memory (vfork) is its parent as far as kin can tell.
 */
#ifndef KN_SELF_H
#define KN_SELF_H

#include "shm/word.h"

/* Private memory: no peer can write there. */
extern uint32_t *kn_self_page __attribute__((visibility("hidden")));

uint32_t kn_self_renew(void);

/* Never 0, and another in a fork's child than in its parent. */
static inline uint32_t
kn_self_generation(void)
{
	uint32_t generation = __atomic_load_n(kn_self_page, __ATOMIC_ACQUIRE);

	return kn_likely(generation != 0) ? generation : kn_self_renew();
}

/* The same; 0 in a fork's child that has not asked yet. */
static inline uint32_t
kn_self_known(void)
{
	return __atomic_load_n(kn_self_page, __ATOMIC_RELAXED);
}

/*
 * One mutex for all of kin's private state that changes rarely (joining after
 * a fork, lists of entries and processes).  Held across fork, so the child
 * finds it free.
 */
void kn_self_lock(void);
void kn_self_unlock(void);

#endif
