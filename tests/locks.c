/* SPDX-License-Identifier: MIT */
/*
 * locks.c - locks that tests make, and threads and processes that wait for them
 */
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "tests/locks.h"

kin_lock *
lock_of(uint32_t flags, uint32_t on_death)
{
	kin_lock *lock;

	ck_kin_ok(kin_lock_create(&lock, KIN_OPTS(kin_lock_opts, .flags = flags,
	    .on_death = on_death)));
	return lock;
}

kin_lock *
lock_alone(void)
{
	return lock_of(0, 0);
}

kin_segment *
segment_for(uint32_t members)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 64 << 10, .members = members)));
	return seg;
}

kin_lock *
lock_in(kin_segment *seg, uint64_t offset)
{
	kin_lock *lock;

	ck_kin_ok(kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .segment = seg, .offset = offset)));
	return lock;
}

void
get_lock(kin_lock *lock)
{
	int r = kin_lock_acquire(lock, KIT_PATIENCE);

	ck_assert_msg(r == 0, "take: %d, %s", r, kin_errmsg());
}

void
inherit(kin_lock *lock)
{
	int r = kin_lock_acquire(lock, KIT_PATIENCE);

	ck_assert_msg(r == KIN_INHERITED, "inherit: %d, %s", r, kin_errmsg());
}

void
give(kin_lock *lock)
{
	ck_kin_ok(kin_lock_release(lock));
}

pid_t
holder_of(kin_lock *lock)
{
	pid_t pid;

	lower_flag();
	pid = kit_fork();
	if (pid == 0) {
		if (kin_lock_acquire(lock, KIT_PATIENCE) < 0)
			_exit(1);
		raise_flag(1);
		for (;;)
			pause();
	}
	await_flag(1);
	return pid;
}

void
await_waiters(kin_lock *lock, uint32_t n)
{
	kin_time deadline = KIT_PATIENCE;
	struct kin_lock_stats stat;

	for (;;) {
		kin_lock_stat(lock, &stat);
		if (stat.waiters >= n)
			return;
		ck_assert_msg(kin_now().ns < deadline.ns, "%u wait, not %u",
			      stat.waiters, n);
		sched_yield();
	}
}
