/* SPDX-License-Identifier: MIT */
/*
 * hosted.h - a server's objects, without the server
 */
#ifndef HOSTED_H
#define HOSTED_H

#include "manager/type.h"
#include "tests/kit.h"

extern struct kn_store store;		/* ours */
extern struct kn_token_owner session;	/* who asks */

void hosted_begin(void);
void hosted_end(void);			/* everything goes */

struct kn_object *make(const struct kn_type *type);
void let_go(struct kn_object *o);	/* of the ref that make gave */

/*
 * Call a method and take what it answers; what is borrowed is good until the
 * next call.  No places: whatever it answers is ignored.
 */
int ask(struct kn_object *o, const char *method, struct kin_args args,
	struct kin_slots places);

/* Called before and after the call itself; NULL: nothing is. */
extern void (*around_call)(bool begins);

/* What was answered last, as it is; {NULL, 0}: nothing. */
extern struct kn_span answered;

/* Arguments that no C type gives: a proxy under way, msgpack as it is. */
struct kin_arg proxy(const struct kn_object *o, uint64_t token);
struct kin_arg raw(const void *bytes, size_t len);
#define RAW(text)	raw("" text, sizeof(text) - 1)

/* The payload of a proxy; to has room for its address. */
size_t write_proxy(unsigned char to[64], uint64_t server, uint64_t object,
		   uint64_t token);

/* The only proxy in what was answered last: its object and token. */
uint64_t proxied(uint64_t *ret_token);

#endif
