/* SPDX-License-Identifier: MIT */
/*
 * pledge.h - what holds a thing while it travels by itself
 *
 * Eight bytes of its payload, which its kind understands, and which one taker
 * can redeem.  They are in one place at a time: whoever takes the thing, or
 * passes it on, moves them, and what stays behind has zeros there.  Those that
 * nobody will take go back to the kind.
 */
#ifndef KN_PLEDGE_H
#define KN_PLEDGE_H

#include "lib/wire.h"

/* The bytes, where they are not zero; NULL: it has none. */
unsigned char *kn_pledge_of(const struct kn_head *head);

/* They are in to's bytes by now: not here any more, unless to never travels. */
int kn_pledge_move(struct kn_pack *to, unsigned char *pledge);

/* All in these values went elsewhere. */
void kn_pledges_spend(const unsigned char *at, const unsigned char *end);

/* Nobody will take them: their kinds are told. */
void kn_pledges_drop(const unsigned char *bytes, size_t len);

/* Nothing but the things that have one, at the front; their length. */
size_t kn_pledges_keep(unsigned char *bytes, size_t len);

#endif
