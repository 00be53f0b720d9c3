/* SPDX-License-Identifier: MIT */
/*
 * ring_many.c - several messages in one commit
 *
 * A commit moves 1024 units at most, and so does a run; the latch, the cells
 * and the compare-and-swap are paid for once for all of its messages.
 */
#include "lib/ring_inside.h"

/* ---- put ---- */

/* One more into the run; 0, or why not. */
static int
add(struct kn_ring *ring, struct kn_party *me, const struct iovec *msg,
    uint32_t tail, struct run *run, uint32_t *ret_seen, kin_time deadline)
{
	uint32_t len = (uint32_t)msg->iov_len, n = units_of(len);
	uint32_t at = (tail + run->units) & KN_POSITION;
	int r;

	if (run->units + n > KN_PUBLISH_MAX)
		return KN_RING_WAIT;
	if (kn_unlikely(!fits(ring, at, n, run->messages))) {
		r = kn_ring_find_room(ring, me, at, n, run->messages, ret_seen,
				      deadline);
		if (r != 0)
			return r;
	}
	write_record(ring, at, len > 0 ? msg->iov_base : "", len);
	run->units += n;
	run->messages++;
	run->bytes += len;
	return 0;
}

static int
put_run(struct kn_ring *ring, struct kn_party *me, struct kn_batch *batch,
	uint32_t *ret_seen, kin_time deadline)
{
	struct kn_side *side = &ring->shared->put;
	uint32_t tail = kn_position(kn_load_relaxed(&side->commit));
	struct run run = { 0 };
	size_t i;
	int r = 0;

	if (kn_load(&side->shut) != 0)
		return -EPIPE;
	for (i = batch->done; i < batch->n && r == 0; i++)
		r = add(ring, me, &batch->msgs[i], tail, &run, ret_seen,
			deadline);
	if (r < 0 || run.messages == 0)
		return r;
	r = commit(ring, side, me, tail, run);
	if (r == 0)
		batch->done += run.messages;
	return r;
}

int
kn_ring_put_many(struct kn_ring *ring, struct kn_party *me,
		 struct kn_batch *batch, uint32_t *ret_seen, kin_time deadline)
{
	struct kn_side *side = &ring->shared->put;
	int r;

	r = enter(side, me, deadline);
	if (r < 0)
		return r;
	r = put_run(ring, me, batch, ret_seen, deadline);
	if (r != 0)
		kn_latch_release(&side->latch, me);
	return r;
}

/* ---- get ---- */

static size_t
behind(const struct kn_batch *batch, size_t used, uint32_t len)
{
	size_t next = (used + len + KN_UNIT - 1) / KN_UNIT * KN_UNIT;

	return next < batch->cap ? next : batch->cap;
}

/*
 * How many units there are to get from head on, of which so many are in the
 * run: more than that, if there is more.  The other side is looked at once.
 */
static int
look_further(struct kn_ring *ring, uint32_t head, uint32_t units,
	     bool *looked, uint32_t *there, uint32_t *ret_seen)
{
	if (units < *there || (*looked && units > 0))
		return 0;
	*looked = true;
	return kn_ring_find_message(ring, head, there, ret_seen);
}

/* The next one into the buffer, and its place in the batch. */
static int
fetch(struct kn_ring *ring, struct kn_batch *batch, uint32_t at, uint32_t len,
      size_t used, size_t i)
{
	if (len > batch->cap - used) {
		batch->len = len;
		return -EMSGSIZE;
	}
	batch->msgs[i].iov_base = batch->buf != NULL ? batch->buf + used : NULL;
	batch->msgs[i].iov_len = len;
	if (len > 0)
		copy_out(ring, at, batch->buf + used, len);
	return 0;
}

static int
get_run(struct kn_ring *ring, const struct kn_party *me,
	struct kn_batch *batch, uint32_t *ret_seen)
{
	struct kn_side *side = &ring->shared->get;
	uint32_t head = kn_position(kn_load_relaxed(&side->commit));
	uint32_t there = distance(head, kn_load_relaxed(&side->other));
	uint32_t len = 0;
	size_t used = batch->used, most = batch->n - batch->done;
	struct run run = { 0 };
	bool looked = false;
	int r = 0;

	batch->more = false;
	if (there > ring->units)
		there = 0;
	while (run.messages < most) {
		uint32_t at = (head + run.units) & KN_POSITION;

		r = look_further(ring, head, run.units, &looked, &there,
				 ret_seen);
		if (r != 0 || run.units >= there)
			break;
		r = record_at(ring, at, there - run.units, &len);
		if (r < 0)
			break;
		batch->more = run.units + units_of(len) > KN_PUBLISH_MAX;
		if (batch->more)
			break;
		r = fetch(ring, batch, at, len, used,
			  batch->done + run.messages);
		if (r < 0)
			break;
		run.units += units_of(len);
		run.messages++;
		run.bytes += len;
		used = behind(batch, used, len);
	}
	if (run.messages == 0 || (r < 0 && r != -EMSGSIZE))
		return r;
	r = owe(ring, me, run.messages);
	if (r == 0)
		r = commit(ring, side, me, head, run);
	if (r < 0)
		return r;
	batch->done += run.messages;
	batch->used = used;
	return 0;
}

int
kn_ring_get_many(struct kn_ring *ring, struct kn_party *me,
		 struct kn_batch *batch, uint32_t *ret_seen, kin_time deadline)
{
	struct kn_side *side = &ring->shared->get;
	int r;

	r = enter(side, me, deadline);
	if (r < 0)
		return r;
	r = get_run(ring, me, batch, ret_seen);
	if (r != 0)
		kn_latch_release(&side->latch, me);
	return r;
}
