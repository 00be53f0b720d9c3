/* SPDX-License-Identifier: MIT */
/*
 * test_fault_context.c - kernel calls fail around a start, in each context; and
 * fork servers are killed at each of theirs, and of their client's
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/board.h"
#include "tests/fault.h"

#define LONG	20000u			/* more than a slip has room for */

static char untouched;
#define UNTOUCHED	((void *)&untouched)

static int
check_and_add(kin_call *call)
{
	const char *bytes;
	size_t len;
	int n, fd, r;

	r = kin_call_take(call, KIN_BIN(&bytes, &len), KIN_FD(&fd), &n);
	if (r < 0)
		return r;
	if (len != LONG || bytes[LONG - 1] != 'x')
		return -EBADMSG;
	return kin_call_return(call, n + 1);
}
KIN_ENTRY(check_and_add);

static int
start_by(kin_process **ret_p, kin_context *c, int n)
{
	char bytes[LONG];

	memset(bytes, 'x', sizeof(bytes));
	return kin_process_start(ret_p, check_and_add,
	    KIN_ARGS(KIN_BIN(bytes, sizeof(bytes)), KIN_FD(2), n),
	    KIN_OPTS(kin_process_opts, .context = c));
}

static void
finish(kin_process *p, int n)
{
	struct kin_status status;
	int got = 0;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&got), KIT_PATIENCE));
	ck_assert_int_eq(got, n + 1);
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	kin_process_close(p);
}

static kin_context *
context(uint32_t kind, kin_entry_fn *prepare)
{
	kin_context *c;

	ck_kin_ok(kin_context_create(&c, KIN_OPTS(kin_context_opts,
	    .kind = kind, .prepare = prepare)));
	return c;
}

/* ---- the parent's ---- */

/* What a server has forked that has ended is left to us, and ends by itself. */
static void
collect_orphans(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

/* The k'th call of a start fails, with its server's own start among them. */
static void
fail_in_start(uint32_t kind, int number, bool warm, int least)
{
	int k, r, failed = 0;
	bool struck = true;

	for (k = 1; struck; k++) {
		struct left before = left_now();
		kin_context *c = context(kind, NULL);
		kin_process *p = UNTOUCHED;

		if (warm) {
			ck_kin_ok(start_by(&p, c, 1));
			finish(p, 1);
			p = UNTOUCHED;
		}
		arm(k, number);
		r = start_by(&p, c, k);
		struck = disarm();
		if (r < 0) {
			failed++;
			ck_assert(struck);
			ck_assert_ptr_eq(p, UNTOUCHED);
			ck_kin_ok(start_by(&p, c, k));
		}
		finish(p, k);
		kin_context_close(c);
		collect_orphans();
		ck_same(&before, kin_strerror(number), k);
		ck_assert_int_lt(k, 200);
	}
	ck_assert_int_ge(failed, least);
}

START_TEST(a_spawn_fails_whole)
{
	fail_in_start(KIN_CONTEXT_SPAWN, -ENOMEM, false, 8);
	fail_in_start(KIN_CONTEXT_SPAWN, -EMFILE, false, 8);
}
END_TEST

START_TEST(a_first_start_by_a_server_fails_whole)
{
	fail_in_start(KIN_CONTEXT_FORKSERVER, -ENOMEM, false, 12);
	fail_in_start(KIN_CONTEXT_FORKSERVER, -EMFILE, false, 12);
}
END_TEST

START_TEST(a_start_by_a_server_fails_whole)
{
	fail_in_start(KIN_CONTEXT_FORKSERVER, -ENOMEM, true, 6);
	fail_in_start(KIN_CONTEXT_FORKSERVER, -EMFILE, true, 6);
}
END_TEST

/* ---- a parent that is killed ---- */

static int
stay(kin_call *call)
{
	while (call != NULL)
		pause();
	return 0;
}
KIN_ENTRY(stay);

static pid_t parent;
static int to_death;

static int
die_at_kth(const char *call)
{
	(void)call;
	if (getpid() == parent && --to_death == 0)
		raise(SIGKILL);
	return 0;
}

/* 0: it came to its end before the k'th call. */
static void __attribute__((noreturn))
start_and_join_until(kin_context *c, int k)
{
	kin_process *p;

	parent = getpid();
	to_death = k;
	kn_os_hook = die_at_kth;
	if (kin_process_start(&p, stay, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = c)) < 0)
		_exit(1);
	if (kin_process_kill(p) < 0 ||
	    kin_process_join(p, NULL, KIT_PATIENCE) < 0)
		_exit(2);
	kin_process_close(p);
	_exit(0);
}

/* Its child sleeps for ever, and so would this, if it were not taken along. */
START_TEST(a_parent_killed_at_any_call_takes_all_along)
{
	kin_context *c = context((uint32_t)_i, NULL);
	int status = 1, k;

	for (k = 1; status != 0; k++) {
		struct left before = left_now();
		pid_t pid = kit_fork();

		if (pid == 0)
			start_and_join_until(c, k);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(status == 0 || WIFSIGNALED(status),
			      "at call %d: exited with %d", k,
			      WEXITSTATUS(status));
		collect_orphans();
		ck_same(&before, "parent killed", k);
		ck_assert_int_lt(k, 200);
	}
	ck_assert_int_ge(k, 8);
	kin_context_close(c);
}
END_TEST

/* ---- a server that is killed at its client's calls ---- */

static pid_t server;
static int left;

static int
kill_server_at_kth(const char *call)
{
	siginfo_t info;

	(void)call;
	if (server == 0 || --left != 0)
		return 0;
	kill(server, SIGKILL);
	(void)waitid(P_PID, (id_t)server, &info, WEXITED | WNOWAIT);
	return 0;
}

/* Told by the server when it begins. */
static int
tell_pid(kin_call *call)
{
	(void)call;
	board->pids[0] = getpid();
	return 0;
}
KIN_ENTRY(tell_pid);

START_TEST(a_server_killed_at_any_call_of_a_start_is_replaced)
{
	bool struck = true;
	int k;

	for (k = 1; struck; k++) {
		struct left before = left_now();
		kin_context *c = context(KIN_CONTEXT_FORKSERVER, tell_pid);
		kin_process *p;

		ck_kin_ok(start_by(&p, c, 0));
		finish(p, 0);
		server = board->pids[0];
		left = k;
		kn_os_hook = kill_server_at_kth;
		ck_kin_ok(start_by(&p, c, k));
		kn_os_hook = NULL;
		struck = left <= 0;
		finish(p, k);
		ck_kin_ok(start_by(&p, c, k));
		finish(p, k);
		kin_context_close(c);
		collect_orphans();
		ck_same(&before, "server killed", k);
		ck_assert_int_lt(k, 100);
	}
	ck_assert_int_ge(k, 10);
}
END_TEST

/* ---- a server's own ---- */

static int fail_with;

static int
in_server(const char *call)
{
	if (getpid() != server || --left != 0)
		return 0;
	board->calls++;
	snprintf(board->text, sizeof(board->text), "%s", call);
	if (fail_with == 0)
		raise(SIGKILL);
	return fail_with;
}

/* The first of servers: its k'th call from here on. */
static int
arm_server(kin_call *call)
{
	(void)call;
	board->pids[0] = getpid();
	if (__atomic_exchange_n(&board->flag, 0, __ATOMIC_ACQ_REL) == 0)
		return 0;
	server = getpid();
	left = board->pids[1];
	fail_with = board->pids[2];
	kn_os_hook = in_server;
	return 0;
}
KIN_ENTRY(arm_server);

static void
arm_next_server(int k, int number)
{
	board->calls = 0;
	board->pids[1] = k;
	board->pids[2] = number;
	board->flag = 1;
}

/*
 * It begins, forks and tells of it, collects and tells of that: killed at any
 * of these, it costs nobody a start, or an end that is not told.
 */
START_TEST(a_server_killed_at_any_call_of_its_own_is_replaced)
{
	int k;

	for (k = 1; k == 1 || board->calls > 0; k++) {
		struct left before = left_now();
		kin_context *c = context(KIN_CONTEXT_FORKSERVER, arm_server);
		kin_process *p = UNTOUCHED;
		int i, r;

		arm_next_server(k, 0);
		for (i = 0; i < 3; i++) {
			r = start_by(&p, c, i);
			if (r == 0)
				finish(p, i);
			else	/* it has said nothing yet */
				ck_assert(r == -EOWNERDEAD && i == 0);
		}
		kin_context_close(c);
		collect_orphans();
		ck_same(&before, board->text, k);
		ck_assert_int_lt(k, 200);
	}
	ck_assert_int_ge(k, 15);
}
END_TEST

START_TEST(a_server_whose_calls_fail_says_so_or_is_replaced)
{
	int k, failed = 0;

	for (k = 1; k == 1 || board->calls > 0; k++) {
		struct left before = left_now();
		kin_context *c = context(KIN_CONTEXT_FORKSERVER, arm_server);
		kin_process *p = UNTOUCHED;
		int i, r;

		arm_next_server(k, -ENOMEM);
		for (i = 0; i < 3; i++) {
			r = start_by(&p, c, i);
			if (r == 0)
				finish(p, i);
			failed += r < 0;
		}
		ck_assert_int_le(failed, k);
		kin_context_close(c);
		collect_orphans();
		ck_same(&before, board->text, k);
		ck_assert_int_lt(k, 200);
	}
	ck_assert_int_ge(k, 15);
	ck_assert_int_ge(failed, 3);
}
END_TEST

/* ---- a server's child ---- */

static int
in_child(const char *call)
{
	if (getpid() == server || --left != 0)
		return 0;
	board->calls++;
	snprintf(board->text, sizeof(board->text), "%s", call);
	if (fail_with == 0)
		raise(SIGKILL);
	return fail_with;
}

static int
arm_children(kin_call *call)
{
	int r = arm_server(call);

	kn_os_hook = in_child;
	return r;
}
KIN_ENTRY(arm_children);

/* All or nothing, and told in either case; as a fork's child. */
START_TEST(a_child_whose_calls_fail_is_told_of)
{
	static const int numbers[] = { 0, -EIO };
	int k, i, got, whole;

	for (i = 0; i < 2; i++) {
		whole = 0;
		for (k = 1; k == 1 || board->calls > 0; k++) {
			struct left before = left_now();
			kin_context *c = context(KIN_CONTEXT_FORKSERVER,
						 arm_children);
			struct kin_status status;
			kin_process *p;
			int r;

			arm_next_server(k, numbers[i]);
			ck_kin_ok(start_by(&p, c, k));
			r = kin_process_result(p, KIN_TAKE(&got),
					       KIT_PATIENCE);
			ck_kin_ok(kin_process_join(p, &status, KIN_NOWAIT));
			ck_assert_uint_ne(status.how, KIN_UNKNOWN);
			whole += r == 0;
			if (r == 0)
				ck_assert_int_eq(got, k + 1);
			if (r == 0 && numbers[i] == 0)
				ck_assert_uint_eq(status.how, KIN_EXITED);
			kin_process_close(p);
			kin_context_close(c);
			ck_same(&before, board->text, k);
			ck_assert_int_lt(k, 100);
		}
		ck_assert_int_ge(k, 10);
		ck_assert_int_ge(whole, 1);
	}
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("fault_context");
	TCase *tc;
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	tc = board_case(suite, "the parent's calls");
	tcase_add_test(tc, a_spawn_fails_whole);
	tcase_add_test(tc, a_first_start_by_a_server_fails_whole);
	tcase_add_test(tc, a_start_by_a_server_fails_whole);
	tcase_add_loop_test(tc, a_parent_killed_at_any_call_takes_all_along,
			    0, 3);
	tc = board_case(suite, "fork servers");
	tcase_add_test(tc,
	    a_server_killed_at_any_call_of_a_start_is_replaced);
	tcase_add_test(tc,
	    a_server_killed_at_any_call_of_its_own_is_replaced);
	tcase_add_test(tc, a_server_whose_calls_fail_says_so_or_is_replaced);
	tcase_add_test(tc, a_child_whose_calls_fail_is_told_of);
	return kit_run(suite);
}
