/* SPDX-License-Identifier: MIT */
/*
 * test_queue_tasks.c - the promises of kin/queue.h: what is not done yet, and
 * who waits for it
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/queue.h"
#include "shm/os.h"
#include "shm/wait.h"
#include "tests/traffic.h"

static kin_queue *
tasks_of(uint64_t bytes, uint32_t flags)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = bytes,
	    .flags = KIN_QUEUE_TASKS | flags, .members = 16)));
	return q;
}

static uint64_t
unfinished(kin_queue *q)
{
	struct kin_queue_stats s;

	ck_kin_ok(kin_queue_stat(q, &s));
	return s.unfinished;
}

#define ck_unfinished(q, n)						\
	do {								\
		ck_assert_uint_eq(unfinished(q), n);			\
		if ((n) == 0)						\
			ck_kin_ok(kin_queue_join(q, KIN_NOWAIT));	\
		else							\
			ck_kin_fails(-ETIMEDOUT,			\
				     kin_queue_join(q, KIN_NOWAIT));	\
	} while (0)

/* ---- counting ---- */

START_TEST(what_was_put_is_unfinished_until_it_is_reported)
{
	kin_queue *q = tasks_of(4096, 0);
	struct iovec msgs[5] = { { 0 } };

	ck_unfinished(q, 0);
	put_number(q, 1);
	put_number(q, 2);
	ck_unfinished(q, 2);
	ck_kin_fails(-EINVAL, kin_queue_task_done(q, 1));
	ck_assert_uint_eq(get_number(q), 1);
	ck_unfinished(q, 2);
	ck_kin_fails(-EINVAL, kin_queue_task_done(q, 2));
	ck_kin_ok(kin_queue_task_done(q, 0));
	ck_kin_ok(kin_queue_task_done(q, 1));
	ck_unfinished(q, 1);
	ck_kin_fails(-EINVAL, kin_queue_task_done(q, 1));
	ck_assert_uint_eq(get_number(q), 2);
	ck_kin_ok(kin_queue_task_done(q, 1));
	ck_unfinished(q, 0);

	ck_assert_int_eq(kin_queue_put_many(q, msgs, 5, KIN_NOWAIT), 5);
	ck_unfinished(q, 5);
	ck_assert_int_eq(kin_queue_get_many(q, msgs, 4, NULL, 0, KIN_NOWAIT),
			 4);
	ck_unfinished(q, 5);
	ck_kin_fails(-EINVAL, kin_queue_task_done(q, SIZE_MAX));
	ck_kin_ok(kin_queue_task_done(q, 4));
	ck_unfinished(q, 1);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_look_is_nothing_to_report)
{
	kin_queue *q = tasks_of(256, 0);

	put_number(q, 1);
	ck_kin_ok(kin_queue_peek(q, NULL, 0, KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_queue_task_done(q, 1));
	kin_queue_close(q);
}
END_TEST

START_TEST(one_without_tasks_has_none)
{
	kin_queue *q = queue_of(256, 0);

	put_number(q, 1);
	ck_assert_uint_eq(get_number(q), 1);
	ck_kin_fails(-EINVAL, kin_queue_task_done(q, 1));
	ck_kin_fails(-EINVAL, kin_queue_join(q, KIN_NOWAIT));
	ck_assert_uint_eq(unfinished(q), 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(each_handle_reports_its_own)
{
	kin_queue *q = tasks_of(256, 0), *other;

	ck_kin_ok(kin_queue_attach(&other, kin_queue_fd(q)));
	put_number(q, 1);
	put_number(q, 2);
	ck_assert_uint_eq(get_number(other), 1);
	ck_kin_fails(-EINVAL, kin_queue_task_done(q, 1));
	ck_assert_uint_eq(get_number(q), 2);
	ck_kin_ok(kin_queue_task_done(q, 1));
	ck_unfinished(q, 1);
	/* What is closed is done with. */
	kin_queue_close(other);
	ck_unfinished(q, 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_childs_are_not_its_parents)
{
	kin_queue *q = tasks_of(256, 0);
	pid_t pid;

	put_number(q, 1);
	put_number(q, 2);
	ck_assert_uint_eq(get_number(q), 1);
	pid = kit_fork();
	if (pid == 0) {
		ck_kin_fails(-EINVAL, kin_queue_task_done(q, 1));
		ck_assert_uint_eq(get_number(q), 2);
		ck_kin_fails(-EINVAL, kin_queue_task_done(q, 2));
		ck_kin_ok(kin_queue_task_done(q, 1));
		kin_queue_close(q);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_unfinished(q, 1);
	ck_kin_ok(kin_queue_task_done(q, 1));
	ck_unfinished(q, 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(what_was_dropped_is_done)
{
	kin_queue *q = tasks_of(256, KIN_QUEUE_DROP_OLDEST);
	uint32_t i;

	for (i = 0; i < 40; i++)
		put_number(q, i);
	ck_unfinished(q, 16);
	for (i = 24; i < 40; i++)
		ck_assert_uint_eq(get_number(q), i);
	ck_kin_ok(kin_queue_task_done(q, 16));
	ck_unfinished(q, 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(more_than_can_be_counted_is_refused)
{
	kin_queue *q = tasks_of(256, 0);
	uint32_t stamp = q->reg->party.stamp, n;
	kn_wide *of = &q->tasks->owed[kn_stamp_slot(stamp)].of;

	put_number(q, 1);
	kn_wide_store(of, stamp | (uint64_t)UINT32_MAX << 32);
	ck_kin_fails(-ERANGE, kin_queue_get(q, &n, sizeof(n), KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 1);
	kn_wide_store(of, stamp | (uint64_t)(UINT32_MAX - 1) << 32);
	ck_assert_uint_eq(get_number(q), 1);
	kin_queue_close(q);
}
END_TEST

START_TEST(what_is_owed_may_be_nonsense)
{
	kin_queue *q = tasks_of(256, 0);
	uint32_t stamp = q->reg->party.stamp;

	put_number(q, 1);
	ck_assert_uint_eq(get_number(q), 1);
	kn_store(&q->tasks->join, 77);
	ck_kin_fails(-EUCLEAN, kin_queue_join(q, KIN_FOREVER));
	ck_kin_fails(-EUCLEAN, kin_queue_join(q, KIN_FOREVER));
	kin_queue_close(q);

	q = tasks_of(256, 0);
	stamp = q->reg->party.stamp;
	put_number(q, 1);
	ck_assert_uint_eq(get_number(q), 1);
	kn_wide_store(&q->tasks->owed[kn_stamp_slot(stamp)].of, 0);
	ck_kin_fails(-EUCLEAN, kin_queue_task_done(q, 1));
	kin_queue_close(q);
}
END_TEST

/* ---- waiting ---- */

/* It has seen that there is something to wait for, and sleeps. */
static pid_t
joiner(kin_queue *q)
{
	kin_time patience = KIT_PATIENCE;
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(-kin_queue_join(q, KIT_PATIENCE));
	while (!(kn_load(&q->tasks->join) & KN_WAITER)) {
		ck_fast(kin_now().ns < patience.ns);
		sched_yield();
	}
	return pid;
}

START_TEST(who_reports_the_last_one_wakes_all_who_wait)
{
	kin_queue *q = tasks_of(256, 0);
	pid_t first, second;

	put_number(q, 1);
	put_number(q, 2);
	first = joiner(q);
	ck_assert_uint_eq(get_number(q), 1);
	ck_kin_ok(kin_queue_task_done(q, 1));
	second = joiner(q);
	ck_assert_uint_eq(get_number(q), 2);
	ck_assert_int_eq(waitpid(first, NULL, WNOHANG), 0);
	ck_assert_int_eq(waitpid(second, NULL, WNOHANG), 0);
	ck_kin_ok(kin_queue_task_done(q, 1));
	kit_reap(first, 0);
	kit_reap(second, 0);
	kin_queue_close(q);
}
END_TEST

static void __attribute__((noreturn))
take_one(kin_queue *q)
{
	(void)get_number(q);
	raise_flag(1);
	for (;;)
		pause();
}

static kin_queue *hurried;
static int sleeps;

/* The first one is about to sleep: a second one waits, and before that one
 * sleeps all is done. */
static int
join_meanwhile(const char *call)
{
	if (strcmp(call, "futex_wait") != 0)
		return 0;
	sleeps++;
	if (sleeps == 1)
		ck_kin_ok(kin_queue_join(hurried, KIT_PATIENCE));
	else if (sleeps == 2)
		ck_kin_ok(kin_queue_task_done(hurried, 1));
	return 0;
}

/* No slice is over before the deadline, at which it would be told too. */
START_TEST(who_waits_too_does_not_let_another_oversleep)
{
	kin_queue *q = tasks_of(4096, 0);
	kin_time deadline = kin_in_ms(30000);

	put_number(q, 1);
	ck_assert_uint_eq(get_number(q), 1);
	kn_wait_slices.first_ns = kn_wait_slices.last_ns = INT64_MAX / 4;
	hurried = q;
	kn_os_hook = join_meanwhile;
	ck_kin_ok(kin_queue_join(q, deadline));
	kn_os_hook = NULL;
	ck_assert_int_lt(kin_now().ns, deadline.ns);
	ck_assert_int_ge(sleeps, 2);
	kin_queue_close(q);
}
END_TEST

START_TEST(what_the_dead_had_is_done)
{
	kin_queue *q = tasks_of(256, 0);
	pid_t holder, waiting;

	put_number(q, 1);
	holder = kit_fork();
	if (holder == 0)
		take_one(q);
	await_flag(1);
	ck_unfinished(q, 1);
	waiting = joiner(q);
	kit_kill(holder);
	kit_reap(waiting, 0);
	ck_unfinished(q, 0);

	/* And without anybody who waits. */
	lower_flag();
	put_number(q, 1);
	holder = kit_fork();
	if (holder == 0)
		take_one(q);
	await_flag(1);
	ck_unfinished(q, 1);
	kit_kill(holder);
	ck_kin_ok(kin_queue_join(q, KIN_NOWAIT));
	kin_queue_close(q);
}
END_TEST

START_TEST(no_join_comes_before_its_time)
{
	kin_queue *q = tasks_of(256, 0);
	kin_time deadline = kin_in_ms(60);

	put_number(q, 1);
	ck_kin_fails(-ETIMEDOUT, kin_queue_join(q, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	kin_queue_close(q);
}
END_TEST

/* Workers that are killed at any time, and one that ends the work. */
static void __attribute__((noreturn))
work(kin_queue *q)
{
	uint32_t n;
	ssize_t r;

	while ((r = kin_queue_get(q, &n, sizeof(n), KIT_PATIENCE)) == 4)
		if (kin_queue_task_done(q, 1) < 0)
			_exit(1);
	_exit(r == -EPIPE ? 0 : 2);
}

static pid_t
worker(kin_queue *q)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		work(q);
	return pid;
}

START_TEST(killed_workers_do_not_hold_up_a_join)
{
	kin_queue *q = tasks_of(1024, 0);
	uint32_t random = SEED, i;
	pid_t pids[3];
	int round;

	printf("# seed %#x\n", random);
	for (i = 0; i < 3; i++)
		pids[i] = worker(q);
	for (round = 0; round < 60; round++) {
		struct timespec moment = { 0, next_random(&random) % 300000 };
		uint32_t victim = next_random(&random) % 3;

		for (i = 0; i < 200; i++)
			put_number(q, i);
		nanosleep(&moment, NULL);
		kit_kill(pids[victim]);
		pids[victim] = worker(q);
		ck_kin_ok(kin_queue_join(q, KIT_PATIENCE));
		ck_unfinished(q, 0);
	}
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	for (i = 0; i < 3; i++)
		kit_reap(pids[i], 0);
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue_tasks");
	TCase *tc = board_case(suite, "counting");

	tcase_add_test(tc, what_was_put_is_unfinished_until_it_is_reported);
	tcase_add_test(tc, a_look_is_nothing_to_report);
	tcase_add_test(tc, one_without_tasks_has_none);
	tcase_add_test(tc, each_handle_reports_its_own);
	tcase_add_test(tc, a_childs_are_not_its_parents);
	tcase_add_test(tc, what_was_dropped_is_done);
	tcase_add_test(tc, more_than_can_be_counted_is_refused);
	tcase_add_test(tc, what_is_owed_may_be_nonsense);

	tc = board_case(suite, "waiting");
	tcase_add_test(tc, who_reports_the_last_one_wakes_all_who_wait);
	tcase_add_test(tc, who_waits_too_does_not_let_another_oversleep);
	tcase_add_test(tc, what_the_dead_had_is_done);
	tcase_add_test(tc, no_join_comes_before_its_time);
	tcase_add_test(tc, killed_workers_do_not_hold_up_a_join);
	return kit_run(suite);
}
