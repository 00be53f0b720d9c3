/* SPDX-License-Identifier: MIT */
/*
 * ring.c - the bytes of a queue, and the two words that say which are messages
 */
#include <errno.h>
#include <string.h>

#include "lib/ring.h"
#include "shm/error.h"
#include "shm/wait.h"

/*
 * A mark is one wide word, length | MARK << 32: written and read at once, so
 * that what was checked is what is used.
 */
#define MARK		0x006b696eu	/* tells a mark from rubbish */

_Static_assert(sizeof(kn_wide) == KN_MARK, "layout");
_Static_assert(KN_RECORD_UNITS == KN_PUBLISH_MAX, "a record is one publish");

static uint32_t
units_of(uint32_t len)
{
	return (len + KN_MARK + KN_UNIT - 1) / KN_UNIT;
}

static uint32_t
distance(uint32_t from, uint32_t to)
{
	return (to - from) & KN_POSITION;
}

static kn_wide *
mark_at(const struct kn_ring *ring, uint32_t position)
{
	return (kn_wide *)(void *)(ring->bytes +
	    (size_t)(position & (ring->units - 1)) * KN_UNIT);
}

/* What fits behind the mark at position before the ring's end. */
static size_t
straight(const struct kn_ring *ring, uint32_t position)
{
	return (size_t)(ring->units - (position & (ring->units - 1))) *
	       KN_UNIT - KN_MARK;
}

static void
copy_in(const struct kn_ring *ring, uint32_t position, const void *msg,
	uint32_t len)
{
	size_t first = straight(ring, position);
	unsigned char *at = (unsigned char *)(mark_at(ring, position) + 1);

	if (kn_likely(len <= first)) {
		memcpy(at, msg, len);
		return;
	}
	memcpy(at, msg, first);
	memcpy(ring->bytes, (const unsigned char *)msg + first, len - first);
}

static void
copy_out(const struct kn_ring *ring, uint32_t position, void *buf,
	 uint32_t len)
{
	size_t first = straight(ring, position);
	const unsigned char *at =
	    (const unsigned char *)(mark_at(ring, position) + 1);

	if (kn_likely(len <= first)) {
		memcpy(buf, at, len);
		return;
	}
	memcpy(buf, at, first);
	memcpy((unsigned char *)buf + first, ring->bytes, len - first);
}

/* The count that holds at position, and the cell to write the next one to. */
static uint32_t
tally(const struct kn_side *side, uint32_t position, int *ret_spare)
{
	uint64_t cell = kn_wide_load(&side->tally[0]);

	*ret_spare = 1;
	if ((uint32_t)cell != position) {
		cell = kn_wide_load(&side->tally[1]);
		*ret_spare = 0;
	}
	return (uint32_t)(cell >> 32);
}

/*
 * Count one message, then move: the linearisation point of put and of get.
 * Killed between the two, the spare cell names a position that the word does
 * not have, and the next holder writes it anew.
 *
 * On success the latch is free again: in the same step, if nobody sleeps on
 * either word.  (ThreadSanitizer takes words of two sizes for two things.)
 */
static int
commit(struct kn_side *side, const struct kn_party *me, uint32_t position,
       uint32_t n)
{
	uint32_t next = (position + n) & KN_POSITION;
	int spare;
	uint32_t count = tally(side, position, &spare);

	kn_wide_store(&side->tally[spare], next | (uint64_t)(count + 1) << 32);
#if !KN_TSAN
	if (kn_likely(kn_wide_cas_release(&side->both,
					  kn_wide_of(me->stamp, position << 1),
					  kn_wide_of(0, next << 1)))) {
		kn_latch_released();
		return 0;
	}
#endif
	if (kn_publish(&side->commit, position, n) < 0)
		return -EUCLEAN;
	kn_latch_release(&side->latch, me);
	return 0;
}

/* How far the other side is, as the hint has it or, if that won't do, anew. */
static uint32_t
look_across(struct kn_side *side, const struct kn_side *across)
{
	uint32_t position = kn_position(kn_load(&across->commit));

	kn_store_relaxed(&side->other, position);
	return position;
}

static int
spoilt(const char *what)
{
	return kn_fail(-EUCLEAN, "queue: %s", what);
}

/* Under the latch; it is free again if this returns 0. */
static int
put(struct kn_ring *ring, const struct kn_party *me, const void *msg,
    uint32_t len, uint32_t *ret_seen)
{
	struct kn_side *side = &ring->shared->put;
	uint32_t tail = kn_position(kn_load_relaxed(&side->commit));
	uint32_t head = kn_load_relaxed(&side->other);
	uint32_t n = units_of(len);

	if (kn_unlikely(kn_load(&side->shut) != 0))
		return -EPIPE;
	if (distance(head, tail) + n > ring->units) {
		head = look_across(side, &ring->shared->get);
		if (distance(head, tail) > ring->units)
			return spoilt("its positions contradict each other");
		if (distance(head, tail) + n > ring->units) {
			*ret_seen = head;
			return KN_RING_WAIT;
		}
	}
	kn_wide_store(mark_at(ring, tail), len | (uint64_t)MARK << 32);
	copy_in(ring, tail, msg, len);
	if (kn_unlikely(commit(side, me, tail, n) < 0))
		return spoilt("its tail moved under us");
	return 0;
}

static int
get(struct kn_ring *ring, const struct kn_party *me, void *buf, size_t cap,
    uint32_t *ret_len, uint32_t *ret_seen)
{
	struct kn_side *side = &ring->shared->get;
	uint32_t head = kn_position(kn_load_relaxed(&side->commit));
	uint32_t tail = kn_load_relaxed(&side->other);
	uint32_t there = distance(head, tail);
	uint64_t mark;
	uint32_t len;

	if (there == 0 || there > ring->units) {
		/* Shut before tail: then that tail is the last one. */
		bool shut = kn_load(&ring->shared->put.shut) != 0;

		tail = look_across(side, &ring->shared->put);
		there = distance(head, tail);
		if (there > ring->units)
			return spoilt("its positions contradict each other");
		if (there == 0) {
			*ret_seen = tail;
			return shut ? -EPIPE : KN_RING_WAIT;
		}
	}
	mark = kn_wide_load(mark_at(ring, head));
	len = (uint32_t)mark;
	if (mark >> 32 != MARK || len > ring->limit || units_of(len) > there)
		return spoilt("a record's mark is none");
	*ret_len = len;
	if (len > cap)
		return -EMSGSIZE;
	copy_out(ring, head, buf, len);
	if (kn_unlikely(commit(side, me, head, units_of(len)) < 0))
		return spoilt("its head moved under us");
	return 0;
}

/*
 * A latch that was inherited from the dead is as good as any: the ring is
 * right at every instruction of its holder.
 */
int
kn_ring_put(struct kn_ring *ring, struct kn_party *me, const void *msg,
	    uint32_t len, uint32_t *ret_seen, kin_time deadline)
{
	kn_word *latch = &ring->shared->put.latch;
	int r;

	r = kn_latch_take(latch, me, deadline);
	if (kn_unlikely(r < 0))
		return r;
	r = put(ring, me, msg, len, ret_seen);
	if (kn_unlikely(r != 0))
		kn_latch_release(latch, me);
	return r;
}

int
kn_ring_get(struct kn_ring *ring, struct kn_party *me, void *buf, size_t cap,
	    uint32_t *ret_len, uint32_t *ret_seen, kin_time deadline)
{
	kn_word *latch = &ring->shared->get.latch;
	int r;

	r = kn_latch_take(latch, me, deadline);
	if (kn_unlikely(r < 0))
		return r;
	r = get(ring, me, buf, cap, ret_len, ret_seen);
	if (kn_unlikely(r != 0))
		kn_latch_release(latch, me);
	return r;
}

/*
 * Both counts, with neither word moved in between: one moment.  Where both
 * sides are so busy that this does not come about, the counts are a moment
 * apart, and what was put in between is counted.
 */
int64_t
kn_ring_len(const struct kn_ring *ring)
{
	const struct kn_side *put = &ring->shared->put;
	const struct kn_side *get = &ring->shared->get;
	uint32_t len = 0, used = 0;
	bool whole = false;
	int tries, spare;

	for (tries = 0; tries < 1000 && !whole; tries++) {
		uint32_t head = kn_position(kn_load(&get->commit));
		uint32_t out = tally(get, head, &spare);
		uint32_t tail = kn_position(kn_load(&put->commit));

		len = tally(put, tail, &spare) - out;
		whole = kn_position(kn_load(&get->commit)) == head &&
			kn_position(kn_load(&put->commit)) == tail;
		used = distance(head, tail);
		if (whole && used > ring->units)
			return spoilt("its positions contradict each other");
	}
	/* A message takes a unit at least. */
	if (whole && (len > used || (len == 0) != (used == 0)))
		return spoilt("its counts contradict its positions");
	return len < ring->units ? len : ring->units;
}

uint32_t
kn_ring_empty_tail(const struct kn_ring *ring)
{
	return kn_position(kn_load(&ring->shared->get.commit));
}

uint32_t
kn_ring_full_head(const struct kn_ring *ring)
{
	uint32_t tail = kn_position(kn_load(&ring->shared->put.commit));

	return (tail - ring->units) & KN_POSITION;
}
