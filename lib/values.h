/* SPDX-License-Identifier: MIT */
/*
 * values.h - values that have come, and builders, from inside
 */
#ifndef KN_VALUES_H
#define KN_VALUES_H

#include <kin/values.h>

#include "lib/wire.h"
#include "shm/error.h"

/* What was taken and is not kept yet. */
struct kn_held {
	uint32_t kind;			/* KIN_THING_..., KN_EXT_... */
	int fd;
	void *thing;
};

struct kin_values {
	unsigned char *bytes;
	size_t len;
	bool inline_bytes;		/* they are in this memory too */
	struct kn_shape shape;
	uint32_t nfds;
	bool yours;			/* what is taken is not held */
	bool shown;			/* its bytes may have been stored */
	uint32_t generation;		/* of who has them, if there are
					   pledges */
	uint64_t claimed[KIN_VALUES_FDS / 64];	/* descriptors, by index */
	struct kn_held *held;
	uint32_t nheld, held_cap;
	unsigned char *strings;		/* see borrow in values.c */
	size_t inside;			/* room for them at tail */
	int *fds;
	unsigned char tail[];
};

static inline void
kn_values_claim(kin_values *v, int index)
{
	v->claimed[index / 64] |= 1ull << index % 64;
}

static inline bool
kn_values_claimed(const kin_values *v, int index)
{
	return v->claimed[index / 64] >> index % 64 & 1;
}

/* Says again why b failed; its number. */
int kn_builder_fail(const kin_builder *b);

struct kin_builder {
	struct kn_bundle bundle;
	int error;
	struct kn_sentence *why;	/* with error; NULL = no memory */
	struct {
		size_t at;		/* its head */
		uint64_t n;		/* values in it so far */
		uint32_t type;
	} open[KIN_VALUES_DEPTH + 1];	/* [0]: what it is all for, one value */
};

/* One value of v as a row of its own, with descriptors of its own. */
int kn_bundle_part(struct kn_bundle *b, const kin_values *v,
		   const unsigned char *at, const unsigned char *end);

/* A string in v, with a zero behind it, good as long as v. */
const char *kn_values_borrow(kin_values *v, const unsigned char *data,
			     size_t n);

/* Room for so many more that are held. */
int kn_values_room(kin_values *v, size_t more);

/*
 * Take n values that begin at `at` into n places, all or nothing.  where says
 * what they are called in sentences.  *ret_next: what follows them.
 */
struct kn_where {
	const char *noun;		/* "argument" */
	uint64_t first;			/* number of the first */
};
int kn_take(kin_values *v, const unsigned char *at, const unsigned char *end,
	    struct kin_slots places, const struct kn_where *where,
	    const unsigned char **ret_next);

#endif
