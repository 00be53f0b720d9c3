/* SPDX-License-Identifier: MIT */
/*
 * test_loop.c - waiting for many things: engines, timers, the world around
 *
 * Each test runs with io_uring, or what stands in for it here, and with epoll.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/fault.h"
#include "tests/loops.h"

/* ---- engines ---- */

START_TEST(the_environment_chooses)
{
	set_up(EPOLL);
	ck_assert_str_eq(kn_loop_engine(loop), "epoll");
	kn_loop_free(loop);
	set_up(URING);
	ck_assert(strcmp(kn_loop_engine(loop), "io_uring") == 0 ||
		  strcmp(kn_loop_engine(loop), "epoll") == 0);
	kn_loop_free(loop);
	kn_loop_free(NULL);
}
END_TEST

static int refusal;
static const char *refused;

static int
refuse(const char *call)
{
	return strcmp(call, refused) == 0 ? refusal : 0;
}

static const int refusals[] = {
	-EPERM, -ENOSYS, -ENOMEM, -EINVAL, -EOPNOTSUPP, -EACCES
};

START_TEST(refused_io_uring_is_epoll)
{
	struct end *end;

	refused = "io_uring_setup";
	refusal = refusals[_i];
	kn_os_hook = refuse;
	kit_forget();
	set_up(URING);
	ck_assert(kit_forgotten());
	ck_assert_str_eq(kn_loop_engine(loop), "epoll");
	end = socket_end(POLLIN);
	feed(end);
	ck_called(end);
	kn_os_hook = NULL;
	free_end(end);
	kn_loop_free(loop);
}
END_TEST

/* As when seccomp comes after the ring: in a wait, a change or a remove. */
START_TEST(io_uring_refused_in_mid_life_goes_on)
{
	struct end *ends[3];
	int i;

	set_up(URING);
	for (i = 0; i < 3; i++)
		ends[i] = socket_end(POLLIN);
	feed(ends[0]);
	ck_called(ends[0]);
	refused = "io_uring_enter";
	refusal = -EPERM;
	kn_os_hook = refuse;
	kit_forget();
	if (_i == 1)
		free_end(ends[2]);
	if (_i == 2)
		ck_kin_ok(kn_loop_change(loop, &ends[1]->source, POLLOUT));
	ck_called(ends[0]);
	if (_i != 2)
		feed(ends[1]);
	ck_called(ends[1]);
	ck_assert(kit_forgotten());
	ck_assert_str_eq(kn_loop_engine(loop), "epoll");
	kn_os_hook = NULL;
	free_end(ends[0]);
	free_end(ends[1]);
	if (_i != 1)
		free_end(ends[2]);
	kn_loop_free(loop);
}
END_TEST

static void *
turn_elsewhere(void *arg)
{
	struct end *end = arg;

	ck_called(end);
	return NULL;
}

START_TEST(another_thread_may_turn_it)
{
	struct end *a, *b;
	pthread_t thread;

	set_up(_i);
	a = socket_end(POLLIN);
	b = socket_end(POLLIN);
	ck_quiet();
	feed(a);
	ck_assert_int_eq(pthread_create(&thread, NULL, turn_elsewhere, a), 0);
	pthread_join(thread, NULL);
	feed(b);
	ck_called(b);
	free_end(a);
	free_end(b);
	kn_loop_free(loop);
}
END_TEST

/* ---- timers ---- */

struct alarm {
	struct kn_timer timer;
	int calls, order;
	int again;			/* how often it starts itself */
	struct alarm *victim;		/* to be stopped */
};

static int rung;

static void
ring(void *arg)
{
	struct alarm *a = arg;

	ck_assert_uint_eq(a->timer.place, 0);
	ck_assert_int_ge(kin_now().ns, a->timer.at.ns);
	a->calls++;
	a->order = ++rung;
	if (a->again-- > 0)
		ck_kin_ok(kn_timer_start(loop, &a->timer, KIN_NOWAIT));
	if (a->victim != NULL)
		kn_timer_stop(loop, &a->victim->timer);
}

static void
start_alarm(struct alarm *a, kin_time at)
{
	a->timer.fn = ring;
	a->timer.arg = a;
	ck_kin_ok(kn_timer_start(loop, &a->timer, at));
}

START_TEST(timers_ring_in_order)
{
	struct alarm a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	kin_time now;

	set_up(_i);
	now = kin_now();
	start_alarm(&a, (kin_time){ now.ns + 3000000 });
	start_alarm(&b, (kin_time){ now.ns + 1000000 });
	start_alarm(&c, (kin_time){ now.ns + 2000000 });
	start_alarm(&d, KIT_PATIENCE);
	/* Moved to the end, and one that is stopped for good. */
	start_alarm(&b, (kin_time){ now.ns + 4000000 });
	kn_timer_stop(loop, &d.timer);
	kn_timer_stop(loop, &d.timer);
	while (rung < 3)
		ck_assert_int_gt(kn_loop_turn(loop, KIT_PATIENCE), 0);
	ck_assert_int_eq(c.order, 1);
	ck_assert_int_eq(a.order, 2);
	ck_assert_int_eq(b.order, 3);
	ck_quiet();
	ck_assert_int_eq(d.calls, 0);
	kn_loop_free(loop);
}
END_TEST

/* One that starts itself for the past neither hangs nor starves others. */
START_TEST(timers_start_and_stop_timers)
{
	struct alarm a = { .again = 3 }, b = { 0 }, c = { 0 };

	set_up(_i);
	a.victim = &c;
	start_alarm(&a, (kin_time){ 1 });
	start_alarm(&b, (kin_time){ 2 });
	start_alarm(&c, (kin_time){ 3 });
	ck_assert_int_eq(kn_loop_turn(loop, KIT_PATIENCE), 2);
	ck_assert_int_eq(a.calls, 1);
	ck_assert_int_eq(b.calls, 1);
	ck_assert_int_eq(kn_loop_turn(loop, KIT_PATIENCE), 1);
	ck_assert_int_eq(kn_loop_turn(loop, KIT_PATIENCE), 1);
	ck_assert_int_eq(kn_loop_turn(loop, KIN_NOWAIT), 1);
	ck_assert_int_eq(a.calls, 4);
	ck_assert_int_eq(c.calls, 0);
	ck_quiet();
	kn_loop_free(loop);
}
END_TEST

#define ALARMS	1000

START_TEST(many_timers)
{
	static struct alarm alarms[ALARMS];
	struct alarm *before = NULL;
	uint32_t seed = 7;
	int i, left = 0, stopped = 0;

	set_up(_i);
	for (i = 0; i < ALARMS; i++)
		start_alarm(&alarms[i], (kin_time){
			1 + next_random(&seed) % 1000000 });
	for (i = 0; i < ALARMS; i += 3, stopped++)
		kn_timer_stop(loop, &alarms[next_random(&seed) % ALARMS].timer);
	for (i = 0; i < ALARMS; i++)
		left += alarms[i].timer.place != 0;
	ck_assert_int_eq(kn_loop_turn(loop, KIN_NOWAIT), left);
	ck_quiet();
	/* In the order of their times. */
	for (i = 1; i <= left; i++) {
		struct alarm *a = alarms;

		while (a->order != i)
			a++;
		ck_fast(before == NULL ||
			before->timer.at.ns <= a->timer.at.ns);
		ck_fast(a->calls == 1);
		before = a;
	}
	kn_loop_free(loop);
}
END_TEST

START_TEST(a_deadline_is_kept)
{
	kin_time deadline;

	set_up(_i);
	kn_loop_spin(loop, 200000);
	deadline = kin_in_ms(20);
	ck_assert_int_eq(kn_loop_turn(loop, deadline), 0);
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	ck_assert_int_eq(kn_loop_turn(loop, deadline), 0);
	kn_loop_free(loop);
}
END_TEST

/* ---- the world ---- */

static void
nothing(int signal)
{
	(void)signal;
}

START_TEST(signals_do_not_end_a_turn)
{
	struct itimerval storm = { { 0, 300 }, { 0, 300 } }, calm = { 0 };
	struct sigaction action = { .sa_handler = nothing };
	struct alarm a = { 0 };
	struct end *end;
	kin_time deadline;
	int i;

	set_up(_i);
	end = socket_end(POLLIN);
	end->drains = true;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &storm, NULL);
	deadline = kin_in_ms(30);
	ck_assert_int_eq(kn_loop_turn(loop, deadline), 0);
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	start_alarm(&a, kin_in_ms(10));
	ck_assert_int_eq(kn_loop_turn(loop, KIT_PATIENCE), 1);
	for (i = 0; i < 100; i++) {
		feed(end);
		ck_called(end);
	}
	setitimer(ITIMER_REAL, &calm, NULL);
	free_end(end);
	kn_loop_free(loop);
}
END_TEST

static void *
feed_slowly(void *arg)
{
	struct end *end = arg;
	struct pollfd drained = { .fd = end->other, .events = POLLIN };
	int i;
	char c;

	for (i = 0; i < 200; i++) {
		(void)!write(end->other, "x", 1);
		(void)kn_os_poll(&drained, 1, KIT_PATIENCE);
		(void)!read(end->other, &c, 1);
	}
	return NULL;
}

static void
then_answer(struct end *end)
{
	(void)!write(end->source.fd, "y", 1);
}

START_TEST(spinning_finds_it_too)
{
	struct end *end;
	pthread_t thread;

	set_up(_i / 2);
	kn_loop_spin(loop, _i % 2 ? 100000 : 0);
	end = socket_end(POLLIN);
	end->drains = true;
	end->then = then_answer;
	ck_assert_int_eq(pthread_create(&thread, NULL, feed_slowly, end), 0);
	while (end->calls < 200)
		ck_called(end);
	pthread_join(thread, NULL);
	ck_quiet();
	free_end(end);
	kn_loop_free(loop);
}
END_TEST

/* ---- fork ---- */

START_TEST(a_child_lets_go_of_it)
{
	struct alarm a = { 0 };
	struct end *end, *kept;
	pid_t pid;

	set_up(_i);
	end = socket_end(POLLIN);
	kept = socket_end(POLLIN);
	ck_quiet();
	pid = kit_fork();
	if (pid == 0) {
		int before = kit_descriptors();

		if (kn_loop_turn(loop, KIN_NOWAIT) != -ECHILD ||
		    kn_loop_change(loop, &kept->source, 0) != -ECHILD)
			_exit(1);
		kn_loop_remove(loop, &end->source);
		kn_loop_free(loop);
		set_up(_i);
		kn_loop_free(loop);
		_exit(kit_descriptors() == before - 1 ? 5 : 2);
	}
	kit_reap(pid, 5);
	ck_quiet();
	feed(end);
	ck_called(end);
	feed(kept);
	ck_called(kept);
	end->drains = kept->drains = true;
	start_alarm(&a, kin_in_ms(1));
	while (a.calls == 0)
		ck_assert_int_gt(kn_loop_turn(loop, KIT_PATIENCE), 0);
	free_end(end);
	free_end(kept);
	kn_loop_free(loop);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tc = kit_case(suite, "engines");

	tcase_add_test(tc, the_environment_chooses);
	tcase_add_loop_test(tc, refused_io_uring_is_epoll, 0, 6);
	tcase_add_loop_test(tc, io_uring_refused_in_mid_life_goes_on, 0, 3);
	tcase_add_loop_test(tc, another_thread_may_turn_it, 0, ENGINES);

	tc = kit_case(suite, "timers");
	tcase_add_loop_test(tc, timers_ring_in_order, 0, ENGINES);
	tcase_add_loop_test(tc, timers_start_and_stop_timers, 0, ENGINES);
	tcase_add_loop_test(tc, many_timers, 0, ENGINES);
	tcase_add_loop_test(tc, a_deadline_is_kept, 0, ENGINES);

	tc = kit_case(suite, "world");
	tcase_add_loop_test(tc, signals_do_not_end_a_turn, 0, ENGINES);
	tcase_add_loop_test(tc, spinning_finds_it_too, 0, 2 * ENGINES);
	tcase_add_loop_test(tc, a_child_lets_go_of_it, 0, ENGINES);
	return kit_run(suite);
}
