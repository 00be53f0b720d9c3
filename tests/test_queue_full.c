/* SPDX-License-Identifier: MIT */
/*
 * test_queue_full.c - the promises of kin/queue.h: what happens where it is
 * full, and the numbers it keeps
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/queue.h"
#include "tests/traffic.h"

static kin_queue *
queue_with(uint32_t flags, uint64_t bytes, uint64_t messages)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .flags = flags,
	    .bytes = bytes, .messages = messages)));
	return q;
}

static struct kin_queue_stats
stat_of(kin_queue *q)
{
	struct kin_queue_stats s;

	ck_kin_ok(kin_queue_stat(q, &s));
	ck_fast(s.puts == s.gets + s.drops + s.len);
	ck_fast(s.copied_bytes == s.put_bytes + s.got_bytes);
	ck_fast(s.high_bytes >= s.used_bytes);
	return s;
}

/* ---- a bound of messages ---- */

START_TEST(it_holds_so_many_messages_and_no_more)
{
	kin_queue *q = queue_with(0, 4096, 3);
	uint32_t i;

	for (i = 0; i < 100; i++) {
		put_number(q, 3 * i);
		ck_assert_int_eq(kin_queue_full(q), 0);
		put_number(q, 3 * i + 1);
		put_number(q, 3 * i + 2);
		ck_assert_int_eq(kin_queue_full(q), 1);
		ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "", 0, KIN_NOWAIT));
		ck_assert_uint_eq(get_number(q), 3 * i);
		ck_assert_int_eq(kin_queue_full(q), 0);
		ck_assert_uint_eq(get_number(q), 3 * i + 1);
		ck_assert_uint_eq(get_number(q), 3 * i + 2);
		ck_assert_int_eq(kin_queue_empty(q), 1);
	}
	kin_queue_close(q);
}
END_TEST

START_TEST(a_batch_stops_at_the_bound)
{
	kin_queue *q = queue_with(0, 4096, 3);
	struct iovec msgs[5] = { { 0 } };

	ck_assert_int_eq(kin_queue_put_many(q, msgs, 5, KIN_NOWAIT), 3);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put_many(q, msgs, 5, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 3);
	kin_queue_close(q);
}
END_TEST

START_TEST(who_waits_at_the_bound_is_woken)
{
	kin_queue *q = queue_with(0, 4096, 1);
	pid_t pids[3];
	int i;

	put_number(q, 7);
	for (i = 0; i < 3; i++)
		pids[i] = sleeping_putter(q, i + 1);
	for (i = 0; i < 4; i++)
		ck_kin_ok(kin_queue_get(q, &(uint32_t){ 0 }, 4, KIT_PATIENCE));
	for (i = 0; i < 3; i++)
		kit_reap(pids[i], 0);
	kin_queue_close(q);
}
END_TEST

/* ---- fail ---- */

START_TEST(one_that_fails_does_not_wait)
{
	kin_queue *q = queue_with(KIN_QUEUE_FAIL, 256, 0);
	struct iovec msgs[20] = { { 0 } };
	int i;

	for (i = 0; i < 16; i++)
		ck_kin_ok(kin_queue_put(q, "", 0, KIN_FOREVER));
	ck_kin_fails(-ENOSPC, kin_queue_put(q, "", 0, KIN_FOREVER));
	ck_kin_fails(-ENOSPC, kin_queue_put_many(q, msgs, 2, KIN_FOREVER));
	ck_kin_ok(kin_queue_get(q, NULL, 0, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_put_many(q, msgs, 20, KIN_FOREVER), 1);
	ck_kin_fails(-ENOSPC, kin_queue_put(q, "", 0, KIN_NOWAIT));
	ck_assert_uint_eq(stat_of(q).put_waits, 0);
	kin_queue_close(q);
}
END_TEST

/* ---- drop the oldest ---- */

START_TEST(the_oldest_goes_for_the_newest)
{
	kin_queue *q = queue_with(KIN_QUEUE_DROP_OLDEST, 256, 0);
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		put_number(q, i);
		ck_assert_int_eq(kin_queue_len(q), i < 16 ? i + 1 : 16);
	}
	ck_assert_uint_eq(stat_of(q).drops, 1000 - 16);
	for (i = 1000 - 16; i < 1000; i++)
		ck_assert_uint_eq(get_number(q), i);
	ck_assert_uint_eq(stat_of(q).gets, 16);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_large_one_takes_the_place_of_many)
{
	kin_queue *q = queue_with(KIN_QUEUE_DROP_OLDEST, 65536, 0);
	static unsigned char msg[16376], buf[16376];
	uint32_t i;

	for (i = 0; i < 4096; i++)
		put_number(q, i);
	paint(msg, sizeof(msg), 1);
	ck_kin_ok(kin_queue_put(q, msg, sizeof(msg), KIN_NOWAIT));
	ck_assert_uint_eq(stat_of(q).drops, 1024);
	for (i = 1024; i < 4096; i++)
		ck_assert_uint_eq(get_number(q), i);
	ck_assert_int_eq(kin_queue_get(q, buf, sizeof(buf), KIN_NOWAIT),
			 sizeof(buf));
	ck_assert_mem_eq(buf, msg, sizeof(msg));

	/* And many that of large ones, of lengths that do not match. */
	for (i = 0; i < 20; i++)
		ck_kin_ok(kin_queue_put(q, msg, 15000 + i, KIN_NOWAIT));
	for (i = 16; i < 20; i++)
		ck_assert_int_eq(kin_queue_get(q, buf, sizeof(buf),
					       KIN_NOWAIT), 15000 + i);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_bound_of_messages_drops_too)
{
	kin_queue *q = queue_with(KIN_QUEUE_DROP_OLDEST, 4096, 2);
	uint32_t numbers[10], i;
	struct iovec msgs[10];

	for (i = 0; i < 10; i++) {
		numbers[i] = i;
		msgs[i] = (struct iovec){ &numbers[i], 4 };
	}
	ck_assert_int_eq(kin_queue_put_many(q, msgs, 10, KIN_NOWAIT), 10);
	ck_assert_uint_eq(get_number(q), 8);
	ck_assert_uint_eq(get_number(q), 9);
	ck_assert_uint_eq(stat_of(q).drops, 8);
	kin_queue_close(q);
}
END_TEST

/* What a getter is about to take is not dropped under it: it can't be. */
START_TEST(a_getter_in_the_way_is_waited_for_until_the_deadline)
{
	kin_queue *q = queue_with(KIN_QUEUE_DROP_OLDEST, 256, 0);
	struct kn_ring_shared *shared = q->ring.shared;
	pid_t pid;
	int i;

	for (i = 0; i < 16; i++)
		put_number(q, 1);
	pid = kit_fork();
	if (pid == 0) {
		if (kn_queue_enter(q) < 0 ||
		    kn_latch_take(&shared->get.latch, &q->reg->party,
				  KIN_NOWAIT) < 0)
			_exit(77);
		raise_flag(1);
		for (;;)
			pause();
	}
	await_flag(1);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "", 0, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "", 0, kin_in_ms(20)));
	ck_assert_uint_eq(kn_load(&shared->put.latch), 0);
	ck_assert_uint_eq(stat_of(q).drops, 0);
	kit_kill(pid);
	put_number(q, 2);
	ck_assert_uint_eq(stat_of(q).drops, 1);
	ck_assert_uint_eq(stat_of(q).takeovers, 1);
	kin_queue_close(q);
}
END_TEST

/* Producers and consumers at once: nobody waits, and all are accounted for. */
static void __attribute__((noreturn))
drop_producer(kin_queue *q, uint32_t me)
{
	uint32_t n = 0;

	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE) &&
	       ++n < TICKETS) {
		put_ticket(q, me, n);
		ledger->put[me][n] = 1;
	}
	ledger->started[me] = n;
	_exit(0);
}

START_TEST(dropping_under_contention_loses_what_is_counted)
{
	kin_queue *q = queue_with(KIN_QUEUE_DROP_OLDEST, 2048, 0);
	struct kin_queue_stats s;
	uint64_t put = 0, taken = 0;
	pid_t pids[2 * CROWD];
	uint32_t i, n;

	for (i = 0; i < CROWD; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0)
			drop_producer(q, i);
		pids[CROWD + i] = kit_fork();
		if (pids[CROWD + i] == 0)
			consume(q, i);
	}
	while (stat_of(q).drops < 2000 || stat_of(q).gets < 2000)
		sched_yield();
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < CROWD; i++)
		kit_reap(pids[i], 0);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	for (i = CROWD; i < 2 * CROWD; i++)
		kit_reap(pids[i], 0);

	for (i = 0; i < CROWD; i++)
		for (n = 1; n < TICKETS; n++) {
			ck_fast(ledger->got[i][n] <= ledger->put[i][n]);
			put += ledger->put[i][n];
			taken += ledger->got[i][n];
		}
	s = stat_of(q);
	ck_assert_uint_eq(s.puts, put);
	ck_assert_uint_eq(s.gets, taken);
	ck_assert_uint_eq(s.drops, put - taken);
	ck_assert_uint_eq(s.len, 0);
	ck_assert_uint_eq(ledger->disorder, 0);
	kin_queue_close(q);
}
END_TEST

/* ---- the numbers ---- */

START_TEST(they_are_exact)
{
	kin_queue *q = queue_with(0, 65536, 0);
	uint64_t puts = 0, gets = 0, in = 0, out = 0;
	uint32_t random = SEED, step;
	static unsigned char buf[1024];
	struct kin_queue_stats s;

	for (step = 0; step < 20000; step++) {
		uint32_t len = next_random(&random) % 200;
		ssize_t n;

		if (next_random(&random) % 2) {
			if (kin_queue_put(q, buf, len, KIN_NOWAIT) == 0) {
				puts++;
				in += len;
			}
		} else {
			n = kin_queue_get(q, buf, sizeof(buf), KIN_NOWAIT);
			if (n >= 0) {
				gets++;
				out += (uint64_t)n;
			}
		}
		s = stat_of(q);
		ck_fast(s.puts == puts && s.gets == gets);
		ck_fast(s.put_bytes == in && s.got_bytes == out);
	}
	ck_assert_uint_eq(s.put_waits + s.get_waits + s.takeovers, 0);
	ck_assert_uint_eq(s.ring_bytes, 65536);
	kin_queue_close(q);
}
END_TEST

START_TEST(high_water_stays)
{
	kin_queue *q = queue_with(0, 65536, 0);
	uint32_t i;

	for (i = 0; i < 3000; i++)
		put_number(q, i);
	for (i = 0; i < 3000; i++)
		ck_assert_uint_eq(get_number(q), i);
	for (i = 0; i < 10000; i++) {
		put_number(q, i);
		ck_assert_uint_eq(get_number(q), i);
	}
	ck_assert_uint_eq(stat_of(q).used_bytes, 0);
	ck_assert_uint_gt(stat_of(q).high_bytes, 48000 - 65536 / 8);
	ck_assert_uint_le(stat_of(q).high_bytes, 48000);
	kin_queue_close(q);
}
END_TEST

START_TEST(they_pass_four_billion)
{
	kin_queue *q = queue_with(KIN_QUEUE_DROP_OLDEST, 256, 0);
	struct kn_ring_shared *shared = q->ring.shared;
	const uint64_t most = UINT32_MAX;
	struct kin_queue_stats s;
	uint32_t i;

	kn_wide_store(&shared->put.passed[0].messages, most);
	kn_wide_store(&shared->put.passed[0].bytes, most);
	kn_wide_store(&shared->get.passed[0].messages, most);
	kn_wide_store(&shared->get.passed[0].bytes, most);
	kn_wide_store(&shared->get.dropped[0], most - 10);
	for (i = 0; i < 40; i++)
		put_number(q, i);
	for (i = 24; i < 40; i++)
		ck_assert_uint_eq(get_number(q), i);
	s = stat_of(q);
	ck_assert_uint_eq(s.puts, most + 40);
	ck_assert_uint_eq(s.gets, 10 + 16);
	ck_assert_uint_eq(s.drops, most - 10 + 24);
	ck_assert_uint_eq(s.put_bytes, most + 160);
	ck_assert_uint_eq(s.got_bytes, most + 64);
	kin_queue_close(q);
}
END_TEST

START_TEST(who_slept_is_counted)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid = sleeping_getter(q, 1);

	put_number(q, 9);
	kit_reap(pid, 9);
	ck_assert_uint_eq(stat_of(q).get_waits, 1);
	ck_assert_uint_eq(stat_of(q).put_waits, 0);
	(void)fill(q);
	pid = sleeping_putter(q, 2);
	ck_kin_ok(kin_queue_get(q, NULL, 0, KIT_PATIENCE));
	kit_reap(pid, 0);
	ck_assert_uint_eq(stat_of(q).get_waits, 1);
	ck_assert_uint_eq(stat_of(q).put_waits, 1);
	kin_queue_close(q);
}
END_TEST

/* Ten million through a small ring, in batches that do not fit it. */
START_TEST(ten_million_come_through_a_small_ring)
{
	const uint32_t all = 10000000, batch = 100;
	kin_queue *q = queue_of(1024, 0);
	uint32_t numbers[100], next = 0, i;
	struct iovec msgs[100];
	unsigned char buf[2048];
	pid_t pid;

	for (i = 0; i < batch; i++)
		msgs[i] = (struct iovec){ &numbers[i], 4 };
	pid = kit_fork();
	if (pid == 0) {
		for (next = 0; next < all; next += batch) {
			for (i = 0; i < batch; i++)
				numbers[i] = next + i;
			if (kin_queue_put_many(q, msgs, batch, KIN_FOREVER) !=
			    batch)
				_exit(1);
		}
		_exit(0);
	}
	while (next < all) {
		ssize_t n = kin_queue_get_many(q, msgs, batch, buf,
					       sizeof(buf), KIT_PATIENCE);

		ck_fast(n > 0);
		for (i = 0; i < n; i++)
			ck_fast(*(uint32_t *)msgs[i].iov_base == next++);
	}
	kit_reap(pid, 0);
	ck_assert_uint_eq(stat_of(q).gets, all);
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue_full");
	TCase *tc = board_case(suite, "full");

	tcase_add_test(tc, it_holds_so_many_messages_and_no_more);
	tcase_add_test(tc, a_batch_stops_at_the_bound);
	tcase_add_test(tc, who_waits_at_the_bound_is_woken);
	tcase_add_test(tc, one_that_fails_does_not_wait);
	tcase_add_test(tc, the_oldest_goes_for_the_newest);
	tcase_add_test(tc, a_large_one_takes_the_place_of_many);
	tcase_add_test(tc, a_bound_of_messages_drops_too);
	tcase_add_test(tc, a_getter_in_the_way_is_waited_for_until_the_deadline);

	tc = ledger_case(suite, "contention");
	tcase_add_test(tc, dropping_under_contention_loses_what_is_counted);

	tc = board_case(suite, "numbers");
	tcase_add_test(tc, they_are_exact);
	tcase_add_test(tc, high_water_stays);
	tcase_add_test(tc, they_pass_four_billion);
	tcase_add_test(tc, who_slept_is_counted);
	tcase_add_test(tc, ten_million_come_through_a_small_ring);
	return kit_run(suite);
}
