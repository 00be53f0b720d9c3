/* SPDX-License-Identifier: MIT */
/*
 * test_process_result.c - when there is no result, and why; and who may take
 * one
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

/* Its result is there, and its end was good. */
static void
let_go(kin_process *p, int code)
{
	ck_exited(finish(p), code);
}

static int
give_back(kin_call *call)
{
	return kin_call_return(call, kin_call_values(call));
}
KIN_ENTRY(give_back);

static int
return_one(kin_call *call)
{
	return kin_call_return(call, 300, "once more");
}
KIN_ENTRY(return_one);

/* ---- no result ---- */

static int
return_thrice(kin_call *call)
{
	static const char text[9000];
	int r = kin_call_return(call, KIN_BIN(text, sizeof(text)));

	if (r == 0)
		r = kin_call_return(call, KIN_FD(2), "second");
	if (r == 0)
		r = kin_call_return(call, "third");
	if (r == 0 && kin_call_return(call, (const char *)NULL) != -EINVAL)
		r = -EBADMSG;
	return r;
}
KIN_ENTRY(return_thrice);

START_TEST(the_last_return_counts)
{
	kin_process *p = start(return_thrice, KIN_ARGS());
	const char *text;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&text), KIT_PATIENCE));
	ck_assert_str_eq(text, "third");
	let_go(p, 0);
}
END_TEST

static int
return_nothing(kin_call *call)
{
	int n, r = kin_call_take(call, &n);

	return r < 0 ? r : n;
}
KIN_ENTRY(return_nothing);

START_TEST(no_result_is_told_from_an_empty_one)
{
	kin_process *p = start(return_nothing, KIN_ARGS(7));
	int n = -77;

	ck_kin_fails(-ENODATA, kin_process_result(p, KIN_TAKE(&n),
						  KIT_PATIENCE));
	ck_kin_fails(-ENODATA, kin_process_result(p, KIN_TAKE(), KIN_NOWAIT));
	let_go(p, 7);
	p = start(give_back, KIN_ARGS());
	ck_kin_fails(-EINVAL, kin_process_result(p, KIN_TAKE(&n),
						 KIT_PATIENCE));
	let_go(p, 0);
	p = start(give_back, KIN_ARGS(KIN_NIL));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(KIN_ANY), KIT_PATIENCE));
	ck_assert_int_eq(n, -77);
	let_go(p, 0);
}
END_TEST

static int
fail_there(kin_call *call)
{
	int how, r = kin_call_take(call, &how);

	if (r == 0)
		r = kin_call_return(call, 1, KIN_FD(2));
	if (r == 0 && how == 1)
		r = kin_segment_unlink("no-such-name");
	if (r == 0 && how == 3)		/* it gets over that */
		(void)kin_segment_unlink("no-such-name");
	return r < 0 ? r : -EDOM;
}
KIN_ENTRY(fail_there);

START_TEST(a_failure_is_told_with_its_name_and_its_words)
{
	kin_process *p = start(fail_there, KIN_ARGS(1));
	int n = -77;

	ck_assert_int_eq(kin_process_result(p, KIN_TAKE(&n), KIT_PATIENCE),
			 -EREMOTEIO);
	ck_assert_msg(strncmp(kin_errmsg(), "remote: ENOENT", 14) == 0 &&
		      strstr(kin_errmsg(), kit_names()) != NULL,
		      "%s", kin_errmsg());
	let_go(p, -ENOENT);
	/*
	 * What the parent was told before its child began is not its own; what
	 * the child was told of something else is not why it failed.
	 */
	for (int how = 2; how <= 3; how++) {
		(void)kin_segment_unlink("another-name");
		p = start(fail_there, KIN_ARGS(how));
		ck_assert_int_eq(kin_process_result(p, KIN_TAKE(&n),
						    KIT_PATIENCE), -EREMOTEIO);
		ck_assert_msg(strncmp(kin_errmsg(), "remote: EDOM", 12) == 0 &&
			      strstr(kin_errmsg(), kit_names()) == NULL,
			      "%s", kin_errmsg());
		ck_assert_int_eq(n, -77);
		let_go(p, -EDOM);
	}
}
END_TEST

static int
give_and_die(kin_call *call)
{
	int how, r = kin_call_take(call, &how);

	if (r == 0)
		r = kin_call_return(call, 1);
	if (r < 0)
		return r;
	if (how < 0)
		exit(3);
	raise(how);
	return 0;
}
KIN_ENTRY(give_and_die);

START_TEST(who_does_not_return_gives_nothing)
{
	kin_process *p = start(give_and_die, KIN_ARGS(SIGKILL));
	int n = -77;

	ck_assert_int_eq(kin_process_result(p, KIN_TAKE(&n), KIT_PATIENCE),
			 -EOWNERDEAD);
	ck_assert_msg(strstr(kin_errmsg(), "SIGKILL") != NULL, "%s",
		      kin_errmsg());
	kin_process_close(p);
	p = start(give_and_die, KIN_ARGS(-1));
	ck_assert_int_eq(kin_process_result(p, KIN_TAKE(&n), KIT_PATIENCE),
			 -EOWNERDEAD);
	ck_assert_msg(strstr(kin_errmsg(), "exited with 3") != NULL, "%s",
		      kin_errmsg());
	ck_assert_int_eq(n, -77);
	let_go(p, 3);
}
END_TEST

/* Where a stream's bytes go when it is flushed: nowhere, for ever. */
static ssize_t
hang(void *cookie, const char *buf, size_t len)
{
	(void)cookie;
	raise_flag(1);
	while (buf != NULL)
		pause();
	return (ssize_t)len;
}

/* It has returned, and does not end. */
static int
return_and_hang(kin_call *call)
{
	cookie_io_functions_t nowhere = { .write = hang };
	FILE *stream = fopencookie(NULL, "w", nowhere);

	if (stream == NULL || fputs("stuck", stream) < 0)
		return -ENOMEM;
	return kin_call_return(call, 42);
}
KIN_ENTRY(return_and_hang);

START_TEST(what_was_given_stays_though_the_child_is_killed_after_it)
{
	kin_process *p = start(return_and_hang, KIN_ARGS());
	int n = 0;

	await_flag(1);
	ck_kin_fails(-ETIMEDOUT, kin_process_result(p, KIN_TAKE(&n),
						    KIN_NOWAIT));
	ck_kin_ok(kin_process_signal(p, SIGKILL));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&n), KIT_PATIENCE));
	ck_assert_int_eq(n, 42);
	ck_killed(finish(p), SIGKILL);
}
END_TEST

static int
return_two(kin_call *call)
{
	const void *bytes;
	size_t len;
	int fd, r;

	r = kin_call_take(call, KIN_FD(&fd), KIN_BIN(&bytes, &len));
	return r < 0 ? r : kin_call_return(call, KIN_FD(fd),
					   KIN_BIN(bytes, len));
}
KIN_ENTRY(return_two);

/* At whatever instant it is killed: all of its result, or none. */
START_TEST(a_child_killed_at_any_time_gives_all_or_nothing)
{
	static const char text[5000] = "first";
	uint32_t state = 4711;
	int i, whole = 0, none = 0;

	for (i = 0; i < 150; i++) {
		kin_process *p = start(return_two, KIN_ARGS(KIN_FD(2),
		    KIN_BIN(text, sizeof(text))));
		uint32_t looks = next_random(&state) % 400;
		const void *bytes;
		size_t len;
		int fd, r;

		while (looks-- > 0)
			(void)kill(kin_process_pid(p), 0);
		(void)kin_process_signal(p, SIGKILL);
		r = kin_process_result(p, KIN_TAKE(KIN_FD(&fd),
						   KIN_BIN(&bytes, &len)),
				       KIT_PATIENCE);
		if (r == 0) {
			whole++;
			ck_assert_uint_eq(len, sizeof(text));
			ck_assert_int_eq(memcmp(bytes, text, len), 0);
			close(fd);
		} else {
			none++;
			ck_assert_int_eq(r, -EOWNERDEAD);
		}
		kin_process_close(p);
	}
	ck_assert_int_gt(whole + none, 0);
}
END_TEST

static int
fork_inside(kin_call *call)
{
	pid_t pid = fork();
	int status, r;

	if (pid < 0)
		return -errno;
	r = kin_call_return(call, pid == 0 ? "fork" : "entry");
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
		return -EBADMSG;
	if (pid > 0 && kin_values_count(kin_call_values(call)) > 0)
		raise(SIGKILL);
	return r;
}
KIN_ENTRY(fork_inside);

START_TEST(a_fork_inside_the_entry_gives_nothing)
{
	kin_process *p = start(fork_inside, KIN_ARGS());
	const char *who;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&who), KIT_PATIENCE));
	ck_assert_str_eq(who, "entry");
	let_go(p, 0);
	p = start(fork_inside, KIN_ARGS("and die"));
	ck_kin_fails(-EOWNERDEAD, kin_process_result(p, KIN_TAKE(&who),
						     KIT_PATIENCE));
	kin_process_close(p);
}
END_TEST

START_TEST(a_result_is_its_parents)
{
	kin_process *p = start(return_one, KIN_ARGS());
	const char *text;
	pid_t pid;
	int n;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&n, &text), KIT_PATIENCE));
	pid = kit_fork();
	if (pid == 0) {
		ck_kin_fails(-ESTALE, kin_process_result(p,
		    KIN_TAKE(&n, &text), KIN_NOWAIT));
		kin_process_close(p);
		_exit(0);
	}
	kit_reap(pid, 0);
	let_go(p, 0);
}
END_TEST

static void
collect_all(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

/* The status is gone, but what it gave is not. */
START_TEST(others_that_collect_it_take_no_result_away)
{
	struct sigaction action = { .sa_handler = collect_all }, was;
	const char *text;
	int i, n;

	ck_assert_int_eq(sigaction(SIGCHLD, &action, &was), 0);
	for (i = 0; i < 20; i++) {
		kin_process *p = start(return_one, KIN_ARGS());

		ck_kin_ok(kin_process_result(p, KIN_TAKE(&n, &text),
					     KIT_PATIENCE));
		ck_assert_int_eq(n, 300);
		kin_process_close(p);
	}
	ck_assert_int_eq(sigaction(SIGCHLD, &was, NULL), 0);
}
END_TEST

static int
call_on(kin_call *call)
{
	kin_process *p;
	int depth, below = 0, r;

	r = kin_call_take(call, &depth);
	if (r < 0 || depth == 0)
		return r < 0 ? r : kin_call_return(call, 0);
	r = kin_process_start(&p, call_on, KIN_ARGS(depth - 1), NULL);
	if (r < 0)
		return r;
	r = kin_process_result(p, KIN_TAKE(&below), KIT_PATIENCE);
	kin_process_close(p);
	return r < 0 ? r : kin_call_return(call, below + 1);
}
KIN_ENTRY(call_on);

START_TEST(children_of_children_give_theirs)
{
	kin_process *p = start(call_on, KIN_ARGS(5));
	int depth;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&depth), KIT_PATIENCE));
	ck_assert_int_eq(depth, 5);
	let_go(p, 0);
}
END_TEST

static void
add_results(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "no result", kind);

	tcase_add_test(tc, the_last_return_counts);
	tcase_add_test(tc, no_result_is_told_from_an_empty_one);
	tcase_add_test(tc, a_failure_is_told_with_its_name_and_its_words);
	tcase_add_test(tc, who_does_not_return_gives_nothing);
	tcase_add_test(tc,
	    what_was_given_stays_though_the_child_is_killed_after_it);
	tcase_add_test(tc, a_child_killed_at_any_time_gives_all_or_nothing);
	tcase_add_test(tc, a_fork_inside_the_entry_gives_nothing);
	tcase_add_test(tc, a_result_is_its_parents);
	tcase_add_test(tc, others_that_collect_it_take_no_result_away);
	tcase_add_test(tc, children_of_children_give_theirs);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_result");
	uint32_t kind;
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++)
		add_results(suite, kind);
	return kit_run(suite);
}
