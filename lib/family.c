/* SPDX-License-Identifier: MIT */
/*
 * family.c - who this process is, and who has started it
 *
 * Two handles that nobody made and nobody closes.  A child knows its parent by
 * pid and start time, so that a later process of the same pid is not taken for
 * it; and it looks for it only when it is asked for.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/family.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/log.h"
#include "shm/os.h"
#include "shm/self.h"

static kin_process self = { .role = KN_OURSELVES, .pidfd = -1 };
static kin_process parent = { .role = KN_PARENT_OF_OURS, .pidfd = -1 };
static struct kn_starter starter;	/* of this process */
static struct kn_peer me;
static uint32_t me_generation;		/* in which that was true */

/* The application's own fork has its parent, whom kin does not know. */
static void
in_child(void)
{
	memset(&starter, 0, sizeof(starter));
	kn_os_close(parent.pidfd);
	parent.pidfd = -1;
	parent.generation = self.generation = 0;
}

__attribute__((constructor)) static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

static void
name_self_locked(void)
{
	if (self.name[0] == '\0')
		snprintf(self.name, sizeof(self.name), "%s",
			 program_invocation_short_name);
}

void
kn_family_starter(struct kn_starter *ret)
{
	uint32_t now = kn_self_generation();

	kn_self_lock();
	if (me_generation != now)
		kn_peer_self(&me);
	me_generation = now;
	name_self_locked();
	ret->peer = me;
	memcpy(ret->name, self.name, sizeof(ret->name));
	ret->log_level = kin_log_level();
	ret->zero = 0;
	kn_self_unlock();
}

void
kn_family_begin(const char *name, const struct kn_starter *by)
{
	kn_self_lock();
	kn_name_copy(self.name, sizeof(self.name), name);
	starter = *by;
	starter.name[sizeof(starter.name) - 1] = '\0';
	kn_self_unlock();
	kn_log_name(name);
	kn_log_inherit(by->log_level);
}

/* ---- handles ---- */

kin_process *
kin_process_self(void)
{
	uint32_t now = kn_self_generation();

	kn_self_lock();
	name_self_locked();
	if (self.generation != now) {
		self.pid = getpid();
		self.generation = now;
	}
	kn_self_unlock();
	return &self;
}

static void
find_parent_locked(uint32_t now)
{
	parent.pid = (pid_t)starter.peer.pid;
	memcpy(parent.name, starter.name, sizeof(parent.name));
	parent.pidfd = kn_peer_open(&starter.peer);
	parent.ended = parent.pidfd == -ESRCH;
	if (parent.pidfd >= 0 || parent.ended)
		parent.generation = now;
}

kin_process *
kin_process_parent(void)
{
	uint32_t now = kn_self_generation();
	kin_process *ret = NULL;

	kn_self_lock();
	if (starter.peer.pid != 0 && parent.generation != now)
		find_parent_locked(now);
	if (parent.generation == now)
		ret = &parent;
	kn_self_unlock();
	return ret;
}

/* ---- their end ---- */

static int
join_parent(struct kin_status *ret_status, kin_time deadline)
{
	int r;

	kn_self_lock();
	r = parent.ended;
	kn_self_unlock();
	if (r == 0)
		r = kn_process_await(&parent, deadline);
	if (r < 0)
		return kn_fail(r, "waiting for our parent's end");
	if (r == 0)
		return kn_fail(-ETIMEDOUT, "our parent '%s' (%d) ran until the "
			       "deadline", parent.name, (int)parent.pid);
	kn_self_lock();
	if (!parent.ended || parent.status.how == 0) {
		parent.status.how = KIN_UNKNOWN;
		if (parent.pidfd >= 0)
			kn_process_recall(&parent, KIN_NOWAIT);
		parent.ended = true;
	}
	if (ret_status != NULL)
		*ret_status = parent.status;
	kn_self_unlock();
	return 0;
}

int
kn_family_join(kin_process *p, struct kin_status *ret_status,
	       kin_time deadline)
{
	if (p->role == KN_OURSELVES)
		return kn_fail(-EDEADLK, "process '%s' would wait for its own "
			       "end", p->name);
	return join_parent(ret_status, deadline);
}
