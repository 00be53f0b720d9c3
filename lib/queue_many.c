/* SPDX-License-Identifier: MIT */
/*
 * queue_many.c - many messages in one call, in as few commits as may be
 */
#include <errno.h>

#include "lib/queue.h"
#include "shm/error.h"
#include "shm/wait.h"

/* ---- put ---- */

static int
check_messages(const kin_queue *q, const struct iovec *msgs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		kn_assert(msgs[i].iov_base != NULL || msgs[i].iov_len == 0);
		if (msgs[i].iov_len > q->ring.limit)
			return kn_fail(-EMSGSIZE, "message %zu of %zu bytes; "
				       "queue '%s' takes %u", i,
				       msgs[i].iov_len, q->seg->label,
				       q->ring.limit);
	}
	return 0;
}

/* All of the batch in runs, or as many as there was room for. */
static int
put_all(kin_queue *q, struct kn_batch *batch, struct kn_wait *wait,
	kin_time deadline)
{
	uint32_t seen;
	int r = 0;

	while (batch->done < batch->n && r >= 0) {
		r = kn_ring_put_many(&q->ring, &q->reg->party, batch, &seen,
				     deadline);
		if (r > 0)
			r = kn_queue_wait_room(q, wait, r, seen, deadline);
	}
	return r;
}

ssize_t
kin_queue_put_many(kin_queue *q, const struct iovec *msgs, size_t n,
		   kin_time deadline)
{
	struct kn_batch batch = { .msgs = (struct iovec *)msgs, .n = n };
	struct kn_sentence sentence;
	struct kn_wait wait;
	int r;

	kn_assert(q != NULL);
	kn_assert(msgs != NULL || n == 0);
	r = check_messages(q, msgs, n);
	if (r == 0)
		r = kn_queue_enter(q);
	if (r < 0)
		return r;
	kn_wait_begin(&wait, &q->put_spin, q->far);
	kn_sentence_save(&sentence);
	r = put_all(q, &batch, &wait, deadline);
	if (kn_wait_slept(&wait))
		kn_queue_waited_room(q, &wait);
	if (r < 0)
		r = kn_queue_failed(q, r, "had no room");
	if (r < 0 && batch.done == 0)
		return r;
	if (r < 0)
		kn_sentence_restore(&sentence);
	return (ssize_t)batch.done;
}

/* ---- get ---- */

/* The first ones, for which it waits. */
static int
get_first(kin_queue *q, struct kn_batch *batch, struct kn_wait *wait,
	  kin_time deadline)
{
	uint32_t seen;
	int r;

	do {
		r = kn_ring_get_many(&q->ring, &q->reg->party, batch, &seen,
				     deadline);
		if (r > 0) {
			r = kn_queue_wait_message(q, wait, seen, deadline);
			if (r == 0)
				r = 1;
		}
	} while (r > 0);
	return r;
}

/* What is there besides, and can be had at once. */
static void
get_rest(kin_queue *q, struct kn_batch *batch)
{
	struct kn_sentence sentence;
	uint32_t seen;
	int r = 0;

	if (!batch->more || batch->done == batch->n)
		return;
	kn_sentence_save(&sentence);
	while (r == 0 && batch->more && batch->done < batch->n)
		r = kn_ring_get_many(&q->ring, &q->reg->party, batch, &seen,
				     KIN_NOWAIT);
	if (r < 0)
		(void)kn_queue_failed(q, r, "stayed empty");
	kn_sentence_restore(&sentence);
}

ssize_t
kin_queue_get_many(kin_queue *q, struct iovec *ret_msgs, size_t n, void *buf,
		   size_t cap, kin_time deadline)
{
	struct kn_batch batch = { .msgs = ret_msgs, .n = n, .buf = buf,
				  .cap = cap };
	struct kn_wait wait;
	int r;

	kn_assert(q != NULL);
	kn_assert(ret_msgs != NULL || n == 0);
	kn_assert(buf != NULL || cap == 0);
	r = kn_queue_enter(q);
	if (r < 0)
		return r;
	if (n == 0)
		return 0;
	kn_queue_begin_get(q, &wait);
	r = get_first(q, &batch, &wait, deadline);
	if (r == 0)
		get_rest(q, &batch);
	if (kn_wait_slept(&wait))
		kn_queue_waited_message(q, &wait);
	if (batch.done > 0 && q->tasks != NULL)
		(void)kn_owe(&q->owed, q->reg->party.stamp,
			     (uint32_t)batch.done);
	if (r == 0)
		return (ssize_t)batch.done;
	if (r == -EMSGSIZE)
		return kn_fail(r, "message of %u bytes in queue '%s', buffer "
			       "of %zu", batch.len, q->seg->label, cap);
	return kn_queue_failed(q, r, "stayed empty");
}
