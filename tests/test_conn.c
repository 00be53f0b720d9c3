/* SPDX-License-Identifier: MIT */
/*
 * test_conn.c - connections: whole messages, their order, deadlines, ends
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/kit.h"

static kin_conn *a, *b;

static void
make_pipe(void)
{
	ck_kin_ok(kin_pipe(&a, &b, KIN_OPTS(kin_conn_opts, .label = "line")));
}

static void
close_pipe(void)
{
	kin_conn_close(a);
	kin_conn_close(b);
}

/* Bytes that tell where they belong. */
static unsigned char *
pattern(size_t len, uint32_t seed)
{
	unsigned char *p = malloc(len + 1);
	size_t i;

	ck_assert_ptr_nonnull(p);
	for (i = 0; i < len; i++)
		p[i] = (unsigned char)(seed + i + (i >> 8) + (i >> 16));
	return p;
}

static void
ck_takes(kin_conn *c, size_t len, uint32_t seed)
{
	unsigned char *want = pattern(len, seed);
	void *got;

	ck_assert_int_eq(kin_conn_take(c, &got, KIT_PATIENCE), (ssize_t)len);
	ck_assert(len == 0 || memcmp(got, want, len) == 0);
	free(got);
	free(want);
}

struct parcel {
	kin_conn *c;
	size_t len;
	uint32_t seed;
	int r;
};

static void *
send_parcel(void *arg)
{
	struct parcel *p = arg;
	unsigned char *msg = pattern(p->len, p->seed);

	p->r = kin_conn_send(p->c, msg, p->len, KIT_PATIENCE);
	free(msg);
	return NULL;
}

/* ---- messages ---- */

static const size_t sizes[] = {
	0, 1, 63, 4096, 16384, 16385, 65535, 65536, 65537, 1 << 20, 100 << 20,
};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

START_TEST(a_message_of_any_size_comes_out_whole)
{
	struct parcel p = { .len = sizes[_i], .seed = 7 };
	pthread_t sender;
	char after[8];

	make_pipe();
	p.c = a;
	ck_assert_int_eq(pthread_create(&sender, NULL, send_parcel, &p), 0);
	ck_takes(b, p.len, p.seed);
	pthread_join(sender, NULL);
	ck_kin_ok(p.r);
	ck_kin_ok(kin_conn_send(a, "next", 4, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(b, after, sizeof(after), KIT_PATIENCE),
			 4);
	ck_assert_mem_eq(after, "next", 4);
	close_pipe();
}
END_TEST

START_TEST(many_messages_go_both_ways_in_order)
{
	uint32_t i, in, back = 0, heard = 0, left = 5008, random = 1;
	char buf[3000];

	make_pipe();
	for (i = 0; i < left; i++) {
		size_t len = sizeof(i) + next_random(&random) % 2900;

		memcpy(buf, &i, sizeof(i));
		ck_fast(kin_conn_send(a, buf, len, KIT_PATIENCE) == 0);
		if (i % 16 != 15)
			continue;
		while (back <= i) {
			ck_fast(kin_conn_recv(b, buf, sizeof(buf),
					      KIT_PATIENCE) >= 4);
			memcpy(&in, buf, sizeof(in));
			ck_fast(in == back++);
			ck_fast(kin_conn_send(b, &in, 4, KIT_PATIENCE) == 0);
		}
		/* Some are left on their way, now more and now fewer. */
		while (back - heard > i % 64) {
			ck_fast(kin_conn_recv(a, &in, 4, KIT_PATIENCE) == 4);
			ck_fast(in == heard++);
		}
	}
	ck_assert_uint_eq(back, left);
	close_pipe();
}
END_TEST

START_TEST(a_message_too_long_for_the_buffer_stays)
{
	struct kin_conn_counts counts;
	char buf[8];

	make_pipe();
	ck_kin_ok(kin_conn_send(a, "longer than that", 16, KIT_PATIENCE));
	ck_kin_ok(kin_conn_send(a, "x", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(b, buf, 8, KIT_PATIENCE), -EMSGSIZE);
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "'line'"));
	ck_kin_fails(-EMSGSIZE, kin_conn_recv(b, NULL, 0, KIT_PATIENCE));
	ck_kin_ok(kin_conn_wait(b, KIN_NOWAIT));
	{
		void *got;

		ck_assert_int_eq(kin_conn_take(b, &got, KIT_PATIENCE), 16);
		ck_assert_mem_eq(got, "longer than that", 16);
		free(got);
	}
	ck_assert_int_eq(kin_conn_recv(b, buf, 8, KIT_PATIENCE), 1);
	kin_conn_count(a, &counts);
	ck_assert_uint_eq(counts.sent, 2);
	ck_assert_uint_eq(counts.sent_bytes, 17);
	kin_conn_count(b, &counts);
	ck_assert_uint_eq(counts.received, 2);
	ck_assert_uint_eq(counts.received_bytes, 17);
	close_pipe();
}
END_TEST

START_TEST(a_message_over_the_limit_ends_the_connection)
{
	char buf[200] = "";

	ck_kin_ok(kin_pipe(&a, &b, KIN_OPTS(kin_conn_opts, .max_bytes = 100)));
	ck_kin_ok(kin_conn_send(a, buf, 100, KIT_PATIENCE));
	ck_kin_ok(kin_conn_send(a, buf, 101, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(b, buf, 200, KIT_PATIENCE), 100);
	ck_kin_fails(-EMSGSIZE, kin_conn_recv(b, buf, 200, KIT_PATIENCE));
	ck_kin_fails(-EMSGSIZE, kin_conn_recv(b, buf, 200, KIT_PATIENCE));
	ck_kin_fails(-EMSGSIZE, kin_conn_send(b, buf, 1, KIT_PATIENCE));
	ck_assert_int_lt(kin_conn_send(a, buf, 1, KIT_PATIENCE), 0);
	close_pipe();
}
END_TEST

/* ---- values ---- */

START_TEST(bytes_and_values_are_told_apart)
{
	kin_values *v;
	int64_t n = 0;
	char c = 0;

	make_pipe();
	ck_kin_ok(kin_conn_send(a, "x", 1, KIT_PATIENCE));
	ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(42), KIT_PATIENCE));
	ck_kin_fails(-EINVAL, kin_conn_recv_values(b, &v, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(b, &c, 1, KIT_PATIENCE), 1);
	ck_kin_fails(-EINVAL, kin_conn_recv(b, &c, 1, KIT_PATIENCE));
	ck_kin_ok(kin_conn_recv_values(b, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take(v, &n));
	ck_assert_int_eq(n, 42);
	kin_values_free(v);
	close_pipe();
}
END_TEST

START_TEST(descriptors_come_with_their_message)
{
	int fds[2], got, i, n;
	kin_values *v;

	make_pipe();
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(pipe(fds), 0);
		ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(i), KIT_PATIENCE));
		ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(i, KIN_FD(fds[1])),
					       KIT_PATIENCE));
		ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(i), KIT_PATIENCE));
		close(fds[1]);
		ck_kin_ok(kin_conn_recv_values(b, &v, KIT_PATIENCE));
		ck_kin_ok(kin_values_take(v, &n));
		kin_values_free(v);
		ck_kin_ok(kin_conn_recv_values(b, &v, KIT_PATIENCE));
		ck_kin_ok(kin_values_take(v, &n, KIN_FD(&got)));
		ck_assert_int_eq(write(got, "!", 1), 1);
		kin_values_free(v);
		ck_assert_int_eq(read(fds[0], &got, 1), 1);
		ck_assert_int_eq(read(fds[0], &got, 1), 0);
		close(fds[0]);
		ck_kin_ok(kin_conn_recv_values(b, &v, KIT_PATIENCE));
		ck_kin_ok(kin_values_take(v, &n));
		kin_values_free(v);
	}
	close_pipe();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(nobody_waits_past_a_deadline)
{
	void *nothing = &nothing;
	kin_values *v;
	char c;

	make_pipe();
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(a, &c, 1, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(a, &c, 1, kin_in_ms(20)));
	ck_kin_fails(-ETIMEDOUT, kin_conn_take(a, &nothing, kin_in_ms(1)));
	ck_assert_ptr_eq(nothing, &nothing);
	ck_kin_fails(-ETIMEDOUT, kin_conn_wait(a, kin_in_ms(1)));
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv_values(a, &v, kin_in_ms(1)));
	ck_kin_ok(kin_conn_flush(a, KIN_NOWAIT));
	close_pipe();
}
END_TEST

/* Full: what does not go at all is not sent. */
static uint32_t
fill(kin_conn *c)
{
	uint32_t n = 0;
	int r;

	while ((r = kin_conn_send(c, &n, sizeof(n), KIN_NOWAIT)) == 0)
		n++;
	ck_assert_int_eq(r, -ETIMEDOUT);
	return n;
}

START_TEST(what_has_no_room_is_not_sent)
{
	uint32_t i, got, n;

	make_pipe();
	n = fill(a);
	ck_assert_uint_ge(n, 10);
	ck_kin_fails(-ETIMEDOUT, kin_conn_send(a, &n, 4, kin_in_ms(10)));
	for (i = 0; i < n; i++) {
		ck_fast(kin_conn_recv(b, &got, 4, KIT_PATIENCE) == 4);
		ck_fast(got == i);
	}
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(b, &got, 4, KIN_NOWAIT));
	close_pipe();
}
END_TEST

START_TEST(a_message_sent_in_part_is_finished_later)
{
	struct parcel p = { .len = 5 << 20, .seed = 3 };
	pthread_t sender;
	unsigned char *msg = pattern(p.len, p.seed);
	void *got;

	make_pipe();
	ck_assert_int_eq(kin_conn_send(a, msg, p.len, kin_in_ms(10)),
			 -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "kept"));
	memset(msg, 0, p.len);
	free(msg);
	ck_kin_fails(-ETIMEDOUT, kin_conn_send(a, "no", 2, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_conn_flush(a, kin_in_ms(1)));
	ck_kin_fails(-ETIMEDOUT, kin_conn_take(b, &got, KIN_NOWAIT));
	p.c = a;
	p.len = 10;
	p.seed = 9;
	ck_assert_int_eq(pthread_create(&sender, NULL, send_parcel, &p), 0);
	ck_takes(b, 5 << 20, 3);
	ck_takes(b, 10, 9);
	pthread_join(sender, NULL);
	ck_kin_ok(p.r);
	ck_kin_fails(-ETIMEDOUT, kin_conn_wait(b, KIN_NOWAIT));
	close_pipe();
}
END_TEST

static void
on_signal(int signal)
{
	(void)signal;
}

START_TEST(signals_interrupt_nothing)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	struct parcel p = { .len = 30 << 20, .seed = 5 };
	pthread_t sender;
	kin_time begin = kin_now();
	char c;

	make_pipe();
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(b, &c, 1, kin_in_ms(50)));
	ck_assert_int_ge(kin_now().ns - begin.ns, 50000000);
	p.c = a;
	ck_assert_int_eq(pthread_create(&sender, NULL, send_parcel, &p), 0);
	ck_takes(b, p.len, p.seed);
	pthread_join(sender, NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	ck_kin_ok(p.r);
	close_pipe();
}
END_TEST

/* ---- ends ---- */

START_TEST(a_closed_end_is_heard_after_its_last_message)
{
	kin_values *v;
	char c = 0;

	make_pipe();
	ck_kin_ok(kin_conn_send(a, "1", 1, KIT_PATIENCE));
	ck_kin_ok(kin_conn_send(a, "2", 1, KIT_PATIENCE));
	ck_kin_ok(kin_conn_send(b, "unread", 6, KIT_PATIENCE));
	kin_conn_close(a);
	/* Even if sending finds it out first. */
	if (_i == 1)
		ck_kin_fails(-EPIPE, kin_conn_send(b, "x", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(b, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(c, '1');
	ck_assert_int_eq(kin_conn_recv(b, &c, 1, KIT_PATIENCE), 1);
	ck_assert_int_eq(c, '2');
	ck_kin_fails(-EPIPE, kin_conn_recv(b, &c, 1, KIT_PATIENCE));
	ck_kin_fails(-EPIPE, kin_conn_recv(b, &c, 1, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_conn_wait(b, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_conn_recv_values(b, &v, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_conn_send(b, "x", 1, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_conn_send_values(b, KIN_ARGS(1), KIN_NOWAIT));
	kin_conn_close(b);
	kin_conn_close(NULL);
}
END_TEST

START_TEST(a_close_is_heard_though_nothing_had_room)
{
	uint32_t i, got, n;

	make_pipe();
	n = fill(a);
	kin_conn_close(a);
	for (i = 0; i < n; i++)
		ck_fast(kin_conn_recv(b, &got, 4, KIT_PATIENCE) == 4);
	ck_kin_fails(-EPIPE, kin_conn_recv(b, &got, 4, KIT_PATIENCE));
	kin_conn_close(b);
}
END_TEST

/* ---- sockets of others ---- */

START_TEST(only_connected_stream_sockets_are_spoken_over)
{
	kin_conn *none = NULL;
	int fds[2], lone = socket(AF_INET, SOCK_STREAM, 0);

	ck_kin_fails(-EBADF, kin_conn_attach(&none, -1, NULL));
	ck_kin_fails(-EINVAL, kin_conn_attach(&none, lone, NULL));
	close(lone);
	ck_assert_int_eq(pipe(fds), 0);
	ck_kin_fails(-EINVAL, kin_conn_attach(&none, fds[0], NULL));
	close(fds[0]);
	close(fds[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	ck_kin_fails(-EINVAL, kin_conn_attach(&none, fds[0], NULL));
	close(fds[0]);
	close(fds[1]);
	ck_kin_fails(-EINVAL, kin_pipe(&none, &none, KIN_OPTS(kin_conn_opts,
							      .flags = 1)));
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(a_socket_that_is_attached_stays_the_callers)
{
	int fds[2];
	char c = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_kin_ok(kin_conn_attach(&a, fds[0], NULL));
	ck_kin_ok(kin_conn_attach(&b, fds[1], NULL));
	ck_kin_ok(kin_conn_send(a, "x", 1, KIT_PATIENCE));
	ck_assert_int_eq(kin_conn_recv(b, &c, 1, KIT_PATIENCE), 1);
	kin_conn_close(a);
	ck_kin_fails(-ETIMEDOUT, kin_conn_recv(b, &c, 1, KIN_NOWAIT));
	close(fds[0]);
	ck_kin_fails(-EPIPE, kin_conn_recv(b, &c, 1, KIT_PATIENCE));
	kin_conn_close(b);
	close(fds[1]);
}
END_TEST

/* ---- threads ---- */

enum { EACH = 5000 };

static void *
send_many(void *arg)
{
	uint32_t i, *who = arg, msg[2] = { *who, 0 };

	for (i = 0; i < EACH; i++) {
		msg[1] = i;
		if (kin_conn_send(a, msg, sizeof(msg), KIT_PATIENCE) < 0)
			return arg;
	}
	return NULL;
}

static uint32_t seen[2][EACH];

static void *
receive_many(void *arg)
{
	uint32_t i, msg[2];

	for (i = 0; i < EACH; i++) {
		if (kin_conn_recv(b, msg, sizeof(msg), KIT_PATIENCE) != 8)
			return arg;
		__atomic_add_fetch(&seen[msg[0]][msg[1]], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(threads_take_turns)
{
	uint32_t who[2] = { 0, 1 }, i;
	pthread_t t[4];
	void *failed;

	make_pipe();
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&t[i], NULL, send_many,
						&who[i]), 0);
		ck_assert_int_eq(pthread_create(&t[2 + i], NULL, receive_many,
						&who[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], &failed);
		ck_assert_ptr_null(failed);
	}
	for (i = 0; i < EACH; i++)
		ck_fast(seen[0][i] == 1 && seen[1][i] == 1);
	close_pipe();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conn");
	TCase *tc = kit_case(suite, "messages");

	tcase_add_loop_test(tc, a_message_of_any_size_comes_out_whole, 0,
			    SIZES);
	tcase_add_test(tc, many_messages_go_both_ways_in_order);
	tcase_add_test(tc, a_message_too_long_for_the_buffer_stays);
	tcase_add_test(tc, a_message_over_the_limit_ends_the_connection);
	tcase_add_test(tc, bytes_and_values_are_told_apart);
	tcase_add_test(tc, descriptors_come_with_their_message);
	tc = kit_case(suite, "deadlines");
	tcase_add_test(tc, nobody_waits_past_a_deadline);
	tcase_add_test(tc, what_has_no_room_is_not_sent);
	tcase_add_test(tc, a_message_sent_in_part_is_finished_later);
	tcase_add_test(tc, signals_interrupt_nothing);
	tc = kit_case(suite, "ends");
	tcase_add_loop_test(tc, a_closed_end_is_heard_after_its_last_message,
			    0, 2);
	tcase_add_test(tc, a_close_is_heard_though_nothing_had_room);
	tcase_add_test(tc, only_connected_stream_sockets_are_spoken_over);
	tcase_add_test(tc, a_socket_that_is_attached_stays_the_callers);
	tc = kit_case(suite, "threads");
	tcase_add_test(tc, threads_take_turns);
	return kit_run(suite);
}
