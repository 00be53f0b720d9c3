/* SPDX-License-Identifier: MIT */
/*
 * kin/segment.h - memory that several processes map
 *
 *      0        4096                                  whole
 *      ├─ header ─┼────── bytes: all the user's ────────┤
 *
 * An anonymous segment has no name: others reach it by its descriptor, which
 * they inherit or are sent, and it goes with its last holder.  A named one
 * stays until it is unlinked.  Nobody ever sees half a segment: a name is
 * published in one step, when what it names is whole.
 *
 * The space is reserved at creation, so a full tmpfs is an error here and not
 * a SIGBUS later; an anonymous segment is sealed against truncation.
 *
 * Order    The segment gives none: what is stored in it is ordinary memory.
 * Threads  Any call from any thread; close must be the handle's last.
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A creator killed at any instruction leaves the whole segment or
 *          nothing.  A holder's death leaves the segment to the others.
 */
#ifndef KIN_SEGMENT_H
#define KIN_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>

KIN_BEGIN

typedef struct kin_segment kin_segment;

#define KIN_LABEL_MAX	47		/* bytes of a label */
#define KIN_NAME_MAX	200		/* bytes of a name */

struct kin_segment_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint64_t bytes;			/* for the user; must not be 0 */
	const char *name;		/* NULL = anonymous */
	const char *label;		/* for people and tools; NULL = name */
};

/*
 * Create a segment of opts->bytes zero bytes and take hold of it.
 *
 *   -EINVAL  no bytes; a name that is empty, too long, begins with '.', or has
 *            '/' or control characters; a label that is too long or has those
 *   -EEXIST  the name is taken
 *   -ENOSPC  the tmpfs, the machine or RLIMIT_FSIZE has not got that much
 *   -ENOENT  the folder in which KIN_DIR would be is not there
 *   -EACCES  the directory of names is somebody else's
 *   -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_segment_create(kin_segment **ret_seg,
					const struct kin_segment_opts *opts);

/*
 * Join the segment behind fd, which stays the caller's.
 *
 *   -EPROTO           fd is no kin segment, or a truncated one, or holds
 *                     something else than a plain segment
 *   -EPROTONOSUPPORT  it was made by a library with another layout
 *   -EUCLEAN          its header contradicts itself
 *   -EACCES           fd is read-only, or its memory can be truncated by
 *                     another user, or is sealed against writing
 *   -EBADF, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_segment_attach(kin_segment **ret_seg, int fd);

/*
 * Join the segment of that name; errors as attach, and
 *
 *   -ENOENT  there is none
 *   -EACCES  a link, another user's file, or another user's directory
 */
KIN_API KIN_MUST int kin_segment_open(kin_segment **ret_seg, const char *name);

/* Let go.  An anonymous segment goes with its last holder.  NULL is ignored. */
KIN_API void kin_segment_close(kin_segment *seg);

/* Remove the name, not the segment: its holders keep it.  -ENOENT, -EACCES. */
KIN_API int kin_segment_unlink(const char *name);

/* The memory, page-aligned, the same size seen by all; good until close. */
KIN_API void *kin_segment_data(const kin_segment *seg);
KIN_API size_t kin_segment_bytes(const kin_segment *seg);

/* The descriptor to attach by.  It is seg's own: pass it on, don't close it. */
KIN_API int kin_segment_fd(const kin_segment *seg);

/* Its label, "" if it has none; good until close. */
KIN_API const char *kin_segment_label(const kin_segment *seg);

KIN_END

#endif
