/* SPDX-License-Identifier: MIT */
/*
 * kin/lock.h - one thread at a time, of all processes; it survives its holder
 *
 *      acquire ──▶ 0                     release ──▶ the longest waiter
 *      acquire ──▶ 1: its holder died    put it right, then consistent
 *
 *      r = kin_lock_acquire(lock, deadline);
 *      if (r == KIN_INHERITED) {
 *              put_right(what_it_guards);
 *              r = kin_lock_consistent(lock);
 *      }
 *      if (r < 0)
 *              return r;
 *      ...
 *      kin_lock_release(lock);
 *
 * A lock stands alone in an anonymous segment, or is placed in a segment of
 * the user's own (kin_segment_opts.members must allow for it), at 128 bytes
 * each.  Its owner is a thread.  Where the owner dies, by its process's end or
 * by its own, the lock goes to the next one, who is told: 1, KIN_INHERITED,
 * and so is every one after it until somebody says that what the lock guards
 * is consistent.
 *
 * Order    What was stored before a release is seen after the next acquire.
 *          Waiters get it in the order in which they came, but up to three
 *          others may be faster each time: who waits is passed over by at most
 *          4 times the number of waiters.  Who is stopped (SIGSTOP) loses its
 *          turn, not its place.
 * Threads  Any call from any thread; close must be the handle's last.  None
 *          from a signal handler.
 *          Who a thread is, is known by segment handle: two handles that were
 *          attached apart are two owners to the lock, even in one thread, so
 *          attach once and share the handle.
 * Fork     The child's copy of a handle is good.  It holds nothing: a lock that
 *          the parent held at fork is the parent's, and -ESTALE to release.
 * Crash    A holder that dies at any instruction leaves a lock that the next
 *          one gets, within a slice (2 to 50 ms) of the kernel's knowing.  One
 *          that dies while it waits is forgotten.
 * Peers    One that scribbles over a lock can let two in, or nobody; calls
 *          still return by their deadline, and say -EUCLEAN once they have
 *          seen nonsense.
 */
#ifndef KIN_LOCK_H
#define KIN_LOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/value.h>

KIN_BEGIN

#define KIN_INHERITED	1

/* What becomes of it when its holder dies; of all locks, of rwlocks too. */
#define KIN_DEATH_TELL		0u	/* 1, until it is called consistent */
#define KIN_DEATH_REPAIR	1u	/* the repair function is called; who has
					   none is told */
#define KIN_DEATH_IGNORE	2u	/* nobody is told */

/* Its thread may take it again, and releases it as many times. */
#define KIN_LOCK_RECURSIVE	0x01u

/*
 * Called by the one who takes a lock over from the dead, while it has it: 0,
 * and it is consistent; or a negative errno, which acquire returns after it
 * has let go.  If it takes the lock again, a recursive one, it gets 1.
 */
typedef int kin_repair_fn(void *user);

struct kin_lock_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_LOCK_RECURSIVE */
	uint32_t on_death;		/* KIN_DEATH_... */
	uint32_t members;		/* processes at once, if it stands alone;
					   0 = 64, 1000 at most */
	uint32_t threads;		/* of them all; 0 = 4 for each member */
	uint32_t reserved;		/* must be 0 */
	const char *label;		/* if it stands alone */
	kin_segment *segment;		/* to place it in; NULL = alone */
	uint64_t offset;		/* there, a multiple of 64 */
};

/*
 * Create a lock, which is free; opts may be NULL.
 *
 *   -EINVAL  unknown options; over 1000 members; a segment without members; an
 *            offset that is not in it, or no multiple of 64
 *   -ENOSPC  no memory for it; or the segment has no such room at offset
 *   -EEXIST  something is at that offset
 *   -EACCES  the segment is read-only
 *   -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_lock_create(kin_lock **ret_lock,
				     const struct kin_lock_opts *opts);

/*
 * The bytes that one takes of a segment.  Whoever places things sees to it that
 * they do not overlap: of what lies at an offset, only the first 64 bytes are
 * looked at, and zeros there are room.  A segment with things in it must not be
 * sealed.
 */
#define KIN_LOCK_ROOM	128u

/*
 * Join the lock behind fd, which stays the caller's; or the one in seg, at
 * that offset, which holds seg.
 *
 *   -EPROTO           there is no lock
 *   -EPROTONOSUPPORT  it was made by a library with another layout
 *   -EUCLEAN          it contradicts itself
 *   -EINVAL           no such offset; the segment has no members
 *   -EACCES, -EBADF, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_lock_attach(kin_lock **ret_lock, int fd);
KIN_API KIN_MUST int kin_lock_attach_at(kin_lock **ret_lock, kin_segment *seg,
					uint64_t offset);

/*
 * Let go of the handle.  What a thread of this process still holds is then a
 * dead one's, if this was the last handle of the segment.  NULL is ignored.
 */
KIN_API void kin_lock_close(kin_lock *lock);

/* In this process, by this handle: whom to call of a KIN_DEATH_REPAIR lock. */
KIN_API void kin_lock_repair_by(kin_lock *lock, kin_repair_fn *repair,
				void *user);

/*
 * Take it, waiting for it: 0, or 1 (KIN_INHERITED): it is taken, but what it
 * guards was left by a dead one and has not been called consistent since.
 *
 *   -ETIMEDOUT  it was not to be had until the deadline
 *   -EDEADLK    this thread has it already, and it is not recursive; or this
 *               thread, this wait included, is one of a ring of threads that
 *               wait for each other: one of them gets this, and has to give way
 *               for the others
 *   -EUCLEAN    a peer has spoilt it; this handle is done with
 *   -ENOSPC     a first use in this process or thread, and no place left for
 *               one more
 *   -EBADF      the descriptor is gone by which the kernel could be asked
 *   -EMFILE     a first use in this process, for which it is opened anew
 *   what a repair function returned
 */
KIN_API KIN_MUST int kin_lock_acquire(kin_lock *lock, kin_time deadline);

/* For the holder: what it guards is as it should be.  -ESTALE as release. */
KIN_API int kin_lock_consistent(kin_lock *lock);

/*
 * Let go.  From a thread that does not hold it, it is a bug, and ends the
 * program.
 *
 *   -ESTALE   the parent held it when this process was forked
 *   -EUCLEAN  somebody has scribbled over it while it was held
 */
KIN_API int kin_lock_release(kin_lock *lock);

/* What there is to know; for people and tools, of one moment or another. */
struct kin_lock_stats {
	pid_t pid;			/* of the holder, in its pid namespace */
	pid_t thread;			/* 0 = it is free */
	uint32_t waiters;		/* threads */
	uint32_t inherited;		/* 1: and not called consistent since */
	uint64_t waits;			/* how often one had to wait for it */
	int64_t longest_ns;		/* the longest of those waits */
	uint64_t deaths;		/* how often it was taken from the dead */
};
KIN_API void kin_lock_stat(kin_lock *lock, struct kin_lock_stats *ret);

/* The descriptor to attach by; of a placed one, the segment's.  Don't close. */
KIN_API int kin_lock_fd(const kin_lock *lock);

/* Its label, or that of its segment; good until close. */
KIN_API const char *kin_lock_label(const kin_lock *lock);

KIN_END

#endif
