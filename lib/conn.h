/* SPDX-License-Identifier: MIT */
/*
 * conn.h - inside a connection, and the types of its frames
 *
 *      type  what                                     body
 *      1     a message of bytes                       the message
 *      2     a message of values                      a msgpack array
 *      3     hello: one more user of the sender's     none
 *            end
 *      4     bye: one user less                       none
 *
 * A stream's end looks the same whether the last of its holders closed it or
 * died.  So each end counts those who use the other one: who is left at the
 * stream's end has said no bye.  Hello is said by a process at its first use of
 * a handle, and for one that is to have it as an argument, by who gives it
 * away.  A copy that was never used says nothing: its bye could get into the
 * middle of what the process that it was meant for is just sending.
 */
#ifndef KN_CONN_H
#define KN_CONN_H

#include <pthread.h>
#include <stdbool.h>

#include <kin/conn.h>

#include "lib/frame.h"

#define KN_CONN_BYTES	1u
#define KN_CONN_VALUES	2u
#define KN_CONN_HELLO	3u
#define KN_CONN_BYE	4u

#define KN_CONN_LABEL	48u

/* One direction: who is at work on that half of the stream. */
struct kn_turn {
	pthread_mutex_t mutex;
	int cancel_state;		/* its holder's, before */
	bool changing;			/* the half is not as it should be */
};

struct kin_conn {
	struct kn_stream *stream;
	struct kn_turn sending, receiving;
	uint32_t generation;		/* the process whose handle it is */
	bool is_user;			/* it has said hello, or owes it */
	uint32_t owed_hellos, owed_byes;	/* to be said by who sends */
	bool is_unix;
	char label[KN_CONN_LABEL];
	uint64_t max_bytes, max_copy_bytes;

	/* of who receives */
	int64_t users;			/* of the other end */
	int end;			/* what ended it; 0 = nothing yet */
	uint32_t skip, penalty;		/* tries to receive before polling */

	/* under kn_self_lock */
	kin_conn *next, **from;		/* all of this process, and its copies
					   of its parent's */
	bool left;			/* a parent's, and not given to us */

	struct kin_conn_counts counts;
};

/*
 * The descriptor of every connection is closed, and its handle, if somebody
 * here still has it, is good for nothing but close.  For a process that has
 * just been forked to run something else than its parent.
 */
void kn_conns_leave(void);

/* Whose turn is it?  -ETIMEDOUT: another thread's, until the deadline. */
int kn_conn_begin_send(kin_conn *c, kin_time deadline);
void kn_conn_end_send(kin_conn *c);
int kn_conn_begin_recv(kin_conn *c, kin_time deadline);
void kn_conn_end_recv(kin_conn *c);

/* Around each sleep: others may fork then. */
void kn_turn_changing(struct kn_turn *turn, bool changing);

/* How many use the other end, after all that has come. */
int64_t kn_conn_users(kin_conn *c);

/* Hello or bye, whenever it can be said: at once, or by the present sender. */
int kn_conn_say(kin_conn *c, uint16_t type);
/* The last word of a handle; never waits. */
void kn_conn_say_bye(kin_conn *c);

/*
 * What ends it is told to every call that comes after.  Condemned for what
 * came; or its stream has ended, and it is to be decided whether all who held
 * the other end were done with it.
 */
int kn_conn_condemn(kin_conn *c, int r);
int kn_conn_decide(kin_conn *c);
int kn_conn_ended(const kin_conn *c);
int kn_conn_not_given(const kin_conn *c);

/* The sentence that tells why, with the connection's label before it. */
int kn_conn_named(const kin_conn *c, int r);

#endif
