/* SPDX-License-Identifier: MIT */
/*
 * kinds.h - the one list of kinds of shared things, and what to tell of them
 *
 * The ground does not know what is built on it; who needs all kinds at once
 * (tools) asks here.
 */
#ifndef KN_KINDS_H
#define KN_KINDS_H

#include <stdint.h>

#include "shm/segment.h"

/* One fact about a thing; each call is another line.  Returns 0 or -ENOMEM. */
typedef int kn_tell_fn(void *arg, const char *key, const char *value);

/* Under this key is told what is wrong with the thing. */
#define KN_TROUBLE	"trouble"

/* Somebody to tell facts to; after the first failure it hears no more. */
struct kn_listener {
	kn_tell_fn *tell;
	void *arg;
	int r;
};

void kn_say(struct kn_listener *to, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Tell what there is to know of the thing in the segment behind fd, which may
 * be read-only, may hold rubbish, and may change at any time: everything is
 * copied by pread, bounded, and checked before it is used.  header was checked
 * and is private.
 */
typedef void kn_facts_fn(int fd, const struct kn_header *header,
			 struct kn_listener *to);

struct kn_kind_entry {
	const struct kn_kind *kind;
	kn_facts_fn *facts;		/* NULL: nothing but what all have */
};

/* NULL: no such kind. */
const struct kn_kind_entry *kn_kind_find(uint32_t number);

/* The facts of any segment, then those of its kind. */
kn_facts_fn kn_kind_facts;

/* One for each kind that has its own, and one for all objects. */
kn_facts_fn kn_queue_facts;
kn_facts_fn kn_object_facts;		/* lib/object_facts.c */

/* Plain segments: the control part, if they have one. */
kn_facts_fn kn_control_facts;		/* lib/members.c */

#endif
