/* SPDX-License-Identifier: MIT */
/*
 * kin/table.h - a row of records of mixed types, shared by processes
 *
 *      ┌───────────────┬─────────┬───────────┬─────┐
 *      │ "apple", 3    │ 2.5     │ (nothing) │ ... │   count records of up to
 *      └───────────────┴─────────┴───────────┴─────┘   record_bytes each
 *
 *      r = kin_table_set(t, 0, KIN_ARGS("apple", 3), deadline);
 *      r = kin_table_get(t, 0, KIN_TAKE(&name, &n), deadline);
 *
 * A record is values (kin/value.h): none, one, or several; nil, bools,
 * integers, floats, strings and bytes with their lengths, whatever is in them,
 * arrays and maps of those.  What is taken is what was set.  As bytes, which
 * are counted, it is msgpack: 1 for up to 15 values; 1 to 9 for a number; of a
 * string or bytes their length, and 1 to 5.
 *
 * It stands alone in an anonymous segment, is placed in one of the user's
 * that has members, or allocated in a heap.
 *
 * Order    The sets of a record have one order.  A get gives the record as one
 *          set has left it, whole: never part of one and part of another.
 * Threads  Any call from any thread; close must be the handle's last.
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A set whose caller is killed was made, or not.  Who reads does not
 *          wait for it; who sets the same record waits a slice (2 to 50 ms).
 * Peers    One that scribbles over the table spoils records, which are checked
 *          whole before they are taken: -EUCLEAN, of that record, or values
 *          that nobody has set.
 */
#ifndef KIN_TABLE_H
#define KIN_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/segment.h>
#include <kin/time.h>
#include <kin/value.h>
#include <kin/values.h>

KIN_BEGIN

struct kin_table_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint64_t count;			/* of records; 1 at least */
	uint32_t record_bytes;		/* of the longest; 0 = 64; 1 GiB at
					   most */
	uint32_t members;		/* if it stands alone: processes at
					   once; 0 = 64 */
	const char *label;		/* as in struct kin_array_opts */
	kin_segment *segment;
	uint64_t offset;
	kin_heap *heap;
};

/* Create one, of empty records, or join one.  Errors as of arrays
 * (kin/array.h).  It takes twice record_bytes for each record. */
KIN_API KIN_MUST int kin_table_create(kin_table **ret_table,
				      const struct kin_table_opts *opts);
KIN_API size_t kin_table_room(const struct kin_table_opts *opts);
KIN_API KIN_MUST int kin_table_attach(kin_table **ret_table, int fd);
KIN_API KIN_MUST int kin_table_attach_at(kin_table **ret_table,
					 kin_segment *seg, uint64_t offset);
KIN_API void kin_table_close(kin_table *table);

/*
 * Set the i'th record.
 *
 *   -EMSGSIZE    it is longer than records can be here; nothing has changed
 *   -EINVAL      there is no i'th; an argument that is no value
 *   -EOPNOTSUPP  a shared thing: those have owners, and a record has none
 *   -ETIMEDOUT   another one who sets it was stopped, or lost its CPU, in the
 *                middle of that
 *   -EUCLEAN     it was scribbled over; this handle is done with
 *   -ENOSPC, -EBADF  as kin_queue_put
 *   -ENOMEM
 */
KIN_API KIN_MUST int kin_table_set(kin_table *table, size_t i,
				   struct kin_args args, kin_time deadline);

/*
 * Take the i'th record's values.  A place that would borrow (const char *,
 * KIN_STR, KIN_BIN, a cursor) is -EINVAL, as there is nobody to borrow from:
 * take char *, or use kin_table_values().
 *
 *   -ENODATA     it is empty, and there are places
 *   -EINVAL      there is no i'th; other values than there are places for
 *   -ETIMEDOUT   it was set anew all the time, until the deadline
 *   -EUCLEAN, -ERANGE, -ENOMEM
 */
KIN_API KIN_MUST int kin_table_get(kin_table *table, size_t i,
				   struct kin_slots places, kin_time deadline);

/* The same as values of one's own, to be freed. */
KIN_API KIN_MUST int kin_table_values(kin_table *table, size_t i,
				      kin_values **ret_v, kin_time deadline);

/*
 * The first record from the i'th on that is the same: its number, or -ENOENT.
 * Numbers of one value are the same, whatever their C type; 1 and 1.0 are not.
 * Errors as set and get.
 */
KIN_API KIN_MUST ssize_t kin_table_find(kin_table *table, size_t i,
					struct kin_args args,
					kin_time deadline);

KIN_API size_t kin_table_count(const kin_table *table);
KIN_API size_t kin_table_record_bytes(const kin_table *table);

/* As of arrays. */
KIN_API uint64_t kin_table_offset(const kin_table *table);
KIN_API int kin_table_fd(const kin_table *table);
KIN_API const char *kin_table_label(const kin_table *table);

KIN_END

#endif
