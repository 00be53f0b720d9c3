/* SPDX-License-Identifier: MIT */
/*
 * list.c - a list, from afar
 */
#include <kin/list.h>

#include "manager/proxy.h"
#include "shm/error.h"

int
kin_list_create(kin_list **ret_l, kin_manager *m, const char *name,
		kin_time deadline)
{
	kin_proxy *p;
	int r;

	kn_assert(ret_l != NULL && m != NULL);
	r = kn_proxy_create(&p, m, KIN_THING_LIST, name, deadline);
	if (r == 0)
		*ret_l = (kin_list *)p;
	return r;
}

int
kin_list_open(kin_list **ret_l, kin_manager *m, const char *name,
	      kin_time deadline)
{
	kin_proxy *p;
	int r;

	kn_assert(ret_l != NULL && m != NULL && name != NULL);
	r = kn_proxy_open(&p, m, KIN_THING_LIST, name, deadline);
	if (r == 0)
		*ret_l = (kin_list *)p;
	return r;
}

void
kin_list_close(kin_list *l)
{
	kin_proxy_close(kn_proxy_of(l));
}

kin_proxy *
kin_list_proxy(kin_list *l)
{
	kn_assert(l != NULL);
	return kn_proxy_of(l);
}

int
kin_list_append(kin_list *l, struct kin_arg value, kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "append", KIN_ARGS(value),
			      KIN_TAKE(), deadline);
}

int
kin_list_extend(kin_list *l, struct kin_args values, kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "extend", values, KIN_TAKE(),
			      deadline);
}

int
kin_list_insert(kin_list *l, int64_t index, struct kin_arg value,
		kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "insert", KIN_ARGS(index, value),
			      KIN_TAKE(), deadline);
}

int
kin_list_get(kin_list *l, int64_t index, struct kin_slots value,
	     kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "get", KIN_ARGS(index), value,
			      deadline);
}

int
kin_list_set(kin_list *l, int64_t index, struct kin_arg value,
	     kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "set", KIN_ARGS(index, value),
			      KIN_TAKE(), deadline);
}

int
kin_list_pop(kin_list *l, int64_t index, struct kin_slots value,
	     kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "pop", KIN_ARGS(index), value,
			      deadline);
}

int
kin_list_remove(kin_list *l, int64_t index, kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "remove", KIN_ARGS(index),
			      KIN_TAKE(), deadline);
}

ssize_t
kin_list_find(kin_list *l, struct kin_arg value, kin_time deadline)
{
	ssize_t n;
	int r;

	kn_assert(l != NULL);
	r = kin_proxy_call(kn_proxy_of(l), "find", KIN_ARGS(value),
			   KIN_TAKE(&n), deadline);
	return r == 0 ? n : r;
}

int
kin_list_slice(kin_list *l, int64_t index, uint64_t n, kin_values **ret_v,
	       kin_time deadline)
{
	kn_assert(l != NULL && ret_v != NULL);
	return kn_proxy_ask(kn_proxy_of(l), "slice", KIN_ARGS(index, n), ret_v,
			    deadline);
}

ssize_t
kin_list_len(kin_list *l, kin_time deadline)
{
	ssize_t n;
	int r;

	kn_assert(l != NULL);
	r = kin_proxy_call(kn_proxy_of(l), "len", KIN_ARGS(), KIN_TAKE(&n),
			   deadline);
	return r == 0 ? n : r;
}

int
kin_list_clear(kin_list *l, kin_time deadline)
{
	kn_assert(l != NULL);
	return kin_proxy_call(kn_proxy_of(l), "clear", KIN_ARGS(), KIN_TAKE(),
			      deadline);
}
