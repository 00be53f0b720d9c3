/* SPDX-License-Identifier: MIT */
/*
 * test_values_cxx.cpp - the same spelling from C++17
 */
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <kin/kin.h>

extern "C" {
#include "tests/kit.h"
}

template <class T>
static void
there_and_back(T x)
{
	const T same = x;
	kin_values *v = nullptr;
	T a = T(), b = T();

	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(x, same)));
	ck_kin_ok(kin_values_take(v, &a, &b));
	ck_assert(a == x && b == x);
	kin_values_free(v);
}

START_TEST(every_number)
{
	there_and_back<char>('x');
	there_and_back<signed char>(SCHAR_MIN);
	there_and_back<unsigned char>(UCHAR_MAX);
	there_and_back<short>(SHRT_MIN);
	there_and_back<unsigned short>(USHRT_MAX);
	there_and_back<int>(INT_MIN);
	there_and_back<unsigned>(UINT_MAX);
	there_and_back<long>(LONG_MIN);
	there_and_back<unsigned long>(ULONG_MAX);
	there_and_back<long long>(LLONG_MIN);
	there_and_back<unsigned long long>(ULLONG_MAX);
	there_and_back<float>(2.5f);
	there_and_back<double>(0.1);
	there_and_back<bool>(true);
	there_and_back<int64_t>(INT64_MIN);
	there_and_back<size_t>(SIZE_MAX);
}
END_TEST

/* true is a bool there, and an int in C. */
START_TEST(what_is_a_bool)
{
	kin_values *v = nullptr;
	bool a, b;
	int n;

	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(true, KIN_BOOL(5), 1)));
	ck_kin_ok(kin_values_take(v, &a, &b, &n));
	ck_assert(a && b && n == 1);
	ck_kin_fails(-EINVAL, kin_values_take(v, &n, &b, &n));
	kin_values_free(v);
}
END_TEST

START_TEST(strings_and_what_is_spelled_out)
{
	kin_values *v = nullptr;
	std::string text = "text";
	char array[] = "array", *writable = array, *copy = nullptr;
	const char *a, *b, *c;
	const void *p;
	size_t n, len;

	ck_kin_ok(kin_values_pack(&v, KIN_ARGS("literal", text.c_str(),
	    writable, KIN_BIN(text.data(), text.size()),
	    KIN_STR(text.data(), 2), KIN_NIL, array)));
	ck_kin_ok(kin_values_take(v, &a, &b, &c, KIN_BIN(&p, &n),
				  KIN_STR(&p, &len), KIN_ANY, &copy));
	ck_assert_str_eq(a, "literal");
	ck_assert_str_eq(b, "text");
	ck_assert_str_eq(c, "array");
	ck_assert_str_eq(copy, "array");
	ck_assert_uint_eq(n, 4);
	ck_assert_uint_eq(len, 2);
	ck_assert_mem_eq(p, "te", 2);
	free(copy);
	kin_values_free(v);
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS()));
	ck_kin_ok(kin_values_take_all(v, KIN_TAKE()));
	kin_values_free(v);
}
END_TEST

START_TEST(builders_cursors_and_values)
{
	kin_values *v = nullptr, *again = nullptr, *part = nullptr;
	kin_builder *b = nullptr;
	kin_cursor pairs, row;
	const char *key;
	int n, sum = 0;

	ck_kin_ok(kin_builder_new(&b));
	ck_kin_ok(kin_builder_map(b));
	ck_kin_ok(kin_builder_add(b, "apple", 3, "pear", 5));
	ck_kin_ok(kin_builder_end(b));
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(b)));
	kin_builder_free(b);
	ck_kin_ok(kin_values_pack(&again, KIN_ARGS(v, KIN_V(2.5))));
	kin_values_free(v);
	ck_kin_ok(kin_values_take(again, &part, KIN_ANY));
	ck_kin_ok(kin_values_take(part, &row));
	ck_assert_int_eq(kin_cursor_next(&row, &pairs), 1);
	while (kin_cursor_next(&pairs, &key, &n) > 0)
		sum += n;
	ck_assert_int_eq(sum, 8);
	kin_values_free(part);
	kin_values_free(again);
}
END_TEST

START_TEST(a_named_segment)
{
	struct kin_segment_opts opts = {};
	kin_segment *made = nullptr, *got = nullptr;
	const kin_segment *same;
	kin_values *v = nullptr;
	kin_queue *q = nullptr;

	opts.size = sizeof(opts);
	opts.bytes = 10;
	opts.name = "texts";
	ck_kin_ok(kin_segment_create(&made, &opts));
	ck_kin_ok(kin_queue_create(&q, nullptr));
	same = made;
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(1, same), KIN_NOWAIT));
	ck_kin_ok(kin_queue_get_values(q, &v, KIN_NOWAIT));
	ck_kin_ok(kin_values_take(v, KIN_ANY, &got));
	ck_assert_uint_eq(kin_segment_bytes(got), 10);
	ck_kin_fails(-EINVAL, kin_values_take(v, KIN_ANY, &q));
	ck_kin_fails(-EOPNOTSUPP, kin_queue_put_values(q, KIN_ARGS(q,
	    KIN_FD(1)), KIN_NOWAIT));
	kin_values_free(v);
	kin_queue_close(q);
	kin_segment_close(made);
	ck_kin_ok(kin_segment_unlink("texts"));
}
END_TEST

int
main()
{
	Suite *suite = suite_create("values in C++");
	TCase *tc = kit_case(suite, "C++");

	tcase_add_test(tc, every_number);
	tcase_add_test(tc, what_is_a_bool);
	tcase_add_test(tc, strings_and_what_is_spelled_out);
	tcase_add_test(tc, builders_cursors_and_values);
	tcase_add_test(tc, a_named_segment);
	return kit_run(suite);
}
