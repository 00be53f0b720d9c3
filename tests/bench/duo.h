/* SPDX-License-Identifier: MIT */
/*
 * duo.h - two processes on chosen CPUs, and the wires between them
 */
#ifndef DUO_H
#define DUO_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <kin/kin.h>

#include "bare.h"

/* The first CPU we may run on, and one of another core.  How many: 1 or 2. */
int duo_cpus(int ret_cpu[2]);

/* This process, and those that it starts from now on; 0, or -errno. */
int duo_stay_on(int cpu);

/* What the two tell each other and us, apart from what is measured. */
struct duo_board {
	uint32_t here;
	uint64_t sent;
	double figure;
};

/* One of each kind in each direction; wires[who] is who's to put into. */
struct duo_wire {
	kin_queue *queue;
	struct bare_ring *ring;
	struct bare_box *box;
	uint32_t seen;			/* in the box, by who gets */
	int pipe[2];
};

struct duo {
	int (*play)(struct duo *duo, int who);	/* 0, or -errno */
	double seconds;
	bool apart;			/* on two CPUs, or both on one */

	/* Set up by duo_run. */
	kin_time deadline;
	int cpu[2];
	struct duo_wire wires[2];
	kin_conn *ends[2];		/* of one connection, [who] is who's */
	int socks[2];			/* of one bare pair, likewise */
	struct duo_board *board;
};

/* Have both play; the board's figure in *ret. */
int duo_run(struct duo *duo, double *ret);

/* For those who play: go on only when the other is as far. */
int duo_meet(struct duo *duo);

/* Inside of loops that spin, with a count of one's own; 0, or -ETIMEDOUT. */
static inline int
duo_patience(const struct duo *duo, uint32_t *spins)
{
	bare_pause();
	if (++*spins % 65536 == 0 && kin_now().ns >= duo->deadline.ns)
		return -ETIMEDOUT;
	return 0;
}

#endif
