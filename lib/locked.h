/* SPDX-License-Identifier: MIT */
/*
 * locked.h - a lock of its own, for kinds that can have one; and a block of a
 * heap, for kinds that can be allocated in one
 *
 *      ├─ mark ─┼─ kin_lock ─┼─ the kind's own ───┤
 *
 * The option KN_WITH_MEMBERS of a mark says that the lock is there.
 */
#ifndef KN_LOCKED_H
#define KN_LOCKED_H

#include <kin/lock.h>

#include "lib/object.h"

static inline uint64_t
kn_locked_bytes(uint32_t options)
{
	return options & KN_WITH_MEMBERS ? KIN_LOCK_ROOM : 0;
}

/* For begin, open and shut of those kinds; *ret_lock is NULL if there is none. */
void kn_locked_begin(struct kn_object *o);
int kn_locked_open(const struct kn_object *o, kin_lock **ret_lock);

/* As kn_object_create; in heap, if that is not NULL. */
int kn_heap_create(struct kn_object **ret, struct kn_making *making,
		   kin_heap *heap);

/* The bytes of what it would make. */
uint64_t kn_heap_create_room(struct kn_making *making, kin_heap *heap);

#endif
