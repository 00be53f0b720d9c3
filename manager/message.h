/* SPDX-License-Identifier: MIT */
/*
 * message.h - what client and server say to each other
 *
 *      server                           client
 *        │ HELLO versions, number ───────▶│
 *        │◀─────── HELLO version chosen   │
 *        │◀─────── CALL id, object, [method, arguments...]
 *        │ REPLY id, [results...] ───────▶│
 *        │ ERROR id, [errno, sentence] ──▶│
 *
 * Each is one frame (lib/frame.h) whose body is one msgpack array.  Calls are
 * answered in the order in which they came; a call with id 0 is not answered.
 * DESIGN.md has it byte by byte.
 */
#ifndef KN_MESSAGE_H
#define KN_MESSAGE_H

#include <kin/value.h>

#include "lib/frame.h"

#define KN_HELLO	16u
#define KN_CALL		17u
#define KN_REPLY	18u
#define KN_ERROR	19u

#define KN_SERVER_OBJECT	0u		/* the id of the server itself */

#define KN_NONSENSE	"the server answers nonsense"

#define KN_PROTOCOL	"kin-manager"
#define KN_VERSION	1u
#define KN_REQUEST_MAX	(64ull << 20)	/* bytes, unless said otherwise */
#define KN_HELLO_MAX	4096u

/* What a server tells of itself. */
struct kn_hello {
	uint64_t server;		/* its number: random, never 0 */
	uint64_t max_bytes;		/* of a request */
	int64_t pid;
};

/* Send; the stream keeps what cannot go at once.  how: KN_KEEP, KN_LATER. */
int kn_message_send(struct kn_stream *s, uint16_t type, uint32_t id,
		    uint64_t object, struct kin_args args, int how);

/* Both check what came: -EPROTO, -EPROTONOSUPPORT. */
int kn_hello_of_server(const struct kn_frame *frame, struct kn_hello *ret);
int kn_hello_of_client(const struct kn_frame *frame);

#endif
