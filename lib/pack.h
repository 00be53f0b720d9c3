/* SPDX-License-Identifier: MIT */
/*
 * pack.h - what encoding one argument takes
 */
#ifndef KN_PACK_H
#define KN_PACK_H

#include "lib/bundle.h"

/* -EINVAL, naming the argument; r, with the sentence that is there. */
int kn_pack_refuse(const struct kn_pack *to, const char *why);
int kn_pack_because(const struct kn_pack *to, int r);

/* Bytes that are about to be copied: are they allowed, and count them. */
int kn_pack_weigh(struct kn_pack *to, size_t n);

/* Should fd never travel, its kind is told by unclaimed. */
int kn_pack_lend_fd(struct kn_pack *to, const struct kn_thing *kind, int fd);

/* A thing that was packed by itself may have a pledge. */
void kn_pack_pledged(struct kn_pack *to);

/* The head of a row of n. */
int kn_bundle_row(struct kn_bundle *b, size_t n);

/* lib/nest.c */
int kn_give_values(struct kn_pack *to, const kin_values *v);
int kn_give_builder(struct kn_pack *to, const kin_builder *b);

#endif
