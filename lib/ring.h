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
#include <sys/uio.h>

#include "shm/latch.h"
#include "shm/word.h"

#define KN_UNIT		16u
#define KN_MARK		8u
#define KN_RECORD_UNITS	1024u		/* = KN_PUBLISH_MAX */
#define KN_UNITS_MAX	(1u << 30)	/* half of what a position can tell */

/*
 * How much has passed: messages, and the bytes that were copied for them, when
 * the commit word was at that position.
 */
struct kn_passed {
	kn_wide at;			/* the position */
	kn_wide messages;
	kn_wide bytes;
};

/*
 * One side, on two lines of its own.  The next numbers are written into the
 * cell that does not hold for the present position, before the commit: so at
 * any time the cell that names the word's position is right.
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
	struct kn_passed passed[2];

	/* Hardly ever written. */
	kn_wide dropped[2];		/* consumers': of those that passed, in
					   the same two cells */
	kn_wide waits;			/* calls that slept */
	kn_wide takeovers;		/* latches that the dead had left */
	kn_wide gone;			/* producers': messages that the other
					   side has let pass, as last seen: a
					   hint, where they are limited */
	kn_word look;			/* producers': with more units in use,
					   as they know it, they look across: a
					   hint */
	kn_word high;			/* producers': the most that they saw */
	uint8_t zero[16];
};

struct kn_ring_shared {
	struct kn_side put, get;
};

_Static_assert(offsetof(struct kn_side, dropped) == 64, "layout");
_Static_assert(sizeof(struct kn_side) == KN_LINE, "layout");
_Static_assert(sizeof(struct kn_ring_shared) == 256, "layout");

/*
 * What a member has got and not reported as done: its stamp | number << 32.
 * The number of one whose stamp is not a living one's counts for nothing.
 */
struct kn_owed {
	kn_wide of;
	uint8_t zero[56];
};

_Static_assert(sizeof(struct kn_owed) == 64, "layout");

/* lib/queue_tasks.c: more, -ERANGE if it cannot be counted; and less, -EINVAL
 * if it is not so much. */
int kn_owe(struct kn_owed *owed, uint32_t stamp, uint32_t messages);
int kn_pay(struct kn_owed *owed, uint32_t stamp, uint64_t messages);

/* A process's view; private memory. */
struct kn_ring {
	struct kn_ring_shared *shared;
	unsigned char *bytes;
	struct kn_owed *owed;		/* by slot; NULL: nothing is owed */
	uint64_t most;			/* messages; 0 = as many as there is
					   room for */
	uint32_t units;			/* a power of two */
	uint32_t limit;			/* bytes of the longest message */
	bool drops;			/* the oldest, where there is no room */
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
#define KN_RING_FULL	2		/* as many messages as there may be:
					   no shorter one fits either */

/*
 * One try.  0; KN_RING_WAIT or KN_RING_FULL, with the head's position in
 * *ret_seen; -EPIPE; -EBUSY, -EDEADLK, -EBADF: the latch; -EUCLEAN.
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

/*
 * Several messages, and how far one has come with them.  Lengths are checked
 * before.  A get lays them down one behind the other in buf, each at a multiple
 * of KN_UNIT.
 */
struct kn_batch {
	struct iovec *msgs;		/* a put only reads them */
	size_t n, done;
	unsigned char *buf;		/* of a get */
	size_t cap, used;
	uint32_t len;			/* of one that is too long */
	bool more;			/* there is more than one run takes */
};

/*
 * lib/ring_many.c: one run, which is one commit, of as many as that takes: at
 * least one if 0 is returned.  The rest as above.
 */
int kn_ring_put_many(struct kn_ring *ring, struct kn_party *me,
		     struct kn_batch *batch, uint32_t *ret_seen,
		     kin_time deadline);
int kn_ring_get_many(struct kn_ring *ring, struct kn_party *me,
		     struct kn_batch *batch, uint32_t *ret_seen,
		     kin_time deadline);

/* As get, of cap bytes at most, and the message stays. */
int kn_ring_peek(struct kn_ring *ring, struct kn_party *me, void *buf,
		 size_t cap, uint32_t *ret_len, uint32_t *ret_seen,
		 kin_time deadline);

/* What one moment has; units is what is in use of the ring. */
struct kn_ring_sum {
	uint64_t puts, put_bytes;
	uint64_t gets, got_bytes;
	uint64_t drops;
	uint32_t units;
};

/* lib/ring_sum.c; without a latch.  0, or -EUCLEAN. */
int kn_ring_sum(const struct kn_ring *ring, struct kn_ring_sum *ret);

/* Messages in the ring at one moment; -EUCLEAN. */
int64_t kn_ring_len(const struct kn_ring *ring);

/* Where the other side's word would leave nothing to do for this side. */
uint32_t kn_ring_empty_tail(const struct kn_ring *ring);
uint32_t kn_ring_full_head(const struct kn_ring *ring);

#endif
