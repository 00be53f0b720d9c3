/* SPDX-License-Identifier: MIT */
/*
 * heap.h - blocks for many processes, under a latch; those of the dead swept
 *
 *      0      128        8320    8448        12416
 *      ├ head ┼ undo log ┼ roots ┼ lists ... ┼ blocks ...
 *
 * Every call is: take the latch, roll back what a dead one has begun, do it
 * by an undo log, commit, release.  A block has its owner's stamp from the
 * store that gives it out; it loses it when it is published, by the same
 * commit as the store that others find it by.  So what the dead owned is what
 * nobody else can find, and a walk over all blocks frees it.
 *
 * A walk is due when the registry has counted a death since the last one
 * began.  Those who leave are not counted, but a slot that is let go of has
 * another generation: who finds the heap full looks at that, too.
 */
#ifndef KN_HEAP_H
#define KN_HEAP_H

#include <kin/time.h>

#include "shm/blocks.h"
#include "shm/registry.h"

#define KN_HEAP_ROOTS	8u

struct kn_heap_shared {
	kn_word latch;
	kn_word deaths;			/* as counted when the last walk began */
	kn_word generations;		/* of all slots, likewise */
	uint32_t zero1;
	kn_wide peak;			/* units used, at most so far */
	uint8_t zero2[104];
	struct kn_undo_shared undo;
	/* From here on, what the log may undo. */
	kn_wide roots[KN_HEAP_ROOTS];
	kn_wide swept;			/* blocks freed for the dead */
	uint8_t zero3[56];
	struct kn_blocks_shared blocks;
};

_Static_assert(offsetof(struct kn_heap_shared, undo) == 128, "layout");
_Static_assert(offsetof(struct kn_heap_shared, roots) == 8320, "layout");
_Static_assert(offsetof(struct kn_heap_shared, blocks) == 8448, "layout");
_Static_assert(sizeof(struct kn_heap_shared) == 12416, "layout");

/* A process's view; private memory. */
struct kn_heap {
	struct kn_heap_shared *shared;
	struct kn_registry *registry;	/* whose members own blocks */
	struct kn_undo undo;
	struct kn_blocks blocks;
	uint64_t bytes;			/* of all of it */
};

/* The least and the most bytes of a heap; a multiple of KN_GRAIN. */
#define KN_HEAP_LEAST	(sizeof(struct kn_heap_shared) + 64)
#define KN_HEAP_MOST	((uint64_t)KN_GRAINS_MAX * KN_GRAIN)

/* View, and format where it is new and all zeros. */
void kn_heap_view(struct kn_heap *heap, void *at, uint64_t bytes,
		  struct kn_registry *registry);
void kn_heap_format(const struct kn_heap *heap);

/*
 * Take the latch, with nothing half done; we have joined.  0; errors as
 * kn_latch_take, and -EUCLEAN.  Commit ends it; undo too, and leaves all as it
 * was.
 */
int kn_heap_begin(const struct kn_heap *heap, struct kn_tx *tx,
		  kin_time deadline);
void kn_heap_commit(const struct kn_heap *heap, struct kn_tx *tx);
void kn_heap_undo(const struct kn_heap *heap);

/* ---- between begin and end; offsets are from the heap's begin ---- */

/* -ENOSPC without a sentence; the block is ours. */
int kn_heap_alloc(const struct kn_heap *heap, struct kn_tx *tx, uint64_t bytes,
		  uint64_t align, uint64_t *ret_offset);

/*
 * The used block whose user's part begins at offset.  -EINVAL: there is none;
 * -EUCLEAN: there was one.
 */
int kn_heap_find(const struct kn_heap *heap, uint64_t offset,
		 struct kn_block_look *ret);
int kn_heap_free(const struct kn_heap *heap, struct kn_tx *tx,
		 const struct kn_block_look *look);

/* 1: it has so many bytes now; 0: it would have to move. */
int kn_heap_resize(const struct kn_heap *heap, struct kn_tx *tx,
		   const struct kn_block_look *look, uint64_t bytes);

/* Bytes that a block has for its user. */
static inline uint64_t
kn_heap_room(const struct kn_block_look *look)
{
	return (uint64_t)look->units * KN_GRAIN - KN_BLOCK_HEAD;
}

/*
 * Free what the dead own, each block by a commit of its own: how many, or
 * -EUCLEAN.  tx is empty before and after.
 */
int64_t kn_heap_walk(const struct kn_heap *heap, struct kn_tx *tx);

/* Has somebody died since the last walk?  Quickly; has anybody gone? */
static inline bool
kn_heap_walk_due(const struct kn_heap *heap)
{
	return kn_unlikely(kn_load_relaxed(&heap->registry->roster->deaths) !=
			   kn_load_relaxed(&heap->shared->deaths));
}
bool kn_heap_walk_pays(const struct kn_heap *heap);

/* All of it agrees with all of it: 0 or -EUCLEAN. */
int kn_heap_check(const struct kn_heap *heap);

#endif
