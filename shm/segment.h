/* SPDX-License-Identifier: MIT */
/*
 * segment.h - memory that several processes map, for whatever kind it holds
 *
 * The header page is written once, before anybody else can find the segment.
 * What is in it is checked at attach, and kept in private memory from then on.
 */
#ifndef KN_SEGMENT_H
#define KN_SEGMENT_H

#include <kin/segment.h>

#include "shm/word.h"

#define KN_SEGMENT_MAGIC	0x0a6765736e696b89ull	/* "\x89kinseg\n" */
#define KN_SEGMENT_LAYOUT	1u

struct kn_header {
	uint64_t magic;
	uint32_t layout;		/* of this header */
	uint32_t header_bytes;		/* KN_PAGE */
	uint32_t kind;			/* what the body holds */
	uint32_t kind_layout;		/* and how */
	uint64_t bytes;			/* the whole file: header and body */
	uint64_t body_bytes;		/* asked for; the rest is for the page */
	uint32_t creator_pid;
	uint32_t zero;
	uint64_t creator_start;
	uint64_t creator_namespace;
	uint8_t boot[16];		/* the boot it was made in */
	char label[KIN_LABEL_MAX + 1];
};

_Static_assert(offsetof(struct kn_header, bytes) == 24, "layout");
_Static_assert(offsetof(struct kn_header, creator_start) == 48, "layout");
_Static_assert(offsetof(struct kn_header, label) == 80, "layout");
_Static_assert(sizeof(struct kn_header) == 128, "layout");

struct kin_segment {
	int fd;
	unsigned char *base;
	size_t bytes;			/* of the mapping */
	size_t body_bytes;
	uint64_t device, inode;
	char label[KIN_LABEL_MAX + 1];
	char name[KIN_NAME_MAX + 1];	/* by which it was found; "" = none */
};

/* A kind of shared thing: what fills a segment's body. */
struct kn_kind {
	uint32_t number;
	uint32_t layout;
	const char *name;
	const char *a;			/* "a queue": for sentences */
};

struct kn_segment_plan {
	const struct kn_kind *kind;
	uint64_t body_bytes;
	const char *name;		/* NULL = anonymous */
	const char *label;		/* NULL = name */
};

extern const struct kn_kind kn_segment_kind;	/* a body of the user's own */

/*
 * Make one; its body is zeros, and nobody can find it.  After that, whatever
 * the kind writes into the body; then publish, which ends the making.
 */
int kn_segment_make(kin_segment **ret_seg, const struct kn_segment_plan *plan);
int kn_segment_publish(kin_segment *seg, const char *name);

/* Join the one behind fd, which must hold that kind. */
int kn_segment_attach(kin_segment **ret_seg, int fd,
		      const struct kn_kind *kind);

static inline void *
kn_segment_body(const kin_segment *seg)
{
	return seg->base + KN_PAGE;
}

/*
 * Is that the header of a file of so many bytes?  0, -EPROTO,
 * -EPROTONOSUPPORT or -EUCLEAN.  header is the caller's private copy; its
 * label is made safe to print.
 */
int kn_header_check(struct kn_header *header, uint64_t file_bytes);

#endif
