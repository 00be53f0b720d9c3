/* SPDX-License-Identifier: MIT */
/*
 * kill.h - kill a victim at every instruction of an operation, and look
 *
 *      survivor                    victim
 *        set: build a scene          ready: what comes before
 *        fork ─────────────────────▶ act: the operation, one step at a time
 *        waits for its end         ✝ at step n
 *        check: is the promise kept?
 *        clear
 *
 * and again for n + 1, until the victim lives.  Then the promise has held at
 * every instruction, since between two instructions nothing changes.  The
 * victim stays a zombie until the check is over.
 *
 * Operations are cut into windows at their kernel calls, and each point is
 * (window, step): the victim runs freely up to its window.  A first victim of
 * each window is not killed, but surveyed: how many steps, and which of them
 * change the segment.  In a long window (libc parses a file of /proc) victims
 * die only near those, and at both ends: what dies in between leaves to the
 * survivor the very same memory and the very same kernel state.
 *
 * Stepping is by the trap flag in the victim itself, or by ptrace (KILL_PTRACE
 * in the row, or KIN_STEP=ptrace for all, and where there is no trap flag).
 *
 * A new operation is a line in the table in kill.c.
 */
#ifndef KILL_H
#define KILL_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/queue.h"

/* What survivor, victim and helpers of one round share. */
#define KILL_STEPS	100000		/* of a window, at most */
#define KILL_IMAGE	4096		/* bytes of the segment that are watched */

struct kill_shared {
	volatile int window;		/* to step in */
	volatile int step;		/* to die at; 0 = survey */
	volatile int steps;		/* done so far */
	volatile int calls;		/* kernel calls so far */
	volatile int over;		/* the window, or the operation */
	volatile int acted;		/* the operation returned */
	volatile int dead;		/* the victim, says the survivor */
	volatile int helper_done;
	volatile uint32_t stamp;	/* the victim's */
	unsigned char image[KILL_IMAGE];	/* of the segment, last step */
	unsigned char changed[KILL_STEPS];	/* by which steps; survey's */
};

struct scene {
	struct kill_shared *shared;
	kin_queue *q;
	kin_segment *seg;
	pid_t helper;			/* a third process; 0 = none */
	unsigned tail;			/* of the queue, before the act */
	unsigned units;			/* in use, before the act */
	int expect;			/* a letter: what comes first */
};

struct kill_op {
	const char *name, *state;
	void (*set)(struct scene *);
	void (*ready)(struct scene *);
	void (*act)(struct scene *);
	/* NULL, or what is wrong. */
	const char *(*check)(struct scene *);
	unsigned flags;			/* KILL_... */
};

#define KILL_PTRACE	1u

/* The outcome of one row. */
struct kill_result {
	int points;			/* at which the victim was killed */
	int steps;			/* instructions that were stepped over */
	const char *wrong;		/* NULL = nothing */
	int window, step;		/* where it was wrong */
};

void kill_run(const struct kill_op *op, struct kill_result *ret);

/* A third process that runs fn with the scene; ended by the scene's end. */
void kill_help(struct scene *s, void (*fn)(struct scene *));

#endif
