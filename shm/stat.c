/* SPDX-License-Identifier: MIT */
/*
 * stat.c - what the kernel tells of a process, or a thread, in /proc
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/os.h"
#include "shm/stat.h"

int
kn_stat_read_file(struct kn_stat *ret, const char *path)
{
	char text[1024];
	int parent;
	const char *p;
	ssize_t n;

	n = kn_os_read_file(path, text, sizeof(text));
	if (n == -ENOENT || n == -ESRCH)
		return -ESRCH;
	if (n < 0)
		return (int)n;
	/* The name, in parentheses, may hold anything, parentheses too. */
	p = strrchr(text, ')');
	if (p == NULL ||
	    sscanf(p + 1, " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
		   " %*s %*s %*s %*s %*s %*s %*s %" SCNu64, &ret->state,
		   &parent, &ret->start) != 3)
		return -EOPNOTSUPP;
	ret->parent = parent;
	return 0;
}

int
kn_stat_read(struct kn_stat *ret, pid_t pid)
{
	char path[32] = "/proc/self/stat";

	if (pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return kn_stat_read_file(ret, path);
}
