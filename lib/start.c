/* SPDX-License-Identifier: MIT */
/*
 * start.c - what the parent does in every start
 */
#include <stdio.h>

#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/socket.h"

void
kn_start_ends_close(const struct kn_ends *ends)
{
	kn_os_close(ends->lifeline);
	kn_os_close(ends->line);
}

static int
open_ends(kin_process *p, struct kn_ends *ret)
{
	int pipe[2], line[2], r;

	r = kn_os_pipe(pipe);
	if (r < 0)
		return kn_fail(r, "process '%s': its lifeline", p->name);
	r = kn_os_socketpair(line);
	if (r < 0) {
		kn_os_close(pipe[0]);
		kn_os_close(pipe[1]);
		return kn_fail(r, "process '%s': its line back", p->name);
	}
	*ret = (struct kn_ends){ pipe[0], line[0] };
	p->lifeline = pipe[1];
	p->line = line[1];
	return 0;
}

/* In one step for those who fork: a lifeline that is open is known. */
int
kn_start_ends_open(kin_process *p, struct kn_ends *ret)
{
	int r;

	kn_self_lock();
	r = open_ends(p, ret);
	kn_self_unlock();
	return r;
}

/*
 * Another thread may hold a stream for as long as it likes (it reads from a
 * terminal), and a start does not wait: then only what is free is flushed.
 */
void
kn_start_flush(bool threads)
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

void
kn_start_tell(struct kn_slip *slip, uint32_t what)
{
	if (what == KN_GO)
		kn_family_starter(&slip->starter);
	kn_store(&slip->go, what);
	(void)kn_os_futex_wake(&slip->go, 1);
}

void
kn_start_cut(kin_process *p)
{
	kn_self_lock();
	kn_os_close(p->lifeline);
	kn_os_close(p->line);
	p->lifeline = p->line = -1;
	kn_self_unlock();
}

void
kn_start_undo(kin_process *p)
{
	kn_start_cut(p);
	kn_os_reap_fd(p->pidfd);
	if (p->served.server != NULL)
		(void)kn_served_await(&p->served, p->pidfd, KIN_FOREVER);
}

int
kn_start_await(kin_process *p)
{
	int r = kn_child_await(p->line, p->pidfd, p->name);

	if (r < 0)
		kn_start_undo(p);
	return r;
}
