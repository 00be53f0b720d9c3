/* SPDX-License-Identifier: MIT */
/*
 * lock.h - kin_lock from inside: an object that is a mutex
 */
#ifndef KN_LOCK_H
#define KN_LOCK_H

#include <kin/lock.h>

#include "lib/mutex.h"
#include "lib/object.h"

struct kin_lock {
	struct kn_object object;
	struct kn_mutex mutex;
	kin_repair_fn *repair;
	void *user;
};

/* Options of the mark: KIN_LOCK_..., and over them KIN_DEATH_... */
#define KN_DEATH_SHIFT	8

static inline uint32_t
kn_death_of(uint32_t options)
{
	return options >> KN_DEATH_SHIFT;
}

extern const struct kn_object_kind kn_lock_kind;

/* The sentence for what taking or releasing o came back with, and r. */
int kn_lock_failed(struct kn_object *o, int r);

#endif
