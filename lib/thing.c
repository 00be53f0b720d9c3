/* SPDX-License-Identifier: MIT */
/*
 * thing.c - kinds of things that travel
 *
 * Written before main, only read after it.
 */
#include "lib/object.h"
#include "lib/thing.h"
#include "shm/error.h"

#define KINDS	64u		/* KN_EXT_FD is the first that is no kind */

static const struct kn_thing heap_thing = KN_OBJECT_THING("a heap");
static const struct kn_thing array_thing = KN_OBJECT_THING("an array");
static const struct kn_thing cell_thing = KN_OBJECT_THING("a cell");
static const struct kn_thing table_thing = KN_OBJECT_THING("a table");
static const struct kn_thing lock_thing = KN_OBJECT_THING("a lock");
static const struct kn_thing sem_thing = KN_OBJECT_THING("a semaphore");
static const struct kn_thing event_thing = KN_OBJECT_THING("an event");
static const struct kn_thing barrier_thing = KN_OBJECT_THING("a barrier");
static const struct kn_thing once_thing = KN_OBJECT_THING("a once");
static const struct kn_thing rwlock_thing = KN_OBJECT_THING("a rwlock");
static const struct kn_thing cond_thing = KN_OBJECT_THING("a condition");

static const struct kn_thing *things[KINDS] = {
	[KIN_THING_SEGMENT] = &kn_segment_thing,
	[KIN_THING_QUEUE] = &kn_queue_thing,
	[KIN_THING_VIEW] = &kn_view_thing,
	[KIN_THING_HEAP] = &heap_thing,
	[KIN_THING_ARRAY] = &array_thing,
	[KIN_THING_CELL] = &cell_thing,
	[KIN_THING_TABLE] = &table_thing,
	[KIN_THING_LOCK] = &lock_thing,
	[KIN_THING_SEM] = &sem_thing,
	[KIN_THING_EVENT] = &event_thing,
	[KIN_THING_BARRIER] = &barrier_thing,
	[KIN_THING_ONCE] = &once_thing,
	[KIN_THING_RWLOCK] = &rwlock_thing,
	[KIN_THING_COND] = &cond_thing,
};

void
kn_thing_enter(uint32_t kind, const struct kn_thing *thing)
{
	kn_assert(kind > 0 && kind < KINDS);
	kn_assert(things[kind] == NULL);
	things[kind] = thing;
}

const struct kn_thing *
kn_thing_find(uint32_t kind)
{
	return kind < KINDS ? things[kind] : NULL;
}

const char *
kn_thing_a(uint32_t kind)
{
	const struct kn_thing *thing = kn_thing_find(kind);

	if (thing != NULL)
		return thing->a;
	switch (kind) {
	case KN_EXT_FD:
		return "a descriptor";
	case KN_EXT_RO:
		return "read-only data";
	case KIN_THING_PROXY:
		return "a proxy";
	default:
		return "a thing of another kind";
	}
}

bool
kn_thing_fits(uint32_t place, uint32_t kind)
{
	if (place == KIN_THING_PROXY)
		return kind >= KIN_THING_PROXY && kind < KIN_THING_VIEW;
	return place == kind;
}
