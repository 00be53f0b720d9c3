/* SPDX-License-Identifier: MIT */
/*
 * test_process_conns.c - connections as arguments and in results: whose end it
 * is, and what the other one hears
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- what a child was not given ---- */

/* Until there is an end: what end? */
static int
hear_out(kin_call *call)
{
	char text[16];
	kin_conn *c;
	ssize_t n;
	int r;

	r = kin_call_take(call, &c);
	if (r == 0)
		r = kin_conn_send(c, "here", 4, KIT_PATIENCE);
	if (r < 0)
		return r;
	do
		n = kin_conn_recv(c, text, sizeof(text), KIT_PATIENCE);
	while (n >= 0);
	return (int)n;
}

static void
ck_here(kin_conn *c)
{
	char text[16];

	ck_assert_int_eq(kin_conn_recv(c, text, sizeof(text), KIT_PATIENCE),
			 4);
}

START_TEST(a_child_sees_the_end_of_what_it_was_given)
{
	kin_conn *ours, *theirs;
	kin_process *p;

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	p = start(hear_out, KIN_ARGS(theirs));
	kin_conn_close(theirs);
	ck_here(ours);
	ck_kin_ok(kin_conn_send(ours, "and", 3, KIT_PATIENCE));
	kin_conn_close(ours);
	let_go(p, -EPIPE);
}
END_TEST

START_TEST(a_sibling_keeps_no_end_of_another_alive)
{
	kin_conn *ours[2], *theirs[2];
	kin_process *p[2];
	char c;
	int i;

	for (i = 0; i < 2; i++)
		ck_kin_ok(kin_pipe(&ours[i], &theirs[i], NULL));
	for (i = 0; i < 2; i++)
		p[i] = start(hear_out, KIN_ARGS(theirs[i]));
	for (i = 0; i < 2; i++) {
		kin_conn_close(theirs[i]);
		ck_here(ours[i]);
	}
	ck_kin_ok(kin_process_signal(p[_i], SIGKILL));
	ck_kin_fails(-ECONNRESET, kin_conn_recv(ours[_i], &c, 1,
						KIT_PATIENCE));
	ck_killed(finish(p[_i]), SIGKILL);
	ck_kin_fails(-ETIMEDOUT, kin_process_join(p[!_i], NULL, KIN_NOWAIT));
	for (i = 0; i < 2; i++)
		kin_conn_close(ours[i]);
	let_go(p[!_i], -EPIPE);
}
END_TEST

static kin_conn *global;

/* How many of them refuse, and say why. */
static int
refusals(void)
{
	const int answers[] = {
		kin_conn_fd(global),
		kin_conn_send(global, "x", 1, KIN_NOWAIT),
		kin_conn_flush(global, KIN_NOWAIT),
		(int)kin_conn_recv(global, &(char){ 0 }, 1, KIN_NOWAIT),
		(int)kin_conn_take(global, &(void *){ NULL }, KIN_NOWAIT),
		kin_conn_wait(global, KIN_NOWAIT),
		kin_conn_send_values(global, KIN_ARGS(1), KIN_NOWAIT),
		kin_conn_recv_values(global, &(kin_values *){ NULL },
				     KIN_NOWAIT),
	};
	int i, n = 0;

	for (i = 0; i < 8; i++)
		n += answers[i] == -ESTALE;
	return strstr(kin_errmsg(), "was not given to this process") != NULL ?
	       n : -1;
}

static int
try_what_is_left(kin_call *call)
{
	kin_conn *given;
	pid_t pid;
	int r;

	r = kin_call_take(call, &given);
	if (r == 0 && refusals() != 8)
		r = 1;
	if (r == 0 && kin_conn_send_values(given, KIN_ARGS(global),
					   KIN_NOWAIT) != -ESTALE)
		r = 2;
	if (r != 0)
		return r;
	pid = kit_fork();		/* and one further on */
	if (pid == 0) {
		r = refusals() == 8 ? 0 : 3;
		if (r == 0)
			r = kin_conn_send(given, "raw", 3, KIT_PATIENCE);
		kin_conn_close(global);
		kin_conn_close(given);
		_exit(r != 0);
	}
	kit_reap(pid, 0);
	kin_conn_close(global);
	return kin_conn_send(given, "child", 5, KIT_PATIENCE);
}

START_TEST(a_handle_that_was_only_inherited_is_stale)
{
	kin_conn *ours, *theirs, *other;
	kin_process *p;
	char text[8];

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	ck_kin_ok(kin_pipe(&global, &other, NULL));
	if (_i == 1)		/* used, and with something in hand */
		ck_kin_ok(kin_conn_send(other, "12", 2, KIT_PATIENCE));
	if (_i == 1)
		ck_kin_ok(kin_conn_wait(global, KIT_PATIENCE));
	p = start(try_what_is_left, KIN_ARGS(theirs));
	kin_conn_close(theirs);
	let_go(p, 0);
	ck_assert_int_eq(kin_conn_recv(ours, text, 8, KIT_PATIENCE), 3);
	ck_assert_int_eq(kin_conn_recv(ours, text, 8, KIT_PATIENCE), 5);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, text, 8, KIT_PATIENCE));
	/* The parent's own is as it was. */
	if (_i == 1)
		ck_assert_int_eq(kin_conn_recv(global, text, 8, KIN_NOWAIT),
				 2);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(other, text, 8, KIN_NOWAIT));
	ck_kin_ok(kin_conn_send(global, "x", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(other, text, 8, KIT_PATIENCE), 1);
	kin_conn_close(global);
	ck_kin_fails(-EPIPE, kin_conn_recv(other, text, 8, KIT_PATIENCE));
	kin_conn_close(other);
	kin_conn_close(ours);
}
END_TEST

static int
count_descriptors(kin_call *call)
{
	kin_conn *c;
	int r = kin_call_take(call, &c);

	return r < 0 ? r : kit_descriptors();
}

static int
descriptors_of_a_child(kin_conn *c)
{
	return finish(start(count_descriptors, KIN_ARGS(c))).code;
}

/* Also none that have come by them, and none of those that were closed. */
START_TEST(a_child_has_no_descriptor_of_what_it_was_not_given)
{
	kin_conn *ours, *theirs, *ends[20];
	int few, i;

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	few = descriptors_of_a_child(ours);
	ck_assert_int_gt(few, 0);
	for (i = 0; i < 20; i += 2)
		ck_kin_ok(kin_pipe(&ends[i], &ends[i + 1], NULL));
	for (i = 0; i < 20; i += 4) {
		ck_kin_ok(kin_conn_send_values(ends[i], KIN_ARGS(KIN_FD(0)),
					       KIT_PATIENCE));
		ck_kin_ok(kin_conn_wait(ends[i + 1], KIT_PATIENCE));
	}
	ck_assert_int_eq(descriptors_of_a_child(ours), few);
	for (i = 0; i < 20; i++)
		if (i % 3 != 0)
			kin_conn_close(ends[i]);
	ck_assert_int_eq(descriptors_of_a_child(ours), few);
	for (i = 0; i < 20; i += 3)
		kin_conn_close(ends[i]);
	ck_assert_int_eq(descriptors_of_a_child(ours), few);
	kin_conn_close(ours);
	kin_conn_close(theirs);
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
	tc = board_case(suite, "not given");
	tcase_add_test(tc, a_child_sees_the_end_of_what_it_was_given);
	tcase_add_loop_test(tc, a_sibling_keeps_no_end_of_another_alive, 0, 2);
	tcase_add_loop_test(tc, a_handle_that_was_only_inherited_is_stale, 0,
			    2);
	tcase_add_test(tc,
	    a_child_has_no_descriptor_of_what_it_was_not_given);
	return kit_run(suite);
}
