/* SPDX-License-Identifier: MIT */
/*
 * kin/rwlock.h - many that read, or one that writes
 *
 *      read ──▶ ┌───┬───┬───┬───┐      a cell for each thread, written by
 *      read ──▶ │ 1 │ 0 │ 2 │ 0 │      it alone
 *               └───┴───┴───┴───┘
 *      write ─▶ the lock of writers; then until all cells are 0
 *
 * It stands alone or is placed, as a kin_lock is; its room depends on how many
 * threads take part.  Readers that no writer disturbs touch a line of memory
 * that is (nearly) theirs alone, so many of them are as fast as one.
 *
 *      r = kin_rwlock_read(rw, deadline);
 *      if (r == KIN_INHERITED) {
 *              kin_rwlock_release(rw);
 *              r = put_right(rw, deadline);     takes it to write, and says
 *      }                                        kin_rwlock_consistent
 *
 * Order    What a writer stored before its release is seen by all that come
 *          after it.  Who comes while a writer waits, waits behind it: writers
 *          do not starve, and readers get in between two of them, in the
 *          order of kin_lock.
 * Threads  Any call from any thread; close must be the handle's last.  None
 *          from a signal handler.
 * Fork     The child's copy of a handle is good.  It holds nothing: what the
 *          parent held at fork is -ESTALE to release.
 * Crash    A reader that dies is as one that has released.  After a writer that
 *          dies all are told, readers too: 1, until a writer calls it
 *          consistent; or as on_death says, see kin/lock.h.
 * Peers    As of a lock.
 */
#ifndef KIN_RWLOCK_H
#define KIN_RWLOCK_H

#include <kin/lock.h>

KIN_BEGIN

struct kin_rwlock_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint32_t on_death;		/* of a writer: KIN_DEATH_... */
	uint32_t members;		/* as of a lock */
	uint32_t threads;
	uint32_t reserved;		/* must be 0 */
	const char *label;
	kin_segment *segment;
	uint64_t offset;		/* a multiple of 128 */
};

/* Errors as kin_lock_create, kin_lock_attach and kin_lock_attach_at have. */
KIN_API KIN_MUST int kin_rwlock_create(kin_rwlock **ret_rw,
				       const struct kin_rwlock_opts *opts);
KIN_API KIN_MUST int kin_rwlock_attach(kin_rwlock **ret_rw, int fd);
KIN_API KIN_MUST int kin_rwlock_attach_at(kin_rwlock **ret_rw,
					  kin_segment *seg, uint64_t offset);
KIN_API void kin_rwlock_close(kin_rwlock *rw);	/* NULL is ignored */

/* The bytes that one takes of a segment with so many threads. */
KIN_API size_t kin_rwlock_room(const kin_segment *seg);

/* In this process, by this handle: whom to call of a KIN_DEATH_REPAIR one. */
KIN_API void kin_rwlock_repair_by(kin_rwlock *rw, kin_repair_fn *repair,
				  void *user);

/*
 * Take it to read; again, if this thread reads already, at once.  Or to write.
 * 0, or 1 (KIN_INHERITED): taken, but a dead writer left what it guards.
 *
 *   -ETIMEDOUT  it was not to be had until the deadline
 *   -EDEADLK    this thread has it already, to read and wants to write, or to
 *               write and wants it again: nobody can be waited for then; or it
 *               is in a ring, as of kin_lock_acquire
 *   -EUCLEAN, -ENOSPC, -EBADF as kin_lock_acquire; -ENOSPC, too: read 65535
 *               times by this thread
 *   what a repair function returned
 */
KIN_API KIN_MUST int kin_rwlock_read(kin_rwlock *rw, kin_time deadline);
KIN_API KIN_MUST int kin_rwlock_write(kin_rwlock *rw, kin_time deadline);

/* From writer to reader, with nobody in between.  For the writer: or a bug. */
KIN_API int kin_rwlock_downgrade(kin_rwlock *rw);

/*
 * Let go of what this thread holds, to read or to write.  -ESTALE, -EUCLEAN as
 * kin_lock_release.  -EPERM: it holds nothing, which is a bug, or else a peer
 * has scribbled over its cell.
 */
KIN_API int kin_rwlock_release(kin_rwlock *rw);

/* For the writer: what it guards is as it should be. */
KIN_API int kin_rwlock_consistent(kin_rwlock *rw);

struct kin_rwlock_stats {
	struct kin_lock_stats writer;	/* and all that wait, readers too */
	uint32_t readers;		/* threads that read */
	uint32_t reserved;
};
KIN_API void kin_rwlock_stat(kin_rwlock *rw, struct kin_rwlock_stats *ret);

/* The descriptor to attach by; of a placed one, the segment's.  Don't close. */
KIN_API int kin_rwlock_fd(const kin_rwlock *rw);
KIN_API const char *kin_rwlock_label(const kin_rwlock *rw);

KIN_END

#endif
