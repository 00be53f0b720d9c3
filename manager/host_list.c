/* SPDX-License-Identifier: MIT */
/*
 * host_list.c - a list, where it lives
 *
 * All memory is had, and the answer written, before the first item is touched.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "manager/type.h"
#include "shm/error.h"

#define ROOM_LEAST	8u

struct list {
	struct kn_item *items;
	size_t n, cap;
};

static int
list_make(struct kn_object *o)
{
	o->state = calloc(1, sizeof(struct list));
	return o->state != NULL ? 0 : kn_fail(-ENOMEM, "a list");
}

static void
clear_items(struct kn_store *store, struct kn_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kn_item_clear(store, &items[i]);
}

static void
list_free(struct kn_object *o, struct kn_store *store)
{
	struct list *list = o->state;

	clear_items(store, list->items, list->n);
	free(list->items);
	free(list);
}

/* ---- room ---- */

static int
reserve(struct list *list, size_t more)
{
	size_t cap = list->cap + list->cap / 2;
	struct kn_item *items;

	if (more <= list->cap - list->n)
		return 0;
	if (cap < ROOM_LEAST)
		cap = ROOM_LEAST;
	if (cap < list->n + more)
		cap = list->n + more;
	items = reallocarray(list->items, cap, sizeof(*items));
	if (items == NULL)
		return kn_fail(-ENOMEM, "a list of %zu items", cap);
	list->items = items;
	list->cap = cap;
	return 0;
}

/* Without that item, which is cleared by who took it. */
static void
close_gap(struct list *list, size_t at)
{
	struct kn_item *items;
	size_t cap = list->cap / 2;

	list->n--;
	memmove(&list->items[at], &list->items[at + 1],
		(list->n - at) * sizeof(list->items[0]));
	if (cap < ROOM_LEAST || list->n > cap / 2)
		return;
	items = reallocarray(list->items, cap, sizeof(*items));
	if (items == NULL)
		return;			/* then it stays as large as it is */
	list->items = items;
	list->cap = cap;
}

/* ---- where ---- */

/* An index up to most - 1; a negative one counts from the list's end. */
static int
read_index(const struct list *list, struct kn_request *req, size_t most,
	   size_t *ret)
{
	int64_t i;
	int r = kn_span_int(kn_row_next(&req->args), 1, &i);

	if (r < 0)
		return r;
	*ret = (size_t)(i < 0 ? i + (int64_t)list->n : i);
	if (*ret >= most)
		return kn_fail(-ERANGE, "index %" PRId64 " of a list of %zu "
			       "item%s", i, list->n, list->n == 1 ? "" : "s");
	return 0;
}

/* ---- adding ---- */

static int
list_append(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;
	int r = reserve(list, 1);

	if (r == 0)
		r = kn_item_make(&list->items[list->n], req->store,
				 kn_row_next(&req->args));
	if (r == 0)
		list->n++;
	return r;
}

static int
list_extend(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;
	struct kn_item *at;
	size_t n = 0;
	int r;

	if (req->args.n == 0)
		return 0;
	r = reserve(list, (size_t)req->args.n);
	if (r < 0)
		return r;
	at = list->items + list->n;
	while (r == 0 && req->args.n > 0) {
		r = kn_item_make(&at[n], req->store, kn_row_next(&req->args));
		if (r == 0)
			n++;
	}
	if (r < 0)
		clear_items(req->store, at, n);
	else
		list->n += n;
	return r;
}

static int
list_insert(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;
	struct kn_item item;
	size_t at;
	int r = read_index(list, req, list->n + 1, &at);

	if (r == 0)
		r = reserve(list, 1);
	if (r == 0)
		r = kn_item_make(&item, req->store, kn_row_next(&req->args));
	if (r < 0)
		return r;
	memmove(&list->items[at + 1], &list->items[at],
		(list->n - at) * sizeof(item));
	list->items[at] = item;
	list->n++;
	return 0;
}

/* ---- one item ---- */

static int
list_get(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;
	size_t at;
	int r = read_index(list, req, list->n, &at);

	return r == 0 ? kn_answer_item(req, &list->items[at]) : r;
}

static int
list_set(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;
	struct kn_item item, old;
	size_t at;
	int r = read_index(list, req, list->n, &at);

	if (r == 0)
		r = kn_item_make(&item, req->store, kn_row_next(&req->args));
	if (r < 0)
		return r;
	old = list->items[at];
	list->items[at] = item;
	kn_item_clear(req->store, &old);
	return 0;
}

static int
take_out(struct kn_object *o, struct kn_request *req, bool answer)
{
	struct list *list = o->state;
	struct kn_item old;
	size_t at;
	int r = read_index(list, req, list->n, &at);

	if (r == 0 && answer)
		r = kn_answer_item(req, &list->items[at]);
	if (r < 0)
		return r;
	old = list->items[at];
	close_gap(list, at);
	kn_item_clear(req->store, &old);
	return 0;
}

static int
list_pop(struct kn_object *o, struct kn_request *req)
{
	return take_out(o, req, true);
}

static int
list_remove(struct kn_object *o, struct kn_request *req)
{
	return take_out(o, req, false);
}

/* ---- many ---- */

static int
list_find(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;
	struct kn_span value = kn_row_next(&req->args);

	for (size_t i = 0; i < list->n; i++)
		if (kn_equal(value, (struct kn_span){ list->items[i].bytes,
						       list->items[i].len }))
			return kn_answer_int(req, (int64_t)i);
	return kn_fail(-ENOENT, "no such item");
}

static int
list_slice(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;
	uint64_t n;
	size_t at;
	int r = read_index(list, req, list->n + 1, &at);

	if (r == 0)
		r = kn_span_uint(kn_row_next(&req->args), 2, &n);
	if (r < 0)
		return r;
	if (n > list->n - at)
		n = list->n - at;
	r = kn_answer_begin(req, KIN_TYPE_ARRAY, n);
	for (; r == 0 && n > 0; n--)
		r = kn_answer_add(req, &list->items[at++]);
	return r;
}

static int
list_len(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state;

	return kn_answer_int(req, (int64_t)list->n);
}

/* Empty before the first item goes: that may be the last thing it does. */
static int
list_clear(struct kn_object *o, struct kn_request *req)
{
	struct list *list = o->state, old = *list;

	*list = (struct list){ 0 };
	clear_items(req->store, old.items, old.n);
	free(old.items);
	return 0;
}

static const struct kn_method methods[] = {
	{ "append", list_append, 1, 1 },
	{ "get", list_get, 1, 1 },
	{ "set", list_set, 2, 2 },
	{ "pop", list_pop, 1, 1 },
	{ "len", list_len, 0, 0 },
	{ "insert", list_insert, 2, 2 },
	{ "remove", list_remove, 1, 1 },
	{ "extend", list_extend, 0, KN_ANY_NUMBER },
	{ "find", list_find, 1, 1 },
	{ "slice", list_slice, 2, 2 },
	{ "clear", list_clear, 0, 0 },
};

const struct kn_type kn_list_type = {
	.name = "list",
	.thing = KIN_THING_LIST,
	.methods = methods,
	.n = sizeof(methods) / sizeof(methods[0]),
	.make = list_make,
	.free = list_free,
};
