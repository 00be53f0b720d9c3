/* SPDX-License-Identifier: MIT */
/*
 * request.h - a call, as the frame that asks the server for it
 */
#ifndef KN_REQUEST_H
#define KN_REQUEST_H

#include "lib/bundle.h"
#include "manager/client.h"

#define KN_REQUEST_ROOM	256u		/* for most requests */

/* [method, arguments...], in that room if it is enough. */
int kn_request_encode(struct kn_bundle *b,
		      unsigned char room[KN_REQUEST_ROOM],
		      const struct kn_client *client, const char *method,
		      struct kin_args args, kin_time deadline);

/* Locked.  Never waits: what cannot go now is kept. */
int kn_request_send(struct kn_client *client, uint32_t id, uint64_t object,
		    const struct kn_bundle *b, bool now);

/* Locked.  To the server itself, which answers nothing. */
void kn_request_tell(struct kn_client *client, const char *method,
		     uint64_t what);

#endif
