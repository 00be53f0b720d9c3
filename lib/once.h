/* SPDX-License-Identifier: MIT */
/*
 * once.h - the layout of a kin_once, for itself and for those who look
 */
#ifndef KN_ONCE_H
#define KN_ONCE_H

#include <kin/once.h>

#include "lib/object.h"

/* The word: a thread's stamp, or one of these; and KN_LATCH_WAITER over it. */
#define KN_ONCE_NEVER	0u
#define KN_ONCE_DONE	1u
#define KN_ONCE_HALF	2u		/* a runner died, or failed after one */

struct kn_once_shared {
	kn_word word;
	uint32_t zero[15];
};

_Static_assert(sizeof(struct kn_once_shared) == 64, "layout");

extern const struct kn_object_kind kn_once_kind;

/* lib/sync_facts.c */
void kn_once_facts(const struct kn_object_look *look, struct kn_listener *to);

#endif
