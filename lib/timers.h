/* SPDX-License-Identifier: MIT */
/*
 * timers.h - a heap of timers
 *
 * The timers are the caller's; the heap only points at them, and each knows
 * its place in it.  Those that are due are taken out before the first of them
 * is called: one that starts itself again, for whenever, is called again only
 * in the next run, after all the others.
 */
#ifndef KN_TIMERS_H
#define KN_TIMERS_H

#include "lib/loop.h"

struct kn_timers {
	struct kn_timer **heap;		/* from 1; no parent is later */
	struct kn_timer **due;		/* taken out, to be called; or NULL */
	uint32_t n, n_due;
	uint32_t cap;			/* of either */
};

int kn_timers_start(struct kn_timers *timers, struct kn_timer *timer,
		    kin_time at);
void kn_timers_stop(struct kn_timers *timers, struct kn_timer *timer);
void kn_timers_free(struct kn_timers *timers);

/* When the first is due; KIN_FOREVER if there is none. */
kin_time kn_timers_first(const struct kn_timers *timers);

/* Call those that are due; returns how many. */
int kn_timers_run(struct kn_timers *timers);

#endif
