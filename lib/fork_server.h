/* SPDX-License-Identifier: MIT */
/*
 * fork_server.h - a clean process that forks for another
 *
 *      client                              server            child
 *        │ hand-over into the child's line
 *        ├─ ask {serial}, child's line ─────▶│ fork ───────────┐
 *        │◀─ tell STARTED {serial, pid}, ────┤                 │ finds its
 *        │   pidfd                           │                 │ hand-over, arms
 *        ├─ go, by the slip ─────────────────┼────────────────▶│ its lifeline,
 *        │                                   │                 │ which is the
 *        │◀─ tell ENDED {serial, status} ────┤◀── SIGCHLD ─────✝ client's
 *
 * The socket pair between client and server is the only way to it.  Messages
 * have one size in each direction, are sent whole or not at all, and are
 * received one at a time.
 *
 *      ask, 16 bytes                  tell, 256 bytes
 *       0 8 serial                     0 8 serial; HELLO: 0
 *       8 8 mark \x89kinask            8 4 what: 1 HELLO, 2 STARTED, 3 ENDED
 *      + a descriptor: the line       12 4 -errno; ENDED: si_code
 *                                     16 4 pid
 *                                     20 4 ENDED: si_status
 *                                     24 144 ENDED: struct rusage
 *                                     HELLO: 24 232 a sentence, if -errno
 *                                     STARTED: + the pidfd
 *
 * A child is told to go by its client alone, and only once that has its pidfd.
 * So one that a server forked and died of runs no entry: its client, which has
 * seen the server's end, tells it not to, and cuts its lifeline.
 */
#ifndef KN_FORK_SERVER_H
#define KN_FORK_SERVER_H

#include <stdint.h>
#include <sys/resource.h>

#include "lib/entry.h"

#define KN_ASK_MARK	0x6b73616e696b89ull

struct kn_ask {
	uint64_t serial;
	uint64_t mark;
};

#define KN_TELL_HELLO	1u
#define KN_TELL_STARTED	2u
#define KN_TELL_ENDED	3u

struct kn_tell {
	uint64_t serial;
	uint32_t what;
	int32_t number;
	int32_t pid;
	int32_t status;
	union {
		struct rusage usage;
		char said[232];
	};
};

_Static_assert(sizeof(struct kn_ask) == 16, "as said above");
_Static_assert(sizeof(struct kn_tell) == 256, "as said above");

/* The server's entry: its socket, its client's pidfd, and what to preload. */
int kn_fork_server(kin_call *call);

#endif
