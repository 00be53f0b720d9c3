/* SPDX-License-Identifier: MIT */
/*
 * test_hosted_memory.c - a method for which there is no memory has done nothing
 *
 * The first, the second, the third request for memory of a call fails, until
 * there is none left to fail and the call has worked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hosted.h"

/* ---- memory that fails ---- */

static unsigned left;			/* requests until one fails; 0: none */
static bool armed, failed;

static bool
fails(void)
{
	if (!armed || left == 0 || --left > 0)
		return false;
	failed = true;
	return true;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t each);
void *__wrap_calloc(size_t n, size_t each);
void *
__wrap_calloc(size_t n, size_t each)
{
	return fails() ? NULL : __real_calloc(n, each);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *__real_reallocarray(void *p, size_t n, size_t each);
void *__wrap_reallocarray(void *p, size_t n, size_t each);
void *
__wrap_reallocarray(void *p, size_t n, size_t each)
{
	return fails() ? NULL : __real_reallocarray(p, n, each);
}

static void
arm(bool begins)
{
	armed = begins;
}

/* ---- calls ---- */

static struct kn_object *dict, *list, *counter, *inner;

static int
tell(struct kn_object *o, const char *method, struct kin_args args)
{
	return ask(o, method, args, KIN_TAKE());
}

#define OP(name, o, method, ...)					\
	static int name(void)						\
	{								\
		return tell((o), (method), KIN_ARGS(__VA_ARGS__));	\
	}
OP(dict_set, dict, "set", "n", proxy(inner, 0))
OP(dict_set_new, dict, "set", "new", "value")
OP(dict_set_long, dict, "set", RAW("\xdb\0\0\0\3new"), "value")
OP(dict_get, dict, "get", "held")
OP(dict_pop, dict, "pop", "held")
OP(dict_remove, dict, "remove", "held")
OP(dict_setdefault, dict, "setdefault", "new", proxy(inner, 0))
OP(dict_add, dict, "add", "n", 70000)
OP(dict_add_new, dict, "add", "new", 70000)
OP(dict_add_many, dict, "add_many",
   RAW("\x86\xa1n\x7f\xa1x\x01\xa1x\x02\xa1y\x03\xa1n\x10\xa1z\x01"))
OP(dict_update, dict, "update",
   RAW("\x86\xa1n\x7f\xa1x\x01\xa1x\x02\xa4held\x03\xa1n\x10\xa1z\x01"))
OP(dict_keys, dict, "keys",)
OP(dict_items, dict, "items",)
OP(list_append, list, "append", proxy(inner, 0))
OP(list_extend, list, "extend", 1, proxy(inner, 0), "three")
OP(list_insert, list, "insert", 1, "here")
OP(list_set, list, "set", 0, proxy(inner, 0))
OP(list_get, list, "get", 0)
OP(list_pop, list, "pop", 0)
OP(list_slice, list, "slice", 0, 100)
OP(list_find, list, "find", 7)
OP(list_len, list, "len",)
OP(counter_add, counter, "add", 5)
OP(counter_set, counter, "set", 5)
OP(counter_swap, counter, "swap", 3, 5)

static int (*const ops[])(void) = {
	dict_set, dict_set_new, dict_set_long, dict_get, dict_pop,
	dict_remove, dict_setdefault, dict_add, dict_add_new, dict_add_many,
	dict_update, dict_keys, dict_items, list_append, list_extend,
	list_insert, list_set, list_get, list_pop, list_slice, list_find,
	list_len, counter_add, counter_set, counter_swap,
};
#define OPS	((int)(sizeof(ops) / sizeof(ops[0])))

/* ---- what there is ---- */

struct state {
	unsigned char bytes[3][400];
	size_t lens[3];
	uint64_t refs;
};

static void
look_at(struct state *state, unsigned i, struct kn_object *o,
	const char *method, struct kin_args args)
{
	ck_kin_ok(tell(o, method, args));
	ck_assert_uint_lt(answered.len, sizeof(state->bytes[i]));
	/* Two looks differ by their tokens, which are of no interest. */
	memcpy(state->bytes[i], answered.p, answered.len);
	state->lens[i] = answered.len;
	kn_tokens_arrive(&store, answered);
}

static void
wipe_tokens(struct state *state)
{
	struct kn_head thing;

	for (unsigned i = 0; i < 3; i++) {
		struct kn_span span = { state->bytes[i], state->lens[i] };

		while (kn_thing_next(&span, &thing))
			memset((unsigned char *)(uintptr_t)thing.data +
			       KN_PROXY_TOKEN, 0, 8);
	}
}

static void
look(struct state *state)
{
	memset(state, 0, sizeof(*state));
	look_at(state, 0, dict, "items", KIN_ARGS());
	look_at(state, 1, list, "slice", KIN_ARGS(0, 100));
	look_at(state, 2, counter, "get", KIN_ARGS());
	wipe_tokens(state);
	state->refs = inner->refs;
}

static void
set_up(void)
{
	hosted_begin();
	dict = make(&kn_dict_type);
	list = make(&kn_list_type);
	counter = make(&kn_counter_type);
	inner = make(&kn_counter_type);
	ck_kin_ok(tell(dict, "set", KIN_ARGS("n", 5)));
	ck_kin_ok(tell(dict, "set", KIN_ARGS("held", proxy(inner, 0))));
	for (int i = 0; i < 6; i++)	/* to where it must grow */
		ck_kin_ok(tell(dict, "set", KIN_ARGS(i, i)));
	ck_kin_ok(tell(list, "extend",
		       KIN_ARGS(proxy(inner, 0), 1, 2, 3, 4, 5, 6, 7)));
	ck_kin_ok(tell(counter, "set", KIN_ARGS(3)));
}

START_TEST(test_nothing_or_all)
{
	struct state before, after;
	unsigned n = 0;
	int r;

	set_up();
	look(&before);
	do {
		left = ++n;
		failed = false;
		around_call = arm;
		r = ops[_i]();
		around_call = NULL;
		if (!failed)
			break;
		/* A list that shrinks can do without. */
		if (r == 0)
			continue;
		ck_assert_int_eq(r, -ENOMEM);
		look(&after);
		ck_assert_mem_eq(&before, &after, sizeof(before));
		ck_assert_uint_eq(session.n, 0);
	} while (n < 100);
	ck_kin_ok(r);
	ck_assert_uint_gt(n, 1);
	hosted_end();
}
END_TEST

START_TEST(test_no_memory_for_an_object)
{
	struct kn_object *o;
	unsigned n = 0;
	int r;

	hosted_begin();
	do {
		left = ++n;
		failed = false;
		arm(true);
		r = kn_object_make(&o, &store, &kn_dict_type, "name", 4);
		arm(false);
		ck_assert_int_eq(r, failed ? -ENOMEM : 0);
		ck_assert_uint_eq(store.live, !failed);
		ck_assert_uint_eq(store.names.live, !failed);
	} while (failed);
	ck_assert_uint_gt(n, 4);
	hosted_end();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("memory");
	TCase *memory = kit_case(suite, "memory");

	tcase_add_loop_test(memory, test_nothing_or_all, 0, OPS);
	tcase_add_test(memory, test_no_memory_for_an_object);
	return kit_run(suite);
}
