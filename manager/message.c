/* SPDX-License-Identifier: MIT */
/*
 * message.c - what client and server say to each other
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bundle.h"
#include "manager/message.h"
#include "shm/error.h"

int
kn_message_send(struct kn_stream *s, uint16_t type, uint32_t id,
		uint64_t object, struct kin_args args, int how)
{
	static const struct kn_way way = {
		.what = "a message", .no_fds = true,
		.instead = "nothing: messages have none",
	};
	struct kn_frame head = { .type = type, .id = id, .object = object };
	struct kn_bundle b = { 0 };
	struct iovec v;
	int r;

	r = kn_bundle_encode(&b, args, &way);
	if (r < 0)
		return r;
	v = (struct iovec){ b.bytes, b.len };
	r = kn_stream_send(s, &head, &v, 1, NULL, 0, how);
	kn_bundle_sent(&b);
	return r;
}

/* The values of a hello, which are the caller's to free. */
static int
open_hello(const struct kn_frame *frame, kin_values **ret_v)
{
	int r;

	if (frame->type != KN_HELLO || frame->len > KN_HELLO_MAX)
		return kn_fail(-EPROTO, "no hello, but type %u of %zu bytes",
			       frame->type, frame->len);
	r = kin_values_parse(ret_v, frame->body, frame->len);
	return r < 0 ? kn_fail(-EPROTO, "a hello that is no row of values") : 0;
}

static int
check_protocol(const char *protocol, uint32_t from, uint32_t to)
{
	if (strcmp(protocol, KN_PROTOCOL) != 0)
		return kn_fail(-EPROTO, "what listens there is no manager");
	if (from > KN_VERSION || to < KN_VERSION)
		return kn_fail(-EPROTONOSUPPORT, "the other side speaks "
			       "versions %u to %u, we speak %u", from, to,
			       KN_VERSION);
	return 0;
}

int
kn_hello_of_server(const struct kn_frame *frame, struct kn_hello *ret)
{
	const char *protocol;
	uint32_t from, to;
	kin_values *v;
	int r;

	r = open_hello(frame, &v);
	if (r < 0)
		return r;
	r = kin_values_take(v, &protocol, &from, &to, &ret->server,
			    &ret->max_bytes, &ret->pid);
	if (r < 0)
		r = kn_fail(-EPROTO, "a hello of another shape");
	else
		r = check_protocol(protocol, from, to);
	kin_values_free(v);
	return r;
}

int
kn_hello_of_client(const struct kn_frame *frame)
{
	const char *protocol;
	uint32_t version;
	kin_values *v;
	int r;

	r = open_hello(frame, &v);
	if (r < 0)
		return r;
	r = kin_values_take(v, &protocol, &version);
	if (r < 0)
		r = kn_fail(-EPROTO, "a hello of another shape");
	else
		r = check_protocol(protocol, version, version);
	kin_values_free(v);
	return r;
}
