/* SPDX-License-Identifier: MIT */
/*
 * left.c - what there is of that which may be left behind
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/left.h"

/* Without . and .., and -1 if there is no such folder. */
static int
entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = -2;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

int
kit_descriptors(void)
{
	int n = entries("/proc/self/fd");

	if (n < 0)
		abort();
	return n;
}

/* Shared ones, whatever of, and private ones of shared memory. */
int
kit_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096];
	int n = 0;

	if (maps == NULL)
		abort();
	while (fgets(line, sizeof(line), maps) != NULL)
		n += strstr(line, "s 0") != NULL ||
		     strstr(line, "/memfd:") != NULL ||
		     strstr(line, "/dev/shm/") != NULL;
	fclose(maps);
	return n;
}

int
has_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

struct left
left_now(void)
{
	int names = entries(getenv("KIN_DIR"));

	return (struct left){
		.descriptors = kit_descriptors(),
		.mappings = kit_mappings(),
		.names = names > 0 ? names : 0,
		.children = has_child(),
	};
}
