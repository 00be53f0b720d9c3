/* SPDX-License-Identifier: MIT */
/*
 * pending.c - calls under way
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bundle.h"
#include "lib/pledge.h"
#include "manager/client.h"
#include "manager/message.h"
#include "manager/request.h"
#include "manager/object.h"
#include "shm/error.h"
#include "shm/self.h"

/* ---- the list of those that wait (locked) ---- */

static void
enlist(struct kn_client *client, struct kin_pending *call)
{
	*client->last = call;
	client->last = &call->next;
}

static void
delist(struct kn_client *client, struct kin_pending **at)
{
	struct kin_pending *call = *at;

	*at = call->next;
	if (client->last == &call->next)
		client->last = at;
	call->next = NULL;
}

static struct kin_pending **
find(struct kn_client *client, uint32_t id)
{
	struct kin_pending **at;

	for (at = &client->first; *at != NULL; at = &(*at)->next)
		if ((*at)->id == id)
			return at;
	return NULL;
}

/* ---- answers (locked) ---- */

/* From then on it is whoever waits for it that has it. */
static void
mark_answered(struct kin_pending *call)
{
	__atomic_store_n(&call->answered, true, __ATOMIC_RELEASE);
}

static bool
is_answered(const struct kin_pending *call)
{
	return __atomic_load_n(&call->answered, __ATOMIC_ACQUIRE);
}

static unsigned char *
answer_of(struct kin_pending *call)
{
	return call->body != NULL ? call->body : call->small;
}

/* Nobody takes it: nor the proxies in it. */
static void
disclaim(struct kn_client *client, const unsigned char *body, size_t len)
{
	struct kn_span left = { body, len };
	struct kn_sentence before;
	struct kn_shape shape = { 0 };
	struct kn_head thing;

	if (len <= 1)
		return;
	kn_sentence_save(&before);
	if (kn_wire_check(&shape, body, len, 0) < 0)
		shape.pledges = 0;
	while (shape.pledges > 0 && kn_thing_next(&left, &thing))
		if (kn_pledge_of(&thing) != NULL &&
		    kn_wire_little(thing.data + KN_PROXY_SERVER, 8) ==
		    client->server)
			kn_request_tell(client, "unshare",
				    kn_wire_little(thing.data +
						   KN_PROXY_TOKEN, 8));
	kn_sentence_restore(&before);
}

/* Nobody takes it: what it hands out goes back. */
static void
undo(struct kn_client *client, const struct kin_pending *call,
     const unsigned char *body, size_t len)
{
	struct kn_sentence before;
	uint64_t what;
	kin_values *v;
	int r;

	kn_sentence_save(&before);
	if (kin_values_parse(&v, body, len) == 0) {
		kn_values_disown(v);
		r = kin_values_count(v) == 1 ?
		    kin_values_take(v, &what) :
		    kin_values_take(v, &what, KIN_ANY);
		if (r == 0)
			kn_request_tell(client, call->undo, what);
		kin_values_free(v);
	}
	kn_sentence_restore(&before);
}

/* [errno, sentence] */
static void
take_error(struct kin_pending *call, const struct kn_frame *frame)
{
	char *sentence = NULL;
	kin_values *v;
	int32_t number;

	call->r = -EPROTO;
	if (kin_values_parse(&v, frame->body, frame->len) < 0)
		return;
	kn_values_disown(v);
	if (kin_values_take(v, &number, &sentence) == 0 && number < 0 &&
	    number > -4096) {
		/* Ours means that it is still under way. */
		call->r = number == -ETIMEDOUT ? -EREMOTEIO : number;
		call->body = (unsigned char *)sentence;
	}
	kin_values_free(v);
}

static void
take_reply(struct kin_pending *call, const struct kn_frame *frame)
{
	unsigned char *to = call->small;

	if (frame->len > sizeof(call->small))
		to = call->body = malloc(frame->len);
	if (to == NULL) {
		call->r = -ENOMEM;
		return;
	}
	memcpy(to, frame->body, frame->len);
	call->len = frame->len;
}

void
kn_call_answered(struct kn_client *client, const struct kn_frame *frame)
{
	struct kin_pending **at = find(client, frame->id), *call;

	if (at == NULL) {	/* its deadline was over, or it was dropped */
		if (frame->type == KN_REPLY)
			disclaim(client, frame->body, frame->len);
		return;
	}
	call = *at;
	delist(client, at);
	if (call->given_up) {
		if (frame->type == KN_REPLY)
			undo(client, call, frame->body, frame->len);
		kn_call_give_back(client, call);
		return;
	}
	if (frame->type == KN_REPLY && frame->len > 0)
		take_reply(call, frame);
	else if (frame->type == KN_ERROR)
		take_error(call, frame);
	else
		call->r = -EPROTO;
	mark_answered(call);
}

void
kn_call_all_broken(struct kn_client *client)
{
	struct kin_pending *call;

	while ((call = client->first) != NULL) {
		delist(client, &client->first);
		call->r = client->broken;
		if (call->given_up)
			kn_call_give_back(client, call);
		else
			mark_answered(call);
	}
}

void
kn_call_forget(struct kn_client *client)
{
	struct kin_pending **at = &client->first;

	while (*at != NULL) {
		struct kin_pending *call = *at;

		if (!call->given_up) {
			at = &call->next;
			continue;
		}
		delist(client, at);
		free(call);
	}
}

/* ---- making ---- */

/*
 * Ids under way follow each other, the oldest first, until one of them is met
 * again after 2^32 calls; from then on each has to be looked for.
 */
static uint32_t
next_id(struct kn_client *client)
{
	client->last_id++;
	if (client->first != NULL && client->first->id == client->last_id)
		client->lapped = true;
	while (client->last_id == 0 ||
	       (client->lapped && find(client, client->last_id) != NULL))
		client->last_id++;
	return client->last_id;
}

#define KEPT_MAX	(1u << 20)	/* bytes; then begin waits, too */

static int
begin_locked(struct kin_pending *call, uint64_t object,
	     const struct kn_bundle *b, bool now, kin_time deadline)
{
	struct kn_client *client = call->client;
	int r = 0;

	while (r == 0 && client->broken == 0 &&
	       kn_stream_kept(client->stream) > KEPT_MAX)
		r = kn_client_turn(client, deadline);
	if (r < 0)
		return kn_fail(r, "not sent: the server takes nothing in");
	call->id = next_id(client);
	call->session = client->session;
	r = kn_request_send(client, call->id, object, b, now);
	if (r < 0)
		return r;
	enlist(client, call);
	if (client->broken != 0)
		kn_call_all_broken(client);
	return 0;
}

/* Locked. */
static int
begin_new(struct kin_pending **ret, struct kn_client *client, uint64_t object,
	  const struct kn_bundle *b, bool now, kin_time deadline)
{
	struct kin_pending *call = kn_call_new(client);
	int r;

	if (call == NULL)
		return kn_fail(-ENOMEM, "a call");
	r = begin_locked(call, object, b, now, deadline);
	if (r < 0)
		kn_call_give_back(client, call);
	else
		*ret = call;
	return r;
}

int
kn_call_begin(struct kin_pending **ret, struct kn_client *client,
	      uint64_t object, const char *method, struct kin_args args,
	      bool now, kin_time deadline)
{
	unsigned char room[KN_REQUEST_ROOM];
	struct kn_bundle b;
	int r;

	r = kn_request_encode(&b, room, client, method, args, deadline);
	if (r < 0)
		return r;
	r = kn_client_enter(client, deadline);
	if (r == 0) {
		r = begin_new(ret, client, object, &b, now, deadline);
		if (r == 0)
			kn_client_hold(client);
		kn_client_leave(client);
	}
	if (r < 0)
		kn_bundle_drop(&b);
	else
		kn_bundle_sent(&b);
	return r;
}

/* ---- ending ---- */

static void
free_call(struct kin_pending *call)
{
	struct kn_client *client = call->client;

	free(call->body);
	kn_call_give_back(client, call);
	kn_client_drop(client);
}

/* What an answered call says, if it says that it failed. */
static int
outcome(const struct kin_pending *call)
{
	if (call->r == 0)
		return 0;
	if (call->body != NULL)
		return kn_fail(call->r, "%s", (char *)call->body);
	if (call->r == -ENOMEM)
		return kn_fail(call->r, "an answer");
	return kn_fail(call->r, call->r == -EPROTO ?
		       KN_NONSENSE :
		       "the server at '%.80s' has gone",
		       call->client->address);
}

/* The answer, whole. */
static int
finish(struct kin_pending *call, kin_values **ret_v)
{
	int r = outcome(call);

	if (r < 0)
		return r;
	if (call->body == NULL)
		return kn_values_copy(ret_v, call->small, call->len);
	r = kn_values_of(ret_v, call->body, call->len, NULL, 0);
	if (r == 0)
		call->body = NULL;
	return r;
}

/* Out of the answer. */
static int
finish_taking(struct kin_pending *call, struct kin_slots places)
{
	int r = outcome(call);

	if (r < 0 || (places.n == 0 && call->len <= 1))
		return r;
	r = kn_values_take_once(answer_of(call), call->len, places);
	return places.n > 0 ? r : 0;
}

/* Locked; gives the lock up meanwhile. */
static int
await_locked(struct kin_pending *call, kin_time deadline)
{
	int r = 0;

	while (r == 0 && !is_answered(call))
		r = kn_client_turn(call->client, deadline);
	if (is_answered(call))
		return 0;
	return kn_fail(r, r == -ETIMEDOUT ? "no answer from the server until "
		       "the deadline" : "waiting for an answer");
}

/* Wait for the answer: -ETIMEDOUT, or why it cannot be waited for. */
static int
await_answer(struct kin_pending *call, kin_time deadline)
{
	int r;

	if (call->generation != kn_self_generation())
		return kn_fail(-ESTALE, "a call that another process made");
	if (is_answered(call))		/* it came with another's answer */
		return 0;
	r = kn_client_enter(call->client, deadline);
	if (r < 0)		/* the server has gone: then all are answered */
		return is_answered(call) ? 0 : r;
	r = await_locked(call, deadline);
	kn_client_leave(call->client);
	return r;
}

/* 0: it is answered, and to be freed; else as kin_pending_end. */
static int
end(struct kin_pending *call, kin_time deadline)
{
	int r = await_answer(call, deadline);

	if (r < 0 && r != -ETIMEDOUT)
		kn_call_drop(call);
	return r;
}

int
kn_call_end(struct kin_pending *call, struct kin_slots places,
	    kin_time deadline)
{
	int r = end(call, deadline);

	if (r < 0)
		return r;
	r = finish_taking(call, places);
	free_call(call);
	return r;
}

/* Locked.  True: it stays in the list, until its answer comes. */
static bool
give_up(struct kn_client *client, struct kin_pending *call)
{
	struct kin_pending **at = find(client, call->id);

	if (at != NULL && *at == call && call->undo != NULL) {
		call->given_up = true;
		return true;
	}
	if (at != NULL && *at == call)
		delist(client, at);
	else if (call->undo != NULL && call->r == 0 && call->len > 0)
		undo(client, call, answer_of(call), call->len);
	else if (call->undo == NULL && call->r == 0)
		disclaim(client, answer_of(call), call->len);
	return false;
}

void
kn_call_drop(struct kin_pending *call)
{
	struct kn_client *client = call->client;
	bool stays = false;

	if (call->generation == kn_self_generation() &&
	    kn_client_enter(client, KIN_NOWAIT) == 0) {
		stays = give_up(client, call);
		kn_client_leave(client);
	}
	if (stays)
		kn_client_drop(client);
	else
		free_call(call);
}

/* What gives back that which a method of the server itself hands out. */
static const char *
undo_of(uint64_t object, const char *method)
{
	if (object != 0)
		return NULL;
	if (strcmp(method, "create") == 0 || strcmp(method, "open") == 0)
		return "release";
	return strcmp(method, "share") == 0 ? "unshare" : NULL;
}

int
kn_call(struct kn_client *client, uint64_t object, const char *method,
	struct kin_args args, kin_values **ret_v, uint64_t *ret_session,
	kin_time deadline)
{
	struct kin_pending *call;
	uint64_t session;
	int r;

	r = kn_call_begin(&call, client, object, method, args, true, deadline);
	if (r < 0)
		return r;
	session = call->session;
	call->undo = undo_of(object, method);
	r = end(call, deadline);
	if (r == -ETIMEDOUT)
		kn_call_drop(call);
	if (r < 0)
		return r;
	r = finish(call, ret_v);
	free_call(call);
	if (r == 0 && ret_session != NULL)
		*ret_session = session;
	return r;
}

/* ---- in one go ---- */

/* Locked.  *ret: the server has the request, or will. */
static int
call_locked(struct kin_pending **ret, struct kn_client *client,
	    uint64_t object, const struct kn_bundle *b, kin_time deadline)
{
	struct kin_pending **at;
	int r;

	r = begin_new(ret, client, object, b, true, deadline);
	if (r < 0)
		return r;
	r = await_locked(*ret, deadline);
	at = r < 0 ? find(client, (*ret)->id) : NULL;
	if (at != NULL && *at == *ret)
		delist(client, at);
	return r;
}

int
kn_call_take(struct kn_client *client, uint64_t object, const char *method,
	     struct kin_args args, struct kin_slots places, kin_time deadline)
{
	struct kin_pending *call = NULL;
	unsigned char room[KN_REQUEST_ROOM];
	struct kn_bundle b;
	int r;

	r = kn_request_encode(&b, room, client, method, args, deadline);
	if (r < 0)
		return r;
	r = kn_client_enter(client, deadline);
	if (r == 0) {
		r = call_locked(&call, client, object, &b, deadline);
		kn_client_leave(client);
	}
	if (call == NULL) {
		kn_bundle_drop(&b);
		return r;
	}
	kn_bundle_sent(&b);
	if (r == 0)
		r = finish_taking(call, places);
	free(call->body);
	kn_call_give_back(client, call);
	return r;
}

void
kn_call_tell(struct kn_client *client, uint64_t session, uint64_t object,
	     const char *method, struct kin_args args)
{
	struct kn_sentence before;
	unsigned char room[KN_REQUEST_ROOM];
	struct kn_bundle b;

	kn_sentence_save(&before);
	if (client->generation == kn_self_generation() &&
	    kn_request_encode(&b, room, client, method, args, KIN_NOWAIT) == 0) {
		if (kn_client_enter(client, KIN_NOWAIT) == 0) {
			if (client->session == session)
				(void)kn_request_send(client, 0, object, &b, true);
			kn_client_leave(client);
		}
		kn_bundle_sent(&b);
	}
	kn_sentence_restore(&before);
}
