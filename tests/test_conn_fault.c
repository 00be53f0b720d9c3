/* SPDX-License-Identifier: MIT */
/*
 * test_conn_fault.c - every kernel call of a connection fails in turn
 *
 * An error means that nothing happened, or the connection says from then on
 * that it is done with.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/conn.h"
#include "lib/stream.h"
#include "tests/fault.h"

static kin_conn *a, *b;
static int sockets[2];
static char untouched;
#define UNTOUCHED	((void *)&untouched)

static const int numbers[] = { -ENOMEM, -EMFILE, -ENOBUFS };

/* ---- making ---- */

START_TEST(making_may_fail)
{
	int k, r, number = numbers[_i], failed = 0;
	bool struck = true;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	for (k = 1; struck; k++) {
		struct left before = left_now();

		a = b = UNTOUCHED;
		kit_forget();
		arm(k, number);
		r = k % 2 == 0 ? kin_pipe(&a, &b, NULL) :
		    kin_conn_attach(&a, sockets[0], NULL);
		struck = disarm();
		if (r < 0) {
			failed++;
			ck_assert_int_eq(r, number);
			ck_assert(!kit_forgotten());
			ck_assert_ptr_eq(a, UNTOUCHED);
		} else {
			kin_conn_close(a);
			if (k % 2 == 0)
				kin_conn_close(b);
		}
		ck_same(&before, "making", k);
		struck = struck || k < 8;
	}
	ck_assert_int_ge(failed, 2);
	close(sockets[0]);
	close(sockets[1]);
}
END_TEST

/* ---- sending and receiving ---- */

static int
send_bytes(void)
{
	return kin_conn_send(a, "message", 7, KIN_NOWAIT);
}

static int
send_values(void)
{
	return kin_conn_send_values(a, KIN_ARGS("message", KIN_FD(0)),
				    KIN_NOWAIT);
}

static int
receive_bytes(void)
{
	char buf[16];
	ssize_t r = kin_conn_recv(b, buf, sizeof(buf), KIN_NOWAIT);

	return r < 0 ? (int)r : r == 7 && memcmp(buf, "message", 7) == 0 ?
	       0 : -EDOM;
}

static int
receive_values(void)
{
	kin_values *v;
	const char *s;
	int fd, r;

	r = kin_conn_recv_values(b, &v, KIN_NOWAIT);
	if (r < 0)
		return r;
	r = kin_values_take(v, &s, KIN_FD(&fd));
	if (r == 0 && strcmp(s, "message") != 0)
		r = -EDOM;
	/* Taking may fail and be done again. */
	if (r < 0 && r != -EDOM) {
		disarm();
		r = kin_values_take(v, &s, KIN_FD(&fd));
	}
	kin_values_free(v);
	return r;
}

static const struct {
	int (*send)(void), (*receive)(void);
} ways[] = {
	{ send_bytes, receive_bytes },
	{ send_values, receive_values },
};

/* The connection's very first message, and the next one. */
START_TEST(a_send_that_fails_has_not_happened)
{
	int (*send)(void) = ways[_i / 3].send;
	int (*receive)(void) = ways[_i / 3].receive;
	int k, r, number = numbers[_i % 3], failed = 0;
	bool struck = true;

	for (k = 1; struck; k++) {
		struct left before = left_now();

		ck_kin_ok(kin_pipe(&a, &b, NULL));
		kit_forget();
		arm(k, number);
		r = send();
		struck = disarm();
		if (r < 0) {
			failed++;
			ck_assert_int_eq(r, number);
			ck_assert(!kit_forgotten());
			ck_assert_int_eq(receive(), -ETIMEDOUT);
			ck_kin_ok(send());
		} else {
			ck_assert(!struck);
		}
		ck_kin_ok(receive());
		ck_assert_int_eq(receive(), -ETIMEDOUT);
		kin_conn_close(a);
		ck_assert_int_eq(receive(), -EPIPE);
		kin_conn_close(b);
		ck_same(&before, "send", k);
	}
	ck_assert_int_ge(failed, 2);
}
END_TEST

START_TEST(a_receive_that_fails_has_lost_nothing)
{
	int (*send)(void) = ways[_i / 3].send;
	int (*receive)(void) = ways[_i / 3].receive;
	int k, r, number = numbers[_i % 3], failed = 0;
	bool struck = true;

	for (k = 1; struck; k++) {
		struct left before = left_now();

		ck_kin_ok(kin_pipe(&a, &b, NULL));
		ck_kin_ok(send());
		ck_kin_ok(send());
		kit_forget();
		arm(k, number);
		r = receive();
		struck = disarm();
		if (r < 0) {
			failed++;
			ck_assert_int_eq(r, number);
			ck_assert(!kit_forgotten());
			ck_kin_ok(receive());
		}
		ck_kin_ok(receive());
		ck_assert_int_eq(receive(), -ETIMEDOUT);
		kin_conn_close(a);
		ck_assert_int_eq(receive(), -EPIPE);
		kin_conn_close(b);
		ck_same(&before, "receive", k);
	}
	ck_assert_int_ge(failed, 2);
}
END_TEST

/* A large one: part of it has gone when a call fails. */
START_TEST(a_torn_send_is_no_message)
{
	static char large[2 << 20];
	int k, r, sent, torn = 0, number = numbers[_i];
	bool struck = true;
	void *got;

	for (k = 1; struck; k++) {
		struct left before = left_now();

		ck_kin_ok(kin_pipe(&a, &b, NULL));
		arm(k, number);
		sent = kin_conn_send(a, large, sizeof(large), kin_in_ms(1));
		struck = disarm();
		ck_assert(sent == number || sent == -ETIMEDOUT);
		if (sent == -ETIMEDOUT) {
			/* The rest comes along with what is sent next. */
			while ((r = kin_conn_flush(a, KIN_NOWAIT)) < 0) {
				ck_assert_int_eq(r, -ETIMEDOUT);
				r = kin_conn_wait(b, KIN_NOWAIT);
				ck_fast(r == 0 || r == -ETIMEDOUT);
			}
			ck_kin_ok(kin_conn_take(b, &got, KIT_PATIENCE));
			free(got);
		} else if (kin_conn_send(a, "x", 1, KIN_NOWAIT) == 0) {
			ck_kin_ok(kin_conn_take(b, &got, KIT_PATIENCE));
			free(got);
		} else {
			torn++;
			ck_kin_fails(-ECONNRESET,
				     kin_conn_take(b, &got, KIT_PATIENCE));
			ck_assert_int_lt(kin_conn_send(a, "x", 1, KIN_NOWAIT),
					 0);
		}
		kin_conn_close(a);
		kin_conn_close(b);
		ck_same(&before, "large send", k);
	}
	ck_assert_int_ge(torn, 1);
}
END_TEST

/* ---- a hostile other end ---- */

/* Each of them, put onto the socket as it is. */
static const struct {
	const char *name, *bytes;
	size_t len;
	int want;
} hostile[] = {
	{ "no frame", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 36,
	  -EPROTO },
	{ "half a head", "kin\1\1\0\0\0", 8, -ECONNRESET },
	{ "a gigabyte and a byte",
	  "kin\1\1\0\0\0\1\0\0\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32,
	  -EMSGSIZE },
	{ "a descriptor that is not there",
	  "kin\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"
	  "kintail",
	  40, -EPROTO },
	{ "no such type",
	  "kin\1\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	  "kintail",
	  40, -EPROTO },
	{ "hello with a body",
	  "kin\1\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x\1"
	  "kintail",
	  41, -EPROTO },
	{ "many byes",
	  "kin\1\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	  "kintail"
	  "kin\1\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	  "kintail",
	  80, -EPIPE },
};
enum { HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

START_TEST(a_hostile_peer_only_ends_the_connection)
{
	char c;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	ck_kin_ok(kin_conn_attach(&b, sockets[1], NULL));
	close(sockets[1]);
	ck_assert_int_eq(write(sockets[0], hostile[_i].bytes, hostile[_i].len),
			 (ssize_t)hostile[_i].len);
	shutdown(sockets[0], SHUT_WR);
	ck_kin_fails(hostile[_i].want, kin_conn_recv(b, &c, 1, KIT_PATIENCE));
	ck_kin_fails(hostile[_i].want, kin_conn_recv(b, &c, 1, KIN_NOWAIT));
	kin_conn_close(b);
	close(sockets[0]);
}
END_TEST

START_TEST(values_that_are_none_are_gone_and_all_goes_on)
{
	static const char frame[] =
	  "kin\1\2\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	  "\x92\1\xc1\3"
	  "kintail"
	  "kin\1\2\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	  "\x91\5\2"
	  "kintail";
	kin_values *v = UNTOUCHED;
	int n = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	ck_kin_ok(kin_conn_attach(&b, sockets[1], NULL));
	close(sockets[1]);
	ck_assert_int_eq(write(sockets[0], frame, 85), 85);
	ck_kin_fails(-EPROTO, kin_conn_recv_values(b, &v, KIT_PATIENCE));
	ck_assert_ptr_eq(v, UNTOUCHED);
	ck_kin_ok(kin_conn_recv_values(b, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take(v, &n));
	ck_assert_int_eq(n, 5);
	kin_values_free(v);
	kin_conn_close(b);
	close(sockets[0]);
}
END_TEST

/* ---- forks in the middle of a call ---- */

/* As if another thread had just been moving what had come, and what is kept. */
static void
move(kin_conn *c, bool moving)
{
	c->receiving.changing = c->sending.changing = moving;
	c->stream->in.buf += moving ? 8 : -8;
	c->stream->out.buf += moving ? 8 : -8;
}

START_TEST(a_child_lets_lie_what_was_being_changed)
{
	static char large[1 << 20];
	pid_t pid;
	char c;

	ck_kin_ok(kin_pipe(&a, &b, NULL));
	ck_kin_ok(kin_conn_send(b, "12", 2, KIT_PATIENCE));
	ck_kin_fails(-EMSGSIZE, kin_conn_recv(a, &c, 1, KIT_PATIENCE));
	ck_kin_fails(-ETIMEDOUT, kin_conn_send(a, large, sizeof(large),
					       kin_in_ms(1)));
	move(a, true);
	pid = kit_fork();
	if (pid == 0) {
		int before = kit_descriptors();

		if (_i == 2)
			kn_conns_leave();
		if (_i == 2 && kit_descriptors() != before - 2)
			_exit(2);
		if (_i > 0 && kin_conn_wait(a, KIN_NOWAIT) != -ESTALE)
			_exit(1);
		kin_conn_close(a);
		_exit(0);
	}
	kit_reap(pid, 0);
	move(a, false);
	ck_kin_ok(kin_conn_wait(a, KIT_PATIENCE));
	kin_conn_close(a);
	kin_conn_close(b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conn fault");
	TCase *tc = kit_case(suite, "every call in turn");

	tcase_add_loop_test(tc, making_may_fail, 0, 3);
	tcase_add_loop_test(tc, a_send_that_fails_has_not_happened, 0, 6);
	tcase_add_loop_test(tc, a_receive_that_fails_has_lost_nothing, 0, 6);
	tcase_add_loop_test(tc, a_torn_send_is_no_message, 0, 3);
	tc = kit_case(suite, "hostile");
	tcase_add_loop_test(tc, a_hostile_peer_only_ends_the_connection, 0,
			    HOSTILE);
	tcase_add_test(tc, values_that_are_none_are_gone_and_all_goes_on);
	tc = kit_case(suite, "forks");
	tcase_add_loop_test(tc, a_child_lets_lie_what_was_being_changed, 0, 3);
	return kit_run(suite);
}
