/* SPDX-License-Identifier: MIT */
/*
 * status.c - how a process ended
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/family.h"
#include "lib/pledge.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/log.h"
#include "shm/os.h"
#include "shm/self.h"

#define COLLECTING_MS	1000		/* by others, who have begun to */

bool
kn_process_is_foreign(const kin_process *p)
{
	return p->generation != kn_self_generation();
}

int
kn_process_check(const kin_process *p)
{
	return !kn_process_is_foreign(p) ? 0 :
	       kn_fail(-ESTALE, "process '%s' was started by another", p->name);
}

/* The child has ended, and takes nothing any more. */
void
kn_process_take_back(kin_process *p)
{
	unsigned char *pledged;

	kn_self_lock();
	pledged = p->pledged;
	p->pledged = NULL;
	kn_self_unlock();
	if (pledged != NULL && !kn_process_is_foreign(p))
		kn_pledges_drop(pledged, p->npledged);
	free(pledged);
}

/* ---- what the kernel says ---- */

static void
exited(kin_process *p, int status)
{
	p->status.how = KIN_EXITED;
	p->status.code = p->slip != NULL && kn_load(&p->slip->returned)
			 ? (int)kn_load(&p->slip->value) : status;
}

static void
signalled(kin_process *p, int signal, bool core)
{
	p->status.how = KIN_SIGNALLED;
	p->status.signal = signal;
	p->status.core = core;
	p->status.by_us = (__atomic_load_n(&p->sent, __ATOMIC_RELAXED) >>
			   (signal & 63)) & 1;
}

/*
 * Its status was somebody else's to collect: what the kernel keeps for all who
 * have a pidfd of it.  Where it does, it is there only once that somebody has
 * collected, and then the pidfd hangs up.
 */
static int
status_kept(int pidfd, int *ret, kin_time until)
{
	struct pollfd collected = { .fd = pidfd };
	int r = kn_os_exit_status(pidfd, ret);

	if (r != -EAGAIN)
		return r;
	r = kn_os_poll(&collected, 1, until);
	return r > 0 ? kn_os_exit_status(pidfd, ret) : -EAGAIN;
}

void
kn_process_recall(kin_process *p, kin_time until)
{
	int status;

	p->status.how = KIN_UNKNOWN;
	if (status_kept(p->pidfd, &status, until) < 0)
		return;
	if (WIFEXITED(status))
		exited(p, WEXITSTATUS(status));
	else
		signalled(p, WTERMSIG(status), WCOREDUMP(status));
}

/* What the fork server has told, or is not there to tell any more. */
static void
ask_server(kin_process *p)
{
	const struct kn_tell *end = kn_served_end(&p->served);

	if (end == NULL) {
		kn_process_recall(p, KIN_NOWAIT);
		return;
	}
	if (end->number == CLD_EXITED)
		exited(p, end->status);
	else
		signalled(p, end->status, end->number == CLD_DUMPED);
	p->status.usage = end->usage;
	p->status.has_usage = 1;
}

static void
ask(kin_process *p)
{
	struct kin_status *s = &p->status;
	siginfo_t info = { 0 };
	int r;

	if (p->served.server != NULL) {
		ask_server(p);
		return;
	}
	r = kn_os_wait(p->pidfd, &info, WEXITED | WNOHANG, &s->usage);
	if (r == -ECHILD)
		kn_process_recall(p, kin_in_ms(COLLECTING_MS));
	else if (r < 0 || info.si_pid == 0)
		s->how = KIN_UNKNOWN;
	else if (info.si_code == CLD_EXITED)
		exited(p, info.si_status);
	else
		signalled(p, info.si_status, info.si_code == CLD_DUMPED);
	s->has_usage = r == 0 && info.si_pid != 0;
}

void
kn_process_settle_locked(kin_process *p)
{
	if (p->ended)
		return;
	ask(p);
	p->status.started = p->started;
	p->status.ended = kin_now();
	p->ended = true;
	kn_os_close(p->lifeline);
	p->lifeline = -1;
}

static bool
is_settled(kin_process *p)
{
	bool ended;

	kn_self_lock();
	ended = p->ended;
	kn_self_unlock();
	return ended;
}

/* Poll says that it has ended; many threads may have heard. */
static void
settle(kin_process *p)
{
	bool known;

	kn_self_lock();
	known = p->ended;
	kn_process_settle_locked(p);
	kn_self_unlock();
	kn_process_take_back(p);
	if (!known)
		kn_process_log_end(p);
}

void
kn_process_log_end(const kin_process *p)
{
	char words[80];

	kin_log(KIN_LOG_DEBUG, "process '%s' (%d) %s", p->name, (int)p->pid,
		kin_status_words(&p->status, words, sizeof(words)));
}

/* ---- waiting for it ---- */

int
kn_process_await(kin_process *p, kin_time deadline)
{
	struct pollfd end = { .fd = p->pidfd, .events = POLLIN };

	return kn_os_poll(&end, 1, deadline);
}

int
kin_process_join(kin_process *p, struct kin_status *ret_status,
		 kin_time deadline)
{
	int r;

	kn_assert(p != NULL);
	r = kn_process_check(p);
	if (r < 0)
		return r;
	if (p->role != KN_CHILD_OF_OURS)
		return kn_family_join(p, ret_status, deadline);
	r = kn_process_await(p, deadline);
	if (r < 0)
		return kn_fail(r, "waiting for process '%s'", p->name);
	if (r == 0)
		return kn_fail(-ETIMEDOUT, "process '%s' (%d) ran until the "
			       "deadline", p->name, (int)p->pid);
	if (p->served.server != NULL && !is_settled(p)) {
		r = kn_served_await(&p->served, p->pidfd, deadline);
		if (r < 0)
			return kn_fail(r, "process '%s' has ended, and the "
				       "fork server does not say how", p->name);
	}
	settle(p);
	if (ret_status != NULL)
		*ret_status = p->status;
	return 0;
}

int
kin_process_alive(kin_process *p)
{
	int r;

	kn_assert(p != NULL);
	r = kn_process_check(p);
	if (r < 0)
		return r;
	if (p->role == KN_OURSELVES)
		return 1;
	if (p->pidfd < 0)
		return 0;
	r = kn_process_await(p, KIN_NOWAIT);
	return r < 0 ? kn_fail(r, "looking at process '%s'", p->name) : r == 0;
}

/* ---- in words ---- */

/* "SIGKILL"; or "signal 40", where it has no name or libc does not know. */
static void
name_signal(char *buf, size_t cap, int signal)
{
	const char *name = NULL;

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
	name = sigabbrev_np(signal);
#endif
	if (name != NULL)
		snprintf(buf, cap, "SIG%s", name);
	else
		snprintf(buf, cap, "signal %d", signal);
}

const char *
kin_status_words(const struct kin_status *status, char *buf, size_t cap)
{
	char name[32];

	kn_assert(status != NULL);
	switch (status->how) {
	case KIN_EXITED:
		snprintf(buf, cap, "exited with %d", status->code);
		break;
	case KIN_SIGNALLED:
		name_signal(name, sizeof(name), status->signal);
		snprintf(buf, cap, "killed by %s%s", name,
			 status->core ? ", core dumped" : "");
		break;
	default:
		snprintf(buf, cap, "ended; its status was taken by others");
	}
	return buf;
}
