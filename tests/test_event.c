/* SPDX-License-Identifier: MIT */
/*
 * test_event.c - the promises of kin/event.h
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"
#include "tests/sleeper.h"

static kin_event *
made_event(void)
{
	kin_event *e;

	ck_kin_ok(kin_event_create(&e, NULL));
	return e;
}

static int
wait_for_ever(void *arg)
{
	return kin_event_wait(arg, KIN_FOREVER);
}

/* ---- alone and placed ---- */

static void
ck_is_an_event(kin_event *e, kin_event *other)
{
	ck_assert_int_eq(kin_event_is_set(e), 0);
	ck_kin_fails(-ETIMEDOUT, kin_event_wait(other, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_event_wait(other, kin_in_ms(1)));
	kin_event_set(e);
	ck_assert_int_eq(kin_event_is_set(other), 1);
	ck_kin_ok(kin_event_wait(other, KIN_NOWAIT));
	ck_kin_ok(kin_event_wait(e, KIN_FOREVER));
	kin_event_set(other);
	kin_event_clear(other);
	ck_assert_int_eq(kin_event_is_set(e), 0);
	kin_event_clear(e);
	ck_kin_fails(-ETIMEDOUT, kin_event_wait(e, KIN_NOWAIT));
}

START_TEST(it_is_clear_then_set_then_clear)
{
	kin_event *e, *other;

	ck_kin_ok(kin_event_create(&e, KIN_OPTS(kin_event_opts,
						.label = "go")));
	ck_kin_ok(kin_event_attach(&other, kin_event_fd(e)));
	ck_is_an_event(e, other);
	ck_assert_str_eq(kin_event_label(other), "go");
	kin_event_close(e);
	kin_event_close(other);
	kin_event_close(NULL);
}
END_TEST

START_TEST(many_fit_into_a_plain_segment)
{
	kin_segment *seg = anonymous(4 * kin_event_room());
	unsigned char *data = kin_segment_data(seg);
	size_t room = kin_event_room(), i;
	kin_event *first, *second, *other;

	memset(data + 2 * room, 0x5a, 2 * room);
	ck_kin_ok(kin_event_create(&first, KIN_OPTS(kin_event_opts,
						    .segment = seg)));
	ck_kin_ok(kin_event_create(&second, KIN_OPTS(kin_event_opts,
						     .segment = seg,
						     .offset = room)));
	ck_kin_ok(kin_event_attach_at(&other, seg, room));
	kin_event_set(first);
	ck_is_an_event(second, other);
	ck_assert_int_eq(kin_event_is_set(first), 1);
	for (i = 2 * room; i < 4 * room; i++)
		ck_fast(data[i] == 0x5a);
	ck_assert_int_eq(kin_event_fd(first), kin_segment_fd(seg));
	kin_event_close(first);
	kin_event_close(second);
	kin_event_close(other);
	kin_segment_close(seg);
}
END_TEST

START_TEST(what_can_never_be_is_refused)
{
	kin_segment *seg = anonymous(4096);
	kin_event *e, *there;
	kin_queue *q;

	ck_kin_fails(-EINVAL, kin_event_create(&e, KIN_OPTS(kin_event_opts,
							    .flags = 1)));
	ck_kin_fails(-EINVAL, kin_event_create(&e, KIN_OPTS(kin_event_opts,
							    .offset = 64)));
	ck_kin_fails(-EINVAL, kin_event_create(&e,
		KIN_OPTS(kin_event_opts, .segment = seg, .offset = 8)));
	ck_kin_fails(-EINVAL, kin_event_create(&e,
		KIN_OPTS(kin_event_opts, .segment = seg, .label = "x")));
	ck_kin_fails(-ENOSPC, kin_event_create(&e,
		KIN_OPTS(kin_event_opts, .segment = seg,
			 .offset = 4096 - 64)));
	ck_kin_fails(-EPROTO, kin_event_attach_at(&e, seg, 0));
	ck_kin_ok(kin_event_create(&there, KIN_OPTS(kin_event_opts,
						    .segment = seg)));
	ck_kin_fails(-EEXIST, kin_event_create(&e, KIN_OPTS(kin_event_opts,
							    .segment = seg)));
	ck_kin_ok(kin_queue_create(&q, NULL));
	ck_kin_fails(-EPROTO, kin_event_attach(&e, kin_queue_fd(q)));
	ck_kin_fails(-EBADF, kin_event_attach(&e, -1));
	kin_queue_close(q);
	kin_event_close(there);
	kin_segment_close(seg);
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_set_lets_all_go)
{
	kin_event *e = made_event();
	pid_t pids[4];
	int i;

	for (i = 0; i < 4; i++)
		pids[i] = sleeper(wait_for_ever, e, i + 1);
	kin_event_set(e);
	/* Who slept when it was set goes on, however soon it is cleared. */
	kin_event_clear(e);
	for (i = 0; i < 4; i++)
		kit_reap(pids[i], 0);
	ck_assert_int_eq(kin_event_is_set(e), 0);
	kin_event_close(e);
}
END_TEST

/* Once a sleeper is killed, the others are let go all the same. */
START_TEST(a_waiter_that_is_killed_takes_no_wake_along)
{
	kin_event *e = made_event();
	int i;

	for (i = 0; i < 20; i++) {
		pid_t first = sleeper(wait_for_ever, e, 2 * i + 1);
		pid_t second = sleeper(wait_for_ever, e, 2 * i + 2);

		if (i % 2 == 0) {
			kit_kill(first);
			kin_event_set(e);
		} else {
			kin_event_set(e);
			kit_kill(first);
		}
		kit_reap(second, 0);
		kin_event_clear(e);
	}
	kin_event_close(e);
}
END_TEST

/* ---- signals ---- */

static kin_event *of_handler;

static void
set_in_handler(int signal)
{
	(void)signal;
	kin_event_set(of_handler);
}

static int
wait_with_handler(void *arg)
{
	struct sigaction act = { .sa_handler = set_in_handler };

	of_handler = arg;
	sigaction(SIGUSR1, &act, NULL);
	raise_flag(2);
	return kin_event_wait(arg, KIN_FOREVER);
}

START_TEST(a_handler_sets_what_its_own_thread_waits_for)
{
	kin_event *e = made_event();
	pid_t pid = runner(wait_with_handler, e, 1);

	await_flag(2);
	await_sleep_of(pid);
	kill(pid, SIGUSR1);
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_event_is_set(e), 1);
	kin_event_close(e);
}
END_TEST

/* At any moment of the wait: by a timer, thousands of times. */
START_TEST(a_handler_sets_at_any_moment)
{
	struct sigaction act = { .sa_handler = set_in_handler };
	struct itimerval every = { { 0, 150 }, { 0, 150 } };
	kin_time end;
	int n = 0;

	of_handler = made_event();
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	end = kin_in_ms(500);
	while (n < 2000 && kin_now().ns < end.ns) {
		ck_kin_ok(kin_event_wait(of_handler, KIT_PATIENCE));
		kin_event_clear(of_handler);
		n++;
	}
	ck_assert_int_gt(n, 0);
	memset(&every, 0, sizeof(every));
	setitimer(ITIMER_REAL, &every, NULL);
	kin_event_close(of_handler);
}
END_TEST

static void
nothing(int signal)
{
	(void)signal;
}

START_TEST(a_signal_does_not_end_a_wait)
{
	struct sigaction act = { .sa_handler = nothing };
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
	kin_event *e = made_event();
	kin_time deadline;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	deadline = kin_in_ms(50);
	ck_kin_fails(-ETIMEDOUT, kin_event_wait(e, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	memset(&every, 0, sizeof(every));
	setitimer(ITIMER_REAL, &every, NULL);
	kin_event_close(e);
}
END_TEST

START_TEST(a_set_keeps_errno)
{
	kin_event *e = made_event();
	pid_t pid = sleeper(wait_for_ever, e, 1);

	errno = 4711;
	kin_event_set(e);
	ck_assert_int_eq(errno, 4711);
	kit_reap(pid, 0);
	kin_event_close(e);
}
END_TEST

/* ---- threads, and travelling ---- */

#define ROUNDS	20000

static kin_event *ping, *pong;

static void *
play(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		if (kin_event_wait(ping, KIT_PATIENCE) < 0)
			return ping;
		kin_event_clear(ping);
		kin_event_set(pong);
	}
	return NULL;
}

/* No set is lost between two who wait for each other. */
START_TEST(threads_go_to_and_fro)
{
	pthread_t thread;
	void *wrong;
	int i;

	ping = made_event();
	pong = made_event();
	ck_assert_int_eq(pthread_create(&thread, NULL, play, NULL), 0);
	for (i = 0; i < ROUNDS; i++) {
		kin_event_set(ping);
		ck_fast(kin_event_wait(pong, KIT_PATIENCE) == 0);
		kin_event_clear(pong);
	}
	pthread_join(thread, &wrong);
	ck_assert_ptr_null(wrong);
	kin_event_close(ping);
	kin_event_close(pong);
}
END_TEST

static int
set_what_comes(kin_call *call)
{
	kin_event *e, *answer;
	int r = kin_call_take(call, &e, &answer);

	if (r < 0)
		return r;
	r = kin_event_wait(e, KIT_PATIENCE);
	kin_event_set(answer);
	return r;
}
KIN_ENTRY(set_what_comes);

START_TEST(it_travels_as_an_argument_alone_and_placed)
{
	kin_segment *seg = anonymous(4096);
	kin_event *e = made_event(), *answer;
	kin_process *p;

	ck_kin_ok(kin_event_create(&answer, KIN_OPTS(kin_event_opts,
						     .segment = seg,
						     .offset = 1024)));
	p = start(set_what_comes, KIN_ARGS(e, answer));
	kin_event_set(e);
	ck_kin_ok(kin_event_wait(answer, KIT_PATIENCE));
	ck_exited(finish(p), 0);
	kin_event_close(e);
	kin_event_close(answer);
	kin_segment_close(seg);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("event");
	TCase *tc = board_case(suite, "event");

	if (kin_init(argc, argv) < 0)
		return 1;
	tcase_add_test(tc, it_is_clear_then_set_then_clear);
	tcase_add_test(tc, many_fit_into_a_plain_segment);
	tcase_add_test(tc, what_can_never_be_is_refused);
	tcase_add_test(tc, a_set_lets_all_go);
	tcase_add_test(tc, a_waiter_that_is_killed_takes_no_wake_along);
	tcase_add_test(tc, a_handler_sets_what_its_own_thread_waits_for);
	tcase_add_test(tc, a_handler_sets_at_any_moment);
	tcase_add_test(tc, a_signal_does_not_end_a_wait);
	tcase_add_test(tc, a_set_keeps_errno);
	tcase_add_test(tc, threads_go_to_and_fro);
	tcase_add_test(tc, it_travels_as_an_argument_alone_and_placed);
	return kit_run(suite);
}
