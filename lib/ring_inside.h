/* SPDX-License-Identifier: MIT */
/*
 * ring_inside.h - what the files of the ring have in common: records, rooms,
 * the commit
 */
#ifndef KN_RING_INSIDE_H
#define KN_RING_INSIDE_H

#include <errno.h>
#include <string.h>

#include "lib/ring.h"
#include "shm/error.h"
#include "shm/registry.h"
#include "shm/wait.h"

/*
 * A mark is one wide word, length | MARK << 32: written and read at once, so
 * that what was checked is what is used.
 */
#define MARK		0x006b696eu	/* tells a mark from rubbish */

_Static_assert(sizeof(kn_wide) == KN_MARK, "layout");
_Static_assert(KN_RECORD_UNITS == KN_PUBLISH_MAX, "a record is one publish");

/* What one commit moves. */
struct run {
	uint32_t units, messages;
	uint64_t bytes;
	uint32_t dropped;		/* of the messages */
};

static inline uint32_t
units_of(uint32_t len)
{
	return (len + KN_MARK + KN_UNIT - 1) / KN_UNIT;
}

static inline uint32_t
distance(uint32_t from, uint32_t to)
{
	return (to - from) & KN_POSITION;
}

static inline int
spoilt(const char *what)
{
	return kn_fail(-EUCLEAN, "queue: %s", what);
}

/* ---- records ---- */

static inline kn_wide *
mark_at(const struct kn_ring *ring, uint32_t position)
{
	return (kn_wide *)(void *)(ring->bytes +
	    (size_t)(position & (ring->units - 1)) * KN_UNIT);
}

/* What fits behind the mark at position before the ring's end. */
static inline size_t
straight(const struct kn_ring *ring, uint32_t position)
{
	return (size_t)(ring->units - (position & (ring->units - 1))) *
	       KN_UNIT - KN_MARK;
}

/* Nobody looks at it before the commit. */
static inline void
write_record(const struct kn_ring *ring, uint32_t position, const void *msg,
	     uint32_t len)
{
	size_t first = straight(ring, position);
	kn_wide *mark = mark_at(ring, position);

	kn_wide_store(mark, len | (uint64_t)MARK << 32);
	if (kn_likely(len <= first)) {
		memcpy(mark + 1, msg, len);
		return;
	}
	memcpy(mark + 1, msg, first);
	memcpy(ring->bytes, (const unsigned char *)msg + first, len - first);
}

/* The length of the record at position, of so many units at most. */
static inline int
record_at(const struct kn_ring *ring, uint32_t position, uint32_t units,
	  uint32_t *ret_len)
{
	uint64_t mark = kn_wide_load(mark_at(ring, position));
	uint32_t len = (uint32_t)mark;

	if (mark >> 32 != MARK || len > ring->limit || units_of(len) > units)
		return spoilt("a record's mark is none");
	*ret_len = len;
	return 0;
}

/* The first len bytes of the message in the record at position. */
static inline void
copy_out(const struct kn_ring *ring, uint32_t position, void *buf,
	 uint32_t len)
{
	size_t first = straight(ring, position);
	const kn_wide *mark = mark_at(ring, position);

	if (kn_likely(len <= first)) {
		memcpy(buf, mark + 1, len);
		return;
	}
	memcpy(buf, mark + 1, first);
	memcpy((unsigned char *)buf + first, ring->bytes, len - first);
}

/* ---- sides ---- */

/* Which of the two cells holds at position. */
static inline int
cell_at(const struct kn_side *side, uint32_t position)
{
	return (uint32_t)kn_wide_load(&side->passed[0].at) != position;
}

/* The side's latch; that the dead had it is counted, and is no error. */
static inline int
enter(struct kn_side *side, struct kn_party *me, kin_time deadline)
{
	int r = kn_latch_take(&side->latch, me, deadline);

	if (kn_unlikely(r > 0)) {
		kn_wide_add(&side->takeovers, 1);
		r = 0;
	}
	return r;
}

/*
 * Count, then move: the linearisation point of put and of get.  Killed between
 * the two, the spare cell names a position that the word does not have, and the
 * next holder writes it anew.
 *
 * On success the latch is free again: in the same step, if nobody sleeps on
 * either word.  (ThreadSanitizer takes words of two sizes for two things.)
 */
static inline int
commit(const struct kn_ring *ring, struct kn_side *side,
       const struct kn_party *me, uint32_t position, struct run run)
{
	uint32_t next = (position + run.units) & KN_POSITION;
	int now = cell_at(side, position);
	const struct kn_passed *from = &side->passed[now];
	struct kn_passed *to = &side->passed[!now];

	kn_wide_store(&to->at, next);
	kn_wide_store(&to->messages,
		      kn_wide_load(&from->messages) + run.messages);
	kn_wide_store(&to->bytes, kn_wide_load(&from->bytes) + run.bytes);
	if (kn_unlikely(ring->drops))
		kn_wide_store(&side->dropped[!now],
			      kn_wide_load(&side->dropped[now]) + run.dropped);
#if !KN_TSAN
	if (kn_likely(kn_wide_cas_release(&side->both,
					  kn_wide_of(me->stamp, position << 1),
					  kn_wide_of(0, next << 1)))) {
		kn_latch_released();
		return 0;
	}
#endif
	if (kn_publish(&side->commit, position, run.units) < 0)
		return spoilt("a position moved under its latch");
	kn_latch_release(&side->latch, me);
	return 0;
}

/* How far the other side is, as the hint has it or, if that won't do, anew. */
static inline uint32_t
look_across(struct kn_side *side, const struct kn_side *across)
{
	uint32_t position = kn_position(kn_load(&across->commit));

	kn_store_relaxed(&side->other, position);
	return position;
}

/*
 * Before the commit that takes them: so who dies between the two owes what is
 * still there, and the dead owe nothing.  -ERANGE: more than can be counted.
 */
static inline int
owe(const struct kn_ring *ring, const struct kn_party *me, uint32_t messages)
{
	return kn_likely(ring->owed == NULL)
	       ? 0 : kn_owe(&ring->owed[kn_stamp_slot(me->stamp)], me->stamp,
			    messages);
}

/* ---- room: lib/ring_room.c ---- */

/*
 * Is there, for n units at position and one message behind so many that are
 * not committed yet, as far as this side knows?
 */
static inline bool
fits(const struct kn_ring *ring, uint32_t position, uint32_t n,
     uint32_t messages)
{
	const struct kn_side *side = &ring->shared->put;
	uint32_t used = distance(kn_load_relaxed(&side->other), position) + n;
	uint32_t tail;

	if (used > kn_load_relaxed(&side->look) || used > ring->units)
		return false;
	if (kn_likely(ring->most == 0))
		return true;
	tail = kn_position(kn_load_relaxed(&side->commit));
	return kn_wide_load(&side->passed[cell_at(side, tail)].messages) +
	       messages - kn_wide_load(&side->gone) < ring->most;
}

/* Look for it; make it, if that is what the queue does and messages is 0. */
int kn_ring_find_room(struct kn_ring *ring, struct kn_party *me,
		      uint32_t position, uint32_t n, uint32_t messages,
		      uint32_t *ret_seen, kin_time deadline);

/* What there is to get, in units: more than 0; or as kn_ring_get. */
int kn_ring_find_message(struct kn_ring *ring, uint32_t head,
			 uint32_t *ret_there, uint32_t *ret_seen);

#endif
