/* SPDX-License-Identifier: MIT */
/*
 * root.c - the methods of the server itself, which is object 0
 */
#include <errno.h>

#include "lib/wire.h"
#include "manager/address.h"
#include "manager/server.h"
#include "manager/type.h"
#include "shm/error.h"

static struct kn_server *
server_of(const struct kn_request *req)
{
	return req->session->server;
}

/* The object of that id, which is the next argument. */
static int
next_object(struct kn_request *req, unsigned index, struct kn_object **ret)
{
	uint64_t id;
	int r;

	r = kn_span_uint(kn_row_next(&req->args), index, &id);
	if (r < 0)
		return r;
	*ret = kn_object_find(req->store, id);
	return *ret != NULL ? 0 : kn_fail(-ENOENT, "the object is gone");
}

/* The session holds it, and is told its id; in place of the ref it had. */
static int
hand_out(struct kn_request *req, struct kn_object *o)
{
	int r = kn_session_hold(req->session, o);

	if (r == 0) {
		r = kn_answer(req, KIN_ARGS(o->id, o->type->name));
		if (r < 0)
			(void)kn_session_release(req->session, o->id);
	}
	return r;
}

/* create(type, name or nil): [id, type] */
static int
create(struct kn_object *root, struct kn_request *req)
{
	struct kn_span type_span = kn_row_next(&req->args);
	struct kn_span name_span = kn_row_next(&req->args);
	const char *type_name, *name = NULL;
	const struct kn_type *type;
	struct kn_object *o;
	size_t type_len, len = 0;
	int r;

	(void)root;
	r = kn_span_str(type_span, 1, &type_name, &type_len);
	if (r == 0 && kn_span_head(name_span).type != KIN_TYPE_NIL)
		r = kn_span_str(name_span, 2, &name, &len);
	if (r < 0)
		return r;
	type = kn_type_find(type_name, type_len);
	if (type == NULL)
		return kn_fail(-ENOSYS, "no type '%.*s' here",
			       (int)(type_len < 40 ? type_len : 40), type_name);
	r = kn_object_make(&o, req->store, type, name, len);
	if (r < 0)
		return r;
	r = hand_out(req, o);
	if (r < 0 && name != NULL)
		(void)kn_object_unname(req->store, name, len);
	kn_object_unref(req->store, o, 1);
	return r;
}

/* open(name): [id, type] */
static int
open_named(struct kn_object *root, struct kn_request *req)
{
	struct kn_object *o;
	const char *name;
	size_t len;
	int r;

	(void)root;
	r = kn_span_str(kn_row_next(&req->args), 1, &name, &len);
	if (r < 0)
		return r;
	o = kn_object_named(req->store, name, len);
	if (o == NULL)
		return kn_fail(-ENOENT, "no object '%.*s' here",
			       (int)(len < 80 ? len : 80), name);
	return hand_out(req, o);
}

/* hold(id, token): [id, type] */
static int
hold(struct kn_object *root, struct kn_request *req)
{
	struct kn_object *o;
	uint64_t token;
	int r;

	(void)root;
	r = next_object(req, 1, &o);
	if (r == 0)
		r = kn_span_uint(kn_row_next(&req->args), 2, &token);
	if (r == 0)
		r = hand_out(req, o);
	if (r == 0)
		kn_token_claim(req->store, token);
	return r;
}

/* release(id): [] */
static int
release(struct kn_object *root, struct kn_request *req)
{
	uint64_t id;
	int r;

	(void)root;
	r = kn_span_uint(kn_row_next(&req->args), 1, &id);
	return r < 0 ? r : kn_session_release(req->session, id);
}

/* share(id): [token] */
static int
share(struct kn_object *root, struct kn_request *req)
{
	struct kn_object *o;
	uint64_t token;
	int r;

	(void)root;
	r = next_object(req, 1, &o);
	if (r == 0)
		r = kn_token_make(req->store, o, req->underway, &token);
	if (r < 0)
		return r;
	r = kn_answer(req, KIN_ARGS(token));
	if (r < 0)
		kn_token_claim(req->store, token);
	return r;
}

/* unshare(token): [] */
static int
unshare(struct kn_object *root, struct kn_request *req)
{
	uint64_t token;
	int r;

	(void)root;
	r = kn_span_uint(kn_row_next(&req->args), 1, &token);
	if (r == 0)
		kn_token_claim(req->store, token);
	return r;
}

/* unlink(name): [] */
static int
unlink_name(struct kn_object *root, struct kn_request *req)
{
	const char *name;
	size_t len;
	int r;

	(void)root;
	r = kn_span_str(kn_row_next(&req->args), 1, &name, &len);
	return r < 0 ? r : kn_object_unname(req->store, name, len);
}

/* count(): [objects, names, sessions, under way, calls] */
static int
count(struct kn_object *root, struct kn_request *req)
{
	const struct kn_server *server = server_of(req);

	(void)root;
	return kn_answer(req, KIN_ARGS(req->store->live,
				       req->store->names.live,
				       server->nsessions,
				       req->store->tokens.live,
				       server->calls));
}

/* stop(): []; the answer goes out before the end. */
static int
stop(struct kn_object *root, struct kn_request *req)
{
	(void)root;
	server_of(req)->stopping = true;
	return 0;
}

/* leave(): []; the server ends with its last client. */
static int
leave(struct kn_object *root, struct kn_request *req)
{
	(void)root;
	server_of(req)->owned = false;
	return 0;
}

static const struct kn_method methods[] = {
	{ "hold", hold, 2, 2 },
	{ "release", release, 1, 1 },
	{ "share", share, 1, 1 },
	{ "unshare", unshare, 1, 1 },
	{ "create", create, 2, 2 },
	{ "open", open_named, 1, 1 },
	{ "unlink", unlink_name, 1, 1 },
	{ "count", count, 0, 0 },
	{ "stop", stop, 0, 0 },
	{ "leave", leave, 0, 0 },
};

const struct kn_type kn_root_type = {
	.name = "server",
	.methods = methods,
	.n = sizeof(methods) / sizeof(methods[0]),
};
