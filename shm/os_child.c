/* SPDX-License-Identifier: MIT */
/*
 * os_child.c - kernel calls of a child that is to be a process of its own
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* ---- what it is made with ---- */

int
kn_os_chdir(const char *path)
{
	RING_THE_BELL("chdir");
	return kn_result(chdir(path));
}

int
kn_os_new_group(void)
{
	RING_THE_BELL("setpgid");
	return kn_result(setpgid(0, 0));
}

int
kn_os_new_session(void)
{
	RING_THE_BELL("setsid");
	return kn_result(setsid());
}

int
kn_os_add_nice(int more)
{
	RING_THE_BELL("setpriority");
	return kn_result(setpriority(PRIO_PROCESS, 0,
				     getpriority(PRIO_PROCESS, 0) + more));
}

int
kn_os_set_cpus(const uint64_t *bits, size_t bytes)
{
	RING_THE_BELL("sched_setaffinity");
	return kn_result(sched_setaffinity(0, bytes, (const cpu_set_t *)bits));
}

int
kn_os_set_limit(int resource, uint64_t soft, uint64_t hard)
{
	/* A process is bound by the kernel's own, whatever libc makes of it. */
	const uint64_t limit[] = { soft, hard };

	RING_THE_BELL("prlimit");
	return kn_result(syscall(SYS_prlimit64, 0, resource, limit, NULL));
}

void
kn_os_set_umask(unsigned mask)
{
	umask((mode_t)mask);
}

int
kn_os_put(int fd, int at)
{
	RING_THE_BELL("dup2");
	return kn_result(dup2(fd, at));
}
