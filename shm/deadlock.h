/* SPDX-License-Identifier: MIT */
/*
 * deadlock.h - a ring of threads, each waiting for what the next one holds
 *
 *      A ──waits for──▶ B ──▶ C ──▶ A         labels: 5, 7, 6
 *      7      ◀──       7 ◀── 6 ◀── 5         each takes the larger of its own
 *                                              and of the one it waits for
 *
 * Who is blocked has a label, larger than that of whom it waits for and like
 * nobody else's, and shows it in its records in all segments.  At the end of
 * each slice it shows the larger one of its own and of what the holder shows.
 * So the largest of a ring travels around it, against the waits, and comes
 * back to where it came from: there, and nowhere else, the ring is found.  No
 * thread looks further than at the one it waits for, so the locks may lie in
 * segments that the others do not map.
 *
 * A wait may end by its deadline while labels travel.  So what came back once
 * is drawn anew, and must come back again.
 *
 * Mitchell and Merritt, "A distributed algorithm for deadlock detection and
 * resolution", PODC 1984.
 */
#ifndef KN_DEADLOCK_H
#define KN_DEADLOCK_H

#include "shm/control.h"

struct kn_deadlock {			/* of one wait; begins as zeros */
	uint64_t own;			/* 0 = not begun */
	uint64_t shown;
	int rounds;
};

/* What the holder of a thread's stamp shows; 0: it is not blocked. */
uint64_t kn_deadlock_shown(const struct kn_control *control, uint32_t holder);

/* At a slice's end: of all it waits for, the largest that is shown.  True: we
 * are in a ring, and this thread it is that has to give way. */
bool kn_deadlock_look(struct kn_deadlock *d, uint64_t largest);

/* The wait is over. */
void kn_deadlock_end(struct kn_deadlock *d);

#endif
