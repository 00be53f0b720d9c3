/* SPDX-License-Identifier: MIT */
/*
 * entry.h - what an entry is called with
 */
#ifndef KN_ENTRY_H
#define KN_ENTRY_H

#include <kin/entry.h>

struct kin_call {
	const void *bytes;
	size_t len;
};

/* The name of fn, or NULL if it is no KIN_ENTRY. */
const char *kn_entry_name(kin_entry_fn *fn);

#endif
