/* SPDX-License-Identifier: MIT */
/*
 * bundle.h - what travels: values as bytes, and the descriptors they speak of
 *
 *      KIN_ARGS ──encode──▶ bundle ──▶ a frame, a forked child, a queue
 *                                           │
 *      KIN_TAKE ◀──take── kin_values ◀──────┘ checked whole
 *
 * A thing that travels is a msgpack ext whose type is its kind
 * (KIN_THING_..., KN_EXT_...) and whose payload begins with the way it goes:
 *
 *      0, index (2 bytes, little-endian), what the kind adds    by descriptor
 *      1, name                                                  by name
 *      2, what the kind needs                                   by itself
 *
 * A thing inside of a builder or of values that came travels on with a
 * descriptor of its own; where none can, it is opened and packed anew if its
 * kind has names.
 */
#ifndef KN_BUNDLE_H
#define KN_BUNDLE_H

#include <stdbool.h>

#include <kin/time.h>
#include <kin/values.h>

#define KN_EXT_FD	64		/* a plain descriptor */
#define KN_EXT_RO	65		/* adds its length (8 bytes) */

#define KN_BY_FD	0
#define KN_BY_NAME	1
#define KN_BY_ITSELF	2

struct kn_frozen;

/* All of it is the bundle's own. */
struct kn_bundle {
	unsigned char *bytes;
	size_t len, cap;
	bool borrowed;			/* bytes are the caller's: see use */
	int *fds;
	uint32_t nfds;
	struct kn_lent *lent;		/* what to undo if it never travels */
	uint32_t nlent;
	struct kn_frozen **frozen;	/* kept alive by it */
	uint32_t nfrozen;
	uint32_t open;			/* arrays and maps begun, not ended */
	uint32_t depth;			/* the most of them inside each other */
	uint64_t items;			/* values in it, at any depth */
	uint64_t copied;		/* bytes of arguments */
	uint32_t pledges;		/* see pledge.h: things that may have
					   one */
	bool lasting;			/* and lent does not know them */
	uint32_t generation;		/* of the process that packed them */
};

/* Somebody who is told that what he has lent will never arrive. */
struct kn_lent {
	void (*back)(const struct kn_lent *lent);
	void *thing;
	int fd;				/* the bundle's, still open */
	uint64_t number;		/* or what the kind knows it by */
};

/* How it will travel, and what is allowed. */
struct kn_way {
	const char *what;		/* "queue 'x'": for sentences */
	uint64_t max_copy_bytes;	/* of one argument; 0 = no limit */
	bool no_fds;			/* it goes through memory, or TCP */
	bool timed;			/* until deadline it is to be ready */
	kin_time deadline;
	bool lasting;			/* handles may be closed before it goes:
					   if it never does, their kinds are
					   told by unclaimed, not by back */
	const char *instead;		/* if no_fds: what to use; NULL = see
					   KN_INSTEAD */
};

#define KN_INSTEAD	"send it over a kin_conn or as an argument of a process"

/*
 * Encode args as one msgpack array into an empty bundle.  On failure it is
 * empty again, and the sentence names the argument.
 */
int kn_bundle_encode(struct kn_bundle *b, struct kin_args args,
		     const struct kn_way *way);

/* The same, but more values behind those that are there, and no array. */
int kn_bundle_add(struct kn_bundle *b, struct kin_args args,
		  const struct kn_way *way);

/* Begin an array or a map; how many it has is said when it is ended. */
int kn_bundle_begin(struct kn_bundle *b, uint32_t type, size_t *ret_at);
void kn_bundle_end(struct kn_bundle *b, size_t at, uint64_t n);

/* What a bundle is made of: room, a descriptor of its own, what it keeps. */
int kn_bundle_grow(struct kn_bundle *b, size_t more);
int kn_bundle_own_fd(struct kn_bundle *b, int fd);	/* its index */
int kn_bundle_lend(struct kn_bundle *b, const struct kn_lent *lent);
int kn_bundle_keep(struct kn_bundle *b, struct kn_frozen *frozen);

/* One by one: for so many bytes a compiler calls upon slow instructions. */
static inline void
kn_bundle_init(struct kn_bundle *b)
{
	b->bytes = NULL;
	b->len = b->cap = 0;
	b->borrowed = false;
	b->fds = NULL;
	b->lent = NULL;
	b->frozen = NULL;
	b->nfds = b->nlent = b->nfrozen = 0;
	b->open = b->depth = 0;
	b->items = b->copied = 0;
	b->pledges = b->generation = 0;
	b->lasting = false;
}

/* An empty one, in room of the caller's for as long as that is enough. */
static inline void
kn_bundle_use(struct kn_bundle *b, unsigned char *room, size_t cap)
{
	kn_bundle_init(b);
	b->bytes = room;
	b->cap = cap;
	b->borrowed = true;
}

static inline int
kn_bundle_room(struct kn_bundle *b, size_t more)
{
	return more <= b->cap - b->len ? 0 : kn_bundle_grow(b, more);
}

/* It has travelled: free it, and close our copies of the descriptors. */
void kn_bundle_sent(struct kn_bundle *b);

/* It never will: the same, and all that was lent comes back. */
void kn_bundle_drop(struct kn_bundle *b);

/*
 * Values from bytes and descriptors that came from outside: checked whole.  On
 * success bytes (of malloc) and fds are owned by the values; on failure they
 * stay the caller's: -EPROTO, -EMSGSIZE, -ENOMEM.
 */
int kn_values_of(kin_values **ret_v, unsigned char *bytes, size_t len,
		 const int *fds, uint32_t nfds);

/* The same of a copy of the bytes, which stay the caller's. */
int kn_values_copy(kin_values **ret_v, const unsigned char *bytes, size_t len);

/*
 * Take as kin_values_take does.  yours: handles that are taken are not closed
 * with the values.
 */
int kn_values_take(kin_values *v, struct kin_slots places, bool yours);

/* What is taken outlives what ("an answer") it was in: -EINVAL, a place would
 * borrow from that. */
int kn_places_last(struct kin_slots places, const char *what);

/*
 * Check bytes from outside, without descriptors, and take as yours what is in
 * them, or nothing if there are no places; no place is one that borrows.  They
 * are changed: what is not taken goes back.
 */
int kn_values_take_once(unsigned char *bytes, size_t len,
			struct kin_slots places);

/* What holds the things in v is for others to give back. */
void kn_values_disown(kin_values *v);

/*
 * The same in two steps: memory first, so that what cannot be given back (a
 * message that was got) is not lost for want of it.  On failure of fill, v is
 * empty again and can be filled or freed.
 */
kin_values *kn_values_new(size_t len, uint32_t nfds);
int kn_values_fill(kin_values *v, unsigned char *bytes, size_t len,
		   const int *fds, uint32_t nfds);

/* ---- kinds of things that travel ---- */

/* Where a kind writes how its thing travels. */
struct kn_pack {
	struct kn_bundle *bundle;
	const struct kn_way *way;
	unsigned index;			/* of the argument: for sentences */
	const char *name;		/* its name, or NULL */
	uint32_t kind;
};

/* "argument 2 ('table')" */
const char *kn_pack_place(const struct kn_pack *to, char buf[80]);

/*
 * Called by pack, once.  by_fd dups fd into the bundle (or takes it over, if
 * it is the kind's own: own_fd; not if it fails); back, if not NULL, is called
 * with thing should the bundle never travel.
 */
int kn_pack_by_fd(struct kn_pack *to, int fd, bool own_fd, const void *more,
		  size_t len, void (*back)(const struct kn_lent *lent),
		  void *thing);
int kn_pack_by_name(struct kn_pack *to, const char *name);
int kn_pack_by_itself(struct kn_pack *to, const void *bytes, size_t len);

/* What came: bytes were checked to be there, and nothing more. */
struct kn_unpack {
	uint32_t kind;			/* what it was given as */
	int way;			/* KN_BY_... */
	int fd;				/* KN_BY_FD: the values'; to dup */
	bool again;			/* it was taken before, too */
	const unsigned char *more;
	size_t len;
};

struct kn_thing {
	const char *a;			/* "a queue" */
	int (*pack)(const void *thing, struct kn_pack *to);
	int (*unpack)(void **ret, const struct kn_unpack *from);
	void (*close)(void *thing);
	void (*unclaimed)(int fd);	/* NULL, or: came and was never taken */
	void (*undo)(void *thing);	/* NULL = close: of unpack, when nothing
					   was taken after all */
	unsigned pledge;		/* of one that came by itself: where in
					   its payload; 0 = none, pledge.h */
	void (*dropped)(const unsigned char *payload, size_t len);
					/* with pledge: nobody takes it */
	bool named;			/* pack knows a way without descriptor,
					   of those that unpack has made */
};

/*
 * Tell of a kind, before main (a constructor): what is on a higher floor is
 * known here by number only.  A place of kind KIN_THING_PROXY takes all kinds
 * up to KIN_THING_VIEW whose unpack agrees; otherwise they must be equal.
 */
void kn_thing_enter(uint32_t kind, const struct kn_thing *thing);

/* ---- read-only data (lib/readonly.c) ---- */

/* Bytes frozen into a sealed memfd, found again while it is held. */
int kn_freeze(struct kn_frozen **ret, const void *p, size_t n,
	      const char *name);
int kn_frozen_fd(const struct kn_frozen *f);
void kn_frozen_hold(struct kn_frozen *f);
void kn_frozen_drop(struct kn_frozen *f);

/* Map what came: verified, read-only, and watched for stores. */
int kn_readonly_map(const void **ret, int fd, uint64_t bytes);

void kn_copied(uint64_t bytes);		/* for kin_copied_bytes */

#endif
