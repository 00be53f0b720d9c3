/* SPDX-License-Identifier: MIT */
/*
 * start_fork.c - start a process by fork
 *
 *      parent                         child
 *        │ pipe, fork ──────────────────┐ arms its lifeline: the pipe
 *        │ pidfd of the child           │ sleeps on a word in the slip
 *        ├─ go ────────────────────────▶│ runs the entry
 *        │ keeps the write end          │
 *        ▼ dies: end of the pipe ──────▶✝ SIGKILL
 *
 * The child waits so that it cannot end, and be collected by the application's
 * SIGCHLD handler, and its pid be given to another, before we hold a pidfd.
 *
 * Nothing is ever written to the pipe: a write signals the reader too, and so
 * late that the reader may have armed by then.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
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

/* The parent's death is the lifeline's business. */
static void
await_go(const kn_word *go)
{
	while (kn_load(go) == 0)
		(void)kn_os_futex_wait(go, 0, kin_in_ms(1000));
	if (kn_load(go) != KN_GO)
		_exit(255);
}

static void
tell(kn_word *go, uint32_t what)
{
	kn_store(go, what);
	(void)kn_os_futex_wake(go, 1);
}

static void __attribute__((noreturn))
run(const char *name, struct kn_slip *slip, kin_entry_fn *fn, kin_call *call,
    int lifeline)
{
	pid_t self = getpid();
	int value;

	kn_os_close(own_lifeline);
	own_lifeline = lifeline;
	if (kn_os_kill_on_hangup(lifeline) < 0) {
		kill(self, SIGKILL);	/* it has not run, and never will */
		_exit(255);
	}
	await_go(&slip->go);
	kn_os_name_process(name);

	value = fn(call);
	/* A fork within the entry returns from it, too: not for us to report. */
	if (getpid() == self) {
		slip->value = value;
		__atomic_store_n(&slip->returned, 1, __ATOMIC_RELEASE);
	}
	fflush(NULL);
	_exit(exit_status(value));
}

/* There is no pidfd of it: let it end by itself, and collect it. */
static void
give_up(kin_process *p)
{
	tell(&p->slip->go, KN_GO_NOT);
	kn_os_close(p->lifeline);
	p->lifeline = -1;
	kn_os_reap(p->pid);
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
	kin_call call = { bytes, len };
	struct kn_slip *slip = p->slip;	/* the child's handles lose it */
	int end, r;

	end = make_lifeline(p);
	if (end < 0)
		return end;
	flush_streams(threads);
	r = p->pid = kn_os_fork();
	if (r == 0)
		run(p->name, slip, fn, &call, end);
	kn_os_close(end);
	if (r < 0)
		return kn_fail(r, "process '%s': fork", p->name);

	r = p->pidfd = kn_os_pidfd(p->pid);
	if (r < 0) {
		give_up(p);
		return kn_fail(r, "process '%s': its descriptor", p->name);
	}
	/* From now on other children have no business with it. */
	(void)kn_os_advise(slip, KN_PAGE, MADV_DONTFORK);
	tell(&slip->go, KN_GO);
	return 0;
}
