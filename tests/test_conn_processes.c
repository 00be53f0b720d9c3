/* SPDX-License-Identifier: MIT */
/*
 * test_conn_processes.c - an end that is sent over another connection
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "tests/kit.h"

static kin_conn *ours, *theirs;		/* the end theirs travels ... */
static kin_conn *way, *there;		/* ... this way */
static char c;

static void
make_pipes(void)
{
	ck_kin_ok(kin_pipe(&ours, &theirs, KIN_OPTS(kin_conn_opts,
						    .label = "travelling",
						    .max_bytes = 1000)));
	ck_kin_ok(kin_pipe(&way, &there, NULL));
}

static void
must(bool kept, int number)
{
	if (!kept)
		_exit(number);
}

enum { CLOSES, DIES, NEVER_TAKES, ENDS };

static _Noreturn void
receiver(int end)
{
	static char long_one[2000];
	kin_conn *got;
	kin_values *v;

	kin_conn_close(ours);
	kin_conn_close(theirs);
	kin_conn_close(way);
	must(kin_conn_recv_values(there, &v, KIT_PATIENCE) == 0, 1);
	if (end == NEVER_TAKES) {
		kin_values_free(v);
		_exit(0);
	}
	must(kin_values_take(v, &got) == 0, 2);
	must(kin_values_keep(v, got) == 0, 3);
	kin_values_free(v);
	must(kin_conn_recv(got, &c, 1, KIT_PATIENCE) == 1 && c == '?', 4);
	must(kin_conn_send(got, "!", 1, KIT_PATIENCE) == 0, 5);
	if (end == DIES)
		kill(getpid(), SIGKILL);
	must(kin_conn_send(got, long_one, 1000, KIT_PATIENCE) == 0, 6);
	kin_conn_close(got);
	kin_conn_close(there);
	_exit(0);
}

/* used: the one who sends it has spoken by it before. */
static void
send_it(int end, bool used)
{
	pid_t pid;

	make_pipes();
	if (used) {
		ck_kin_ok(kin_conn_send(theirs, "u", 1, KIT_PATIENCE));
		ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
	}
	pid = kit_fork();
	if (pid == 0)
		receiver(end);
	kin_conn_close(there);
	/* What nobody has received yet travels along. */
	ck_kin_ok(kin_conn_send(ours, "?", 1, KIT_PATIENCE));
	ck_kin_ok(kin_conn_send_values(way, KIN_ARGS(theirs), KIT_PATIENCE));
	kin_conn_close(theirs);
	if (end != NEVER_TAKES) {
		static char buf[1000];

		ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
		ck_assert_int_eq(c, '!');
		if (end == CLOSES)
			ck_assert_int_eq(kin_conn_recv(ours, buf, 1000,
						       KIT_PATIENCE), 1000);
	}
	ck_kin_fails(end == DIES ? -ECONNRESET : -EPIPE,
		     kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	if (end == DIES)
		kit_kill(pid);
	else
		kit_reap(pid, 0);
	kin_conn_close(way);
	kin_conn_close(ours);
}

START_TEST(an_end_travels)
{
	send_it(_i / 2, _i % 2);
}
END_TEST

/* It was lent, and comes back. */
START_TEST(an_end_that_was_not_sent_is_as_it_was)
{
	make_pipes();
	ck_kin_ok(kin_conn_send(theirs, "1", 1, KIT_PATIENCE));
	ck_kin_fails(-EINVAL, kin_conn_send_values(way,
				KIN_ARGS(theirs, (const char *)NULL,
					 KIN_STR((const char *)NULL, 5)),
				KIT_PATIENCE));
	kin_conn_close(there);
	ck_assert_int_lt(kin_conn_send_values(way, KIN_ARGS(theirs),
					      KIT_PATIENCE), 0);
	ck_kin_ok(kin_conn_send(theirs, "2", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(c, '2');
	kin_conn_close(theirs);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	kin_conn_close(way);
}
END_TEST

/* The other one would never see what this one has in its buffer. */
START_TEST(an_end_with_messages_in_hand_does_not_travel)
{
	make_pipes();
	ck_kin_ok(kin_conn_send(ours, "1", 1, KIT_PATIENCE));
	ck_kin_ok(kin_conn_send(ours, "2", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(theirs, &c, 1, KIT_PATIENCE), 1);
	ck_kin_fails(-EBUSY, kin_conn_send_values(way, KIN_ARGS(theirs),
						  KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(theirs, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(c, '2');
	ck_kin_ok(kin_conn_send_values(way, KIN_ARGS(theirs), KIT_PATIENCE));
	kin_conn_close(theirs);
	kin_conn_close(way);
	/* It was on its way when that way ended: whoever has it is gone. */
	kin_conn_close(there);
	ck_assert_int_lt(kin_conn_recv(ours, &c, 1, KIT_PATIENCE), 0);
	kin_conn_close(ours);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conn processes");
	TCase *tc = kit_case(suite, "travelling");

	tcase_add_loop_test(tc, an_end_travels, 0, ENDS * 2);
	tcase_add_test(tc, an_end_that_was_not_sent_is_as_it_was);
	tcase_add_test(tc, an_end_with_messages_in_hand_does_not_travel);
	return kit_run(suite);
}
