/* SPDX-License-Identifier: MIT */
/*
 * cell.h - the layout of a cell
 *
 *      own: ├─ lock, if it has one ─┼─ 8 bytes ─┤
 */
#ifndef KN_CELL_H
#define KN_CELL_H

#include <kin/cell.h>

#include "lib/locked.h"

/* What a mark's shape says. */
enum { KN_CELL_TYPE };

struct kin_cell {
	struct kn_object o;
	kin_lock *lock;			/* NULL = none */
	kn_wide *word;
};

extern const struct kn_object_kind kn_cell_kind;

#endif
