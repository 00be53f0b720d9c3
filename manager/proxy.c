/* SPDX-License-Identifier: MIT */
/*
 * proxy.c - a handle of an object that lives in a server
 *
 * A proxy that has come from elsewhere, or from before a fork, is not held by
 * this process's session yet.  The first call holds it: by its token, if it
 * was passed on with one, or by its id as long as somebody else holds it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bundle.h"
#include "lib/wire.h"
#include "manager/client.h"
#include "manager/manager.h"
#include "manager/message.h"
#include "manager/object.h"
#include "manager/proxy.h"
#include "shm/error.h"
#include "shm/self.h"

static const struct {
	uint32_t thing;
	const char *name;
} types[] = {
	{ KIN_THING_DICT, "dict" },
	{ KIN_THING_LIST, "list" },
	{ KIN_THING_COUNTER, "counter" },
};

static const char *
type_name(uint32_t thing)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].thing == thing)
			return types[i].name;
	return NULL;
}

static uint32_t
type_thing(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].thing;
	return 0;
}

/* ---- making and letting go ---- */

/* client is the proxy's from now on, even on failure. */
static int
new_proxy(kin_proxy **ret, struct kn_client *client, uint64_t object,
	  uint32_t thing, uint64_t session)
{
	kin_proxy *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		kn_client_drop(client);
		return kn_fail(-ENOMEM, "a proxy");
	}
	p->client = client;
	p->object = object;
	p->thing = thing;
	p->session = session;
	p->generation = kn_self_generation();
	*ret = p;
	return 0;
}

int
kn_proxy_create(kin_proxy **ret_p, kin_manager *m, uint32_t thing,
		const char *name, kin_time deadline)
{
	struct kn_client *client = kn_manager_client(m);
	struct kin_arg how = name != NULL ? KIN_V(name) : KIN_NIL;
	uint64_t object, session;
	kin_values *v;
	int r;

	r = kn_call(client, KN_SERVER_OBJECT, "create",
		    KIN_ARGS(type_name(thing), how), &v, &session, deadline);
	if (r < 0)
		return r;
	r = kin_values_take(v, &object, KIN_ANY);
	kin_values_free(v);
	if (r < 0)
		return kn_fail(-EPROTO, KN_NONSENSE);
	r = new_proxy(ret_p, kn_client_hold(client), object, thing, session);
	if (r < 0)
		kn_call_tell(client, session, KN_SERVER_OBJECT, "release",
			     KIN_ARGS(object));
	return r;
}

int
kn_proxy_open(kin_proxy **ret_p, kin_manager *m, uint32_t thing,
	      const char *name, kin_time deadline)
{
	struct kn_client *client = kn_manager_client(m);
	uint64_t object, session;
	uint32_t is = 0;
	char *type;
	kin_values *v;
	int r;

	kn_assert(name != NULL);
	r = kn_call(client, KN_SERVER_OBJECT, "open", KIN_ARGS(name), &v,
		    &session, deadline);
	if (r < 0)
		return r;
	r = kin_values_take(v, &object, &type);
	kin_values_free(v);
	if (r < 0)
		return kn_fail(-EPROTO, KN_NONSENSE);
	is = type_thing(type);
	if (is == 0 || (thing != KIN_THING_PROXY && thing != is))
		r = kn_fail(-EPROTO, "'%s' is a %.40s, not a %s", name, type,
			    thing == KIN_THING_PROXY ? "type known here" :
						       type_name(thing));
	free(type);
	if (r == 0)
		r = new_proxy(ret_p, kn_client_hold(client), object, is,
			      session);
	if (r < 0)
		kn_call_tell(client, session, KN_SERVER_OBJECT, "release",
			     KIN_ARGS(object));
	return r;
}

int
kin_proxy_open(kin_proxy **ret_p, kin_manager *m, const char *name,
	       kin_time deadline)
{
	kn_assert(ret_p != NULL);
	return kn_proxy_open(ret_p, m, KIN_THING_PROXY, name, deadline);
}

/* Never asked for before kn_hold has said in which session it is held. */
static void
release(const kin_proxy *p, uint64_t session)
{
	if (session != 0)
		kn_call_tell(p->client, session, KN_SERVER_OBJECT, "release",
			     KIN_ARGS(p->object));
}

/*
 * It is under way no more: nobody will come for it.  Who is not connected lets
 * it be; to say so is not worth a connection.
 */
static void
take_back(struct kn_client *client, uint64_t token)
{
	uint64_t session = kn_client_session(client);

	if (session != 0)
		kn_call_tell(client, session, KN_SERVER_OBJECT, "unshare",
			     KIN_ARGS(token));
}

void
kin_proxy_close(kin_proxy *p)
{
	int saved = errno;
	uint64_t session;

	if (p == NULL)
		return;
	session = __atomic_load_n(&p->session, __ATOMIC_ACQUIRE);
	if (session == 0 && p->token != 0 &&
	    p->generation == kn_self_generation())
		take_back(p->client, p->token);
	release(p, session);
	kn_client_drop(p->client);
	free(p);
	errno = saved;
}

const char *
kin_proxy_type(const kin_proxy *p)
{
	kn_assert(p != NULL);
	return type_name(p->thing);
}

/* ---- holding ---- */

/*
 * Make sure that this process's session holds the object.  Many threads may
 * come at once: each holds it, one is the first, the others let go again.
 *
 * A request that is not answered in time is served all the same, before any
 * that comes later; and by then the token is spent.  So it counts as held.
 */
static int
hold(kin_proxy *p, kin_time deadline)
{
	uint64_t was = __atomic_load_n(&p->session, __ATOMIC_ACQUIRE), session;
	kin_pending *call;
	int r;

	if (was != 0 && was == kn_client_session(p->client))
		return 0;
	r = kn_call_begin(&call, p->client, KN_SERVER_OBJECT, "hold",
			  KIN_ARGS(p->object, p->token), true, deadline);
	if (r < 0)
		return r;
	session = call->session;
	r = kn_call_end(call, KIN_TAKE(), deadline);
	if (r == -ETIMEDOUT)
		kn_call_drop(call);
	else if (r < 0)
		return r;
	if (!__atomic_compare_exchange_n(&p->session, &was, session, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		release(p, session);
	return r == 0 ? 0 : kn_fail(r, "not sent: the server did not answer "
				    "until the deadline");
}

/* ---- calls ---- */

int
kn_proxy_ask(kin_proxy *p, const char *method, struct kin_args args,
	     kin_values **ret_v, kin_time deadline)
{
	int r = hold(p, deadline);

	return r < 0 ? r : kn_call(p->client, p->object, method, args, ret_v,
				   NULL, deadline);
}

int
kin_proxy_call(kin_proxy *p, const char *method, struct kin_args args,
	       struct kin_slots results, kin_time deadline)
{
	int r;

	kn_assert(p != NULL);
	kn_assert(method != NULL);
	r = kn_places_last(results, "an answer");
	if (r == 0)
		r = hold(p, deadline);
	return r < 0 ? r : kn_call_take(p->client, p->object, method, args,
					results, deadline);
}

int
kin_proxy_begin(kin_pending **ret_call, kin_proxy *p, const char *method,
		struct kin_args args, kin_time deadline)
{
	int r;

	kn_assert(ret_call != NULL && p != NULL && method != NULL);
	r = hold(p, deadline);
	return r < 0 ? r : kn_call_begin(ret_call, p->client, p->object,
					 method, args, false, deadline);
}

int
kin_proxy_flush(kin_proxy *p, kin_time deadline)
{
	int r;

	kn_assert(p != NULL);
	r = kn_client_enter(p->client, deadline);
	if (r < 0)
		return r;
	while (r == 0 && p->client->broken == 0 &&
	       kn_client_flush(p->client) == 0)
		r = kn_client_turn(p->client, deadline);
	kn_client_leave(p->client);
	return r == -ETIMEDOUT ? kn_fail(r, "the server takes nothing in") : r;
}

int
kin_pending_end(kin_pending *call, struct kin_slots results, kin_time deadline)
{
	bool borrows = kn_places_last(results, "an answer") < 0;
	int r;

	kn_assert(call != NULL);
	r = kn_call_end(call, borrows ? KIN_TAKE() : results, deadline);
	return r == 0 && borrows ? kn_places_last(results, "an answer") : r;
}

void
kin_pending_drop(kin_pending *call)
{
	int saved = errno;

	if (call != NULL)
		kn_call_drop(call);
	errno = saved;
}

/* ---- passing on ---- */

/* server (8), object (8), token (8), address */
#define PAYLOAD		24u

static void
back(const struct kn_lent *lent)
{
	take_back(lent->thing, lent->number);
}

/* Where the proxy may be closed before it goes, dropped is called instead. */
static int
lend(const kin_proxy *p, uint64_t token, struct kn_pack *to)
{
	struct kn_lent lent = { back, p->client, -1, token };

	return to->way->lasting ? 0 : kn_bundle_lend(to->bundle, &lent);
}

static int
pack_proxy(const void *thing, struct kn_pack *to)
{
	kin_proxy *p = (kin_proxy *)(uintptr_t)thing;
	unsigned char payload[PAYLOAD + KN_ADDRESS_MAX];
	size_t len = strlen(p->client->address);
	uint64_t token;
	kin_time deadline = kin_in_ns(KN_SHARE_NS);
	kin_values *v;
	int r;

	if (to->way->timed && to->way->deadline.ns < deadline.ns)
		deadline = to->way->deadline;
	r = hold(p, deadline);
	if (r == 0)
		r = kn_call(p->client, KN_SERVER_OBJECT, "share",
			    KIN_ARGS(p->object), &v, NULL, deadline);
	if (r < 0)
		return r;
	r = kin_values_take(v, &token);
	kin_values_free(v);
	if (r < 0)
		return kn_fail(-EPROTO, KN_NONSENSE);
	kn_wire_put_little(payload, p->client->server);
	kn_wire_put_little(payload + 8, p->object);
	kn_wire_put_little(payload + 16, token);
	memcpy(payload + PAYLOAD, p->client->address, len);
	to->kind = p->thing;
	r = kn_pack_by_itself(to, payload, PAYLOAD + len);
	if (r == 0)
		r = lend(p, token, to);
	if (r < 0)
		take_back(p->client, token);
	return r;
}

static int
unpack_proxy(void **ret, const struct kn_unpack *from)
{
	struct kn_client *client;
	kin_proxy *p = NULL;
	uint64_t server;
	int r;

	if (from->way != KN_BY_ITSELF || from->len < PAYLOAD)
		return kn_fail(-EPROTO, "a proxy in another shape");
	if (type_name(from->kind) == NULL)
		return kn_fail(-EPROTO, "a proxy of a type that is not known "
			       "here");
	server = kn_wire_little(from->more, 8);
	r = kn_client_find(&client, server,
			   (const char *)from->more + PAYLOAD,
			   from->len - PAYLOAD);
	if (r < 0)
		return r;
	r = new_proxy(&p, client, kn_wire_little(from->more + 8, 8),
		      from->kind, 0);
	if (r < 0)
		return r;
	p->token = kn_wire_little(from->more + 16, 8);
	*ret = p;
	return 0;
}

static void
close_proxy(void *thing)
{
	kin_proxy_close(thing);
}

/* What it came with stays where it came from. */
static void
undo_proxy(void *thing)
{
	kin_proxy *p = thing;

	p->token = 0;
	kin_proxy_close(p);
}

static void
drop_proxy(const unsigned char *payload, size_t len)
{
	struct kn_client *client;

	(void)len;		/* there is a token in it */
	client = kn_client_known(kn_wire_little(payload + KN_PROXY_SERVER, 8));
	if (client == NULL)
		return;
	take_back(client, kn_wire_little(payload + KN_PROXY_TOKEN, 8));
	kn_client_drop(client);
}

#define PROXY	.pack = pack_proxy, .unpack = unpack_proxy,		\
		.close = close_proxy, .undo = undo_proxy,		\
		.pledge = KN_PROXY_TOKEN, .dropped = drop_proxy

__attribute__((constructor)) static void
enter_kinds(void)
{
	static const struct kn_thing kinds[] = {
		{ .a = "a proxy", PROXY },
		{ .a = "a dict", PROXY },
		{ .a = "a list", PROXY },
		{ .a = "a counter", PROXY },
	};
	uint32_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		kn_thing_enter(KIN_THING_PROXY + i, &kinds[i]);
}
