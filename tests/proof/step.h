/* SPDX-License-Identifier: MIT */
/*
 * step.h - run an operation to a point in it, and there end it or stop it
 *
 * Operations are cut into windows at their kernel calls, and each point is
 * (window, step): a victim runs freely up to its window, and from there one
 * instruction at a time.  The first victim of each window goes through all of
 * it and is surveyed: how many steps, and which of them change what is watched.
 *
 * Stepping is by the trap flag in the victim itself, or by ptrace (OP_PTRACE
 * in the row, or KIN_STEP=ptrace for all, and where there is no trap flag).
 */
#ifndef STEP_H
#define STEP_H

#include "tests/proof/ops.h"

#define TRACK_STEPS	100000		/* of a window, at most */
#define TRACK_IMAGE	4096		/* bytes that are watched */

/* What a process and its victim have in common; shared memory. */
struct track {
	volatile int window;		/* to step in */
	volatile int step;		/* the point; 0 = survey */
	volatile int steps;		/* done so far */
	volatile int calls;		/* kernel calls so far */
	volatile int over;		/* the window, or the operation */
	volatile int returned;		/* the operation has, and with what */
	volatile int result;
	unsigned char image[TRACK_IMAGE];	/* after the last step */
	unsigned char changed[TRACK_STEPS];	/* by which; the survey's */
};

enum fate { DIES, STOPS };

/* How a victim came to its end. */
enum end { AT_POINT, WINDOW_OVER, RETURNED, STUCK };

/* Forget all but the window; with changes, what the last survey saw, too. */
void track_rewind(struct track *t, bool changes);

/*
 * A victim that runs ready and act.  A dead one is a zombie until it is
 * collected, a stopped one goes on by step_continue.
 */
enum end step_run(struct track *t, struct scene *s,
		  void (*ready)(struct scene *), int (*act)(struct scene *),
		  enum fate fate, bool by_ptrace, pid_t *ret_pid);
enum end step_continue(struct track *t, pid_t pid);
void step_collect(pid_t pid);

/* Does this row take ptrace? */
bool step_by_ptrace(const struct op *op);

/*
 * The next point behind n of a window of so many steps; beyond the last one,
 * one more, as victims are not quite alike.
 *
 *   EVERY      every step
 *   NEAR       every step of short windows; of others those near a change, and
 *              both ends: what stops in between leaves to others the very same
 *              memory and the very same kernel state
 *   DISTINCT   of all windows one for each state: both ends, and before and
 *              after each change
 */
enum points { DISTINCT, NEAR, EVERY };
int step_next(const struct track *t, int n, int steps, enum points points);

#endif
