/* SPDX-License-Identifier: MIT */
/*
 * child.h - processes to start, and what is to be said of their end
 */
#ifndef CHILD_H
#define CHILD_H

#include "tests/board.h"

/* By which start starts; NULL: the default. */
extern kin_context *start_by;

/* A board_case whose tests start by each kind of context: add them thrice. */
#define CONTEXTS	3u
TCase *context_case(Suite *suite, const char *name, uint32_t kind);

/* It works, or the test fails. */
kin_process *start(kin_entry_fn *fn, struct kin_args args);

/* Wait for its end, let go, and say how it ended. */
struct kin_status finish(kin_process *p);

/* What others have left to us ends, and is collected. */
void await_orphans(void);

void ck_exited(struct kin_status status, int code);
void ck_killed(struct kin_status status, int signal);

/* Entries. */
int return_number(kin_call *call);	/* the int that it was given */
int wait_to_be_killed(kin_call *call);
int wait_for_flag(kin_call *call);	/* raises 1; 5 when there is a 2 */

#endif
