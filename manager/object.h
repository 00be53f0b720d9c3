/* SPDX-License-Identifier: MIT */
/*
 * object.h - the objects of a server: who they are, and who holds them
 *
 *      id         generation << 32 | index; index 0 is the server itself
 *      refs       proxies in sessions, proxies under way, the name, and items
 *                 of other objects; at 0 the object goes
 *
 * An id is never given again before its generation has gone round, so that a
 * proxy that is out of date finds nothing, and not somebody else.
 */
#ifndef KN_OBJECT_H
#define KN_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kin/time.h>
#include <kin/value.h>

#include "lib/wire.h"
#include "manager/table.h"

struct kn_type;
struct kn_token;

/* What one session has under way: a part of it, zero at first. */
struct kn_token_owner {
	struct kn_token *first, *last;
	uint32_t n;
};

struct kn_object {
	uint64_t id;
	const struct kn_type *type;
	void *state;			/* the type's */
	char *name;			/* NULL = none */
	uint64_t refs;
	struct kn_object *next_doomed;
};

struct kn_place {			/* of an object, by index */
	struct kn_object *object;	/* NULL = free */
	uint32_t generation;
	uint32_t next_free;
};

struct kn_store {
	uint64_t server;		/* its own number: random, never 0 */
	const char *address;
	struct kn_place *places;
	uint32_t nplaces, first_free, live;
	struct kn_table names;		/* name → object */
	struct kn_table tokens;		/* token → struct kn_token */
	struct kn_token_owner orphans;	/* the one that ends first first */
	uint64_t token_count;		/* made so far */
	unsigned char token_key[16];
	struct kn_object *doomed;	/* being freed, one after the other */
	bool draining;
};

/* address is not copied. */
int kn_store_init(struct kn_store *store, const char *address);
void kn_store_free(struct kn_store *store);

/*
 * A new one with one ref; name may be NULL, else it holds one more.
 * -EEXIST: the name is taken; -EINVAL: it is no name.
 */
#define KN_NAME_MAX	255u
int kn_object_make(struct kn_object **ret, struct kn_store *store,
		   const struct kn_type *type, const char *name, size_t len);
struct kn_object *kn_object_find(const struct kn_store *store, uint64_t id);
struct kn_object *kn_object_named(const struct kn_store *store,
				  const char *name, size_t len);
int kn_object_unname(struct kn_store *store, const char *name, size_t len);
void kn_object_ref(struct kn_object *o);
void kn_object_unref(struct kn_store *store, struct kn_object *o, uint64_t n);

/* ---- proxies in values ---- */

/*
 * What follows a proxy's KN_BY_ITSELF; its ext type is the type of its object,
 * or KIN_THING_PROXY.
 */
#define KN_PROXY_SERVER		1u	/* 8 bytes, little-endian, each */
#define KN_PROXY_OBJECT		9u
#define KN_PROXY_TOKEN		17u
#define KN_PROXY_ADDRESS	25u	/* up to the payload's end */

struct kn_span {			/* one value in a checked message */
	const unsigned char *p;
	size_t len;
};

/*
 * The next thing in these values, which may be cut short behind it; left is
 * what follows it.  Arrays and maps need no memory of where one is: whatever
 * the nesting, heads follow heads.
 */
bool kn_thing_next(struct kn_span *left, struct kn_head *ret);

/* Is it a proxy, whole?  One of this server's objects? */
bool kn_is_proxy(const struct kn_head *thing);
bool kn_is_own(const struct kn_store *store, const struct kn_head *thing);

/* ---- items: values that objects keep ---- */

/*
 * One value, as the msgpack it came as, in room for any integer at least.  The
 * proxies in it of this server's objects hold these.
 */
struct kn_item {
	unsigned char *bytes;
	uint32_t len;
	uint32_t proxies;		/* in it, of our own objects */
};

/* So deep is a value in an answer with many. */
#define KN_ITEM_DEPTH	(KIN_VALUES_DEPTH - 1)

/*
 * -ENOENT: a proxy in it whose object is gone.  item was empty, and is if it
 * fails.  Tokens stay as they are: kn_tokens_arrive.
 *
 *   -EINVAL      a proxy that is none
 *   -EOPNOTSUPP  a thing with a descriptor
 *   -EMSGSIZE    it is nested too deeply to be answered among others
 */
int kn_item_make(struct kn_item *item, struct kn_store *store,
		 struct kn_span value);
void kn_item_clear(struct kn_store *store, struct kn_item *item);

/* ---- proxies under way ---- */

#define KN_TOKENS_MAX	65536u		/* of one session: the latest */
#define KN_TOKEN_GRACE	60000000000ll	/* after its end */

/* A proxy under way: it holds its object until somebody claims it. */
struct kn_token {
	uint64_t number;
	struct kn_object *object;
	struct kn_token_owner *from;	/* the store's: that one has ended */
	struct kn_token *prev, *next;	/* of the same */
	int64_t until_ns;		/* if so */
};

int kn_token_make(struct kn_store *store, struct kn_object *o,
		  struct kn_token_owner *from, uint64_t *ret_number);
/* It has arrived, or nobody knows it: both are fine. */
void kn_token_claim(struct kn_store *store, uint64_t number);
/* All of them in these values have. */
void kn_tokens_arrive(struct kn_store *store, struct kn_span values);
/* Its session has ended; what is under way has a minute more. */
void kn_tokens_orphan(struct kn_store *store, struct kn_token_owner *from);
/* Let go of those whose time is over; the next one's, or INT64_MAX. */
int64_t kn_tokens_expire(struct kn_store *store, int64_t now_ns);

#endif
