/* SPDX-License-Identifier: MIT */
/*
 * frozen.h - frozen bytes, children that store into them, what those say
 */
#ifndef FROZEN_H
#define FROZEN_H

#include "lib/bundle.h"
#include "lib/readonly.h"
#include "tests/kit.h"

#define BYTES	1000

extern char table[BYTES];
extern struct kn_frozen *held;	/* of it, as 'table': a fixture */
void freeze_table(void);
void thaw_table(void);

/* fn in a child, whose stderr goes to said: its status. */
int status_of(void (*fn)(void));
extern char said[8192];
extern pid_t child;

void ck_ended_by_segv(int status);
void ck_exited_with(int status, int code);

/* A report by child is the first that was said: what comes after it. */
const char *ck_reported(const char *name, unsigned offset);

/* In the child: what is held, mapped; a handler for SIGSEGV. */
volatile char *take(void);
void handle(void (*fn)(int), int flags);

#endif
