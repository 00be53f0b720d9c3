/* SPDX-License-Identifier: MIT */
/*
 * dict.c - a dictionary, from afar
 */
#include <kin/dict.h>

#include "manager/proxy.h"
#include "shm/error.h"

int
kin_dict_create(kin_dict **ret_d, kin_manager *m, const char *name,
		kin_time deadline)
{
	kin_proxy *p;
	int r;

	kn_assert(ret_d != NULL && m != NULL);
	r = kn_proxy_create(&p, m, KIN_THING_DICT, name, deadline);
	if (r == 0)
		*ret_d = (kin_dict *)p;
	return r;
}

int
kin_dict_open(kin_dict **ret_d, kin_manager *m, const char *name,
	      kin_time deadline)
{
	kin_proxy *p;
	int r;

	kn_assert(ret_d != NULL && m != NULL && name != NULL);
	r = kn_proxy_open(&p, m, KIN_THING_DICT, name, deadline);
	if (r == 0)
		*ret_d = (kin_dict *)p;
	return r;
}

void
kin_dict_close(kin_dict *d)
{
	kin_proxy_close(kn_proxy_of(d));
}

kin_proxy *
kin_dict_proxy(kin_dict *d)
{
	kn_assert(d != NULL);
	return kn_proxy_of(d);
}

int
kin_dict_set(kin_dict *d, struct kin_arg key, struct kin_arg value,
	     kin_time deadline)
{
	int n, r;

	kn_assert(d != NULL);
	r = kin_proxy_call(kn_proxy_of(d), "set", KIN_ARGS(key, value),
			   KIN_TAKE(&n), deadline);
	return r == 0 ? n : r;
}

int
kin_dict_get(kin_dict *d, struct kin_arg key, struct kin_slots value,
	     kin_time deadline)
{
	kn_assert(d != NULL);
	return kin_proxy_call(kn_proxy_of(d), "get", KIN_ARGS(key), value,
			      deadline);
}

int
kin_dict_has(kin_dict *d, struct kin_arg key, kin_time deadline)
{
	int n, r;

	kn_assert(d != NULL);
	r = kin_proxy_call(kn_proxy_of(d), "has", KIN_ARGS(key), KIN_TAKE(&n),
			   deadline);
	return r == 0 ? n : r;
}

int
kin_dict_remove(kin_dict *d, struct kin_arg key, kin_time deadline)
{
	int n, r;

	kn_assert(d != NULL);
	r = kin_proxy_call(kn_proxy_of(d), "remove", KIN_ARGS(key),
			   KIN_TAKE(&n), deadline);
	return r == 0 ? n : r;
}

int
kin_dict_pop(kin_dict *d, struct kin_arg key, struct kin_slots value,
	     kin_time deadline)
{
	kn_assert(d != NULL);
	return kin_proxy_call(kn_proxy_of(d), "pop", KIN_ARGS(key), value,
			      deadline);
}

int
kin_dict_setdefault(kin_dict *d, struct kin_arg key, struct kin_arg value,
		    struct kin_slots ret, kin_time deadline)
{
	kn_assert(d != NULL);
	return kin_proxy_call(kn_proxy_of(d), "setdefault",
			      KIN_ARGS(key, value), ret, deadline);
}

int
kin_dict_add(kin_dict *d, struct kin_arg key, int64_t n, int64_t *ret_sum,
	     kin_time deadline)
{
	int64_t sum;
	int r;

	kn_assert(d != NULL);
	r = kin_proxy_call(kn_proxy_of(d), "add", KIN_ARGS(key, n),
			   KIN_TAKE(&sum), deadline);
	if (r == 0 && ret_sum != NULL)
		*ret_sum = sum;
	return r;
}

int
kin_dict_add_many(kin_dict *d, const kin_builder *map, kin_time deadline)
{
	kn_assert(d != NULL);
	return kin_proxy_call(kn_proxy_of(d), "add_many",
			      KIN_ARGS(kin_give_builder(map)), KIN_TAKE(),
			      deadline);
}

int
kin_dict_update(kin_dict *d, const kin_builder *map, kin_time deadline)
{
	kn_assert(d != NULL);
	return kin_proxy_call(kn_proxy_of(d), "update",
			      KIN_ARGS(kin_give_builder(map)), KIN_TAKE(),
			      deadline);
}

ssize_t
kin_dict_len(kin_dict *d, kin_time deadline)
{
	ssize_t n;
	int r;

	kn_assert(d != NULL);
	r = kin_proxy_call(kn_proxy_of(d), "len", KIN_ARGS(), KIN_TAKE(&n),
			   deadline);
	return r == 0 ? n : r;
}

int
kin_dict_keys(kin_dict *d, kin_values **ret_v, kin_time deadline)
{
	kn_assert(d != NULL && ret_v != NULL);
	return kn_proxy_ask(kn_proxy_of(d), "keys", KIN_ARGS(), ret_v,
			    deadline);
}

int
kin_dict_items(kin_dict *d, kin_values **ret_v, kin_time deadline)
{
	kn_assert(d != NULL && ret_v != NULL);
	return kn_proxy_ask(kn_proxy_of(d), "items", KIN_ARGS(), ret_v,
			    deadline);
}

int
kin_dict_clear(kin_dict *d, kin_time deadline)
{
	kn_assert(d != NULL);
	return kin_proxy_call(kn_proxy_of(d), "clear", KIN_ARGS(), KIN_TAKE(),
			      deadline);
}
