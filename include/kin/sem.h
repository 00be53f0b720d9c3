/* SPDX-License-Identifier: MIT */
/*
 * kin/sem.h - permits, of which there are so many
 *
 *      acquire n ──▶ ┌──────────┐ ◀── release n
 *                    │ ● ● ● ● ○ │
 *                    └──────────┘
 *      owned         ▲    │ 3 with process A, 1 with process B: what a process
 *                    └────┘ holds comes back when it dies
 *      plain         nobody knows who has them: what the dead took is gone
 *
 * Two kinds.  Owned, the default, is for shares of something: connections,
 * licences, CPUs.  The holder is the process (but two handles that it attached
 * apart are two holders); any thread of it may release what another has
 * acquired, no other process may.  Plain (KIN_SEM_PLAIN) is for signals: anybody may release, whoever has acquired or nobody has; it may be
 * bounded (.most).
 *
 * Order    What was done before a release is seen by whoever acquires because
 *          of it.  Roughly first come, first served: who runs may be faster than
 *          who is being woken, but after four such times those who come later
 *          line up, so that who wants many permits is not kept from them by
 *          those who want few.
 * Threads  Any call from any thread; close must be the handle's last.  Release
 *          may be called from a signal handler, once the process has made
 *          another call with the handle.
 * Fork     The child's copy of a handle is good; each side closes its own.
 *          The child holds nothing: to release what its parent acquired is
 *          -ESTALE, if it is owned.
 * Crash    Owned: all that the dead process held comes back; who waits gets it
 *          within 50 ms, who asks for it, at once.  Plain: a process that dies
 *          has acquired or released, or has not.
 * Peers    One that scribbles can make permits or make them vanish; calls
 *          return by their deadlines, and nonsense is -EUCLEAN.
 */
#ifndef KIN_SEM_H
#define KIN_SEM_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/value.h>

KIN_BEGIN

#define KIN_SEM_PLAIN	0x1u		/* permits have no owners */

#define KIN_SEM_MOST	((1u << 29) - 1)	/* permits, plain */
#define KIN_SEM_OWNED_MOST ((1u << 22) - 1)	/* permits, owned */

struct kin_sem_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_SEM_... */
	uint32_t permits;		/* free at first.  Owned: all there are,
					   0 = 1 */
	uint32_t most;			/* plain: a release that would make more
					   than so many is refused; 0 = no such
					   bound.  Owned: must be 0 */
	uint32_t members;		/* processes at once, at most; 0 = 64.
					   Placed, 0: the segment's count */
	uint32_t reserved;		/* must be 0 */
	const char *label;		/* for people and tools */
	kin_segment *segment;		/* to place it in; NULL = one of its
					   own.  Then it has no label */
	uint64_t offset;		/* in kin_segment_data(), a multiple of
					   64 */
};

/*
 * Create a semaphore and take hold of it; opts may be NULL.  Errors as
 * kin_once_create, and
 *
 *   -EINVAL  more permits than .most or than the kind can have; a .most for
 *            owned permits
 */
KIN_API KIN_MUST int kin_sem_create(kin_sem **ret_s,
				    const struct kin_sem_opts *opts);

/*
 * The bytes that such a semaphore takes of a segment, which opts names, or whose
 * .members; 0: there can be none.
 */
KIN_API size_t kin_sem_room(const struct kin_sem_opts *opts);

/* Join the semaphore behind fd, which stays the caller's; errors as
 * kin_queue_attach. */
KIN_API KIN_MUST int kin_sem_attach(kin_sem **ret_s, int fd);

/* Join the one at that offset of seg; errors as kin_queue_attach_at. */
KIN_API KIN_MUST int kin_sem_attach_at(kin_sem **ret_s, kin_segment *seg,
				       uint64_t offset);

/*
 * Let go.  What this process holds of owned permits goes back when it lets go
 * of the segment: of a semaphore that is alone, now.  NULL is ignored.
 */
KIN_API void kin_sem_close(kin_sem *s);

/*
 * Acquire n permits, all of them or none.
 *
 *   -ETIMEDOUT  there were not so many until the deadline
 *   -EINVAL     n is 0, or more than there can ever be
 *   -EDEADLK    from a signal handler that interrupted a call
 *   -EUCLEAN    a peer has spoilt it; this handle is done with
 *   -ENOSPC, -EBADF as kin_queue_put
 */
KIN_API KIN_MUST int kin_sem_acquire(kin_sem *s, uint32_t n,
				     kin_time deadline);

/*
 * Release n permits, all of them or none; it never waits.  Who dies in it has
 * released all or none; the one who sleeps for them is woken in the same step,
 * but of more than 511 at once may sleep on for 50 ms if the releaser dies.
 *
 *   -ERANGE  it is more than this process holds; plain: than .most allows
 *   -ESTALE  this process was forked, and holds less: its parent's permits are
 *            its parent's
 *   -EINVAL  n is 0
 *   -EUCLEAN, -ENOSPC, -EBADF as for acquire
 */
KIN_API int kin_sem_release(kin_sem *s, uint32_t n);

/*
 * Permits that are free at this moment, those of dead holders among them.
 * -EUCLEAN, -ENOSPC, -EBADF as for acquire.
 */
KIN_API KIN_MUST int64_t kin_sem_count(kin_sem *s);

/* The descriptor to attach by; of a placed semaphore, the segment's.  It is
 * s's own: pass it on, don't close it. */
KIN_API int kin_sem_fd(const kin_sem *s);

/* Its label, "" if it has none; good until close. */
KIN_API const char *kin_sem_label(const kin_sem *s);

KIN_END

#endif
