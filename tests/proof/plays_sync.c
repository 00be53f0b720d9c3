/* SPDX-License-Identifier: MIT */
/*
 * plays_sync.c - plays of what threads wait for each other by
 *
 * What a play has taken it gives back: nothing is held from one to the next.
 */
#include <errno.h>

#include "tests/proof/plays.h"

static const int lock_says[] = { -EDEADLK, -ENOTRECOVERABLE, -EOWNERDEAD, 0 };

/* ---- rwlocks ---- */

PLAYED(rwlock, .members = 8)

static long
one_rwlock(void *thing, uint32_t number, kin_time deadline)
{
	struct kin_rwlock_stats stat;
	kin_rwlock *rw = thing;
	int r;

	kin_rwlock_stat(rw, &stat);
	r = number % 2 == 0 ? kin_rwlock_read(rw, deadline)
			    : kin_rwlock_write(rw, deadline);
	if (r < 0)
		return r;
	if (number % 8 == 1) {
		r = kin_rwlock_downgrade(rw);
		if (r < 0)
			return r;
	}
	return kin_rwlock_release(rw);
}

const struct play play_rwlock = {
	"rwlock", make_rwlock, attach_rwlock, close_rwlock, one_rwlock,
	lock_says,
};

/* ---- conditions, with a lock that nobody else knows ---- */

PLAYED(cond, .members = 8)

static kin_lock *
private_lock(void)
{
	static kin_lock *lock;

	if (lock == NULL)
		play_must(kin_lock_create(&lock, NULL));
	return lock;
}

static long
one_cond(void *thing, uint32_t number, kin_time deadline)
{
	kin_lock *lock = private_lock();
	kin_cond *cond = thing;
	int r, released;

	(void)kin_cond_waiters(cond);
	r = kin_lock_acquire(lock, deadline);
	if (r < 0)
		return r;
	r = number % 2 == 0 ? kin_cond_wait(cond, lock, deadline)
			    : kin_cond_notify(cond, lock, number >> 8 & 3);
	released = kin_lock_release(lock);
	return released < 0 ? released : r;
}

const struct play play_cond = {
	"cond", make_cond, attach_cond, close_cond, one_cond, lock_says,
};

/* ---- semaphores ---- */

PLAYED(sem, .permits = 4, .members = 8)

static long
one_sem(void *thing, uint32_t number, kin_time deadline)
{
	uint32_t n = 1 + (number >> 8 & 1);
	kin_sem *sem = thing;
	int r;

	if (number % 4 == 0)
		return kin_sem_count(sem);
	r = kin_sem_acquire(sem, n, deadline);
	return r < 0 ? r : kin_sem_release(sem, n);
}

static const int sem_says[] = { -ERANGE, -EDEADLK, 0 };

const struct play play_sem = {
	"sem", make_sem, attach_sem, close_sem, one_sem, sem_says,
};

/* ---- events ---- */

PLAYED(event, .label = "spoilt")

static long
one_event(void *thing, uint32_t number, kin_time deadline)
{
	kin_event *e = thing;

	switch (number % 4) {
	case 0:
		kin_event_set(e);
		return 0;
	case 1:
		kin_event_clear(e);
		return 0;
	case 2:
		return kin_event_is_set(e);
	default:
		return kin_event_wait(e, deadline);
	}
}

static const int nothing_else[] = { 0 };

const struct play play_event = {
	"event", make_event, attach_event, close_event, one_event,
	nothing_else,
};

/* ---- barriers ---- */

PLAYED(barrier, .parties = 2, .members = 8)

static long
one_barrier(void *thing, uint32_t number, kin_time deadline)
{
	kin_barrier *b = thing;

	switch (number % 8) {
	case 0:
		return kin_barrier_abort(b, deadline);
	case 1: case 2: case 3:
		return kin_barrier_reset(b, deadline);
	case 4:
		return kin_barrier_waiting(b);
	case 5:
		return kin_barrier_broken(b);
	default:
		return kin_barrier_wait(b, deadline);
	}
}

static const int barrier_says[] = { -ECANCELED, -EOWNERDEAD, -EDEADLK, 0 };

const struct play play_barrier = {
	"barrier", make_barrier, attach_barrier, close_barrier, one_barrier,
	barrier_says,
};

/* ---- onces ---- */

PLAYED(once, .members = 8)

static int
run(int former, void *user)
{
	(void)former;
	(void)user;
	return 0;
}

static long
one_once(void *thing, uint32_t number, kin_time deadline)
{
	kin_once *once = thing;

	return number % 2 == 0 ? kin_once_done(once)
			       : kin_once_run(once, run, NULL, deadline);
}

const struct play play_once = {
	"once", make_once, attach_once, close_once, one_once, lock_says,
};
