/* SPDX-License-Identifier: MIT */
/*
 * test_manager.c - typed calls, and calls by name, through a real server
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/served.h"

#define T	KIT_PATIENCE

/* ---- a dict ---- */

static kin_manager *m;
static kin_dict *d;
static kin_list *l;
static kin_counter *c;

static void
begin_dict(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
}

static void
end_dict(void)
{
	kin_dict_close(d);
	await_objects(m, 0);
	unserve(m);
}

START_TEST(a_dict_sets_gets_and_removes)
{
	int64_t n = 7;
	char *s;

	begin_dict(_i);
	ck_assert_str_eq(kin_proxy_type(kin_dict_proxy(d)), "dict");
	ck_assert_int_eq(kin_dict_set(d, KIN_V("a"), KIN_V(3), T), 0);
	ck_assert_int_eq(kin_dict_set(d, KIN_V("a"), KIN_V(4), T), 1);
	ck_kin_ok(kin_dict_get(d, KIN_V("a"), KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(kin_dict_has(d, KIN_V("a"), T), 1);
	ck_assert_int_eq(kin_dict_has(d, KIN_V("b"), T), 0);
	ck_assert_int_eq(kin_dict_remove(d, KIN_V("a"), T), 1);
	ck_assert_int_eq(kin_dict_remove(d, KIN_V("a"), T), 0);
	ck_kin_fails(-ENOENT, kin_dict_get(d, KIN_V("a"), KIN_TAKE(&n), T));
	ck_kin_fails(-ENOENT, kin_dict_pop(d, KIN_V("a"), KIN_TAKE(&n), T));
	ck_assert_int_eq(kin_dict_set(d, KIN_V(-5), KIN_V("minus"), T), 0);
	ck_kin_ok(kin_dict_pop(d, KIN_V(-5), KIN_TAKE(&s), T));
	ck_assert_str_eq(s, "minus");
	free(s);
	ck_assert_int_eq(kin_dict_len(d, T), 0);
	end_dict();
}
END_TEST

START_TEST(a_dict_has_defaults_and_sums)
{
	int64_t n = 0;

	begin_dict(_i);
	ck_kin_ok(kin_dict_setdefault(d, KIN_V("k"), KIN_V(1), KIN_TAKE(&n),
				      T));
	ck_assert_int_eq(n, 1);
	ck_kin_ok(kin_dict_setdefault(d, KIN_V("k"), KIN_V(2), KIN_TAKE(&n),
				      T));
	ck_assert_int_eq(n, 1);
	ck_kin_ok(kin_dict_add(d, KIN_V("k"), 41, &n, T));
	ck_assert_int_eq(n, 42);
	ck_kin_ok(kin_dict_add(d, KIN_V("new"), -1, NULL, T));
	ck_kin_ok(kin_dict_get(d, KIN_V("new"), KIN_TAKE(&n), T));
	ck_assert_int_eq(n, -1);
	ck_kin_ok(kin_dict_set(d, KIN_V("max"), KIN_V(INT64_MAX), T));
	ck_kin_fails(-ERANGE, kin_dict_add(d, KIN_V("max"), 1, &n, T));
	ck_kin_ok(kin_dict_get(d, KIN_V("max"), KIN_TAKE(&n), T));
	ck_assert_int_eq(n, INT64_MAX);
	ck_kin_ok(kin_dict_set(d, KIN_V("s"), KIN_V("text"), T));
	ck_kin_fails(-EINVAL, kin_dict_add(d, KIN_V("s"), 1, NULL, T));
	end_dict();
}
END_TEST

static kin_builder *
two_pairs(const char *a, int64_t x, const char *b, int64_t y)
{
	kin_builder *map;

	ck_kin_ok(kin_builder_new(&map));
	ck_kin_ok(kin_builder_map(map));
	ck_kin_ok(kin_builder_add(map, a, x));
	ck_kin_ok(kin_builder_add(map, b, y));
	ck_kin_ok(kin_builder_end(map));
	return map;
}

START_TEST(many_are_added_in_one_step_or_none)
{
	kin_builder *map = two_pairs("a", 2, "b", INT64_MAX);
	int64_t n;

	begin_dict(_i);
	ck_kin_ok(kin_dict_add_many(d, map, T));
	ck_kin_ok(kin_dict_get(d, KIN_V("b"), KIN_TAKE(&n), T));
	ck_assert_int_eq(n, INT64_MAX);
	ck_kin_fails(-ERANGE, kin_dict_add_many(d, map, T));
	ck_kin_ok(kin_dict_get(d, KIN_V("a"), KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 2);
	kin_builder_free(map);
	map = two_pairs("a", 9, "c", 8);
	ck_kin_ok(kin_dict_update(d, map, T));
	kin_builder_free(map);
	ck_kin_ok(kin_dict_get(d, KIN_V("a"), KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 9);
	ck_assert_int_eq(kin_dict_len(d, T), 3);
	ck_kin_ok(kin_dict_clear(d, T));
	ck_assert_int_eq(kin_dict_len(d, T), 0);
	end_dict();
}
END_TEST

START_TEST(keys_and_items_come_in_the_order_of_their_first_set)
{
	static const char *const order[] = { "z", "a", "m" };
	struct kin_cursor at;
	kin_values *v;
	const char *key;
	int64_t n, i = 0;

	begin_dict(_i);
	for (i = 0; i < 3; i++)
		ck_kin_ok(kin_dict_set(d, KIN_V(order[i]), KIN_V(i), T));
	ck_assert_int_eq(kin_dict_set(d, KIN_V("z"), KIN_V(10), T), 1);
	ck_kin_ok(kin_dict_keys(d, &v, T));
	ck_kin_ok(kin_values_take(v, &at));
	for (i = 0; kin_cursor_next(&at, &key) == 1; i++)
		ck_assert_str_eq(key, order[i]);
	ck_assert_int_eq(i, 3);
	kin_values_free(v);
	ck_kin_ok(kin_dict_items(d, &v, T));
	ck_kin_ok(kin_values_take(v, &at));
	for (i = 0; kin_cursor_next(&at, &key, &n) == 1; i++) {
		ck_assert_str_eq(key, order[i]);
		ck_assert_int_eq(n, i == 0 ? 10 : i);
	}
	ck_assert_int_eq(i, 3);
	kin_values_free(v);
	end_dict();
}
END_TEST

#define CROWD	100000
#define BATCH	10000

START_TEST(a_dict_of_a_hundred_thousand_keys)
{
	kin_builder *map;
	struct kin_cursor at;
	kin_values *v;
	int64_t key, value, i = 0;

	begin_dict(_i);
	while (i < CROWD) {
		ck_kin_ok(kin_builder_new(&map));
		kin_builder_map(map);
		do
			kin_builder_add(map, i, i * 3);
		while (++i % BATCH != 0);
		kin_builder_end(map);
		ck_kin_ok(kin_dict_update(d, map, T));
		kin_builder_free(map);
	}
	ck_assert_int_eq(kin_dict_len(d, T), CROWD);
	ck_kin_ok(kin_dict_keys(d, &v, T));
	ck_kin_ok(kin_values_take(v, &at));
	for (i = 0; kin_cursor_next(&at, &key) == 1; i++)
		ck_fast(key == i);
	ck_assert_int_eq(i, CROWD);
	kin_values_free(v);
	ck_kin_ok(kin_dict_items(d, &v, T));
	ck_kin_ok(kin_values_take(v, &at));
	for (i = 0; kin_cursor_next(&at, &key, &value) == 1; i++)
		ck_fast(key == i && value == i * 3);
	ck_assert_int_eq(i, CROWD);
	kin_values_free(v);
	end_dict();
}
END_TEST

/* ---- a list ---- */

static void
begin_list(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_list_create(&l, m, NULL, T));
}

static void
end_list(void)
{
	kin_list_close(l);
	await_objects(m, 0);
	unserve(m);
}

static void
ck_list_is(const int64_t *expected, int64_t n)
{
	struct kin_cursor at;
	kin_values *v;
	int64_t i, x;

	ck_assert_int_eq(kin_list_len(l, T), n);
	ck_kin_ok(kin_list_slice(l, 0, 1000, &v, T));
	ck_kin_ok(kin_values_take(v, &at));
	for (i = 0; kin_cursor_next(&at, &x) == 1; i++) {
		ck_assert_int_lt(i, n);
		ck_assert_int_eq(x, expected[i]);
	}
	ck_assert_int_eq(i, n);
	kin_values_free(v);
}

START_TEST(a_list_grows_and_shrinks)
{
	int64_t n;

	begin_list(_i);
	ck_assert_str_eq(kin_proxy_type(kin_list_proxy(l)), "list");
	ck_kin_ok(kin_list_append(l, KIN_V(1), T));
	ck_kin_ok(kin_list_extend(l, KIN_ARGS(2, 3, 4), T));
	ck_kin_ok(kin_list_insert(l, 0, KIN_V(0), T));
	ck_kin_ok(kin_list_insert(l, 5, KIN_V(5), T));
	ck_list_is((const int64_t[]){ 0, 1, 2, 3, 4, 5 }, 6);
	ck_kin_ok(kin_list_set(l, -1, KIN_V(50), T));
	ck_kin_ok(kin_list_get(l, 5, KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 50);
	ck_kin_ok(kin_list_pop(l, -1, KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 50);
	ck_kin_ok(kin_list_pop(l, 0, KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 0);
	ck_kin_ok(kin_list_remove(l, 1, T));
	ck_list_is((const int64_t[]){ 1, 3, 4 }, 3);
	ck_assert_int_eq(kin_list_find(l, KIN_V(4), T), 2);
	ck_kin_fails(-ENOENT, kin_list_find(l, KIN_V("4"), T));
	ck_kin_ok(kin_list_clear(l, T));
	ck_list_is(NULL, 0);
	end_list();
}
END_TEST

START_TEST(a_list_knows_its_bounds)
{
	kin_values *v;
	int64_t n;

	begin_list(_i);
	ck_kin_ok(kin_list_extend(l, KIN_ARGS("a", "b"), T));
	ck_kin_fails(-ERANGE, kin_list_get(l, 2, KIN_TAKE(KIN_ANY), T));
	ck_kin_fails(-ERANGE, kin_list_get(l, -3, KIN_TAKE(KIN_ANY), T));
	ck_kin_fails(-ERANGE, kin_list_set(l, 2, KIN_V(1), T));
	ck_kin_fails(-ERANGE, kin_list_insert(l, 3, KIN_V(1), T));
	ck_kin_fails(-ERANGE, kin_list_pop(l, 2, KIN_TAKE(KIN_ANY), T));
	ck_kin_fails(-ERANGE, kin_list_remove(l, -3, T));
	ck_kin_fails(-ERANGE, kin_list_get(l, INT64_MIN, KIN_TAKE(&n), T));
	ck_kin_ok(kin_list_slice(l, 1, UINT64_MAX, &v, T));
	kin_values_free(v);
	ck_assert_int_eq(kin_list_len(l, T), 2);
	end_list();
}
END_TEST

/* ---- a counter ---- */

static void
begin_counter(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_counter_create(&c, m, NULL, T));
}

static void
end_counter(void)
{
	kin_counter_close(c);
	await_objects(m, 0);
	unserve(m);
}

START_TEST(a_counter_counts)
{
	int64_t n = -1;

	begin_counter(_i);
	ck_assert_str_eq(kin_proxy_type(kin_counter_proxy(c)), "counter");
	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, 0);
	ck_kin_ok(kin_counter_add(c, 5, &n, T));
	ck_assert_int_eq(n, 5);
	ck_kin_ok(kin_counter_add(c, -7, NULL, T));
	ck_kin_ok(kin_counter_set(c, 100, &n, T));
	ck_assert_int_eq(n, -2);
	ck_assert_int_eq(kin_counter_swap(c, 99, 1, &n, T), 0);
	ck_assert_int_eq(n, 100);
	ck_assert_int_eq(kin_counter_swap(c, 100, INT64_MAX, NULL, T), 1);
	ck_kin_fails(-ERANGE, kin_counter_add(c, 1, &n, T));
	ck_assert_int_eq(n, 100);
	ck_kin_ok(kin_counter_set(c, INT64_MIN, NULL, T));
	ck_kin_fails(-ERANGE, kin_counter_add(c, -1, NULL, T));
	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, INT64_MIN);
	end_counter();
}
END_TEST

/* ---- by name, and what is refused ---- */

START_TEST(methods_by_name)
{
	kin_proxy *p;
	int64_t n;

	begin_counter(_i);
	p = kin_counter_proxy(c);
	ck_kin_ok(kin_proxy_call(p, "add", KIN_ARGS(5), KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 5);
	ck_kin_ok(kin_proxy_call(p, "add", KIN_ARGS(5), KIN_TAKE(), T));
	ck_kin_fails(-ENOSYS, kin_proxy_call(p, "fly", KIN_ARGS(),
					     KIN_TAKE(), T));
	ck_kin_fails(-ENOSYS, kin_proxy_call(p, "", KIN_ARGS(), KIN_TAKE(),
					     T));
	ck_kin_fails(-EINVAL, kin_proxy_call(p, "add", KIN_ARGS(),
					     KIN_TAKE(&n), T));
	ck_kin_fails(-EINVAL, kin_proxy_call(p, "add", KIN_ARGS(1, 2),
					     KIN_TAKE(&n), T));
	ck_kin_fails(-EINVAL, kin_proxy_call(p, "add", KIN_ARGS("1"),
					     KIN_TAKE(&n), T));
	ck_kin_fails(-EINVAL, kin_proxy_call(p, "add",
					     KIN_ARGS((char *)NULL),
					     KIN_TAKE(&n), T));
	ck_kin_fails(-ERANGE, kin_proxy_call(p, "add", KIN_ARGS(UINT64_MAX),
					     KIN_TAKE(&n), T));
	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, 10);
	end_counter();
}
END_TEST

/* What cannot be taken is not; but the call was made. */
START_TEST(results_have_the_types_of_their_places)
{
	kin_proxy *p;
	int64_t n = 1;
	int8_t small = 1;
	char *s = NULL;
	double x;

	begin_counter(_i);
	p = kin_counter_proxy(c);
	ck_kin_ok(kin_counter_set(c, 1000, NULL, T));
	ck_kin_fails(-ERANGE, kin_proxy_call(p, "get", KIN_ARGS(),
					     KIN_TAKE(&small), T));
	ck_kin_fails(-EINVAL, kin_proxy_call(p, "get", KIN_ARGS(),
					     KIN_TAKE(&s), T));
	ck_kin_fails(-EINVAL, kin_proxy_call(p, "get", KIN_ARGS(),
					     KIN_TAKE(&n, &small), T));
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(small, 1);
	ck_assert_ptr_null(s);
	ck_kin_ok(kin_proxy_call(p, "get", KIN_ARGS(), KIN_TAKE(&x), T));
	ck_assert(x == 1000.0);
	end_counter();
}
END_TEST

START_TEST(what_would_be_borrowed_is_refused)
{
	struct kin_cursor at;
	const void *bytes;
	const char *s;
	size_t n;

	begin_dict(_i);
	ck_kin_ok(kin_dict_set(d, KIN_V("s"), KIN_V("text"), T));
	ck_kin_fails(-EINVAL, kin_dict_get(d, KIN_V("s"), KIN_TAKE(&s), T));
	ck_assert_int_eq(kin_dict_get(d, KIN_V("s"), KIN_TAKE(&s), T),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "char *"));
	ck_kin_fails(-EINVAL, kin_dict_get(d, KIN_V("s"),
					   KIN_TAKE(KIN_STR(&s, &n)), T));
	ck_kin_fails(-EINVAL, kin_dict_get(d, KIN_V("s"),
					   KIN_TAKE(KIN_BIN(&bytes, &n)), T));
	ck_kin_fails(-EINVAL, kin_dict_get(d, KIN_V("s"), KIN_TAKE(&at), T));
	end_dict();
}
END_TEST

START_TEST(values_of_any_kind_come_back_as_they_were)
{
	kin_builder *b = two_pairs("x", 1, "y", 2);
	struct kin_cursor at;
	kin_values *v, *in;
	const char *key;
	const void *bytes;
	size_t len;
	int64_t n;
	bool yes = false;
	double x;

	begin_dict(_i);
	ck_kin_ok(kin_dict_set(d, KIN_V("map"), kin_give_builder(b), T));
	kin_builder_free(b);
	ck_kin_ok(kin_dict_get(d, KIN_V("map"), KIN_TAKE(&v), T));
	ck_kin_ok(kin_values_take(v, &at));
	ck_assert_int_eq(kin_cursor_next(&at, &key, &n), 1);
	ck_assert_str_eq(key, "x");
	ck_assert_int_eq(n, 1);
	kin_values_free(v);
	ck_kin_ok(kin_dict_set(d, KIN_V("bin"), KIN_BIN("\0\1\2", 3), T));
	ck_kin_ok(kin_dict_get(d, KIN_V("bin"), KIN_TAKE(&in), T));
	ck_kin_ok(kin_values_take(in, KIN_BIN(&bytes, &len)));
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(bytes, "\0\1\2", 3);
	kin_values_free(in);
	ck_kin_ok(kin_dict_set(d, KIN_V("yes"), KIN_BOOL(1), T));
	ck_kin_ok(kin_dict_get(d, KIN_V("yes"), KIN_TAKE(&yes), T));
	ck_assert(yes);
	ck_kin_ok(kin_dict_set(d, KIN_V("x"), KIN_V(2.5), T));
	ck_kin_ok(kin_dict_get(d, KIN_V("x"), KIN_TAKE(&x), T));
	ck_assert(x == 2.5);
	ck_kin_ok(kin_dict_set(d, KIN_V("nil"), KIN_NIL, T));
	ck_kin_ok(kin_dict_get(d, KIN_V("nil"), KIN_TAKE(KIN_ANY), T));
	end_dict();
}
END_TEST

START_TEST(what_has_a_descriptor_cannot_live_there)
{
	kin_queue *q;

	begin_dict(_i);
	ck_kin_ok(kin_queue_create(&q, NULL));
	ck_kin_fails(-EOPNOTSUPP, kin_dict_set(d, KIN_V("q"), KIN_V(q), T));
	ck_kin_fails(-EOPNOTSUPP, kin_dict_set(d, KIN_V("f"), KIN_FD(0), T));
	ck_kin_fails(-EINVAL, kin_dict_set(d, KIN_NIL, KIN_V(1), T));
	ck_kin_fails(-EINVAL, kin_dict_set(d, KIN_V(1.5), KIN_V(1), T));
	kin_queue_close(q);
	ck_assert_int_eq(kin_dict_len(d, T), 0);
	end_dict();
}
END_TEST

/* ---- large ones ---- */

#define BIG	((size_t)32 << 20)

START_TEST(a_value_of_many_megabytes)
{
	char *big = malloc(BIG);
	kin_values *v;
	const void *bytes;
	size_t len, i;

	ck_assert_ptr_nonnull(big);
	for (i = 0; i < BIG; i++)
		big[i] = (char)(i * 7 + (i >> 16));
	begin_dict(_i);
	ck_kin_ok(kin_dict_set(d, KIN_V("big"), KIN_BIN(big, BIG), T));
	ck_kin_ok(kin_dict_get(d, KIN_V("big"), KIN_TAKE(&v), T));
	ck_kin_ok(kin_values_take(v, KIN_BIN(&bytes, &len)));
	ck_assert_uint_eq(len, BIG);
	ck_assert_int_eq(memcmp(bytes, big, BIG), 0);
	kin_values_free(v);
	free(big);
	end_dict();
}
END_TEST

/* Said here, before anything is sent: the connection goes on. */
START_TEST(a_request_that_is_too_long)
{
	char *text = calloc(1, 5000);

	memset(text, 'x', 4999);
	choose_engine(_i);
	ck_kin_ok(kin_manager_start(&m, KIN_OPTS(kin_manager_opts,
						 .max_bytes = 4096), T));
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
	ck_kin_fails(-EMSGSIZE, kin_dict_set(d, KIN_V("k"), KIN_V(text), T));
	text[4000] = '\0';
	ck_kin_ok(kin_dict_set(d, KIN_V("k"), KIN_V(text), T));
	ck_assert_uint_eq(counts(m).sessions, 1);
	free(text);
	end_dict();
}
END_TEST

/* ---- */

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager");
	TCase *tc = kit_case(s, "dict");

	add_both(tc, a_dict_sets_gets_and_removes);
	add_both(tc, a_dict_has_defaults_and_sums);
	add_both(tc, many_are_added_in_one_step_or_none);
	add_both(tc, keys_and_items_come_in_the_order_of_their_first_set);
	add_both(tc, a_dict_of_a_hundred_thousand_keys);
	tc = kit_case(s, "list");
	add_both(tc, a_list_grows_and_shrinks);
	add_both(tc, a_list_knows_its_bounds);
	tc = kit_case(s, "counter");
	add_both(tc, a_counter_counts);
	tc = kit_case(s, "by name");
	add_both(tc, methods_by_name);
	add_both(tc, results_have_the_types_of_their_places);
	add_both(tc, what_would_be_borrowed_is_refused);
	add_both(tc, values_of_any_kind_come_back_as_they_were);
	add_both(tc, what_has_a_descriptor_cannot_live_there);
	tc = kit_case(s, "large");
	add_both(tc, a_value_of_many_megabytes);
	add_both(tc, a_request_that_is_too_long);
	return s;
}

int
main(void)
{
	return kit_run(make_suite());
}
