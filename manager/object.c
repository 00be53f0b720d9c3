/* SPDX-License-Identifier: MIT */
/*
 * object.c - the objects of a server
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "manager/object.h"
#include "manager/type.h"
#include "shm/error.h"

#define PLACES_LEAST	16u

int
kn_store_init(struct kn_store *store, const char *address)
{
	*store = (struct kn_store){ .address = address };
	if (sodium_init() < 0)
		return kn_fail(-EAGAIN, "no random numbers from the kernel");
	do
		randombytes_buf(&store->server, sizeof(store->server));
	while (store->server == 0);
	randombytes_buf(store->token_key, sizeof(store->token_key));
	kn_table_init(&store->names);
	kn_table_init(&store->tokens);
	return 0;
}

/* ---- places ---- */

static uint32_t
index_of(uint64_t id)
{
	return (uint32_t)id;
}

/* Place 0 is nobody's, and ends the list of free ones. */
static int
add_places(struct kn_store *store)
{
	uint32_t old = store->nplaces, n = PLACES_LEAST;
	struct kn_place *places;

	if (old > UINT32_MAX / 2)
		return kn_fail(-ENOSPC, "%u objects", old);
	if (old > 0)
		n = 2 * old;
	places = reallocarray(store->places, n, sizeof(*places));
	if (places == NULL)
		return kn_fail(-ENOMEM, "%u objects", n);
	memset(places + old, 0, (n - old) * sizeof(*places));
	for (uint32_t i = n - 1; i > old; i--) {
		places[i].next_free = store->first_free;
		store->first_free = i;
	}
	if (old > 0) {
		places[old].next_free = store->first_free;
		store->first_free = old;
	}
	store->places = places;
	store->nplaces = n;
	return 0;
}

static void
enter(struct kn_store *store, struct kn_object *o)
{
	uint32_t i = store->first_free;
	struct kn_place *place = &store->places[i];

	store->first_free = place->next_free;
	place->object = o;
	o->id = (uint64_t)place->generation << 32 | i;
	store->live++;
}

static void
leave(struct kn_store *store, struct kn_object *o)
{
	uint32_t i = index_of(o->id);
	struct kn_place *place = &store->places[i];

	place->object = NULL;
	place->generation++;
	place->next_free = store->first_free;
	store->first_free = i;
	store->live--;
}

struct kn_object *
kn_object_find(const struct kn_store *store, uint64_t id)
{
	uint32_t i = index_of(id);

	if (i >= store->nplaces || store->places[i].generation != id >> 32)
		return NULL;
	return store->places[i].object;
}

/* ---- names ---- */

struct kn_object *
kn_object_named(const struct kn_store *store, const char *name, size_t len)
{
	struct kn_table_row *row = kn_table_find(&store->names, name, len);

	return row != NULL ? row->value : NULL;
}

static int
check_name(const struct kn_store *store, const char *name, size_t len)
{
	if (len == 0 || len > KN_NAME_MAX)
		return kn_fail(-EINVAL, "a name of %zu bytes; 1 to %u", len,
			       KN_NAME_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return kn_fail(-EINVAL, "a name with a control "
				       "character");
	if (kn_object_named(store, name, len) != NULL)
		return kn_fail(-EEXIST, "the name '%.*s' is taken", (int)len,
			       name);
	return 0;
}

int
kn_object_unname(struct kn_store *store, const char *name, size_t len)
{
	struct kn_table_row *row = kn_table_find(&store->names, name, len);
	struct kn_object *o;

	if (row == NULL)
		return kn_fail(-ENOENT, "no object has that name");
	o = row->value;
	kn_table_remove(&store->names, row);
	free(o->name);
	o->name = NULL;
	kn_object_unref(store, o, 1);
	return 0;
}

/* ---- making ---- */

static int
give_name(struct kn_object *o, const char *name, size_t len)
{
	o->name = malloc(len + 1);
	if (o->name == NULL)
		return kn_fail(-ENOMEM, "a name");
	memcpy(o->name, name, len);
	o->name[len] = '\0';
	return 0;
}

/* All that can fail. */
static int
prepare(struct kn_store *store, struct kn_object *o, const char *name,
	size_t len)
{
	int r = 0;

	if (name != NULL)
		r = check_name(store, name, len);
	if (r == 0 && name != NULL)
		r = kn_table_reserve(&store->names, 1);
	if (r == 0 && name != NULL)
		r = give_name(o, name, len);
	if (r == 0 && store->first_free == 0)
		r = add_places(store);
	return r == 0 ? o->type->make(o) : r;
}

int
kn_object_make(struct kn_object **ret, struct kn_store *store,
	       const struct kn_type *type, const char *name, size_t len)
{
	struct kn_object *o = calloc(1, sizeof(*o));
	struct kn_table_row *row;
	int r;

	if (o == NULL)
		return kn_fail(-ENOMEM, "a %s", type->name);
	o->type = type;
	o->refs = 1;
	r = prepare(store, o, name, len);
	if (r < 0) {
		free(o->name);
		free(o);
		return r;
	}
	if (name != NULL) {
		kn_assert(kn_table_add_lent(&store->names, o->name, len,
					    &row) == 0);
		row->value = o;
		o->refs++;
	}
	enter(store, o);
	*ret = o;
	return 0;
}

/* ---- going ---- */

/*
 * What is freed lets go of others, and so on: they stand in line, so that a
 * chain of any length takes no stack.
 */
static void
drain(struct kn_store *store)
{
	struct kn_object *o;

	if (store->draining)
		return;
	store->draining = true;
	while ((o = store->doomed) != NULL) {
		store->doomed = o->next_doomed;
		o->type->free(o, store);
		free(o->name);
		free(o);
	}
	store->draining = false;
}

static void
doom(struct kn_store *store, struct kn_object *o)
{
	leave(store, o);
	o->next_doomed = store->doomed;
	store->doomed = o;
}

void
kn_object_ref(struct kn_object *o)
{
	o->refs++;
}

void
kn_object_unref(struct kn_store *store, struct kn_object *o, uint64_t n)
{
	kn_assert(n <= o->refs);
	o->refs -= n;
	if (n == 0 || o->refs > 0)
		return;
	doom(store, o);
	drain(store);
}

/* All are found no more before the first goes: no item lets go of anything. */
void
kn_store_free(struct kn_store *store)
{
	int saved = errno;
	struct kn_table_row *row;
	size_t at = 0;

	while ((row = kn_table_next(&store->tokens, &at)) != NULL)
		free(row->value);
	kn_table_free(&store->tokens);
	kn_table_free(&store->names);
	for (uint32_t i = 1; i < store->nplaces; i++)
		if (store->places[i].object != NULL)
			doom(store, store->places[i].object);
	drain(store);
	free(store->places);
	*store = (struct kn_store){ 0 };
	errno = saved;
}
