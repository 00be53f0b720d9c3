/* SPDX-License-Identifier: MIT */
/*
 * ring.c - the bytes of a queue, and the two words that say which are messages
 */
#include "lib/ring_inside.h"

/* Under the latch; it is free again if this returns 0. */
static int
put(struct kn_ring *ring, struct kn_party *me, const void *msg, uint32_t len,
    uint32_t *ret_seen, kin_time deadline)
{
	struct kn_side *side = &ring->shared->put;
	uint32_t tail = kn_position(kn_load_relaxed(&side->commit));
	uint32_t n = units_of(len);
	int r;

	if (kn_unlikely(kn_load(&side->shut) != 0))
		return -EPIPE;
	if (kn_unlikely(!fits(ring, tail, n, 0))) {
		r = kn_ring_find_room(ring, me, tail, n, 0, ret_seen,
				      deadline);
		if (r != 0)
			return r;
	}
	write_record(ring, tail, msg, len);
	return commit(ring, side, me, tail, (struct run){ n, 1, len, 0 });
}

int
kn_ring_find_message(struct kn_ring *ring, uint32_t head, uint32_t *ret_there,
		     uint32_t *ret_seen)
{
	struct kn_side *side = &ring->shared->get;
	/* Shut before tail: then that tail is the last one. */
	bool shut = kn_load(&ring->shared->put.shut) != 0;
	uint32_t tail = look_across(side, &ring->shared->put);

	*ret_there = distance(head, tail);
	if (*ret_there > ring->units)
		return spoilt("its positions contradict each other");
	if (*ret_there != 0)
		return 0;
	*ret_seen = tail;
	return shut ? -EPIPE : KN_RING_WAIT;
}

/* The oldest message, where there is one; under the latch. */
static inline int
oldest(struct kn_ring *ring, uint32_t head, uint32_t *ret_len,
       uint32_t *ret_seen)
{
	struct kn_side *side = &ring->shared->get;
	uint32_t there = distance(head, kn_load_relaxed(&side->other));
	int r;

	if (there == 0 || there > ring->units) {
		r = kn_ring_find_message(ring, head, &there, ret_seen);
		if (r != 0)
			return r;
	}
	return record_at(ring, head, there, ret_len);
}

static int
get(struct kn_ring *ring, const struct kn_party *me, void *buf, size_t cap,
    uint32_t *ret_len, uint32_t *ret_seen)
{
	struct kn_side *side = &ring->shared->get;
	uint32_t head = kn_position(kn_load_relaxed(&side->commit));
	uint32_t len = 0;
	int r;

	r = oldest(ring, head, &len, ret_seen);
	if (r != 0)
		return r;
	*ret_len = len;
	if (len > cap)
		return -EMSGSIZE;
	copy_out(ring, head, buf, len);
	r = owe(ring, me, 1);
	return r < 0 ? r : commit(ring, side, me, head,
				  (struct run){ units_of(len), 1, len, 0 });
}

/*
 * A latch that was inherited from the dead is as good as any: the ring is
 * right at every instruction of its holder.
 */
int
kn_ring_put(struct kn_ring *ring, struct kn_party *me, const void *msg,
	    uint32_t len, uint32_t *ret_seen, kin_time deadline)
{
	struct kn_side *side = &ring->shared->put;
	int r;

	r = enter(side, me, deadline);
	if (kn_unlikely(r < 0))
		return r;
	r = put(ring, me, msg, len, ret_seen, deadline);
	if (kn_unlikely(r != 0))
		kn_latch_release(&side->latch, me);
	return r;
}

int
kn_ring_get(struct kn_ring *ring, struct kn_party *me, void *buf, size_t cap,
	    uint32_t *ret_len, uint32_t *ret_seen, kin_time deadline)
{
	struct kn_side *side = &ring->shared->get;
	int r;

	r = enter(side, me, deadline);
	if (kn_unlikely(r < 0))
		return r;
	r = get(ring, me, buf, cap, ret_len, ret_seen);
	if (kn_unlikely(r != 0))
		kn_latch_release(&side->latch, me);
	return r;
}

/* Nothing moves, so it is whole only under the latch. */
int
kn_ring_peek(struct kn_ring *ring, struct kn_party *me, void *buf, size_t cap,
	     uint32_t *ret_len, uint32_t *ret_seen, kin_time deadline)
{
	struct kn_side *side = &ring->shared->get;
	uint32_t head;
	int r;

	r = enter(side, me, deadline);
	if (r < 0)
		return r;
	head = kn_position(kn_load_relaxed(&side->commit));
	r = oldest(ring, head, ret_len, ret_seen);
	if (r == 0)
		copy_out(ring, head, buf, *ret_len < cap ? *ret_len
							 : (uint32_t)cap);
	kn_latch_release(&side->latch, me);
	return r;
}
