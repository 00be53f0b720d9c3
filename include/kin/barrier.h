/* SPDX-License-Identifier: MIT */
/*
 * kin/barrier.h - parties that wait for each other
 *
 *      wait 0 ──▶ │        │ ──▶ 0
 *      wait 1 ──▶ │   n    │ ──▶ 1      the last to come runs the action,
 *        ...      │        │            then all go on, and it begins anew
 *      wait n-1 ▶ │ action │ ──▶ n-1
 *
 *      open ──all are there, action done──▶ open, the next generation
 *        └──a party dies, or gives up; abort──▶ broken ──reset──▶ open
 *
 * A barrier is for n parties; a party is a call of kin_barrier_wait, in any
 * process and any thread.
 *
 * Order    What the parties did before the wait is seen by the action, and by
 *          all after it.
 * Threads  Any call from any thread; close must be the handle's last.  None
 *          may be made from a signal handler (-EDEADLK where that is seen).
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A party that dies while it waits, or in the action, breaks the
 *          barrier: the others get -EOWNERDEAD within 50 ms or so, whatever
 *          their deadlines.  One that dies when all have been let go breaks
 *          nothing.
 * Peers    One that scribbles can break the barrier, hold it up to the
 *          deadlines or let it go early; nonsense is -EUCLEAN.
 */
#ifndef KIN_BARRIER_H
#define KIN_BARRIER_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/value.h>

KIN_BEGIN

struct kin_barrier_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint32_t parties;		/* 1 to 1000; there is no default */
	uint32_t members;		/* processes at once, at most; 0 = 64.
					   Placed, 0: the segment's count */
	const char *label;		/* for people and tools */
	kin_segment *segment;		/* to place it in; NULL = one of its
					   own.  Then it has no label */
	uint64_t offset;		/* in kin_segment_data(), a multiple of
					   64 */
};

/*
 * Create a barrier and take hold of it.  Errors as kin_once_create, and
 *
 *   -EINVAL  no parties, or over 1000
 */
KIN_API KIN_MUST int kin_barrier_create(kin_barrier **ret_b,
					const struct kin_barrier_opts *opts);

/* The bytes that such a barrier takes of a segment; 0: there can be none. */
KIN_API size_t kin_barrier_room(const struct kin_barrier_opts *opts);

/* Join the barrier behind fd, which stays the caller's; errors as
 * kin_queue_attach. */
KIN_API KIN_MUST int kin_barrier_attach(kin_barrier **ret_b, int fd);

/* Join the one at that offset of seg; errors as kin_queue_attach_at. */
KIN_API KIN_MUST int kin_barrier_attach_at(kin_barrier **ret_b,
					   kin_segment *seg, uint64_t offset);

/* Let go.  NULL is ignored. */
KIN_API void kin_barrier_close(kin_barrier *b);

/*
 * Wait for the other parties.  Returns this one's index, 0 to parties - 1, in
 * the order in which they came: each index once.
 *
 *   -ETIMEDOUT   not all were there at the deadline.  That breaks the barrier,
 *                since the others cannot count on this party any more; but
 *                with KIN_NOWAIT, which goes through if it is the last to
 *                come, nothing has happened
 *   -EOWNERDEAD  a party died while it waited, or in the action
 *   -ECANCELED   it was broken otherwise, or reset while this one waited;
 *                kin_errmsg() says which
 *   -EDEADLK     from a signal handler that interrupted a call
 *   -EUCLEAN     a peer has spoilt it; this handle is done with
 *   -ENOSPC, -EBADF as kin_queue_put
 *
 * A broken barrier stays broken, and all who come get the last two, until it
 * is reset.
 */
KIN_API KIN_MUST int kin_barrier_wait(kin_barrier *b, kin_time deadline);

/* Run by the last party to come.  Negative breaks the barrier. */
typedef int kin_barrier_fn(void *user);

/*
 * The same; and if this party is the last to come, it runs action before
 * anybody is let go.  An action that fails is what the call returns, and the
 * others get -ECANCELED.
 *
 *   -ESTALE  action has forked, and this is the child
 */
KIN_API KIN_MUST int kin_barrier_wait_with(kin_barrier *b,
					   kin_barrier_fn *action, void *user,
					   kin_time deadline);

/*
 * Break it: whoever waits, and whoever comes, gets -ECANCELED.
 *
 *   -ETIMEDOUT  a live party was in the way until the deadline
 *   -EDEADLK, -EUCLEAN, -ENOSPC, -EBADF as for wait
 */
KIN_API KIN_MUST int kin_barrier_abort(kin_barrier *b, kin_time deadline);

/*
 * Begin anew, broken or not: whoever waits gets what it was broken by, or
 * -ECANCELED.  Errors as abort.
 */
KIN_API KIN_MUST int kin_barrier_reset(kin_barrier *b, kin_time deadline);

/* How many it takes; how many wait now; 1 if it is broken, or 0. */
KIN_API uint32_t kin_barrier_parties(const kin_barrier *b);
KIN_API uint32_t kin_barrier_waiting(const kin_barrier *b);
KIN_API int kin_barrier_broken(const kin_barrier *b);

/* The descriptor to attach by; of a placed barrier, the segment's.  It is b's
 * own: pass it on, don't close it. */
KIN_API int kin_barrier_fd(const kin_barrier *b);

/* Its label, "" if it has none; good until close. */
KIN_API const char *kin_barrier_label(const kin_barrier *b);

KIN_END

#endif
