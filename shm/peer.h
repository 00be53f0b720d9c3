/* SPDX-License-Identifier: MIT */
/*
 * peer.h - who a process is, and whether it still maps a file
 *
 * A pid alone is nobody: it is given again.  With its start time it is one
 * process of this boot, in the pid namespace that the pid is from.  So it is
 * with the number that Linux 6.9 gives to each, for which no /proc is needed.
 */
#ifndef KN_PEER_H
#define KN_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct kn_peer {
	uint32_t pid;
	uint64_t start;			/* clock ticks since boot */
	uint64_t pid_namespace;		/* its inode; 0 = unknown */
	uint64_t number;		/* its pidfd's inode; 0 = unknown */
};

/*
 * This process.  Where /proc is missing, start and namespace are 0; the number
 * is 0 on kernels that give none.
 */
void kn_peer_self(struct kn_peer *ret);

/*
 * A pidfd of that very process; -ESRCH if it has ended, or is of another pid
 * namespace, in which it is nobody.
 */
int kn_peer_open(const struct kn_peer *peer);

/*
 * May that very process live, and map the file?  False only if it surely does
 * not; or if it is of another pid namespace, or hidden from us, so that it
 * cannot be asked about and whoever asks has to go by what else it knows.
 */
bool kn_peer_may_map(const struct kn_peer *peer, uint64_t device,
		     uint64_t inode);

/* When this thread began, as the kernel counts; 0 where /proc is missing. */
uint64_t kn_peer_thread_start(void);

/*
 * Has that process, which is there, no such thread any more?  False where it
 * cannot be known: another pid namespace, or what is hidden from us.
 */
bool kn_peer_thread_gone(const struct kn_peer *peer, uint32_t tid,
			 uint64_t tid_start);

#endif
