/* SPDX-License-Identifier: MIT */
/*
 * fault.c - the k-th kernel call fails, and nothing is left
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fault.h"

/* ---- the hook ---- */

char failed_call[32];

static struct {
	pid_t pid;			/* whose calls fail; 0 = whose do not */
	pid_t spared;			/* if pid is 0: all but this one's */
	int left;			/* to the one that fails */
	int number;			/* what it fails with */
} fault;

static int
fail_kth(const char *call)
{
	pid_t self = getpid();

	if (fault.pid != 0 ? self != fault.pid : self == fault.spared)
		return 0;
	/* How often a child sleeps before it goes is up to the machine. */
	if (fault.pid == 0 && strcmp(call, "futex_wait") == 0)
		return 0;
	if (--fault.left != 0)
		return 0;
	snprintf(failed_call, sizeof(failed_call), "%s", call);
	return fault.number;
}

void
arm(int k, int number)
{
	fault.pid = getpid();
	fault.left = k;
	fault.number = number;
	failed_call[0] = '\0';
	kn_os_hook = fail_kth;
}

void
arm_others(int k, int number)
{
	arm(k, number);
	fault.pid = 0;
	fault.spared = getpid();
}

bool
disarm(void)
{
	kn_os_hook = NULL;
	return failed_call[0] != '\0';
}

/* ---- what is there ---- */

void
ck_same(const struct left *before, const char *op, int k)
{
	struct left now = left_now();

	ck_assert_msg(memcmp(before, &now, sizeof(now)) == 0,
		      "%s, call %d (%s) failed: left are %d descriptors, %d "
		      "mappings, %d names, %d children", op, k, failed_call,
		      now.descriptors - before->descriptors,
		      now.mappings - before->mappings,
		      now.names - before->names,
		      now.children - before->children);
}
