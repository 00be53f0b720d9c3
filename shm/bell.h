/* SPDX-License-Identifier: MIT */
/*
 * bell.h - what the files behind the kernel's door (os*.c) have in common
 */
#ifndef KN_BELL_H
#define KN_BELL_H

#include <errno.h>

#include "shm/os.h"

#define RING_THE_BELL(call)						\
	do {								\
		if (kn_unlikely(kn_os_hook != NULL)) {			\
			int hook_r = kn_os_hook(call);			\
			if (hook_r < 0)					\
				return hook_r;				\
		}							\
	} while (0)

static inline int
kn_result(long r)
{
	return r < 0 ? -errno : (int)r;
}

/* A descriptor above the standard three, or -errno. */
int kn_settled(int fd);

#endif
