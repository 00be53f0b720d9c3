/* SPDX-License-Identifier: MIT */
/*
 * sleeper.h - children that sleep in a call
 */
#ifndef SLEEPER_H
#define SLEEPER_H

#include "tests/board.h"

/* What a child does; it ends with the result's amount as its code. */
typedef int sleeper_fn(void *arg);

/*
 * It raises the flag before fn, and is asleep in it by now.  No flag is used
 * twice.
 */
pid_t sleeper(sleeper_fn *fn, void *arg, int flag);

/* The same without waiting for its sleep. */
pid_t runner(sleeper_fn *fn, void *arg, int flag);

/* Is that child's first thread asleep? */
void await_sleep_of(pid_t pid);

#endif
