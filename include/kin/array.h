/* SPDX-License-Identifier: MIT */
/*
 * kin/array.h - so many elements of one type, shared by processes
 *
 *      ├─ lock ─┼─ 0 ─┼─ 1 ─┼─ 2 ─┼── ... ──┼─ count - 1 ─┤
 *
 *      kin_array_create(&a, KIN_OPTS(kin_array_opts, .type = KIN_ARRAY_DOUBLE,
 *                       .count = 1000, .flags = KIN_ARRAY_LOCKED));
 *      r = kin_array_write(a, 10, 3, (double[]){ 1, 2, 3 }, deadline);
 *
 *      double *x = KIN_ARRAY_AT(a, double, 10);     (memory like any other)
 *
 * Elements are numbers, or records of any size.  Fixed, and zeros at first.
 * With a lock of its own, which may be taken again by the thread that has it,
 * each call takes it; kin_array_lock() is for several calls in one, and for
 * what is done by pointers.
 *
 * It stands alone in an anonymous segment, is placed in one of the user's, or
 * allocated in a heap.  Only with a lock does the segment need members.
 *
 * Order    With its lock, calls have one order.  Without, a number is read as
 *          it was written, whole; several, and records, may be part one
 *          write's and part another's.
 * Threads  Any call from any thread; close must be the handle's last.
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A writer that dies has written some of its elements, each number
 *          whole.  With a lock, whoever comes next is told: 1 (KIN_INHERITED),
 *          with the call done, until somebody has put things right and called
 *          kin_lock_consistent(kin_array_lock(a)).
 * Peers    One that scribbles over the array changes what is in it, and
 *          nothing else.
 */
#ifndef KIN_ARRAY_H
#define KIN_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/segment.h>
#include <kin/time.h>
#include <kin/value.h>

KIN_BEGIN

#define KIN_ARRAY_INT8		1u
#define KIN_ARRAY_INT16		2u
#define KIN_ARRAY_INT32		3u
#define KIN_ARRAY_INT64		4u
#define KIN_ARRAY_UINT8		5u
#define KIN_ARRAY_UINT16	6u
#define KIN_ARRAY_UINT32	7u
#define KIN_ARRAY_UINT64	8u
#define KIN_ARRAY_FLOAT		9u
#define KIN_ARRAY_DOUBLE	10u
#define KIN_ARRAY_RECORD	11u	/* record_bytes of the user's */

#define KIN_ARRAY_LOCKED	0x01u	/* it has a lock of its own */

struct kin_array_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_ARRAY_LOCKED */
	uint32_t type;			/* KIN_ARRAY_INT8 ... */
	uint32_t record_bytes;		/* of a KIN_ARRAY_RECORD; else 0 */
	uint64_t count;			/* elements, 1 at least */
	const char *label;		/* if it stands alone */
	kin_segment *segment;		/* to place it in */
	uint64_t offset;		/* there, a multiple of 64 */
	kin_heap *heap;			/* or to allocate it in: a block of its
					   own, this process's until it is
					   published */
	uint32_t members;		/* if it stands alone and has a lock:
					   processes at once; 0 = 64 */
	uint32_t reserved;		/* must be 0 */
};

/*
 * Create one, all zeros, and take hold of it.
 *
 *   -EINVAL  no such type; no elements, or over 2^45 bytes of them; options
 *            that contradict each other; a bad label or offset; a lock, and a
 *            segment without members
 *   -ENOSPC  no memory for it; no such room in the segment, or in the heap
 *   -EEXIST  something is at that offset
 *   -EACCES  the segment is read-only
 *   -E2BIG, -ENOMEM, -EMFILE; of a heap, those of kin_heap_alloc(KIN_NOWAIT)
 */
KIN_API KIN_MUST int kin_array_create(kin_array **ret_a,
				      const struct kin_array_opts *opts);

/* The bytes that such an array takes of a segment; 0: there is no such one. */
KIN_API size_t kin_array_room(const struct kin_array_opts *opts);

/* Join the one behind fd, or placed in seg; errors as kin_lock_attach() and
 * kin_lock_attach_at(). */
KIN_API KIN_MUST int kin_array_attach(kin_array **ret_a, int fd);
KIN_API KIN_MUST int kin_array_attach_at(kin_array **ret_a, kin_segment *seg,
					 uint64_t offset);

/* Let go of the handle.  NULL is ignored. */
KIN_API void kin_array_close(kin_array *a);

/*
 * Copy n elements out of it, or into it, from the first'th on: 0; with its
 * lock, also 1 (KIN_INHERITED), see Crash.
 *
 *   -EINVAL  they are not all in the array
 *   -ETIMEDOUT, -EDEADLK, -EUCLEAN, -ENOSPC, -EBADF  as kin_lock_acquire():
 *            only with a lock; without, no deadline matters
 */
KIN_API KIN_MUST int kin_array_read(kin_array *a, size_t first, size_t n,
				    void *ret, kin_time deadline);
KIN_API KIN_MUST int kin_array_write(kin_array *a, size_t first, size_t n,
				     const void *from, kin_time deadline);

/*
 * The i'th element's memory, good until close; or NULL: there is no such one,
 * or an element has not so many bytes.  No lock is taken.
 */
KIN_API void *kin_array_at(const kin_array *a, size_t i, size_t bytes);
#define KIN_ARRAY_AT(a, type, i)					\
	((type *)kin_array_at((a), (i), sizeof(type)))

KIN_API size_t kin_array_count(const kin_array *a);
KIN_API uint32_t kin_array_type(const kin_array *a);
KIN_API size_t kin_array_element_bytes(const kin_array *a);

/* Its lock, or NULL: the array's own, don't close it. */
KIN_API kin_lock *kin_array_lock(const kin_array *a);

/* Where it is in its segment: by this, and kin_heap_segment(), others attach
 * to one in a heap, and by this it is published and freed there. */
KIN_API uint64_t kin_array_offset(const kin_array *a);

/* The descriptor to attach by, of a placed one its segment's; its label. */
KIN_API int kin_array_fd(const kin_array *a);
KIN_API const char *kin_array_label(const kin_array *a);

KIN_END

#endif
