/* SPDX-License-Identifier: MIT */
/*
 * heap.c - blocks for many processes, under a latch; those of the dead swept
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "shm/error.h"
#include "shm/heap.h"

void
kn_heap_view(struct kn_heap *heap, void *at, uint64_t bytes,
	     struct kn_registry *registry)
{
	struct kn_heap_shared *shared = at;
	uint32_t end = (uint32_t)(bytes / KN_GRAIN) - 1;

	heap->shared = shared;
	heap->registry = registry;
	heap->bytes = bytes;
	heap->blocks = (struct kn_blocks){
		.shared = &shared->blocks,
		.base = at,
		.first = sizeof(*shared) / KN_GRAIN,
		.end = end,
	};
	/* Not the log itself, and not the latch. */
	heap->undo = (struct kn_undo){
		.shared = &shared->undo,
		.base = at,
		.first = offsetof(struct kn_heap_shared, roots),
		.end = ((uint64_t)end + 1) * KN_GRAIN,
	};
}

void
kn_heap_format(const struct kn_heap *heap)
{
	kn_blocks_format(&heap->blocks);
}

int
kn_heap_begin(const struct kn_heap *heap, struct kn_tx *tx, kin_time deadline)
{
	struct kn_party *me = &heap->registry->party;
	int r = kn_latch_take(&heap->shared->latch, me, deadline);

	if (kn_unlikely(r < 0))
		return r;
	r = kn_undo(&heap->undo);
	if (kn_unlikely(r < 0)) {
		kn_latch_release(&heap->shared->latch, me);
		return r;
	}
	*tx = kn_tx_begin(&heap->undo);
	return 0;
}

void
kn_heap_commit(const struct kn_heap *heap, struct kn_tx *tx)
{
	struct kn_heap_shared *shared = heap->shared;
	uint32_t used = (uint32_t)kn_wide_load_relaxed(&shared->blocks.used);

	kn_tx_commit(tx);
	if (used > kn_wide_load_relaxed(&shared->peak))
		kn_wide_store_relaxed(&shared->peak, used);
	kn_latch_release(&shared->latch, &heap->registry->party);
}

void
kn_heap_undo(const struct kn_heap *heap)
{
	struct kn_sentence sentence;

	kn_sentence_save(&sentence);
	if (kn_undo(&heap->undo) >= 0)
		kn_sentence_restore(&sentence);
	kn_latch_release(&heap->shared->latch, &heap->registry->party);
}

/* With its header, in units; 0: more than any heap has. */
static uint32_t
units_of(uint64_t bytes)
{
	uint64_t units;

	if (bytes > KN_HEAP_MOST - KN_BLOCK_HEAD - KN_GRAIN)
		return 0;
	units = (bytes + KN_BLOCK_HEAD + KN_GRAIN - 1) / KN_GRAIN;
	return units < KN_BLOCK_LEAST ? KN_BLOCK_LEAST : (uint32_t)units;
}

int
kn_heap_alloc(const struct kn_heap *heap, struct kn_tx *tx, uint64_t bytes,
	      uint64_t align, uint64_t *ret_offset)
{
	uint32_t units = units_of(bytes), at;
	int r;

	if (units == 0)
		return -ENOSPC;
	r = kn_block_alloc(&heap->blocks, tx, units, (uint32_t)align,
			   heap->registry->party.stamp, &at);
	if (r == 0)
		*ret_offset = (uint64_t)at * KN_GRAIN + KN_BLOCK_HEAD;
	return r;
}

/*
 * What is at that place is no header.  Does a block begin there all the same?
 * All the blocks before it tell.
 */
static int
tell_why(const struct kn_heap *heap, uint32_t at)
{
	struct kn_block_look look = { .at = heap->blocks.first };
	int r;

	while (look.at < at) {
		r = kn_block_look(&heap->blocks, look.at, &look);
		if (r < 0)
			return r;
		look.at += look.units;
	}
	return look.at == at ? -EUCLEAN : -EINVAL;
}

static int
no_block(uint64_t offset)
{
	return kn_fail(-EINVAL, "offset %" PRIu64 " is that of no block",
		       offset);
}

int
kn_heap_find(const struct kn_heap *heap, uint64_t offset,
	     struct kn_block_look *ret)
{
	uint32_t at;
	int r;

	if (offset % KN_GRAIN != 0 || offset >= heap->bytes ||
	    offset < KN_BLOCK_HEAD)
		return no_block(offset);
	at = (uint32_t)((offset - KN_BLOCK_HEAD) / KN_GRAIN);
	if (at < heap->blocks.first || at >= heap->blocks.end)
		return no_block(offset);
	r = kn_block_look(&heap->blocks, at, ret);
	if (r < 0)
		r = tell_why(heap, at);
	if (r == -EINVAL)
		return no_block(offset);
	if (r == 0 && ret->state != KN_BLOCK_USED)
		return kn_fail(-EINVAL, "the block at offset %" PRIu64 " is "
			       "free already", offset);
	return r;
}

int
kn_heap_free(const struct kn_heap *heap, struct kn_tx *tx,
	     const struct kn_block_look *look)
{
	uint32_t at;

	return kn_block_free(&heap->blocks, tx, look, &at);
}

int
kn_heap_resize(const struct kn_heap *heap, struct kn_tx *tx,
	       const struct kn_block_look *look, uint64_t bytes)
{
	uint32_t units = units_of(bytes);

	return units == 0 ? 0
			  : kn_block_resize(&heap->blocks, tx, look, units);
}

/* ---- the dead ---- */

/* What the kernel has said of each member: asking costs more than looking. */
struct verdicts {
	uint64_t asked[KN_SLOTS_MAX / 64 + 1], dead[KN_SLOTS_MAX / 64 + 1];
	uint32_t stamps[KN_SLOTS_MAX];
};

static bool
is_dead(struct verdicts *known, struct kn_party *me, uint32_t stamp)
{
	uint32_t slot = kn_stamp_slot(stamp);
	uint64_t bit = 1ull << slot % 64;

	if (slot >= KN_SLOTS_MAX)
		return false;
	if (!(known->asked[slot / 64] & bit) || known->stamps[slot] != stamp) {
		known->asked[slot / 64] |= bit;
		known->stamps[slot] = stamp;
		known->dead[slot / 64] &= ~bit;
		if (me->dead(me, stamp) > 0)
			known->dead[slot / 64] |= bit;
	}
	return (known->dead[slot / 64] & bit) != 0;
}

/* One block of the dead; *at is where to go on. */
static int
sweep_one(const struct kn_heap *heap, struct kn_tx *tx,
	  const struct kn_block_look *look, uint32_t *at)
{
	kn_wide *swept = &heap->shared->swept;
	int r = kn_block_free(&heap->blocks, tx, look, at);

	if (r < 0)
		return r;
	kn_tx_set(tx, swept, kn_wide_load_relaxed(swept) + 1);
	kn_tx_commit(tx);
	return 0;
}

/* Whoever goes, dead or not, leaves a slot of another generation. */
static uint32_t
generations(const struct kn_registry *registry)
{
	uint32_t i, sum = 0;

	for (i = 0; i < registry->slots; i++)
		sum += kn_load(&registry->roster->slots[i].state) >> 1;
	return sum;
}

bool
kn_heap_walk_pays(const struct kn_heap *heap)
{
	return generations(heap->registry) !=
	       kn_load_relaxed(&heap->shared->generations);
}

int64_t
kn_heap_walk(const struct kn_heap *heap, struct kn_tx *tx)
{
	struct kn_party *me = &heap->registry->party;
	uint32_t deaths = kn_load(&heap->registry->roster->deaths);
	uint32_t gone = generations(heap->registry);
	uint32_t at = heap->blocks.first;
	struct kn_block_look look;
	struct verdicts known;
	int64_t n = 0;
	int r;

	memset(known.asked, 0, sizeof(known.asked));
	for (;;) {
		r = kn_block_look(&heap->blocks, at, &look);
		if (r < 0)
			return r;
		if (look.state == KN_BLOCK_END)
			break;
		if (look.state == KN_BLOCK_USED && look.owner != 0 &&
		    is_dead(&known, me, look.owner)) {
			r = sweep_one(heap, tx, &look, &at);
			if (r < 0)
				return r;
			n++;
		} else {
			at += look.units;
		}
	}
	kn_store_relaxed(&heap->shared->generations, gone);
	kn_store_relaxed(&heap->shared->deaths, deaths);
	return n;
}

/* ---- is it sound? ---- */

static int
unsound(const char *what, uint32_t at)
{
	return kn_fail(-EUCLEAN, "a heap's %s at unit %u", what, at);
}

/* All blocks in their order; how many are used and how many are free. */
static int
check_blocks(const struct kn_heap *heap, uint64_t *ret_used, uint32_t *ret_free)
{
	const struct kn_blocks *b = &heap->blocks;
	uint32_t at = b->first, before = 0, units = 0, blocks = 0;
	bool after_free = false;
	struct kn_block_look look;
	int r;

	for (;;) {
		r = kn_block_look(b, at, &look);
		if (r < 0)
			return r;
		if (look.before != before)
			return unsound("block before the one", at);
		if (look.state == KN_BLOCK_END)
			break;
		if (look.state == KN_BLOCK_FREE) {
			if (after_free)
				return unsound("free block after a free one",
					       at);
			*ret_free += 1;
		} else {
			blocks++;
			units += look.units;
		}
		after_free = look.state == KN_BLOCK_FREE;
		before = look.units;
		at += look.units;
	}
	*ret_used = kn_pair(units, blocks);
	return 0;
}

/* One list: of free blocks of its lengths only; *left are yet to be seen. */
static int
check_list(const struct kn_heap *heap, uint32_t list, uint64_t at,
	   uint32_t *left)
{
	const struct kn_blocks *b = &heap->blocks;
	uint32_t before = 0;
	int r;

	while (at != 0) {
		struct kn_block_look look;
		uint64_t links;

		if (at >= b->end || *left == 0)
			return unsound("list of free blocks, or one more,",
				       (uint32_t)at);
		r = kn_block_look(b, (uint32_t)at, &look);
		if (r < 0)
			return r;
		links = kn_wide_load_relaxed(&kn_block_at(b, look.at)->links);
		if (look.state != KN_BLOCK_FREE || links >> 32 != before ||
		    kn_block_list(look.units) != list)
			return unsound("list of free blocks is wrong", look.at);
		*left -= 1;
		before = look.at;
		at = (uint32_t)links;
	}
	return 0;
}

static int
check_lists(const struct kn_heap *heap, uint32_t left)
{
	const struct kn_blocks_shared *lists = &heap->shared->blocks;
	uint64_t classes = kn_wide_load_relaxed(&lists->classes);
	uint32_t class, part;
	int r;

	for (class = 0; class < KN_CLASSES; class++) {
		uint64_t parts = kn_wide_load_relaxed(&lists->parts[class]);

		if ((parts != 0) != (classes >> class & 1))
			return unsound("table of classes", class);
		for (part = 0; part < KN_PARTS; part++) {
			uint64_t at = kn_wide_load_relaxed(
			    &lists->heads[class][part]);

			if ((at != 0) != (parts >> part & 1))
				return unsound("table of parts", class);
			r = check_list(heap, class * KN_PARTS + part, at,
				       &left);
			if (r < 0)
				return r;
		}
	}
	return left == 0 ? 0 : unsound("free blocks are in no list", left);
}

int
kn_heap_check(const struct kn_heap *heap)
{
	uint32_t free_blocks = 0;
	uint64_t used = 0;
	int r = check_blocks(heap, &used, &free_blocks);

	if (r == 0 &&
	    used != kn_wide_load_relaxed(&heap->shared->blocks.used))
		r = unsound("count of what is used is wrong", (uint32_t)used);
	return r < 0 ? r : check_lists(heap, free_blocks);
}
