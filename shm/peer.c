/* SPDX-License-Identifier: MIT */
/*
 * peer.c - who a process is, and whether it still maps a file
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/maps.h"
#include "shm/os.h"
#include "shm/peer.h"
#include "shm/stat.h"

static int
start_of(pid_t pid, uint64_t *ret_start)
{
	struct kn_stat stat = { 0 };
	int r = kn_stat_read(&stat, pid);

	*ret_start = stat.start;
	return r;
}

/* Which process a pid means in our namespace, and whether it has ended. */
static int
number_of(pid_t pid, uint64_t *ret_number, bool *ret_ended)
{
	struct pollfd end = { .events = POLLIN };

	end.fd = kn_os_pidfd(pid);
	if (end.fd < 0)
		return end.fd;
	*ret_number = kn_os_pidfd_number(end.fd);
	*ret_ended = kn_os_poll(&end, 1, KIN_NOWAIT) > 0;
	kn_os_close(end.fd);
	return 0;
}

/* Its inode, or 0. */
static uint64_t
own_namespace(void)
{
	struct stat ns;

	return kn_os_stat_path("/proc/thread-self/ns/pid", &ns) == 0
	       ? ns.st_ino : 0;
}

void
kn_peer_self(struct kn_peer *ret)
{
	bool ended;

	ret->pid = (uint32_t)getpid();
	ret->start = ret->number = 0;
	ret->pid_namespace = own_namespace();
	(void)start_of(0, &ret->start);
	(void)number_of((pid_t)ret->pid, &ret->number, &ended);
}

/*
 * Does that very process live, all its threads taken together?  1, 0, or
 * -EAGAIN: who knows.  A pid that is no process's by now, but a thread's, is
 * -ENOENT or -EINVAL to the kernel; a sandbox may know no pidfds at all.
 */
static int
lives(const struct kn_peer *peer)
{
	uint64_t number, start;
	bool ended;
	int r, seen = number_of((pid_t)peer->pid, &number, &ended);

	if (seen == -ESRCH || seen == -ENOENT || seen == -EINVAL ||
	    (seen == 0 && ended))
		return 0;
	if (peer->number != 0 && seen == 0)
		return number == peer->number;
	if (peer->pid_namespace == 0 ||
	    peer->pid_namespace != own_namespace())
		return 0;
	r = start_of((pid_t)peer->pid, &start);
	if (r == -ESRCH || (r == 0 && start != peer->start))
		return 0;
	return r < 0 ? -EAGAIN : 1;
}

/*
 * What /proc says of it: 1, it maps the file; 0, only others; -EAGAIN: it
 * cannot be read, or is of another process, in another namespace's /proc, or
 * there is nothing in it.  The last is so of one that ends just now, and of one
 * whose first thread has ended before the others.
 */
static int
maps(const struct kn_peer *peer, uint64_t device, uint64_t inode)
{
	struct kn_mapping mapping;
	struct kn_maps lines;
	uint64_t start;
	bool any = false;
	int r;

	if (start_of((pid_t)peer->pid, &start) < 0 || start != peer->start ||
	    kn_maps_open(&lines, (pid_t)peer->pid) < 0)
		return -EAGAIN;
	while ((r = kn_maps_next(&lines, &mapping)) > 0) {
		any = true;
		if (mapping.device == device && mapping.inode == inode)
			break;
	}
	kn_maps_close(&lines);
	return r == 0 && !any ? -EAGAIN : r;
}

/* Is the process of that pidfd, and pid, the one?  1, 0, -EAGAIN. */
static int
is_peer(const struct kn_peer *peer, int pidfd)
{
	uint64_t number = kn_os_pidfd_number(pidfd), start, ns;
	int r;

	if (number != 0 && peer->number != 0)
		return number == peer->number;
	ns = own_namespace();
	if (ns == 0 || peer->pid_namespace == 0)
		return -EAGAIN;
	if (ns != peer->pid_namespace)
		return 0;
	r = start_of((pid_t)peer->pid, &start);
	return r == -ESRCH ? 0 : r < 0 ? r : start == peer->start;
}

/* Looked at afterwards: what the pidfd is of cannot change any more. */
int
kn_peer_open(const struct kn_peer *peer)
{
	int fd, r;

	fd = kn_os_pidfd((pid_t)peer->pid);
	if (fd < 0)
		return fd;
	r = is_peer(peer, fd);
	if (r == 1)
		return fd;
	kn_os_close(fd);
	return r == 0 ? -ESRCH : r;
}

bool
kn_peer_may_map(const struct kn_peer *peer, uint64_t device, uint64_t inode)
{
	return lives(peer) != 0 && maps(peer, device, inode) != 0;
}

uint64_t
kn_peer_thread_start(void)
{
	struct kn_stat stat = { 0 };

	(void)kn_stat_read_file(&stat, "/proc/thread-self/stat");
	return stat.start;
}

/*
 * What /proc does not show may be hidden from us: so the process must be seen
 * there for its thread to be missed.  A leader that has ended while others go
 * on stays, as a zombie.
 */
bool
kn_peer_thread_gone(const struct kn_peer *peer, uint32_t tid,
		    uint64_t tid_start)
{
	uint64_t start;
	struct kn_stat stat;
	char path[48];
	int r;

	if (peer->pid_namespace == 0 || tid_start == 0 ||
	    peer->pid_namespace != own_namespace() ||
	    start_of((pid_t)peer->pid, &start) < 0 || start != peer->start)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", peer->pid, tid);
	r = kn_stat_read_file(&stat, path);
	if (r == 0)
		return stat.start != tid_start || stat.state == 'Z' ||
		       stat.state == 'X';
	/* Was it the process that ended in between?  Then it is not for us. */
	return r == -ESRCH && start_of((pid_t)peer->pid, &start) == 0 &&
	       start == peer->start;
}
