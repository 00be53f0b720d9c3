/* SPDX-License-Identifier: MIT */
/*
 * kin/once.h - run a function once, whichever process comes first
 *
 *      run ──▶ ┌────────────┐ ──▶ 0   the first runs the function;
 *      run ──▶ │ not yet    │ ──▶ 0   the others wait until it has
 *      run ──▶ └────────────┘ ──▶ 0   and so does who comes later: at once
 *
 * It guards what has to be made ready in common memory before use.  Done is
 * done for good.  If the function fails, or its process or thread ends in the
 * middle of it, the next one runs it.
 *
 * Order    What the function did is seen by whoever the call returns 0 to.
 * Threads  Any call from any thread; close must be the handle's last.  Not
 *          from a signal handler.
 * Fork     The child's copy of a handle is good; each side closes its own.  A
 *          child that was forked inside of the function does not run it: there
 *          the call is -ESTALE, and the parent's goes on.
 * Crash    Who finds the runner dead, within 50 ms, runs the function, which
 *          is told that a former one may have left things half made.
 * Peers    One that scribbles can have it taken for done, or for not done;
 *          what is nonsense is -EUCLEAN.
 */
#ifndef KIN_ONCE_H
#define KIN_ONCE_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/value.h>

KIN_BEGIN

struct kin_once_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
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
 * Create one that has not been run, and take hold of it; opts may be NULL.
 * Errors as kin_event_create, and
 *
 *   -EINVAL  over 1000 members; a segment that was made without .members
 */
KIN_API KIN_MUST int kin_once_create(kin_once **ret_o,
				     const struct kin_once_opts *opts);

/* The bytes that it takes of a segment. */
KIN_API size_t kin_once_room(void);

/* Join the one behind fd, which stays the caller's; errors as
 * kin_queue_attach. */
KIN_API KIN_MUST int kin_once_attach(kin_once **ret_o, int fd);

/* Join the one at that offset of seg; errors as kin_queue_attach_at. */
KIN_API KIN_MUST int kin_once_attach_at(kin_once **ret_o, kin_segment *seg,
					uint64_t offset);

/* Let go.  NULL is ignored. */
KIN_API void kin_once_close(kin_once *o);

/*
 * What is to be run.  former is 1 if one who ran it has died, or has failed
 * after such a one, and nobody has finished it since: what it makes may be
 * half made.  Negative is failure; anything else is success.
 */
typedef int kin_once_fn(int former, void *user);

/*
 * Run fn, if nobody has; or wait until somebody has.  Returns 0: it is done; 1:
 * done, by this call, after a former runner's death.
 *
 *   what fn returned, if it failed: then the next call runs it
 *   -ETIMEDOUT  another one was running it until the deadline, and lives
 *   -EDEADLK    called from inside of fn, by the thread that runs it
 *   -ESTALE     forked inside of fn: see above
 *   -EUCLEAN    a peer has spoilt it; this handle is done with
 *   -ENOSPC, -EBADF as kin_queue_put
 */
KIN_API KIN_MUST int kin_once_run(kin_once *o, kin_once_fn *fn, void *user,
				  kin_time deadline);

/* 1 if it is done, or 0. */
KIN_API int kin_once_done(const kin_once *o);

/* The descriptor to attach by; of a placed one, the segment's.  It is o's
 * own: pass it on, don't close it. */
KIN_API int kin_once_fd(const kin_once *o);

/* Its label, "" if it has none; good until close. */
KIN_API const char *kin_once_label(const kin_once *o);

KIN_END

#endif
