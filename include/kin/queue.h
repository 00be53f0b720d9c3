/* SPDX-License-Identifier: MIT */
/*
 * kin/queue.h - a bounded queue of messages, shared by processes
 *
 *      put ──▶ ┌────────┬───┬──────────────┬─────┐ ──▶ get
 *      put ──▶ │ record │ r │ record       │ ... │ ──▶ get
 *              └────────┴───┴──────────────┴─────┘
 *              a ring of bytes, in one anonymous segment
 *
 * One process creates the queue; others inherit the handle by fork, or attach
 * to its descriptor.  Anyone may put and anyone may get.  Messages have any
 * length from 0 bytes to kin_queue_limit().
 *
 * Order    Strict first in, first out: one order of puts, seen by all.
 * Threads  Any call from any thread; close must be the handle's last.  None
 *          may be made from a signal handler (-EDEADLK where that is seen).
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A putter that dies has put its message whole or not at all.  A
 *          getter that dies leaves the message, or takes it along: a message
 *          whose put returned is lost only in the hands of a dead getter.
 *          Whoever waits for the dead goes on within a slice (2 ms to 1 s)
 *          and never past its deadline.  Dead is who was killed, has ended,
 *          or is another program now (exec); nobody who is stopped, slow,
 *          without descriptors or in another pid namespace is taken for it.
 * Peers    One that scribbles over the ring spoils what is in it; every call
 *          still stays within its own memory and its deadline, and says
 *          -EUCLEAN once it has seen nonsense.
 */
#ifndef KIN_QUEUE_H
#define KIN_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/values.h>

KIN_BEGIN

#define KIN_SPIN_NEVER	(-1)

struct kin_queue_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint64_t bytes;			/* of the ring; 0 = 64 KiB; rounded up
					   to a power of two */
	uint32_t members;		/* processes at once, at most; 0 = 128;
					   1000 is the most */
	uint32_t reserved;		/* must be 0 */
	int64_t spin_ns;		/* how long to spin before sleeping;
					   0 = as long as a wake-up costs here,
					   less where that does not pay off;
					   a second at most, if you ask for
					   more; KIN_SPIN_NEVER */
	const char *label;		/* for people and tools */
	kin_segment *segment;		/* to place it in; NULL = one of its
					   own.  Then it has no label */
	uint64_t offset;		/* in kin_segment_data(), a multiple of
					   128 */
};

/*
 * Create a queue and take hold of it; opts may be NULL.  A record takes the
 * message, 8 bytes, and what fills it up to 16.
 *
 * Many queues may be placed in one segment, and then cost one descriptor.  Of
 * the segment, kin_queue_room() bytes from offset on are the queue's until
 * nobody has it any more; zeros in the first 64 of them are what makes room
 * for another there.  One process creates it, the others attach when it has
 * returned.  It holds the segment; which must not be sealed under it.
 *
 *   -EINVAL  over 16 GiB, over 1000 members, a negative spin_ns, a label
 *            that is too long or has control characters; an offset that is
 *            not in the segment, or no multiple of 128
 *   -ENOSPC  no memory for it; or the segment has no such room at offset
 *   -EEXIST  there is a queue at that offset
 *   -EACCES  the segment is read-only
 *   -ENOENT  there is no /proc here: see kin/spare.h
 *   -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_queue_create(kin_queue **ret_q,
				      const struct kin_queue_opts *opts);

/* The bytes that such a queue takes of a segment; 0: no such queue can be. */
KIN_API size_t kin_queue_room(const struct kin_queue_opts *opts);

/*
 * Join the queue behind fd, which stays the caller's.
 *
 *   -EPROTO           fd is no kin segment, or holds something else
 *   -EPROTONOSUPPORT  it was made by a library with another layout
 *   -EUCLEAN          its layout contradicts itself
 *   -ENOSPC           as many members as it has room for live already
 *   -ENOENT           there is no /proc here, nor a spare: see kin/spare.h
 *   -EACCES, -EBADF, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_queue_attach(kin_queue **ret_q, int fd);

/*
 * Join the queue that was placed in seg, at that offset; seg may be closed
 * after that.  Errors as attach, and
 *
 *   -EPROTO  there is none
 *   -EINVAL  offset is not in the segment, or no multiple of 128
 *   -EACCES  the segment is read-only
 */
KIN_API KIN_MUST int kin_queue_attach_at(kin_queue **ret_q, kin_segment *seg,
					 uint64_t offset);

/* Let go.  The memory goes with the last holder.  NULL is ignored. */
KIN_API void kin_queue_close(kin_queue *q);

/*
 * Copy a message of len bytes in, waiting for room.
 *
 *   -EMSGSIZE   len is over kin_queue_limit()
 *   -EPIPE      the queue was shut down
 *   -ETIMEDOUT  there was no room until the deadline; or another process was
 *               stopped, or lost its CPU, in the middle of a put: kin_errmsg()
 *               says which
 *   -EUCLEAN    a peer has spoilt the queue; this handle is done with
 *   -ENOSPC     first use after a fork, and no place for one more member
 *   -ENOENT     first use after a fork, and no /proc: see kin/spare.h
 *   -EBADF      the handle's descriptor is gone (a program that closes all it
 *               has), and a death or a fork would have to be asked about by it
 */
KIN_API KIN_MUST int kin_queue_put(kin_queue *q, const void *msg, size_t len,
				   kin_time deadline);

/*
 * Copy the oldest message out, waiting for one.  Returns its length in
 * bytes; an empty message is a message too.
 *
 *   -EMSGSIZE   it is over cap bytes; it stays where it was
 *   -EPIPE      the queue was shut down, and all of it has been got
 *   -ETIMEDOUT  there was no message until the deadline; or another process
 *               was stopped, or lost its CPU, in the middle of a get
 *   -EUCLEAN, -ENOSPC, -ENOENT, -EBADF as for put
 */
KIN_API KIN_MUST ssize_t kin_queue_get(kin_queue *q, void *buf, size_t cap,
				       kin_time deadline);

/*
 * Put values as one message; errors as put, and
 *
 *   -EOPNOTSUPP  a thing among them has no name by which others could reach
 *                it, and a descriptor cannot ride in memory; kin_errmsg() says
 *                which argument, and what to use.  Things with a name pass:
 *                a named segment, a manager's object
 *   -EINVAL      an argument that is no value
 *   -ETIMEDOUT   a manager's object, whose server did not answer until the
 *                deadline, or for 5 seconds; KIN_NOWAIT leaves no time for
 *                that: pack it before, by kin_values_pack or into a builder
 */
KIN_API KIN_MUST int kin_queue_put_values(kin_queue *q, struct kin_args args,
					  kin_time deadline);

/*
 * Get a message of values; errors as get, and
 *
 *   -EPROTO  it was not put as values; it is gone
 */
KIN_API KIN_MUST int kin_queue_get_values(kin_queue *q, kin_values **ret_v,
					  kin_time deadline);

/*
 * No more puts: from now on they are -EPIPE, and getters drain what is there
 * and then get -EPIPE.  Sleeping getters are woken at once, putters mostly, and
 * else after a second at most.  Doing it twice is no error.
 *
 *   -ETIMEDOUT  a live putter was in the way until the deadline
 *   -EUCLEAN, -ENOSPC, -ENOENT as for put
 */
KIN_API KIN_MUST int kin_queue_shutdown(kin_queue *q, kin_time deadline);

/*
 * Look at all members now, and clear up after those that have died: their
 * places come free, and who waits for one of them goes on.  Returns how many
 * those were.  Attaching does the same, and so does whoever waits, bit by bit;
 * this is for those who want it done.
 *
 *   -ENOENT  a dead one was found, and without /proc nobody here can be the
 *            only one to clear up after it; another member will
 *   -EUCLEAN, -ENOSPC, -EBADF, -EMFILE as for put
 */
KIN_API KIN_MUST int kin_queue_reap(kin_queue *q);

/*
 * Messages put and not got, exactly, at one moment during the call.  Where so
 * much goes on that no such moment is seen in a thousand looks, what was put
 * during the last look may be counted though some of it is got already.
 */
KIN_API KIN_MUST ssize_t kin_queue_len(kin_queue *q);

/* The longest message it takes, in bytes: a buffer of that size never fails. */
KIN_API size_t kin_queue_limit(const kin_queue *q);

/*
 * The descriptor to attach by; of a placed queue, the segment's.  It is q's
 * own: pass it on, don't close it.  It is also what the kernel is asked by who
 * has died.
 */
KIN_API int kin_queue_fd(const kin_queue *q);

/* Its label, "" if it has none; good until close. */
KIN_API const char *kin_queue_label(const kin_queue *q);

KIN_END

#endif
