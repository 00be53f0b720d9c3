/* SPDX-License-Identifier: MIT */
/*
 * cond.h - kin_cond from inside
 *
 * All there is of a condition lies in the records of those that wait at it:
 * where, since when, and whether they were notified.  They are written by
 * their threads and by the notifier, both with the lock held; and of a dead
 * one, the notice is moved by one compare-and-swap.
 */
#ifndef KN_COND_H
#define KN_COND_H

#include <kin/cond.h>

#include "lib/object.h"

struct kn_cond_shared {
	kn_wide notices;		/* given so far: for tools */
	uint64_t zero[7];
};

_Static_assert(sizeof(struct kn_cond_shared) == 64, "layout");

struct kin_cond {
	struct kn_object object;
};

extern const struct kn_object_kind kn_cond_kind;

#endif
