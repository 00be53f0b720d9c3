/* SPDX-License-Identifier: MIT */
/*
 * view.h - part of a segment, with its own lifetime
 */
#ifndef KN_VIEW_H
#define KN_VIEW_H

#include <kin/view.h>

#include "shm/segment.h"

struct kin_view {
	kin_segment *seg;		/* held */
	uint64_t offset;		/* in its body */
	size_t bytes;
};

int kn_view_make(kin_view **ret_view, kin_segment *seg, uint64_t offset,
		 uint64_t bytes, uint32_t flags);

#endif
