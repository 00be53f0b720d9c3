/* SPDX-License-Identifier: MIT */
/*
 * crash.h - what a child leaves that dies by a fault
 */
#ifndef KN_CRASH_H
#define KN_CRASH_H

#include <kin/crash.h>

#include "shm/word.h"

/*
 * In a page that parent and child map; the child's handler writes it, and each
 * step counts when its number is stored.
 */
#define KN_CRASH_SIGNAL	1u		/* all but these: */
#define KN_CRASH_FRAMES	2u
#define KN_CRASH_TEXT	3u

struct kn_crash {
	kn_word steps;			/* KN_CRASH_...; 0 = it did not crash */
	struct kin_crash is;
};

_Static_assert(sizeof(struct kn_crash) <= KN_PAGE, "it has one page");

/* In a child: leave it there from now on.  What fails only means none. */
void kn_crash_watch(struct kn_crash *page);

#endif
