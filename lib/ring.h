/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the bytes of a queue, and the two words that say which are messages
 *
 *      ┌────┬──────────────┬─────┬────────┬──────────┐
 *      │    │ record       │ rec │ record │          │   units of 16 bytes
 *      └────┴──────────────┴─────┴────────┴──────────┘
 *           ▲ head (position of get)      ▲ tail (position of put)
 *
 * A record is a mark of 8 bytes and the message, filled up to whole units; it
 * may go on at the ring's beginning.  It is there when the tail has moved over
 * it, and gone when the head has: both are commit words (shm/wait.h), and
 * nothing else decides.  So there is nothing to repair after a death.
 *
 * Each side is one latch holder at a time.  Latch and commit word are
 * neighbours, so that where nobody sleeps one compare-and-swap commits and
 * lets go.
 *
 * Two-lock queue: Michael and Scott 1996, with bytes for nodes, owner-stamped
 * latches for locks, and the commit in one word.
 */
#ifndef KN_RING_H
#define KN_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/latch.h"
#include "shm/word.h"

#define KN_UNIT		16u
#define KN_MARK		8u
#define KN_RECORD_UNITS	1024u		/* = KN_PUBLISH_MAX */
#define KN_UNITS_MAX	(1u << 30)	/* half of what a position can tell */

/*
 * One side, on lines of its own.  A tally is {position, count}: how many
 * messages had passed when the commit word was at position.  The next one is
 * written into the cell that does not hold for the present position, before
 * the commit: so at any time the cell that names the word's position is right.
 */
struct kn_side {
	union {
		struct {
			kn_word latch;
			kn_word commit;
		};
		kn_wide both;
	};
	kn_word other;			/* the other side's position, as last
					   seen: a hint */
	kn_word shut;			/* producers': no more puts */
	kn_wide tally[2];		/* position | count << 32 */
	uint8_t zero[96];
};

struct kn_ring_shared {
	struct kn_side put, get;
};

_Static_assert(sizeof(struct kn_side) == KN_LINE, "layout");
_Static_assert(sizeof(struct kn_ring_shared) == 256, "layout");

/* A process's view; private memory. */
struct kn_ring {
	struct kn_ring_shared *shared;
	unsigned char *bytes;
	uint32_t units;			/* a power of two */
	uint32_t limit;			/* bytes of the longest message */
};

/* The longest message of a ring of so many units. */
static inline uint32_t
kn_ring_limit(uint32_t units)
{
	uint32_t most = units < KN_RECORD_UNITS ? units : KN_RECORD_UNITS;

	return most * KN_UNIT - KN_MARK;
}

#define KN_RING_WAIT	1		/* no room, no message: the other side
					   has to move first */

/*
 * One try.  0; KN_RING_WAIT, with the head's position in *ret_seen; -EPIPE;
 * -ETIMEDOUT, -EDEADLK: the latch; -EUCLEAN.
 */
int kn_ring_put(struct kn_ring *ring, struct kn_party *me, const void *msg,
		uint32_t len, uint32_t *ret_seen, kin_time deadline);

/*
 * One try.  0, with the length in *ret_len; KN_RING_WAIT, with the tail's
 * position in *ret_seen; -EMSGSIZE, with the length; the rest as put.
 */
int kn_ring_get(struct kn_ring *ring, struct kn_party *me, void *buf,
		size_t cap, uint32_t *ret_len, uint32_t *ret_seen,
		kin_time deadline);

/* Messages in the ring at one moment; without a latch; -EUCLEAN. */
int64_t kn_ring_len(const struct kn_ring *ring);

/* Where the other side's word would leave nothing to do for this side. */
uint32_t kn_ring_empty_tail(const struct kn_ring *ring);
uint32_t kn_ring_full_head(const struct kn_ring *ring);

#endif
