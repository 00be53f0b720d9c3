/* SPDX-License-Identifier: MIT */
/*
 * os_spawn.h - another image in a child of ours, and the ends of children
 *
 * As os.h, of which it is a part.
 */
#ifndef KN_OS_SPAWN_H
#define KN_OS_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

struct kn_spawn {
	int image;			/* to be executed */
	int keep;			/* the one descriptor besides 0, 1, 2 */
	char *const *argv;
	char *const *envp;
};

/*
 * A child that executes it, and ignores SIGINT; all other signals are as a
 * new session has them.  What it costs does not depend on our memory.  Its
 * pid, and a pidfd; or -errno, and there is no child.
 */
pid_t kn_os_spawn(const struct kn_spawn *spawn, int *ret_pidfd);

/* Collect any child that has ended; 0: none has; -ECHILD: there is none. */
pid_t kn_os_wait_any(siginfo_t *ret, struct rusage *ret_usage);

/* It is blocked from now on, and the descriptor readable when it has come. */
int kn_os_signal_fd(int signal);
void kn_os_signal_read(int fd);		/* and it has not */
void kn_os_signal_unblock(int signal);	/* as it was before */

bool kn_os_is_open(int fd);
int kn_os_enter_directory(int fd);

#endif
