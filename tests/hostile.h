/* SPDX-License-Identifier: MIT */
/*
 * hostile.h - queues to be spoilt, and what calls may say of those that are
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "lib/queue.h"
#include "tests/board.h"

#define SEED		0x6b696e02u

/* A case with a board. */
TCase *hostile_case(Suite *suite, const char *name);

kin_queue *queue_of(uint64_t bytes);
kin_queue *another(kin_queue *q);	/* handle of the same */

struct kn_side *put_side(kin_queue *q);
struct kn_side *get_side(kin_queue *q);

/* Where they are in the file. */
#define ROSTER		(KN_PAGE + sizeof(struct kn_queue_geometry))
#define SIDES		(KN_PAGE + up_to_line(ROSTER - KN_PAGE +	\
					      kn_roster_bytes(8)))
#define SIDES_BYTES	sizeof(struct kn_ring_shared)

size_t up_to_line(size_t n);

/* Sets of numbers, ended by 1. */
extern const int attach_says[], put_says[], get_says[];

bool one_of(long r, const int *numbers);

#define ck_says(r, set)							\
	do {								\
		if (!one_of(r, set))					\
			ck_abort_msg("%ld: %s", (long)(r), kin_errmsg()); \
	} while (0)

#endif
