/* SPDX-License-Identifier: MIT */
/*
 * board.h - what the processes of a test have in common
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/kit.h"

/* Zeros at a test's begin. */
extern struct board {
	int flag;			/* whatever the test says */
	int stop;
	uint32_t calls;
	pid_t pids[8];
	char text[32];
} *board;

/* A case whose tests have one each. */
TCase *board_case(Suite *suite, const char *name);

void lower_flag(void);			/* to 0 */
void raise_flag(int value);		/* never down */
void await_flag(int value);		/* or the test fails */

#endif
