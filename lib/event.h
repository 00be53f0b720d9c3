/* SPDX-License-Identifier: MIT */
/*
 * event.h - the layout of an event, for the event and for those who look
 */
#ifndef KN_EVENT_H
#define KN_EVENT_H

#include <kin/event.h>

#include "lib/object.h"

#define KN_EVENT_SET	1u
#define KN_EVENT_ASLEEP	2u		/* somebody sleeps on the word */
#define KN_EVENT_CLEARS	4u		/* one of them */

struct kn_event_shared {
	kn_word word;			/* see event.c */
	uint32_t zero[15];
};

_Static_assert(sizeof(struct kn_event_shared) == 64, "layout");

extern const struct kn_object_kind kn_event_kind;

/* lib/sync_facts.c */
void kn_event_facts(const struct kn_object_look *look, struct kn_listener *to);

#endif
