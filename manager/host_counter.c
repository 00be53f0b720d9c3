/* SPDX-License-Identifier: MIT */
/*
 * host_counter.c - a counter, where it lives
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "manager/type.h"
#include "shm/error.h"

static int
counter_make(struct kn_object *o)
{
	o->state = calloc(1, sizeof(int64_t));
	return o->state != NULL ? 0 : kn_fail(-ENOMEM, "a counter");
}

static void
counter_free(struct kn_object *o, struct kn_store *store)
{
	(void)store;
	free(o->state);
}

static int
counter_add(struct kn_object *o, struct kn_request *req)
{
	int64_t *counter = o->state, n, sum;
	int r = kn_span_int(kn_row_next(&req->args), 1, &n);

	if (r < 0)
		return r;
	if (__builtin_add_overflow(*counter, n, &sum))
		return kn_fail(-ERANGE, "%" PRId64 " and %" PRId64 " do not "
			       "fit 64 bits", *counter, n);
	r = kn_answer_int(req, sum);
	if (r == 0)
		*counter = sum;
	return r;
}

static int
counter_get(struct kn_object *o, struct kn_request *req)
{
	return kn_answer_int(req, *(int64_t *)o->state);
}

static int
counter_set(struct kn_object *o, struct kn_request *req)
{
	int64_t *counter = o->state, n;
	int r = kn_span_int(kn_row_next(&req->args), 1, &n);

	if (r == 0)
		r = kn_answer_int(req, *counter);
	if (r == 0)
		*counter = n;
	return r;
}

/* Answers 1 or 0, and what it was. */
static int
counter_swap(struct kn_object *o, struct kn_request *req)
{
	int64_t *counter = o->state, old, n;
	int r = kn_span_int(kn_row_next(&req->args), 1, &old);

	if (r == 0)
		r = kn_span_int(kn_row_next(&req->args), 2, &n);
	if (r < 0)
		return r;
	r = kn_answer(req, KIN_ARGS(*counter == old, *counter));
	if (r == 0 && *counter == old)
		*counter = n;
	return r;
}

static const struct kn_method methods[] = {
	{ "add", counter_add, 1, 1 },
	{ "get", counter_get, 0, 0 },
	{ "set", counter_set, 1, 1 },
	{ "swap", counter_swap, 2, 2 },
};

const struct kn_type kn_counter_type = {
	.name = "counter",
	.thing = KIN_THING_COUNTER,
	.methods = methods,
	.n = sizeof(methods) / sizeof(methods[0]),
	.make = counter_make,
	.free = counter_free,
};
