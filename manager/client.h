/* SPDX-License-Identifier: MIT */
/*
 * client.h - this process's connection to a server, shared by all its handles
 *
 * There is one for each server, whatever number of threads and proxies use it.
 * Requests and answers are matched by their ids.  Whoever waits for an answer
 * reads for all the others too: one thread at a time is the reader, and hands
 * the role on when it has what it wanted.
 *
 * After a fork the child finds that the connection is its parent's: it lets go
 * of it and makes one of its own.  To the server that is another session, so
 * what a proxy holds has to be held anew; sessions are numbered for that.
 */
#ifndef KN_CLIENT_H
#define KN_CLIENT_H

#include <pthread.h>
#include <stdbool.h>

#include <kin/proxy.h>

#include "lib/frame.h"
#include "manager/address.h"

struct kn_client {
	struct kn_client *next;		/* of all in this process */
	uint32_t refs;			/* handles, proxies, pending calls;
					   atomic, 0 only by who has
					   kn_self_lock */
	char address[KN_ADDRESS_MAX];
	uint64_t server;		/* its number */
	uint64_t max_bytes;		/* of a request */
	pid_t pid;

	pthread_mutex_t mutex;		/* for all below */
	pthread_cond_t moved;
	uint32_t generation;		/* of the process */
	uint64_t session;		/* its number; 0 = none yet.  Written
					   locked, read anywhere */
	struct kn_stream *stream;	/* NULL = not connected */
	int broken;			/* and never again: -ECONNRESET, ... */
	bool busy;			/* a thread connects, or reads */
	uint32_t waiting;		/* threads that wait for it */
	uint32_t last_id;
	bool lapped;			/* ids go round: see next_id */
	struct kin_pending *first, **last;	/* in the order they were made */
	struct kin_pending *spare;	/* to be used again */

	struct kin_pending *ended;	/* spare ones, too: atomic, not under
					   mutex */
};

/* A call under way. */
struct kin_pending {
	struct kin_pending *next;
	struct kn_client *client;
	uint32_t id;
	uint64_t session;		/* in which it was made */
	uint32_t generation;		/* and the process */
	bool answered;			/* written last, and locked */
	int r;				/* its answer, if negative */
	unsigned char *body;		/* else; of malloc.  Or the sentence */
	unsigned char small[64];	/* else, if it has room for it */
	size_t len;
	const char *undo;		/* the method that gives back what it
					   hands out; NULL = nothing */
	bool given_up;			/* nobody waits for it any more */
};

/*
 * The one client of a server.  By connecting, which tells its number; or by
 * its number, and it connects at its first use.
 */
int kn_client_connect(struct kn_client **ret, const char *address,
		      kin_time deadline);
int kn_client_find(struct kn_client **ret, uint64_t server,
		   const char *address, size_t len);
struct kn_client *kn_client_known(uint64_t server);	/* held; or NULL */
struct kn_client *kn_client_hold(struct kn_client *client);
void kn_client_drop(struct kn_client *client);

/* The present session's number; 0: there is none in this process. */
uint64_t kn_client_session(const struct kn_client *client);

/*
 * For pending.c: enter locks, connected, and tells the session's number;
 * fails with the lock not held.
 */
int kn_client_enter(struct kn_client *client, kin_time deadline);
void kn_client_leave(struct kn_client *client);

/*
 * Locked; gives the lock up meanwhile.  Wait until something has come, gone
 * out, or the deadline is over (-ETIMEDOUT); afterwards all may be different.
 */
int kn_client_turn(struct kn_client *client, kin_time deadline);

/* Locked: take what is kept as far out as it goes now. */
int kn_client_flush(struct kn_client *client);

/* Wait until the server has ended the connection. */
int kn_client_await_end(struct kn_client *client, kin_time deadline);

/* ---- calls (pending.c) ---- */

#define KN_SHARE_NS	(5ll * 1000000000)	/* see kin/manager.h */

/*
 * Make a request.  now: send it; else it goes with others, later.  On success
 * *ret_session, if not NULL, is the session in which it was made.
 */
int kn_call_begin(struct kin_pending **ret, struct kn_client *client,
		  uint64_t object, const char *method, struct kin_args args,
		  bool now, kin_time deadline);
int kn_call_end(struct kin_pending *call, struct kin_slots places,
		kin_time deadline);
void kn_call_drop(struct kin_pending *call);

/*
 * Begin and end.  What the server itself hands out (object 0) and nobody waits
 * for any more is given back when its answer comes.
 */
int kn_call(struct kn_client *client, uint64_t object, const char *method,
	    struct kin_args args, kin_values **ret_v, uint64_t *ret_session,
	    kin_time deadline);

/* Of any other object: take out of the answer; no place is one that borrows. */
int kn_call_take(struct kn_client *client, uint64_t object, const char *method,
		 struct kin_args args, struct kin_slots places,
		 kin_time deadline);

/* No answer is wanted, and it does not matter whether it arrives. */
void kn_call_tell(struct kn_client *client, uint64_t session, uint64_t object,
		  const char *method, struct kin_args args);

/* Locked: an answer has come, or (frame NULL) none will any more. */
void kn_call_answered(struct kn_client *client, const struct kn_frame *frame);
void kn_call_all_broken(struct kn_client *client);

/* Those that were given up, when there is nobody to hear of them either. */
void kn_call_forget(struct kn_client *client);

/* ---- their memory (spare.c) ---- */

struct kin_pending *kn_call_new(struct kn_client *client);	/* locked */
void kn_call_give_back(struct kn_client *client, struct kin_pending *call);
void kn_calls_free(struct kn_client *client);	/* those given back */

#endif
