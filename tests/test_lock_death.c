/* SPDX-License-Identifier: MIT */
/*
 * test_lock_death.c - the promises of kin/lock.h when holders and waiters die
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/locks.h"

START_TEST(the_next_one_is_told_until_it_is_consistent)
{
	kin_lock *lock = lock_alone();
	struct kin_lock_stats stat;

	kit_kill(holder_of(lock));
	inherit(lock);
	give(lock);
	inherit(lock);
	kin_lock_stat(lock, &stat);
	ck_assert_uint_eq(stat.inherited, 1);
	ck_assert_uint_eq(stat.deaths, 1);
	ck_kin_ok(kin_lock_consistent(lock));
	give(lock);
	get_lock(lock);
	give(lock);
	kin_lock_close(lock);
}
END_TEST

START_TEST(who_will_not_wait_inherits_too)
{
	kin_lock *lock = lock_alone();

	kit_kill(holder_of(lock));
	ck_assert_int_eq(kin_lock_acquire(lock, KIN_NOWAIT), KIN_INHERITED);
	ck_kin_ok(kin_lock_consistent(lock));
	give(lock);
	kin_lock_close(lock);
}
END_TEST

START_TEST(a_waiter_gets_it_when_the_holder_is_killed)
{
	kin_lock *lock = lock_alone();
	pid_t holder = holder_of(lock), pid = kit_fork();

	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIT_PATIENCE) == KIN_INHERITED
		      ? 0 : 1);
	await_waiters(lock, 1);
	kit_kill(holder);
	kit_reap(pid, 0);		/* which dies with it */
	inherit(lock);
	kin_lock_close(lock);
}
END_TEST

/* ---- threads ---- */

static void *
take_and_end(void *lock)
{
	ck_fast(kin_lock_acquire(lock, KIT_PATIENCE) == 0);
	return NULL;
}

START_TEST(a_thread_that_ends_with_it_is_dead)
{
	kin_lock *lock = lock_alone();
	pthread_t thread;

	pthread_create(&thread, NULL, take_and_end, lock);
	pthread_join(thread, NULL);
	inherit(lock);
	ck_kin_ok(kin_lock_consistent(lock));
	give(lock);
	kin_lock_close(lock);
}
END_TEST

/* Without a destructor of anybody's. */
static void *
take_and_vanish(void *lock)
{
	ck_fast(kin_lock_acquire(lock, KIT_PATIENCE) == 0);
	raise_flag(1);
	syscall(SYS_exit, 0);
	return NULL;
}

START_TEST(a_thread_that_vanishes_with_it_is_dead)
{
	kin_lock *lock = lock_alone();
	pthread_t thread;
	pid_t pid = kit_fork();

	if (pid == 0) {
		pthread_create(&thread, NULL, take_and_vanish, lock);
		await_flag(1);
		_exit(kin_lock_acquire(lock, KIT_PATIENCE) == KIN_INHERITED &&
		      kin_lock_release(lock) == 0 ? 0 : 1);
	}
	kit_reap(pid, 0);
	inherit(lock);
	kin_lock_close(lock);
}
END_TEST

static void *
live_on(void *arg)
{
	(void)arg;
	await_flag(2);
	_exit(0);
}

START_TEST(a_leader_that_ends_before_its_threads_is_dead)
{
	kin_lock *lock = lock_alone();
	pthread_t thread;
	pid_t pid = kit_fork();

	if (pid == 0) {
		pthread_create(&thread, NULL, live_on, NULL);
		if (kin_lock_acquire(lock, KIT_PATIENCE) != 0)
			_exit(1);
		raise_flag(1);
		syscall(SYS_exit, 0);
	}
	await_flag(1);
	inherit(lock);
	raise_flag(2);
	kit_reap(pid, 0);
	kin_lock_close(lock);
}
END_TEST

static void *
end_at_once(void *lock)
{
	ck_fast(kin_lock_acquire(lock, KIT_PATIENCE) == 0);
	ck_fast(kin_lock_release(lock) == 0);
	return NULL;
}

/* More threads, one after another, than there are records. */
START_TEST(records_of_ended_threads_serve_again)
{
	kin_lock *lock;
	pthread_t thread;
	int i;

	ck_kin_ok(kin_lock_create(&lock, KIN_OPTS(kin_lock_opts, .members = 1,
						  .threads = 2)));
	for (i = 0; i < 200; i++) {
		pthread_create(&thread, NULL, end_at_once, lock);
		pthread_join(thread, NULL);
	}
	get_lock(lock);
	give(lock);
	kin_lock_close(lock);
}
END_TEST

/* ---- what becomes of it ---- */

static int
repair(void *user)
{
	int *calls = user;

	return ++*calls == 1 ? -EAGAIN : 0;
}

START_TEST(it_is_repaired)
{
	kin_lock *lock = lock_of(0, KIN_DEATH_REPAIR);
	int calls = 0;

	kit_kill(holder_of(lock));
	inherit(lock);			/* nobody to call yet */
	give(lock);
	kin_lock_repair_by(lock, repair, &calls);
	ck_assert_int_eq(kin_lock_acquire(lock, KIT_PATIENCE), -EAGAIN);
	ck_assert_int_eq(kin_lock_acquire(lock, KIT_PATIENCE), 0);
	ck_assert_int_eq(calls, 2);
	give(lock);
	get_lock(lock);
	give(lock);
	ck_assert_int_eq(calls, 2);
	kin_lock_close(lock);
}
END_TEST

struct again {
	kin_lock *lock;
	int calls;
};

static int
repair_taking_it(void *user)
{
	struct again *again = user;

	if (++again->calls > 1)
		return -ELOOP;
	inherit(again->lock);
	give(again->lock);
	return 0;
}

START_TEST(its_repair_may_take_it_again)
{
	struct again again = {
		.lock = lock_of(KIN_LOCK_RECURSIVE, KIN_DEATH_REPAIR),
	};

	kit_kill(holder_of(again.lock));
	kin_lock_repair_by(again.lock, repair_taking_it, &again);
	get_lock(again.lock);
	ck_assert_int_eq(again.calls, 1);
	give(again.lock);
	kin_lock_close(again.lock);
}
END_TEST

START_TEST(death_is_ignored)
{
	kin_lock *lock = lock_of(0, KIN_DEATH_IGNORE);

	kit_kill(holder_of(lock));
	get_lock(lock);
	give(lock);
	get_lock(lock);
	give(lock);
	kin_lock_close(lock);
}
END_TEST

START_TEST(depth_is_not_inherited)
{
	kin_lock *lock = lock_of(KIN_LOCK_RECURSIVE, 0);
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIT_PATIENCE) == 0 &&
		      kin_lock_acquire(lock, KIT_PATIENCE) == 0 &&
		      kin_lock_acquire(lock, KIT_PATIENCE) == 0 ? 0 : 1);
	kit_reap(pid, 0);
	inherit(lock);
	ck_kin_ok(kin_lock_consistent(lock));
	give(lock);
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIT_PATIENCE) == 0 ? 0 : 1);
	kit_reap(pid, 0);
	kin_lock_close(lock);
}
END_TEST

/* ---- waiters ---- */

static pid_t
waiter_of(kin_lock *lock)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIT_PATIENCE) == 0 &&
		      kin_lock_release(lock) == 0 ? 0 : 1);
	return pid;
}

START_TEST(a_waiter_killed_does_not_keep_it)
{
	kin_lock *lock = lock_alone();
	pid_t first, second;

	get_lock(lock);
	first = waiter_of(lock);
	await_waiters(lock, 1);
	second = waiter_of(lock);
	await_waiters(lock, 2);
	kit_kill(first);
	give(lock);
	kit_reap(second, 0);
	get_lock(lock);
	give(lock);
	kin_lock_close(lock);
}
END_TEST

START_TEST(a_waiter_that_is_stopped_loses_its_turn_only)
{
	kin_lock *lock = lock_alone();
	pid_t first, second;

	get_lock(lock);
	first = waiter_of(lock);
	await_waiters(lock, 1);
	second = waiter_of(lock);
	await_waiters(lock, 2);
	kill(first, SIGSTOP);
	give(lock);
	kit_reap(second, 0);
	get_lock(lock);
	give(lock);
	kill(first, SIGCONT);
	kit_reap(first, 0);
	kin_lock_close(lock);
}
END_TEST

START_TEST(a_soak_of_kills_leaves_it_whole)
{
	kin_lock *lock = lock_of(0, KIN_DEATH_IGNORE);
	volatile uint32_t *calls = &board->calls;
	pid_t pids[3];
	int i, p;

	for (i = 0; i < 60; i++) {
		for (p = 0; p < 3; p++) {
			pids[p] = kit_fork();
			if (pids[p] != 0)
				continue;
			for (;;) {
				if (kin_lock_acquire(lock, KIT_PATIENCE) != 0)
					_exit(1);
				*calls = *calls + 1;
				if (kin_lock_release(lock) != 0)
					_exit(2);
			}
		}
		while (*calls < (uint32_t)(i + 1) * 100)
			sched_yield();
		for (p = 0; p < 3; p++)
			kit_kill(pids[p]);
	}
	get_lock(lock);
	give(lock);
	kin_lock_close(lock);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lock death");
	TCase *tc = board_case(suite, "processes");

	tcase_add_test(tc, the_next_one_is_told_until_it_is_consistent);
	tcase_add_test(tc, who_will_not_wait_inherits_too);
	tcase_add_test(tc, a_waiter_gets_it_when_the_holder_is_killed);
	tc = board_case(suite, "threads");
	tcase_add_test(tc, a_thread_that_ends_with_it_is_dead);
	tcase_add_test(tc, a_thread_that_vanishes_with_it_is_dead);
	tcase_add_test(tc, a_leader_that_ends_before_its_threads_is_dead);
	tcase_add_test(tc, records_of_ended_threads_serve_again);
	tc = board_case(suite, "options");
	tcase_add_test(tc, it_is_repaired);
	tcase_add_test(tc, its_repair_may_take_it_again);
	tcase_add_test(tc, death_is_ignored);
	tcase_add_test(tc, depth_is_not_inherited);
	tc = board_case(suite, "waiters");
	tcase_add_test(tc, a_waiter_killed_does_not_keep_it);
	tcase_add_test(tc, a_waiter_that_is_stopped_loses_its_turn_only);
	tcase_add_test(tc, a_soak_of_kills_leaves_it_whole);
	return kit_run(suite);
}
