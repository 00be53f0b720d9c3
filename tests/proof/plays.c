/* SPDX-License-Identifier: MIT */
/*
 * plays.c - the list of plays, and those of the small kinds
 */
#include <err.h>
#include <errno.h>
#include <unistd.h>

#include "tests/proof/plays.h"

const struct play *const plays[] = {
	&play_segment, &play_queue, &play_lock, &play_heap, &play_array,
	&play_cell, &play_table, &play_rwlock, &play_cond, &play_sem,
	&play_event, &play_barrier, &play_once, NULL,
};

unsigned char play_buf[PLAY_BYTES];

int
play_dup(int fd)
{
	int mine = dup(fd);

	if (mine < 0)
		err(1, "dup");
	return mine;
}

void
play_must(int r)
{
	if (r < 0)
		errx(1, "a thing can't be made: %s", kin_errmsg());
}

/* ---- segments, with members ---- */

PLAYED(segment, .bytes = 8192, .members = 4, .label = "spoilt")

static long
one_segment(void *thing, uint32_t number, kin_time deadline)
{
	kin_segment *seg = thing;

	(void)deadline;
	switch (number % 4) {
	case 0:
		return kin_segment_reap(seg);
	case 1:
		return kin_segment_refresh(seg);
	case 2:
		return kin_segment_bytes(seg) <= 8192 ? 0 : -EBADMSG;
	default:
		return kin_segment_label(seg) != NULL ? 0 : -EBADMSG;
	}
}

static const int segment_says[] = { -EACCES, 0 };

const struct play play_segment = {
	"segment", make_segment, attach_segment, close_segment, one_segment,
	segment_says,
};

/* ---- queues ---- */

PLAYED(queue, .bytes = 2048, .members = 8)

static long
one_queue(void *thing, uint32_t number, kin_time deadline)
{
	kin_queue *q = thing;
	ssize_t r;

	switch (number % 16) {
	case 0:
		return kin_queue_len(q);
	case 1:
		/* Or it would be shut for ever. */
		return number % 1024 == 1 ? kin_queue_shutdown(q, deadline) : 0;
	case 2: case 3: case 4: case 5: case 6: case 7: case 8:
		return kin_queue_put(q, play_buf, number >> 8 & 0x3ff,
				     deadline);
	default:
		r = kin_queue_get(q, play_buf, number >> 8 & 0x7ff, deadline);
		return r > 0x7ff ? -EBADMSG : r;
	}
}

static const int queue_says[] = { -EPIPE, -EMSGSIZE, 0 };

const struct play play_queue = {
	"queue", make_queue, attach_queue, close_queue, one_queue, queue_says,
};

/* ---- locks ---- */

PLAYED(lock, .members = 8)

/* Never held from one play to the next: what is not ours is not let go. */
long
play_one_lock(void *thing, uint32_t number, kin_time deadline)
{
	kin_lock *lock = thing;
	struct kin_lock_stats stat;
	int r;

	kin_lock_stat(lock, &stat);
	r = kin_lock_acquire(lock, deadline);
	if (r < 0)
		return r;
	if (r > 0 && number % 2 == 0)
		(void)kin_lock_consistent(lock);
	return kin_lock_release(lock);
}

static const int lock_says[] = { -EDEADLK, -ENOTRECOVERABLE, -EOWNERDEAD, 0 };

const struct play play_lock = {
	"lock", make_lock, attach_lock, close_lock, play_one_lock, lock_says,
};

/* ---- heaps ---- */

PLAYED(heap, .bytes = 32768, .members = 8)

/* Blocks that one play leaves are the next one's. */
static long
one_heap(void *thing, uint32_t number, kin_time deadline)
{
	static uint64_t blocks[8];
	uint64_t *at = &blocks[number >> 4 & 7];
	struct kin_heap_usage usage;
	kin_heap *heap = thing;
	size_t bytes = number >> 8 & 0xfff;

	switch (number % 8) {
	case 0:
		kin_heap_stats(heap, &usage);
		return kin_heap_sweep(heap, deadline);
	case 1:
		return kin_heap_check(heap, deadline);
	case 2:
		return kin_heap_bytes_at(heap, *at, deadline);
	case 3:
		return kin_heap_resize(heap, at, bytes, deadline);
	case 4: case 5:
		return kin_heap_free(heap, *at, deadline);
	default:
		return kin_heap_alloc(heap, at, bytes, deadline);
	}
}

static const int heap_says[] = { -ENOSPC, -EINVAL, -ESTALE, -ENOENT, 0 };

const struct play play_heap = {
	"heap", make_heap, attach_heap, close_heap, one_heap, heap_says,
};

/* ---- arrays, cells, tables, each with a lock where it can have one ---- */

PLAYED(array, .count = 100, .type = KIN_ARRAY_INT32,
       .flags = KIN_ARRAY_LOCKED, .members = 8)

static long
one_array(void *thing, uint32_t number, kin_time deadline)
{
	size_t first = number >> 8 & 0x7f, n = number >> 16 & 0x1f;
	kin_array *a = thing;

	/* It may be one of other elements by now. */
	if (n * kin_array_element_bytes(a) > PLAY_BYTES)
		n = PLAY_BYTES / kin_array_element_bytes(a);
	if (number % 4 == 0)
		return play_one_lock(kin_array_lock(a), number >> 2, deadline);
	if (number % 4 == 1)
		return kin_array_write(a, first, n, play_buf, deadline);
	return kin_array_read(a, first, n, play_buf, deadline);
}

static const int array_says[] = { -EINVAL, -ERANGE, -EDEADLK,
				  -ENOTRECOVERABLE, -EOWNERDEAD, 0 };

const struct play play_array = {
	"array", make_array, attach_array, close_array, one_array, array_says,
};

PLAYED(cell, .type = KIN_CELL_INT, .flags = KIN_CELL_LOCKED, .members = 8)

static long
one_cell(void *thing, uint32_t number, kin_time deadline)
{
	kin_cell *cell = thing;
	int64_t value;

	switch (number % 5) {
	case 0:
		return play_one_lock(kin_cell_lock(cell), number >> 3, deadline);
	case 1:
		return kin_cell_get(cell, &value);
	case 2:
		return kin_cell_add(cell, (int32_t)number, &value);
	case 3:
		return kin_cell_swap(cell, (int32_t)number, &value);
	default:
		value = 0;
		return kin_cell_cas(cell, &value, (int32_t)number);
	}
}

const struct play play_cell = {
	"cell", make_cell, attach_cell, close_cell, one_cell, array_says,
};

PLAYED(table, .count = 16, .record_bytes = 200, .members = 8)

static long
one_table(void *thing, uint32_t number, kin_time deadline)
{
	size_t i = number >> 8 & 0x1f, n = number >> 16 & 0xff;
	kin_table *table = thing;
	int64_t value;
	kin_values *v;
	int r;

	switch (number % 4) {
	case 0:
		return kin_table_set(table, i,
				     KIN_ARGS(number, KIN_BIN(play_buf, n)),
				     deadline);
	case 1:
		return kin_table_get(table, i, KIN_TAKE(&value), deadline);
	case 2:
		r = kin_table_values(table, i, &v, deadline);
		if (r >= 0)
			kin_values_free(v);
		return r;
	default:
		return kin_table_find(table, i, KIN_ARGS(number), deadline);
	}
}

static const int table_says[] = { -EMSGSIZE, -EINVAL, -ENODATA, -ERANGE,
				  -ENOENT, 0 };

const struct play play_table = {
	"table", make_table, attach_table, close_table, one_table, table_says,
};
