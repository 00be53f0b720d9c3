/* SPDX-License-Identifier: MIT */
/*
 * served.c - a manager's server for a test, on either engine
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/served.h"

void
choose_engine(int engine)
{
	if (engine == 0)
		unsetenv("KIN_IO");
	else
		setenv("KIN_IO", "epoll", 1);
}

/* ThreadSanitizer has a thread of its own. */
#if defined(__SANITIZE_THREAD__)
#define FLAGS	KIN_MANAGER_THREADS
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FLAGS	KIN_MANAGER_THREADS
#endif
#endif
#ifndef FLAGS
#define FLAGS	0
#endif

kin_manager *
serve(int engine)
{
	kin_manager *m;

	choose_engine(engine);
	ck_kin_ok(kin_manager_start(&m, KIN_OPTS(kin_manager_opts,
						 .flags = FLAGS),
				    KIT_PATIENCE));
	return m;
}

void
unserve(kin_manager *m)
{
	ck_kin_ok(kin_manager_stop(m, KIT_PATIENCE));
	kin_manager_close(m);
}

struct kin_manager_counts
counts(kin_manager *m)
{
	struct kin_manager_counts c;

	ck_kin_ok(kin_manager_count(m, &c, KIT_PATIENCE));
	return c;
}

static void
await_count(kin_manager *m, const char *what, uint64_t n,
	    uint64_t (*of)(const struct kin_manager_counts *c))
{
	kin_time patience = KIT_PATIENCE;
	struct kin_manager_counts c;

	for (;;) {
		c = counts(m);
		if (of(&c) == n)
			return;
		if (kin_now().ns > patience.ns)
			ck_abort_msg("%" PRIu64 " %s, not %" PRIu64
				     " (%" PRIu64 " under way)", of(&c), what,
				     n, c.underway);
		sched_yield();
	}
}

static uint64_t
objects_of(const struct kin_manager_counts *c)
{
	return c->objects;
}

static uint64_t
sessions_of(const struct kin_manager_counts *c)
{
	return c->sessions;
}

void
await_objects(kin_manager *m, uint64_t n)
{
	await_count(m, "objects", n, objects_of);
}

void
await_sessions(kin_manager *m, uint64_t n)
{
	await_count(m, "sessions", n, sessions_of);
}

void
bury(kin_manager *m)
{
	pid_t pid = kin_manager_pid(m);

	kin_manager_close(m);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

void
await_gone(pid_t pid)
{
	kin_time patience = KIT_PATIENCE;

	while (kill(pid, 0) == 0) {
		(void)waitpid(pid, NULL, WNOHANG);
		ck_assert_msg(kin_now().ns < patience.ns, "%d lives on",
			      (int)pid);
		sched_yield();
	}
	ck_assert_int_eq(errno, ESRCH);
}

static int
nothing(kin_call *call)
{
	(void)call;
	return 0;
}

void
await_collected(pid_t pid)
{
	kin_process *p;
	siginfo_t info;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
		if (errno != EINTR)
			break;		/* it has been already */
	ck_kin_ok(kin_process_start(&p, nothing, KIN_ARGS(), NULL));
	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	kin_process_close(p);
	ck_assert_int_eq(kill(pid, 0), -1);
}
