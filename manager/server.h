/* SPDX-License-Identifier: MIT */
/*
 * server.h - the server: one thread, one loop, sessions and objects
 *
 *      a turn:  requests of each session, a few at a time, in order
 *               ──▶ objects ──▶ answers, kept until the session's turn is over
 *               ──▶ one send for all of them
 *
 * Nothing in it waits but the loop.  A client that does not take its answers
 * is not read from any more until it does; one that sends without pause has
 * its turn like the others.
 */
#ifndef KN_SERVER_H
#define KN_SERVER_H

#include <kin/entry.h>

#include "lib/frame.h"
#include "lib/loop.h"
#include "manager/object.h"

struct kn_server {
	struct kn_loop *loop;
	struct kn_store store;
	struct kn_object root;		/* itself */
	struct kn_source listener;
	struct kn_source lifeline;	/* of whoever started it */
	struct kn_timer retry;		/* of accepting, without descriptors */
	struct kn_timer expiry;		/* of proxies under way */
	struct kn_session *sessions;
	uint32_t nsessions;
	uint64_t calls;
	uint64_t max_bytes;
	const char *address;
	bool owned;			/* whoever started it has not left */
	bool stopping;
};

/* What a session holds: how many proxies of an object. */
struct kn_session {
	struct kn_server *server;
	struct kn_session *next, **self;	/* of all */
	struct kn_stream *stream;
	struct kn_source source, death;	/* its socket; its process */
	struct kn_timer patience;	/* with its hello */
	struct kn_timer again;		/* its next turn, if it has one */
	struct kn_table held;		/* object id → count */
	struct kn_token_owner tokens;
	bool greeted;			/* its hello has come */
	bool full;			/* of answers that it does not take */
	bool deaf;			/* nobody takes its answers any more */
};

/* The entry of a server process: listener, address, max_bytes. */
kin_entry_fn kn_serve;

/* A session has ended: is it the last? */
void kn_server_consider(struct kn_server *server);

/* Let go of proxies that nobody has come for, now and when it is time. */
void kn_server_expire(struct kn_server *server);

/* A session for a client that has connected; fd is its own from now on. */
int kn_session_open(struct kn_server *server, int fd);
void kn_session_close(struct kn_session *s);

/* The methods of the server itself, as those of a type (root.c). */
extern const struct kn_type kn_root_type;

/* Hold one more, let go of one: -ENOMEM; -ENOENT it holds none. */
int kn_session_hold(struct kn_session *s, struct kn_object *o);
int kn_session_release(struct kn_session *s, uint64_t object);

#endif
