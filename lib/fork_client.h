/* SPDX-License-Identifier: MIT */
/*
 * fork_client.h - a fork server, as its client knows it
 */
#ifndef KN_FORK_CLIENT_H
#define KN_FORK_CLIENT_H

#include <stdbool.h>

#include <kin/context.h>

#include "lib/fork_server.h"

struct kn_server;
struct kn_start;

/* What a server tells of one child: see fork_server.h. */
struct kn_served {
	struct kn_server *server;	/* NULL = it is no server's child */
	uint64_t serial;
	bool started, ended;		/* told of */
	struct kn_tell start, end;
	int pidfd;			/* with start */
	struct kn_served *next;		/* of its server */
};

/* A process by c's server, which is started if there is none. */
int kn_start_server(kin_process *p, struct kn_start *how, kin_context *c);

/*
 * pidfd has told that it has ended: wait until it is known how, or nobody can
 * know: 0; or for the deadline, but a moment at least.
 */
int kn_served_await(struct kn_served *s, int pidfd, kin_time deadline);

/* How it ended; NULL: the server has not said. */
const struct kn_tell *kn_served_end(struct kn_served *s);

/* One who needs it less; with the last, it ends. */
void kn_served_forget(struct kn_served *s);
void kn_server_drop(struct kn_server *s);

/* Ours, whoever uses them: killed and collected. */
void kn_servers_end(void);

#endif
