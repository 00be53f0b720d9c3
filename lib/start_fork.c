/* SPDX-License-Identifier: MIT */
/*
 * start_fork.c - start a process by fork
 *
 *      parent                         child
 *        │ pipe, fork ──────────────────┐
 *        │ pidfd of the child           │ waits for a byte
 *        ├─ "go" ──────────────────────▶│ arms the lifeline
 *        │ keeps the write end          │ runs the entry
 *        ▼ dies: end of the pipe ──────▶✝ SIGKILL
 *
 * The child waits for the byte so that it cannot end, and be collected by the
 * application's SIGCHLD handler, and its pid be given to another, before we
 * hold a pidfd.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/entry.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"

/* The end of our own parent's pipe that we hold, if it started us. */
static int own_lifeline = -1;

/* The exit status for those who look at it alone: 0 only for 0. */
static int
exit_status(int value)
{
	return (value & 0xff) != 0 ? value & 0xff : value != 0;
}

static void __attribute__((noreturn))
run(const kin_process *p, kin_entry_fn *fn, const void *bytes, size_t len,
    int lifeline)
{
	kin_call call = { bytes, len };
	pid_t self = getpid();
	int value;
	char go;

	kn_os_close(own_lifeline);
	own_lifeline = lifeline;

	/* No byte: the parent died, or could not go on. */
	if (kn_os_read(lifeline, &go, 1) != 1 ||
	    kn_os_kill_on_hangup(lifeline) < 0)
		_exit(255);
	kn_os_name_process(p->name);

	value = fn(&call);
	/* A fork within the entry returns from it, too: not for us to report. */
	if (getpid() == self) {
		p->slip->value = value;
		p->slip->returned = 1;
	}
	fflush(NULL);
	_exit(exit_status(value));
}

/* Let it end, and collect it; it only waits for a byte that never comes. */
static void
give_up(kin_process *p)
{
	siginfo_t info;

	kn_os_close(p->lifeline);
	p->lifeline = -1;
	while (waitid(P_PID, (id_t)p->pid, &info, WEXITED) < 0 &&
	       errno == EINTR)
		;
}

/*
 * Another thread may hold a stream for as long as it likes (it reads from a
 * terminal), and a start does not wait: then only what is free is flushed.
 */
static void
flush_streams(bool threads)
{
	FILE *streams[] = { stdout, stderr };
	size_t i;

	if (!threads) {
		fflush(NULL);
		return;
	}
	for (i = 0; i < 2; i++)
		if (ftrylockfile(streams[i]) == 0) {
			fflush_unlocked(streams[i]);
			funlockfile(streams[i]);
		}
}

/* In one step for those who fork: a lifeline that is open is known. */
static int
make_lifeline(kin_process *p)
{
	int ends[2], r;

	kn_self_lock();
	r = kn_os_pipe(ends);
	if (r == 0)
		p->lifeline = ends[1];
	kn_self_unlock();
	return r < 0 ? kn_fail(r, "process '%s': its lifeline", p->name)
		     : ends[0];
}

int
kn_start_fork(kin_process *p, kin_entry_fn *fn, const void *bytes, size_t len,
	      bool threads)
{
	int end, r;

	end = make_lifeline(p);
	if (end < 0)
		return end;
	flush_streams(threads);
	r = p->pid = kn_os_fork();
	if (r == 0)
		run(p, fn, bytes, len, end);
	if (r < 0) {
		kn_os_close(end);
		return kn_fail(r, "process '%s': fork", p->name);
	}
	r = p->pidfd = kn_os_pidfd(p->pid);
	if (r >= 0)
		r = (int)kn_os_write(p->lifeline, "", 1);
	/* Not earlier: a pipe that nobody reads any more is a SIGPIPE. */
	kn_os_close(end);
	if (r < 0) {
		give_up(p);
		return kn_fail(r, "process '%s': its descriptor", p->name);
	}
	return 0;
}
