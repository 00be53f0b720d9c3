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

/* Start time of a process (0 = ourselves) in ticks; -ESRCH if it is gone. */
static int
start_of(pid_t pid, uint64_t *ret_start)
{
	char path[32] = "/proc/self/stat", text[1024];
	const char *p;
	ssize_t n;

	if (pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = kn_os_read_file(path, text, sizeof(text));
	if (n == -ENOENT || n == -ESRCH)
		return -ESRCH;
	if (n < 0)
		return (int)n;
	/* The name, in parentheses, may hold anything, parentheses too. */
	p = strrchr(text, ')');
	if (p == NULL ||
	    sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
		   " %*s %*s %*s %*s %*s %*s %*s %" SCNu64, ret_start) != 1)
		return -EOPNOTSUPP;
	return 0;
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
