/* SPDX-License-Identifier: MIT */
/*
 * table.h - the layout of a table
 *
 *      own: ├─ record ─┼─ record ─┼── ...
 *           ├ latch, turn, two lengths ┼─ values ─┼─ values ─┤
 *                                        turn even  turn odd
 *
 * Two places for the values of each record: a set writes into the one that
 * turn does not name, and then moves turn on, which is all that decides.  So
 * one who dies before has done nothing.  Who reads copies what turn names and
 * looks at turn again: unchanged, nobody has begun to write there.
 */
#ifndef KN_TABLE_H
#define KN_TABLE_H

#include <kin/table.h>

#include "lib/object.h"

struct kn_record {
	kn_word latch;			/* of who sets it */
	kn_word turn;			/* the truth; 0 = never set */
	kn_word bytes[2];
	kn_wide values[];		/* twice as many as hold the longest */
};

_Static_assert(sizeof(struct kn_record) == 16, "layout");

/* What a mark's shape says. */
enum { KN_TABLE_COUNT, KN_TABLE_BYTES };

struct kin_table {
	struct kn_object o;
	size_t count;
	size_t most;			/* bytes of a record */
	size_t words;			/* of the longest */
	size_t stride;
};

extern const struct kn_object_kind kn_table_kind;

#endif
