/* SPDX-License-Identifier: MIT */
/*
 * rwlock_readers.c - who reads: a cell for each thread
 */
#include <errno.h>

#include "lib/rwlock.h"
#include "shm/deadlock.h"
#include "shm/os.h"

static uint32_t
record_of(const kin_rwlock *rw, uint32_t stamp)
{
	return kn_stamp_record(stamp, rw->object.control->bits);
}

static uint32_t
generation_of(const kin_rwlock *rw, uint32_t stamp)
{
	return stamp >> rw->object.control->bits & KN_READ_COUNT;
}

uint32_t
kn_reader_cell(const kin_rwlock *rw, uint32_t stamp, uint32_t count)
{
	return count == 0 ? 0 : generation_of(rw, stamp) << KN_READ_SHIFT |
				count;
}

uint32_t
kn_reader_count(const kin_rwlock *rw, uint32_t stamp)
{
	uint32_t v = kn_load_relaxed(kn_rwlock_cell(rw, record_of(rw, stamp)));

	return v >> KN_READ_SHIFT == generation_of(rw, stamp)
	       ? v & KN_READ_COUNT : 0;
}

/* A writer may sleep on it only while it has the mutex. */
void
kn_reader_leave(kin_rwlock *rw, uint32_t stamp)
{
	kn_word *cell = kn_rwlock_cell(rw, record_of(rw, stamp));
	const kn_word *writer = &rw->shared->writers.word;

	if (kn_load(writer) != 0 && kn_os_futex_set_wake(cell, 0, 1) >= 0)
		return;
	__atomic_store_n(&cell->v, 0, __ATOMIC_SEQ_CST);
	if (kn_load_ordered(writer) != 0)
		(void)kn_os_futex_wake(cell, 1);
}

/*
 * Cells from here on were never used.  A thread counts its record before it
 * stores there, and looks at the writers' word after that.
 */
static uint32_t
used(const kin_rwlock *rw)
{
	uint32_t n = kn_load_ordered(&rw->object.control->threads->used);

	return n < rw->threads ? n : rw->threads;
}

/* ---- draining ---- */

/* The stamp of who reads in cell i; 0: its record has moved on. */
static uint32_t
reader_of(const kin_rwlock *rw, uint32_t i, uint32_t v)
{
	const struct kn_control *control = rw->object.control;
	uint64_t owner = kn_wide_load(&control->threads->of[i].owner);
	uint32_t stamp = kn_thread_stamp((uint32_t)owner, i, control->bits);

	return (owner & KN_SLOT_ACTIVE) &&
	       generation_of(rw, stamp) == v >> KN_READ_SHIFT ? stamp : 0;
}

/*
 * Each cell that is not 0: freed, if its reader is dead.  The last one that is
 * left in *ret_busy, NULL = none; of all, the largest label.
 */
static int
look(kin_rwlock *rw, kn_word **ret_busy, uint32_t *ret_v, uint64_t *ret_label)
{
	uint32_t i, n = used(rw);

	*ret_busy = NULL;
	*ret_label = 0;
	for (i = 0; i < n; i++) {
		kn_word *cell = kn_rwlock_cell(rw, i);
		uint32_t v = kn_load(cell), was = v, stamp;
		uint64_t label;
		int r;

		if (v == 0)
			continue;
		stamp = reader_of(rw, i, v);
		r = stamp == 0 ? 1 : kn_control_dead(rw->object.control, stamp);
		if (r < 0)
			return r;
		if (r > 0 && kn_cas(cell, &was, 0))
			continue;
		*ret_busy = cell;
		*ret_v = was;
		label = stamp != 0 ? kn_deadlock_shown(rw->object.control,
						       stamp) : 0;
		if (label > *ret_label)
			*ret_label = label;
	}
	return 0;
}

/* A cell that is not 0, without asking whose it is. */
static kn_word *
glance(const kin_rwlock *rw, uint32_t *ret_v)
{
	uint32_t i, n = used(rw);

	for (i = 0; i < n; i++) {
		kn_word *cell = kn_rwlock_cell(rw, i);

		*ret_v = kn_load_ordered(cell);
		if (*ret_v != 0)
			return cell;
	}
	return NULL;
}

static bool
spin(const kin_rwlock *rw)
{
	uint32_t v;
	int i;

	if (rw->mutex.spin.most_ns == 0)
		return false;
	for (i = 0; i < 100; i++) {
		if (glance(rw, &v) == NULL)
			return true;
		kn_pause();
	}
	return false;
}

static int
drain(kin_rwlock *rw, kin_time deadline, struct kn_deadlock *deadlock)
{
	struct kn_slice slice = kn_slice_first();
	bool over = false, last;
	uint64_t label;
	kn_word *cell;
	uint32_t v;
	int r;

	for (;;) {
		cell = glance(rw, &v);
		if (cell == NULL)
			return 0;
		last = kin_now().ns >= deadline.ns;
		if (over || last) {
			r = look(rw, &cell, &v, &label);
			if (r < 0 || cell == NULL)
				return r;
			if (!last && kn_deadlock_look(deadlock, label))
				return -EDEADLK;
		}
		if (last)
			return -ETIMEDOUT;
		r = kn_os_futex_wait(cell, v, kn_slice_until(&slice, deadline));
		if (r < 0 && r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();
		over = kn_slice_over(&slice);
	}
}

int
kn_readers_drain(kin_rwlock *rw, uint32_t me, kin_time deadline)
{
	struct kn_deadlock deadlock = { 0 };
	struct kn_control *control = rw->object.control;
	uint32_t v;
	int r;

	/* Our taking of the mutex, too, is in one order with looks at cells. */
	(void)__atomic_fetch_or(&rw->shared->writers.word.v, 0,
				__ATOMIC_SEQ_CST);
	if (glance(rw, &v) == NULL || spin(rw))
		return 0;
	kn_control_waits(control, me, rw->mutex.at);
	r = drain(rw, deadline, &deadlock);
	kn_deadlock_end(&deadlock);
	kn_control_waits(control, me, 0);
	return r;
}

/* ---- for others ---- */

bool
kn_readers_stale(const kin_rwlock *rw)
{
	uint32_t i;

	for (i = 0; i < rw->threads; i++) {
		uint32_t v = kn_load(kn_rwlock_cell(rw, i));
		uint32_t stamp = v != 0 ? reader_of(rw, i, v) : 0;

		if (stamp != 0 && kn_control_stale(rw->object.control, stamp))
			return true;
	}
	return false;
}

uint32_t
kn_readers_used(const kin_rwlock *rw)
{
	uint32_t i, n = 0;

	for (i = 0; i < rw->threads; i++) {
		uint32_t v = kn_load(kn_rwlock_cell(rw, i));

		n += v != 0 && reader_of(rw, i, v) != 0;
	}
	return n;
}
