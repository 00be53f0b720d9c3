/* SPDX-License-Identifier: MIT */
/*
 * cpus.c - how many processes there is room for
 *
 *      /proc/self/cgroup               what the quota is in
 *        0::/a/b                       ROOT/a/b/cpu.max          "MAX PERIOD"
 *        3:cpu,cpuacct:/a/b            ROOT/cpu,cpuacct/a/b/cpu.cfs_quota_us
 *
 * A group has no more than the one that it is in.  In a container the path may
 * be that of the host, of which the container sees the last part or only the
 * root: so what is not there is left out, up to the root itself.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <kin/cpu.h>

#include "lib/cpus.h"
#include "shm/os.h"

#define PATH	1024u

static int
least(int a, int b)
{
	return a < b ? a : b;
}

static int
whole(int64_t quota, int64_t period)
{
	int64_t cpus;

	if (quota <= 0 || period <= 0)
		return KN_NO_QUOTA;
	cpus = quota / period + (quota % period != 0);
	return cpus < KN_NO_QUOTA ? (int)cpus : KN_NO_QUOTA;
}

/* The numbers in DIR/NAME: how many there are. */
static int
numbers(const char *dir, const char *name, int64_t *ret_a, int64_t *ret_b)
{
	char path[PATH + 32], text[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (kn_os_read_file(path, text, sizeof(text)) < 0)
		return 0;
	return sscanf(text, "%" SCNd64 " %" SCNd64, ret_a, ret_b);
}

/* "max 100000" is no number. */
static int
quota_of_v2(const char *dir)
{
	int64_t quota = 0, period = 0;

	return numbers(dir, "cpu.max", &quota, &period) == 2
	       ? whole(quota, period) : KN_NO_QUOTA;
}

/* -1 is none. */
static int
quota_of_v1(const char *dir)
{
	int64_t quota = 0, period = 0, rest;

	return numbers(dir, "cpu.cfs_quota_us", &quota, &rest) >= 1 &&
	       numbers(dir, "cpu.cfs_period_us", &period, &rest) >= 1
	       ? whole(quota, period) : KN_NO_QUOTA;
}

/* Of dir, and of those above it down to the first keep bytes. */
static int
quota_of_all(char *dir, size_t keep, int (*quota_of)(const char *dir))
{
	int quota = KN_NO_QUOTA;
	char *slash;

	for (;;) {
		quota = least(quota, quota_of(dir));
		slash = strrchr(dir, '/');
		if (slash == NULL || slash < dir + keep)
			return quota;
		*slash = '\0';
	}
}

static bool
has_cpu(const char *controllers)
{
	const char *at = strstr(controllers, "cpu");

	for (; at != NULL; at = strstr(at + 3, "cpu"))
		if ((at == controllers || at[-1] == ',') &&
		    (at[3] == '\0' || at[3] == ','))
			return true;
	return false;
}

/* A line is NUMBER:CONTROLLERS:PATH; of version 2 there are no controllers. */
static int
quota_of_line(char *line, const char *root)
{
	char *controllers = strchr(line, ':'), *path, dir[PATH];
	size_t keep;

	path = controllers != NULL ? strchr(++controllers, ':') : NULL;
	if (path == NULL)
		return KN_NO_QUOTA;
	*path++ = '\0';
	if (controllers[0] == '\0') {
		keep = strlen(root);
		snprintf(dir, sizeof(dir), "%s%s", root, path);
		return quota_of_all(dir, keep, quota_of_v2);
	}
	if (!has_cpu(controllers))
		return KN_NO_QUOTA;
	keep = strlen(root) + 1 + strlen(controllers);
	snprintf(dir, sizeof(dir), "%s/%s%s", root, controllers, path);
	return quota_of_all(dir, keep, quota_of_v1);
}

int
kn_cpus_quota(const char *groups, const char *root)
{
	char text[4096], *line, *rest = text;
	int quota = KN_NO_QUOTA;

	if (kn_os_read_file(groups, text, sizeof(text)) < 0)
		return quota;
	while ((line = strsep(&rest, "\n")) != NULL)
		quota = least(quota, quota_of_line(line, root));
	return quota;
}

int
kin_cpu_count(void)
{
	int n = least(kn_os_cpus(), kn_cpus_quota("/proc/self/cgroup",
						  "/sys/fs/cgroup"));

	return n > 0 ? n : 1;
}
