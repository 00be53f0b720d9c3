/* SPDX-License-Identifier: MIT */
/*
 * test_queue_death.c - the promises of kin/queue.h when its users are killed:
 * what is lost, and whose place is free again
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/traffic.h"

#define KILLS		200

/* ---- death ---- */

START_TEST(a_getter_killed_asleep_takes_nothing_along)
{
	kin_queue *q = queue_of(256, 0);
	pid_t first = sleeping_getter(q, 1), second = sleeping_getter(q, 2);

	kit_kill(first);
	put_number(q, 42);
	kit_reap(second, 42);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

/* A wake may have gone to the one that is killed just then. */
START_TEST(a_getter_killed_as_it_wakes_takes_one_at_most)
{
	kin_queue *q = queue_of(256, 0);
	uint32_t n = 0;
	int i;

	for (i = 0; i < 20; i++) {
		pid_t first = sleeping_getter(q, 2 * i + 1);
		pid_t second = sleeping_getter(q, 2 * i + 2);

		put_number(q, 41);
		kit_kill(first);
		put_number(q, 41);
		kit_reap(second, 41);
		while (kin_queue_get(q, &n, sizeof(n), KIN_NOWAIT) == 4)
			ck_assert_uint_eq(n, 41);
		ck_assert_int_eq(kin_queue_len(q), 0);
	}
	kin_queue_close(q);
}
END_TEST

static void __attribute__((noreturn))
soak_producer(kin_queue *q, uint32_t me)
{
	uint32_t n = ledger->started[me];

	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE) &&
	       ++n < TICKETS) {
		__atomic_store_n(&ledger->started[me], n, __ATOMIC_RELEASE);
		put_ticket(q, me, n);
		__atomic_store_n(&ledger->put[me][n], 1, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE))
		sched_yield();
	_exit(0);
}

static pid_t
soak_start(kin_queue *q, uint32_t who)
{
	pid_t pid = kit_fork();

	if (pid == 0 && who < CROWD)
		soak_producer(q, who);
	if (pid == 0)
		consume(q, who - CROWD);
	return pid;
}

/* Returned puts that nobody has seen. */
static uint32_t
soak_lost(void)
{
	uint32_t i, n, lost = 0;

	for (i = 0; i < CROWD; i++)
		for (n = 1; n <= ledger->started[i]; n++) {
			ck_fast(ledger->got[i][n] <= 1);
			lost += ledger->put[i][n] && !ledger->got[i][n];
		}
	return lost;
}

/*
 * Killed at any time.  A producer goes on where the one before it was killed,
 * and leaves out the message that may or may not be there.
 */
START_TEST(kills_lose_one_message_a_consumer_at_most)
{
	kin_queue *q = queue_of(4096, 32);
	uint32_t random = SEED, victim, i, dead_consumers = 0;
	pid_t pids[2 * CROWD];
	int kills;

	printf("# seed %#x\n", random);
	for (i = 0; i < 2 * CROWD; i++)
		pids[i] = soak_start(q, i);
	for (kills = 0; kills < KILLS; kills++) {
		struct timespec moment = { 0, next_random(&random) % 4000000 };

		nanosleep(&moment, NULL);
		victim = next_random(&random) % (2 * CROWD);
		kit_kill(pids[victim]);
		dead_consumers += victim >= CROWD;
		pids[victim] = soak_start(q, victim);
	}
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < CROWD; i++)
		kit_reap(pids[i], 0);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	for (i = CROWD; i < 2 * CROWD; i++)
		kit_reap(pids[i], 0);

	printf("# %u and %u messages, %u of %u consumers' lost\n",
	       ledger->started[0], ledger->started[1], soak_lost(),
	       dead_consumers);
	ck_assert_uint_gt(ledger->started[0], KILLS);
	ck_assert_uint_gt(ledger->started[1], KILLS);
	ck_assert_uint_eq(ledger->disorder, 0);
	ck_assert_uint_le(soak_lost(), dead_consumers);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

/* ---- members ---- */

/* Takes part, raises the flag to 1, and goes on at 2: ends well. */
static pid_t
member(kin_queue *q)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		raise_flag(1);
		await_flag(2);
		put_number(q, 2);
		kin_queue_close(q);
		_exit(0);
	}
	await_flag(1);
	return pid;
}

static void
ck_full(kin_queue *q)
{
	kin_queue *more;

	ck_kin_fails(-ENOSPC, kin_queue_attach(&more, kin_queue_fd(q)));
}

static void
ck_room(kin_queue *q)
{
	kin_queue *more;

	ck_kin_ok(kin_queue_attach(&more, kin_queue_fd(q)));
	kin_queue_close(more);
}

START_TEST(there_are_so_many_members_and_no_more)
{
	kin_queue *q = queue_of(256, 3), *second, *third;
	pid_t pid;

	ck_kin_ok(kin_queue_attach(&second, kin_queue_fd(q)));
	ck_kin_ok(kin_queue_attach(&third, kin_queue_fd(q)));
	ck_full(q);

	/* A child has to find a place at its first use; length needs none. */
	pid = kit_fork();
	if (pid == 0) {
		ck_kin_fails(-ENOSPC, kin_queue_put(q, "x", 1, KIN_NOWAIT));
		ck_kin_fails(-ENOSPC, kin_queue_get(q, NULL, 0, KIN_NOWAIT));
		ck_kin_fails(-ENOSPC, kin_queue_shutdown(q, KIN_NOWAIT));
		ck_assert_int_eq(kin_queue_len(q), 0);
		kin_queue_close(q);
		_exit(0);
	}
	kit_reap(pid, 0);

	kin_queue_close(third);
	ck_room(q);
	kin_queue_close(second);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_dead_members_place_is_used_again)
{
	kin_queue *q = queue_of(4096, 2);
	int i;

	for (i = 0; i < 30; i++) {
		pid_t pid;

		lower_flag();
		pid = member(q);
		ck_full(q);
		kit_kill(pid);
		ck_room(q);
	}
	ck_assert_int_eq(kin_queue_len(q), 30);
	kin_queue_close(q);
}
END_TEST

START_TEST(one_that_ended_without_close_is_dead_too)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_room(q);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_member_that_closed_its_descriptors_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		if (syscall(SYS_close_range, 3, ~0u, 0) != 0)
			_exit(77);
		raise_flag(1);
		await_flag(2);
		put_number(q, 2);
		_exit(0);
	}
	await_flag(1);
	ck_full(q);
	raise_flag(2);
	kit_reap(pid, 0);
	ck_room(q);
	ck_assert_uint_eq(get_number(q), 1);
	ck_assert_uint_eq(get_number(q), 2);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_stopped_member_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = member(q);
	int status;

	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_full(q);
	ck_assert_uint_eq(get_number(q), 1);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	raise_flag(2);
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 2);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_member_that_is_another_program_now_is_dead)
{
	kin_queue *q = queue_of(256, 2), *more = NULL;
	kin_time patience = KIT_PATIENCE;
	int ends[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = kit_fork();
	if (pid == 0) {
		put_number(q, 1);
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &c, 1), 0);
	close(ends[0]);
	/* The kernel closes one thing after the other. */
	while (kin_queue_attach(&more, kin_queue_fd(q)) == -ENOSPC)
		ck_fast(kin_now().ns < patience.ns);
	kin_queue_close(more);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	kit_kill(pid);
	kin_queue_close(q);
}
END_TEST

static void
add_death(Suite *suite)
{
	TCase *tc = ledger_case(suite, "death");

	tcase_add_test(tc, a_getter_killed_asleep_takes_nothing_along);
	tcase_add_test(tc, a_getter_killed_as_it_wakes_takes_one_at_most);
	tcase_add_test(tc, kills_lose_one_message_a_consumer_at_most);

	tc = board_case(suite, "members");
	tcase_add_test(tc, there_are_so_many_members_and_no_more);
	tcase_add_test(tc, a_dead_members_place_is_used_again);
	tcase_add_test(tc, one_that_ended_without_close_is_dead_too);
	tcase_add_test(tc, a_member_that_closed_its_descriptors_lives);
	tcase_add_test(tc, a_stopped_member_lives);
	tcase_add_test(tc, a_member_that_is_another_program_now_is_dead);
}

int
main(void)
{
	Suite *suite = suite_create("queue_death");

	add_death(suite);
	return kit_run(suite);
}
