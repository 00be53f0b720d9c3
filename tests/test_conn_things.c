/* SPDX-License-Identifier: MIT */
/*
 * test_conn_things.c - connections as values, over TCP, and their last messages
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kit.h"

static kin_conn *way, *there, *ours, *theirs;
static char c;

/* One connection to send the end of another over. */
static void
make_pipes(void)
{
	ck_kin_ok(kin_pipe(&way, &there, NULL));
	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
}

static void
close_way(void)
{
	kin_conn_close(way);
	kin_conn_close(there);
}

static kin_values *
pass(struct kin_args args)
{
	kin_values *v;

	ck_kin_ok(kin_conn_send_values(way, args, KIT_PATIENCE));
	ck_kin_ok(kin_conn_recv_values(there, &v, KIT_PATIENCE));
	return v;
}

static void
ck_carries(kin_conn *from, kin_conn *to)
{
	ck_kin_ok(kin_conn_send(from, "x", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(to, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(c, 'x');
}

/* Open as long as one of them is; and then it was a close, not a death. */
static void
ck_closes(kin_conn *first, kin_conn *last)
{
	kin_conn_close(first);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	kin_conn_close(last);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
}

/* ---- taken ---- */

/* _i: which of the two is closed first; and is used at all. */
START_TEST(an_end_that_is_taken_twice_has_two_users)
{
	kin_conn *one, *two;
	kin_values *v;

	make_pipes();
	v = pass(KIN_ARGS(theirs));
	kin_conn_close(theirs);
	ck_kin_ok(kin_values_take(v, &one));
	ck_kin_ok(kin_values_take(v, &two));
	ck_assert_ptr_ne(one, two);
	ck_kin_ok(kin_values_keep(v, one));
	ck_kin_ok(kin_values_keep(v, two));
	kin_values_free(v);
	if (_i & 1)
		ck_carries(two, ours);
	if (_i & 2)
		ck_carries(one, ours);
	ck_closes(_i & 4 ? one : two, _i & 4 ? two : one);
	close_way();
}
END_TEST

START_TEST(what_is_taken_and_not_kept_is_closed)
{
	kin_conn *one, *two;
	kin_values *v;

	make_pipes();
	v = pass(KIN_ARGS(theirs));
	kin_conn_close(theirs);
	ck_kin_ok(kin_values_take(v, &one));
	ck_kin_ok(kin_values_take(v, &two));
	ck_carries(one, ours);
	kin_values_free(v);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	close_way();
}
END_TEST

/* The later one does not fit: so this one was not taken either. */
START_TEST(a_take_that_fails_says_nothing_to_the_other_end)
{
	kin_conn *end = NULL;
	kin_values *v, *part = NULL;
	struct kin_cursor at;
	int n = 0;

	make_pipes();
	v = pass(KIN_ARGS(theirs, "text"));
	kin_conn_close(theirs);
	ck_kin_fails(-EINVAL, kin_values_take(v, &end, &n));
	ck_kin_fails(-EINVAL, kin_values_take(v, &part, &at));
	ck_assert_ptr_null(end);
	ck_assert_ptr_null(part);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	if (_i == 0) {
		ck_kin_ok(kin_values_take(v, &end, KIN_ANY));
		ck_carries(end, ours);
		ck_carries(ours, end);
	}
	kin_values_free(v);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	close_way();
}
END_TEST

/* There is room for the first one's descriptor, and for no other. */
START_TEST(a_take_that_fails_late_says_nothing_either)
{
	kin_conn *end = NULL;
	struct rlimit limit, one;
	kin_values *v;
	int fd = -1;

	make_pipes();
	v = pass(KIN_ARGS(theirs, KIN_FD(0)));
	kin_conn_close(theirs);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	one = limit;
	fd = dup(0);
	one.rlim_cur = (rlim_t)fd + 1;
	close(fd);
	fd = -1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &one), 0);
	ck_kin_fails(-EMFILE, kin_values_take(v, &end, KIN_FD(&fd)));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_ptr_null(end);
	ck_assert_int_eq(fd, -1);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	ck_kin_ok(kin_values_take(v, &end, KIN_FD(&fd)));
	ck_carries(end, ours);
	kin_values_free(v);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	close_way();
}
END_TEST

/* No room for a message's descriptors when they come: it is gone, alone. */
START_TEST(a_message_without_room_is_lost_and_no_other)
{
	struct rlimit limit, none;
	int before, n = 0, fd = -1;
	char text[8];
	kin_values *v;

	make_pipes();
	before = kit_descriptors();
	ck_kin_ok(kin_conn_send_values(ours, KIN_ARGS(1, KIN_FD(0), KIN_FD(1)),
				       KIN_NOWAIT));
	ck_kin_ok(kin_conn_send(ours, "bytes", 5, KIN_NOWAIT));
	ck_kin_ok(kin_conn_send_values(ours, KIN_ARGS(2, KIN_FD(0)),
				       KIN_NOWAIT));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	if (_i == 0)
		ck_kin_fails(-EMFILE, kin_conn_recv_values(theirs, &v,
							   KIT_PATIENCE));
	else if (_i == 1)
		ck_kin_fails(-EMFILE, kin_conn_wait(theirs, KIT_PATIENCE));
	else
		ck_kin_fails(-EMFILE, kin_conn_recv(theirs, text, 8,
						    KIT_PATIENCE));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "too many open"));
	/* The next read brings the third one's. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_kin_ok(kin_conn_wait(theirs, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(theirs, text, 8, KIT_PATIENCE), 5);
	ck_kin_ok(kin_conn_recv_values(theirs, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take(v, &n, KIN_FD(&fd)));
	ck_assert_int_eq(n, 2);
	close(fd);
	kin_values_free(v);
	ck_assert_int_eq(kit_descriptors(), before);
	ck_carries(ours, theirs);
	ck_carries(theirs, ours);
	kin_conn_close(theirs);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	close_way();
}
END_TEST

START_TEST(an_end_is_taken_out_of_values_that_were_taken)
{
	kin_values *v, *part;
	kin_conn *end;

	make_pipes();
	v = pass(KIN_ARGS(theirs, 1));
	kin_conn_close(theirs);
	ck_kin_ok(kin_values_take(v, &part, KIN_ANY));
	kin_values_free(v);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	if (_i == 0) {
		ck_kin_ok(kin_values_take(part, &end));
		ck_carries(end, ours);
	}
	kin_values_free(part);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	close_way();
}
END_TEST

/* ---- in a builder ---- */

enum { GIVEN, GIVEN_TWICE, NEVER_GIVEN, GIVEN_IN_VAIN, WAYS };

static void
send_in_array(kin_builder *built)
{
	struct kin_cursor at;
	kin_conn *end;
	kin_values *v;

	v = pass(KIN_ARGS(built, 1));
	ck_kin_ok(kin_values_take(v, &at, KIN_ANY));
	ck_assert_int_eq(kin_cursor_next(&at, &end), 1);
	ck_carries(end, ours);
	kin_values_free(v);
}

START_TEST(an_end_travels_in_a_builder)
{
	kin_builder *built;

	make_pipes();
	ck_kin_ok(kin_builder_new(&built));
	ck_kin_ok(kin_builder_array(built));
	ck_kin_ok(kin_builder_add(built, theirs));
	ck_kin_ok(kin_builder_end(built));
	kin_conn_close(theirs);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(ours, &c, 1, KIN_NOWAIT));
	if (_i == GIVEN_IN_VAIN)
		ck_kin_fails(-EINVAL, kin_conn_send_values(way,
				KIN_ARGS(built, (const char *)NULL),
				KIT_PATIENCE));
	if (_i == GIVEN || _i == GIVEN_TWICE)
		send_in_array(built);
	if (_i == GIVEN_TWICE)
		send_in_array(built);
	kin_builder_free(built);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	close_way();
}
END_TEST

/* ---- over TCP ---- */

static void
make_tcp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int listener, fds[2];

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &len),
			 0);
	ck_assert_int_eq(connect(fds[0], (struct sockaddr *)&at, len), 0);
	fds[1] = accept(listener, NULL, NULL);
	ck_assert_int_ge(fds[1], 0);
	ck_kin_ok(kin_conn_attach(&ours, fds[0], NULL));
	ck_kin_ok(kin_conn_attach(&theirs, fds[1], NULL));
	close(listener);
	close(fds[0]);
	close(fds[1]);
}

START_TEST(messages_go_over_tcp)
{
	enum { MUCH = 300000 };
	char *sent = malloc(MUCH);
	const char *text;
	kin_values *v;
	double x;
	void *got;

	make_tcp();
	memset(sent, 'y', MUCH);
	ck_carries(ours, theirs);
	ck_carries(theirs, ours);
	ck_kin_ok(kin_conn_send(ours, sent, MUCH, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_take(theirs, &got, KIT_PATIENCE), MUCH);
	ck_assert_mem_eq(got, sent, MUCH);
	free(got);
	free(sent);
	ck_kin_ok(kin_conn_send_values(theirs, KIN_ARGS("pi", 3.25),
				       KIT_PATIENCE));
	ck_kin_ok(kin_conn_recv_values(ours, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take(v, &text, &x));
	ck_assert_str_eq(text, "pi");
	ck_assert_double_eq(x, 3.25);
	kin_values_free(v);
	kin_conn_close(theirs);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
}
END_TEST

START_TEST(no_descriptor_goes_over_tcp)
{
	static const int table[] = { 1, 2, 3 };
	int fds[2];

	make_tcp();
	ck_assert_int_eq(pipe(fds), 0);
	ck_kin_fails(-EOPNOTSUPP, kin_conn_send_values(ours,
				KIN_ARGS(KIN_FD(fds[0])), KIT_PATIENCE));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "a Unix socket"));
	ck_kin_fails(-EOPNOTSUPP, kin_conn_send_values(ours,
				KIN_ARGS(KIN_RO(table, sizeof(table))),
				KIT_PATIENCE));
	ck_kin_fails(-EOPNOTSUPP, kin_conn_send_values(ours, KIN_ARGS(ours),
						       KIT_PATIENCE));
	close(fds[0]);
	close(fds[1]);
	ck_carries(ours, theirs);
	ck_carries(theirs, ours);
	kin_conn_close(ours);
	ck_kin_fails(-EPIPE, kin_conn_recv(theirs, &c, 1, KIT_PATIENCE));
	kin_conn_close(theirs);
}
END_TEST

/* ---- the last messages ---- */

/* Who sends in vain learns why from what has come, of which nothing is lost. */
START_TEST(a_sender_in_vain_loses_nothing_that_had_come)
{
	enum { MUCH = 1 << 20 };
	char *sent = malloc(MUCH);
	void *got;
	int r;

	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	memset(sent, 'z', MUCH);
	ck_kin_fails(-ETIMEDOUT, kin_conn_send(theirs, sent, MUCH,
					       kin_in_ms(1)));
	do {	/* all but what fits into the socket */
		ck_kin_fails(-ETIMEDOUT, kin_conn_wait(ours, KIN_NOWAIT));
		r = kin_conn_flush(theirs, KIN_NOWAIT);
	} while (r == -ETIMEDOUT);
	ck_kin_ok(r);
	ck_kin_ok(kin_conn_send(theirs, "last", 4, KIT_PATIENCE));
	kin_conn_close(theirs);
	ck_kin_fails(-EPIPE, kin_conn_send(ours, "x", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_take(ours, &got, KIT_PATIENCE), MUCH);
	ck_assert_mem_eq(got, sent, MUCH);
	free(got);
	ck_assert_int_eq(kin_conn_take(ours, &got, KIT_PATIENCE), 4);
	ck_assert_mem_eq(got, "last", 4);
	free(got);
	ck_kin_fails(-EPIPE, kin_conn_recv(ours, &c, 1, KIT_PATIENCE));
	kin_conn_close(ours);
	free(sent);
}
END_TEST

/* ---- hostile things ---- */

/* A frame of values: a thing of that kind, with a descriptor and len bytes. */
static void
send_thing(int to, unsigned char kind, size_t len, int fd)
{
	static const unsigned char head[] = "kin\1\2";
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	size_t payload = 3 + len, body = 7 + payload;
	unsigned char *frame = calloc(1, 32 + body + 8), *p = frame + 32;
	struct iovec v = { frame, 32 + body + 8 };
	struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	uint64_t tail = body ^ 0x6c6961746e696b00ull;

	memcpy(frame, head, sizeof(head) - 1);
	memcpy(frame + 8, &body, 8);
	frame[20] = 1;
	*p++ = 0x91;
	*p++ = 0xc9;
	*p++ = 0;
	*p++ = 0;
	*p++ = (unsigned char)(payload >> 8);
	*p++ = (unsigned char)payload;
	*p++ = kind;
	memcpy(frame + 32 + body, &tail, 8);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	ck_assert_int_eq(sendmsg(to, &msg, 0), (ssize_t)v.iov_len);
	free(frame);
}

START_TEST(a_thing_with_too_much_to_say_is_refused)
{
	kin_values *v, *part;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_kin_ok(kin_conn_attach(&ours, fds[1], NULL));
	send_thing(fds[0], KIN_THING_SEGMENT, 4093, 0);
	ck_kin_ok(kin_conn_recv_values(ours, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take(v, &part));
	kin_values_free(part);
	kin_values_free(v);
	send_thing(fds[0], KIN_THING_SEGMENT, 4094, 0);
	ck_kin_fails(-EPROTO, kin_conn_recv_values(ours, &v, KIT_PATIENCE));
	kin_conn_close(ours);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conn things");
	TCase *tc = kit_case(suite, "taken");

	tcase_add_loop_test(tc, an_end_that_is_taken_twice_has_two_users, 0,
			    8);
	tcase_add_test(tc, what_is_taken_and_not_kept_is_closed);
	tcase_add_loop_test(tc,
			    a_take_that_fails_says_nothing_to_the_other_end,
			    0, 2);
	tcase_add_test(tc, a_take_that_fails_late_says_nothing_either);
	tcase_add_loop_test(tc, a_message_without_room_is_lost_and_no_other,
			    0, 3);
	tcase_add_loop_test(tc,
			    an_end_is_taken_out_of_values_that_were_taken,
			    0, 2);
	tc = kit_case(suite, "built");
	tcase_add_loop_test(tc, an_end_travels_in_a_builder, 0, WAYS);
	tc = kit_case(suite, "tcp");
	tcase_add_test(tc, messages_go_over_tcp);
	tcase_add_test(tc, no_descriptor_goes_over_tcp);
	tc = kit_case(suite, "ends");
	tcase_add_test(tc, a_sender_in_vain_loses_nothing_that_had_come);
	tc = kit_case(suite, "hostile");
	tcase_add_test(tc, a_thing_with_too_much_to_say_is_refused);
	return kit_run(suite);
}
