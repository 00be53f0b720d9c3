/* SPDX-License-Identifier: MIT */
/*
 * nouns.h - the nouns of the table: one line each
 */
#ifndef NOUNS_H
#define NOUNS_H

#include "tests/proof/ops.h"

extern const struct op queue_ops[], latch_ops[];
extern const struct op segment_ops[];
extern const struct op registry_ops[];
extern const struct op client_ops[];
extern const struct op heap_ops[];
extern const struct op lock_ops[], rwlock_ops[], cond_ops[];
extern const struct op sem_ops[];
extern const struct op event_ops[], barrier_ops[], once_ops[];

void other_queue(struct scene *);
void other_heap(struct scene *);
void other_locks(struct scene *);
void other_rwlock(struct scene *);
void other_cond(struct scene *);
void other_sem(struct scene *);
void other_event(struct scene *);
void other_barrier(struct scene *);
void other_once(struct scene *);

#endif
