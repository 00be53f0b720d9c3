/* SPDX-License-Identifier: MIT */
/*
 * readonly.h - how frozen bytes lie in their memfd
 *
 *      0         bytes   a multiple of 8
 *      ├─ data ────┼─ 0 ──┼─ trailer ──┤ end of the file
 *
 * The data comes first, so that it is at a page's begin wherever it is mapped,
 * and the file's length follows from that of the data.  All is sealed: nobody
 * can change a byte or the length, not even who made it.
 */
#ifndef KN_READONLY_H
#define KN_READONLY_H

#include <fcntl.h>
#include <stdint.h>

#include "lib/trap.h"

#define KN_FROZEN_MAGIC		0x0a6e7a72666b6989ull	/* "\x89kifrzn\n" */
#define KN_FROZEN_LAYOUT	1u

/* Without these a sender could change it. */
#define KN_FROZEN_SEALS		(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

struct kn_frozen_trailer {
	uint64_t magic;
	uint32_t layout;
	uint32_t pid;			/* who froze it, in its namespace */
	uint64_t start;			/* its start time, in clock ticks */
	uint64_t pid_namespace;		/* its inode; 0 = unknown */
	uint64_t bytes;			/* of data */
	char name[KN_FROZEN_NAME];	/* as it was spelled, ended by zero */
};

_Static_assert(sizeof(struct kn_frozen_trailer) == 88, "part of the layout");

static inline uint64_t
kn_frozen_trailer_at(uint64_t bytes)
{
	return (bytes + 7) & ~7ull;
}

#endif
