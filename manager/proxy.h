/* SPDX-License-Identifier: MIT */
/*
 * proxy.h - a handle of an object that lives in a server
 *
 * kin_dict, kin_list and kin_counter are names for a kin_proxy whose type was
 * checked: the typed calls convert by kn_proxy_of.
 */
#ifndef KN_PROXY_H
#define KN_PROXY_H

#include <kin/proxy.h>

struct kn_client;

struct kin_proxy {
	struct kn_client *client;
	uint64_t object;
	uint32_t thing;			/* KIN_THING_... of its type */
	uint64_t session;		/* of ours that holds it; 0 = none yet */
	uint64_t token;			/* that it came with; 0 = none */
	uint32_t generation;		/* of the process that it came to */
};

#define kn_proxy_of(handle)	((kin_proxy *)(handle))

/*
 * Make an object of that type on the server (name may be NULL), or open the one
 * of that name, which must be of that type (-EPROTO); thing KIN_THING_PROXY is
 * any type.
 */
int kn_proxy_create(kin_proxy **ret_p, kin_manager *m, uint32_t thing,
		    const char *name, kin_time deadline);
int kn_proxy_open(kin_proxy **ret_p, kin_manager *m, uint32_t thing,
		  const char *name, kin_time deadline);

/* A call whose answer is wanted whole: *ret_v is the caller's. */
int kn_proxy_ask(kin_proxy *p, const char *method, struct kin_args args,
		 kin_values **ret_v, kin_time deadline);

#endif
