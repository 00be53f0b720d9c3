/* SPDX-License-Identifier: MIT */
/*
 * view.c - part of a segment, with its own lifetime
 *
 * A view is one more holder of the segment's handle; only one that is to be
 * read-only, of memory that we may write to, has a handle of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "shm/error.h"
#include "shm/view.h"

/* A handle that the view will hold. */
static int
hold(kin_segment **ret_seg, kin_segment *seg, uint32_t flags)
{
	if ((flags & KIN_VIEW_READONLY) && kin_segment_writable(seg))
		return kn_segment_attach_with(ret_seg, seg->fd,
					      &kn_segment_kind,
					      KIN_USE_READONLY |
					      KIN_TRUST_OWNER);
	kn_segment_hold(seg);
	*ret_seg = seg;
	return 0;
}

int
kn_view_make(kin_view **ret_view, kin_segment *seg, uint64_t offset,
	     uint64_t bytes, uint32_t flags)
{
	size_t whole = kin_segment_bytes(seg);
	kin_view *view;
	int r;

	if (offset >= whole || bytes == 0 || bytes > whole - offset)
		return kn_fail(-EINVAL, "view of %" PRIu64 " bytes at %" PRIu64
			       " of segment '%s', which has %zu", bytes,
			       offset, seg->label, whole);
	view = calloc(1, sizeof(*view));
	if (view == NULL)
		return kn_fail(-ENOMEM, "view");
	view->offset = offset;
	view->bytes = (size_t)bytes;
	r = hold(&view->seg, seg, flags);
	if (r < 0) {
		free(view);
		return r;
	}
	*ret_view = view;
	return 0;
}

int
kin_view_create(kin_view **ret_view, kin_segment *seg,
		const struct kin_view_opts *user)
{
	struct kin_view_opts opts;
	size_t whole;
	int r;

	kn_assert(ret_view != NULL);
	kn_assert(seg != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if ((opts.flags & ~KIN_VIEW_READONLY) != 0)
		return kn_fail(-EINVAL, "view: flags %#x", opts.flags);
	whole = kin_segment_bytes(seg);
	if (opts.bytes == 0 && opts.offset < whole)
		opts.bytes = whole - opts.offset;
	return kn_view_make(ret_view, seg, opts.offset, opts.bytes,
			    opts.flags);
}

void
kin_view_close(kin_view *view)
{
	if (view == NULL)
		return;
	kin_segment_close(view->seg);
	free(view);
}

void *
kin_view_data(const kin_view *view)
{
	kn_assert(view != NULL);
	return (unsigned char *)kn_segment_body(view->seg) + view->offset;
}

size_t
kin_view_bytes(const kin_view *view)
{
	kn_assert(view != NULL);
	return view->bytes;
}

uint64_t
kin_view_offset(const kin_view *view)
{
	kn_assert(view != NULL);
	return view->offset;
}

int
kin_view_writable(const kin_view *view)
{
	kn_assert(view != NULL);
	return kin_segment_writable(view->seg);
}
