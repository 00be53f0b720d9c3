/* SPDX-License-Identifier: MIT */
/*
 * heap.h - a heap's handle, for those who allocate in it
 *
 *      offset     64
 *      ├─ mark ───┼─ the ground's heap (shm/heap.h) ─────────┤
 *                 offsets here are from this, users' from the segment's data
 */
#ifndef KN_LIB_HEAP_H
#define KN_LIB_HEAP_H

#include <kin/heap.h>

#include "lib/object.h"
#include "shm/heap.h"

struct kin_heap {
	struct kn_object o;
	struct kn_heap heap;
	uint64_t base;			/* of its offsets in the body */
};

extern const struct kn_object_kind kn_heap_kind;

/* We have joined, and the latch is ours: 0; or why not, in a sentence. */
int kn_heap_enter(kin_heap *h, struct kn_tx *tx, kin_time deadline);

/* Undo all of tx, and out; r is the reason, which becomes the handle's. */
int kn_heap_leave(kin_heap *h, int r);

/* The block at the user's offset, between those two: 0, -EINVAL, -EUCLEAN. */
int kn_heap_seek(kin_heap *h, uint64_t at, struct kn_block_look *ret);

#endif
