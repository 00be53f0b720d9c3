/* SPDX-License-Identifier: MIT */
/*
 * test_objects.c - who holds whom: ids, names, items, proxies under way
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hosted.h"

/* ---- ids and names ---- */

START_TEST(test_ids_are_not_given_again)
{
	struct kn_object *o;
	uint64_t first;

	hosted_begin();
	ck_assert_uint_ne(store.server, 0);
	ck_assert_ptr_null(kn_object_find(&store, 0));
	o = make(&kn_list_type);
	first = o->id;
	ck_assert_uint_ne((uint32_t)first, 0);
	ck_assert_ptr_eq(kn_object_find(&store, first), o);
	let_go(o);
	ck_assert_ptr_null(kn_object_find(&store, first));
	o = make(&kn_dict_type);
	ck_assert_uint_eq((uint32_t)o->id, (uint32_t)first);
	ck_assert_uint_ne(o->id, first);
	ck_assert_ptr_null(kn_object_find(&store, first));
	ck_assert_ptr_null(kn_object_find(&store, UINT64_MAX));
	ck_assert_ptr_null(kn_object_find(&store, UINT32_MAX));
	hosted_end();
}
END_TEST

START_TEST(test_many_objects)
{
	static struct kn_object *all[5000];
	uint32_t seed = 7;

	hosted_begin();
	for (unsigned i = 0; i < 20000; i++) {
		struct kn_object **o = &all[next_random(&seed) % 5000];

		if (*o == NULL) {
			*o = make(&kn_counter_type);
			continue;
		}
		ck_fast(kn_object_find(&store, (*o)->id) == *o);
		let_go(*o);
		*o = NULL;
	}
	hosted_end();
}
END_TEST

START_TEST(test_names)
{
	struct kn_object *o, *other;
	char long_one[257];

	memset(long_one, 'n', sizeof(long_one));
	hosted_begin();
	ck_kin_ok(kn_object_make(&o, &store, &kn_dict_type, "one", 3));
	ck_assert_str_eq(o->name, "one");
	ck_kin_fails(-EEXIST, kn_object_make(&other, &store, &kn_list_type,
					     "one", 3));
	ck_kin_fails(-EINVAL, kn_object_make(&other, &store, &kn_list_type, "",
					     0));
	ck_kin_fails(-EINVAL, kn_object_make(&other, &store, &kn_list_type,
					     "a\0b", 3));
	ck_kin_fails(-EINVAL, kn_object_make(&other, &store, &kn_list_type,
					     long_one, 256));
	ck_kin_ok(kn_object_make(&other, &store, &kn_list_type, long_one, 255));
	ck_assert_uint_eq(store.live, 2);
	ck_assert_uint_eq(store.names.live, 2);
	let_go(other);
	ck_assert_ptr_eq(kn_object_named(&store, long_one, 255), other);
	ck_kin_ok(kn_object_unname(&store, long_one, 255));
	ck_assert_ptr_null(kn_object_named(&store, long_one, 255));
	ck_assert_uint_eq(store.live, 1);
	ck_kin_fails(-ENOENT, kn_object_unname(&store, long_one, 255));
	ck_kin_ok(kn_object_unname(&store, "one", 3));
	ck_assert_uint_eq(store.live, 1);
	ck_kin_ok(ask(o, "set", KIN_ARGS("key", 1), KIN_TAKE()));
	let_go(o);
	ck_assert_uint_eq(store.live, 0);
	hosted_end();
}
END_TEST

START_TEST(test_the_types)
{
	ck_assert_ptr_eq(kn_type_find("dict", 4), &kn_dict_type);
	ck_assert_ptr_eq(kn_type_find("list", 4), &kn_list_type);
	ck_assert_ptr_eq(kn_type_find("counter", 7), &kn_counter_type);
	ck_assert_ptr_null(kn_type_find("dict", 3));
	ck_assert_ptr_null(kn_type_find("dict\0", 5));
	ck_assert_ptr_null(kn_type_find("", 0));
	ck_assert_ptr_null(kn_method_find(&kn_dict_type, "get\0\0", 5));
	ck_assert_ptr_null(kn_method_find(&kn_dict_type, "", 0));
}
END_TEST

/* ---- items ---- */

START_TEST(test_an_item_holds)
{
	struct kn_object *list, *inner;
	uint64_t token;

	hosted_begin();
	list = make(&kn_list_type);
	inner = make(&kn_counter_type);
	ck_kin_ok(kn_token_make(&store, inner, &session, &token));
	ck_assert_uint_ne(token, 0);
	ck_assert_uint_eq(inner->refs, 2);
	ck_kin_ok(ask(list, "append", KIN_ARGS(proxy(inner, token)),
		      KIN_TAKE()));
	ck_assert_uint_eq(store.tokens.live, 0);
	ck_assert_uint_eq(session.n, 0);
	ck_assert_uint_eq(inner->refs, 2);
	let_go(inner);
	ck_assert_uint_eq(store.live, 2);
	/* Each answer puts a proxy of its own under way. */
	ck_kin_ok(ask(list, "get", KIN_ARGS(0), KIN_TAKE()));
	ck_assert_uint_eq(proxied(&token), inner->id);
	ck_assert_uint_eq(session.n, 1);
	ck_kin_ok(ask(list, "pop", KIN_ARGS(0), KIN_TAKE()));
	ck_assert_uint_eq(session.n, 2);
	ck_assert_uint_eq(inner->refs, 2);
	kn_token_claim(&store, token);
	ck_assert_uint_eq(inner->refs, 1);
	ck_assert_uint_eq(proxied(&token), inner->id);
	kn_token_claim(&store, token);
	ck_assert_uint_eq(store.live, 1);
	kn_token_claim(&store, token);
	kn_token_claim(&store, 0);
	hosted_end();
}
END_TEST

/* As deep in values as they go, and several in one. */
START_TEST(test_proxies_inside_of_values)
{
	struct kn_object *dict, *a, *b;
	unsigned char ext[64], map[256] = { 0x83, 0xa1, 'a' };
	size_t n, at = 3;
	const struct kn_object *in[2];

	hosted_begin();
	dict = make(&kn_dict_type);
	in[0] = a = make(&kn_list_type);
	in[1] = b = make(&kn_dict_type);
	for (unsigned i = 0; i < 2; i++) {
		n = write_proxy(ext, store.server, in[i]->id, 0);
		map[at++] = 0x91;
		map[at++] = 0xc7;
		map[at++] = (unsigned char)n;
		map[at++] = (unsigned char)in[i]->type->thing;
		memcpy(map + at, ext, n);
		at += n;
		map[at++] = (unsigned char)(i + 7);
	}
	map[at++] = 0xc3;
	ck_kin_ok(ask(dict, "set", KIN_ARGS("k", raw(map, at)), KIN_TAKE()));
	let_go(a);
	let_go(b);
	ck_assert_uint_eq(store.live, 3);
	ck_kin_ok(ask(dict, "items", KIN_ARGS(), KIN_TAKE()));
	ck_assert_uint_eq(session.n, 2);
	kn_tokens_arrive(&store, answered);
	ck_assert_uint_eq(session.n, 0);
	ck_kin_ok(ask(dict, "set", KIN_ARGS("k", 1), KIN_TAKE()));
	ck_assert_uint_eq(store.live, 1);
	hosted_end();
}
END_TEST

START_TEST(test_a_proxy_of_what_is_gone)
{
	struct kn_object *list, *inner;
	struct kn_object gone;
	uint64_t token;

	hosted_begin();
	list = make(&kn_list_type);
	inner = make(&kn_counter_type);
	gone = *inner;
	let_go(inner);
	inner = make(&kn_dict_type);
	ck_kin_ok(kn_token_make(&store, inner, &session, &token));
	ck_kin_fails(-ENOENT, ask(list, "extend",
				  KIN_ARGS(1, proxy(inner, token),
					   proxy(&gone, 0), 2),
				  KIN_TAKE()));
	ck_kin_ok(ask(list, "len", KIN_ARGS(), KIN_TAKE()));
	/* What arrives has arrived, be the call as it may. */
	ck_assert_uint_eq(session.n, 0);
	ck_assert_uint_eq(inner->refs, 1);
	hosted_end();
}
END_TEST

START_TEST(test_another_servers_proxy)
{
	struct kn_object *list;
	unsigned char ext[3 + 64] = { 0xc7, 0, KIN_THING_LIST };
	size_t n;

	hosted_begin();
	list = make(&kn_list_type);
	n = write_proxy(ext + 3, store.server + 1, list->id, 5);
	ext[1] = (unsigned char)n;
	ck_kin_ok(ask(list, "append", KIN_ARGS(raw(ext, 3 + n)), KIN_TAKE()));
	ck_assert_uint_eq(list->refs, 1);
	ck_kin_ok(ask(list, "pop", KIN_ARGS(0), KIN_TAKE()));
	ck_assert_uint_eq(session.n, 0);
	ck_assert_uint_eq(answered.len, 1 + 3 + n);
	ck_assert_mem_eq(answered.p + 1, ext, 3 + n);
	hosted_end();
}
END_TEST

/* Every length up to the whole, every way, and what is not as it says. */
START_TEST(test_hostile_proxies)
{
	unsigned char ext[3 + 64];
	struct kn_object *list;
	size_t whole, n;
	int way;

	hosted_begin();
	list = make(&kn_list_type);
	whole = write_proxy(ext + 3, store.server, list->id, 0);
	ext[0] = 0xc7;
	ext[2] = KIN_THING_LIST;
	for (n = 0; n < whole; n++)
		for (way = 0; way < 4; way++) {
			int should = n == 0 || way == KN_BY_FD ? -EOPNOTSUPP
							       : -EINVAL;

			ext[1] = (unsigned char)n;
			ext[3] = (unsigned char)way;
			if (way == KN_BY_ITSELF && n >= KN_PROXY_ADDRESS)
				continue;
			ck_kin_fails(should, ask(list, "append",
						 KIN_ARGS(raw(ext, 3 + n)),
						 KIN_TAKE()));
		}
	ext[1] = (unsigned char)whole;
	ext[2] = KIN_THING_DICT;
	ext[3] = KN_BY_ITSELF;
	ck_kin_fails(-EINVAL, ask(list, "append",
				  KIN_ARGS(raw(ext, 3 + whole)), KIN_TAKE()));
	(void)write_proxy(ext + 3, store.server, 0, 0);
	ck_kin_fails(-ENOENT, ask(list, "append",
				  KIN_ARGS(raw(ext, 3 + whole)), KIN_TAKE()));
	ext[2] = KIN_THING_SEGMENT;
	ext[3] = KN_BY_NAME;
	ck_kin_ok(ask(list, "append", KIN_ARGS(raw(ext, 3 + whole)),
		      KIN_TAKE()));
	ck_assert_uint_eq(list->refs, 1);
	hosted_end();
}
END_TEST

/* What is stored can be answered among others. */
START_TEST(test_depth)
{
	unsigned char deep[KIN_VALUES_DEPTH + 2];
	struct kn_object *dict;
	struct kin_cursor items, inner;
	const char *key;

	memset(deep, 0x91, sizeof(deep));
	deep[KN_ITEM_DEPTH] = 1;
	hosted_begin();
	dict = make(&kn_dict_type);
	ck_kin_ok(ask(dict, "set",
		      KIN_ARGS("deep", raw(deep, KN_ITEM_DEPTH + 1)),
		      KIN_TAKE()));
	ck_kin_ok(ask(dict, "items", KIN_ARGS(), KIN_TAKE(&items)));
	ck_assert_int_eq(kin_cursor_next(&items, &key, &inner), 1);
	deep[KN_ITEM_DEPTH] = 0x90;
	ck_kin_fails(-EMSGSIZE,
		     ask(dict, "set",
			 KIN_ARGS("deeper", raw(deep, KN_ITEM_DEPTH + 1)),
			 KIN_TAKE()));
	ck_assert_uint_eq(dict->refs, 1);
	hosted_end();
}
END_TEST

/* ---- chains and rings ---- */

#define LINKS	100000u

START_TEST(test_a_chain_goes_without_a_stack)
{
	struct kn_object *first = NULL, *next;

	hosted_begin();
	for (unsigned i = 0; i < LINKS; i++) {
		next = make(i % 2 ? &kn_list_type : &kn_dict_type);
		if (first != NULL && i % 2)
			ck_fast(ask(next, "append",
				    KIN_ARGS(proxy(first, 0)),
				    KIN_TAKE()) == 0);
		else if (first != NULL)
			ck_fast(ask(next, "set",
				    KIN_ARGS(i, proxy(first, 0)),
				    KIN_TAKE()) == 0);
		if (first != NULL)
			let_go(first);
		first = next;
	}
	ck_assert_uint_eq(store.live, LINKS);
	let_go(first);
	ck_assert_uint_eq(store.live, 0);
	hosted_end();
}
END_TEST

START_TEST(test_rings)
{
	struct kn_object *a, *b;

	hosted_begin();
	a = make(&kn_list_type);
	b = make(&kn_dict_type);
	ck_kin_ok(ask(a, "append", KIN_ARGS(proxy(b, 0)), KIN_TAKE()));
	ck_kin_ok(ask(b, "set", KIN_ARGS("a", proxy(a, 0)), KIN_TAKE()));
	let_go(b);
	let_go(a);
	ck_assert_uint_eq(store.live, 2);
	/* Whoever asks now holds neither; both go while they are asked. */
	ck_kin_ok(ask(a, "clear", KIN_ARGS(), KIN_TAKE()));
	ck_assert_uint_eq(store.live, 0);
	hosted_end();
}
END_TEST

/* Each way of letting go of oneself, as the last thing that one does. */
START_TEST(test_letting_go_of_oneself)
{
	static const char *const ways[] = { "pop", "remove", "set", "clear" };
	const char *way = ways[_i % 4];
	bool list = _i < 4;
	struct kn_object *o;
	struct kin_args args = KIN_ARGS(0), two = KIN_ARGS(0, 1);

	hosted_begin();
	o = make(list ? &kn_list_type : &kn_dict_type);
	ck_kin_ok(list ? ask(o, "append", KIN_ARGS(proxy(o, 0)), KIN_TAKE())
		       : ask(o, "set", KIN_ARGS(0, proxy(o, 0)), KIN_TAKE()));
	let_go(o);
	ck_assert_uint_eq(store.live, 1);
	if (_i % 4 == 3)
		args.n = 0;
	ck_kin_ok(ask(o, way, _i % 4 == 2 ? two : args, KIN_TAKE()));
	ck_assert_uint_eq(store.live, session.n);
	kn_tokens_arrive(&store, answered);
	ck_assert_uint_eq(store.live, 0);
	hosted_end();
}
END_TEST

/* The whole store goes, whatever holds what. */
START_TEST(test_the_end)
{
	struct kn_object *o[100];
	uint32_t seed = 3;
	uint64_t token;

	hosted_begin();
	for (unsigned i = 0; i < 100; i++)
		o[i] = make(&kn_list_type);
	for (unsigned i = 0; i < 1000; i++)
		ck_kin_ok(ask(o[next_random(&seed) % 100], "append",
			      KIN_ARGS(proxy(o[next_random(&seed) % 100], 0)),
			      KIN_TAKE()));
	for (unsigned i = 0; i < 50; i++) {
		ck_kin_ok(kn_token_make(&store, o[i], &session, &token));
		let_go(o[i]);
	}
	hosted_end();
}
END_TEST

/* ---- proxies under way ---- */

START_TEST(test_so_many_under_way)
{
	struct kn_token_owner other = { .n = 0 };
	struct kn_object *o, *list;
	uint64_t token, first;

	hosted_begin();
	o = make(&kn_counter_type);
	list = make(&kn_list_type);
	for (unsigned i = 0; i < 10; i++)
		ck_kin_ok(ask(list, "append", KIN_ARGS(proxy(o, 0)),
			      KIN_TAKE()));
	ck_kin_ok(kn_token_make(&store, o, &session, &first));
	while (session.n < KN_TOKENS_MAX)
		ck_fast(kn_token_make(&store, o, &session, &token) == 0);
	ck_assert_uint_eq(store.tokens.live, KN_TOKENS_MAX);
	ck_assert_uint_eq(o->refs, KN_TOKENS_MAX + 11);
	/* One more: the first one goes, and no other session's. */
	ck_kin_ok(kn_token_make(&store, o, &other, &token));
	ck_kin_ok(kn_token_make(&store, o, &session, &token));
	ck_assert_uint_eq(session.n, KN_TOKENS_MAX);
	ck_assert_uint_eq(store.tokens.live, KN_TOKENS_MAX + 1);
	ck_assert_ptr_null(kn_table_find(&store.tokens, &first, 8));
	/* An answer with many goes out whole. */
	ck_kin_ok(ask(list, "slice", KIN_ARGS(0, 10), KIN_TAKE(KIN_ANY)));
	ck_assert_uint_eq(session.n, KN_TOKENS_MAX);
	ck_assert_uint_eq(o->refs, KN_TOKENS_MAX + 1 + 11);
	hosted_end();
}
END_TEST

START_TEST(test_a_minute_more)
{
	struct kn_token_owner other = { .n = 0 };
	struct kn_object *o;
	uint64_t token, kept;
	int64_t now, until;

	hosted_begin();
	o = make(&kn_counter_type);
	ck_assert(kn_tokens_expire(&store, INT64_MAX) == INT64_MAX);
	for (unsigned i = 0; i < 10; i++)
		ck_kin_ok(kn_token_make(&store, o, &session, &token));
	ck_kin_ok(kn_token_make(&store, o, &other, &kept));
	now = kin_now().ns;
	kn_tokens_orphan(&store, &session);
	ck_assert_uint_eq(session.n, 0);
	ck_assert_ptr_null(session.first);
	until = kn_tokens_expire(&store, now);
	ck_assert_int_ge(until, now + KN_TOKEN_GRACE);
	ck_assert_uint_eq(store.tokens.live, 11);
	kn_token_claim(&store, token);
	ck_assert_int_eq(kn_tokens_expire(&store, until - 1), until);
	ck_assert_uint_eq(store.tokens.live, 10);
	let_go(o);
	ck_assert(kn_tokens_expire(&store, until) == INT64_MAX);
	ck_assert_uint_eq(store.tokens.live, 1);
	ck_assert_uint_eq(store.live, 1);
	kn_token_claim(&store, kept);
	ck_assert_uint_eq(store.live, 0);
	hosted_end();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("objects");
	TCase *who = kit_case(suite, "who");
	TCase *items = kit_case(suite, "items");
	TCase *holding = kit_case(suite, "holding");
	TCase *tokens = kit_case(suite, "tokens");

	tcase_add_test(who, test_ids_are_not_given_again);
	tcase_add_test(who, test_many_objects);
	tcase_add_test(who, test_names);
	tcase_add_test(who, test_the_types);
	tcase_add_test(items, test_an_item_holds);
	tcase_add_test(items, test_proxies_inside_of_values);
	tcase_add_test(items, test_a_proxy_of_what_is_gone);
	tcase_add_test(items, test_another_servers_proxy);
	tcase_add_test(items, test_hostile_proxies);
	tcase_add_test(items, test_depth);
	tcase_add_test(holding, test_a_chain_goes_without_a_stack);
	tcase_add_test(holding, test_rings);
	tcase_add_loop_test(holding, test_letting_go_of_oneself, 0, 8);
	tcase_add_test(holding, test_the_end);
	tcase_add_test(tokens, test_so_many_under_way);
	tcase_add_test(tokens, test_a_minute_more);
	return kit_run(suite);
}
