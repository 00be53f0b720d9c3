/* SPDX-License-Identifier: MIT */
/*
 * kin/conn.h - whole messages over a stream, both ways
 *
 *      kin_pipe(&ours, &theirs, NULL)
 *
 *      ours ◀──▶ [head│body│tail] [head│body│tail] ... ◀──▶ theirs
 *
 * A message has 0 bytes to gigabytes, or is a row of values with the things
 * and descriptors that belong to it.  What comes out is what went in, whole
 * and in order, or an error.
 *
 * Order    First in, first out, each way.
 * Threads  Any call from any thread: one sends at a time, one receives at a
 *          time.  Close must be the handle's last.
 * Fork     A child of kin_process_start has of its parent's connections only
 *          those that it was given as arguments.  The others are closed in it,
 *          without a word to their other ends, and a handle of one that it
 *          still has, in a global say, is -ESTALE to every call but close.
 *          In a child of fork() the copy of a handle is good; but an end is
 *          for one process at a time.  Close the copies that you do not use:
 *          an end that anybody still holds has not ended.  Messages that have come before a fork come in
 *          both; what was kept of one sent in part is the parent's to send.
 *          A handle with messages in hand is -EBUSY as an argument.  Who has
 *          used an end and leaves it to a forked child closes it before the
 *          child uses it: his close is a word in the child's stream.
 * Crash    When the last holder of the other end has gone, what it had sent is
 *          received first.  Then it is -EPIPE if all who used that end have
 *          closed it, and -ECONNRESET if one of them died with it open.  A
 *          message that its sender's death has torn is never received, and
 *          never becomes part of another: -ECONNRESET, or -EPROTO if somebody
 *          else went on writing after it.
 * Peers    One that sends rubbish, or claims sizes, gets the connection ended
 *          (-EPROTO, -EMSGSIZE); memory is taken as bytes come, not as they
 *          are announced.  Descriptors that belong to no message are closed.
 * Limits   A message whose descriptors find no room in this process when they
 *          come is gone, and -EMFILE once to who receives or waits; the
 *          connection goes on with the next one.
 */
#ifndef KIN_CONN_H
#define KIN_CONN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/values.h>

KIN_BEGIN

struct kin_conn_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint64_t max_bytes;		/* of a message that comes; 0 = 1 GiB */
	uint64_t max_copy_bytes;	/* of one argument that is copied into
					   a message of values; 0 = no limit */
	const char *label;		/* for messages; NULL = "conn" */
};

/* Both ends of a new connection in this process; opts may be NULL, for both. */
KIN_API KIN_MUST int kin_pipe(kin_conn **ret_a, kin_conn **ret_b,
			      const struct kin_conn_opts *opts);

/*
 * Speak over fd, a connected stream socket, which stays the caller's.
 * Descriptors travel over Unix sockets only.
 *
 *   -EINVAL  no stream socket
 *   -EBADF, -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_conn_attach(kin_conn **ret_c, int fd,
				     const struct kin_conn_opts *opts);

/*
 * Tell the other end, and let go; never waits.  NULL is ignored.  What is kept
 * of a message sent in part is dropped, and the other end sees -ECONNRESET:
 * flush first.
 */
KIN_API void kin_conn_close(kin_conn *c);

/*
 * Send len bytes as one message.
 *
 *   -ETIMEDOUT   not until the deadline.  If part of it had gone out then
 *                (kin_errmsg() says so) it counts as sent: the rest is kept,
 *                and goes before the next message, or by kin_conn_flush.
 *                Keeping it takes the time of copying it, which no deadline
 *                cuts short
 *   -EPIPE       the other end was closed
 *   -ECONNRESET  its holder died
 *   -ENOMEM      for what is to be kept
 *   -ESTALE      it was not given to this process: see Fork above
 */
KIN_API KIN_MUST int kin_conn_send(kin_conn *c, const void *msg, size_t len,
				   kin_time deadline);

/* What was kept of a message sent in part goes out; errors as send. */
KIN_API KIN_MUST int kin_conn_flush(kin_conn *c, kin_time deadline);

/*
 * Receive a message of bytes; returns its length.
 *
 *   -EMSGSIZE    it is over cap bytes: it stays, to be received by a larger
 *                buffer or by kin_conn_take.  Or it is over .max_bytes: then
 *                this connection is done with
 *   -EINVAL      the next message is one of values; it stays
 *   -ETIMEDOUT   none until the deadline; what has come of one is kept
 *   -EPIPE, -ECONNRESET, -EPROTO   see Crash and Peers above
 *   -EMFILE      the next message, one of values, is gone: see Limits above
 *   -ENOMEM      it stays
 *   -ESTALE      as send; or forked while another thread was receiving
 */
KIN_API KIN_MUST ssize_t kin_conn_recv(kin_conn *c, void *buf, size_t cap,
				       kin_time deadline);

/* The same, into memory of its length, which you free(). */
KIN_API KIN_MUST ssize_t kin_conn_take(kin_conn *c, void **ret_msg,
				       kin_time deadline);

/*
 * Is there a message, whole?  0 if there is one within the deadline;
 * -ETIMEDOUT, -EPIPE, -ECONNRESET, -EPROTO, -EMFILE, -ESTALE as for receive.
 */
KIN_API KIN_MUST int kin_conn_wait(kin_conn *c, kin_time deadline);

/*
 * Send values as one message, with what travels along.  A manager's object asks
 * its server first, for which KIN_NOWAIT leaves no time: pack it before, by
 * kin_values_pack or into a builder.  Errors as send, and
 *
 *   -EINVAL      an argument that is no value; the message says which
 *   -EMSGSIZE    an argument over .max_copy_bytes; the message names it
 *   -EOPNOTSUPP  a descriptor over something else than a Unix socket
 *   -ETIMEDOUT   a manager's object, whose server did not answer until the
 *                deadline, or for 5 seconds: nothing was sent
 */
KIN_API KIN_MUST int kin_conn_send_values(kin_conn *c, struct kin_args args,
					  kin_time deadline);

/*
 * Receive a message of values; errors as receive, and
 *
 *   -EINVAL  the next message is one of bytes; it stays
 *   -EPROTO  what came is not values: the message is gone, the connection
 *            goes on
 */
KIN_API KIN_MUST int kin_conn_recv_values(kin_conn *c, kin_values **ret_v,
					  kin_time deadline);

struct kin_conn_counts {
	uint64_t sent, sent_bytes;	/* messages; bytes of their bodies */
	uint64_t received, received_bytes;
	uint64_t copied_bytes;		/* of arguments, into messages */
};

KIN_API void kin_conn_count(kin_conn *c, struct kin_conn_counts *ret);

/*
 * The descriptor, for poll: readable when there may be something to receive.
 * It is c's own; -ESTALE as send.  What was received together with an earlier message is not
 * seen there: kin_conn_wait with KIN_NOWAIT first.
 */
KIN_API int kin_conn_fd(const kin_conn *c);

KIN_END

#endif
