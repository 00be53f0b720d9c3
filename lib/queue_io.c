/* SPDX-License-Identifier: MIT */
/*
 * queue_io.c - put, get, peek, shutdown: one try, and waiting for the other side
 */
#include <errno.h>
#include <inttypes.h>

#include "lib/queue.h"
#include "shm/error.h"
#include "shm/wait.h"

int
kn_queue_failed(kin_queue *q, int r, const char *timeout)
{
	switch (r) {
	case -ETIMEDOUT:
		return kn_fail(r, "queue '%s' %s until the deadline",
			       q->seg->label, timeout);
	case -EPIPE:
		return kn_fail(r, "queue '%s' was shut down", q->seg->label);
	case -ENOSPC:
		return kn_fail(r, "queue '%s' is full", q->seg->label);
	case -ERANGE:
		return kn_fail(r, "queue '%s': %" PRIu32 " messages got, and "
			       "not reported as done", q->seg->label,
			       UINT32_MAX);
	case -EBUSY:	/* a latch; the word may have changed since */
		return kn_fail(-ETIMEDOUT, "queue '%s': another process, at "
			       "work or stopped in it, was in the way until "
			       "the deadline", q->seg->label);
	case -EDEADLK:
		return kn_fail(r, "queue '%s': called from a signal handler "
			       "that interrupted a call", q->seg->label);
	case -EUCLEAN:	/* whoever found it out has said what is wrong */
		__atomic_store_n(&q->spoilt, 1, __ATOMIC_RELAXED);
		return r;
	default:
		return r;
	}
}

/* ---- waiting ---- */

/*
 * Woken for room that is not enough for us: it may be for another, unless there
 * are as many messages as there may be.  Once for each head, or two of us would
 * wake each other for ever; and once is enough, as the kernel wakes first who
 * has slept longest.
 */
static void
pass_on(kin_queue *q, struct kn_wait *wait, int r, uint32_t seen)
{
	if (!wait->woken || r == KN_RING_FULL || seen == wait->passed)
		return;
	wait->passed = seen;
	wait->woken = false;
	kn_wait_pass(&q->ring.shared->get.commit);
}

int
kn_queue_wait_room(kin_queue *q, struct kn_wait *wait, int r, uint32_t seen,
		   kin_time deadline)
{
	struct kn_ring_shared *shared = q->ring.shared;

	if (q->fails)
		return -ENOSPC;
	pass_on(q, wait, r, seen);
	r = kn_wait_move(wait, &shared->get.commit, seen, &shared->put.shut,
			 deadline);
	if (r > 0)
		kn_registry_sweep(q->reg, KN_QUEUE_SWEEP);
	return r < 0 ? r : 0;
}

int
kn_queue_wait_message(kin_queue *q, struct kn_wait *wait, uint32_t seen,
		      kin_time deadline)
{
	struct kn_ring_shared *shared = q->ring.shared;
	int r;

	r = kn_wait_move(wait, &shared->put.commit, seen, &shared->put.shut,
			 deadline);
	if (r > 0)
		kn_registry_sweep(q->reg, KN_QUEUE_SWEEP);
	return r < 0 ? r : 0;
}

void
kn_queue_waited_room(kin_queue *q, const struct kn_wait *wait)
{
	struct kn_ring_shared *shared = q->ring.shared;

	kn_wide_add(&shared->put.waits, 1);
	if (wait->woken)
		kn_wait_end(wait, &shared->get.commit,
			    kn_ring_full_head(&q->ring), &shared->put.shut);
}

void
kn_queue_waited_message(kin_queue *q, const struct kn_wait *wait)
{
	struct kn_ring_shared *shared = q->ring.shared;

	kn_wide_add(&shared->get.waits, 1);
	if (wait->woken)
		kn_wait_end(wait, &shared->put.commit,
			    kn_ring_empty_tail(&q->ring), &shared->put.shut);
}

/* ---- put ---- */

int
kin_queue_put(kin_queue *q, const void *msg, size_t len, kin_time deadline)
{
	struct kn_wait wait;
	uint32_t seen;
	int r;

	kn_assert(q != NULL);
	kn_assert(msg != NULL || len == 0);
	if (kn_unlikely(len > q->ring.limit))
		return kn_fail(-EMSGSIZE, "message of %zu bytes; queue '%s' "
			       "takes %u", len, q->seg->label, q->ring.limit);
	if (msg == NULL)
		msg = "";
	r = kn_queue_enter(q);
	if (kn_unlikely(r < 0))
		return r;
	kn_wait_begin(&wait, &q->put_spin, q->far);
	for (;;) {
		r = kn_ring_put(&q->ring, &q->reg->party, msg, (uint32_t)len,
				&seen, deadline);
		if (kn_likely(r <= 0))
			break;
		r = kn_queue_wait_room(q, &wait, r, seen, deadline);
		if (r < 0)
			break;
	}
	if (kn_unlikely(kn_wait_slept(&wait)))
		kn_queue_waited_room(q, &wait);
	return kn_likely(r == 0) ? 0 : kn_queue_failed(q, r, "had no room");
}

/* ---- get, peek ---- */

typedef int try_fn(struct kn_ring *ring, struct kn_party *me, void *buf,
		   size_t cap, uint32_t *ret_len, uint32_t *ret_seen,
		   kin_time deadline);

/* Its length; -EMSGSIZE, with the length in *ret_len. */
static inline __attribute__((always_inline)) ssize_t
get(kin_queue *q, try_fn *try, void *buf, size_t cap, kin_time deadline)
{
	struct kn_wait wait;
	uint32_t seen, len = 0;
	char nothing;
	int r;

	kn_assert(q != NULL);
	kn_assert(buf != NULL || cap == 0);
	if (buf == NULL)
		buf = &nothing;
	r = kn_queue_enter(q);
	if (kn_unlikely(r < 0))
		return r;
	kn_queue_begin_get(q, &wait);
	for (;;) {
		r = try(&q->ring, &q->reg->party, buf, cap, &len, &seen,
			deadline);
		if (kn_likely(r <= 0))
			break;
		r = kn_queue_wait_message(q, &wait, seen, deadline);
		if (r < 0)
			break;
	}
	if (kn_unlikely(kn_wait_slept(&wait)))
		kn_queue_waited_message(q, &wait);
	if (kn_likely(r == 0))
		return len;
	if (r == -EMSGSIZE)
		return kn_fail(r, "message of %u bytes in queue '%s', buffer "
			       "of %zu", len, q->seg->label, cap);
	return kn_queue_failed(q, r, "stayed empty");
}

ssize_t
kin_queue_get(kin_queue *q, void *buf, size_t cap, kin_time deadline)
{
	ssize_t n = get(q, kn_ring_get, buf, cap, deadline);

	if (n >= 0 && kn_unlikely(q->tasks != NULL))
		(void)kn_owe(&q->owed, q->reg->party.stamp, 1);
	return n;
}

ssize_t
kin_queue_peek(kin_queue *q, void *buf, size_t cap, kin_time deadline)
{
	return get(q, kn_ring_peek, buf, cap, deadline);
}

/* ---- shutdown ---- */

/*
 * Under the putters' latch: a put that has seen the queue open has moved the
 * tail when we set the word, so a getter that sees it set and nothing there
 * knows that nothing will come.  Sleepers are woken under the latch of the
 * word that they sleep on; a getter that is stopped in the middle does not
 * hold us up, and putters then learn it at their slice's end.  So does a putter
 * that is about to sleep when another one sets the bit again: see wait.h.
 */
int
kin_queue_shutdown(kin_queue *q, kin_time deadline)
{
	struct kn_ring_shared *shared;
	struct kn_sentence sentence;
	struct kn_party *me;
	int r;

	kn_assert(q != NULL);
	r = kn_queue_enter(q);
	if (r < 0)
		return r;
	shared = q->ring.shared;
	me = &q->reg->party;
	r = kn_latch_take(&shared->put.latch, me, deadline);
	if (r < 0)
		return kn_queue_failed(q, r, "");
	kn_store(&shared->put.shut, 1);
	kn_wait_stir(&shared->put.commit);
	kn_latch_release(&shared->put.latch, me);

	kn_sentence_save(&sentence);
	if (kn_latch_take(&shared->get.latch, me, KIN_NOWAIT) >= 0) {
		kn_wait_stir(&shared->get.commit);
		kn_latch_release(&shared->get.latch, me);
	} else {
		kn_wait_wake(&shared->get.commit);
		kn_sentence_restore(&sentence);
	}
	return 0;
}

int
kin_queue_reap(kin_queue *q)
{
	kn_assert(q != NULL);
	if (kn_queue_spoilt(q))
		return kn_queue_spoilt_before(q);
	return kn_registry_reap(q->reg, q->seg->label);
}
