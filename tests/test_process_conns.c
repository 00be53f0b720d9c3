/* SPDX-License-Identifier: MIT */
/*
 * test_process_conns.c - connections as arguments and in results: whose end it
 * is, and what the other one hears
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/child.h"

static void
let_go(kin_process *p, int code)
{
	ck_exited(finish(p), code);
}

static int
speak(kin_call *call)
{
	char text[16];
	kin_conn *c;
	int how, r;
	ssize_t n;

	r = kin_call_take(call, &c, &how);
	if (r < 0)
		return r;
	n = kin_conn_recv(c, text, sizeof(text), KIT_PATIENCE);
	if (n < 0)
		return (int)n;
	r = kin_conn_send(c, text, (size_t)n, KIT_PATIENCE);
	if (r == 0 && how == 1)
		raise(SIGKILL);
	if (r == 0 && how == 2)
		r = kin_call_keep(call, c);
	if (r == 0 && how == 3)
		exit(0);
	return r;
}

/* What the parent gets when the child has answered and ended. */
static int
end_of_talk(int how)
{
	kin_conn *ours, *theirs;
	kin_process *p;
	char text[16];
	ssize_t n;

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	p = start(speak, KIN_ARGS(theirs, how));
	kin_conn_close(theirs);
	ck_kin_ok(kin_conn_send(ours, "hello", 5, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(ours, text, sizeof(text), KIT_PATIENCE),
			 5);
	ck_assert_int_eq(memcmp(text, "hello", 5), 0);
	kit_forget();
	n = kin_conn_recv(ours, text, sizeof(text), KIT_PATIENCE);
	kin_conn_close(ours);
	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	kin_process_close(p);
	return (int)n;
}

START_TEST(the_end_of_a_child_with_a_connection_is_told)
{
	ck_assert_int_eq(end_of_talk(0), -EPIPE);	/* closed for it */
	ck_assert_int_eq(end_of_talk(1), -ECONNRESET);	/* killed */
	ck_assert_int_eq(end_of_talk(3), -ECONNRESET);	/* left open */
}
END_TEST

static int
leave_it(kin_call *call)
{
	(void)call;
	return 0;
}

/* Who was given a connection and never took it has closed it, too. */
START_TEST(a_connection_that_is_not_taken_is_closed)
{
	kin_conn *ours, *theirs;
	kin_process *p;
	char c;

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	p = start(leave_it, KIN_ARGS(theirs));
	kin_conn_close(theirs);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	let_go(p, 0);
}
END_TEST

static int
make_conn(kin_call *call)
{
	kin_conn *ours, *theirs;
	int r = kin_pipe(&ours, &theirs, NULL);

	if (r < 0)
		return r;
	r = kin_conn_send(ours, "from the dead", 13, KIT_PATIENCE);
	if (r == 0)
		r = kin_call_return(call, theirs);
	kin_conn_close(theirs);
	kin_conn_close(ours);
	return r;
}

START_TEST(a_connection_is_a_result)
{
	kin_process *p = start(make_conn, KIN_ARGS());
	char text[32];
	kin_conn *c;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&c), KIT_PATIENCE));
	let_go(p, 0);
	ck_assert_int_eq(kin_conn_recv(c, text, sizeof(text), KIT_PATIENCE),
			 13);
	ck_kin_fails(-EPIPE, kin_conn_recv(c, text, sizeof(text),
					   KIT_PATIENCE));
	kin_conn_close(c);
}
END_TEST

/* One end comes back in a result, and nobody takes it. */
static int
give_conn(kin_call *call)
{
	kin_conn *c;
	int r = kin_call_take(call, &c);

	return r < 0 ? r : kin_call_return(call, c);
}

START_TEST(a_connection_in_a_result_that_nobody_takes_is_closed)
{
	kin_conn *ours, *theirs;
	kin_process *p;
	char c;

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	p = start(give_conn, KIN_ARGS(theirs));
	kin_conn_close(theirs);
	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	kin_process_close(p);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
}
END_TEST

/* It gives the connection; and then it does not, or twice. */
static int
give_and_think_again(kin_call *call)
{
	kin_conn *c, *mine, *other;
	int how, r;

	r = kin_call_take(call, &c, &how);
	if (r == 0)
		r = kin_call_return(call, c, 1);
	if (r == 0 && how == 1)
		return -EDOM;
	if (r == 0 && how == 2)
		r = kin_call_return(call, "something else");
	if (r == 0 && how == 3)
		r = kin_call_return(call, c, 3);
	if (r < 0 || how != 4)
		return r;
	r = kin_pipe(&mine, &other, NULL);
	if (r < 0)
		return r;
	r = kin_call_return(call, mine, 4);
	kin_conn_close(mine);
	kin_conn_close(other);
	return r < 0 ? r : -EDOM;
}

START_TEST(a_connection_that_was_not_given_after_all_is_closed)
{
	kin_conn *ours, *theirs;
	kin_process *p;
	int how;
	char c;

	for (how = 1; how <= 4; how++) {
		if (how == 3)
			continue;
		ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
		p = start(give_and_think_again, KIN_ARGS(theirs, how));
		kin_conn_close(theirs);
		ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
		kin_conn_close(ours);
		let_go(p, how == 2 ? 0 : -EDOM);
	}
}
END_TEST

START_TEST(a_connection_that_was_given_twice_is_given)
{
	kin_conn *ours, *theirs, *back;
	kin_process *p;
	int how;
	char c;

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	p = start(give_and_think_again, KIN_ARGS(theirs, 3));
	kin_conn_close(theirs);
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&back, &how), KIT_PATIENCE));
	ck_assert_int_eq(how, 3);
	let_go(p, 0);
	ck_kin_ok(kin_conn_send(back, "x", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	kin_conn_close(back);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_conns");
	TCase *tc = board_case(suite, "connections");
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	tcase_add_test(tc, the_end_of_a_child_with_a_connection_is_told);
	tcase_add_test(tc, a_connection_that_is_not_taken_is_closed);
	tcase_add_test(tc, a_connection_is_a_result);
	tcase_add_test(tc,
	    a_connection_in_a_result_that_nobody_takes_is_closed);
	tcase_add_test(tc,
	    a_connection_that_was_not_given_after_all_is_closed);
	tcase_add_test(tc, a_connection_that_was_given_twice_is_given);
	return kit_run(suite);
}
