/* SPDX-License-Identifier: MIT */
/*
 * bare.c - a ring and a mailbox with none of kin's promises
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bare.h"

#define MARK	8u
#define UNIT	16u

static uint64_t
record(size_t len)
{
	return (len + MARK + UNIT - 1) / UNIT * UNIT;
}

/* What fits behind the mark at position before the ring's end. */
static size_t
straight(uint64_t position)
{
	return BARE_BYTES - position % BARE_BYTES - MARK;
}

bool
bare_put(struct bare_ring *ring, const void *msg, size_t len)
{
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
	unsigned char *at = ring->bytes + tail % BARE_BYTES;
	uint64_t n = record(len), mark = len;
	size_t first = straight(tail);

	if (tail + n - ring->head_seen > BARE_BYTES) {
		ring->head_seen = __atomic_load_n(&ring->head,
						  __ATOMIC_ACQUIRE);
		if (tail + n - ring->head_seen > BARE_BYTES)
			return false;
	}
	memcpy(at, &mark, MARK);
	if (len <= first) {
		memcpy(at + MARK, msg, len);
	} else {
		memcpy(at + MARK, msg, first);
		memcpy(ring->bytes, (const unsigned char *)msg + first,
		       len - first);
	}
	__atomic_store_n(&ring->tail, tail + n, __ATOMIC_RELEASE);
	return true;
}

ssize_t
bare_get(struct bare_ring *ring, void *buf, size_t cap)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	const unsigned char *at = ring->bytes + head % BARE_BYTES;
	size_t first = straight(head);
	uint64_t len;

	if (head == ring->tail_seen) {
		ring->tail_seen = __atomic_load_n(&ring->tail,
						  __ATOMIC_ACQUIRE);
		if (head == ring->tail_seen)
			return -EAGAIN;
	}
	memcpy(&len, at, MARK);
	if (len > cap)
		return -EMSGSIZE;
	if (len <= first) {
		memcpy(buf, at + MARK, len);
	} else {
		memcpy(buf, at + MARK, first);
		memcpy((unsigned char *)buf + first, ring->bytes, len - first);
	}
	__atomic_store_n(&ring->head, head + record(len), __ATOMIC_RELEASE);
	return (ssize_t)len;
}

/* Shared futexes, as kin's have to be. */
static long
futex(uint32_t *word, int op, uint32_t v, const struct timespec *until)
{
	return syscall(SYS_futex, word, op, v, until, NULL,
		       FUTEX_BITSET_MATCH_ANY);
}

int
bare_post(struct bare_box *box, const void *msg, size_t len)
{
	if (len > sizeof(box->bytes))
		return -EMSGSIZE;
	memcpy(box->bytes, msg, len);
	__atomic_store_n(&box->posts, box->posts + 1, __ATOMIC_RELEASE);
	return futex(&box->posts, FUTEX_WAKE, 1, NULL) < 0 ? -errno : 0;
}

int
bare_collect(struct bare_box *box, uint32_t *seen, void *buf, size_t len,
	     int64_t until_ns)
{
	struct timespec until = {
		.tv_sec = until_ns / 1000000000,
		.tv_nsec = until_ns % 1000000000,
	};

	if (len > sizeof(box->bytes))
		return -EMSGSIZE;
	while (__atomic_load_n(&box->posts, __ATOMIC_ACQUIRE) == *seen)
		if (futex(&box->posts, FUTEX_WAIT_BITSET, *seen,
			  until_ns != 0 ? &until : NULL) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			return -errno;
	memcpy(buf, box->bytes, len);
	++*seen;
	return 0;
}
