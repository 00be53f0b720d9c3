/* SPDX-License-Identifier: MIT */
/*
 * item.c - values that objects keep, and the proxies in them
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/thing.h"
#include "manager/object.h"
#include "manager/type.h"
#include "shm/error.h"

/* ---- proxies in values ---- */

bool
kn_thing_next(struct kn_span *left, struct kn_head *ret)
{
	const unsigned char *end;

	while (left->len > 0) {
		end = left->p + left->len;
		if (kn_wire_head(ret, left->p, end) < 0)
			return false;
		left->p = ret->next;
		left->len = (size_t)(end - ret->next);
		if (ret->type == KIN_TYPE_THING)
			return true;
	}
	return false;
}

bool
kn_is_proxy(const struct kn_head *thing)
{
	return kn_thing_fits(KIN_THING_PROXY, thing->kind) &&
	       thing->v.n >= KN_PROXY_ADDRESS &&
	       thing->data[0] == KN_BY_ITSELF;
}

bool
kn_is_own(const struct kn_store *store, const struct kn_head *thing)
{
	return kn_is_proxy(thing) &&
	       kn_wire_little(thing->data + KN_PROXY_SERVER, 8) ==
	       store->server;
}

static struct kn_object *
object_of(const struct kn_store *store, const struct kn_head *own)
{
	uint64_t id = kn_wire_little(own->data + KN_PROXY_OBJECT, 8);

	return kn_object_find(store, id);
}

static int
check_own(const struct kn_store *store, const struct kn_head *own)
{
	const struct kn_object *o = object_of(store, own);

	if (o == NULL)
		return kn_fail(-ENOENT, "the object of a proxy is gone");
	if (own->kind != KIN_THING_PROXY && own->kind != o->type->thing)
		return kn_fail(-EINVAL, "a proxy says that a %s is something "
			       "else", o->type->name);
	return 0;
}

static int
check_thing(const struct kn_store *store, const struct kn_head *thing)
{
	if (thing->v.n == 0 || thing->data[0] == KN_BY_FD)
		return kn_fail(-EOPNOTSUPP, "a thing with a descriptor cannot "
			       "live in another process's object; "
			       KN_INSTEAD);
	if (kn_is_own(store, thing))
		return check_own(store, thing);
	if (kn_thing_fits(KIN_THING_PROXY, thing->kind) &&
	    !kn_is_proxy(thing))
		return kn_fail(-EINVAL, "a proxy that is none");
	return 0;
}

/* ---- items ---- */

/* So many arrays and maps inside each other, or just more than the limit. */
static unsigned
depth_of(struct kn_span value)
{
	const unsigned char *at = value.p, *end = at + value.len;
	uint64_t left[KN_ITEM_DEPTH + 1] = { 1 };
	unsigned depth = 0, deepest = 0;
	struct kn_head head;

	for (;;) {
		while (left[depth] == 0)
			if (depth-- == 0)
				return deepest;
		left[depth]--;
		kn_assert(kn_wire_head(&head, at, end) == 0);
		at = head.next;
		if (head.type != KIN_TYPE_ARRAY && head.type != KIN_TYPE_MAP)
			continue;
		if (depth == KN_ITEM_DEPTH)
			return depth + 1;
		left[++depth] = kn_wire_parts(&head);
		if (depth > deepest)
			deepest = depth;
	}
}

static int
check_item(const struct kn_store *store, struct kn_span value)
{
	struct kn_span left = value;
	struct kn_head thing;
	int r = 0;

	if (value.len > UINT32_MAX)
		return kn_fail(-EMSGSIZE, "a value of %zu bytes", value.len);
	/* Each level is a byte at least. */
	if (value.len > KN_ITEM_DEPTH && depth_of(value) > KN_ITEM_DEPTH)
		return kn_fail(-EMSGSIZE, "a value in an object is nested "
			       "deeper than %d", KN_ITEM_DEPTH);
	while (r == 0 && kn_thing_next(&left, &thing))
		r = check_thing(store, &thing);
	return r;
}

int
kn_item_make(struct kn_item *item, struct kn_store *store,
	     struct kn_span value)
{
	struct kn_span left = value;
	struct kn_head thing;
	int r = check_item(store, value);

	*item = (struct kn_item){ 0 };
	if (r < 0)
		return r;
	item->bytes = malloc(value.len > KN_HEAD_MOST ? value.len
						      : KN_HEAD_MOST);
	if (item->bytes == NULL)
		return kn_fail(-ENOMEM, "a value of %zu bytes", value.len);
	memcpy(item->bytes, value.p, value.len);
	item->len = (uint32_t)value.len;
	while (kn_thing_next(&left, &thing))
		if (kn_is_own(store, &thing)) {
			kn_object_ref(object_of(store, &thing));
			item->proxies++;
		}
	return 0;
}

/* The object is there: the item holds it; but not when the store is freed. */
void
kn_item_clear(struct kn_store *store, struct kn_item *item)
{
	struct kn_span left = { item->bytes, item->len };
	struct kn_head thing;
	struct kn_object *o;

	while (item->proxies > 0 && kn_thing_next(&left, &thing)) {
		if (!kn_is_own(store, &thing))
			continue;
		item->proxies--;
		o = object_of(store, &thing);
		if (o != NULL)
			kn_object_unref(store, o, 1);
	}
	free(item->bytes);
	*item = (struct kn_item){ 0 };
}
