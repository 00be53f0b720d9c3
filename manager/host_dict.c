/* SPDX-License-Identifier: MIT */
/*
 * host_dict.c - a dictionary, where it lives
 *
 * All memory is had, and the answer written, before anything is changed; where
 * many are changed, what they were is noted, and put back if one fails.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "manager/key.h"
#include "shm/error.h"

struct entry {				/* the value of a row */
	struct kn_item item;		/* no bytes: none yet */
	unsigned char key[];		/* the row's */
};

static int
dict_make(struct kn_object *o)
{
	o->state = calloc(1, sizeof(struct kn_table));
	return o->state != NULL ? 0 : kn_fail(-ENOMEM, "a dict");
}

static void
clear_entry(struct kn_store *store, struct entry *entry)
{
	kn_item_clear(store, &entry->item);
	free(entry);
}

static void
clear_entries(struct kn_store *store, struct kn_table *table)
{
	struct kn_table_row *row;
	size_t at = 0;

	while ((row = kn_table_next(table, &at)) != NULL)
		clear_entry(store, row->value);
	kn_table_free(table);
}

static void
dict_free(struct kn_object *o, struct kn_store *store)
{
	clear_entries(store, o->state);
	free(o->state);
}

/* ---- rows ---- */

/* A row without a value yet: given one, or taken away again. */
static int
add_row(struct kn_table *table, const struct kn_key *key,
	struct kn_table_row **ret)
{
	struct entry *entry = malloc(sizeof(*entry) + key->len);
	int r;

	if (entry == NULL)
		return kn_fail(-ENOMEM, "a key of %zu bytes", key->len);
	entry->item = (struct kn_item){ 0 };
	memcpy(entry->key, key->p, key->len);
	r = kn_table_add_lent(table, entry->key, key->len, ret);
	if (r < 0) {
		free(entry);
		return r;
	}
	(*ret)->value = entry;
	return 0;
}

static void
remove_row(struct kn_store *store, struct kn_table *table,
	   struct kn_table_row *row)
{
	struct entry *entry = row->value;

	kn_table_remove(table, row);
	clear_entry(store, entry);
}

/* The row of the next argument; NULL: there is none. */
static int
find_row(struct kn_object *o, struct kn_request *req,
	 struct kn_table_row **ret)
{
	struct kn_key key;
	int r = kn_key_read(&key, kn_row_next(&req->args));

	if (r < 0)
		return r;
	*ret = kn_table_find(o->state, key.p, key.len);
	kn_key_clear(&key);
	return 0;
}

/* The same, or a new one, without a value. */
static int
make_row(struct kn_table *table, struct kn_span value,
	 struct kn_table_row **ret)
{
	struct kn_key key;
	int r = kn_key_read(&key, value);

	if (r < 0)
		return r;
	*ret = kn_table_find(table, key.p, key.len);
	if (*ret == NULL)
		r = add_row(table, &key, ret);
	kn_key_clear(&key);
	return r;
}

/* ---- numbers ---- */

/* What is there and n.  An integer beyond int64_t may be there, too. */
static int
sum_up(const struct kn_item *item, int64_t n, int64_t *ret)
{
	struct kn_head head;

	if (item->bytes == NULL) {
		*ret = n;
		return 0;
	}
	head = kn_span_head((struct kn_span){ item->bytes, item->len });
	if (head.type != KIN_TYPE_INT)
		return kn_fail(-EINVAL, "the value there is %s, not an integer",
			       kn_type_a(head.type));
	if (head.negative || head.v.u <= INT64_MAX) {
		if (!__builtin_add_overflow(head.v.i, n, ret))
			return 0;
	} else if (n < 0 && head.v.u + (uint64_t)n <= INT64_MAX) {
		*ret = (int64_t)(head.v.u + (uint64_t)n);
		return 0;
	}
	return kn_fail(-ERANGE, "the sum with %" PRId64 " does not fit 64 bits",
		       n);
}

/* An item has room for it. */
static void
put_int(struct kn_item *item, int64_t n)
{
	item->len = (uint32_t)kn_write_int(item->bytes, n);
}

static int
make_int(struct kn_item *item, struct kn_store *store, int64_t n)
{
	unsigned char bytes[KN_HEAD_MOST];
	size_t len = kn_write_int(bytes, n);

	return kn_item_make(item, store, (struct kn_span){ bytes, len });
}

static int
put_sum(struct entry *entry, struct kn_store *store, int64_t sum)
{
	if (entry->item.bytes == NULL)
		return make_int(&entry->item, store, sum);
	put_int(&entry->item, sum);
	return 0;
}

/* ---- one key ---- */

static int
dict_set(struct kn_object *o, struct kn_request *req)
{
	struct kn_table *table = o->state;
	struct kn_span key = kn_row_next(&req->args);
	struct kn_table_row *row;
	struct kn_item item, old;
	struct entry *entry;
	int r = kn_item_make(&item, req->store, kn_row_next(&req->args));

	if (r < 0)
		return r;
	r = make_row(table, key, &row);
	if (r < 0) {
		kn_item_clear(req->store, &item);
		return r;
	}
	entry = row->value;
	r = kn_answer_int(req, entry->item.bytes != NULL);
	if (r < 0) {
		if (entry->item.bytes == NULL)
			remove_row(req->store, table, row);
		kn_item_clear(req->store, &item);
		return r;
	}
	old = entry->item;
	entry->item = item;
	kn_item_clear(req->store, &old);
	return 0;
}

static int
dict_get(struct kn_object *o, struct kn_request *req)
{
	struct kn_table_row *row;
	int r = find_row(o, req, &row);

	if (r < 0)
		return r;
	if (row == NULL)
		return kn_fail(-ENOENT, "no such key");
	return kn_answer_item(req, &((struct entry *)row->value)->item);
}

static int
dict_has(struct kn_object *o, struct kn_request *req)
{
	struct kn_table_row *row;
	int r = find_row(o, req, &row);

	return r == 0 ? kn_answer_int(req, row != NULL) : r;
}

static int
dict_remove(struct kn_object *o, struct kn_request *req)
{
	struct kn_table_row *row;
	int r = find_row(o, req, &row);

	if (r == 0)
		r = kn_answer_int(req, row != NULL);
	if (r == 0 && row != NULL)
		remove_row(req->store, o->state, row);
	return r;
}

static int
dict_pop(struct kn_object *o, struct kn_request *req)
{
	struct kn_table_row *row;
	int r = find_row(o, req, &row);

	if (r == 0 && row == NULL)
		r = kn_fail(-ENOENT, "no such key");
	if (r == 0)
		r = kn_answer_item(req, &((struct entry *)row->value)->item);
	if (r == 0)
		remove_row(req->store, o->state, row);
	return r;
}

static int
dict_setdefault(struct kn_object *o, struct kn_request *req)
{
	struct kn_table *table = o->state;
	struct kn_table_row *row;
	struct entry *entry;
	bool there;
	int r = make_row(table, kn_row_next(&req->args), &row);

	if (r < 0)
		return r;
	entry = row->value;
	there = entry->item.bytes != NULL;
	if (!there)
		r = kn_item_make(&entry->item, req->store,
				 kn_row_next(&req->args));
	if (r == 0)
		r = kn_answer_item(req, &entry->item);
	if (r < 0 && !there)
		remove_row(req->store, table, row);
	return r;
}

static int
dict_add(struct kn_object *o, struct kn_request *req)
{
	struct kn_table *table = o->state;
	struct kn_span key = kn_row_next(&req->args);
	struct kn_table_row *row;
	struct entry *entry;
	int64_t n, sum = 0;
	int r = kn_span_int(kn_row_next(&req->args), 2, &n);

	if (r == 0)
		r = make_row(table, key, &row);
	if (r < 0)
		return r;
	entry = row->value;
	r = sum_up(&entry->item, n, &sum);
	if (r == 0)
		r = kn_answer_int(req, sum);
	if (r == 0)
		r = put_sum(entry, req->store, sum);
	if (r < 0 && entry->item.bytes == NULL)
		remove_row(req->store, table, row);
	return r;
}

/* ---- many keys ---- */

/* One of many, and what was there; a key that comes twice is there twice. */
struct change {
	struct entry *entry;
	uint32_t key_len;
	bool fresh;			/* there was nothing */
	union {
		struct kn_item item;	/* "update" */
		struct {		/* "add_many": it is changed in place */
			unsigned char bytes[KN_HEAD_MOST];
			unsigned char len;
		} number;
	} was;
};

struct changing {
	struct kn_store *store;
	struct kn_table *table;
	struct change *changes;
	size_t n;			/* made so far */
};

/* make: all or nothing.  undo: if it was not fresh.  done: all were made. */
struct way {
	int (*make)(struct changing *all, struct change *one,
		    struct kn_span value);
	void (*undo)(struct changing *all, struct change *one);
	void (*done)(struct changing *all, struct change *one);
};

static int
make_add(struct changing *all, struct change *one, struct kn_span value)
{
	struct kn_item *item = &one->entry->item;
	struct kn_head head = kn_span_head(value);
	int64_t sum = 0;
	int r;

	if (head.type != KIN_TYPE_INT)
		return kn_fail(-EINVAL, "value %zu of argument 1 is %s, not "
			       "an integer", all->n + 1, kn_type_a(head.type));
	if (!head.negative && head.v.u > INT64_MAX)
		return kn_fail(-ERANGE, "value %zu of argument 1 is %" PRIu64
			       ", over %" PRId64, all->n + 1, head.v.u,
			       INT64_MAX);
	r = sum_up(item, head.v.i, &sum);
	if (r < 0)
		return r;
	if (!one->fresh) {
		one->was.number.len = (unsigned char)item->len;
		memcpy(one->was.number.bytes, item->bytes, item->len);
	}
	return put_sum(one->entry, all->store, sum);
}

static void
undo_add(struct changing *all, struct change *one)
{
	struct kn_item *item = &one->entry->item;

	(void)all;
	item->len = one->was.number.len;
	memcpy(item->bytes, one->was.number.bytes, item->len);
}

static void
done_add(struct changing *all, struct change *one)
{
	(void)all;
	(void)one;
}

static int
make_set(struct changing *all, struct change *one, struct kn_span value)
{
	struct kn_item item;
	int r = kn_item_make(&item, all->store, value);

	if (r < 0)
		return r;
	one->was.item = one->entry->item;
	one->entry->item = item;
	return 0;
}

static void
undo_set(struct changing *all, struct change *one)
{
	kn_item_clear(all->store, &one->entry->item);
	one->entry->item = one->was.item;
}

static void
done_set(struct changing *all, struct change *one)
{
	kn_item_clear(all->store, &one->was.item);
}

static const struct way add_way = { make_add, undo_add, done_add };
static const struct way set_way = { make_set, undo_set, done_set };

static void
remove_fresh(struct changing *all, const struct change *one)
{
	struct kn_table_row *row = kn_table_find(all->table, one->entry->key,
						 one->key_len);

	kn_assert(row != NULL);
	remove_row(all->store, all->table, row);
}

/* The next pair; what it has added to the table goes if it fails. */
static int
change_next(struct changing *all, const struct way *way, struct kn_row *pairs)
{
	struct change *one = &all->changes[all->n];
	struct kn_table_row *row;
	int r = make_row(all->table, kn_row_next(pairs), &row);

	if (r < 0)
		return r;
	one->entry = row->value;
	one->key_len = row->key_len;
	one->fresh = one->entry->item.bytes == NULL;
	r = way->make(all, one, kn_row_next(pairs));
	if (r == 0)
		all->n++;
	else if (one->fresh)
		remove_fresh(all, one);
	return r;
}

static int
change_all(struct changing *all, const struct way *way, struct kn_row *pairs)
{
	int r = 0;

	while (r == 0 && pairs->n > 0)
		r = change_next(all, way, pairs);
	if (r == 0) {
		while (all->n-- > 0)
			way->done(all, &all->changes[all->n]);
		return 0;
	}
	while (all->n-- > 0)
		if (all->changes[all->n].fresh)
			remove_fresh(all, &all->changes[all->n]);
		else
			way->undo(all, &all->changes[all->n]);
	return r;
}

static int
change_many(struct kn_object *o, struct kn_request *req,
	    const struct way *way)
{
	struct kn_span map = kn_row_next(&req->args);
	struct kn_head head = kn_span_head(map);
	struct kn_row pairs = { head.next, map.p + map.len, 2 * head.v.n };
	struct changing all = { .store = req->store, .table = o->state };
	int r;

	if (head.type != KIN_TYPE_MAP)
		return kn_fail(-EINVAL, "argument 1 is %s, not a map",
			       kn_type_a(head.type));
	if (head.v.n == 0)
		return 0;
	all.changes = reallocarray(NULL, (size_t)head.v.n,
				   sizeof(*all.changes));
	if (all.changes == NULL)
		return kn_fail(-ENOMEM, "%" PRIu64 " changes", head.v.n);
	r = change_all(&all, way, &pairs);
	free(all.changes);
	return r;
}

static int
dict_add_many(struct kn_object *o, struct kn_request *req)
{
	return change_many(o, req, &add_way);
}

static int
dict_update(struct kn_object *o, struct kn_request *req)
{
	return change_many(o, req, &set_way);
}

/* ---- all of them ---- */

static int
dict_len(struct kn_object *o, struct kn_request *req)
{
	struct kn_table *table = o->state;

	return kn_answer_int(req, (int64_t)table->live);
}

static int
dict_keys(struct kn_object *o, struct kn_request *req)
{
	struct kn_table *table = o->state;
	struct kn_table_row *row;
	size_t at = 0;
	int r = kn_answer_begin(req, KIN_TYPE_ARRAY, table->live);

	while (r == 0 && (row = kn_table_next(table, &at)) != NULL)
		r = kn_answer_add_raw(req, (struct kn_span){ row->key,
							      row->key_len });
	return r;
}

static int
dict_items(struct kn_object *o, struct kn_request *req)
{
	struct kn_table *table = o->state;
	struct kn_table_row *row;
	size_t at = 0;
	int r = kn_answer_begin(req, KIN_TYPE_MAP, table->live);

	while (r == 0 && (row = kn_table_next(table, &at)) != NULL) {
		r = kn_answer_add_raw(req, (struct kn_span){ row->key,
							      row->key_len });
		if (r == 0)
			r = kn_answer_add(req, &((struct entry *)
						 row->value)->item);
	}
	return r;
}

/* Empty before the first item goes: that may be the last thing it does. */
static int
dict_clear(struct kn_object *o, struct kn_request *req)
{
	struct kn_table *table = o->state, old = *table;

	kn_table_init(table);
	clear_entries(req->store, &old);
	return 0;
}

static const struct kn_method methods[] = {
	{ "get", dict_get, 1, 1 },
	{ "set", dict_set, 2, 2 },
	{ "add", dict_add, 2, 2 },
	{ "add_many", dict_add_many, 1, 1 },
	{ "has", dict_has, 1, 1 },
	{ "remove", dict_remove, 1, 1 },
	{ "pop", dict_pop, 1, 1 },
	{ "setdefault", dict_setdefault, 2, 2 },
	{ "update", dict_update, 1, 1 },
	{ "len", dict_len, 0, 0 },
	{ "keys", dict_keys, 0, 0 },
	{ "items", dict_items, 0, 0 },
	{ "clear", dict_clear, 0, 0 },
};

const struct kn_type kn_dict_type = {
	.name = "dict",
	.thing = KIN_THING_DICT,
	.methods = methods,
	.n = sizeof(methods) / sizeof(methods[0]),
	.make = dict_make,
	.free = dict_free,
};
