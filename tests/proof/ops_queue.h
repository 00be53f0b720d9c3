/* SPDX-License-Identifier: MIT */
/*
 * ops_queue.h - scenes of a queue that other nouns use, too
 */
#ifndef OPS_QUEUE_H
#define OPS_QUEUE_H

#include "tests/proof/nouns.h"

#define QUEUE_LEN	40		/* bytes of a message */
#define QUEUE_HOLDS	5		/* messages */

int put_letter(kin_queue *q, int letter, kin_time deadline);
int get_letter(kin_queue *q, kin_time deadline);

void fill(struct scene *, int n);
void turn(struct scene *);
void hold_get_meanwhile(struct scene *);

void set_queue(struct scene *);
void set_two(struct scene *);
void set_nearly_full(struct scene *);
void set_full(struct scene *);
void set_wrapping(struct scene *);
void set_wrapping_two(struct scene *);
void set_put_contended(struct scene *);
void set_get_contended(struct scene *);
void set_empty_then_message(struct scene *);
void set_getter_asleep(struct scene *);
void set_putter_asleep(struct scene *);
void watch_queue(struct scene *);

void ready_member(struct scene *);
void ready_put_inherited(struct scene *);
void ready_get_inherited(struct scene *);

const char *check_usable(struct scene *);

struct kn_ring_shared *ring_of(const struct scene *);
int join_queue(kin_queue *);

#endif
