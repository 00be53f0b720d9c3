/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c - memory in which anything stands: nonsense is called so, and
 * what is not nonsense works, at the edges too
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/hostile.h"

#define MANY		5000

static void
fill(kin_queue *q)
{
	int r;

	while ((r = kin_queue_put(q, NULL, 0, KIN_NOWAIT)) == 0)
		;
	ck_assert_int_eq(r, -ETIMEDOUT);
}

/* ---- nonsense that is found at once ---- */

START_TEST(a_latch_that_nobody_can_hold_is_called_nonsense)
{
	static const uint32_t nonsense[] = {
		1, 0x1000, 0x40000000, KN_STAMP | 8, KN_STAMP | 0x3ff,
		KN_STAMP | 0x40000000, KN_LATCH_WAITER | 1, 0xffffffff,
	};
	kin_queue *q = queue_of(256);
	size_t i;

	for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		kin_queue *mine = another(q);

		kn_store(&put_side(q)->latch, nonsense[i]);
		ck_kin_fails(-EUCLEAN, kin_queue_put(mine, "x", 1,
						     KIN_NOWAIT));
		kn_store(&put_side(q)->latch, 0);
		ck_kin_fails(-EUCLEAN, kin_queue_put(mine, "x", 1,
						     KIN_NOWAIT));
		ck_kin_fails(-EUCLEAN, kin_queue_get(mine, NULL, 0,
						     KIN_NOWAIT));
		ck_kin_fails(-EUCLEAN, kin_queue_shutdown(mine, KIN_NOWAIT));
		kin_queue_close(mine);
		mine = another(q);
		kn_store(&get_side(q)->latch, nonsense[i]);
		ck_kin_fails(-EUCLEAN, kin_queue_get(mine, NULL, 0,
						     KIN_FOREVER));
		kn_store(&get_side(q)->latch, 0);
		kin_queue_close(mine);
	}

	/* Sticky for the handle that has seen it, not for others. */
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 1);
	kin_queue_close(q);
}
END_TEST

static void
contradict(uint32_t head, uint32_t tail)
{
	kin_queue *q = queue_of(256), *second;
	char c;

	second = another(q);
	kn_store(&put_side(q)->commit, tail << 1);
	kn_store(&get_side(q)->commit, head << 1);
	ck_kin_fails(-EUCLEAN, kin_queue_len(q));
	ck_kin_fails(-EUCLEAN, kin_queue_put(q, "x", 1, KIN_FOREVER));
	ck_kin_fails(-EUCLEAN, kin_queue_get(second, &c, 1, KIN_FOREVER));
	ck_kin_fails(-EUCLEAN, kin_queue_get(q, &c, 1, KIN_FOREVER));
	kin_queue_close(second);
	kin_queue_close(q);
}

START_TEST(positions_that_contradict_each_other_are_nonsense)
{
	contradict(0, 17);
	contradict(17, 16);
	contradict(0x7fffffff, 0x40000000);
	contradict(0x40000000, 0);
	contradict(1, 0);
}
END_TEST

static void
try_mark(uint64_t mark)
{
	kin_queue *q = queue_of(256);
	unsigned char buf[248];

	ck_kin_ok(kin_queue_put(q, "hello", 5, KIN_NOWAIT));
	kn_wide_store((kn_wide *)(void *)q->ring.bytes, mark);
	memset(buf, 0xaa, sizeof(buf));
	ck_kin_fails(-EUCLEAN, kin_queue_get(q, buf, sizeof(buf),
					     KIN_FOREVER));
	ck_assert_uint_eq(buf[0], 0xaa);
	ck_kin_fails(-EUCLEAN, kin_queue_put(q, "x", 1, KIN_NOWAIT));
	kin_queue_close(q);
}

START_TEST(a_record_without_its_mark_is_nonsense)
{
	kin_queue *q = queue_of(256);
	uint64_t mark;

	ck_kin_ok(kin_queue_put(q, "hello", 5, KIN_NOWAIT));
	mark = kn_wide_load((kn_wide *)(void *)q->ring.bytes);
	ck_assert_uint_eq((uint32_t)mark, 5);
	kin_queue_close(q);

	try_mark(0);
	try_mark(UINT64_MAX);
	try_mark(mark ^ 1ull << 32);
	try_mark(mark ^ 1ull << 63);
	try_mark(mark + 4);		/* longer than there is */
	try_mark(mark + 248 - 5);
	try_mark(mark + 249 - 5);	/* than any */
	try_mark(mark | 0x80000000u);
	try_mark(mark | 0xffffffffu);
}
END_TEST

START_TEST(counts_that_contradict_are_nonsense)
{
	kin_queue *q = queue_of(256);

	kn_wide_store(&put_side(q)->passed[0].messages, 17);
	ck_kin_fails(-EUCLEAN, kin_queue_len(q));
	kn_wide_store(&put_side(q)->passed[0].messages, UINT64_MAX);
	ck_kin_fails(-EUCLEAN, kin_queue_len(q));
	kin_queue_close(q);
}
END_TEST

/* ---- attaching to what has been written over ---- */

/* Whatever is there, use it and let go. */
static bool
try_queue(int fd)
{
	unsigned char buf[248];
	kin_queue *mine;
	ssize_t n;
	int r;

	r = kin_queue_attach(&mine, fd);
	ck_says(r, attach_says);
	if (r < 0)
		return false;
	r = kin_queue_put(mine, "abc", 3, KIN_NOWAIT);
	ck_says(r, put_says);
	n = kin_queue_get(mine, buf, sizeof(buf), KIN_NOWAIT);
	if (n < 0)
		ck_says(n, get_says);
	ck_fast(n <= (ssize_t)sizeof(buf));
	(void)strlen(kin_queue_label(mine));
	kin_queue_close(mine);
	return true;
}

static void
mutate(size_t from, size_t bytes, uint32_t *ret_works, uint32_t *ret_fails)
{
	static const unsigned char values[] = { 0, 1, 2, 0x10, 0x7f, 0x80,
						0xff };
	kin_queue *q = queue_of(256);
	unsigned char *base = q->seg->base, was;
	size_t at, i;

	*ret_works = *ret_fails = 0;
	for (at = from; at < from + bytes; at++) {
		was = base[at];
		for (i = 0; i < 8 + sizeof(values); i++) {
			base[at] = i < 8 ? was ^ 1u << i : values[i - 8];
			if (try_queue(kin_queue_fd(q)))
				++*ret_works;
			else
				++*ret_fails;
		}
		base[at] = was;
	}
	ck_assert(try_queue(kin_queue_fd(q)));
	kin_queue_close(q);
}

START_TEST(a_header_written_over_is_refused_or_works)
{
	uint32_t works, fails;

	mutate(0, sizeof(struct kn_header), &works, &fails);
	ck_assert_uint_gt(works, 0);
	ck_assert_uint_gt(fails, 40 * 8);	/* all that it checks */
}
END_TEST

START_TEST(a_geometry_written_over_is_refused_or_works)
{
	uint32_t works, fails;

	mutate(KN_PAGE, sizeof(struct kn_queue_geometry), &works, &fails);
	ck_assert_uint_gt(works, 0);
	ck_assert_uint_gt(fails, 40 * 8);
}
END_TEST

START_TEST(a_roster_written_over_is_cleared_or_full)
{
	uint32_t works, fails;

	mutate(KN_PAGE + sizeof(struct kn_queue_geometry), kn_roster_bytes(8),
	       &works, &fails);
	ck_assert_uint_gt(works, 0);
}
END_TEST

START_TEST(control_words_written_over_are_found_out_or_work)
{
	uint32_t works, fails;

	mutate(KN_PAGE + up_to_line(sizeof(struct kn_queue_geometry) +
				    kn_roster_bytes(8)),
	       sizeof(struct kn_ring_shared) + 64, &works, &fails);
	ck_assert_uint_gt(works, 0);
}
END_TEST

START_TEST(a_queue_of_rubbish_is_refused)
{
	uint32_t random = SEED, *words;
	size_t i, from;
	int round;

	printf("# seed %#x\n", random);
	for (round = 0; round < 500; round++) {
		kin_queue *q = queue_of(256);

		words = (uint32_t *)(void *)q->seg->base;
		from = round % 2 ? 0 : sizeof(struct kn_header) / 4;
		for (i = from; i < q->seg->bytes / 4; i++)
			words[i] = next_random(&random);
		ck_assert(!try_queue(kin_queue_fd(q)));
		kin_queue_close(q);
	}
}
END_TEST

/* ---- words that go round ---- */

static void
begin_at(kin_queue *q, uint32_t position, uint32_t count)
{
	struct kn_side *sides[] = { put_side(q), get_side(q) };
	int i;

	for (i = 0; i < 2; i++) {
		kn_store(&sides[i]->commit, position << 1);
		kn_store(&sides[i]->other, position);
		kn_wide_store(&sides[i]->passed[0].at, position);
		kn_wide_store(&sides[i]->passed[0].messages, count);
		kn_wide_store(&sides[i]->passed[1].at, ~0u);
	}
}

static void
go_round(uint32_t position, uint32_t count)
{
	kin_queue *q = queue_of(1024);
	uint32_t in = 0, out = 0, msg[12] = { 0 }, random = SEED, len;

	begin_at(q, position, count);
	ck_assert_int_eq(kin_queue_len(q), 0);
	while (out < MANY) {
		msg[0] = in;
		len = 4 + next_random(&random) % (sizeof(msg) - 3);
		if (next_random(&random) % 2 && in < MANY) {
			int r = kin_queue_put(q, msg, len, KIN_NOWAIT);

			ck_fast(r == 0 || (r == -ETIMEDOUT && in - out > 15));
			in += r == 0;
		} else if (in == out) {
			ck_fast(kin_queue_get(q, msg, sizeof(msg),
					      KIN_NOWAIT) == -ETIMEDOUT);
		} else {
			ck_fast(kin_queue_get(q, msg, sizeof(msg),
					      KIN_NOWAIT) >= 4);
			ck_fast(msg[0] == out);
			out++;
		}
		ck_fast(kin_queue_len(q) == (ssize_t)(in - out));
	}
	kin_queue_close(q);
}

START_TEST(positions_go_round)
{
	go_round(KN_POSITION - 1000, 0);
	go_round(KN_POSITION, 0);
	go_round(KN_POSITION - 64, 77);
}
END_TEST

START_TEST(counts_go_round)
{
	go_round(12345, UINT32_MAX - 1000);
	go_round(12345, UINT32_MAX);
}
END_TEST

START_TEST(positions_and_counts_go_round_together)
{
	go_round(KN_POSITION - 500, UINT32_MAX - 500);
}
END_TEST

START_TEST(a_full_ring_is_full_and_an_empty_one_empty_all_the_way_round)
{
	kin_queue *q = queue_of(256);
	int i;

	begin_at(q, KN_POSITION - 20, UINT32_MAX - 20);
	for (i = 0; i < 8; i++) {
		fill(q);
		ck_assert_int_eq(kin_queue_len(q), 16);
		while (kin_queue_get(q, NULL, 0, KIN_NOWAIT) == 0)
			;
		ck_assert_int_eq(kin_queue_len(q), 0);
		ck_kin_ok(kin_queue_put(q, NULL, 0, KIN_NOWAIT));
		ck_kin_ok(kin_queue_get(q, NULL, 0, KIN_NOWAIT));
	}
	kin_queue_close(q);
}
END_TEST

static void
add_all(Suite *suite)
{
	TCase *tc = hostile_case(suite, "nonsense");

	tcase_add_test(tc, a_latch_that_nobody_can_hold_is_called_nonsense);
	tcase_add_test(tc,
		       positions_that_contradict_each_other_are_nonsense);
	tcase_add_test(tc, a_record_without_its_mark_is_nonsense);
	tcase_add_test(tc, counts_that_contradict_are_nonsense);

	tc = hostile_case(suite, "written over");
	tcase_add_test(tc, a_header_written_over_is_refused_or_works);
	tcase_add_test(tc, a_geometry_written_over_is_refused_or_works);
	tcase_add_test(tc, a_roster_written_over_is_cleared_or_full);
	tcase_add_test(tc, control_words_written_over_are_found_out_or_work);
	tcase_add_test(tc, a_queue_of_rubbish_is_refused);

	tc = hostile_case(suite, "going round");
	tcase_add_test(tc, positions_go_round);
	tcase_add_test(tc, counts_go_round);
	tcase_add_test(tc, positions_and_counts_go_round_together);
	tcase_add_test(tc,
	    a_full_ring_is_full_and_an_empty_one_empty_all_the_way_round);
}

int
main(void)
{
	Suite *suite = suite_create("hostile");

	add_all(suite);
	return kit_run(suite);
}
