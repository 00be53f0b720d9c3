/* SPDX-License-Identifier: MIT */
/*
 * counter.c - a counter, from afar
 */
#include <kin/counter.h>

#include "manager/proxy.h"
#include "shm/error.h"

int
kin_counter_create(kin_counter **ret_c, kin_manager *m, const char *name,
		   kin_time deadline)
{
	kin_proxy *p;
	int r;

	kn_assert(ret_c != NULL && m != NULL);
	r = kn_proxy_create(&p, m, KIN_THING_COUNTER, name, deadline);
	if (r == 0)
		*ret_c = (kin_counter *)p;
	return r;
}

int
kin_counter_open(kin_counter **ret_c, kin_manager *m, const char *name,
		 kin_time deadline)
{
	kin_proxy *p;
	int r;

	kn_assert(ret_c != NULL && m != NULL && name != NULL);
	r = kn_proxy_open(&p, m, KIN_THING_COUNTER, name, deadline);
	if (r == 0)
		*ret_c = (kin_counter *)p;
	return r;
}

void
kin_counter_close(kin_counter *c)
{
	kin_proxy_close(kn_proxy_of(c));
}

kin_proxy *
kin_counter_proxy(kin_counter *c)
{
	kn_assert(c != NULL);
	return kn_proxy_of(c);
}

int
kin_counter_add(kin_counter *c, int64_t n, int64_t *ret_sum, kin_time deadline)
{
	int64_t sum;
	int r;

	kn_assert(c != NULL);
	r = kin_proxy_call(kn_proxy_of(c), "add", KIN_ARGS(n), KIN_TAKE(&sum),
			   deadline);
	if (r == 0 && ret_sum != NULL)
		*ret_sum = sum;
	return r;
}

int
kin_counter_get(kin_counter *c, int64_t *ret, kin_time deadline)
{
	kn_assert(c != NULL && ret != NULL);
	return kin_proxy_call(kn_proxy_of(c), "get", KIN_ARGS(), KIN_TAKE(ret),
			      deadline);
}

int
kin_counter_set(kin_counter *c, int64_t n, int64_t *ret_old, kin_time deadline)
{
	int64_t old;
	int r;

	kn_assert(c != NULL);
	r = kin_proxy_call(kn_proxy_of(c), "set", KIN_ARGS(n), KIN_TAKE(&old),
			   deadline);
	if (r == 0 && ret_old != NULL)
		*ret_old = old;
	return r;
}

int
kin_counter_swap(kin_counter *c, int64_t old, int64_t n, int64_t *ret_was,
		 kin_time deadline)
{
	int64_t was;
	int done, r;

	kn_assert(c != NULL);
	r = kin_proxy_call(kn_proxy_of(c), "swap", KIN_ARGS(old, n),
			   KIN_TAKE(&done, &was), deadline);
	if (r < 0)
		return r;
	if (ret_was != NULL)
		*ret_was = was;
	return done;
}
