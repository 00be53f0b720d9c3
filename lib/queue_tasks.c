/* SPDX-License-Identifier: MIT */
/*
 * queue_tasks.c - messages that were put and are not reported as done
 *
 * They are those in the ring, and those that the living owe.  A getter owes a
 * message before the commit that takes it: so at every instruction it is
 * counted at least once, and who dies in between owes it no more while it is
 * still there.  What the dead had, and what was dropped, counts as done.
 *
 * Who joins sets the waiter bit and looks afterwards; who reports counts first
 * and looks for the bit afterwards: one of the two sees the other.  Of those
 * who report, it is one of the last that ends the wait: who has nothing more to
 * report, while the ring is empty.  So does who finds that it has ended after
 * setting the bit.
 */
#include <errno.h>
#include <inttypes.h>

#include "lib/queue.h"
#include "shm/error.h"
#include "shm/wait.h"

#define TRIES		1000

static uint64_t
owed_by(uint64_t of, uint32_t stamp)
{
	return (uint32_t)of == stamp ? of >> 32 : 0;
}

int
kn_owe(struct kn_owed *owed, uint32_t stamp, uint32_t messages)
{
	uint64_t of = kn_wide_load(&owed->of), now;

	do {
		now = owed_by(of, stamp) + messages;
		if (now > UINT32_MAX)
			return -ERANGE;
	} while (!kn_wide_cas(&owed->of, &of, stamp | now << 32));
	return 0;
}

/* UINT64_MAX: all of it. */
int
kn_pay(struct kn_owed *owed, uint32_t stamp, uint64_t messages)
{
	uint64_t of = kn_wide_load(&owed->of), now, less;

	do {
		now = owed_by(of, stamp);
		less = messages == UINT64_MAX ? now : messages;
		if (less > now)
			return -EINVAL;
		if (less == 0)
			return 0;
	} while (!kn_wide_cas(&owed->of, &of, stamp | (now - less) << 32));
	return 0;
}

/* ---- how much is not done ---- */

/* By those who have a slot; the dead too, until somebody has reaped them. */
static uint64_t
owed_by_all(const kin_queue *q)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < q->reg->slots; i++) {
		uint64_t of = kn_wide_load(&q->tasks->owed[i].of);

		if (of >> 32 != 0 &&
		    kn_registry_has(q->reg, i, (uint32_t)of))
			sum += of >> 32;
	}
	return sum;
}

/*
 * First what is in the ring: a message goes from there to one who owes it, and
 * never back.  So if nothing was put meanwhile, none was missed.
 */
int
kn_queue_unfinished(const kin_queue *q, uint64_t *ret)
{
	struct kn_ring_sum first, second;
	int tries, r = 0;

	for (tries = 0; tries < TRIES && r == 0; tries++) {
		r = kn_ring_sum(&q->ring, &first);
		*ret = first.puts - first.gets + owed_by_all(q);
		if (r == 0)
			r = kn_ring_sum(&q->ring, &second);
		if (r == 0 && first.puts == second.puts)
			return 0;
		*ret += second.puts - first.puts;
	}
	return r;
}

static int
keeps_none(const kin_queue *q)
{
	return kn_fail(-EINVAL, "queue '%s' was made without KIN_QUEUE_TASKS",
		       q->seg->label);
}

/* ---- the calls ---- */

int
kin_queue_task_done(kin_queue *q, size_t n)
{
	struct kn_ring_shared *shared;
	struct kn_owed *owed;
	uint32_t stamp;

	kn_assert(q != NULL);
	if (q->tasks == NULL)
		return keeps_none(q);
	if (kn_queue_spoilt(q))
		return kn_queue_spoilt_before(q);
	shared = q->ring.shared;
	stamp = q->reg->party.stamp;
	if (n > UINT32_MAX || !kn_registry_joined(q->reg) ||
	    kn_pay(&q->owed, stamp, n) < 0)
		return kn_fail(-EINVAL, "queue '%s': %zu messages done, which "
			       "this handle has not got", q->seg->label, n);
	owed = &q->tasks->owed[kn_stamp_slot(stamp)];
	if (kn_pay(owed, stamp, n) < 0)
		return kn_queue_failed(q, kn_fail(-EUCLEAN, "queue '%s': what "
		    "its members have got is spoilt", q->seg->label), "");
	if (owed_by(kn_wide_load(&owed->of), stamp) == 0 &&
	    kn_position(kn_load(&shared->get.commit)) ==
	    kn_position(kn_load(&shared->put.commit)) &&
	    (kn_load_ordered(&q->tasks->join) & KN_WAITER))
		kn_wait_stir(&q->tasks->join);
	return 0;
}

/*
 * Set on the word before the look; whoever is done afterwards sees it.  If all
 * is done before that look, nobody will; and another one, who has looked when
 * it was not, may yet sleep by our bit.  So we wake it.
 */
static int
announce(kn_word *join)
{
	uint32_t v = 0;

	if (kn_cas(join, &v, KN_WAITER) || v == KN_WAITER)
		return 0;
	return kn_fail(-EUCLEAN, "a queue's word for joiners holds %#x", v);
}

/* 1: all is done; 0: not yet. */
static int
is_done(kin_queue *q)
{
	uint64_t left;
	int r = kn_queue_unfinished(q, &left);

	return r < 0 ? r : left == 0;
}

static int
wait_done(kin_queue *q, kin_time deadline)
{
	static const kn_word never;
	struct kn_spin no_spin = { 0 };
	struct kn_wait wait;
	int r, slice = 1;

	kn_wait_begin(&wait, &no_spin, 1);
	for (;;) {
		r = announce(&q->tasks->join);
		if (r == 0)
			r = is_done(q);
		if (r == 0 && slice > 0) {
			/* Those who owe may be dead. */
			kn_registry_sweep(q->reg, q->reg->slots);
			r = is_done(q);
		}
		if (r > 0)
			kn_wait_stir(&q->tasks->join);
		if (r != 0)
			return r < 0 ? r : 0;
		slice = kn_wait_move(&wait, &q->tasks->join, 0, &never,
				     deadline);
		if (slice < 0)
			return slice;
	}
}

int
kin_queue_join(kin_queue *q, kin_time deadline)
{
	int r;

	kn_assert(q != NULL);
	if (q->tasks == NULL)
		return keeps_none(q);
	r = kn_queue_enter(q);
	if (r == 0)
		r = is_done(q);
	if (r == 0)
		r = wait_done(q, deadline);
	return r < 0 ? kn_queue_failed(q, r, "was not done") : 0;
}
