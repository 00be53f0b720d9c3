/* SPDX-License-Identifier: MIT */
/*
 * heap_apply.c - several words and blocks of a heap, changed in one step
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/heap.h"

#define LAST_EDIT	KIN_HEAP_FREE_

/* ---- where it is ---- */

/* May users' words be there?  Roots and blocks; offset is the ground's. */
static bool
is_inside(const kin_heap *h, uint64_t offset, uint64_t bytes)
{
	uint64_t first = (uint64_t)h->heap.blocks.first * KN_GRAIN;
	uint64_t end = (uint64_t)h->heap.blocks.end * KN_GRAIN;
	uint64_t roots = offsetof(struct kn_heap_shared, roots);

	if (offset >= first)
		return offset < end && bytes <= end - offset;
	return offset >= roots &&
	       offset < roots + KN_HEAP_ROOTS * sizeof(uint64_t) &&
	       bytes <= sizeof(uint64_t);
}

/* A pointer as an offset of the ground's; UINT64_MAX: it is elsewhere. */
static uint64_t
offset_of(const kin_heap *h, const void *pointer)
{
	uintptr_t p = (uintptr_t)pointer;
	uintptr_t base = (uintptr_t)h->heap.undo.base;

	return p < base || p - base >= h->heap.bytes ? UINT64_MAX : p - base;
}

void *
kin_heap_pointer(const kin_heap *h, uint64_t at, size_t bytes)
{
	kn_assert(h != NULL);
	if (at < h->base || !is_inside(h, at - h->base, bytes))
		return NULL;
	return h->heap.undo.base + (at - h->base);
}

uint64_t
kin_heap_offset(const kin_heap *h, const void *pointer)
{
	uint64_t offset;

	kn_assert(h != NULL);
	offset = offset_of(h, pointer);
	return offset == UINT64_MAX || !is_inside(h, offset, 1)
	       ? 0 : h->base + offset;
}

uint64_t *
kin_heap_root(const kin_heap *h, unsigned n)
{
	kn_assert(h != NULL);
	kn_assert(n < KIN_HEAP_ROOTS);
	return &h->heap.shared->roots[n].v;
}

/* ---- one step ---- */

static bool
is_word(const kin_heap *h, const void *word)
{
	uint64_t offset = offset_of(h, word);

	return offset != UINT64_MAX && offset % sizeof(uint64_t) == 0 &&
	       is_inside(h, offset, sizeof(uint64_t));
}

static int
check_word(kin_heap *h, const void *word)
{
	char name[96];

	if (!is_word(h, word))
		return kn_fail(-EINVAL, "%s: a word that is not in it, or not "
			       "at a multiple of 8",
			       kn_object_name(&h->o, name));
	return 0;
}

static int
check_edits(kin_heap *h, const struct kin_heap_edit *edits, unsigned n)
{
	bool expects = true;
	unsigned i;
	int r = 0;

	if (n > KIN_HEAP_EDITS_MAX)
		return kn_fail(-EINVAL, "heap: %u edits in one step; %u at "
			       "most", n, KIN_HEAP_EDITS_MAX);
	for (i = 0; i < n && r == 0; i++) {
		const struct kin_heap_edit *e = &edits[i];

		if (e->what == 0 || e->what > LAST_EDIT || e->reserved != 0)
			return kn_fail(-EINVAL, "heap: edit %u is none", i);
		if (e->what == KIN_HEAP_EXPECT_ && !expects)
			return kn_fail(-EINVAL, "heap: edit %u expects "
				       "something after others have stored",
				       i);
		expects = e->what == KIN_HEAP_EXPECT_;
		if (expects || e->what == KIN_HEAP_STORE_)
			r = check_word(h, e->word);
	}
	return r;
}

static kn_wide *
word_of(const void *word)
{
	return (kn_wide *)(uintptr_t)word;
}

static int
edit_block(kin_heap *h, struct kn_tx *tx, const struct kin_heap_edit *e)
{
	struct kn_block_look look;
	int r = kn_heap_seek(h, e->value, &look);

	if (r < 0)
		return r;
	if (e->what == KIN_HEAP_FREE_)
		return kn_heap_free(&h->heap, tx, &look);
	kn_block_own(&h->heap.blocks, tx, &look, e->what == KIN_HEAP_OWN_
		     ? h->heap.registry->party.stamp : 0);
	return 0;
}

/* 1: it is done; 0: it is not as expected. */
static int
edit(kin_heap *h, struct kn_tx *tx, const struct kin_heap_edit *e)
{
	int r;

	switch (e->what) {
	case KIN_HEAP_EXPECT_:
		return kn_wide_load(word_of(e->word)) == e->value;
	case KIN_HEAP_STORE_:
		kn_tx_set(tx, word_of(e->word), e->value);
		return 1;
	default:
		r = edit_block(h, tx, e);
		return r < 0 ? r : 1;
	}
}

int
kin_heap_apply(kin_heap *h, const struct kin_heap_edit *edits, unsigned n,
	       kin_time deadline)
{
	struct kn_tx tx;
	unsigned i;
	int r;

	kn_assert(h != NULL);
	kn_assert(edits != NULL || n == 0);
	r = check_edits(h, edits, n);
	if (r == 0)
		r = kn_heap_enter(h, &tx, deadline);
	if (r < 0)
		return r;
	for (i = 0, r = 1; i < n && r == 1; i++)
		r = edit(h, &tx, &edits[i]);
	if (r < 0)
		return kn_heap_leave(h, r);
	/* Where it was not as expected, nothing has been stored. */
	kn_heap_commit(&h->heap, &tx);
	return r;
}

int
kin_heap_publish(kin_heap *h, uint64_t at, uint64_t *link, kin_time deadline)
{
	const struct kin_heap_edit edits[] = {
		KIN_HEAP_KEEP(at),
		KIN_HEAP_STORE(link, at),
	};
	int r = kin_heap_apply(h, edits, link == NULL ? 1 : 2, deadline);

	return r < 0 ? r : 0;
}

/* ---- a block that gets another length ---- */

/* Where it is, if it can be: 1, or 0 and what it was. */
static int
in_place(kin_heap *h, uint64_t at, size_t bytes, struct kn_block_look *ret,
	 kin_time deadline)
{
	struct kn_tx tx;
	int r = kn_heap_enter(h, &tx, deadline);

	if (r < 0)
		return r;
	r = kn_heap_seek(h, at, ret);
	if (r == 0)
		r = kn_heap_resize(&h->heap, &tx, ret, bytes);
	if (r < 0)
		return kn_heap_leave(h, r);
	kn_heap_commit(&h->heap, &tx);
	return r;
}

/* to, which is ours, takes the place of from: with its link, if that is here. */
static int
swap(kin_heap *h, const struct kn_block_look *from, uint64_t *at, uint64_t to,
     kin_time deadline)
{
	bool link = is_word(h, at);
	struct kn_block_look now, next;
	struct kn_tx tx;
	int r = kn_heap_enter(h, &tx, deadline);

	if (r < 0)
		return r;
	r = kn_heap_seek(h, *at, &now);
	if (r == 0)
		r = kn_heap_seek(h, to, &next);
	if (r == 0)
		r = kn_heap_free(&h->heap, &tx, &now);
	if (r < 0)
		return kn_heap_leave(h, r);
	if (from->owner == 0)
		kn_block_own(&h->heap.blocks, &tx, &next, 0);
	if (link)
		kn_tx_set(&tx, word_of(at), to);
	kn_heap_commit(&h->heap, &tx);
	if (!link)
		*at = to;
	return 0;
}

int
kin_heap_resize(kin_heap *h, uint64_t *at, size_t bytes, kin_time deadline)
{
	struct kn_block_look from;
	struct kn_sentence sentence;
	uint64_t old, room, to;
	int r;

	kn_assert(h != NULL);
	kn_assert(at != NULL);
	old = *(volatile uint64_t *)at;
	if (old == 0)
		return kin_heap_alloc(h, at, bytes, deadline);
	r = in_place(h, old, bytes, &from, deadline);
	if (r != 0)
		return r < 0 ? r : 0;
	r = kin_heap_alloc(h, &to, bytes, deadline);
	if (r < 0)
		return r;
	room = kn_heap_room(&from);
	/* A peer that has spoilt the heap can make the two overlap. */
	memmove(kin_heap_pointer(h, to, bytes), kin_heap_pointer(h, old, room),
		room < bytes ? room : bytes);
	r = swap(h, &from, at, to, deadline);
	if (r == 0)
		return 0;
	/* What can't be freed now is ours, and goes when we do. */
	kn_sentence_save(&sentence);
	if (kin_heap_free(h, to, deadline) < 0)
		kn_sentence_restore(&sentence);
	return r;
}
