/* SPDX-License-Identifier: MIT */
/*
 * os_child.c - kernel calls of a child that is to be a process of its own
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/bell.h"

/* Where the call is refused by a sandbox that does not know it. */
static void
close_one_by_one(unsigned from, unsigned to)
{
	struct rlimit limit = { 1024, 1024 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (; from <= to && from < limit.rlim_cur; from++)
		close((int)from);
}

static void
close_from_to(unsigned from, unsigned to)
{
	if (from <= to && syscall(SYS_close_range, from, to, 0) < 0)
		close_one_by_one(from, to);
}

void
kn_os_close_others(const int *keep, unsigned n)
{
	unsigned from = 3, i, next;

	for (;;) {
		next = ~0u;
		for (i = 0; i < n; i++)
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next == ~0u)
			break;
		close_from_to(from, next - 1);
		from = next + 1;
	}
	close_from_to(from, ~0u);
}

void
kn_os_signals_default(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL }, old;
	sigset_t none;
	int signal;

	for (signal = 1; signal < NSIG; signal++)
		if (sigaction(signal, NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN && old.sa_handler != SIG_DFL)
			(void)sigaction(signal, &act, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
