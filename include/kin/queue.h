/* SPDX-License-Identifier: MIT */
/*
 * kin/queue.h - a bounded queue of messages, shared by processes
 *
 *      put ──▶ ┌────────┬───┬──────────────┬─────┐ ──▶ get
 *      put ──▶ │ record │ r │ record       │ ... │ ──▶ get
 *              └────────┴───┴──────────────┴─────┘
 *              a ring of bytes, in a segment
 *
 * One process creates the queue; others inherit the handle by fork, attach to
 * its descriptor, or open it by name.  Anyone may put and anyone may get.
 * Messages have any length from 0 bytes to kin_queue_limit().
 *
 * Order    Strict first in, first out: one order of puts, seen by all.
 * Threads  Any call from any thread; close must be the handle's last.  None
 *          may be made from a signal handler (-EDEADLK where that is seen).
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A putter that dies has put its message whole or not at all, and of
 *          many in one call the first ones.  A getter that dies leaves the
 *          message, or takes it along: a message whose put returned is lost
 *          only in the hands of a dead getter, or where the queue drops.
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
#include <sys/uio.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/segment.h>
#include <kin/time.h>
#include <kin/values.h>

KIN_BEGIN

#define KIN_SPIN_NEVER	(-1)

/* Join the one of that name, if there is one; else create it. */
#define KIN_QUEUE_OPEN_OR_CREATE	0x01u
/* Where it is full, a put does not wait: it is -ENOSPC at once. */
#define KIN_QUEUE_FAIL			0x02u
/* Where it is full, a put drops the oldest messages until there is room. */
#define KIN_QUEUE_DROP_OLDEST		0x04u
/* It counts what is unfinished: for kin_queue_task_done and kin_queue_join. */
#define KIN_QUEUE_TASKS			0x08u

struct kin_queue_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_QUEUE_...; with a name also
					   KIN_TRUST_... (kin/segment.h) */
	uint64_t bytes;			/* of the ring; 0 = 64 KiB; rounded up
					   to a power of two */
	uint32_t members;		/* processes at once, at most; 0 = 128;
					   1000 is the most.  In a segment that
					   has members of its own it is those,
					   and this must be 0 */
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
	uint64_t messages;		/* at once, at most; 0 = as many as the
					   ring has room for */
	const char *name;		/* NULL = none.  Names of queues and
					   segments are of one kind */
	uint32_t mode;			/* permissions of a named one, whatever
					   the umask; 0 = 0600 */
	uint32_t reserved2;		/* must be 0 */
};

/*
 * Create a queue and take hold of it; opts may be NULL.  A record takes the
 * message, 8 bytes, and what fills it up to 16.
 *
 * A name stays until it is unlinked, or the machine is started anew.  With
 * KIN_QUEUE_OPEN_OR_CREATE, 1 if it was created and 0 if it was there; of many
 * who call at the same time, one gets 1.
 *
 * Many queues may be placed in one segment, and then cost one descriptor.  Of
 * the segment, kin_queue_room() bytes from offset on are the queue's until
 * nobody has it any more; zeros in the first 64 of them are what makes room
 * for another there.  One process creates it, the others attach when it has
 * returned.  It holds the segment; which must not be sealed under it.  If the
 * segment was made with members, they are the queues' members, too: then ten
 * thousand queues cost a process as much of the kernel as one does, and else a
 * page of memory each, mapped, of which a process may have 65530.
 *
 *   -EINVAL  over 16 GiB, over 1000 members, a negative spin_ns, a label or
 *            name that is too long or has control characters; an offset that
 *            is not in the segment, or no multiple of 128; options that
 *            contradict each other
 *   -ENOSPC  no memory for it; or the segment has no such room at offset
 *   -EEXIST  there is a queue at that offset; or the name is taken, with
 *            KIN_QUEUE_OPEN_OR_CREATE by a queue of another size or way
 *   -EACCES  the segment is read-only; or as kin_segment_create
 *   -ENOENT  there is no /proc here: see kin/spare.h
 *   -E2BIG, -ENOMEM, -EMFILE; of KIN_QUEUE_OPEN_OR_CREATE, those of open, and
 *   -EBUSY   somebody creates and removes it all the time
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

/*
 * Join the queue of that name; errors as attach, and those of
 * kin_segment_open.  Of use, only whom to trust matters.
 */
KIN_API KIN_MUST int kin_queue_open(kin_queue **ret_q, const char *name);
KIN_API KIN_MUST int kin_queue_open_with(kin_queue **ret_q, const char *name,
					 const struct kin_segment_use *use);

/*
 * Remove the name, not the queue: its holders keep it.  -ENOENT, -EACCES.  The
 * same as kin_segment_unlink.
 */
KIN_API int kin_queue_unlink(const char *name);

/*
 * Let go.  The memory goes with the last holder, if it has no name.  What this
 * handle has got and not reported counts as done.  NULL is ignored.
 */
KIN_API void kin_queue_close(kin_queue *q);

/* ---- messages ---- */

/*
 * Copy a message of len bytes in, waiting for room.
 *
 *   -EMSGSIZE   len is over kin_queue_limit()
 *   -EPIPE      the queue was shut down
 *   -ETIMEDOUT  there was no room until the deadline; or another process was
 *               stopped, or lost its CPU, in the middle of a put (or, where
 *               the queue drops, of a get): kin_errmsg() says which
 *   -EUCLEAN    a peer has spoilt the queue; this handle is done with
 *   -ENOSPC     KIN_QUEUE_FAIL, and it is full; or first use after a fork,
 *               and no place for one more member
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
 *   -ERANGE     KIN_QUEUE_TASKS, and this process has 2^32 - 1 unreported ones
 *   -EUCLEAN, -ENOSPC, -ENOENT, -EBADF as for put; but never for being full
 */
KIN_API KIN_MUST ssize_t kin_queue_get(kin_queue *q, void *buf, size_t cap,
				       kin_time deadline);

/*
 * Put n messages, in that order, waiting for room, and return how many were
 * put: all, or those for which there was room until the deadline.  As many as
 * fit go in together, up to 16 KiB of records at once; between such runs others
 * may put theirs.  Errors are for the first message, when nothing was put; the
 * lengths are looked at before anything is.
 *
 *   -EMSGSIZE   one of them is over kin_queue_limit(); nothing was put
 *   else as kin_queue_put
 */
KIN_API KIN_MUST ssize_t kin_queue_put_many(kin_queue *q,
					    const struct iovec *msgs, size_t n,
					    kin_time deadline);

/*
 * Get up to n messages: wait for the first, take along what is there, and
 * return how many.  They lie in buf one behind the other, each at a multiple of
 * 16 from its beginning; where and how long, ret_msgs says, which writev(2) and
 * kin_queue_put_many take as it is.  What does not fit into cap bytes stays in
 * the queue.
 *
 *   -EMSGSIZE   the first one is over cap bytes; it stays where it was
 *   else as kin_queue_get
 */
KIN_API KIN_MUST ssize_t kin_queue_get_many(kin_queue *q,
					    struct iovec *ret_msgs, size_t n,
					    void *buf, size_t cap,
					    kin_time deadline);

/*
 * Look at the oldest message without taking it, waiting for one: up to cap
 * bytes are copied, and its whole length is returned, which may be more.  It
 * was the oldest at one moment of the call; with other getters (or where the
 * queue drops) it may be gone when the call returns.  Errors as kin_queue_get,
 * but -EMSGSIZE and -ERANGE.
 */
KIN_API KIN_MUST ssize_t kin_queue_peek(kin_queue *q, void *buf, size_t cap,
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

/* ---- work that is not done yet ---- */

/*
 * Report that n messages which this handle has got in this process, values or
 * not, are done with.  Waits for nobody.
 *
 *   -EINVAL   it has not got so many that are not reported; or the queue was
 *             made without KIN_QUEUE_TASKS
 *   -EUCLEAN
 */
KIN_API KIN_MUST int kin_queue_task_done(kin_queue *q, size_t n);

/*
 * Wait until all that was put is done: got and reported, or dropped, or got by
 * one that has died or closed its handle since.  There was such a moment during
 * the call if it returns 0.  Whoever reports the last one wakes those who
 * wait; a death is found out at a slice's end.
 *
 *   -ETIMEDOUT  not until the deadline
 *   -EINVAL     the queue was made without KIN_QUEUE_TASKS
 *   -EUCLEAN, -ENOSPC, -EBADF as for put; but never for being full
 */
KIN_API KIN_MUST int kin_queue_join(kin_queue *q, kin_time deadline);

/* ---- what there is to know ---- */

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

/* Is there no message?  Is there no room, not for an empty one either?  1, or
 * 0, with the exactness of len; -EUCLEAN. */
KIN_API KIN_MUST int kin_queue_empty(kin_queue *q);
KIN_API KIN_MUST int kin_queue_full(kin_queue *q);

/* Since it was made.  What is of messages is of one moment, as len is. */
struct kin_queue_stats {
	uint64_t len;			/* messages in it */
	uint64_t unfinished;		/* KIN_QUEUE_TASKS: not reported yet */
	uint64_t puts;
	uint64_t gets;			/* by whomever, the dead too */
	uint64_t drops;			/* puts = gets + drops + len */
	uint64_t put_bytes;		/* of messages */
	uint64_t got_bytes;
	uint64_t copied_bytes;		/* in and out */
	uint64_t used_bytes;		/* of the ring, now */
	uint64_t high_bytes;		/* the most at once, to an eighth of the
					   ring */
	uint64_t ring_bytes;
	uint64_t put_waits;		/* calls that went to sleep */
	uint64_t get_waits;
	uint64_t takeovers;		/* of what the dead held */
	uint64_t reserved[4];		/* 0 */
};

/* -EUCLEAN. */
KIN_API KIN_MUST int kin_queue_stat(kin_queue *q, struct kin_queue_stats *ret);

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
