/* SPDX-License-Identifier: MIT */
/*
 * test_queue_many.c - the promises of kin/queue.h: many messages in one call,
 * and a look at one without taking it
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/traffic.h"

#define MANY	4000u
#define MOST	64u			/* bytes of a message here */

/* A message of each length from 0 to MOST, again and again. */
static struct numbered {
	struct iovec msgs[MANY];
	unsigned char bytes[MANY][MOST + 1];
} numbered;

static void
number_all(uint32_t first, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint32_t len = (first + i) % (MOST + 1);

		paint(numbered.bytes[i], len, first + i);
		numbered.msgs[i] = (struct iovec){ numbered.bytes[i], len };
	}
}

static void
ck_numbered(const struct iovec *msg, uint32_t number)
{
	unsigned char right[MOST + 1];
	uint32_t len = number % (MOST + 1);

	paint(right, len, number);
	ck_fast(msg->iov_len == len);
	ck_fast(memcmp(msg->iov_base, right, len) == 0);
}

static _Alignas(16) unsigned char space[65536];
static struct iovec got[MANY];

/* All that are there, so many at a time; the next number. */
static uint32_t
drain(kin_queue *q, uint32_t number, size_t at_a_time)
{
	ssize_t n, i;

	while ((n = kin_queue_get_many(q, got, at_a_time, space, sizeof(space),
				       KIN_NOWAIT)) > 0)
		for (i = 0; i < n; i++)
			ck_numbered(&got[i], number++);
	ck_assert_int_eq(n, -ETIMEDOUT);
	return number;
}

START_TEST(they_go_in_and_out_in_order)
{
	uint32_t in = 0, out = 0, n, random = SEED;
	kin_queue *q = queue_of(65536, 0);
	int round;

	for (round = 0; round < 200; round++) {
		n = next_random(&random) % 500;
		number_all(in, n);
		ck_assert_int_eq(kin_queue_put_many(q, numbered.msgs, n,
						    KIN_NOWAIT), n);
		in += n;
		ck_assert_int_eq(kin_queue_len(q), in - out);
		out = drain(q, out, 1 + next_random(&random) % 600);
		ck_assert_uint_eq(out, in);
	}
	kin_queue_close(q);
}
END_TEST

START_TEST(they_mix_with_single_ones)
{
	kin_queue *q = queue_of(4096, 0);
	char buf[MOST + 1];

	number_all(0, 3);
	ck_kin_ok(kin_queue_put(q, "", 0, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_put_many(q, numbered.msgs + 1, 2,
					    KIN_NOWAIT), 2);
	ck_assert_int_eq(kin_queue_get(q, buf, sizeof(buf), KIN_NOWAIT), 0);
	ck_assert_int_eq(kin_queue_get(q, buf, sizeof(buf), KIN_NOWAIT), 1);
	ck_assert_uint_eq(drain(q, 2, MANY), 3);
	kin_queue_close(q);
}
END_TEST

/* Where one ends and the next begins: writev can have them as they are. */
START_TEST(each_lies_at_a_multiple_of_sixteen)
{
	kin_queue *q = queue_of(4096, 0);
	int i;

	number_all(0, 40);
	ck_assert_int_eq(kin_queue_put_many(q, numbered.msgs, 40, KIN_NOWAIT),
			 40);
	ck_assert_int_eq(kin_queue_get_many(q, got, 40, space, sizeof(space),
					    KIN_NOWAIT), 40);
	for (i = 0; i < 40; i++) {
		size_t at = (size_t)((unsigned char *)got[i].iov_base - space);

		ck_assert_uint_eq(at % 16, 0);
		if (i > 0)
			ck_assert((unsigned char *)got[i].iov_base >=
				  (unsigned char *)got[i - 1].iov_base +
				  got[i - 1].iov_len);
	}
	ck_assert_int_eq(kin_queue_put_many(q, got, 40, KIN_NOWAIT), 40);
	ck_assert_uint_eq(drain(q, 0, MANY), 40);
	kin_queue_close(q);
}
END_TEST

START_TEST(of_more_than_there_is_room_for_the_first_ones_go)
{
	kin_queue *q = queue_of(256, 0);
	ssize_t n;

	number_all(0, 20);
	n = kin_queue_put_many(q, numbered.msgs, 20, KIN_NOWAIT);
	/* 0 to 8 bytes take a unit, 9 to 24 two, and there are sixteen. */
	ck_assert_int_eq(n, 9 + 3);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put_many(q, numbered.msgs + n, 8,
						    kin_in_ms(30)));
	ck_assert_uint_eq(drain(q, 0, MANY), n);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_part_that_went_is_no_failure)
{
	kin_queue *q = queue_of(256, 0);

	number_all(0, 20);
	kit_forget();
	ck_assert_int_gt(kin_queue_put_many(q, numbered.msgs, 20,
					    kin_in_ms(30)), 0);
	ck_assert(kit_forgotten());
	kin_queue_close(q);
}
END_TEST

/* The deadline is for the rest. */
START_TEST(more_than_the_ring_goes_while_somebody_gets)
{
	kin_queue *q = queue_of(1024, 0);
	uint32_t number = 0;
	pid_t pid;

	number_all(0, MANY);
	pid = kit_fork();
	if (pid == 0) {
		ssize_t n = kin_queue_put_many(q, numbered.msgs, MANY,
					       KIT_PATIENCE);

		_exit(n == MANY ? 0 : 1);
	}
	while (number < MANY) {
		ssize_t n = kin_queue_get_many(q, got, 7, space, sizeof(space),
					       KIT_PATIENCE), i;

		ck_assert_int_gt(n, 0);
		ck_assert_int_le(n, 7);
		for (i = 0; i < n; i++)
			ck_numbered(&got[i], number++);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(one_that_is_too_long_lets_none_in)
{
	kin_queue *q = queue_of(256, 0);
	char msg[249] = "";
	struct iovec msgs[2] = { { msg, 1 }, { msg, sizeof(msg) } };

	ck_kin_fails(-EMSGSIZE, kin_queue_put_many(q, msgs, 2, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 0);
	msgs[1].iov_len = 248;
	ck_assert_int_eq(kin_queue_put_many(q, msgs, 2, KIN_NOWAIT), 1);
	kin_queue_close(q);
}
END_TEST

START_TEST(what_does_not_fit_into_the_buffer_stays)
{
	kin_queue *q = queue_of(4096, 0);

	number_all(10, 3);
	ck_assert_int_eq(kin_queue_put_many(q, numbered.msgs, 3, KIN_NOWAIT),
			 3);
	ck_kin_fails(-EMSGSIZE, kin_queue_get_many(q, got, 3, space, 9,
						   KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 3);
	/* 10 bytes, up to 16, and 11: one byte is missing. */
	ck_assert_int_eq(kin_queue_get_many(q, got, 3, space, 26, KIN_NOWAIT),
			 1);
	ck_numbered(&got[0], 10);
	ck_assert_int_eq(kin_queue_get_many(q, got, 3, space, 28, KIN_NOWAIT),
			 2);
	ck_numbered(&got[1], 12);
	kin_queue_close(q);
}
END_TEST

START_TEST(none_is_none)
{
	kin_queue *q = queue_of(256, 0);

	ck_assert_int_eq(kin_queue_put_many(q, NULL, 0, KIN_NOWAIT), 0);
	ck_assert_int_eq(kin_queue_get_many(q, NULL, 0, NULL, 0, KIN_FOREVER),
			 0);
	ck_kin_fails(-ETIMEDOUT, kin_queue_get_many(q, got, 1, NULL, 0,
						    KIN_NOWAIT));
	ck_kin_ok(kin_queue_put(q, NULL, 0, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_get_many(q, got, 1, NULL, 0, KIN_NOWAIT), 1);
	ck_assert_uint_eq(got[0].iov_len, 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_queue_that_was_shut_gives_what_it_has)
{
	kin_queue *q = queue_of(256, 0);

	number_all(0, 4);
	ck_assert_int_eq(kin_queue_put_many(q, numbered.msgs, 4, KIN_NOWAIT),
			 4);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	ck_kin_fails(-EPIPE, kin_queue_put_many(q, numbered.msgs, 4,
						KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_get_many(q, got, 9, space, sizeof(space),
					    KIN_NOWAIT), 4);
	ck_kin_fails(-EPIPE, kin_queue_get_many(q, got, 9, space,
						sizeof(space), KIN_FOREVER));
	kin_queue_close(q);
}
END_TEST

/* ---- of one side, killed ---- */

/* A getter of many takes along what it had taken, and nothing else. */
START_TEST(a_getter_killed_leaves_the_rest_in_order)
{
	kin_queue *q = queue_of(65536, 0);
	uint32_t random = SEED, first;
	int round;

	for (round = 0; round < 40; round++) {
		struct timespec moment = { 0, next_random(&random) % 200000 };
		pid_t pid;

		number_all(0, 800);
		ck_assert_int_eq(kin_queue_put_many(q, numbered.msgs, 800,
						    KIN_NOWAIT), 800);
		pid = kit_fork();
		if (pid == 0) {
			while (kin_queue_get_many(q, got, 3, space,
						  sizeof(space),
						  KIN_FOREVER) > 0)
				;
			_exit(1);
		}
		nanosleep(&moment, NULL);
		kit_kill(pid);
		first = 800 - (uint32_t)kin_queue_len(q);
		ck_assert_uint_eq(drain(q, first, MANY), 800);
	}
	kin_queue_close(q);
}
END_TEST

/* And of a putter of many, the first ones are there. */
START_TEST(a_putter_killed_leaves_the_first_ones)
{
	kin_queue *q = queue_of(1 << 20, 0);
	uint32_t random = SEED, n;
	int round;

	for (round = 0; round < 40; round++) {
		struct timespec moment = { 0, next_random(&random) % 300000 };
		pid_t pid;

		number_all(0, MANY);
		pid = kit_fork();
		if (pid == 0) {
			(void)!kin_queue_put_many(q, numbered.msgs, MANY,
						  KIN_FOREVER);
			for (;;)
				pause();
		}
		nanosleep(&moment, NULL);
		kit_kill(pid);
		n = (uint32_t)kin_queue_len(q);
		ck_assert_uint_eq(drain(q, 0, MANY), n);
	}
	kin_queue_close(q);
}
END_TEST

/* ---- peek ---- */

START_TEST(a_look_takes_nothing)
{
	kin_queue *q = queue_of(256, 0);
	char buf[16] = "................";

	ck_kin_fails(-ETIMEDOUT, kin_queue_peek(q, buf, 16, KIN_NOWAIT));
	ck_kin_ok(kin_queue_put(q, "hello", 5, KIN_NOWAIT));
	ck_kin_ok(kin_queue_put(q, "you", 3, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_peek(q, NULL, 0, KIN_NOWAIT), 5);
	ck_assert_int_eq(kin_queue_peek(q, buf, 3, KIN_NOWAIT), 5);
	ck_assert_mem_eq(buf, "hel.....", 8);
	ck_assert_int_eq(kin_queue_peek(q, buf, 16, KIN_NOWAIT), 5);
	ck_assert_mem_eq(buf, "hello...", 8);
	ck_assert_int_eq(kin_queue_len(q), 2);
	ck_assert_int_eq(kin_queue_get(q, buf, 16, KIN_NOWAIT), 5);
	ck_assert_int_eq(kin_queue_peek(q, buf, 16, KIN_NOWAIT), 3);
	ck_assert_mem_eq(buf, "youlo...", 8);
	ck_assert_int_eq(kin_queue_get(q, buf, 16, KIN_NOWAIT), 3);
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_queue_peek(q, buf, 16, KIN_FOREVER));
	kin_queue_close(q);
}
END_TEST

/* One who looks is woken first, and hands on what it does not take. */
START_TEST(who_looks_leaves_the_wake_to_who_gets)
{
	kin_queue *q = queue_of(256, 0);
	pid_t looker, getter;

	looker = kit_fork();
	if (looker == 0) {
		uint32_t n = 0;

		raise_flag(1);
		ck_fast(kin_queue_peek(q, &n, sizeof(n), KIT_PATIENCE) == 4);
		_exit((int)n);
	}
	await_flag(1);
	getter = sleeping_getter(q, 2);
	put_number(q, 42);
	kit_reap(getter, 42);
	/* It had the first, or it sleeps on for this one. */
	put_number(q, 42);
	kit_reap(looker, 42);
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue_many");
	TCase *tc = kit_case(suite, "many");

	tcase_add_test(tc, they_go_in_and_out_in_order);
	tcase_add_test(tc, they_mix_with_single_ones);
	tcase_add_test(tc, each_lies_at_a_multiple_of_sixteen);
	tcase_add_test(tc, of_more_than_there_is_room_for_the_first_ones_go);
	tcase_add_test(tc, a_part_that_went_is_no_failure);
	tcase_add_test(tc, more_than_the_ring_goes_while_somebody_gets);
	tcase_add_test(tc, one_that_is_too_long_lets_none_in);
	tcase_add_test(tc, what_does_not_fit_into_the_buffer_stays);
	tcase_add_test(tc, none_is_none);
	tcase_add_test(tc, a_queue_that_was_shut_gives_what_it_has);

	tc = kit_case(suite, "killed");
	tcase_add_test(tc, a_getter_killed_leaves_the_rest_in_order);
	tcase_add_test(tc, a_putter_killed_leaves_the_first_ones);

	tc = board_case(suite, "peek");
	tcase_add_test(tc, a_look_takes_nothing);
	tcase_add_test(tc, who_looks_leaves_the_wake_to_who_gets);
	return kit_run(suite);
}
