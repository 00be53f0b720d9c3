/* SPDX-License-Identifier: MIT */
/*
 * wire.h - msgpack, read in place
 *
 * One function reads the head of one value, within bounds and without memory
 * of its own.  The check of a whole message and all that is taken out of it
 * later go through it, so they cannot disagree about what the bytes say.
 */
#ifndef KN_WIRE_H
#define KN_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bundle.h"
#include "shm/word.h"

struct kn_head {
	uint32_t type;			/* KIN_TYPE_... */
	uint32_t kind;			/* of a thing: its ext type */
	bool negative;			/* an integer: i, not u */
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double f;
		uint64_t n;		/* bytes at data; items; pairs */
	} v;
	const unsigned char *data;	/* of str, bin, ext */
	const unsigned char *next;	/* what follows; of a container, its
					   first item */
};

/* As kn_wire_head, of what begins with a byte from 0xc0 to 0xdf. */
int kn_wire_tailed(struct kn_head *ret, const unsigned char *at,
		   const unsigned char *end);

/* 0, or -EPROTO without a sentence: cut short, or the byte 0xc1. */
static inline int
kn_wire_head(struct kn_head *ret, const unsigned char *at,
	     const unsigned char *end)
{
	unsigned c;

	if (kn_unlikely(at >= end))
		return -EPROTO;
	c = *at;
	if (c >= 0xc0 && c < 0xe0)
		return kn_wire_tailed(ret, at, end);
	ret->next = ret->data = at + 1;
	ret->negative = c >= 0xe0;
	if (c < 0x80 || c >= 0xe0) {
		ret->type = KIN_TYPE_INT;
		ret->v.i = (int8_t)c;
		return 0;
	}
	if (c < 0xa0) {
		ret->type = c < 0x90 ? KIN_TYPE_MAP : KIN_TYPE_ARRAY;
		ret->v.n = c & 0x0f;
		return 0;
	}
	ret->type = KIN_TYPE_STR;
	ret->v.n = c & 0x1f;
	ret->next += ret->v.n;
	return ret->v.n <= (size_t)(end - ret->data) ? 0 : -EPROTO;
}

/* What the keys of a map may be. */
static inline bool
kn_is_key(uint32_t type)
{
	return type == KIN_TYPE_STR || type == KIN_TYPE_INT ||
	       type == KIN_TYPE_BIN || type == KIN_TYPE_BOOL;
}

#define KN_NO_KEY "a key is a string, bytes, an integer or a bool"

/* Values that follow the head as parts of it. */
static inline uint64_t
kn_wire_parts(const struct kn_head *head)
{
	switch (head->type) {
	case KIN_TYPE_ARRAY:
		return head->v.n;
	case KIN_TYPE_MAP:
		return head->v.n * 2;
	default:
		return 0;
	}
}

/* The end of the value at at, which was checked before. */
const unsigned char *kn_wire_skip(const unsigned char *at,
				  const unsigned char *end);

/* What a whole message was found to be. */
struct kn_shape {
	uint32_t count;			/* values of the row */
	uint32_t depth;			/* of arrays and maps in it */
	uint64_t items;			/* all of them, at any depth */
	uint32_t pledges;		/* things that have one */
};

/*
 * Is that one array of values, whole and alone?  -EPROTO, or -EMSGSIZE: over
 * the limits of kin/values.h.  Nothing is reserved, whatever it says.
 */
int kn_wire_check(struct kn_shape *ret, const unsigned char *bytes, size_t len,
		  uint32_t nfds);

/* What an ext says about how its thing came; fds may be NULL.  -EPROTO. */
int kn_wire_thing(struct kn_unpack *ret, const struct kn_head *head,
		  const int *fds, uint32_t nfds);

/* The descriptor's index of a thing that came by one; -1: by other ways. */
int kn_wire_index(const struct kn_head *head);

static inline uint64_t
kn_wire_little(const unsigned char *p, unsigned bytes)
{
	uint64_t u = 0;

	while (bytes-- > 0)
		u = u << 8 | p[bytes];
	return u;
}

static inline void
kn_wire_put_little(unsigned char to[8], uint64_t u)
{
	for (unsigned i = 0; i < 8; i++)
		to[i] = (unsigned char)(u >> 8 * i);
}

#endif
