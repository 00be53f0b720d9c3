/* SPDX-License-Identifier: MIT */
/*
 * test_queue_processes.c - the promises of kin/queue.h to several processes:
 * who may use a handle, who is woken, how it is shut down
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/traffic.h"

#define MANY		1000000u	/* messages of one pair of processes */
#define EACH		200000u		/* messages of each of a crowd */

/* ---- processes ---- */

START_TEST(a_handle_is_good_in_a_child_and_in_its_child)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid;

	put_number(q, 1);
	pid = kit_fork();
	if (pid == 0) {
		pid = kit_fork();
		if (pid == 0) {
			ck_assert_uint_eq(get_number(q), 1);
			put_number(q, 2);
			kin_queue_close(q);
			_exit(0);
		}
		kit_reap(pid, 0);
		ck_assert_uint_eq(get_number(q), 2);
		put_number(q, 3);
		kin_queue_close(q);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 3);
	put_number(q, 4);
	ck_assert_uint_eq(get_number(q), 4);
	kin_queue_close(q);
}
END_TEST

/* libc does not hear of it, so no handler of pthread_atfork runs. */
START_TEST(a_handle_is_good_in_a_child_by_clone)
{
	kin_queue *q = queue_of(256, 2);
	kin_queue *third;
	pid_t pid;

	put_number(q, 1);
	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		ck_assert_uint_eq(get_number(q), 1);
		put_number(q, 2);
		raise_flag(1);
		await_flag(2);
		kin_queue_close(q);
		_exit(0);
	}
	/* It takes part for itself: there is no place for a third. */
	await_flag(1);
	ck_kin_fails(-ENOSPC, kin_queue_attach(&third, kin_queue_fd(q)));
	raise_flag(2);
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 2);
	kin_queue_close(q);
}
END_TEST

START_TEST(what_the_child_closes_stays_open_in_the_parent)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid = kit_fork();

	if (pid == 0) {
		kin_queue_close(q);
		_exit(0);
	}
	kit_reap(pid, 0);
	put_number(q, 1);
	ck_assert_uint_eq(get_number(q), 1);
	kin_queue_close(q);
}
END_TEST

START_TEST(another_process_joins_by_the_descriptor)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid = kit_fork();

	if (pid == 0) {
		kin_queue *mine;

		ck_kin_ok(kin_queue_attach(&mine, kin_queue_fd(q)));
		ck_assert_uint_eq(get_number(mine), 7);
		put_number(mine, 8);
		kin_queue_close(mine);
		_exit(0);
	}
	put_number(q, 7);
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 8);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_million_messages_pass_through_a_small_ring)
{
	kin_queue *q = queue_of(4096, 0);
	unsigned char msg[64], buf[64];
	uint32_t i, len, random = SEED;
	pid_t pid = kit_fork();

	if (pid == 0) {
		for (i = 0; i < MANY; i++) {
			len = next_random(&random) % (sizeof(msg) + 1);
			paint(msg, len, i);
			ck_fast(kin_queue_put(q, msg, len, KIT_PATIENCE) == 0);
		}
		kin_queue_close(q);
		_exit(0);
	}
	for (i = 0; i < MANY; i++) {
		len = next_random(&random) % (sizeof(msg) + 1);
		paint(msg, len, i);
		ck_fast(kin_queue_get(q, buf, sizeof(buf), KIT_PATIENCE) ==
			(ssize_t)len);
		ck_fast(memcmp(buf, msg, len) == 0);
	}
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, buf, sizeof(buf),
					       KIN_NOWAIT));
	kit_reap(pid, 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_crowd_gets_every_message_once_and_in_order)
{
	kin_queue *q = queue_of(4096, 0);
	pid_t producers[CROWD], consumers[CROWD];
	uint32_t i, n;

	for (i = 0; i < CROWD; i++) {
		producers[i] = kit_fork();
		if (producers[i] == 0) {
			for (n = 1; n <= EACH; n++)
				put_ticket(q, i, n);
			_exit(0);
		}
		consumers[i] = kit_fork();
		if (consumers[i] == 0)
			consume(q, i);
	}
	for (i = 0; i < CROWD; i++)
		kit_reap(producers[i], 0);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	for (i = 0; i < CROWD; i++)
		kit_reap(consumers[i], 0);

	ck_assert_int_eq(kin_queue_len(q), 0);
	ck_assert_uint_eq(ledger->disorder, 0);
	for (i = 0; i < CROWD; i++)
		for (n = 1; n <= EACH; n++)
			ck_fast(ledger->got[i][n] == 1);
	kin_queue_close(q);
}
END_TEST

/* ---- sleepers ---- */

START_TEST(a_sleeping_getter_is_woken_by_a_put)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid = sleeping_getter(q, 1);

	put_number(q, 42);
	kit_reap(pid, 42);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_sleeping_putter_is_woken_by_a_get)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid;
	char c = 0;

	ck_assert_uint_eq(fill(q), 16);
	pid = sleeping_putter(q, 1);
	ck_kin_ok(kin_queue_get(q, &c, 1, KIN_NOWAIT));
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_queue_len(q), 16);
	while (kin_queue_get(q, &c, 1, KIN_NOWAIT) == 0)
		;
	ck_assert_int_eq(c, 'x');
	kin_queue_close(q);
}
END_TEST

START_TEST(every_sleeper_has_its_message)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pids[4];
	int i, sum = 0, status;

	for (i = 0; i < 4; i++)
		pids[i] = sleeping_getter(q, i + 1);
	for (i = 0; i < 4; i++)
		put_number(q, 1u << i);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert(WIFEXITED(status));
		sum += WEXITSTATUS(status);
	}
	ck_assert_int_eq(sum, 15);
	kin_queue_close(q);
}
END_TEST

START_TEST(all_sleepers_are_woken_by_shutdown)
{
	kin_queue *empty = queue_of(256, 0), *full = queue_of(256, 0);
	pid_t getters[3], putters[3];
	int i;

	ck_assert_uint_eq(fill(full), 16);
	for (i = 0; i < 3; i++) {
		getters[i] = sleeping_getter(empty, 2 * i + 1);
		putters[i] = sleeping_putter(full, 2 * i + 2);
	}
	ck_kin_ok(kin_queue_shutdown(empty, KIT_PATIENCE));
	ck_kin_ok(kin_queue_shutdown(full, KIT_PATIENCE));
	for (i = 0; i < 3; i++) {
		kit_reap(getters[i], EPIPE);
		kit_reap(putters[i], EPIPE);
	}
	kin_queue_close(empty);
	kin_queue_close(full);
}
END_TEST

START_TEST(after_shutdown_what_is_there_is_got)
{
	kin_queue *q = queue_of(256, 0), *late;
	pid_t pid;
	uint32_t n;

	put_number(q, 1);
	put_number(q, 2);
	pid = kit_fork();
	if (pid == 0)
		_exit(-kin_queue_shutdown(q, KIT_PATIENCE));
	kit_reap(pid, 0);

	ck_kin_fails(-EPIPE, kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_queue_put(q, "x", 1, KIN_FOREVER));
	ck_assert_int_eq(kin_queue_len(q), 2);
	ck_assert_uint_eq(get_number(q), 1);
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	ck_assert_uint_eq(get_number(q), 2);
	ck_kin_fails(-EPIPE, kin_queue_get(q, &n, 4, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_queue_get(q, &n, 4, KIN_FOREVER));
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));

	ck_kin_ok(kin_queue_attach(&late, kin_queue_fd(q)));
	ck_kin_fails(-EPIPE, kin_queue_get(late, &n, 4, KIN_FOREVER));
	kin_queue_close(late);
	kin_queue_close(q);
}
END_TEST

static void
shut_down_amid_traffic(uint32_t *random)
{
	struct timespec moment = { 0, next_random(random) % 1000000 };
	kin_queue *q = queue_of(256, 0);
	pid_t putter, getter;
	uint32_t n;
	ssize_t r;

	lower_flag();
	putter = kit_fork();
	if (putter == 0) {
		raise_flag(1);
		for (n = 0; (r = kin_queue_put(q, &n, 4, KIT_PATIENCE)) == 0; )
			ledger->started[0] = ++n;
		_exit(r == -EPIPE ? 0 : 1);
	}
	getter = kit_fork();
	if (getter == 0) {
		while ((r = kin_queue_get(q, &n, 4, KIT_PATIENCE)) == 4)
			ck_fast(n == ledger->started[1]++);
		_exit(r == -EPIPE ? 0 : 1);
	}
	await_flag(1);
	nanosleep(&moment, NULL);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	kit_reap(putter, 0);
	kit_reap(getter, 0);
	ck_assert_uint_eq(ledger->started[0], ledger->started[1]);
	kin_queue_close(q);
}

START_TEST(shutdown_amid_traffic_loses_nothing)
{
	uint32_t random = SEED;
	int i;

	for (i = 0; i < 300; i++) {
		ledger->started[0] = ledger->started[1] = 0;
		shut_down_amid_traffic(&random);
	}
}
END_TEST

START_TEST(a_full_queue_that_is_shut_down_says_so)
{
	kin_queue *q = queue_of(256, 0);

	ck_assert_uint_eq(fill(q), 16);
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_queue_put(q, NULL, 0, KIN_FOREVER));
	kin_queue_close(q);
}
END_TEST

/* ---- signals ---- */

static volatile sig_atomic_t alarms;

static void
count_alarm(int signal)
{
	(void)signal;
	alarms = alarms + 1;
}

static void
storm(suseconds_t us)
{
	struct sigaction action = { .sa_handler = count_alarm };
	struct itimerval every = { { 0, us }, { 0, us } };

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &every, NULL), 0);
}

START_TEST(a_storm_of_signals_moves_no_deadline)
{
	kin_queue *q = queue_of(256, 0);
	kin_time deadline;

	storm(100);
	deadline = kin_in_ms(250);
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, NULL, 0, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	(void)fill(q);
	deadline = kin_in_ms(250);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, NULL, 0, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	storm(0);
	ck_assert_int_gt(alarms, 10);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_storm_of_signals_loses_no_message)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid;
	uint32_t i;

	pid = kit_fork();
	if (pid == 0) {
		storm(150);
		for (i = 0; i < 20000; i++)
			put_number(q, i);
		storm(0);
		kin_queue_close(q);
		_exit(0);
	}
	storm(100);
	for (i = 0; i < 20000; i++)
		ck_assert_uint_eq(get_number(q), i);
	storm(0);
	kit_reap(pid, 0);
	kin_queue_close(q);
}
END_TEST

static void
add_processes(Suite *suite)
{
	TCase *tc = ledger_case(suite, "processes");

	tcase_add_test(tc, a_handle_is_good_in_a_child_and_in_its_child);
	tcase_add_test(tc, a_handle_is_good_in_a_child_by_clone);
	tcase_add_test(tc, what_the_child_closes_stays_open_in_the_parent);
	tcase_add_test(tc, another_process_joins_by_the_descriptor);
	tcase_add_test(tc, a_million_messages_pass_through_a_small_ring);
	tcase_add_test(tc, a_crowd_gets_every_message_once_and_in_order);
}

static void
add_sleepers(Suite *suite)
{
	TCase *tc = ledger_case(suite, "sleepers");

	tcase_add_test(tc, a_sleeping_getter_is_woken_by_a_put);
	tcase_add_test(tc, a_sleeping_putter_is_woken_by_a_get);
	tcase_add_test(tc, every_sleeper_has_its_message);
	tcase_add_test(tc, all_sleepers_are_woken_by_shutdown);
	tcase_add_test(tc, after_shutdown_what_is_there_is_got);
	tcase_add_test(tc, shutdown_amid_traffic_loses_nothing);
	tcase_add_test(tc, a_full_queue_that_is_shut_down_says_so);

	tc = board_case(suite, "signals");
	tcase_add_test(tc, a_storm_of_signals_moves_no_deadline);
	tcase_add_test(tc, a_storm_of_signals_loses_no_message);
}

int
main(void)
{
	Suite *suite = suite_create("queue_processes");

	add_processes(suite);
	add_sleepers(suite);
	return kit_run(suite);
}
