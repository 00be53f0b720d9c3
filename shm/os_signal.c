/* SPDX-License-Identifier: MIT */
/*
 * os_signal.c - kernel calls around signals; all may be made in a handler
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shm/bell.h"

int
kn_os_sigaction(int signal, const struct sigaction *act, struct sigaction *ret)
{
	RING_THE_BELL("sigaction");
	return kn_result(sigaction(signal, act, ret));
}

void
kn_os_signal_default(int signal)
{
	struct sigaction act = { .sa_handler = SIG_DFL };

	sigaction(signal, &act, NULL);
}

void
kn_os_raise(int signal)
{
	raise(signal);
}

uint32_t
kn_os_thread(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

void
kn_os_signal_stack(void *at, size_t bytes)
{
	stack_t now, ours = { .ss_sp = at, .ss_size = bytes };

	if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE))
		(void)sigaltstack(&ours, NULL);
}

/* A reader that has gone must not end us by a signal that nobody sent. */
void
kn_os_complain(const char *text, size_t len)
{
	const struct timespec at_once = { 0 };
	sigset_t broken, old, pending;

	sigemptyset(&broken);
	sigaddset(&broken, SIGPIPE);
	sigemptyset(&pending);
	pthread_sigmask(SIG_BLOCK, &broken, &old);
	sigpending(&pending);
	if (kn_os_write(STDERR_FILENO, text, len) == -EPIPE &&
	    !sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&broken, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
