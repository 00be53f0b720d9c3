/* SPDX-License-Identifier: MIT */
/*
 * nouns.h - the nouns of the table: one line each
 */
#ifndef NOUNS_H
#define NOUNS_H

#include "tests/proof/ops.h"

extern const struct op array_ops[], barrier_ops[], cell_ops[], client_ops[];
extern const struct op cond_ops[], event_ops[], heap_ops[], latch_ops[];
extern const struct op lock_ops[], once_ops[], process_ops[], queue_ops[];
extern const struct op queue_many_ops[], registry_ops[], rwlock_ops[];
extern const struct op segment_ops[], sem_ops[], table_ops[];

void other_array(struct scene *);
void other_barrier(struct scene *);
void other_cell(struct scene *);
void other_cond(struct scene *);
void other_event(struct scene *);
void other_client(struct scene *);
void other_member(struct scene *);
void other_heap(struct scene *);
void other_locks(struct scene *);
void other_once(struct scene *);
void other_queue(struct scene *);
void other_rwlock(struct scene *);
void other_sem(struct scene *);
void other_table(struct scene *);

#endif
