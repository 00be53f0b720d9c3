/* SPDX-License-Identifier: MIT */
/*
 * test_barrier.c - the promises of kin/barrier.h
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"
#include "tests/sleeper.h"

#define SEED	0x6b696e05u

static kin_barrier *
barrier_of(uint32_t parties)
{
	kin_barrier *b;

	ck_kin_ok(kin_barrier_create(&b, KIN_OPTS(kin_barrier_opts,
						  .parties = parties)));
	return b;
}

static int
wait_for_ever(void *arg)
{
	return kin_barrier_wait(arg, KIN_FOREVER);
}

static int
wait_a_little(void *arg)
{
	return kin_barrier_wait(arg, kin_in_ms(200));
}

/* Seated, and asleep. */
static pid_t
party(kin_barrier *b, int flag)
{
	uint32_t before = kin_barrier_waiting(b);
	kin_time patience = KIT_PATIENCE;
	pid_t pid = sleeper(wait_for_ever, b, flag);

	while (kin_barrier_waiting(b) == before)
		ck_fast(kin_now().ns < patience.ns);
	await_sleep_of(pid);
	return pid;
}

/* ---- alone and placed ---- */

static void
ck_is_a_barrier(kin_barrier *b, kin_barrier *other)
{
	pid_t pid;

	ck_assert_uint_eq(kin_barrier_parties(b), 2);
	ck_assert_uint_eq(kin_barrier_parties(other), 2);
	ck_assert_uint_eq(kin_barrier_waiting(b), 0);
	lower_flag();
	pid = party(b, 1);
	ck_assert_uint_eq(kin_barrier_waiting(other), 1);
	ck_assert_int_eq(kin_barrier_wait(other, KIT_PATIENCE), 1);
	kit_reap(pid, 0);
	ck_assert_uint_eq(kin_barrier_waiting(b), 0);
	ck_assert_int_eq(kin_barrier_broken(b), 0);
}

START_TEST(it_lets_its_parties_go_together)
{
	kin_segment *seg = made(KIN_OPTS(kin_segment_opts, .bytes = 4096,
					 .members = 4));
	kin_barrier *b = barrier_of(2), *other;

	ck_kin_ok(kin_barrier_attach(&other, kin_barrier_fd(b)));
	ck_is_a_barrier(b, other);
	kin_barrier_close(b);
	kin_barrier_close(other);

	ck_kin_ok(kin_barrier_create(&b, KIN_OPTS(kin_barrier_opts,
						  .parties = 2, .segment = seg,
						  .offset = 64)));
	ck_kin_ok(kin_barrier_attach_at(&other, seg, 64));
	ck_is_a_barrier(b, other);
	kin_barrier_close(b);
	kin_barrier_close(other);
	kin_segment_close(seg);
	kin_barrier_close(NULL);
}
END_TEST

START_TEST(what_can_never_be_is_refused)
{
	kin_barrier *b;

	ck_kin_fails(-EINVAL, kin_barrier_create(&b, NULL));
	ck_kin_fails(-EINVAL, kin_barrier_create(&b,
		KIN_OPTS(kin_barrier_opts, .parties = 1001)));
	ck_kin_fails(-EINVAL, kin_barrier_create(&b,
		KIN_OPTS(kin_barrier_opts, .parties = 2, .flags = 1)));
	ck_assert_uint_eq(kin_barrier_room(NULL), 0);
	ck_assert_uint_gt(kin_barrier_room(KIN_OPTS(kin_barrier_opts,
						    .parties = 2)), 0);
}
END_TEST

START_TEST(one_party_never_waits)
{
	kin_barrier *b = barrier_of(1);
	int i;

	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(kin_barrier_wait(b, KIN_NOWAIT), 0);
	kin_barrier_close(b);
}
END_TEST

/* ---- rounds ---- */

#define PARTIES		4u
#define ROUNDS		3000

static struct crew {
	kin_barrier *b;
	uint32_t round;			/* that anybody is in */
	uint32_t troubles;
	uint32_t indices[ROUNDS];	/* bits */
	uint32_t actions;
} crew;

static int
next_round(void *user)
{
	struct crew *c = user;

	__atomic_add_fetch(&c->actions, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&c->round, c->round + 1, __ATOMIC_RELAXED);
	return 0;
}

static void *
go_round(void *arg)
{
	uint32_t i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		int r;

		if (__atomic_load_n(&crew.round, __ATOMIC_RELAXED) != i)
			__atomic_add_fetch(&crew.troubles, 1,
					   __ATOMIC_RELAXED);
		r = kin_barrier_wait_with(crew.b, next_round, &crew,
					  KIT_PATIENCE);
		if (r < 0) {
			__atomic_add_fetch(&crew.troubles, 1,
					   __ATOMIC_RELAXED);
			break;
		}
		__atomic_fetch_or(&crew.indices[i], 1u << r, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Each index once a round, and the action once, before anybody goes on. */
START_TEST(threads_go_round_by_round)
{
	pthread_t threads[PARTIES];
	uint32_t i;

	crew = (struct crew){ .b = barrier_of(PARTIES) };
	for (i = 0; i < PARTIES; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, go_round,
						NULL), 0);
	for (i = 0; i < PARTIES; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(crew.troubles, 0);
	ck_assert_uint_eq(crew.actions, ROUNDS);
	for (i = 0; i < ROUNDS; i++)
		ck_fast(crew.indices[i] == (1u << PARTIES) - 1);
	kin_barrier_close(crew.b);
}
END_TEST

/* Counts its firsts and seconds, until it is sent away. */
static int
go_round_until_abort(void *arg)
{
	int r;

	while ((r = kin_barrier_wait(arg, KIT_PATIENCE)) >= 0)
		__atomic_add_fetch((uint32_t *)&board->pids[r], 1,
				   __ATOMIC_RELAXED);
	return r;
}

/* More come than it has seats for; each round has its two all the same. */
START_TEST(processes_go_round_though_there_are_too_many)
{
	kin_barrier *b = barrier_of(2);
	kin_time patience = KIT_PATIENCE;
	pid_t pids[4];
	int i;

	for (i = 0; i < 4; i++)
		pids[i] = runner(go_round_until_abort, b, i + 1);
	while (__atomic_load_n(&board->pids[0], __ATOMIC_RELAXED) < 3000)
		ck_fast(kin_now().ns < patience.ns);
	ck_kin_ok(kin_barrier_abort(b, KIT_PATIENCE));
	for (i = 0; i < 4; i++)
		kit_reap(pids[i], ECANCELED);
	ck_assert_int_eq(board->pids[0], board->pids[1]);
	kin_barrier_close(b);
}
END_TEST

/* ---- broken ---- */

START_TEST(a_deadline_breaks_it_for_all)
{
	kin_barrier *b = barrier_of(3);
	pid_t first = party(b, 1), second;
	kin_time deadline;

	/* Who only tries has not come. */
	ck_kin_fails(-ETIMEDOUT, kin_barrier_wait(b, KIN_NOWAIT));
	ck_assert_int_eq(kin_barrier_broken(b), 0);
	ck_assert_uint_eq(kin_barrier_waiting(b), 1);
	deadline = kin_in_ms(20);
	ck_kin_fails(-ETIMEDOUT, kin_barrier_wait(b, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	kit_reap(first, ECANCELED);
	ck_assert_int_eq(kin_barrier_broken(b), 1);
	ck_assert_uint_eq(kin_barrier_waiting(b), 0);
	ck_kin_fails(-ECANCELED, kin_barrier_wait(b, KIN_FOREVER));
	ck_kin_ok(kin_barrier_reset(b, KIT_PATIENCE));
	ck_assert_int_eq(kin_barrier_broken(b), 0);

	first = party(b, 2);
	second = party(b, 3);
	ck_assert_int_eq(kin_barrier_wait(b, KIT_PATIENCE), 2);
	kit_reap(first, 0);
	kit_reap(second, 1);
	kin_barrier_close(b);
}
END_TEST

START_TEST(abort_and_reset_send_all_away)
{
	kin_barrier *b = barrier_of(3);
	pid_t first = party(b, 1), second = party(b, 2);

	ck_kin_ok(kin_barrier_abort(b, KIT_PATIENCE));
	ck_kin_ok(kin_barrier_abort(b, KIT_PATIENCE));
	kit_reap(first, ECANCELED);
	kit_reap(second, ECANCELED);
	ck_kin_fails(-ECANCELED, kin_barrier_wait(b, KIN_NOWAIT));
	ck_kin_ok(kin_barrier_reset(b, KIT_PATIENCE));

	first = party(b, 3);
	second = party(b, 4);
	ck_kin_ok(kin_barrier_reset(b, KIT_PATIENCE));
	kit_reap(first, ECANCELED);
	kit_reap(second, ECANCELED);
	ck_assert_int_eq(kin_barrier_broken(b), 0);
	ck_assert_uint_eq(kin_barrier_waiting(b), 0);
	kin_barrier_close(b);
}
END_TEST

static int
refuse(void *user)
{
	(void)user;
	return -ENODATA;
}

START_TEST(an_action_that_fails_breaks_it)
{
	kin_barrier *b = barrier_of(2);
	pid_t pid = party(b, 1);

	ck_assert_int_eq(kin_barrier_wait_with(b, refuse, NULL, KIT_PATIENCE),
			 -ENODATA);
	kit_reap(pid, ECANCELED);
	ck_assert_int_eq(kin_barrier_broken(b), 1);
	kin_barrier_close(b);
}
END_TEST

/* ---- death ---- */

START_TEST(a_party_that_is_killed_breaks_it_at_once)
{
	kin_barrier *b = barrier_of(4);
	pid_t first = party(b, 1), second = party(b, 2), third = party(b, 3);

	kit_kill(second);
	kit_reap(first, EOWNERDEAD);
	kit_reap(third, EOWNERDEAD);
	ck_kin_fails(-EOWNERDEAD, kin_barrier_wait(b, KIN_NOWAIT));
	ck_assert_int_eq(kin_barrier_broken(b), 1);
	ck_kin_ok(kin_barrier_reset(b, KIT_PATIENCE));
	first = party(b, 4);
	second = party(b, 5);
	third = party(b, 6);
	ck_assert_int_eq(kin_barrier_wait(b, KIT_PATIENCE), 3);
	kit_reap(first, 0);
	kit_reap(second, 1);
	kit_reap(third, 2);
	kin_barrier_close(b);
}
END_TEST

/* Nobody sleeps who could find it out before. */
START_TEST(who_comes_last_sees_the_dead)
{
	kin_barrier *b = barrier_of(2);

	kit_kill(party(b, 1));
	ck_kin_fails(-EOWNERDEAD, kin_barrier_wait(b, KIT_PATIENCE));
	kin_barrier_close(b);
}
END_TEST

static int
linger(void *user)
{
	(void)user;
	raise_flag(8);
	await_flag(9);
	return 0;
}

static int
wait_lingering(void *arg)
{
	return kin_barrier_wait_with(arg, linger, NULL, KIN_FOREVER);
}

START_TEST(death_in_the_action_breaks_it)
{
	kin_barrier *b = barrier_of(2);
	pid_t first = party(b, 1), second = runner(wait_lingering, b, 2);

	await_flag(8);
	kit_kill(second);
	kit_reap(first, EOWNERDEAD);
	kin_barrier_close(b);
}
END_TEST

/* Who is late for the next round waits until the action is done. */
START_TEST(the_next_round_waits_for_the_action)
{
	kin_barrier *b = barrier_of(2);
	pid_t first = party(b, 1), second = runner(wait_lingering, b, 2), third;
	int r;

	await_flag(8);
	ck_kin_fails(-ETIMEDOUT, kin_barrier_wait(b, kin_in_ms(10)));
	ck_assert_int_eq(kin_barrier_broken(b), 0);
	third = sleeper(wait_for_ever, b, 8);
	raise_flag(9);
	kit_reap(first, 0);
	kit_reap(second, 1);
	r = kin_barrier_wait(b, KIT_PATIENCE);
	ck_kin_ok(r);
	kit_reap(third, 1 - r);
	kin_barrier_close(b);
}
END_TEST

static int
go_round_for_ever(void *arg)
{
	int r = 0;

	while (r >= 0)
		r = kin_barrier_wait(arg, KIN_FOREVER);
	return r;
}

/* Whoever lives learns of it, wherever the dead one was. */
START_TEST(a_kill_at_any_time_breaks_it_for_all)
{
	kin_barrier *b = barrier_of(3);
	uint32_t random = SEED;
	int i, j, dead = 0;
	pid_t pids[3];

	printf("# seed %#x\n", random);
	for (i = 0; i < 40; i++) {
		struct timespec moment = { 0, next_random(&random) % 3000000 };

		for (j = 0; j < 3; j++)
			pids[j] = runner(go_round_for_ever, b, 1);
		nanosleep(&moment, NULL);
		kit_kill(pids[0]);
		/* It may have died before it came: then we end the round. */
		for (j = 0; j < 300 && !kin_barrier_broken(b); j++)
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
		dead += kin_barrier_broken(b);
		ck_kin_ok(kin_barrier_abort(b, KIT_PATIENCE));
		for (j = 1; j < 3; j++) {
			int status;

			ck_assert_int_eq(waitpid(pids[j], &status, 0), pids[j]);
			ck_assert(WIFEXITED(status));
			ck_assert(WEXITSTATUS(status) == EOWNERDEAD ||
				  WEXITSTATUS(status) == ECANCELED);
		}
		ck_kin_ok(kin_barrier_reset(b, KIT_PATIENCE));
	}
	ck_assert_int_gt(dead, 0);
	kin_barrier_close(b);
}
END_TEST

/* ---- a child, and travelling ---- */

static int
fork_inside(void *user)
{
	pid_t *ret_pid = user;

	*ret_pid = kit_fork();
	return 0;
}

START_TEST(a_child_forked_in_the_action_is_no_party)
{
	kin_barrier *b = barrier_of(1);
	pid_t pid;
	int r = kin_barrier_wait_with(b, fork_inside, &pid, KIT_PATIENCE);

	if (pid == 0)
		_exit(r == -ESTALE ? 7 : 1);
	ck_assert_int_eq(r, 0);
	kit_reap(pid, 7);
	kin_barrier_close(b);
}
END_TEST

static int
wait_at_what_comes(kin_call *call)
{
	kin_barrier *b;
	int r = kin_call_take(call, &b);

	if (r == 0)
		r = kin_barrier_wait(b, KIT_PATIENCE);
	return r < 0 ? r : 0;
}
KIN_ENTRY(wait_at_what_comes);

START_TEST(it_travels_as_an_argument)
{
	kin_barrier *b = barrier_of(2);
	kin_process *p = start(wait_at_what_comes, KIN_ARGS(b));

	ck_kin_ok(kin_barrier_wait(b, KIT_PATIENCE));
	ck_exited(finish(p), 0);
	kin_barrier_close(b);
}
END_TEST

START_TEST(of_two_deadlines_one_is_the_first)
{
	kin_barrier *b = barrier_of(3);
	pid_t pids[2];
	int i, status, seen = 0;

	for (i = 0; i < 2; i++)
		pids[i] = runner(wait_a_little, b, i + 1);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert(WIFEXITED(status));
		ck_assert(WEXITSTATUS(status) == ETIMEDOUT ||
			  WEXITSTATUS(status) == ECANCELED);
		seen += WEXITSTATUS(status) == ETIMEDOUT;
	}
	ck_assert_int_ge(seen, 1);
	kin_barrier_close(b);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("barrier");
	TCase *tc = board_case(suite, "barrier");

	if (kin_init(argc, argv) < 0)
		return 1;
	tcase_add_test(tc, it_lets_its_parties_go_together);
	tcase_add_test(tc, what_can_never_be_is_refused);
	tcase_add_test(tc, one_party_never_waits);
	tcase_add_test(tc, threads_go_round_by_round);
	tcase_add_test(tc, processes_go_round_though_there_are_too_many);
	tcase_add_test(tc, a_deadline_breaks_it_for_all);
	tcase_add_test(tc, abort_and_reset_send_all_away);
	tcase_add_test(tc, an_action_that_fails_breaks_it);
	tcase_add_test(tc, a_party_that_is_killed_breaks_it_at_once);
	tcase_add_test(tc, who_comes_last_sees_the_dead);
	tcase_add_test(tc, death_in_the_action_breaks_it);
	tcase_add_test(tc, the_next_round_waits_for_the_action);
	tcase_add_test(tc, a_kill_at_any_time_breaks_it_for_all);
	tcase_add_test(tc, a_child_forked_in_the_action_is_no_party);
	tcase_add_test(tc, of_two_deadlines_one_is_the_first);
	tcase_add_test(tc, it_travels_as_an_argument);
	return kit_run(suite);
}
