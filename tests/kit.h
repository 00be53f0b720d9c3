/* SPDX-License-Identifier: MIT */
/*
 * kit.h - what every test has: kin's words in failures, and a look at what a
 * test leaves behind
 *
 * Each test runs in a process of its own.  At its end nothing may be left that
 * was not there at its begin: no descriptor, no mapping of shared memory, no
 * name, no child (not even one that another process has orphaned).
 */
#ifndef KIT_H
#define KIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <check.h>
#include <kin/kin.h>

#include "tests/left.h"

/* Works, or the test fails with kin's own words for what went wrong. */
#define ck_kin_ok(expr)							\
	do {								\
		long kit_r = (long)(expr);				\
		ck_assert_msg(kit_r >= 0, "%s: %s: %s", #expr,		\
			      kin_strerror((int)kit_r), kin_errmsg());	\
	} while (0)

/* Fails with that number, and says so in a sentence of its own. */
#define ck_kin_fails(number, expr)					\
	do {								\
		long kit_r;						\
									\
		kit_forget();						\
		kit_r = (long)(expr);					\
		ck_assert_msg(kit_r == (number), "%s: %ld (%s), not %s",	\
			      #expr, kit_r, kin_errmsg(),		\
			      kin_strerror(number));			\
		ck_assert_msg(!kit_forgotten(), "%s: no sentence", #expr); \
	} while (0)

/* For inner loops: Check's own leave a note of each that holds. */
#define ck_fast(expr)							\
	do {								\
		if (!(expr))						\
			ck_abort_msg("%s: %s", #expr, kin_errmsg());	\
	} while (0)

void kit_forget(void);			/* puts a mark into the sentence */
bool kit_forgotten(void);		/* it is still there */

/* Long enough for a loaded machine; who hits it has hung. */
#define KIT_PATIENCE	kin_in_ms(60000)

/* A case whose tests are looked at before and after. */
TCase *kit_case(Suite *suite, const char *name);

/* Runs it, prints TAP, returns main's value. */
int kit_run(Suite *suite);

/* A child that is ours alone; it must not return into the test: _exit. */
pid_t kit_fork(void);
void kit_kill(pid_t pid);		/* SIGKILL, and wait for its end */
void kit_reap(pid_t pid, int code);	/* it must exit with code */

/* The same numbers from the same seed, which is not 0. */
uint32_t next_random(uint32_t *state);

/* Where this test's names live. */
const char *kit_names(void);

#endif
