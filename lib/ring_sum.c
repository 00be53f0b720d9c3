/* SPDX-License-Identifier: MIT */
/*
 * ring_sum.c - what has passed through a ring and what is in it, at one moment
 */
#include "lib/ring_inside.h"

#define TRIES		1000

static void
add_up(const struct kn_side *put, const struct kn_side *get, uint32_t tail,
       uint32_t head, struct kn_ring_sum *ret)
{
	int in = cell_at(put, tail), out = cell_at(get, head);

	ret->gets = kn_wide_load(&get->passed[out].messages);
	ret->got_bytes = kn_wide_load(&get->passed[out].bytes);
	ret->drops = kn_wide_load(&get->dropped[out]);
	ret->puts = kn_wide_load(&put->passed[in].messages);
	ret->put_bytes = kn_wide_load(&put->passed[in].bytes);
	ret->units = distance(head, tail);
}

/*
 * Both sides, with neither word moved in between: one moment.  Where both are
 * so busy that this does not come about, the numbers are a moment apart, and
 * what was put in between is counted.
 */
int
kn_ring_sum(const struct kn_ring *ring, struct kn_ring_sum *ret)
{
	const struct kn_side *put = &ring->shared->put;
	const struct kn_side *get = &ring->shared->get;
	uint64_t len;
	bool whole = false;
	int tries;

	for (tries = 0; tries < TRIES && !whole; tries++) {
		uint32_t head = kn_position(kn_load(&get->commit));
		uint32_t tail = kn_position(kn_load(&put->commit));

		add_up(put, get, tail, head, ret);
		whole = kn_position(kn_load(&get->commit)) == head &&
			kn_position(kn_load(&put->commit)) == tail;
	}
	len = ret->puts - ret->gets;
	if (!whole) {
		if (len > ring->units)
			ret->gets = ret->puts - ring->units;
		return 0;
	}
	if (ret->units > ring->units)
		return spoilt("its positions contradict each other");
	/* A message takes a unit at least. */
	if (len > ret->units || (len == 0) != (ret->units == 0) ||
	    ret->drops > ret->gets)
		return spoilt("its counts contradict its positions");
	return 0;
}

int64_t
kn_ring_len(const struct kn_ring *ring)
{
	struct kn_ring_sum sum;
	int r = kn_ring_sum(ring, &sum);

	return r < 0 ? r : (int64_t)(sum.puts - sum.gets);
}

uint32_t
kn_ring_empty_tail(const struct kn_ring *ring)
{
	return kn_position(kn_load(&ring->shared->get.commit));
}

/* With as many messages as there may be, it is full wherever the head is. */
uint32_t
kn_ring_full_head(const struct kn_ring *ring)
{
	uint32_t head = kn_position(kn_load(&ring->shared->get.commit));
	uint32_t tail = kn_position(kn_load(&ring->shared->put.commit));

	if (ring->most != 0 && (uint64_t)kn_ring_len(ring) >= ring->most)
		return head;
	return (tail - ring->units) & KN_POSITION;
}
