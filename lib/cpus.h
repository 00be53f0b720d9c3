/* SPDX-License-Identifier: MIT */
/*
 * cpus.h - the quota of control groups
 */
#ifndef KN_CPUS_H
#define KN_CPUS_H

#include <limits.h>

#define KN_NO_QUOTA	INT_MAX

/*
 * In whole CPUs, rounded up; of the least of the groups that are listed in
 * that file and of those that they are in, below that directory.
 */
int kn_cpus_quota(const char *groups, const char *root);

#endif
