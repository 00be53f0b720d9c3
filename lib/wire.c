/* SPDX-License-Identifier: MIT */
/*
 * wire.c - msgpack, read in place
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "lib/pledge.h"
#include "lib/thing.h"
#include "lib/wire.h"
#include "shm/error.h"

/* ---- one head ---- */

static inline uint16_t
big16(const unsigned char *p)
{
	uint16_t u;

	memcpy(&u, p, sizeof(u));
	return be16toh(u);
}

static inline uint32_t
big32(const unsigned char *p)
{
	uint32_t u;

	memcpy(&u, p, sizeof(u));
	return be32toh(u);
}

static inline uint64_t
big64(const unsigned char *p)
{
	uint64_t u;

	memcpy(&u, p, sizeof(u));
	return be64toh(u);
}

static inline int
unsigned_of(struct kn_head *h, uint64_t u)
{
	h->type = KIN_TYPE_INT;
	h->v.u = u;
	return 0;
}

static inline int
signed_of(struct kn_head *h, int64_t i)
{
	h->type = KIN_TYPE_INT;
	h->negative = i < 0;
	h->v.i = i;
	return 0;
}

static inline int
single_of(struct kn_head *h, uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof(f));
	h->type = KIN_TYPE_FLOAT;
	h->v.f = (double)f;
	return 0;
}

static inline int
double_of(struct kn_head *h, uint64_t u)
{
	h->type = KIN_TYPE_FLOAT;
	memcpy(&h->v.f, &u, sizeof(u));
	return 0;
}

/* Nil, bool, array, map: all that is to know is a number. */
static inline int
plain(struct kn_head *h, uint32_t type, uint64_t n)
{
	h->type = type;
	h->v.n = n;
	return 0;
}

/* n bytes from h->next on. */
static inline int
run(struct kn_head *h, uint32_t type, uint64_t n, const unsigned char *end)
{
	if (kn_unlikely(n > (uint64_t)(end - h->next)))
		return -EPROTO;
	h->type = type;
	h->v.n = n;
	h->data = h->next;
	h->next += n;
	return 0;
}

/* Its type is the byte before; negative ones are msgpack's own. */
static inline int
ext(struct kn_head *h, uint64_t n, const unsigned char *end)
{
	if (h->next[-1] > INT8_MAX)
		return -EPROTO;
	h->kind = h->next[-1];
	return run(h, KIN_TYPE_THING, n, end);
}

/* Bytes of what follows the bytes 0xc0 to 0xdf: length, number, ext type. */
static const unsigned char tails[32] = {
	0, 0, 0, 0, 1, 2, 4, 2, 3, 5,		/* nil - bool bin ext */
	4, 8, 1, 2, 4, 8, 1, 2, 4, 8,		/* float uint int */
	1, 1, 1, 1, 1, 1, 2, 4, 2, 4, 2, 4,	/* fixext str array map */
};

int
kn_wire_tailed(struct kn_head *h, const unsigned char *at,
	       const unsigned char *end)
{
	const unsigned char *p = at + 1;
	unsigned c = *at;

	if (kn_unlikely(tails[c - 0xc0] > (size_t)(end - p)))
		return -EPROTO;
	h->next = p + tails[c - 0xc0];
	h->negative = false;
	switch (c) {
	case 0xc0: return plain(h, KIN_TYPE_NIL, 0);
	case 0xc2: return plain(h, KIN_TYPE_BOOL, 0);
	case 0xc3: return plain(h, KIN_TYPE_BOOL, 1);
	case 0xc4: return run(h, KIN_TYPE_BIN, *p, end);
	case 0xc5: return run(h, KIN_TYPE_BIN, big16(p), end);
	case 0xc6: return run(h, KIN_TYPE_BIN, big32(p), end);
	case 0xc7: return ext(h, *p, end);
	case 0xc8: return ext(h, big16(p), end);
	case 0xc9: return ext(h, big32(p), end);
	case 0xca: return single_of(h, big32(p));
	case 0xcb: return double_of(h, big64(p));
	case 0xcc: return unsigned_of(h, *p);
	case 0xcd: return unsigned_of(h, big16(p));
	case 0xce: return unsigned_of(h, big32(p));
	case 0xcf: return unsigned_of(h, big64(p));
	case 0xd0: return signed_of(h, (int8_t)*p);
	case 0xd1: return signed_of(h, (int16_t)big16(p));
	case 0xd2: return signed_of(h, (int32_t)big32(p));
	case 0xd3: return signed_of(h, (int64_t)big64(p));
	case 0xd4: return ext(h, 1, end);
	case 0xd5: return ext(h, 2, end);
	case 0xd6: return ext(h, 4, end);
	case 0xd7: return ext(h, 8, end);
	case 0xd8: return ext(h, 16, end);
	case 0xd9: return run(h, KIN_TYPE_STR, *p, end);
	case 0xda: return run(h, KIN_TYPE_STR, big16(p), end);
	case 0xdb: return run(h, KIN_TYPE_STR, big32(p), end);
	case 0xdc: return plain(h, KIN_TYPE_ARRAY, big16(p));
	case 0xdd: return plain(h, KIN_TYPE_ARRAY, big32(p));
	case 0xde: return plain(h, KIN_TYPE_MAP, big16(p));
	case 0xdf: return plain(h, KIN_TYPE_MAP, big32(p));
	default: return -EPROTO;	/* 0xc1 */
	}
}

/* Depth first, parts follow their head: counting is enough. */
const unsigned char *
kn_wire_skip(const unsigned char *at, const unsigned char *end)
{
	struct kn_head head;
	uint64_t left = 1;

	while (left > 0) {
		kn_assert(kn_wire_head(&head, at, end) == 0);
		at = head.next;
		left += kn_wire_parts(&head) - 1;
	}
	return at;
}

/* ---- things ---- */

int
kn_wire_thing(struct kn_unpack *ret, const struct kn_head *h, const int *fds,
	      uint32_t nfds)
{
	const unsigned char *p = h->data;
	uint64_t index;

	*ret = (struct kn_unpack){ .kind = h->kind, .fd = -1 };
	if (h->v.n == 0)
		return -EPROTO;
	ret->way = p[0];
	ret->more = p + 1;
	ret->len = (size_t)h->v.n - 1;
	if (ret->way != KN_BY_FD)
		return ret->way > KN_BY_ITSELF ? -EPROTO : 0;
	if (ret->len < 2)
		return -EPROTO;
	index = kn_wire_little(ret->more, 2);
	if (index >= nfds)
		return -EPROTO;
	if (fds != NULL)
		ret->fd = fds[index];
	ret->more += 2;
	ret->len -= 2;
	return 0;
}

int
kn_wire_index(const struct kn_head *h)
{
	if (h->type != KIN_TYPE_THING || h->v.n < 3 || h->data[0] != KN_BY_FD)
		return -1;
	return (int)kn_wire_little(h->data + 1, 2);
}

static bool
is_thing(const struct kn_head *h, uint32_t nfds)
{
	struct kn_unpack from;

	if (h->v.n > KN_THING_MOST ||
	    kn_wire_thing(&from, h, NULL, nfds) < 0)
		return false;
	switch (h->kind) {
	case KN_EXT_FD:
		return from.way == KN_BY_FD && from.len == 0;
	case KN_EXT_RO:
		return from.way == KN_BY_FD && from.len == 8;
	default:
		return kn_thing_find(h->kind) != NULL;
	}
}

/* ---- a whole message ---- */

/* What is open: arrays and maps, each with parts to come. */
struct walk {
	const unsigned char *begin, *end;
	uint32_t nfds, depth, deepest, pledges;
	uint64_t items;			/* announced so far */
	struct {
		uint64_t left;
		bool map;
	} open[KIN_VALUES_DEPTH + 1];
};

static int __attribute__((cold, noinline))
no_values(const struct walk *w, const unsigned char *at, const char *why)
{
	return kn_fail(-EPROTO, "%td bytes are no values: %s at byte %td",
		       w->end - w->begin, why, at - w->begin);
}

static int __attribute__((cold, noinline))
no_head(const struct walk *w, const unsigned char *at)
{
	return no_values(w, at, at < w->end && *at == 0xc1 ?
			 "no value begins so" : "cut short");
}

/* The parts of that array or map come next: each needs a byte at least. */
static int
go_in(struct walk *w, const struct kn_head *h, uint32_t depth)
{
	uint64_t parts = kn_wire_parts(h);

	if (depth > KIN_VALUES_DEPTH)
		return kn_fail(-EMSGSIZE, "values are nested deeper than %d",
			       KIN_VALUES_DEPTH);
	if (parts > (uint64_t)(w->end - h->next))
		return no_values(w, h->next, "fewer bytes than items");
	w->items += parts;
	if (w->items > KIN_VALUES_ITEMS)
		return kn_fail(-EMSGSIZE, "a message of over %u values",
			       KIN_VALUES_ITEMS);
	w->depth = depth;
	if (depth > w->deepest)
		w->deepest = depth;
	w->open[depth].left = parts;
	w->open[depth].map = h->type == KIN_TYPE_MAP;
	return 0;
}

/* All parts of what is open, to the end of the outermost. */
static int
walk(struct walk *w, const unsigned char *at)
{
	struct kn_head h;
	int r;

	for (;;) {
		uint64_t left = w->open[w->depth].left;

		if (left == 0 && w->depth-- == 0)
			break;
		if (left == 0)
			continue;
		if (kn_unlikely(kn_wire_head(&h, at, w->end) < 0))
			return no_head(w, at);
		if (w->open[w->depth].map && left % 2 == 0 &&
		    !kn_is_key(h.type))
			return no_values(w, at, KN_NO_KEY);
		w->open[w->depth].left = left - 1;
		at = h.next;
		if (h.type < KIN_TYPE_ARRAY)
			continue;
		if (h.type == KIN_TYPE_THING) {
			if (!is_thing(&h, w->nfds))
				return no_values(w, at, "an unknown thing");
			w->pledges += kn_pledge_of(&h) != NULL;
			continue;
		}
		r = go_in(w, &h, w->depth + 1);
		if (r < 0)
			return r;
	}
	return at == w->end ? 0 : no_values(w, at, "bytes too many");
}

int
kn_wire_check(struct kn_shape *ret, const unsigned char *bytes, size_t len,
	      uint32_t nfds)
{
	struct kn_head row;
	struct walk w;
	int r;

	w.begin = bytes;
	w.end = bytes + len;
	w.nfds = nfds;
	w.depth = w.deepest = w.pledges = 0;
	w.open[0].left = 0;
	w.items = 0;
	if (kn_wire_head(&row, bytes, w.end) < 0 ||
	    row.type != KIN_TYPE_ARRAY)
		return no_values(&w, bytes, "no array");
	r = go_in(&w, &row, 0);
	if (r == 0)
		r = walk(&w, row.next);
	if (r < 0)
		return r;
	*ret = (struct kn_shape){ (uint32_t)row.v.n, w.deepest, w.items,
				 w.pledges };
	return 0;
}
