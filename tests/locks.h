/* SPDX-License-Identifier: MIT */
/*
 * locks.h - locks that tests make, and threads and processes that wait for them
 */
#ifndef LOCKS_H
#define LOCKS_H

#include "tests/board.h"

/* They work, or the test fails. */
kin_lock *lock_of(uint32_t flags, uint32_t on_death);
kin_lock *lock_alone(void);
kin_segment *segment_for(uint32_t members);
kin_lock *lock_in(kin_segment *seg, uint64_t offset);

void get_lock(kin_lock *lock);		/* 0, at some time */
void inherit(kin_lock *lock);		/* 1, at some time */
void give(kin_lock *lock);

/* A child that has taken it, and waits to be killed. */
pid_t holder_of(kin_lock *lock);

/* So many threads are seen to wait for it. */
void await_waiters(kin_lock *lock, uint32_t n);

#endif
