/* SPDX-License-Identifier: MIT */
/*
 * kin/event.h - a flag that processes wait for
 *
 *      wait ──▶ ┌─────────┐ ◀── set      everybody goes on, and who comes
 *      wait ──▶ │  clear  │              later does not wait
 *      wait ──▶ └─────────┘ ──▶ clear    who comes from now on waits
 *
 * One process creates the event; others inherit the handle by fork, attach to
 * its descriptor, or get it as a value.
 *
 * Order    What was done before a set is seen by whoever then finds the event
 *          set.  A set lets go everybody who waits at that moment, even if the
 *          event is cleared before they run.
 * Threads  Any call from any thread; close must be the handle's last.  Set,
 *          clear and is_set may be called from signal handlers, also while
 *          the same thread waits for the same event: it then goes on.
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A set is one step: killed before it, nobody knows; after it,
 *          everybody is awake.  The dead own nothing here.
 * Peers    One that scribbles can set and clear the event, which it may
 *          anyway, or let waiters sleep until their deadlines.
 */
#ifndef KIN_EVENT_H
#define KIN_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/value.h>

KIN_BEGIN

struct kin_event_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	const char *label;		/* for people and tools */
	kin_segment *segment;		/* to place it in; NULL = one of its
					   own.  Then it has no label */
	uint64_t offset;		/* in kin_segment_data(), a multiple of
					   64 */
};

/*
 * Create an event, which is clear, and take hold of it; opts may be NULL.
 * Many may be placed in one segment: see kin_queue_create.
 *
 *   -EINVAL  a label that is too long or has control characters; an offset
 *            that is not in the segment, or no multiple of 64
 *   -ENOSPC  no memory for it; or the segment has no such room at offset
 *   -EEXIST  there is something at that offset
 *   -EACCES  the segment is read-only
 *   -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_event_create(kin_event **ret_e,
				      const struct kin_event_opts *opts);

/* The bytes that an event takes of a segment. */
KIN_API size_t kin_event_room(void);

/* Join the event behind fd, which stays the caller's; errors as
 * kin_queue_attach, but for members: an event has none. */
KIN_API KIN_MUST int kin_event_attach(kin_event **ret_e, int fd);

/* Join the one at that offset of seg; errors as kin_queue_attach_at. */
KIN_API KIN_MUST int kin_event_attach_at(kin_event **ret_e, kin_segment *seg,
					 uint64_t offset);

/* Let go.  NULL is ignored. */
KIN_API void kin_event_close(kin_event *e);

/* It is set, and whoever waits goes on. */
KIN_API void kin_event_set(kin_event *e);

/* It is clear: whoever waits from now on does wait. */
KIN_API void kin_event_clear(kin_event *e);

/* 1 if it is set, or 0. */
KIN_API int kin_event_is_set(const kin_event *e);

/*
 * Wait until it is set, or has been since the call began.
 *
 *   -ETIMEDOUT  it was not, until the deadline
 */
KIN_API KIN_MUST int kin_event_wait(kin_event *e, kin_time deadline);

/* The descriptor to attach by; of a placed event, the segment's.  It is e's
 * own: pass it on, don't close it. */
KIN_API int kin_event_fd(const kin_event *e);

/* Its label, "" if it has none; good until close. */
KIN_API const char *kin_event_label(const kin_event *e);

KIN_END

#endif
