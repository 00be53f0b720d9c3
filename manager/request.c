/* SPDX-License-Identifier: MIT */
/*
 * request.c - a call, as the frame that asks the server for it
 */
#include <errno.h>

#include "manager/message.h"
#include "manager/request.h"
#include "shm/error.h"

int
kn_request_encode(struct kn_bundle *b, unsigned char room[KN_REQUEST_ROOM],
       const struct kn_client *client, const char *method,
       struct kin_args args, kin_time deadline)
{
	const struct kn_way way = {
		.what = "a manager's object", .no_fds = true,
		.timed = true, .deadline = deadline,
		.instead = "give it a name, if it can have one, or send it "
			   "over a kin_conn",
	};
	uint64_t most = __atomic_load_n(&client->max_bytes, __ATOMIC_RELAXED);
	size_t at;
	int r;

	kn_bundle_use(b, room, KN_REQUEST_ROOM);
	r = kn_bundle_begin(b, KIN_TYPE_ARRAY, &at);
	if (r == 0)
		r = kn_bundle_add(b, KIN_ARGS(method), &way);
	if (r == 0)
		r = kn_bundle_add(b, args, &way);
	if (r == 0)
		kn_bundle_end(b, at, args.n + 1);
	if (r == 0 && b->len > most)
		r = kn_fail(-EMSGSIZE, "'%s' with %zu bytes: the server takes "
			    "%llu", method, b->len,
			    (unsigned long long)most);
	if (r < 0)
		kn_bundle_drop(b);
	return r;
}

int
kn_request_send(struct kn_client *client, uint32_t id, uint64_t object,
	  const struct kn_bundle *b, bool now)
{
	const struct kn_frame head = { .type = KN_CALL, .id = id,
				       .object = object };
	const struct iovec v = { b->bytes, b->len };
	int r;

	r = kn_stream_send(client->stream, &head, &v, 1, NULL, 0,
			   now ? KN_KEEP : KN_LATER);
	/* A server that has gone shows when its answer is waited for. */
	if (r >= 0 || r == -EPIPE || r == -ECONNRESET)
		return 0;
	return kn_fail(r, "a request of %zu bytes", b->len);
}

void
kn_request_tell(struct kn_client *client, const char *method, uint64_t what)
{
	unsigned char room[KN_REQUEST_ROOM];
	struct kn_bundle b;

	if (kn_request_encode(&b, room, client, method, KIN_ARGS(what),
			      KIN_NOWAIT) < 0)
		return;
	(void)kn_request_send(client, 0, 0, &b, true);
	kn_bundle_sent(&b);
}
