/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c - the promises of kin/lock.h while all live
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/locks.h"
#include "tests/segments.h"

#define ROUNDS	20000

/* ---- one at a time ---- */

START_TEST(it_lets_one_in_at_a_time)
{
	kin_lock *lock = lock_alone();
	volatile uint32_t *calls = &board->calls;
	pid_t pids[3];
	int i, p;

	for (p = 0; p < 3; p++) {
		pids[p] = kit_fork();
		if (pids[p] != 0)
			continue;
		for (i = 0; i < ROUNDS; i++) {
			if (kin_lock_acquire(lock, KIT_PATIENCE) != 0)
				_exit(1);
			*calls = *calls + 1;
			if (kin_lock_release(lock) != 0)
				_exit(2);
		}
		_exit(0);
	}
	for (p = 0; p < 3; p++)
		kit_reap(pids[p], 0);
	ck_assert_uint_eq(board->calls, 3 * ROUNDS);
	kin_lock_close(lock);
}
END_TEST

static void *
count_up(void *arg)
{
	kin_lock *lock = arg;
	volatile uint32_t *calls = &board->calls;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ck_fast(kin_lock_acquire(lock, KIT_PATIENCE) == 0);
		*calls = *calls + 1;
		ck_fast(kin_lock_release(lock) == 0);
	}
	return NULL;
}

START_TEST(threads_are_owners)
{
	kin_lock *lock = lock_alone();
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up,
						lock), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(board->calls, 4 * ROUNDS);
	kin_lock_close(lock);
}
END_TEST

START_TEST(who_will_not_wait_is_told_so)
{
	kin_lock *lock = lock_alone();
	pid_t holder = holder_of(lock);

	ck_kin_fails(-ETIMEDOUT, kin_lock_acquire(lock, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_lock_acquire(lock, kin_in_ms(20)));
	kit_kill(holder);
	kin_lock_close(lock);
}
END_TEST

START_TEST(its_own_thread_would_wait_for_ever)
{
	kin_lock *lock = lock_alone();

	get_lock(lock);
	ck_kin_fails(-EDEADLK, kin_lock_acquire(lock, KIN_FOREVER));
	ck_kin_fails(-EDEADLK, kin_lock_acquire(lock, KIN_NOWAIT));
	give(lock);
	get_lock(lock);
	give(lock);
	kin_lock_close(lock);
}
END_TEST

START_TEST(a_recursive_one_is_released_as_often_as_taken)
{
	kin_lock *lock = lock_of(KIN_LOCK_RECURSIVE, 0);
	pid_t pid;
	int i;

	for (i = 0; i < 3; i++)
		get_lock(lock);
	for (i = 0; i < 2; i++)
		give(lock);
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIN_NOWAIT) == -ETIMEDOUT ? 0 : 1);
	kit_reap(pid, 0);
	give(lock);
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIN_NOWAIT) == 0 &&
		      kin_lock_release(lock) == 0 ? 0 : 1);
	kit_reap(pid, 0);
	kin_lock_close(lock);
}
END_TEST

/* ---- whose it is ---- */

static void
dies_of_a_bug(void (*fn)(kin_lock *), kin_lock *lock)
{
	int status;
	pid_t pid = kit_fork();

	if (pid == 0) {
		fclose(stderr);
		fn(lock);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
release_free(kin_lock *lock)
{
	(void)kin_lock_release(lock);
}

static void
release_twice(kin_lock *lock)
{
	if (kin_lock_acquire(lock, KIN_NOWAIT) == 0)
		(void)kin_lock_release(lock);
	(void)kin_lock_release(lock);
}

static void *
release_elsewhere(void *lock)
{
	(void)kin_lock_release(lock);
	return NULL;
}

static void
release_by_a_stranger(kin_lock *lock)
{
	pthread_t thread;

	if (kin_lock_acquire(lock, KIN_NOWAIT) == 0 &&
	    pthread_create(&thread, NULL, release_elsewhere, lock) == 0)
		pthread_join(thread, NULL);
}

START_TEST(who_does_not_have_it_must_not_release_it)
{
	kin_lock *lock = lock_alone();

	dies_of_a_bug(release_free, lock);
	dies_of_a_bug(release_twice, lock);
	dies_of_a_bug(release_by_a_stranger, lock);
	kin_lock_close(lock);
}
END_TEST

START_TEST(what_the_parent_held_is_not_the_childs)
{
	kin_lock *lock = lock_alone();
	pid_t pid;

	get_lock(lock);
	pid = kit_fork();
	if (pid == 0) {
		if (kin_lock_release(lock) != -ESTALE ||
		    kin_lock_consistent(lock) != -ESTALE)
			_exit(1);
		if (kin_lock_acquire(lock, KIN_NOWAIT) != -ETIMEDOUT)
			_exit(2);
		pid = kit_fork();
		if (pid == 0)
			_exit(kin_lock_release(lock) == -ESTALE ? 0 : 3);
		kit_reap(pid, 0);
		raise_flag(1);
		if (kin_lock_acquire(lock, KIT_PATIENCE) != 0)
			_exit(4);
		_exit(kin_lock_release(lock) == 0 ? 0 : 5);
	}
	await_flag(1);
	give(lock);
	kit_reap(pid, 0);
	kin_lock_close(lock);
}
END_TEST

/* ---- places ---- */

START_TEST(many_are_placed_in_one_segment)
{
	kin_segment *seg = segment_for(4);
	kin_lock *a = lock_in(seg, 0), *b = lock_in(seg, KIN_LOCK_ROOM), *c;
	int before = kit_descriptors();

	ck_kin_ok(kin_lock_attach_at(&c, seg, KIN_LOCK_ROOM));
	ck_assert_int_eq(kit_descriptors(), before);
	get_lock(a);
	get_lock(b);
	ck_kin_fails(-EDEADLK, kin_lock_acquire(c, KIN_NOWAIT));
	give(c);
	get_lock(c);
	give(b);
	give(a);
	ck_assert_int_eq(kin_lock_fd(a), kin_segment_fd(seg));
	kin_segment_close(seg);
	get_lock(c);
	give(c);
	kin_lock_close(a);
	kin_lock_close(b);
	kin_lock_close(c);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	kin_segment *plain, *seg = segment_for(4);
	kin_lock *lock = (kin_lock *)(void *)"untouched", *was = lock, *a;

	ck_kin_ok(kin_segment_create(&plain, KIN_OPTS(kin_segment_opts,
	    .bytes = 4096)));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .segment = plain)));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), ".members"));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .segment = seg, .offset = 32)));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .segment = seg, .offset = 1 << 20)));
	ck_kin_fails(-ENOSPC, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .segment = seg, .offset = (64 << 10) - 64)));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .segment = seg, .members = 3)));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .offset = 64)));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .flags = 2)));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .on_death = 3)));
	ck_kin_fails(-EINVAL, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .members = 1001)));
	a = lock_in(seg, 64);
	ck_kin_fails(-EEXIST, kin_lock_create(&lock, KIN_OPTS(kin_lock_opts,
	    .segment = seg, .offset = 64)));
	ck_kin_fails(-EPROTO, kin_lock_attach_at(&lock, seg, 512));
	ck_kin_fails(-EPROTO, kin_lock_attach(&lock, kin_segment_fd(seg)));
	ck_assert_ptr_eq(lock, was);
	kin_lock_close(a);
	kin_segment_close(plain);
	kin_segment_close(seg);
}
END_TEST

START_TEST(so_many_take_part_and_no_more)
{
	kin_lock *lock, *also;
	pid_t pid;

	ck_kin_ok(kin_lock_create(&lock, KIN_OPTS(kin_lock_opts, .members = 1,
						  .threads = 1)));
	ck_kin_ok(kin_lock_attach(&also, kin_lock_fd(lock)));
	pid = holder_of(lock);
	ck_kin_fails(-ENOSPC, kin_lock_acquire(lock, KIN_NOWAIT));
	kit_kill(pid);
	inherit(lock);
	ck_kin_ok(kin_lock_consistent(lock));
	give(lock);
	kin_lock_close(also);
	kin_lock_close(lock);
}
END_TEST

START_TEST(it_travels)
{
	kin_segment *seg = segment_for(8);
	kin_lock *alone = lock_alone(), *placed = lock_in(seg, 128), *a, *p;
	kin_conn *one, *other;
	kin_values *v;

	ck_kin_ok(kin_pipe(&one, &other, NULL));
	ck_kin_ok(kin_conn_send_values(one, KIN_ARGS(alone, placed),
				       KIT_PATIENCE));
	ck_kin_ok(kin_conn_recv_values(other, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take_all(v, KIN_TAKE(&a, &p)));
	ck_kin_ok(kin_values_keep(v, a));
	ck_kin_ok(kin_values_keep(v, p));
	kin_values_free(v);
	get_lock(alone);
	get_lock(placed);
	ck_kin_fails(-ETIMEDOUT, kin_lock_acquire(a, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_lock_acquire(p, KIN_NOWAIT));
	give(alone);
	give(placed);
	get_lock(a);
	get_lock(p);
	give(a);
	give(p);
	kin_lock_close(a);
	kin_lock_close(p);
	kin_lock_close(alone);
	kin_lock_close(placed);
	kin_segment_close(seg);
	kin_conn_close(one);
	kin_conn_close(other);
}
END_TEST

/* No descriptor rides in a queue: a name leads there, or nothing does. */
START_TEST(through_a_queue_it_travels_by_its_segments_name)
{
	kin_lock *alone = lock_alone(), *placed, *other;
	kin_segment *seg;
	kin_values *v;
	kin_queue *q;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 4096, .name = "locks", .members = 4)));
	placed = lock_in(seg, 256);
	ck_kin_ok(kin_queue_create(&q, NULL));
	ck_kin_fails(-EOPNOTSUPP, kin_queue_put_values(q, KIN_ARGS(alone),
						       KIN_NOWAIT));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(placed), KIT_PATIENCE));
	ck_kin_ok(kin_queue_get_values(q, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take_all(v, KIN_TAKE(&other)));
	get_lock(placed);
	ck_kin_fails(-ETIMEDOUT, kin_lock_acquire(other, KIN_NOWAIT));
	give(placed);
	get_lock(other);
	give(other);
	kin_values_free(v);
	ck_kin_ok(kin_segment_unlink("locks"));
	ck_kin_fails(-EOPNOTSUPP, kin_queue_put_values(q, KIN_ARGS(placed),
						       KIN_NOWAIT));
	kin_queue_close(q);
	kin_lock_close(alone);
	kin_lock_close(placed);
	kin_segment_close(seg);
}
END_TEST

/* Its members and threads are checked as all of a header is. */
START_TEST(a_control_part_that_cannot_be_is_refused)
{
	static const uint32_t wrong[][3] = {	/* flags, members, threads */
		{ 0, 4, 16 }, { 4, 0, 0 }, { 4, 4, 3 }, { 4, 1001, 2000 },
		{ 4, 4, 8193 }, { 4, 1000, 8192 }, { 12, 4, 16 },
	};
	kin_segment *seg = segment_for(4), *other = NULL;
	struct kn_header good = header_of(kin_segment_fd(seg));
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct kn_header bad = good;

		bad.flags = wrong[i][0];
		bad.members = wrong[i][1];
		bad.threads = wrong[i][2];
		set_header(kin_segment_fd(seg), &bad);
		ck_assert_int_lt(kin_segment_attach(&other,
						    kin_segment_fd(seg)), 0);
	}
	set_header(kin_segment_fd(seg), &good);
	ck_kin_ok(kin_segment_attach(&other, kin_segment_fd(seg)));
	ck_assert_uint_eq(kin_segment_bytes(other), kin_segment_bytes(seg));
	ck_assert_uint_eq((uintptr_t)kin_segment_data(seg) % 4096, 0);
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

/* ---- what there is to know ---- */

START_TEST(it_tells_of_its_holder_and_waiters)
{
	kin_lock *lock = lock_alone();
	struct kin_lock_stats stat;
	pid_t pid;

	kin_lock_stat(lock, &stat);
	ck_assert_int_eq(stat.pid, 0);
	ck_assert_uint_eq(stat.waiters, 0);
	get_lock(lock);
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIT_PATIENCE) == 0 &&
		      kin_lock_release(lock) == 0 ? 0 : 1);
	await_waiters(lock, 1);
	kin_lock_stat(lock, &stat);
	ck_assert_int_eq(stat.pid, getpid());
	ck_assert_int_eq(stat.thread, gettid());
	give(lock);
	kit_reap(pid, 0);
	kin_lock_stat(lock, &stat);
	ck_assert_uint_eq(stat.waits, 1);
	ck_assert_int_gt(stat.longest_ns, 0);
	ck_assert_uint_eq(stat.waiters, 0);
	kin_lock_close(lock);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tc = board_case(suite, "one at a time");

	tcase_add_test(tc, it_lets_one_in_at_a_time);
	tcase_add_test(tc, threads_are_owners);
	tcase_add_test(tc, who_will_not_wait_is_told_so);
	tcase_add_test(tc, its_own_thread_would_wait_for_ever);
	tcase_add_test(tc, a_recursive_one_is_released_as_often_as_taken);
	tc = board_case(suite, "whose it is");
	tcase_add_test(tc, who_does_not_have_it_must_not_release_it);
	tcase_add_test(tc, what_the_parent_held_is_not_the_childs);
	tc = board_case(suite, "places");
	tcase_add_test(tc, many_are_placed_in_one_segment);
	tcase_add_test(tc, what_cannot_be_is_refused);
	tcase_add_test(tc, so_many_take_part_and_no_more);
	tcase_add_test(tc, it_travels);
	tcase_add_test(tc, through_a_queue_it_travels_by_its_segments_name);
	tcase_add_test(tc, a_control_part_that_cannot_be_is_refused);
	tc = board_case(suite, "waiting");
	tcase_add_test(tc, it_tells_of_its_holder_and_waiters);
	return kit_run(suite);
}
