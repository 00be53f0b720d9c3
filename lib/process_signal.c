/* SPDX-License-Identifier: MIT */
/*
 * process_signal.c - what is done to a process that runs
 */
#include <errno.h>
#include <signal.h>

#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/os_pass.h"
#include "shm/self.h"

/* What it may die of next; before the signal, so that its joiner sees it. */
void
kn_process_note(kin_process *p, int signal)
{
	if (signal > 0 && signal < 64)
		__atomic_fetch_or(&p->sent, 1ull << signal, __ATOMIC_RELAXED);
}

static int
deliver(kin_process *p, int signal)
{
	bool ended;

	if (p->role == KN_OURSELVES)
		return kn_os_signal_self(signal);
	kn_self_lock();
	ended = p->ended;
	kn_self_unlock();
	return ended ? -ESRCH : kn_os_signal(p->pidfd, signal);
}

int
kin_process_signal(kin_process *p, int signal)
{
	int r;

	kn_assert(p != NULL);
	r = kn_process_check(p);
	if (r < 0)
		return r;
	kn_process_note(p, signal);
	r = deliver(p, signal);
	return r < 0 ? kn_fail(r, "signal %d to process '%s'", signal, p->name)
		     : 0;
}

int
kin_process_terminate(kin_process *p)
{
	return kin_process_signal(p, SIGTERM);
}

int
kin_process_interrupt(kin_process *p)
{
	return kin_process_signal(p, SIGINT);
}

int
kin_process_kill(kin_process *p)
{
	return kin_process_signal(p, SIGKILL);
}

/*
 * The write end of its lifeline lies in the line to it, where nobody reads it:
 * so it is open for as long as the child is, and no longer.
 */
int
kn_process_cut_loose(kin_process *p)
{
	int r;

	kn_self_lock();
	r = p->lifeline >= 0 ? kn_os_pass(p->line, &p->lifeline, 1) : 0;
	if (r == 0) {
		kn_os_close(p->lifeline);
		p->lifeline = -1;
		p->detached = true;
		p->daemon = false;
	}
	kn_self_unlock();
	return r < 0 ? kn_fail(r, "detaching process '%s'", p->name) : 0;
}

int
kin_process_detach(kin_process *p)
{
	int r;

	kn_assert(p != NULL);
	r = kn_process_check(p);
	if (r < 0)
		return r;
	if (p->role != KN_CHILD_OF_OURS)
		return kn_fail(-EINVAL, "process '%s' is no child of ours",
			       p->name);
	r = kin_process_alive(p);
	if (r == 0)
		return kn_fail(-ESRCH, "process '%s' has ended", p->name);
	return r < 0 ? r : kn_process_cut_loose(p);
}

void
kn_process_apart(kin_process *p)
{
	kn_self_lock();
	p->apart = true;
	kn_self_unlock();
}
