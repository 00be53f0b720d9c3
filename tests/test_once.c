/* SPDX-License-Identifier: MIT */
/*
 * test_once.c - the promises of kin/once.h
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"
#include "tests/sleeper.h"

static kin_once *
made_once(void)
{
	kin_once *o;

	ck_kin_ok(kin_once_create(&o, NULL));
	return o;
}

/* Counts, and tells what it was told. */
static int
count(int former, void *user)
{
	int *ret_former = user;

	__atomic_add_fetch(&board->calls, 1, __ATOMIC_RELAXED);
	if (ret_former != NULL)
		*ret_former = former;
	return 0;
}

static int
refuse(int former, void *user)
{
	(void)former;
	(void)user;
	__atomic_add_fetch(&board->calls, 1, __ATOMIC_RELAXED);
	return -ENODATA;
}

/* Says that it has begun, and goes on when flag 9 is raised. */
static int
linger(int former, void *user)
{
	raise_flag(8);
	await_flag(9);
	return count(former, user);
}

static int
run_lingering(void *arg)
{
	return kin_once_run(arg, linger, NULL, KIN_FOREVER);
}

static int
run_counting(void *arg)
{
	return kin_once_run(arg, count, NULL, KIT_PATIENCE);
}

START_TEST(it_runs_once)
{
	kin_segment *seg = made(KIN_OPTS(kin_segment_opts, .bytes = 4096,
					 .members = 4));
	kin_once *os[2], *other;
	int i;

	os[0] = made_once();
	ck_kin_ok(kin_once_create(&os[1], KIN_OPTS(kin_once_opts,
						   .segment = seg,
						   .offset = 64)));
	for (i = 0; i < 2; i++) {
		board->calls = 0;
		ck_assert_int_eq(kin_once_done(os[i]), 0);
		ck_assert_int_eq(kin_once_run(os[i], count, NULL, KIN_NOWAIT),
				 0);
		ck_assert_int_eq(kin_once_done(os[i]), 1);
		ck_assert_int_eq(kin_once_run(os[i], count, NULL, KIN_NOWAIT),
				 0);
		if (i == 0)
			ck_kin_ok(kin_once_attach(&other, kin_once_fd(os[0])));
		else
			ck_kin_ok(kin_once_attach_at(&other, seg, 64));
		ck_assert_int_eq(kin_once_run(other, count, NULL, KIN_NOWAIT),
				 0);
		ck_assert_uint_eq(board->calls, 1);
		kin_once_close(other);
		kin_once_close(os[i]);
	}
	kin_segment_close(seg);
	kin_once_close(NULL);
}
END_TEST

START_TEST(of_a_crowd_one_runs_it)
{
	kin_once *o = made_once();
	pid_t pids[8];
	int i;

	for (i = 0; i < 8; i++)
		pids[i] = runner(run_counting, o, i + 1);
	for (i = 0; i < 8; i++)
		kit_reap(pids[i], 0);
	ck_assert_uint_eq(board->calls, 1);
	kin_once_close(o);
}
END_TEST

START_TEST(the_others_wait_until_it_is_done)
{
	kin_once *o = made_once();
	pid_t first = runner(run_lingering, o, 1), second;
	kin_time deadline;

	await_flag(8);
	second = sleeper(run_counting, o, 8);
	ck_kin_fails(-ETIMEDOUT, kin_once_run(o, count, NULL, KIN_NOWAIT));
	deadline = kin_in_ms(20);
	ck_kin_fails(-ETIMEDOUT, kin_once_run(o, count, NULL, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	ck_assert_int_eq(kin_once_done(o), 0);
	raise_flag(9);
	kit_reap(first, 0);
	kit_reap(second, 0);
	ck_assert_uint_eq(board->calls, 1);
	kin_once_close(o);
}
END_TEST

START_TEST(a_failure_is_the_callers_and_the_next_one_runs_it)
{
	kin_once *o = made_once();
	int former = -1;

	ck_assert_int_eq(kin_once_run(o, refuse, NULL, KIN_NOWAIT), -ENODATA);
	ck_assert_int_eq(kin_once_run(o, refuse, NULL, KIN_NOWAIT), -ENODATA);
	ck_assert_int_eq(kin_once_done(o), 0);
	ck_assert_int_eq(kin_once_run(o, count, &former, KIN_NOWAIT), 0);
	ck_assert_int_eq(former, 0);
	ck_assert_uint_eq(board->calls, 3);
	kin_once_close(o);
}
END_TEST

/* ---- death ---- */

START_TEST(after_a_runners_death_the_next_one_is_told)
{
	kin_once *o = made_once();
	pid_t pid = runner(run_lingering, o, 1);
	int former = -1;

	await_flag(8);
	kit_kill(pid);
	/* And so is who comes after one who failed at it. */
	ck_assert_int_eq(kin_once_run(o, refuse, NULL, KIT_PATIENCE), -ENODATA);
	ck_assert_int_eq(kin_once_run(o, count, &former, KIN_NOWAIT), 1);
	ck_assert_int_eq(former, 1);
	ck_assert_int_eq(kin_once_run(o, count, &former, KIN_NOWAIT), 0);
	ck_assert_uint_eq(board->calls, 2);
	kin_once_close(o);
}
END_TEST

/* Nobody but the kernel tells them: within a slice, not at a deadline. */
START_TEST(sleepers_find_a_dead_runner)
{
	kin_once *o = made_once();
	pid_t first = runner(run_lingering, o, 1), second;

	await_flag(8);
	second = sleeper(run_counting, o, 8);
	kit_kill(first);
	kit_reap(second, 1);
	ck_assert_uint_eq(board->calls, 1);
	kin_once_close(o);
}
END_TEST

START_TEST(a_sleeper_that_is_killed_takes_no_wake_along)
{
	kin_once *o = made_once();
	pid_t first = runner(run_lingering, o, 1), second, third;

	await_flag(8);
	second = sleeper(run_counting, o, 8);
	third = sleeper(run_counting, o, 8);
	kit_kill(second);
	raise_flag(9);
	kit_reap(first, 0);
	kit_reap(third, 0);
	kin_once_close(o);
}
END_TEST

static int
leave_thread(int former, void *user)
{
	(void)former;
	(void)user;
	pthread_exit(NULL);
}

static void *
run_and_end(void *arg)
{
	(void)!kin_once_run(arg, leave_thread, NULL, KIN_FOREVER);
	return arg;
}

START_TEST(a_thread_that_ends_inside_counts_as_dead)
{
	kin_once *o = made_once();
	pthread_t thread;
	int former = -1;

	ck_assert_int_eq(pthread_create(&thread, NULL, run_and_end, o), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(kin_once_run(o, count, &former, KIT_PATIENCE), 1);
	ck_assert_int_eq(former, 1);
	kin_once_close(o);
}
END_TEST

/* ---- what is refused ---- */

static int
run_again(int former, void *user)
{
	(void)former;
	return kin_once_run(user, count, NULL, KIN_FOREVER);
}

START_TEST(from_inside_it_would_wait_for_itself)
{
	kin_once *o = made_once();

	ck_kin_fails(-EDEADLK, kin_once_run(o, run_again, o, KIN_FOREVER));
	ck_assert_int_eq(kin_once_done(o), 0);
	kin_once_close(o);
}
END_TEST

static int
fork_inside(int former, void *user)
{
	pid_t *ret_pid = user;

	(void)former;
	*ret_pid = kit_fork();
	return 0;
}

START_TEST(a_child_forked_inside_has_not_run_it)
{
	kin_once *o = made_once();
	pid_t pid;
	int r = kin_once_run(o, fork_inside, &pid, KIN_FOREVER);

	if (pid == 0)
		_exit(r == -ESTALE && kin_once_run(o, count, NULL,
						   KIT_PATIENCE) == 0 ? 7 : 1);
	ck_assert_int_eq(r, 0);
	kit_reap(pid, 7);
	ck_assert_uint_eq(board->calls, 0);
	kin_once_close(o);
}
END_TEST

START_TEST(what_can_never_be_is_refused)
{
	kin_segment *seg = anonymous(4096);
	kin_once *o;

	ck_kin_fails(-EINVAL, kin_once_create(&o, KIN_OPTS(kin_once_opts,
							   .flags = 1)));
	ck_kin_fails(-EINVAL, kin_once_create(&o, KIN_OPTS(kin_once_opts,
							   .members = 1001)));
	ck_kin_fails(-EINVAL, kin_once_create(&o, KIN_OPTS(kin_once_opts,
							   .segment = seg)));
	kin_segment_close(seg);
}
END_TEST

static int
run_what_comes(kin_call *call)
{
	kin_once *o;
	int r = kin_call_take(call, &o);

	return r < 0 ? r : kin_once_run(o, count, NULL, KIT_PATIENCE);
}
KIN_ENTRY(run_what_comes);

START_TEST(it_travels_as_an_argument)
{
	kin_once *o = made_once();
	kin_process *p = start(run_what_comes, KIN_ARGS(o));

	ck_exited(finish(p), 0);
	ck_assert_int_eq(kin_once_done(o), 1);
	kin_once_close(o);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("once");
	TCase *tc = board_case(suite, "once");

	if (kin_init(argc, argv) < 0)
		return 1;
	tcase_add_test(tc, it_runs_once);
	tcase_add_test(tc, of_a_crowd_one_runs_it);
	tcase_add_test(tc, the_others_wait_until_it_is_done);
	tcase_add_test(tc, a_failure_is_the_callers_and_the_next_one_runs_it);
	tcase_add_test(tc, after_a_runners_death_the_next_one_is_told);
	tcase_add_test(tc, sleepers_find_a_dead_runner);
	tcase_add_test(tc, a_sleeper_that_is_killed_takes_no_wake_along);
	tcase_add_test(tc, a_thread_that_ends_inside_counts_as_dead);
	tcase_add_test(tc, from_inside_it_would_wait_for_itself);
	tcase_add_test(tc, a_child_forked_inside_has_not_run_it);
	tcase_add_test(tc, what_can_never_be_is_refused);
	tcase_add_test(tc, it_travels_as_an_argument);
	return kit_run(suite);
}
