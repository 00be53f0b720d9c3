/* SPDX-License-Identifier: MIT */
/*
 * hosted.c - a server's objects, without the server
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/thing.h"
#include "tests/hosted.h"

#define ADDRESS		"unix:/there"
#define GIVE_PROXY	1000u
#define GIVE_RAW	1001u

struct kn_store store;
struct kn_token_owner session;
struct kn_span answered;
void (*around_call)(bool begins);

static kin_values *values;
static unsigned char *answer;

/* Proxies are known by number only, unless a client is linked with us. */
static void
enter_proxies(void)
{
	static const struct kn_thing dummy = { .a = "a proxy" };

	for (uint32_t kind = KIN_THING_PROXY; kind <= KIN_THING_COUNTER; kind++)
		if (kn_thing_find(kind) == NULL)
			kn_thing_enter(kind, &dummy);
}

void
hosted_begin(void)
{
	enter_proxies();
	ck_kin_ok(kn_store_init(&store, ADDRESS));
}

static void
forget(void)
{
	kin_values_free(values);
	values = NULL;
	free(answer);
	answer = NULL;
	answered = (struct kn_span){ NULL, 0 };
}

void
hosted_end(void)
{
	forget();
	kn_store_free(&store);
}

struct kn_object *
make(const struct kn_type *type)
{
	struct kn_object *o;

	ck_kin_ok(kn_object_make(&o, &store, type, NULL, 0));
	return o;
}

void
let_go(struct kn_object *o)
{
	kn_object_unref(&store, o, 1);
}

/* ---- arguments ---- */

struct kin_arg
proxy(const struct kn_object *o, uint64_t token)
{
	return (struct kin_arg){ .what = GIVE_PROXY, .v.p = o, .n = token };
}

struct kin_arg
raw(const void *bytes, size_t len)
{
	return (struct kin_arg){ .what = GIVE_RAW, .v.p = bytes, .n = len };
}

static void
write_little(unsigned char *to, uint64_t n)
{
	for (unsigned i = 0; i < 8; i++)
		to[i] = (unsigned char)(n >> 8 * i);
}

size_t
write_proxy(unsigned char to[64], uint64_t server, uint64_t object,
	    uint64_t token)
{
	to[0] = KN_BY_ITSELF;
	write_little(to + KN_PROXY_SERVER, server);
	write_little(to + KN_PROXY_OBJECT, object);
	write_little(to + KN_PROXY_TOKEN, token);
	memcpy(to + KN_PROXY_ADDRESS, ADDRESS, sizeof(ADDRESS) - 1);
	return KN_PROXY_ADDRESS + sizeof(ADDRESS) - 1;
}

static void
add_bytes(struct kn_bundle *b, const void *p, size_t n)
{
	ck_kin_ok(kn_bundle_room(b, n));
	memcpy(b->bytes + b->len, p, n);
	b->len += n;
}

static void
add_proxy(struct kn_bundle *b, const struct kn_object *o, uint64_t token)
{
	unsigned char ext[3 + 64] = { 0xc7 };
	size_t n = write_proxy(ext + 3, store.server, o->id, token);

	ext[1] = (unsigned char)n;
	ext[2] = (unsigned char)o->type->thing;
	add_bytes(b, ext, 3 + n);
}

static void
add_arg(struct kn_bundle *b, const struct kin_arg *a)
{
	static const struct kn_way way = { .what = "a test", .no_fds = true };

	if (a->what == GIVE_RAW)
		add_bytes(b, a->v.p, a->n);
	else if (a->what == GIVE_PROXY)
		add_proxy(b, a->v.p, a->n);
	else
		ck_kin_ok(kn_bundle_add(b, (struct kin_args){ a, 1 }, &way));
}

/* ---- calling ---- */

static int
take(struct kn_bundle *b, struct kin_slots places)
{
	int r;

	ck_assert_uint_gt(b->len, 0);
	answer = b->bytes;
	answered = (struct kn_span){ answer, b->len };
	if (places.n == 0)
		return 0;
	/* The values own their bytes. */
	answer = NULL;
	r = kn_values_of(&values, b->bytes, b->len, NULL, 0);
	if (r < 0) {
		answer = b->bytes;
		return r;
	}
	return kin_values_take_all(values, places);
}

int
ask(struct kn_object *o, const char *method, struct kin_args args,
    struct kin_slots places)
{
	struct kn_bundle b = { .bytes = NULL };
	struct kn_request req = { .store = &store, .underway = &session };
	int r;

	forget();
	for (size_t i = 0; i < args.n; i++)
		add_arg(&b, &args.v[i]);
	ck_kin_ok(kn_bundle_room(&b, 1));
	req.args = (struct kn_row){ b.bytes, b.bytes + b.len, args.n };
	if (around_call != NULL)
		around_call(true);
	r = kn_type_call(o, method, strlen(method), &req);
	if (around_call != NULL)
		around_call(false);
	kn_bundle_sent(&b);
	if (r < 0) {
		ck_assert_ptr_null(req.answer.bytes);
		return r;
	}
	if (req.answer.bytes == NULL) {
		ck_assert_uint_eq(places.n, 0);
		return r;
	}
	return take(&req.answer, places);
}

uint64_t
proxied(uint64_t *ret_token)
{
	struct kn_span left = answered;
	struct kn_head thing, other;

	ck_assert(kn_thing_next(&left, &thing));
	ck_assert(!kn_thing_next(&left, &other));
	ck_assert(kn_is_own(&store, &thing));
	*ret_token = kn_wire_little(thing.data + KN_PROXY_TOKEN, 8);
	return kn_wire_little(thing.data + KN_PROXY_OBJECT, 8);
}
