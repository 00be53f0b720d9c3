/* SPDX-License-Identifier: MIT */
/*
 * entry.h - what an entry is called with
 */
#ifndef KN_ENTRY_H
#define KN_ENTRY_H

#include <stdbool.h>

#include <kin/entry.h>

#include "lib/bundle.h"

struct kin_call {
	const char *name;		/* whose call: for sentences */
	kin_values *values;
	struct kn_bundle result;	/* if given; and if it is long, */
	int file;			/* its bytes are in here; or -1 */
	bool given;
};

/* fn's entry, or NULL if it is no KIN_ENTRY; good while its image is loaded. */
const struct kin_entry *kn_entry_of(kin_entry_fn *fn);
const struct kin_entry *kn_entry_named(const char *name);

/* The name of fn, or NULL if it is no KIN_ENTRY. */
const char *kn_entry_name(kin_entry_fn *fn);

#endif
