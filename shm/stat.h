/* SPDX-License-Identifier: MIT */
/*
 * stat.h - what the kernel tells of a process, or a thread, in /proc
 */
#ifndef KN_STAT_H
#define KN_STAT_H

#include <stdint.h>
#include <sys/types.h>

struct kn_stat {
	char state;			/* R, S, D, T, t, Z, X, ... */
	pid_t parent;
	uint64_t start;			/* clock ticks since boot */
};

/* -ESRCH: there is none. */
int kn_stat_read(struct kn_stat *ret, pid_t pid);	/* 0 = ourselves */
int kn_stat_read_file(struct kn_stat *ret, const char *path);

#endif
