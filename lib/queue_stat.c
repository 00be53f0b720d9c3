/* SPDX-License-Identifier: MIT */
/*
 * queue_stat.c - what there is to know of a queue, to its users
 */
#include <errno.h>

#include "lib/queue.h"
#include "shm/error.h"

ssize_t
kin_queue_len(kin_queue *q)
{
	int64_t len;

	kn_assert(q != NULL);
	if (kn_queue_spoilt(q))
		return kn_queue_spoilt_before(q);
	len = kn_ring_len(&q->ring);
	return len < 0 ? kn_queue_failed(q, (int)len, "") : (ssize_t)len;
}

int
kin_queue_empty(kin_queue *q)
{
	ssize_t len = kin_queue_len(q);

	return len < 0 ? (int)len : len == 0;
}

static int
sum_up(kin_queue *q, struct kn_ring_sum *ret)
{
	int r;

	if (kn_queue_spoilt(q))
		return kn_queue_spoilt_before(q);
	r = kn_ring_sum(&q->ring, ret);
	return r < 0 ? kn_queue_failed(q, r, "") : 0;
}

int
kin_queue_full(kin_queue *q)
{
	struct kn_ring_sum sum;
	int r;

	kn_assert(q != NULL);
	r = sum_up(q, &sum);
	if (r < 0)
		return r;
	return sum.units == q->ring.units ||
	       (q->ring.most != 0 && sum.puts - sum.gets >= q->ring.most);
}

uint64_t
kn_queue_high(uint32_t high, uint32_t used, uint32_t units)
{
	high = high > used ? high : used;
	return (uint64_t)(high < units ? high : units) * KN_UNIT;
}

int
kin_queue_stat(kin_queue *q, struct kin_queue_stats *ret)
{
	struct kn_ring_shared *shared;
	struct kn_ring_sum sum;
	uint64_t unfinished = 0;
	int r;

	kn_assert(q != NULL);
	kn_assert(ret != NULL);
	r = sum_up(q, &sum);
	if (r == 0 && q->tasks != NULL)
		r = kn_queue_unfinished(q, &unfinished);
	if (r < 0)
		return r;
	shared = q->ring.shared;
	*ret = (struct kin_queue_stats){
		.len = sum.puts - sum.gets,
		.unfinished = unfinished,
		.puts = sum.puts,
		.gets = sum.gets - sum.drops,
		.drops = sum.drops,
		.put_bytes = sum.put_bytes,
		.got_bytes = sum.got_bytes,
		.copied_bytes = sum.put_bytes + sum.got_bytes,
		.used_bytes = (uint64_t)sum.units * KN_UNIT,
		.high_bytes = kn_queue_high(kn_load(&shared->put.high),
					    sum.units, q->ring.units),
		.ring_bytes = (uint64_t)q->ring.units * KN_UNIT,
		.put_waits = kn_wide_load(&shared->put.waits),
		.get_waits = kn_wide_load(&shared->get.waits),
		.takeovers = kn_wide_load(&shared->put.takeovers) +
			     kn_wide_load(&shared->get.takeovers),
	};
	return 0;
}

size_t
kin_queue_limit(const kin_queue *q)
{
	kn_assert(q != NULL);
	return q->ring.limit;
}

int
kin_queue_fd(const kin_queue *q)
{
	kn_assert(q != NULL);
	return q->seg->fd;
}

const char *
kin_queue_label(const kin_queue *q)
{
	kn_assert(q != NULL);
	return q->seg->label;
}
