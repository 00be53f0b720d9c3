/* SPDX-License-Identifier: MIT */
/*
 * sleeper.c - children that sleep in a call
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sleeper.h"

static char
state_of(pid_t pid)
{
	char path[32], text[512] = "";
	const char *p;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	(void)fgets(text, sizeof(text), file);
	fclose(file);
	p = strrchr(text, ')');
	return p != NULL ? p[2] : 0;
}

void
await_sleep_of(pid_t pid)
{
	kin_time patience = KIT_PATIENCE;

	while (state_of(pid) != 'S') {
		ck_fast(kin_now().ns < patience.ns);
		sched_yield();
	}
}

pid_t
runner(sleeper_fn *fn, void *arg, int flag)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		raise_flag(flag);
		_exit(abs(fn(arg)));
	}
	return pid;
}

pid_t
sleeper(sleeper_fn *fn, void *arg, int flag)
{
	pid_t pid = runner(fn, arg, flag);

	await_flag(flag);
	await_sleep_of(pid);
	return pid;
}
