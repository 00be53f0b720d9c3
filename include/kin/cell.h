/* SPDX-License-Identifier: MIT */
/*
 * kin/cell.h - one number, shared by processes
 *
 *      kin_cell_create(&done, NULL);
 *      r = kin_cell_add(done, 1, NULL);          (one step, whoever else adds)
 *
 * A signed or unsigned integer of 64 bits, or a double.  Every call is one
 * atomic instruction, or for doubles one that decides: no call waits, and
 * there is no half of one.  A lock is for what takes several: read it, think,
 * and write it; kin_cell_lock() gives it, and the calls do not take it.
 *
 * It stands alone in an anonymous segment, is placed in one of the user's, or
 * allocated in a heap.  Only with a lock does the segment need members.
 *
 * Order    All calls on one cell have one order, and what a thread has stored
 *          before its call is seen by who has seen that.
 * Threads  Any call from any thread, and from signal handlers; close must be
 *          the handle's last.
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A call whose caller is killed was made, or not.
 * Peers    One that scribbles over the cell changes its value.
 */
#ifndef KIN_CELL_H
#define KIN_CELL_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/segment.h>
#include <kin/value.h>

KIN_BEGIN

#define KIN_CELL_INT		0u
#define KIN_CELL_UINT		1u
#define KIN_CELL_DOUBLE		2u

#define KIN_CELL_LOCKED		0x01u	/* it has a lock of its own */

struct kin_cell_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_CELL_LOCKED */
	uint32_t type;			/* KIN_CELL_INT ... */
	uint32_t members;		/* as in struct kin_array_opts */
	const char *label;
	kin_segment *segment;
	uint64_t offset;
	kin_heap *heap;
};

/* Create one, which is 0, or join one; opts may be NULL.  Errors as of arrays
 * (kin/array.h). */
KIN_API KIN_MUST int kin_cell_create(kin_cell **ret_cell,
				     const struct kin_cell_opts *opts);
KIN_API size_t kin_cell_room(const struct kin_cell_opts *opts);
KIN_API KIN_MUST int kin_cell_attach(kin_cell **ret_cell, int fd);
KIN_API KIN_MUST int kin_cell_attach_at(kin_cell **ret_cell, kin_segment *seg,
					uint64_t offset);
KIN_API void kin_cell_close(kin_cell *cell);

/*
 * Of integers, signed or not; unsigned ones go through the same bits.  Sums
 * wrap around.  Add and swap give what it was before, if ret is not NULL.
 *
 *   -EINVAL  it is a double
 */
KIN_API KIN_MUST int kin_cell_get(const kin_cell *cell, int64_t *ret);
KIN_API KIN_MUST int kin_cell_set(kin_cell *cell, int64_t value);
KIN_API KIN_MUST int kin_cell_add(kin_cell *cell, int64_t n, int64_t *ret);
KIN_API KIN_MUST int kin_cell_swap(kin_cell *cell, int64_t value,
				   int64_t *ret);

/* If it is *expected, set it: 1.  Else 0, and *expected is what it is. */
KIN_API KIN_MUST int kin_cell_cas(kin_cell *cell, int64_t *expected,
				  int64_t value);

/* The same of doubles; -EINVAL: it is an integer.  Cas compares bits. */
KIN_API KIN_MUST int kin_cell_get_double(const kin_cell *cell, double *ret);
KIN_API KIN_MUST int kin_cell_set_double(kin_cell *cell, double value);
KIN_API KIN_MUST int kin_cell_add_double(kin_cell *cell, double x,
					 double *ret);
KIN_API KIN_MUST int kin_cell_cas_double(kin_cell *cell, double *expected,
					 double value);

KIN_API uint32_t kin_cell_type(const kin_cell *cell);

/* Its lock, or NULL: the cell's own, don't close it. */
KIN_API kin_lock *kin_cell_lock(const kin_cell *cell);

/* As of arrays. */
KIN_API uint64_t kin_cell_offset(const kin_cell *cell);
KIN_API int kin_cell_fd(const kin_cell *cell);
KIN_API const char *kin_cell_label(const kin_cell *cell);

KIN_END

#endif
