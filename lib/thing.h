/* SPDX-License-Identifier: MIT */
/*
 * thing.h - kinds of things that travel
 */
#ifndef KN_THING_H
#define KN_THING_H

#include "lib/bundle.h"

/* Bytes of a thing at most: so that each that came can be passed on. */
#define KN_THING_MOST	4096u

/* NULL: no such kind is known. */
const struct kn_thing *kn_thing_find(uint32_t kind);

/* "a queue": for sentences, descriptors and read-only data included. */
const char *kn_thing_a(uint32_t kind);

/* Does a place for one kind take a thing of the other? */
bool kn_thing_fits(uint32_t place, uint32_t kind);

/* lib/travel.c: does its name still lead to it?  0, or -EOPNOTSUPP. */
int kn_segment_check_name(const kin_segment *seg, const struct kn_pack *to);
extern const struct kn_thing kn_segment_thing, kn_view_thing, kn_queue_thing;

#endif
