/* SPDX-License-Identifier: MIT */
/*
 * test_sem.c - the promises of kin/sem.h
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"
#include "tests/sleeper.h"

#define SEED	0x6b696e06u

static kin_sem *
owned(uint32_t permits)
{
	kin_sem *s;

	ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts,
					      .permits = permits)));
	return s;
}

static kin_sem *
plain(uint32_t permits)
{
	kin_sem *s;

	ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts,
					      .flags = KIN_SEM_PLAIN,
					      .permits = permits)));
	return s;
}

static int
acquire_one(void *arg)
{
	return kin_sem_acquire(arg, 1, KIN_FOREVER);
}

static int
acquire_three(void *arg)
{
	return kin_sem_acquire(arg, 3, KIN_FOREVER);
}

/* Takes n and keeps them until it is killed. */
static pid_t
holder_of(kin_sem *s, uint32_t n, int flag)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		ck_kin_ok(kin_sem_acquire(s, n, KIT_PATIENCE));
		raise_flag(flag);
		for (;;)
			pause();
	}
	await_flag(flag);
	return pid;
}

/* ---- counting ---- */

static void
ck_counts(kin_sem *s, kin_sem *other)
{
	ck_assert_int_eq(kin_sem_count(s), 3);
	ck_kin_ok(kin_sem_acquire(s, 1, KIN_NOWAIT));
	ck_kin_ok(kin_sem_acquire(s, 2, KIN_NOWAIT));
	ck_assert_int_eq(kin_sem_count(other), 0);
	ck_kin_fails(-ETIMEDOUT, kin_sem_acquire(other, 1, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_sem_acquire(other, 1, kin_in_ms(1)));
	ck_kin_ok(kin_sem_release(s, 2));
	ck_assert_int_eq(kin_sem_count(other), 2);
	/* All or none. */
	ck_kin_fails(-ETIMEDOUT, kin_sem_acquire(other, 3, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_sem_acquire(other, 3, kin_in_ms(1)));
	ck_assert_int_eq(kin_sem_count(other), 2);
	ck_kin_ok(kin_sem_acquire(other, 2, KIN_NOWAIT));
	ck_kin_ok(kin_sem_release(other, 2));
	ck_kin_ok(kin_sem_release(s, 1));
	ck_assert_int_eq(kin_sem_count(s), 3);
}

static void
ck_counts_placed(kin_segment *seg, uint32_t flags)
{
	kin_sem *s, *other;

	ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts, .flags = flags,
					      .permits = 3, .segment = seg,
					      .offset = 64)));
	ck_kin_ok(kin_sem_attach_at(&other, seg, 64));
	ck_counts(s, other);
	kin_sem_close(s);
	kin_sem_close(other);
	memset((char *)kin_segment_data(seg) + 64, 0, 64);
}

START_TEST(it_counts_alone_and_placed)
{
	kin_segment *seg = made(KIN_OPTS(kin_segment_opts, .bytes = 8192,
					 .members = 4));
	kin_sem *s[2] = { owned(3), plain(3) }, *other;
	int i;

	for (i = 0; i < 2; i++) {
		ck_kin_ok(kin_sem_attach(&other, kin_sem_fd(s[i])));
		ck_counts(s[i], other);
		kin_sem_close(s[i]);
		kin_sem_close(other);
	}
	ck_counts_placed(seg, 0);
	ck_counts_placed(seg, KIN_SEM_PLAIN);
	kin_segment_close(seg);
	kin_sem_close(NULL);
}
END_TEST

START_TEST(what_can_never_be_is_refused)
{
	kin_sem *s;

	ck_kin_fails(-EINVAL, kin_sem_create(&s,
		KIN_OPTS(kin_sem_opts, .flags = 2)));
	ck_kin_fails(-EINVAL, kin_sem_create(&s,
		KIN_OPTS(kin_sem_opts, .permits = 1, .most = 2)));
	ck_kin_fails(-EINVAL, kin_sem_create(&s,
		KIN_OPTS(kin_sem_opts, .permits = KIN_SEM_OWNED_MOST + 1)));
	ck_kin_fails(-EINVAL, kin_sem_create(&s,
		KIN_OPTS(kin_sem_opts, .flags = KIN_SEM_PLAIN, .permits = 3,
			 .most = 2)));
	ck_kin_fails(-EINVAL, kin_sem_create(&s,
		KIN_OPTS(kin_sem_opts, .flags = KIN_SEM_PLAIN,
			 .most = KIN_SEM_MOST + 1)));
	s = owned(3);
	ck_kin_fails(-EINVAL, kin_sem_acquire(s, 0, KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_sem_acquire(s, 4, KIN_FOREVER));
	ck_kin_fails(-EINVAL, kin_sem_release(s, 0));
	kin_sem_close(s);
}
END_TEST

START_TEST(more_than_there_can_be_is_not_released)
{
	kin_sem *s;

	s = owned(3);
	ck_kin_fails(-ERANGE, kin_sem_release(s, 1));
	ck_kin_ok(kin_sem_acquire(s, 2, KIN_NOWAIT));
	ck_kin_fails(-ERANGE, kin_sem_release(s, 3));
	ck_assert_int_eq(kin_sem_count(s), 1);
	ck_kin_ok(kin_sem_release(s, 2));
	kin_sem_close(s);

	ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts,
					      .flags = KIN_SEM_PLAIN,
					      .permits = 2, .most = 3)));
	ck_kin_ok(kin_sem_release(s, 1));
	ck_kin_fails(-ERANGE, kin_sem_release(s, 1));
	ck_assert_int_eq(kin_sem_count(s), 3);
	ck_kin_ok(kin_sem_acquire(s, 3, KIN_NOWAIT));
	ck_kin_ok(kin_sem_release(s, 3));
	ck_kin_fails(-ERANGE, kin_sem_release(s, 1));
	kin_sem_close(s);

	s = plain(KIN_SEM_MOST);
	ck_kin_fails(-ERANGE, kin_sem_release(s, 1));
	ck_kin_ok(kin_sem_acquire(s, KIN_SEM_MOST, KIN_NOWAIT));
	ck_kin_ok(kin_sem_release(s, KIN_SEM_MOST));
	ck_assert_int_eq(kin_sem_count(s), KIN_SEM_MOST);
	kin_sem_close(s);
}
END_TEST

/* Its own permits are a child's to release, its parent's are not. */
START_TEST(what_a_parent_holds_its_child_does_not)
{
	kin_sem *s = owned(3);
	pid_t pid;

	ck_kin_ok(kin_sem_acquire(s, 2, KIN_NOWAIT));
	pid = kit_fork();
	if (pid == 0) {
		ck_kin_fails(-ESTALE, kin_sem_release(s, 1));
		ck_kin_ok(kin_sem_acquire(s, 1, KIN_NOWAIT));
		ck_kin_fails(-ESTALE, kin_sem_release(s, 2));
		ck_kin_ok(kin_sem_release(s, 1));
		kin_sem_close(s);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_kin_ok(kin_sem_release(s, 2));
	ck_assert_int_eq(kin_sem_count(s), 3);
	kin_sem_close(s);
}
END_TEST

START_TEST(of_plain_ones_anybody_releases)
{
	kin_sem *s = plain(0);
	pid_t pid = sleeper(acquire_three, s, 1);

	ck_kin_ok(kin_sem_release(s, 2));
	ck_kin_ok(kin_sem_release(s, 1));
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_sem_count(s), 0);
	kin_sem_close(s);
}
END_TEST

START_TEST(closing_gives_back_what_is_held)
{
	kin_sem *s = owned(2), *other;
	pid_t pid;

	ck_kin_ok(kin_sem_attach(&other, kin_sem_fd(s)));
	ck_kin_ok(kin_sem_acquire(other, 2, KIN_NOWAIT));
	pid = sleeper(acquire_one, s, 1);
	kin_sem_close(other);
	kit_reap(pid, 0);
	ck_kin_ok(kin_sem_acquire(s, 2, KIT_PATIENCE));
	kin_sem_close(s);
}
END_TEST

/* ---- waiting ---- */

/* Little ones come and go; who needs three gets its turn all the same. */
START_TEST(who_wants_many_is_not_passed_over_for_ever)
{
	kin_sem *s = owned(3);
	kin_time patience = KIT_PATIENCE;
	pid_t little[2], big;
	int i;

	for (i = 0; i < 2; i++) {
		little[i] = kit_fork();
		if (little[i] != 0)
			continue;
		for (;;) {
			ck_kin_ok(kin_sem_acquire(s, 1, KIT_PATIENCE));
			sched_yield();
			ck_kin_ok(kin_sem_release(s, 1));
		}
	}
	ck_kin_ok(kin_sem_acquire(s, 2, KIT_PATIENCE));
	big = runner(acquire_three, s, 1);
	await_flag(1);
	ck_kin_ok(kin_sem_release(s, 2));
	while (waitpid(big, NULL, WNOHANG) == 0)
		ck_fast(kin_now().ns < patience.ns);
	for (i = 0; i < 2; i++)
		kit_kill(little[i]);
	kin_sem_close(s);
}
END_TEST

START_TEST(many_sleepers_get_many_permits)
{
	kin_sem *s[2] = { owned(4), plain(4) };
	pid_t pids[4];
	int i, j;

	for (j = 0; j < 2; j++) {
		ck_kin_ok(kin_sem_acquire(s[j], 4, KIN_NOWAIT));
		lower_flag();
		for (i = 0; i < 4; i++)
			pids[i] = sleeper(acquire_one, s[j], i + 1);
		ck_kin_ok(kin_sem_release(s[j], 4));
		for (i = 0; i < 4; i++)
			kit_reap(pids[i], 0);
		kin_sem_close(s[j]);
	}
}
END_TEST

START_TEST(more_than_the_kernel_adds_at_once_wakes_too)
{
	kin_sem *s = plain(0);
	pid_t pid = sleeper(acquire_three, s, 1);

	ck_kin_ok(kin_sem_release(s, 100000));
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_sem_count(s), 100000 - 3);
	kin_sem_close(s);
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
	kin_sem *s = plain(0);
	kin_time deadline;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	deadline = kin_in_ms(50);
	ck_kin_fails(-ETIMEDOUT, kin_sem_acquire(s, 1, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	memset(&every, 0, sizeof(every));
	setitimer(ITIMER_REAL, &every, NULL);
	kin_sem_close(s);
}
END_TEST

static kin_sem *of_handler;

static void
release_in_handler(int signal)
{
	(void)signal;
	kin_sem_release(of_handler, 1);
}

START_TEST(a_handler_releases_what_its_own_thread_waits_for)
{
	struct sigaction act = { .sa_handler = release_in_handler };
	struct itimerval every = { { 0, 150 }, { 0, 150 } };
	kin_time end;
	int n = 0;

	of_handler = plain(0);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	end = kin_in_ms(300);
	while (n < 1000 && kin_now().ns < end.ns) {
		ck_kin_ok(kin_sem_acquire(of_handler, 1, KIT_PATIENCE));
		n++;
	}
	memset(&every, 0, sizeof(every));
	setitimer(ITIMER_REAL, &every, NULL);
	kin_sem_close(of_handler);
}
END_TEST

/* ---- death ---- */

/* Nobody waits, and who asks without waiting gets them. */
START_TEST(what_the_dead_held_is_free_again)
{
	kin_sem *s = owned(3);
	int i;

	for (i = 0; i < 20; i++) {
		kit_kill(holder_of(s, 2, i + 1));
		if (i % 2 == 0)
			ck_assert_int_eq(kin_sem_count(s), 3);
		ck_kin_ok(kin_sem_acquire(s, 3, KIN_NOWAIT));
		ck_kin_ok(kin_sem_release(s, 3));
	}
	kin_sem_close(s);
}
END_TEST

START_TEST(a_sleeper_gets_what_the_dead_held)
{
	kin_segment *seg = made(KIN_OPTS(kin_segment_opts, .bytes = 4096,
					 .members = 8));
	kin_sem *s[2] = { owned(3) };
	pid_t holder, first, second;
	int i;

	ck_kin_ok(kin_sem_create(&s[1], KIN_OPTS(kin_sem_opts, .permits = 3,
						 .segment = seg)));
	for (i = 0; i < 2; i++) {
		lower_flag();
		holder = holder_of(s[i], 3, 1);
		first = sleeper(acquire_one, s[i], 2);
		second = sleeper(acquire_one, s[i], 3);
		kit_kill(holder);
		kit_reap(first, 0);
		kit_reap(second, 0);
		/* They have ended with theirs. */
		ck_kin_ok(kin_sem_acquire(s[i], 3, KIT_PATIENCE));
		kin_sem_close(s[i]);
	}
	kin_segment_close(seg);
}
END_TEST

/* The first in line sleeps on the permits, and takes the wake along. */
START_TEST(a_sleeper_that_is_killed_is_not_in_the_way)
{
	kin_sem *s = plain(0);
	int i;

	for (i = 0; i < 20; i++) {
		pid_t first = sleeper(acquire_one, s, 2 * i + 1);
		pid_t second = sleeper(acquire_one, s, 2 * i + 2);

		if (i % 2 == 0) {
			kit_kill(first);
			ck_kin_ok(kin_sem_release(s, 1));
		} else {
			ck_kin_ok(kin_sem_release(s, 1));
			kit_kill(first);
			/* It may have had the permit, or not. */
			ck_kin_ok(kin_sem_release(s, 1));
		}
		kit_reap(second, 0);
		while (kin_sem_acquire(s, 1, KIN_NOWAIT) == 0)
			;
	}
	kin_sem_close(s);
}
END_TEST

/* Who took and died wherever it was: in the end all are there. */
START_TEST(kills_at_any_time_lose_no_owned_permit)
{
	kin_sem *s = owned(5);
	uint32_t random = SEED;
	pid_t pids[3];
	int i, kills;

	printf("# seed %#x\n", random);
	for (i = 0; i < 3; i++)
		pids[i] = 0;
	for (kills = 0; kills < 200; kills++) {
		struct timespec moment = { 0, next_random(&random) % 1000000 };

		i = (int)(next_random(&random) % 3);
		if (pids[i] != 0)
			kit_kill(pids[i]);
		pids[i] = kit_fork();
		while (pids[i] == 0) {
			uint32_t n = 1 + next_random(&random) % 5;

			if (kin_sem_acquire(s, n, KIT_PATIENCE) < 0 ||
			    kin_sem_release(s, n) < 0)
				_exit(1);
		}
		nanosleep(&moment, NULL);
		ck_assert_int_le(kin_sem_count(s), 5);
	}
	for (i = 0; i < 3; i++)
		kit_kill(pids[i]);
	ck_assert_int_eq(kin_sem_count(s), 5);
	ck_kin_ok(kin_sem_acquire(s, 5, KIN_NOWAIT));
	ck_kin_ok(kin_sem_release(s, 5));
	kin_sem_close(s);
}
END_TEST

/* ---- threads, and travelling ---- */

#define EACH	10000

static struct crew {
	kin_sem *s;
	uint32_t permits;
	uint32_t inside;
	uint32_t troubles;
} crew;

static void *
go_in_and_out(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < EACH; i++) {
		if (kin_sem_acquire(crew.s, 1, KIT_PATIENCE) < 0 ||
		    __atomic_add_fetch(&crew.inside, 1, __ATOMIC_SEQ_CST) >
		    crew.permits)
			__atomic_add_fetch(&crew.troubles, 1,
					   __ATOMIC_RELAXED);
		__atomic_sub_fetch(&crew.inside, 1, __ATOMIC_SEQ_CST);
		if (kin_sem_release(crew.s, 1) < 0)
			__atomic_add_fetch(&crew.troubles, 1,
					   __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(no_more_threads_are_inside_than_there_are_permits)
{
	/* Of one permit, more threads than that are about to take it. */
	kin_sem *s[4] = { owned(2), plain(2), owned(1), plain(1) };
	pthread_t threads[4];
	int i, j;

	for (j = 0; j < 4; j++) {
		crew = (struct crew){ .s = s[j], .permits = j < 2 ? 2 : 1 };
		for (i = 0; i < 4; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL,
							go_in_and_out, NULL),
					 0);
		for (i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		ck_assert_uint_eq(crew.troubles, 0);
		ck_assert_int_eq(kin_sem_count(s[j]), crew.permits);
		kin_sem_close(s[j]);
	}
}
END_TEST

static int
release_what_comes(kin_call *call)
{
	kin_sem *s;
	int r = kin_call_take(call, &s);

	return r < 0 ? r : kin_sem_release(s, 2);
}
KIN_ENTRY(release_what_comes);

START_TEST(it_travels_as_an_argument)
{
	kin_sem *s = plain(0);
	kin_process *p = start(release_what_comes, KIN_ARGS(s));

	ck_kin_ok(kin_sem_acquire(s, 2, KIT_PATIENCE));
	ck_exited(finish(p), 0);
	kin_sem_close(s);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("sem");
	TCase *tc = board_case(suite, "sem");

	if (kin_init(argc, argv) < 0)
		return 1;
	tcase_add_test(tc, it_counts_alone_and_placed);
	tcase_add_test(tc, what_can_never_be_is_refused);
	tcase_add_test(tc, more_than_there_can_be_is_not_released);
	tcase_add_test(tc, what_a_parent_holds_its_child_does_not);
	tcase_add_test(tc, of_plain_ones_anybody_releases);
	tcase_add_test(tc, closing_gives_back_what_is_held);
	tcase_add_test(tc, who_wants_many_is_not_passed_over_for_ever);
	tcase_add_test(tc, many_sleepers_get_many_permits);
	tcase_add_test(tc, more_than_the_kernel_adds_at_once_wakes_too);
	tcase_add_test(tc, a_signal_does_not_end_a_wait);
	tcase_add_test(tc, a_handler_releases_what_its_own_thread_waits_for);
	tcase_add_test(tc, what_the_dead_held_is_free_again);
	tcase_add_test(tc, a_sleeper_gets_what_the_dead_held);
	tcase_add_test(tc, a_sleeper_that_is_killed_is_not_in_the_way);
	tcase_add_test(tc, kills_at_any_time_lose_no_owned_permit);
	tcase_add_test(tc, no_more_threads_are_inside_than_there_are_permits);
	tcase_add_test(tc, it_travels_as_an_argument);
	return kit_run(suite);
}
