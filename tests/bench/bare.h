/* SPDX-License-Identifier: MIT */
/*
 * bare.h - a ring and a mailbox with none of kin's promises
 *
 * The ring is for one who puts and one who gets, and dies with either: plain
 * stores, released and acquired.  Its bytes are framed as kin's are, a mark of
 * 8 bytes with the length, filled up to 16, over the ring's end if need be,
 * and its functions, as kin's, are called from another file with a length that
 * they don't know beforehand.
 *
 * The mailbox holds one message and is slept on.
 */
#ifndef BARE_H
#define BARE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BARE_BYTES	65536u		/* as kin's by default */

struct bare_ring {
	alignas(128) uint64_t tail;	/* who puts has this line */
	uint64_t head_seen;
	alignas(128) uint64_t head;	/* and who gets has this one */
	uint64_t tail_seen;
	alignas(128) unsigned char bytes[BARE_BYTES];
};

/* False: there is no room. */
bool bare_put(struct bare_ring *ring, const void *msg, size_t len);

/* The length; -EAGAIN: there is nothing; -EMSGSIZE. */
ssize_t bare_get(struct bare_ring *ring, void *buf, size_t cap);

struct bare_box {
	alignas(128) uint32_t posts;
	alignas(128) unsigned char bytes[64];
};

/* The getter has said that it is done with what was there. */
int bare_post(struct bare_box *box, const void *msg, size_t len);

/* Wait for a post beyond *seen until then, on the monotonic clock; 0 = ever. */
int bare_collect(struct bare_box *box, uint32_t *seen, void *buf, size_t len,
		 int64_t until_ns);

static inline void
bare_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

#endif
