/* SPDX-License-Identifier: MIT */
/*
 * kin/cond.h - wait, with a lock held, for what others change under it
 *
 *      r = kin_lock_acquire(lock, deadline);
 *      while (r == KIN_INHERITED || (r == 0 && !there_is_work())) {
 *              if (r == KIN_INHERITED)
 *                      r = put_right_and_say_so(lock);
 *              else
 *                      r = kin_cond_wait(cond, lock, deadline);
 *      }
 *
 *      waiter    holds the lock ──wait──▶ let go, asleep ──notified──▶ holds it
 *      notifier  holds the lock ──notify──▶ the longest waiters are marked
 *
 * A condition stands alone or is placed, as a lock does; it and the lock may
 * lie in different segments.  All who wait at one do so with the same lock, and
 * who notifies holds that.
 *
 * Order    The longest waiters are notified first.
 * Threads  Any call from any thread; close must be the handle's last.  None
 *          from a signal handler.
 * Fork     The child's copy of a handle is good; the child waits for nothing.
 * Crash    A waiter killed before it was notified is forgotten; one that is
 *          killed after that, and before it has the lock, leaves its notice to
 *          another that waits then, within a slice (50 ms).  A notifier that is
 *          killed dies with the lock: who gets it is told (1).
 * Peers    One that scribbles can notify whom it likes.
 *
 * There may be wake-ups for nothing: look again at what was waited for.
 */
#ifndef KIN_COND_H
#define KIN_COND_H

#include <kin/lock.h>

KIN_BEGIN

struct kin_cond_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint32_t members;		/* as of a lock */
	uint32_t threads;
	const char *label;
	kin_segment *segment;
	uint64_t offset;		/* a multiple of 64 */
};

/* The bytes that one takes of a segment. */
#define KIN_COND_ROOM	128u

/* Errors as kin_lock_create, kin_lock_attach and kin_lock_attach_at have. */
KIN_API KIN_MUST int kin_cond_create(kin_cond **ret_cond,
				     const struct kin_cond_opts *opts);
KIN_API KIN_MUST int kin_cond_attach(kin_cond **ret_cond, int fd);
KIN_API KIN_MUST int kin_cond_attach_at(kin_cond **ret_cond, kin_segment *seg,
					uint64_t offset);
KIN_API void kin_cond_close(kin_cond *cond);	/* NULL is ignored */

/*
 * Let go of lock, which this thread holds, however often it has taken it; sleep
 * until notified; and take it again as often: 0, or 1 (KIN_INHERITED): it is
 * held again, but left by a dead one, as of kin_lock_acquire, whether or not
 * this thread was notified.
 *
 *   -ETIMEDOUT  nobody notified it until the deadline; the lock is held
 *               again, for which it may have waited longer
 *   -EDEADLK, -EUCLEAN, -EBADF, what a repair function returned: of taking the
 *               lock again; it is not held
 *   -ENOSPC     as kin_lock_acquire; nothing was done, the lock is held
 *
 * From a thread that does not hold the lock, it is a bug, and ends the program.
 */
KIN_API KIN_MUST int kin_cond_wait(kin_cond *cond, kin_lock *lock,
				   kin_time deadline);

#define KIN_ALL	UINT32_MAX

/*
 * Notify n of those that wait, or KIN_ALL; how many they were.  They go on when
 * the lock is released, which this thread holds: or it is a bug, that ends the
 * program.  -ESTALE: the parent held it, before the fork.
 */
KIN_API int kin_cond_notify(kin_cond *cond, kin_lock *lock, uint32_t n);

/* How many wait at it. */
KIN_API uint32_t kin_cond_waiters(kin_cond *cond);

/* The descriptor to attach by; of a placed one, the segment's.  Don't close. */
KIN_API int kin_cond_fd(const kin_cond *cond);
KIN_API const char *kin_cond_label(const kin_cond *cond);

KIN_END

#endif
