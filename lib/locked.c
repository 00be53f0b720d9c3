/* SPDX-License-Identifier: MIT */
/*
 * locked.c - a lock of its own, and a block of a heap
 */
#include <errno.h>
#include <string.h>

#include "lib/heap.h"
#include "lib/lock.h"
#include "lib/locked.h"

static uint64_t
lock_offset(const struct kn_object *o)
{
	return o->offset + sizeof(o->mark);
}

void
kn_locked_begin(struct kn_object *o)
{
	const struct kn_making making = {
		.kind = &kn_lock_kind,
		.options = KIN_LOCK_RECURSIVE,
		.offset = lock_offset(o),
	};

	if (o->mark.options & KN_WITH_MEMBERS)
		kn_object_inscribe(o->seg, &making);
}

int
kn_locked_open(const struct kn_object *o, kin_lock **ret_lock)
{
	*ret_lock = NULL;
	return o->mark.options & KN_WITH_MEMBERS
	       ? kin_lock_attach_at(ret_lock, o->seg, lock_offset(o)) : 0;
}

/* ---- in a heap ---- */

uint64_t
kn_heap_create_room(struct kn_making *making, kin_heap *heap)
{
	if (heap != NULL)
		making->segment = heap->o.seg;
	return kn_object_room(making);
}

static int
check_making(const struct kn_making *making, const kin_heap *heap)
{
	const char *name = making->kind->kind.name;

	if (making->segment != NULL || making->offset != 0)
		return kn_fail(-EINVAL, "%s: in a heap, and at a place of the "
			       "user's", name);
	if (making->label != NULL || making->members != 0)
		return kn_fail(-EINVAL, "%s: in heap '%s' it has that one's "
			       "label and members", name, heap->o.seg->label);
	return 0;
}

int
kn_heap_create(struct kn_object **ret, struct kn_making *making,
	       kin_heap *heap)
{
	struct kn_sentence sentence;
	uint64_t room;
	int r;

	if (heap == NULL)
		return kn_object_create(ret, making);
	r = check_making(making, heap);
	if (r < 0)
		return r;
	room = kn_heap_create_room(making, heap);
	if (room == 0)
		return kn_fail(-EINVAL, "%s of a size that cannot be",
			       making->kind->kind.a);
	r = kin_heap_alloc_aligned(heap, &making->offset, room,
				   making->kind->align, KIN_NOWAIT);
	if (r < 0)
		return r;
	/* There may have been one before. */
	memset(kin_heap_pointer(heap, making->offset, sizeof(struct kn_mark)),
	       0, sizeof(struct kn_mark));
	r = kn_object_create(ret, making);
	if (r == 0)
		return 0;
	/* What can't be freed now is ours, and goes when we do. */
	kn_sentence_save(&sentence);
	if (kin_heap_free(heap, making->offset, KIN_NOWAIT) < 0)
		kn_sentence_restore(&sentence);
	return r;
}
