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

void other_queue(struct scene *);
void other_heap(struct scene *);
void other_locks(struct scene *);
void other_rwlock(struct scene *);
void other_cond(struct scene *);

#endif
