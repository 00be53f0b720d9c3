/* SPDX-License-Identifier: MIT */
/*
 * ring_room.c - room for a message: found, or made at the expense of the oldest
 *
 * A producer holds its latch and takes the consumers' after it, never the
 * reverse.  What it drops nobody holds: consumers copy under their latch.
 */
#include "lib/ring_inside.h"

#define EIGHTH		8u
#define TRIES		1000		/* to see the other side stand still */

/* How many messages the consumers have let pass when they were at *head. */
static bool
count_gone(const struct kn_side *get, uint32_t *head, uint64_t *ret_gone)
{
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		uint32_t v = *head;

		*ret_gone = kn_wide_load(
		    &get->passed[cell_at(get, v)].messages);
		*head = kn_position(kn_load(&get->commit));
		if (*head == v)
			return true;
	}
	return false;
}

/* As many messages as there may be?  Looks across, and takes a note. */
static bool
is_full(struct kn_ring *ring, uint32_t *head, uint32_t messages)
{
	struct kn_side *side = &ring->shared->put;
	uint32_t tail = kn_position(kn_load_relaxed(&side->commit));
	uint64_t gone;

	if (ring->most == 0)
		return false;
	if (!count_gone(&ring->shared->get, head, &gone))
		return true;
	kn_wide_store(&side->gone, gone);
	return kn_wide_load(&side->passed[cell_at(side, tail)].messages) +
	       messages - gone >= ring->most;
}

/*
 * So many units are going to be in use.  The next look is due when it may have
 * become more than ever, and an eighth of the ring has been put: a look at the
 * other side's line for each message would cost more than the message.
 */
static void
note(const struct kn_ring *ring, uint32_t used)
{
	struct kn_side *side = &ring->shared->put;
	uint32_t high = kn_load_relaxed(&side->high);
	uint32_t next = used + ring->units / EIGHTH;

	if (used > high)
		kn_store_relaxed(&side->high, high = used);
	kn_store_relaxed(&side->look, next > high ? next : high);
}

/*
 * Under both latches, the second of which is free again if this returns 0: so
 * many units less, or one message, in one commit.
 */
static int
drop(struct kn_ring *ring, const struct kn_party *me, uint32_t tail,
     uint32_t units)
{
	struct kn_side *get = &ring->shared->get;
	uint32_t head = kn_position(kn_load_relaxed(&get->commit));
	uint32_t there = distance(head, tail), len = 0;
	struct run run = { 0 };
	int r;

	if (there == 0 || there > ring->units)
		return spoilt("its positions contradict each other");
	do {
		r = record_at(ring, head + run.units, there - run.units, &len);
		if (r < 0)
			return r;
		if (run.units + units_of(len) > KN_PUBLISH_MAX)
			break;
		run.units += units_of(len);
		run.messages++;
		run.dropped++;
	} while (run.units < units && run.units < there);
	return commit(ring, get, me, head, run);
}

static int
make_room(struct kn_ring *ring, struct kn_party *me, uint32_t tail,
	  uint32_t units, kin_time deadline)
{
	struct kn_side *get = &ring->shared->get;
	int r;

	r = kn_latch_take_second(&get->latch, me, deadline);
	if (r < 0)
		return r;
	if (r > 0)
		kn_wide_add(&get->takeovers, 1);
	/* A getter may have been there meanwhile. */
	if (kn_position(kn_load_relaxed(&get->commit)) !=
	    kn_load_relaxed(&ring->shared->put.other)) {
		kn_latch_release(&get->latch, me);
		return 0;
	}
	r = drop(ring, me, tail, units);
	if (r < 0)
		kn_latch_release(&get->latch, me);
	return r;
}

int
kn_ring_find_room(struct kn_ring *ring, struct kn_party *me, uint32_t position,
		  uint32_t n, uint32_t messages, uint32_t *ret_seen,
		  kin_time deadline)
{
	struct kn_side *side = &ring->shared->put;
	int tries, r;

	for (tries = 0; tries < TRIES * TRIES; tries++) {
		uint32_t head = look_across(side, &ring->shared->get);
		bool full = is_full(ring, &head, messages);
		uint32_t used = distance(head, position);

		if (used > ring->units)
			return spoilt("its positions contradict each other");
		if (used + n <= ring->units && !full) {
			kn_store_relaxed(&side->other, head);
			note(ring, used + n);
			return 0;
		}
		*ret_seen = head;
		if (!ring->drops || messages > 0)
			return full ? KN_RING_FULL : KN_RING_WAIT;
		kn_store_relaxed(&side->other, head);
		r = make_room(ring, me, position,
			      used + n > ring->units ? used + n - ring->units
						     : 1, deadline);
		if (r < 0)
			return r;
	}
	return spoilt("its head does not keep what was dropped");
}
