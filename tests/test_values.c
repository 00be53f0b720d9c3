/* SPDX-License-Identifier: MIT */
/*
 * test_values.c - values: what is refused on the way out, what is borrowed, and
 * plain bytes
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/through.h"

/* Fails so, and these are words of its sentence. */
#define ck_says(number, words, expr)					\
	do {								\
		int r_ = (expr);					\
									\
		ck_assert_msg(r_ == (number) &&				\
			      strstr(kin_errmsg(), words) != NULL,	\
			      "%s: %d (%s)", #expr, r_, kin_errmsg());	\
	} while (0)

/* ---- arguments and places ---- */

START_TEST(as_many_as_thirty_two)
{
	int x[32], i;
	kin_values *v = through(KIN_ARGS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
	    12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
	    29, 30, 31));

	ck_assert_uint_eq(kin_values_count(v), 32);
	ck_kin_ok(kin_values_take(v, &x[0], &x[1], &x[2], &x[3], &x[4], &x[5],
	    &x[6], &x[7], &x[8], &x[9], &x[10], &x[11], &x[12], &x[13], &x[14],
	    &x[15], &x[16], &x[17], &x[18], &x[19], &x[20], &x[21], &x[22],
	    &x[23], &x[24], &x[25], &x[26], &x[27], &x[28], &x[29], &x[30],
	    &x[31]));
	for (i = 0; i < 32; i++)
		ck_assert_int_eq(x[i], i);
	ck_says(-EINVAL, "32 arguments, taken as 1", kin_values_take(v, &i));
	ck_says(-EINVAL, "32 arguments, taken as 0",
		kin_values_take_all(v, KIN_TAKE()));
	ck_assert_uint_eq(kin_values_type(v, 31), KIN_TYPE_INT);
	ck_assert_uint_eq(kin_values_type(v, 32), 0);
	kin_values_free(v);
	v = through(KIN_ARGS());
	ck_kin_ok(kin_values_take_all(v, KIN_TAKE()));
	ck_says(-EINVAL, "0 arguments, taken as 1", kin_values_take(v, &i));
	kin_values_free(v);
}
END_TEST

/* By hand there may be more than macros count to. */
START_TEST(more_than_thirty_two_by_hand)
{
	enum { MANY = 1000 };
	static struct kin_arg args[MANY];
	static struct kin_slot slots[MANY];
	static int x[MANY];
	kin_values *v;
	int i;

	for (i = 0; i < MANY; i++) {
		args[i] = KIN_V(i);
		slots[i] = KIN_S(&x[i]);
	}
	v = through((struct kin_args){ args, MANY });
	ck_kin_ok(kin_values_take_all(v, (struct kin_slots){ slots, MANY }));
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(x[i], i);
	kin_values_free(v);
}
END_TEST

static int
encode(struct kin_args args, const struct kn_way *way)
{
	struct kn_bundle b;
	int r = kn_bundle_encode(&b, args, way);

	if (r == 0)
		kn_bundle_sent(&b);
	return r;
}

START_TEST(what_is_no_value_is_named)
{
	struct kn_way way = { .what = "a test", .max_copy_bytes = 8 };
	const char *nobody = NULL;
	char table[9] = "12345678";
	kin_queue *q = NULL;
	kin_builder *b = NULL;
	kin_values *v = NULL;
	struct kin_arg rubbish = { .what = 99 };

	ck_says(-EINVAL, "argument 2: a NULL string; KIN_NIL is nothing",
		encode(KIN_ARGS(1, nobody), &way));
	ck_says(-EINVAL, "argument 1 ('nobody'): bytes at NULL",
		encode(KIN_ARGS(KIN_STR(nobody, 1)), &way));
	ck_says(-EINVAL, "argument 1 ('nobody')",
		encode(KIN_ARGS(KIN_RO(nobody, 1)), &way));
	ck_says(-EINVAL, "argument 1", encode(KIN_ARGS(q), &way));
	ck_says(-EINVAL, "argument 1", encode(KIN_ARGS(b), &way));
	ck_says(-EINVAL, "argument 1", encode(KIN_ARGS(v), &way));
	ck_says(-EINVAL, "argument 1", encode(KIN_ARGS(rubbish), &way));
	ck_says(-EINVAL, "argument 3", encode(KIN_ARGS(1, 2, KIN_FD(-1)),
					      &way));
	ck_says(-EBADF, "argument 1", encode(KIN_ARGS(KIN_FD(1000)), &way));
	ck_says(-EMSGSIZE, "argument 2 ('table') is 9 bytes, over "
		"max_copy_bytes 8; KIN_RO passes it without a copy",
		encode(KIN_ARGS(1, KIN_BIN(table, 9)), &way));
	ck_says(-EMSGSIZE, "argument 1 is 9 bytes",
		encode(KIN_ARGS("123456789"), &way));
	ck_kin_ok(encode(KIN_ARGS("12345678", KIN_BIN(table, 8),
				  KIN_BIN(NULL, 0), KIN_RO(table, 9)), &way));
}
END_TEST

START_TEST(what_is_copied_is_counted)
{
	uint64_t before = kin_copied_bytes();
	struct kn_way way = { .what = "a test" };

	ck_kin_ok(encode(KIN_ARGS(1, "four", KIN_BIN("123456", 6), 2.5),
			 &way));
	ck_assert_uint_eq(kin_copied_bytes() - before, 10);
}
END_TEST

/* ---- what is borrowed, and what belongs to the values ---- */

START_TEST(strings_stay_good_and_cost_nothing_twice)
{
	enum { MANY = 300 };
	static const char *s[MANY];
	static struct kin_arg args[MANY];
	static struct kin_slot slots[MANY];
	static char texts[MANY][400];
	const char *first;
	kin_values *v;
	int i, round;

	for (i = 0; i < MANY; i++) {
		memset(texts[i], 'a' + i % 26, (size_t)i);
		args[i] = KIN_V(texts[i]);
		slots[i] = KIN_S(&s[i]);
	}
	v = through((struct kin_args){ args, MANY });
	for (round = 0; round < 3; round++) {
		first = s[1];
		ck_kin_ok(kin_values_take_all(v, (struct kin_slots){ slots,
								     MANY }));
		for (i = 0; i < MANY; i++)
			ck_assert_str_eq(s[i], texts[i]);
		if (round > 0)
			ck_assert_ptr_eq(first, s[1]);
	}
	kin_values_free(v);
}
END_TEST

START_TEST(what_is_taken_belongs_to_the_values_unless_kept)
{
	static const char data[] = "data";
	int before, fd, fd2;
	kin_queue *q, *q1, *q2;
	const void *p;
	size_t n;
	kin_values *v;

	ck_kin_ok(kin_queue_create(&q, NULL));
	before = kit_descriptors();
	v = through(KIN_ARGS(q, KIN_FD(1), KIN_RO(data, 5)));
	ck_kin_ok(kin_values_take(v, &q1, KIN_FD(&fd), KIN_RO(&p, &n)));
	ck_kin_ok(kin_values_take(v, &q2, KIN_FD(&fd2), KIN_ANY));
	ck_assert_ptr_ne(q1, q2);
	ck_assert_int_ne(fd, fd2);
	ck_kin_ok(kin_queue_put(q1, "x", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q2), 1);
	ck_kin_ok(kin_values_keep(v, q1));
	ck_kin_ok(kin_values_keep(v, p));
	ck_kin_ok(kin_values_keep_fd(v, fd));
	ck_kin_fails(-ENOENT, kin_values_keep(v, q1));
	ck_kin_fails(-ENOENT, kin_values_keep(v, &n));
	ck_kin_fails(-ENOENT, kin_values_keep_fd(v, fd));
	ck_kin_fails(-ENOENT, kin_values_keep_fd(v, 0));
	kin_values_free(v);
	ck_assert_int_eq(kin_queue_len(q1), 1);
	ck_assert_str_eq(p, "data");
	ck_assert_int_ge(close(fd), 0);
	kin_queue_close(q1);
	kin_readonly_release(p);
	ck_assert_int_eq(kit_descriptors(), before);
	kin_queue_close(q);
}
END_TEST

START_TEST(nothing_is_taken_if_a_later_one_fails)
{
	kin_queue *q, *mark, *taken;
	char *copy = NULL;
	kin_values *v, *part = NULL;
	int held, fd = -7, n = 7;

	ck_kin_ok(kin_queue_create(&q, NULL));
	mark = taken = (kin_queue *)(void *)&n;
	v = through(KIN_ARGS(q, "text", KIN_FD(1), KIN_FD(2), q));
	held = kit_descriptors();
	ck_says(-EINVAL, "argument 5 is a queue, taken as an integer",
		kin_values_take(v, &taken, &copy, KIN_FD(&fd), &part, &n));
	ck_assert_ptr_eq(taken, mark);
	ck_assert_ptr_null(copy);
	ck_assert_ptr_null(part);
	ck_assert_int_eq(fd, -7);
	ck_assert_int_eq(kit_descriptors(), held);
	kin_values_free(v);
	kin_queue_close(q);
}
END_TEST

/* ---- plain bytes ---- */

START_TEST(packed_stored_and_parsed)
{
	kin_values *v, *again, *twice;
	const void *bytes, *bytes2;
	size_t len, len2;
	const char *s;
	int n;

	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(5, "text")));
	bytes = kin_values_bytes(v, &len);
	ck_assert_uint_eq(len, 7);
	ck_assert_mem_eq(bytes, "\x92\x05\xa4text", 7);
	ck_kin_ok(kin_values_parse(&again, bytes, len));
	kin_values_free(v);
	ck_kin_ok(kin_values_take(again, &n, &s));
	ck_assert_int_eq(n, 5);
	ck_assert_str_eq(s, "text");
	/* As an argument it is an array. */
	ck_kin_ok(kin_values_pack(&twice, KIN_ARGS(again)));
	bytes2 = kin_values_bytes(twice, &len2);
	ck_assert_uint_eq(len2, 8);
	ck_assert_mem_eq(bytes2, "\x91\x92\x05\xa4text", 8);
	kin_values_free(twice);
	kin_values_free(again);
	kin_values_free(NULL);
}
END_TEST

START_TEST(things_are_no_plain_bytes)
{
	kin_values *v = NULL;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, NULL));
	ck_says(-EOPNOTSUPP, "argument 2: a queue without a name of its "
		"own", kin_values_pack(&v, KIN_ARGS(1, q)));
	ck_says(-EOPNOTSUPP, "argument 1: a descriptor",
		kin_values_pack(&v, KIN_ARGS(KIN_FD(1))));
	ck_says(-EOPNOTSUPP, "argument 1 ('\"x\"'): read-only data",
		kin_values_pack(&v, KIN_ARGS(KIN_RO("x", 1))));
	ck_assert_ptr_null(v);
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("values");
	TCase *tc = kit_case(suite, "values");

	tcase_add_test(tc, as_many_as_thirty_two);
	tcase_add_test(tc, more_than_thirty_two_by_hand);
	tcase_add_test(tc, what_is_no_value_is_named);
	tcase_add_test(tc, what_is_copied_is_counted);
	tcase_add_test(tc, strings_stay_good_and_cost_nothing_twice);
	tcase_add_test(tc, what_is_taken_belongs_to_the_values_unless_kept);
	tcase_add_test(tc, nothing_is_taken_if_a_later_one_fails);
	tcase_add_test(tc, packed_stored_and_parsed);
	tcase_add_test(tc, things_are_no_plain_bytes);
	return kit_run(suite);
}
