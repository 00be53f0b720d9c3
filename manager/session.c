/* SPDX-License-Identifier: MIT */
/*
 * session.c - one client of a server, and what it holds
 *
 * A session ends with its socket, or with the process that made it, whichever
 * is first: a child that the client has forked may hold the socket for ever.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire.h"
#include "manager/message.h"
#include "manager/server.h"
#include "manager/type.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/socket.h"

#define PATIENCE_MS	5000		/* for the hello */
#define TURN		64u		/* requests, before others have theirs */
#define KEPT_MOST	(1u << 20)	/* bytes of answers not taken: read no
					   more */
#define KEPT_LEAST	(KEPT_MOST / 2)

static void take_turn(struct kn_session *s);

/* ---- what it holds ---- */

int
kn_session_hold(struct kn_session *s, struct kn_object *o)
{
	struct kn_table_row *row;
	int r;

	row = kn_table_find(&s->held, &o->id, sizeof(o->id));
	if (row == NULL) {
		r = kn_table_add(&s->held, &o->id, sizeof(o->id), &row);
		if (r < 0)
			return kn_fail(r, "one more object");
	}
	row->value = (void *)((uintptr_t)row->value + 1);
	kn_object_ref(o);
	return 0;
}

int
kn_session_release(struct kn_session *s, uint64_t object)
{
	struct kn_store *store = &s->server->store;
	struct kn_table_row *row;

	row = kn_table_find(&s->held, &object, sizeof(object));
	if (row == NULL)
		return kn_fail(-ENOENT, "an object that is not held");
	row->value = (void *)((uintptr_t)row->value - 1);
	if (row->value == NULL)
		kn_table_remove(&s->held, row);
	kn_object_unref(store, kn_object_find(store, object), 1);
	return 0;
}

static void
release_all(struct kn_session *s)
{
	struct kn_store *store = &s->server->store;
	struct kn_table_row *row;
	uint64_t object;
	size_t at = 0;

	while ((row = kn_table_next(&s->held, &at)) != NULL) {
		memcpy(&object, row->key, sizeof(object));
		kn_object_unref(store, kn_object_find(store, object),
				(uintptr_t)row->value);
	}
	kn_table_free(&s->held);
	kn_tokens_orphan(store, &s->tokens);
	kn_server_expire(s->server);
}

/* ---- answering ---- */

static const unsigned char nothing[] = { 0x90 };	/* [] */

static int
answer(struct kn_session *s, uint32_t id, const struct kn_bundle *b)
{
	const struct kn_frame head = { .type = KN_REPLY, .id = id };
	struct iovec v = { b->bytes, b->len };
	int r;

	if (s->deaf)
		return 0;
	if (b->len == 0)
		v = (struct iovec){ (void *)(uintptr_t)nothing, 1 };
	r = kn_stream_send(s->stream, &head, &v, 1, NULL, 0, KN_LATER);
	return r < 0 ? r : 0;
}

static int
answer_error(struct kn_session *s, uint32_t id, int number)
{
	int r;

	if (s->deaf)
		return 0;
	r = kn_message_send(s->stream, KN_ERROR, id, 0,
			    KIN_ARGS(number, kin_errmsg()), KN_LATER);
	return r < 0 ? r : 0;
}

/* ---- requests ---- */

/* The method's name; and the rest of the row. */
static int
open_request(const struct kn_frame *frame, struct kn_request *req,
	     struct kn_head *ret_method)
{
	const unsigned char *end = frame->body + frame->len;
	struct kn_shape shape;
	struct kn_head row;
	int r;

	r = kn_wire_check(&shape, frame->body, frame->len, 0);
	if (r < 0)
		return kn_fail(r, "a request that is no row of values, or is "
			       "nested too deeply");
	(void)kn_wire_head(&row, frame->body, end);
	if (shape.count == 0 ||
	    kn_wire_head(ret_method, row.next, end) < 0 ||
	    ret_method->type != KIN_TYPE_STR)
		return kn_fail(-EPROTO, "a request without a method");
	req->args = (struct kn_row){ ret_method->next, end, shape.count - 1 };
	return 0;
}

static int
perform(struct kn_session *s, const struct kn_frame *frame,
	struct kn_request *req)
{
	struct kn_object *o = &s->server->root;
	struct kn_head method;
	int r;

	r = open_request(frame, req, &method);
	if (r < 0)
		return r;
	if (frame->object != 0)
		o = kn_object_find(&s->server->store, frame->object);
	if (o == NULL)
		return kn_fail(-ENOENT, "the object is gone");
	s->server->calls++;
	return kn_type_call(o, (const char *)method.data, method.v.n, req);
}

#define ROOM	256u			/* for most answers */

static int
handle_call(struct kn_session *s, const struct kn_frame *frame)
{
	struct kn_request req = {
		.store = &s->server->store, .session = s,
		.underway = &s->tokens,
	};
	unsigned char room[ROOM];
	int r;

	kn_bundle_use(&req.answer, room, sizeof(room));
	r = perform(s, frame, &req);
	if (frame->id == 0)
		r = 0;
	else
		r = r < 0 ? answer_error(s, frame->id, r)
			  : answer(s, frame->id, &req.answer);
	kn_bundle_sent(&req.answer);
	return r;
}

static int
handle(struct kn_session *s, const struct kn_frame *frame)
{
	int r;

	if (s->greeted)
		return frame->type == KN_CALL ? handle_call(s, frame) : -EPROTO;
	r = kn_hello_of_client(frame);
	if (r < 0) {
		(void)answer_error(s, 0, r);
		(void)kn_stream_flush(s->stream);
		return r;
	}
	s->greeted = true;
	kn_timer_stop(s->server->loop, &s->patience);
	return 0;
}

/* ---- turns ---- */

/* 1: there may be more; 0: all is done; or what ends the session. */
static int
handle_some(struct kn_session *s, unsigned most)
{
	struct kn_frame frame;
	int r;

	while (most-- > 0 && kn_stream_kept(s->stream) < KEPT_MOST) {
		r = kn_stream_next(s->stream, &frame);
		if (r <= 0)
			return r;
		r = handle(s, &frame);
		kn_stream_drop(s->stream);
		if (r < 0)
			return r;
	}
	return 1;
}

/*
 * What to wait for next.  Requests that are here already have another turn
 * soon, unless it is the answers that are in the way.
 */
static void
arrange(struct kn_session *s, bool more)
{
	size_t kept = kn_stream_kept(s->stream);
	bool full = kept >= KEPT_MOST || (s->full && kept >= KEPT_LEAST);
	uint32_t events = (full ? 0 : POLLIN) | (kept > 0 ? POLLOUT : 0);

	s->full = full;
	if (events != s->source.events)
		(void)kn_loop_change(s->server->loop, &s->source, events);
	if (more && !full)
		(void)kn_timer_start(s->server->loop, &s->again, kin_now());
}

/*
 * It listens no more, but what it has said counts: the kernel has that still,
 * and takes no more of it.
 */
static void
hear_out(struct kn_session *s)
{
	s->deaf = true;
	kn_stream_forget(s->stream, false);
	(void)kn_os_shutdown(kn_stream_fd(s->stream), SHUT_RD);
	while (handle_some(s, UINT32_MAX) == 0 &&
	       kn_stream_read(s->stream) == 1)
		continue;
	kn_session_close(s);
}

static void
take_turn(struct kn_session *s)
{
	int r = handle_some(s, TURN);

	if (r < 0)
		kn_session_close(s);
	else if (kn_stream_kept(s->stream) > 0 &&
		 kn_stream_flush(s->stream) < 0)
		hear_out(s);
	else
		arrange(s, r > 0);
}

static void
on_again(void *arg)
{
	take_turn(arg);
}

static void
on_socket(void *arg, uint32_t events)
{
	struct kn_session *s = arg;

	if ((events & ~POLLOUT) != 0 && !s->full &&
	    kn_stream_read(s->stream) < 0)
		hear_out(s);
	else
		take_turn(s);
}

static void
on_death(void *arg, uint32_t events)
{
	(void)events;
	hear_out(arg);
}

static void
on_impatience(void *arg)
{
	kn_session_close(arg);
}

/* ---- begin and end ---- */

static int
watch(struct kn_session *s, int fd)
{
	struct kn_loop *loop = s->server->loop;
	int r;

	s->source = (struct kn_source){ fd, POLLIN, on_socket, s, NULL };
	r = kn_loop_add(loop, &s->source);
	if (r == 0 && s->death.fd >= 0)
		r = kn_loop_add(loop, &s->death);
	if (r == 0)
		r = kn_timer_start(loop, &s->patience, kin_in_ms(PATIENCE_MS));
	return r;
}

/* Before Linux 6.5 its pid may be another's by now, which only delays. */
static int
open_death(int fd)
{
	struct ucred peer;
	int pidfd = kn_os_peer_pidfd(fd);

	if (pidfd < 0 && kn_os_peer_cred(fd, &peer) == 0)
		pidfd = kn_os_pidfd(peer.pid);
	return pidfd < 0 ? -1 : pidfd;
}

static int
greet(struct kn_session *s)
{
	return kn_message_send(s->stream, KN_HELLO, 0, 0,
			       KIN_ARGS(KN_PROTOCOL, KN_VERSION, KN_VERSION,
					s->server->store.server,
					s->server->max_bytes, getpid()),
			       KN_KEEP);
}

static void
enlist(struct kn_session *s)
{
	struct kn_server *server = s->server;

	s->next = server->sessions;
	s->self = &server->sessions;
	if (s->next != NULL)
		s->next->self = &s->next;
	server->sessions = s;
	server->nsessions++;
}

int
kn_session_open(struct kn_server *server, int fd)
{
	struct kn_session *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL) {
		kn_os_close(fd);
		return -ENOMEM;
	}
	s->server = server;
	kn_table_init(&s->held);
	s->patience = (struct kn_timer){ .fn = on_impatience, .arg = s };
	s->again = (struct kn_timer){ .fn = on_again, .arg = s };
	s->death = (struct kn_source){ open_death(fd), POLLIN, on_death, s,
				       NULL };
	enlist(s);
	r = kn_stream_new(&s->stream, fd);
	if (r == 0) {
		kn_stream_limit(s->stream, server->max_bytes);
		kn_stream_refuse_fds(s->stream);
		r = greet(s);
	}
	if (r >= 0)
		r = watch(s, fd);
	if (r < 0)
		kn_session_close(s);
	return r < 0 ? r : 0;
}

void
kn_session_close(struct kn_session *s)
{
	struct kn_server *server = s->server;

	kn_loop_remove(server->loop, &s->source);
	kn_loop_remove(server->loop, &s->death);
	kn_timer_stop(server->loop, &s->patience);
	kn_timer_stop(server->loop, &s->again);
	*s->self = s->next;
	if (s->next != NULL)
		s->next->self = s->self;
	server->nsessions--;
	release_all(s);
	kn_os_close(s->death.fd);
	kn_stream_free(s->stream);
	free(s);
	kn_server_consider(server);
}
