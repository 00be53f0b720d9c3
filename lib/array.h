/* SPDX-License-Identifier: MIT */
/*
 * array.h - the layout of an array, for the array and for those who look
 *
 *      own: ├─ lock, if it has one ─┼─ elements ────┤
 */
#ifndef KN_ARRAY_H
#define KN_ARRAY_H

#include <kin/array.h>

#include "lib/locked.h"

/* What a mark's shape says. */
enum { KN_ARRAY_TYPE, KN_ARRAY_ELEMENT, KN_ARRAY_COUNT };

struct kin_array {
	struct kn_object o;
	kin_lock *lock;			/* NULL = none */
	unsigned char *elements;
	size_t count, element;
	size_t atom;			/* bytes that are read and written
					   whole */
};

extern const struct kn_object_kind kn_array_kind;

#endif
