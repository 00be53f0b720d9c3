/* SPDX-License-Identifier: MIT */
/*
 * segment.h - memory that several processes map, for whatever kind it holds
 *
 * The header page is written once, before anybody else can find the segment.
 * What is in it is checked at attach, and kept in private memory from then on.
 */
#ifndef KN_SEGMENT_H
#define KN_SEGMENT_H

#include <sys/stat.h>

#include <kin/segment.h>

#include "shm/word.h"

#define KN_SEGMENT_MAGIC	0x0a6765736e696b89ull	/* "\x89kinseg\n" */
#define KN_SEGMENT_LAYOUT	1u
#define KN_BODY_MAX		(1ull << 46)	/* half of x86-64's room */
#define KN_HUGE_MAX		(1ull << 30)	/* a page's bytes, at most */

#define KN_TRUST		(KIN_TRUST_OWNER | KIN_TRUST_GROUP)

struct kn_header {
	uint64_t magic;
	uint32_t layout;		/* of this header */
	uint32_t header_bytes;		/* KN_PAGE */
	uint32_t kind;			/* what the body holds */
	uint32_t kind_layout;		/* and how */
	uint64_t bytes;			/* the whole file: header and body */
	uint64_t body_bytes;		/* asked for; the rest is for the page */
	uint32_t creator_pid;
	uint32_t flags;			/* KN_HEADER_... */
	uint64_t creator_start;
	uint64_t creator_namespace;
	uint8_t boot[16];		/* the boot it was made in */
	char label[KIN_LABEL_MAX + 1];
	uint64_t limit;			/* of the body, if it can grow */
	uint32_t members;		/* of the control part, if it has one */
	uint32_t threads;
};

/* It can grow: bytes is its size at first, the file's length that of now. */
#define KN_HEADER_GROWABLE	0x1u
#define KN_HEADER_SPARSE	0x2u	/* no space is reserved for it */
#define KN_HEADER_CONTROL	0x4u	/* shm/control.h: before the body */
#define KN_HEADER_FLAGS		0x7u

_Static_assert(offsetof(struct kn_header, bytes) == 24, "layout");
_Static_assert(offsetof(struct kn_header, creator_start) == 48, "layout");
_Static_assert(offsetof(struct kn_header, label) == 80, "layout");
_Static_assert(offsetof(struct kn_header, limit) == 128, "layout");
_Static_assert(offsetof(struct kn_header, members) == 136, "layout");
_Static_assert(sizeof(struct kn_header) == 144, "layout");

struct kn_control;

struct kin_segment {
	int fd;
	unsigned char *base;
	size_t bytes;			/* of the mapping */
	size_t body_at;			/* the body's offset in it */
	size_t body_bytes;		/* as known here: it may have grown */
	size_t limit;			/* of body_bytes */
	uint32_t flags;			/* KN_HEADER_... */
	uint32_t holders;		/* handles: the user's, and views */
	uint32_t readonly;		/* as it is mapped here */
	uint64_t device, inode;
	uint32_t members, threads;	/* of the control part; 0 = none */
	struct kn_control *control;	/* made when it is first asked for */
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
	uint64_t limit;			/* of body_bytes, if it can grow */
	const char *name;		/* NULL = anonymous */
	const char *path;		/* NULL = no file of its own */
	const char *label;		/* NULL = name, or the path's end */
	uint32_t flags;			/* KIN_SEGMENT_..., KIN_TRUST_... */
	uint32_t mode;			/* 0 = 0600 */
	uint32_t members;		/* of a control part; 0 = it has none */
	uint32_t threads;		/* 0 = some for each member */
};

/* A user's plan, checked; and one of any kind. */
int kn_plan_of(struct kn_segment_plan *ret,
	       const struct kin_segment_opts *user);
int kn_plan_check(const struct kn_segment_plan *plan);

extern const struct kn_kind kn_segment_kind;	/* a body of the user's own */

/*
 * Make one; its body is zeros, and nobody can find it.  After that, whatever
 * the kind writes into the body; then publish, which ends the making.
 */
int kn_segment_make(kin_segment **ret_seg, const struct kn_segment_plan *plan);
int kn_segment_publish(kin_segment *seg, const struct kn_segment_plan *plan);

/* Join the one behind fd, which must hold that kind. */
int kn_segment_attach(kin_segment **ret_seg, int fd,
		      const struct kn_kind *kind);
int kn_segment_attach_with(kin_segment **ret_seg, int fd,
			   const struct kn_kind *kind, uint32_t flags);

/* How one that came from elsewhere is to be used, to have all it allows. */
uint32_t kn_segment_right(int fd);

/* Join the one that plan would make: 0, or -ENOENT, -EEXIST, ... */
int kn_segment_find(kin_segment **ret_seg, const struct kn_segment_plan *plan,
		    uint32_t flags);

static inline void *
kn_segment_body(const kin_segment *seg)
{
	return seg->base + seg->body_at;
}

/* Map it as flags (KIN_USE_...) say; st is its file's. */
int kn_segment_map(kin_segment *seg, const struct stat *st, uint32_t flags);

/* One more holder: each closes it. */
void kn_segment_hold(kin_segment *seg);

/* The body's size by a file of so many bytes, for one that can grow. */
size_t kn_segment_grown(const kin_segment *seg, uint64_t file_bytes);

/*
 * Is that the header of a file of so many bytes?  0, -EPROTO,
 * -EPROTONOSUPPORT or -EUCLEAN.  header is the caller's private copy; its
 * label is made safe to print.
 */
int kn_header_check(struct kn_header *header, uint64_t file_bytes);

#endif
