/* SPDX-License-Identifier: MIT */
/*
 * test_conn_death.c - connections and forks: who holds an end, who died with it
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kit.h"

static kin_conn *ours, *theirs;
static char c;

static void
make_pipe(void)
{
	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
}

/* In the child: one promise kept, or its number is the exit code. */
static void
must(bool kept, int number)
{
	if (!kept)
		_exit(number);
}

static _Noreturn void
wait_for_kill(void)
{
	for (;;)
		pause();
}

/* ---- good copies ---- */

START_TEST(a_forked_childs_copy_is_good)
{
	pid_t pid;

	make_pipe();
	pid = _i == 0 ? kit_fork() : (pid_t)syscall(SYS_fork);
	if (pid == 0) {
		kin_conn_close(ours);
		must(kin_conn_recv(theirs, &c, 1, KIT_PATIENCE) == 1, 1);
		must(c == 'p', 2);
		must(kin_conn_send(theirs, "c", 1, KIT_PATIENCE) == 0, 3);
		kin_conn_close(theirs);
		_exit(0);
	}
	kin_conn_close(theirs);
	ck_kin_ok(kin_conn_send(ours, "p", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(c, 'c');
	/* Both who held the other end have said bye. */
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	ck_kin_fails(-EPIPE, kin_conn_send(ours, "x", 1, KIT_PATIENCE));
	if (_i == 0)
		kit_reap(pid, 0);
	else
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	kin_conn_close(ours);
}
END_TEST

START_TEST(a_copy_that_nobody_used_counts_for_nothing)
{
	pid_t pid;

	make_pipe();
	pid = kit_fork();
	if (pid == 0) {
		if (_i == 0)
			wait_for_kill();
		kin_conn_close(theirs);
		kin_conn_close(ours);
		_exit(0);
	}
	if (_i == 0)
		kit_kill(pid);
	else
		kit_reap(pid, 0);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	kin_conn_close(theirs);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
}
END_TEST

/* The parent, not the child, finishes what the parent has begun. */
START_TEST(what_is_kept_of_a_message_stays_with_its_sender)
{
	size_t len = 3 << 20;
	char *msg = calloc(1, len);
	void *got;
	pid_t pid;

	make_pipe();
	ck_kin_fails(-ETIMEDOUT, kin_conn_send(ours, msg, len, KIN_NOWAIT));
	pid = kit_fork();
	if (pid == 0) {
		kin_conn_close(ours);
		_exit(0);
	}
	kit_reap(pid, 0);
	pid = kit_fork();
	if (pid == 0) {
		kin_conn_close(ours);
		must(kin_conn_take(theirs, &got, KIT_PATIENCE) ==
		     (ssize_t)len, 1);
		free(got);
		must(kin_conn_recv(theirs, &c, 1, KIT_PATIENCE) == -EPIPE, 2);
		_exit(0);
	}
	ck_kin_ok(kin_conn_flush(ours, KIT_PATIENCE));
	kin_conn_close(ours);
	kit_reap(pid, 0);
	kin_conn_close(theirs);
	free(msg);
}
END_TEST

/* ---- deaths ---- */

enum { BY_RECEIVE, AFTER_SENDING, IN_THE_MIDDLE, MOMENTS };

static _Noreturn void
die(int moment)
{
	static char large[4 << 20];
	int r = 0;

	kin_conn_close(ours);
	switch (moment) {
	case BY_RECEIVE:
		r = (int)kin_conn_recv(theirs, &c, 1, KIN_NOWAIT);
		must(r == -ETIMEDOUT, 1);
		break;
	case AFTER_SENDING:
		must(kin_conn_send(theirs, "1", 1, KIT_PATIENCE) == 0, 2);
		must(kin_conn_send(theirs, "2", 1, KIT_PATIENCE) == 0, 3);
		break;
	default:
		must(kin_conn_send(theirs, "1", 1, KIT_PATIENCE) == 0, 4);
		must(kin_conn_send(theirs, "2", 1, KIT_PATIENCE) == 0, 5);
		r = kin_conn_send(theirs, large, sizeof(large), KIN_NOWAIT);
		must(r == -ETIMEDOUT, 6);
	}
	kill(getpid(), SIGKILL);
	wait_for_kill();
}

static void
ck_killed(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "promise %d of the child's",
		      WEXITSTATUS(status));
}

START_TEST(a_death_is_no_close)
{
	pid_t pid;
	int i;

	make_pipe();
	pid = kit_fork();
	if (pid == 0)
		die(_i);
	kin_conn_close(theirs);
	ck_killed(pid);
	for (i = 1; _i != BY_RECEIVE && i <= 2; i++) {
		ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
		ck_assert_int_eq(c, '0' + i);
	}
	ck_kin_fails(-ECONNRESET, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	ck_kin_fails(-ECONNRESET, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	ck_kin_fails(-ECONNRESET, kin_conn_wait(ours, KIN_NOWAIT));
	ck_kin_fails(-ECONNRESET, kin_conn_send(ours, "x", 1, KIN_NOWAIT));
	kin_conn_close(ours);
}
END_TEST

/* Whoever sends first hears it all the same. */
START_TEST(a_sender_tells_death_from_close)
{
	pid_t pid;

	make_pipe();
	pid = kit_fork();
	if (pid == 0) {
		kin_conn_close(ours);
		must(kin_conn_send(theirs, "1", 1, KIT_PATIENCE) == 0, 1);
		if (_i == 1)
			kin_conn_close(theirs);
		kill(getpid(), SIGKILL);
	}
	kin_conn_close(theirs);
	ck_killed(pid);
	ck_kin_fails(_i == 1 ? -EPIPE : -ECONNRESET,
		     kin_conn_send(ours, "x", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIN_NOWAIT), 1);
	ck_kin_fails(_i == 1 ? -EPIPE : -ECONNRESET,
		     kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	kin_conn_close(ours);
}
END_TEST

START_TEST(a_torn_message_is_never_part_of_another)
{
	pid_t pid;
	void *got;

	make_pipe();
	pid = kit_fork();
	if (pid == 0)
		die(IN_THE_MIDDLE);
	/* We hold that end too, and take some out so that more has room. */
	ck_killed(pid);
	ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
	ck_kin_fails(-ETIMEDOUT, kin_conn_take(ours, &got, KIN_NOWAIT));
	if (_i == 1) {
		char *more = calloc(1, 5 << 20);
		pid = kit_fork();
		if (pid == 0) {
			kin_conn_close(ours);
			(void)!kin_conn_send(theirs, more, 5 << 20,
					     KIT_PATIENCE);
			_exit(0);
		}
		kin_conn_close(theirs);
		ck_kin_fails(-EPROTO, kin_conn_take(ours, &got,
						    KIT_PATIENCE));
		ck_kin_fails(-EPROTO, kin_conn_take(ours, &got,
						    KIT_PATIENCE));
		kit_reap(pid, 0);
		free(more);
	} else {
		ck_kin_ok(kin_conn_send(theirs, "x", 1, KIT_PATIENCE));
		kin_conn_close(theirs);
		ck_kin_fails(-ECONNRESET, kin_conn_take(ours, &got,
							KIT_PATIENCE));
	}
	kin_conn_close(ours);
}
END_TEST

/* Again and again, wherever it happens to be. */
START_TEST(a_sender_killed_at_any_time_leaves_whole_messages)
{
	static char buf[70000];
	uint32_t n = 0, random = (uint32_t)_i + 1;
	pid_t pid;
	ssize_t r;

	make_pipe();
	pid = kit_fork();
	if (pid == 0) {
		for (n = 0;; n++) {
			memcpy(buf, &n, sizeof(n));
			memcpy(buf + 60000, &n, sizeof(n));
			must(kin_conn_send(theirs, buf, 60004 + n % 9000,
					   KIT_PATIENCE) == 0, 1);
		}
	}
	kin_conn_close(theirs);
	for (;; n++) {
		if (n == 10 + next_random(&random) % 90)
			kill(pid, SIGKILL);
		if (n == 110)
			kill(pid, SIGKILL);
		r = kin_conn_recv(ours, buf, sizeof(buf), KIT_PATIENCE);
		if (r < 0)
			break;
		ck_fast(r == 60004 + n % 9000);
		ck_fast(memcmp(buf, &n, 4) == 0);
		ck_fast(memcmp(buf + 60000, &n, 4) == 0);
	}
	ck_assert_int_eq(r, -ECONNRESET);
	ck_assert_uint_ge(n, 10);
	ck_killed(pid);
	kin_conn_close(ours);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conn death");
	TCase *tc = kit_case(suite, "copies");

	tcase_add_loop_test(tc, a_forked_childs_copy_is_good, 0, 2);
	tcase_add_loop_test(tc, a_copy_that_nobody_used_counts_for_nothing, 0,
			    2);
	tcase_add_test(tc, what_is_kept_of_a_message_stays_with_its_sender);
	tc = kit_case(suite, "deaths");
	tcase_add_loop_test(tc, a_death_is_no_close, 0, MOMENTS);
	tcase_add_loop_test(tc, a_sender_tells_death_from_close, 0, 2);
	tcase_add_loop_test(tc, a_torn_message_is_never_part_of_another, 0, 2);
	tcase_add_loop_test(tc,
			    a_sender_killed_at_any_time_leaves_whole_messages,
			    0, 8);
	return kit_run(suite);
}
