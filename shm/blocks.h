/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - memory given out in blocks, by stores that can be undone
 *
 *      ├─ shared ─┼─ block ─┼─ block ─┼────── block ──────┼─ end ─┤
 *                  header: its length, that of the block before it,
 *                          who owns it, used or free, and a check
 *
 * Two-level segregated fit (Masmano, Ripoll, Crespo, Real 2004): a list of
 * free blocks for each sixteenth of a power of two, and two levels of bits
 * that say which lists are not empty.  So to allocate and to free is a number
 * of steps that does not depend on how many blocks there are; neighbours
 * that are free are one block.  Where no list says that it has room, the one
 * that might is looked through, so that the last byte can be had.
 *
 * Places and lengths are in units of 16 bytes from the base.  No place that
 * is read here is followed before it is in range, and what is found there
 * must agree: a free block with its neighbours in the list, a header with its
 * place.  What does not is -EUCLEAN, and the caller rolls back.
 */
#ifndef KN_BLOCKS_H
#define KN_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/undo.h"

#define KN_GRAIN	16u		/* bytes of a unit */
#define KN_GRAINS_MAX	0xfffffff0u	/* units of a heap */
#define KN_CLASSES	29u		/* of powers of two */
#define KN_PARTS	16u		/* of each */

struct kn_block {
	kn_wide span;			/* units | units of the one before */
	kn_wide tag;			/* owner's stamp, 0 = nobody's | mark */
	kn_wide links;			/* of a free one: next | previous */
};

#define KN_BLOCK_HEAD	16u		/* bytes: the links lie in what is
					   the user's otherwise */
#define KN_BLOCK_LEAST	2u		/* units */

struct kn_blocks_shared {
	kn_wide used;			/* units | blocks */
	kn_wide classes;		/* a bit for each that has a free one */
	kn_wide parts[KN_CLASSES];	/* and for each part */
	kn_wide heads[KN_CLASSES][KN_PARTS];
	kn_wide zero;
};

_Static_assert(offsetof(struct kn_blocks_shared, heads) == 248, "layout");
_Static_assert(sizeof(struct kn_blocks_shared) == 3968, "layout");

/* A process's view; private memory. */
struct kn_blocks {
	struct kn_blocks_shared *shared;
	unsigned char *base;
	uint32_t first, end;		/* the first block; the end's place */
};

enum kn_block_state { KN_BLOCK_FREE = 1, KN_BLOCK_USED = 2, KN_BLOCK_END = 3 };

/* What a header said when it was looked at. */
struct kn_block_look {
	uint32_t at, units, before, owner;
	enum kn_block_state state;
};

/* Where all begins as zeros: one free block. */
void kn_blocks_format(const struct kn_blocks *blocks);

/* Is there such a block?  0, or -EUCLEAN: nobody has put it there. */
int kn_block_look(const struct kn_blocks *blocks, uint32_t at,
		  struct kn_block_look *ret);

/*
 * A block of so many units, its header included, whose user's part is at a
 * multiple of align, which is a power of two and KN_GRAIN at least.  -ENOSPC,
 * without a sentence; -EUCLEAN.
 */
int kn_block_alloc(const struct kn_blocks *blocks, struct kn_tx *tx,
		   uint32_t units, uint32_t align, uint32_t owner,
		   uint32_t *ret_at);

/* look is at a used one; *ret_at is the free one in which it is now. */
int kn_block_free(const struct kn_blocks *blocks, struct kn_tx *tx,
		  const struct kn_block_look *look, uint32_t *ret_at);

/* Where it is: 1, done; 0, there is no room behind it. */
int kn_block_resize(const struct kn_blocks *blocks, struct kn_tx *tx,
		    const struct kn_block_look *look, uint32_t units);

void kn_block_own(const struct kn_blocks *blocks, struct kn_tx *tx,
		  const struct kn_block_look *look, uint32_t owner);

/* The free list of blocks of so many units. */
uint32_t kn_block_list(uint32_t units);

static inline struct kn_block *
kn_block_at(const struct kn_blocks *blocks, uint32_t at)
{
	return (struct kn_block *)(void *)
	    (blocks->base + (size_t)at * KN_GRAIN);
}

static inline uint64_t
kn_pair(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

#endif
