/* SPDX-License-Identifier: MIT */
/*
 * trap.h - who wrote to it
 *
 * Ranges of memory in which a store is a bug, and what is to be said of them.
 * The first one sets a handler for SIGSEGV, which stays: it reports a store
 * into a range, and then, or for any other fault, does what was to be done
 * before it was there.
 */
#ifndef KN_TRAP_H
#define KN_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KN_FROZEN_NAME	48		/* bytes, with the zero */

/* Who froze it, and as what: copied. */
struct kn_frozen_by {
	uint32_t pid;
	bool elsewhere;			/* in another pid namespace */
	char name[KN_FROZEN_NAME];	/* printable */
};

/* Watch what is mapped there; each address once. */
int kn_trap_watch(const void *at, size_t bytes, const struct kn_frozen_by *by);

/* Watch it no more: its bytes, or 0 if it was not watched. */
size_t kn_trap_forget(const void *at);

#endif
