/* SPDX-License-Identifier: MIT */
/*
 * rwlock.h - kin_rwlock from inside: a mutex of writers, and a cell a reader
 *
 *      reader   cell := 1, then is there a writer?  ──no──▶ in
 *                                                   ──yes─▶ cell := 0; takes
 *               the writers' mutex, in its turn, and under it: cell := 1
 *      writer   takes the mutex; then waits until each cell is 0
 *
 * Each looks at the other's word after it has written its own, so one of them
 * sees the other (Dekker's way).  A cell says its thread's generation, too: so
 * what a dead one has left there is told from what another stored since.
 */
#ifndef KN_RWLOCK_H
#define KN_RWLOCK_H

#include <kin/rwlock.h>

#include "lib/mutex.h"
#include "lib/object.h"

#define KN_READERS_A_LINE	8u		/* of 128 bytes: so that the first
					   threads have lines of their own */
#define KN_READ_COUNT	0xffffu
#define KN_READ_SHIFT	16		/* of the generation */

struct kn_rwlock_shared {
	struct kn_mutex_shared writers;
	kn_word writing;		/* the mutex's holder is one that writes */
	kn_word dirty;			/* left by a dead writer */
	uint32_t zero[30];
	kn_word cells[];		/* at 192 of 128-byte lines: see below */
};

/* mark 64, mutex 64, words 128: the cells begin with a line. */
_Static_assert(sizeof(struct kn_rwlock_shared) == 192, "layout");

struct kin_rwlock {
	struct kn_object object;
	struct kn_mutex mutex;
	struct kn_rwlock_shared *shared;
	uint32_t threads;		/* cells */
	uint32_t lines;
	kin_repair_fn *repair;
	void *user;
};

extern const struct kn_object_kind kn_rwlock_kind;

/* Cells of neighbours are in different lines, as long as there are some. */
static inline uint32_t
kn_rwlock_lines(uint32_t threads)
{
	return (threads + KN_READERS_A_LINE - 1) / KN_READERS_A_LINE;
}

static inline kn_word *
kn_rwlock_cell(const kin_rwlock *rw, uint32_t i)
{
	return &rw->shared->cells[i % rw->lines * (KN_LINE / 4) +
				  i / rw->lines * (KN_LINE / 4 /
						   KN_READERS_A_LINE)];
}

/* lib/rwlock_readers.c */

/* How often it is read by the thread of that stamp. */
uint32_t kn_reader_count(const kin_rwlock *rw, uint32_t stamp);

/* The value that says: read so often by the thread of that stamp. */
uint32_t kn_reader_cell(const kin_rwlock *rw, uint32_t stamp, uint32_t count);

/* Our cell becomes 0; a writer that sleeps on it wakes. */
void kn_reader_leave(kin_rwlock *rw, uint32_t stamp);

/*
 * The writer's: until all cells are 0.  0; -ETIMEDOUT, -EDEADLK: no sentence;
 * -EUCLEAN, -EBADF.
 */
int kn_readers_drain(kin_rwlock *rw, uint32_t me, kin_time deadline);

/* Is one of them read by the process that this one was forked from? */
bool kn_readers_stale(const kin_rwlock *rw);

uint32_t kn_readers_used(const kin_rwlock *rw);

#endif
