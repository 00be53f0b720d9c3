/* SPDX-License-Identifier: MIT */
/*
 * ops_queue.h - scenes of a queue that other nouns use, too
 */
#ifndef OPS_QUEUE_H
#define OPS_QUEUE_H

#include "tests/proof/nouns.h"

void set_queue(struct scene *);
void set_put_contended(struct scene *);
void watch_queue(struct scene *);

void ready_member(struct scene *);
void ready_put_inherited(struct scene *);

const char *check_usable(struct scene *);

struct kn_ring_shared *ring_of(const struct scene *);
int join_queue(kin_queue *);

#endif
