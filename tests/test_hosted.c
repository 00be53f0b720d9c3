/* SPDX-License-Identifier: MIT */
/*
 * test_hosted.c - dictionaries, lists and counters where they live: each
 * method, and each way in which it fails
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hosted.h"

#define ck_says(words)							\
	ck_assert_msg(strcmp(kin_errmsg(), (words)) == 0, "'%s'",	\
		      kin_errmsg())

static struct kn_object *
begin(const struct kn_type *type)
{
	/* The kit makes its mark at its first look: not over a sentence. */
	(void)kit_forgotten();
	hosted_begin();
	return make(type);
}

static int64_t
number(struct kn_object *o, const char *method, struct kin_args args)
{
	int64_t n;

	ck_kin_ok(ask(o, method, args, KIN_TAKE(&n)));
	return n;
}

static int
tell(struct kn_object *o, const char *method, struct kin_args args)
{
	return ask(o, method, args, KIN_TAKE());
}

/* ---- calling ---- */

START_TEST(test_what_is_no_call)
{
	struct kn_object *d = begin(&kn_dict_type);

	ck_kin_fails(-ENOSYS, tell(d, "frob\x1b\n", KIN_ARGS()));
	ck_says("a dict has no method 'frob?\?'");
	ck_kin_fails(-ENOSYS, tell(d, "", KIN_ARGS()));
	ck_kin_fails(-EINVAL, tell(d, "get", KIN_ARGS()));
	ck_says("'get' of a dict takes 1 argument, not 0");
	ck_kin_fails(-EINVAL, tell(d, "set", KIN_ARGS(1, 2, 3)));
	ck_says("'set' of a dict takes 2 arguments, not 3");
	ck_kin_fails(-EINVAL, tell(d, "len", KIN_ARGS(1)));
	ck_assert_uint_eq(d->refs, 1);
	hosted_end();
}
END_TEST

/* ---- a counter ---- */

START_TEST(test_counter)
{
	struct kn_object *c = begin(&kn_counter_type);
	int64_t was;
	int done;

	ck_assert_int_eq(number(c, "get", KIN_ARGS()), 0);
	ck_assert_int_eq(number(c, "add", KIN_ARGS(5)), 5);
	ck_assert_int_eq(number(c, "add", KIN_ARGS(-7)), -2);
	ck_assert_int_eq(number(c, "set", KIN_ARGS(INT64_MAX)), -2);
	ck_kin_fails(-ERANGE, tell(c, "add", KIN_ARGS(1)));
	ck_assert_int_eq(number(c, "get", KIN_ARGS()), INT64_MAX);
	ck_assert_int_eq(number(c, "set", KIN_ARGS(INT64_MIN)), INT64_MAX);
	ck_kin_fails(-ERANGE, tell(c, "add", KIN_ARGS(-1)));
	ck_assert_int_eq(number(c, "get", KIN_ARGS()), INT64_MIN);
	ck_kin_ok(ask(c, "swap", KIN_ARGS(3, 4), KIN_TAKE(&done, &was)));
	ck_assert_int_eq(done, 0);
	ck_assert_int_eq(was, INT64_MIN);
	ck_kin_ok(ask(c, "swap", KIN_ARGS(INT64_MIN, 4),
		      KIN_TAKE(&done, &was)));
	ck_assert_int_eq(done, 1);
	ck_assert_int_eq(number(c, "get", KIN_ARGS()), 4);
	ck_kin_fails(-EINVAL, tell(c, "add", KIN_ARGS("1")));
	ck_says("argument 1 is a string, not an integer");
	ck_kin_fails(-EINVAL, tell(c, "swap", KIN_ARGS(4, 1.5)));
	ck_says("argument 2 is a float, not an integer");
	ck_kin_fails(-ERANGE, tell(c, "set", KIN_ARGS(1ull << 63)));
	ck_assert_int_eq(number(c, "get", KIN_ARGS()), 4);
	hosted_end();
}
END_TEST

/* ---- a list ---- */

/* Its items are these integers. */
static void
ck_list(struct kn_object *l, const int *items, size_t n)
{
	struct kin_cursor all;
	int item;

	ck_assert_int_eq(number(l, "len", KIN_ARGS()), (int64_t)n);
	ck_kin_ok(ask(l, "slice", KIN_ARGS(0, n), KIN_TAKE(&all)));
	for (size_t i = 0; i < n; i++) {
		ck_fast(kin_cursor_next(&all, &item) == 1);
		ck_fast(item == items[i]);
	}
	ck_fast(kin_cursor_next(&all, &item) == 0);
}
#define CK_LIST(l, ...)							\
	ck_list((l), (const int[]){ __VA_ARGS__ },			\
		sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

START_TEST(test_list)
{
	struct kn_object *l = begin(&kn_list_type);
	struct kin_cursor all;
	int item;

	ck_list(l, NULL, 0);
	ck_kin_ok(tell(l, "append", KIN_ARGS(1)));
	ck_kin_ok(tell(l, "extend", KIN_ARGS(2, 3)));
	ck_kin_ok(tell(l, "extend", KIN_ARGS()));
	CK_LIST(l, 1, 2, 3);
	ck_kin_ok(tell(l, "insert", KIN_ARGS(3, 9)));
	ck_kin_ok(tell(l, "insert", KIN_ARGS(0, 0)));
	ck_kin_ok(tell(l, "insert", KIN_ARGS(-1, 8)));
	CK_LIST(l, 0, 1, 2, 3, 8, 9);
	ck_assert_int_eq(number(l, "get", KIN_ARGS(0)), 0);
	ck_assert_int_eq(number(l, "get", KIN_ARGS(-6)), 0);
	ck_assert_int_eq(number(l, "get", KIN_ARGS(-1)), 9);
	ck_kin_ok(tell(l, "set", KIN_ARGS(-1, 7)));
	ck_assert_int_eq(number(l, "pop", KIN_ARGS(1)), 1);
	ck_kin_ok(tell(l, "remove", KIN_ARGS(-2)));
	CK_LIST(l, 0, 2, 3, 7);
	ck_kin_ok(ask(l, "slice", KIN_ARGS(-2, UINT64_MAX), KIN_TAKE(&all)));
	ck_assert_int_eq(kin_cursor_next(&all, &item), 1);
	ck_assert_int_eq(item, 3);
	ck_assert_int_eq(kin_cursor_next(&all, &item), 1);
	ck_assert_int_eq(kin_cursor_next(&all, &item), 0);
	ck_kin_ok(ask(l, "slice", KIN_ARGS(4, 1), KIN_TAKE(&all)));
	ck_assert_int_eq(kin_cursor_next(&all, &item), 0);
	ck_kin_ok(tell(l, "clear", KIN_ARGS()));
	ck_list(l, NULL, 0);
	ck_kin_ok(tell(l, "append", KIN_ARGS(1)));
	CK_LIST(l, 1);
	hosted_end();
}
END_TEST

START_TEST(test_no_such_index)
{
	static const char *const methods[] = { "get", "pop", "remove" };
	static const int64_t wrong[] = { 3, -4, INT64_MAX, INT64_MIN };
	struct kn_object *l = begin(&kn_list_type);

	ck_kin_fails(-ERANGE, tell(l, "get", KIN_ARGS(-1)));
	ck_says("index -1 of a list of 0 items");
	ck_kin_ok(tell(l, "extend", KIN_ARGS(1, 2, 3)));
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 3; j++)
			ck_kin_fails(-ERANGE, tell(l, methods[j],
						   KIN_ARGS(wrong[i])));
		ck_kin_fails(-ERANGE, tell(l, "set", KIN_ARGS(wrong[i], 0)));
		if (i > 0) {
			ck_kin_fails(-ERANGE, tell(l, "insert",
						   KIN_ARGS(wrong[i], 0)));
			ck_kin_fails(-ERANGE, tell(l, "slice",
						   KIN_ARGS(wrong[i], 1)));
		}
	}
	ck_kin_fails(-ERANGE, tell(l, "get", KIN_ARGS(UINT64_MAX)));
	ck_kin_fails(-EINVAL, tell(l, "get", KIN_ARGS("0")));
	ck_kin_fails(-ERANGE, tell(l, "slice", KIN_ARGS(0, -1)));
	ck_says("argument 2 is -1, less than 0");
	CK_LIST(l, 1, 2, 3);
	hosted_end();
}
END_TEST

START_TEST(test_list_like_a_model)
{
	struct kn_object *l = begin(&kn_list_type);
	static int model[400];
	uint32_t seed = 11;
	size_t n = 0;

	for (int i = 0; i < 4000; i++) {
		size_t at = next_random(&seed) % (n + 1);
		bool from_end = next_random(&seed) % 2 && at < n;
		int64_t index = (int64_t)at - (from_end ? (int64_t)n : 0);

		/* It swells to 350, and shrinks to nothing. */
		if (n < 350 && (at == n || i / 1000 % 2 == 0)) {
			ck_fast(tell(l, "insert", KIN_ARGS(index, i)) == 0);
			memmove(&model[at + 1], &model[at],
				(n - at) * sizeof(model[0]));
			model[at] = i;
			n++;
		} else if (at < n) {
			ck_fast(number(l, "pop", KIN_ARGS(index)) ==
				model[at]);
			n--;
			memmove(&model[at], &model[at + 1],
				(n - at) * sizeof(model[0]));
		}
		if (i % 100 == 0)
			ck_list(l, model, n);
	}
	hosted_end();
}
END_TEST

/* ---- equality ---- */

/* Is what was given last found there, by that other spelling? */
static void
ck_found(struct kn_object *l, struct kin_arg given, struct kin_arg sought,
	 bool should)
{
	int64_t at = -1;
	int r;

	ck_kin_ok(tell(l, "clear", KIN_ARGS()));
	ck_kin_ok(tell(l, "extend", KIN_ARGS("no", given, given)));
	r = ask(l, "find", KIN_ARGS(sought), KIN_TAKE(&at));
	ck_assert_int_eq(r, should ? 0 : -ENOENT);
	ck_assert_int_eq(at, should ? 1 : -1);
	if (!should)
		ck_says("no such item");
}

START_TEST(test_equal)
{
	struct kn_object *l = begin(&kn_list_type);
	struct kn_object *a = make(&kn_dict_type), *b = make(&kn_dict_type);

	ck_found(l, RAW("\x05"), RAW("\xd3\0\0\0\0\0\0\0\5"), true);
	ck_found(l, RAW("\x05"), RAW("\xcd\0\x05"), true);
	ck_found(l, RAW("\xff"), RAW("\xd1\xff\xff"), true);
	ck_found(l, KIN_V(UINT64_MAX), KIN_V(-1), false);
	ck_found(l, KIN_V(1), KIN_V((_Bool)1), false);
	ck_found(l, KIN_V(1), KIN_V(1.0), false);
	ck_found(l, KIN_V(0.5f), KIN_V(0.5), true);
	ck_found(l, KIN_V(0.1f), KIN_V(0.1), false);
	ck_found(l, KIN_V(0.0), KIN_V(-0.0), true);
	ck_found(l, KIN_V(__builtin_nan("")), KIN_V(__builtin_nan("")), true);
	ck_found(l, KIN_NIL, KIN_NIL, true);
	ck_found(l, KIN_NIL, KIN_V((_Bool)0), false);
	ck_found(l, KIN_V((_Bool)0), KIN_V((_Bool)1), false);
	ck_found(l, KIN_V("ab"), RAW("\xda\0\x02" "ab"), true);
	ck_found(l, KIN_V("ab"), KIN_BIN("ab", 2), false);
	ck_found(l, KIN_V("ab"), KIN_V("ac"), false);
	ck_found(l, KIN_V("ab"), KIN_V("abc"), false);
	ck_found(l, RAW("\x92\x01\x91\x02"), RAW("\xdc\0\x02\x01\x91\xcc\x02"),
		 true);
	ck_found(l, RAW("\x92\x01\x91\x02"), RAW("\x92\x01\x92\x02\x03"),
		 false);
	ck_found(l, RAW("\x93\x01\x91\x02\x03"),
		 RAW("\x93\x01\x92\x02\x03\x03"), false);
	ck_found(l, RAW("\x82\x01\x02\x03\x04"), RAW("\xde\0\2\x01\x02\x03\4"),
		 true);
	ck_found(l, RAW("\x82\x01\x02\x03\x04"), RAW("\x94\x01\x02\x03\x04"),
		 false);
	ck_found(l, proxy(a, 0), proxy(a, 77), true);
	ck_found(l, proxy(a, 0), proxy(b, 0), false);
	hosted_end();
}
END_TEST

/* ---- a dictionary ---- */

START_TEST(test_dict)
{
	struct kn_object *d = begin(&kn_dict_type);
	struct kin_cursor all;
	const char *key, *word;
	int n;

	ck_assert_int_eq(number(d, "len", KIN_ARGS()), 0);
	ck_assert_int_eq(number(d, "set", KIN_ARGS("a", 1)), 0);
	ck_assert_int_eq(number(d, "set", KIN_ARGS("b", "two")), 0);
	ck_assert_int_eq(number(d, "set", KIN_ARGS("a", 3)), 1);
	ck_assert_int_eq(number(d, "len", KIN_ARGS()), 2);
	ck_assert_int_eq(number(d, "get", KIN_ARGS("a")), 3);
	ck_kin_ok(ask(d, "get", KIN_ARGS("b"), KIN_TAKE(&word)));
	ck_assert_str_eq(word, "two");
	ck_kin_fails(-ENOENT, tell(d, "get", KIN_ARGS("c")));
	ck_says("no such key");
	ck_assert_int_eq(number(d, "has", KIN_ARGS("a")), 1);
	ck_assert_int_eq(number(d, "has", KIN_ARGS("c")), 0);
	ck_assert_int_eq(number(d, "setdefault", KIN_ARGS("a", 9)), 3);
	ck_assert_int_eq(number(d, "setdefault", KIN_ARGS("c", 9)), 9);
	ck_kin_ok(ask(d, "keys", KIN_ARGS(), KIN_TAKE(&all)));
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(kin_cursor_next(&all, &key), 1);
		ck_assert_int_eq(key[0], "abc"[i]);
	}
	ck_assert_int_eq(kin_cursor_next(&all, &key), 0);
	ck_assert_int_eq(number(d, "pop", KIN_ARGS("a")), 3);
	ck_kin_fails(-ENOENT, tell(d, "pop", KIN_ARGS("a")));
	ck_assert_int_eq(number(d, "remove", KIN_ARGS("a")), 0);
	ck_assert_int_eq(number(d, "remove", KIN_ARGS("b")), 1);
	ck_kin_ok(ask(d, "items", KIN_ARGS(), KIN_TAKE(&all)));
	ck_assert_int_eq(kin_cursor_next(&all, &key, &n), 1);
	ck_assert_str_eq(key, "c");
	ck_assert_int_eq(n, 9);
	ck_assert_int_eq(kin_cursor_next(&all, &key, &n), 0);
	ck_kin_ok(tell(d, "clear", KIN_ARGS()));
	ck_assert_int_eq(number(d, "len", KIN_ARGS()), 0);
	ck_kin_ok(ask(d, "items", KIN_ARGS(), KIN_TAKE(&all)));
	ck_assert_int_eq(kin_cursor_next(&all, &key, &n), 0);
	hosted_end();
}
END_TEST

/* One value is one key, however it was written; others are others. */
START_TEST(test_keys)
{
	static char big[65538];
	struct kn_object *d = begin(&kn_dict_type);

	ck_kin_ok(tell(d, "set", KIN_ARGS(5, "int")));
	ck_assert_int_eq(number(d, "has",
				KIN_ARGS(RAW("\xd3\0\0\0\0\0\0\0\5"))), 1);
	ck_assert_int_eq(number(d, "has",
				KIN_ARGS(RAW("\xcf\0\0\0\0\0\0\0\5"))), 1);
	ck_assert_int_eq(number(d, "has", KIN_ARGS("5")), 0);
	ck_kin_ok(tell(d, "set", KIN_ARGS(RAW("\xd2\xff\xff\xff\x80"), 0)));
	ck_assert_int_eq(number(d, "has", KIN_ARGS(-128)), 1);
	ck_kin_ok(tell(d, "set", KIN_ARGS(RAW("\xdb\0\0\0\1s"), 0)));
	ck_assert_int_eq(number(d, "has", KIN_ARGS("s")), 1);
	ck_assert_int_eq(number(d, "has", KIN_ARGS(KIN_BIN("s", 1))), 0);
	ck_kin_ok(tell(d, "set", KIN_ARGS(RAW("\xc6\0\0\0\0"), 0)));
	ck_assert_int_eq(number(d, "has", KIN_ARGS(KIN_BIN("", 0))), 1);
	ck_assert_int_eq(number(d, "has", KIN_ARGS("")), 0);
	ck_assert_int_eq(number(d, "set", KIN_ARGS(KIN_BOOL(1), 0)), 0);
	ck_assert_int_eq(number(d, "has", KIN_ARGS(1)), 0);
	ck_assert_int_eq(number(d, "has", KIN_ARGS(KIN_BOOL(0))), 0);
	ck_assert_int_eq(number(d, "set", KIN_ARGS(UINT64_MAX, 0)), 0);
	ck_assert_int_eq(number(d, "has", KIN_ARGS(-1)), 0);
	ck_kin_ok(tell(d, "keys", KIN_ARGS()));
	ck_assert_mem_eq(answered.p, "\x91\x96\x05\xd0\x80\xa1s\xc4\0\xc3\xcf",
			 11);
	memset(big, 'k', sizeof(big));
	ck_kin_ok(tell(d, "set", KIN_ARGS(KIN_STR(big, 65536), 0)));
	ck_kin_fails(-EMSGSIZE, tell(d, "set", KIN_ARGS(KIN_STR(big, 65537),
							0)));
	ck_kin_fails(-EMSGSIZE, tell(d, "get", KIN_ARGS(KIN_BIN(big, 65537))));
	ck_kin_fails(-EINVAL, tell(d, "get", KIN_ARGS(1.5)));
	ck_says("a key is a string, bytes, an integer or a bool, not a float");
	ck_kin_fails(-EINVAL, tell(d, "set", KIN_ARGS(KIN_NIL, 1)));
	ck_kin_fails(-EINVAL, tell(d, "has", KIN_ARGS(RAW("\x91\x01"))));
	ck_kin_fails(-EINVAL, tell(d, "remove", KIN_ARGS(RAW("\x80"))));
	ck_kin_fails(-EINVAL, tell(d, "add", KIN_ARGS(proxy(d, 0), 1)));
	ck_assert_int_eq(number(d, "len", KIN_ARGS()), 7);
	ck_assert_uint_eq(d->refs, 1);
	hosted_end();
}
END_TEST

START_TEST(test_dict_add)
{
	struct kn_object *d = begin(&kn_dict_type);
	static const int64_t steps[] = { 0, 1, 31, 127, 128, 255, 65535, 65536,
					 1ll << 32, INT64_MAX, -1, -33,
					 -129, -32769, INT32_MIN, INT64_MIN };
	int64_t sum = 0;

	ck_assert_int_eq(number(d, "add", KIN_ARGS("n", 0)), 0);
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		/* To that number, from any other; in place. */
		ck_assert_int_eq(number(d, "add", KIN_ARGS("n", -sum)), 0);
		sum = steps[i];
		ck_assert_int_eq(number(d, "add", KIN_ARGS("n", sum)), sum);
		ck_assert_int_eq(number(d, "get", KIN_ARGS("n")), sum);
		if (sum == INT64_MIN)
			break;
	}
	ck_kin_fails(-ERANGE, tell(d, "add", KIN_ARGS("n", -1)));
	ck_assert_int_eq(number(d, "get", KIN_ARGS("n")), INT64_MIN);
	ck_kin_ok(tell(d, "set", KIN_ARGS("n", UINT64_MAX)));
	ck_kin_fails(-ERANGE, tell(d, "add", KIN_ARGS("n", 0)));
	ck_kin_fails(-ERANGE, tell(d, "add", KIN_ARGS("n", INT64_MAX)));
	ck_kin_fails(-ERANGE, tell(d, "add", KIN_ARGS("n", -5)));
	ck_assert_int_eq(number(d, "add", KIN_ARGS("n", INT64_MIN)),
			 INT64_MAX);
	ck_kin_ok(tell(d, "set", KIN_ARGS("word", "n")));
	ck_kin_fails(-EINVAL, tell(d, "add", KIN_ARGS("word", 1)));
	ck_says("the value there is a string, not an integer");
	ck_kin_fails(-EINVAL, tell(d, "add", KIN_ARGS("new", "1")));
	ck_kin_fails(-ERANGE, tell(d, "add", KIN_ARGS("new", UINT64_MAX)));
	ck_assert_int_eq(number(d, "len", KIN_ARGS()), 2);
	hosted_end();
}
END_TEST

START_TEST(test_many_at_once)
{
	struct kn_object *d = begin(&kn_dict_type);

	ck_kin_ok(tell(d, "set", KIN_ARGS("n", 5)));
	ck_kin_ok(tell(d, "add_many",
		       KIN_ARGS(RAW("\x83\xa1n\x02\xa1m\x03\xa1m\x04"))));
	ck_assert_int_eq(number(d, "get", KIN_ARGS("n")), 7);
	ck_assert_int_eq(number(d, "get", KIN_ARGS("m")), 7);
	ck_kin_ok(tell(d, "update",
		       KIN_ARGS(RAW("\x83\xa1m\xa1x\xa1o\x01\xa1o\x90"))));
	ck_kin_ok(tell(d, "update", KIN_ARGS(RAW("\x80"))));
	ck_kin_ok(tell(d, "items", KIN_ARGS()));
	ck_assert_uint_eq(answered.len, 12);
	ck_assert_mem_eq(answered.p, "\x91\x83\xa1n\x07\xa1m\xa1x\xa1o\x90",
			 12);
	hosted_end();
}
END_TEST

/* The last pair is wrong, each in its way: nothing has happened. */
START_TEST(test_all_or_none)
{
	static const struct {
		const char *method, *bytes;
		size_t len;
		int r;
	} wrong[] = {
#define WRONG(method, text, r) { method, text, sizeof(text) - 1, r }
		WRONG("add_many", "\x84\xa1n\x02\xa1x\x03\xa1n\x02\xa1s\x01",
		      -EINVAL),
		WRONG("add_many", "\x84\xa1n\x02\xa1x\x03\xa1x\x02\xa1y\xa1z",
		      -EINVAL),
		WRONG("add_many", "\x83\xa1x\x7f\xa1x\x03\xa1x"
		      "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", -ERANGE),
		WRONG("add_many", "\x82\xa1n\x02\xa1x"
		      "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", -ERANGE),
		WRONG("add_many", "\x82\xa1n\x02\xc0\x01", -EINVAL),
		WRONG("add_many", "\x82\xa1n\xce\0\1\0\0\xa1s\x01", -EINVAL),
		WRONG("update", "\x84\xa1n\x02\xa1x\x03\xa1x\x03\xc0\x01",
		      -EINVAL),
		WRONG("update", "\x83\xa1s\x91\x02\xa1s\x03\xa1y\xd4\x01\x00",
		      -EOPNOTSUPP),
		WRONG("update", "\x92\x01\x02", -EINVAL),
		WRONG("add_many", "\xa1n", -EINVAL),
#undef WRONG
	};
	struct kn_object *d = begin(&kn_dict_type);

	ck_kin_ok(tell(d, "set", KIN_ARGS("s", "string")));
	ck_kin_ok(tell(d, "set", KIN_ARGS("n", 5)));
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_kin_fails(wrong[i].r,
			     tell(d, wrong[i].method,
				  KIN_ARGS(raw(wrong[i].bytes,
					       wrong[i].len))));
		ck_kin_ok(tell(d, "items", KIN_ARGS()));
		ck_assert_uint_eq(answered.len, 14);
		ck_assert_mem_eq(answered.p, "\x91\x82\xa1s\xa6string\xa1n\x05",
				 14);
	}
	hosted_end();
}
END_TEST

/* ---- a dictionary beside a model ---- */

#define KEYS	300

struct model {
	int keys[KEYS], values[KEYS];
	int n;
};

static int
find(const struct model *m, int key)
{
	int i = 0;

	while (i < m->n && m->keys[i] != key)
		i++;
	return i;
}

static void
put(struct model *m, int i, int key, int value)
{
	if (i == m->n)
		m->n++;
	m->keys[i] = key;
	m->values[i] = value;
}

static void
step(struct kn_object *d, struct model *m, uint32_t *seed, bool swell)
{
	int key = (int)(next_random(seed) % KEYS), i = find(m, key);
	int value = (int)(next_random(seed) % 100000) - 50000;
	bool there = i < m->n;

	switch (next_random(seed) % (swell ? 3 : 5)) {
	case 0:
		ck_fast(number(d, "set", KIN_ARGS(key, value)) == there);
		put(m, i, key, value);
		break;
	case 1:
		if (there)
			value += m->values[i];
		ck_fast(number(d, "add", KIN_ARGS(key, there ? value -
						  m->values[i] : value)) ==
			value);
		put(m, i, key, value);
		break;
	case 2:
		ck_fast(number(d, "setdefault", KIN_ARGS(key, value)) ==
			(there ? m->values[i] : value));
		if (!there)
			put(m, i, key, value);
		break;
	default:
		ck_fast(number(d, "remove", KIN_ARGS(key)) == there);
		if (!there)
			break;
		m->n--;
		memmove(&m->keys[i], &m->keys[i + 1],
			(size_t)(m->n - i) * sizeof(int));
		memmove(&m->values[i], &m->values[i + 1],
			(size_t)(m->n - i) * sizeof(int));
	}
}

static void
compare(struct kn_object *d, const struct model *m)
{
	struct kin_cursor all;
	int key, value;

	ck_fast(number(d, "len", KIN_ARGS()) == m->n);
	ck_kin_ok(ask(d, "items", KIN_ARGS(), KIN_TAKE(&all)));
	for (int i = 0; i < m->n; i++) {
		ck_fast(kin_cursor_next(&all, &key, &value) == 1);
		ck_fast(key == m->keys[i] && value == m->values[i]);
	}
	ck_fast(kin_cursor_next(&all, &key, &value) == 0);
}

START_TEST(test_dict_like_a_model)
{
	struct kn_object *d = begin(&kn_dict_type);
	struct model m = { .n = 0 };
	uint32_t seed = 5;

	for (unsigned i = 0; i < 8000; i++) {
		step(d, &m, &seed, i / 1000 % 2 == 0);
		if (i % 100 == 0)
			compare(d, &m);
	}
	hosted_end();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hosted");
	TCase *counter = kit_case(suite, "counter");
	TCase *list = kit_case(suite, "list");
	TCase *dict = kit_case(suite, "dict");

	tcase_add_test(counter, test_what_is_no_call);
	tcase_add_test(counter, test_counter);
	tcase_add_test(list, test_list);
	tcase_add_test(list, test_no_such_index);
	tcase_add_test(list, test_list_like_a_model);
	tcase_add_test(list, test_equal);
	tcase_add_test(dict, test_dict);
	tcase_add_test(dict, test_keys);
	tcase_add_test(dict, test_dict_add);
	tcase_add_test(dict, test_many_at_once);
	tcase_add_test(dict, test_all_or_none);
	tcase_add_test(dict, test_dict_like_a_model);
	return kit_run(suite);
}
