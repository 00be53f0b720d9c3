/* SPDX-License-Identifier: MIT */
/*
 * kin/view.h - part of a segment, passed on with its own lifetime
 *
 *      segment  ├──────────────────────────────────────────┤
 *      view              ├── bytes ──┤
 *                        offset
 *
 *      r = kin_view_create(&part, seg, KIN_OPTS(kin_view_opts,
 *                          .offset = i * ROW, .bytes = ROW));
 *      r = kin_process_start(&p, work, KIN_ARGS(part), NULL);
 *      kin_view_close(part);
 *
 * A view holds the memory by itself: the segment's handle may be closed.  It
 * travels wherever a descriptor does, and what arrives is as large and as
 * read-only as what was sent.
 *
 * It spares its taker sums and mistakes; it is no fence.  The descriptor that
 * travels is the whole segment's, and so is what is mapped.
 *
 * Order    None, as of the segment.
 * Threads  Any call from any thread; close must be the handle's last.
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A holder's death leaves the memory to the others.
 */
#ifndef KIN_VIEW_H
#define KIN_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/segment.h>
#include <kin/value.h>

KIN_BEGIN

#define KIN_VIEW_READONLY	0x01u	/* of a segment that we may write to */

struct kin_view_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_VIEW_... */
	uint64_t offset;		/* in kin_segment_data() */
	uint64_t bytes;			/* 0 = all that follows */
};

/*
 * A view of seg; opts may be NULL for one of all of it.  One of a read-only
 * segment is read-only.
 *
 *   -EINVAL  it does not lie inside of the segment as it is now; no bytes
 *   -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_view_create(kin_view **ret_view, kin_segment *seg,
				     const struct kin_view_opts *opts);

/* Let go; NULL is ignored. */
KIN_API void kin_view_close(kin_view *view);

/* Its first byte, which need not be aligned; how many; where in the segment. */
KIN_API void *kin_view_data(const kin_view *view);
KIN_API size_t kin_view_bytes(const kin_view *view);
KIN_API uint64_t kin_view_offset(const kin_view *view);

/* May we store into it?  1, or 0. */
KIN_API int kin_view_writable(const kin_view *view);

KIN_END

#endif
