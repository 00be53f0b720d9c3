/* SPDX-License-Identifier: MIT */
/*
 * peer.c - who a process is, and whether it still maps a file
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/maps.h"
#include "shm/os.h"
#include "shm/peer.h"

/* Start time, in ticks, and state by such a file; -ESRCH if it is gone. */
static int
read_stat(const char *path, uint64_t *ret_start, char *ret_state)
{
	char text[1024];
	const char *p;
	ssize_t n;

	n = kn_os_read_file(path, text, sizeof(text));
	if (n == -ENOENT || n == -ESRCH)
		return -ESRCH;
	if (n < 0)
		return (int)n;
	/* The name, in parentheses, may hold anything, parentheses too. */
	p = strrchr(text, ')');
	if (p == NULL ||
	    sscanf(p + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
		   " %*s %*s %*s %*s %*s %*s %*s %" SCNu64, ret_state,
		   ret_start) != 2)
		return -EOPNOTSUPP;
	return 0;
}

/* Of a process, 0 = ourselves. */
static int
start_of(pid_t pid, uint64_t *ret_start)
{
	char path[32] = "/proc/self/stat", state;

	if (pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return read_stat(path, ret_start, &state);
}

void
kn_peer_self(struct kn_peer *ret)
{
	struct stat ns;

	ret->pid = (uint32_t)getpid();
	ret->start = ret->pid_namespace = 0;
	(void)start_of(0, &ret->start);
	if (kn_os_stat_path("/proc/self/ns/pid", &ns) == 0)
		ret->pid_namespace = ns.st_ino;
}

/* Looked at afterwards: what the pidfd is of cannot change any more. */
int
kn_peer_open(const struct kn_peer *peer)
{
	struct kn_peer self;
	uint64_t start = 0;
	int fd, r;

	kn_peer_self(&self);
	if (peer->pid_namespace != self.pid_namespace)
		return -ESRCH;
	fd = kn_os_pidfd((pid_t)peer->pid);
	if (fd < 0)
		return fd;
	r = start_of((pid_t)peer->pid, &start);
	if (r == 0 && start != peer->start)
		r = -ESRCH;
	if (r == 0)
		return fd;
	kn_os_close(fd);
	return r;
}

bool
kn_peer_may_map(const struct kn_peer *peer, uint64_t device, uint64_t inode)
{
	struct kn_mapping mapping;
	struct kn_maps maps;
	struct kn_peer self;
	uint64_t start;
	int r;

	kn_peer_self(&self);
	if (peer->pid_namespace == 0 ||
	    peer->pid_namespace != self.pid_namespace)
		return false;
	r = start_of((pid_t)peer->pid, &start);
	if (r == -ESRCH || (r == 0 && start != peer->start))
		return false;

	/* It lives, as far as we see.  What cannot be read is doubt. */
	r = kn_maps_open(&maps, (pid_t)peer->pid);
	if (r < 0)
		return r != -ENOENT && r != -ESRCH;
	while ((r = kn_maps_next(&maps, &mapping)) > 0)
		if (mapping.device == device && mapping.inode == inode)
			break;
	kn_maps_close(&maps);
	return r != 0 && r != -ESRCH;
}

uint64_t
kn_peer_thread_start(void)
{
	uint64_t start = 0;
	char state;

	(void)read_stat("/proc/thread-self/stat", &start, &state);
	return start;
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
	struct kn_peer self;
	uint64_t start;
	char path[48], state;
	int r;

	kn_peer_self(&self);
	if (peer->pid_namespace == 0 || tid_start == 0 ||
	    peer->pid_namespace != self.pid_namespace ||
	    start_of((pid_t)peer->pid, &start) < 0 || start != peer->start)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", peer->pid, tid);
	r = read_stat(path, &start, &state);
	if (r == 0)
		return start != tid_start || state == 'Z' || state == 'X';
	/* Was it the process that ended in between?  Then it is not for us. */
	return r == -ESRCH && start_of((pid_t)peer->pid, &start) == 0 &&
	       start == peer->start;
}
