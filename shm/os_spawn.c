/* SPDX-License-Identifier: MIT */
/*
 * os_spawn.c - kernel calls to start another image, and to learn of ends
 *
 * clone(CLONE_VM | CLONE_VFORK): until it has exec'ed, the child runs in our
 * memory, on a stack of its own, while this thread stands still.  So nothing
 * is copied, however much memory there is; and it must not run a handler of
 * ours, nor be cancelled, nor leave anything behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/os_spawn.h"

#define STACK_BYTES	(64u << 10)

#ifndef CLONE_PIDFD
#define CLONE_PIDFD	0x00001000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC	4u
#endif

/* TSan takes any clone for a fork, and our threads for gone: a real one. */
#if KN_TSAN
#define CLONE_FLAGS	(CLONE_VFORK | CLONE_PIDFD | SIGCHLD)
#define STACK_FLAGS	(MAP_SHARED | MAP_ANONYMOUS)
#else
#define CLONE_FLAGS	(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD)
#define STACK_FLAGS	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK)
#endif

/* At the far end of the child's stack, which both see. */
struct image {
	const struct kn_spawn *spawn;
	volatile int failed;		/* -errno of the child */
};

/* Nothing of what we handle is handled there, and nothing is ignored. */
static void
clear_signals(void)
{
	struct sigaction act, def = { .sa_handler = SIG_DFL };
	int signal;

	for (signal = 1; signal < NSIG; signal++)
		if (signal != SIGKILL && signal != SIGSTOP &&
		    sigaction(signal, NULL, &act) == 0 &&
		    act.sa_handler != SIG_DFL)
			(void)sigaction(signal, &def, NULL);
	def.sa_handler = SIG_IGN;
	(void)sigaction(SIGINT, &def, NULL);
}

static void
close_over_exec_from(int from)
{
	struct rlimit limit = { 1024, 1024 };
	int fd;

	if (syscall(SYS_close_range, from, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* Before Linux 5.11, or in a sandbox that does not know it. */
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (fd = from; fd < (int)limit.rlim_cur; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int __attribute__((no_sanitize("address"), no_sanitize("thread")))
run_image(void *arg)
{
	struct image *image = arg;
	const struct kn_spawn *s = image->spawn;
	sigset_t none;

	clear_signals();
	close_over_exec_from(3);
	if (fcntl(s->keep, F_SETFD, 0) == 0) {
		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)syscall(SYS_execveat, s->image, "", s->argv, s->envp,
			      AT_EMPTY_PATH);
	}
	image->failed = -errno;
	_exit(127);
}

static pid_t
clone_image(struct image *image, int *ret_pidfd)
{
	void *top = (char *)image + STACK_BYTES;

	return clone(run_image, top, CLONE_FLAGS, image, ret_pidfd);
}

/* It ends, or has ended: it could not exec, or we cannot hold it. */
static void
collect(int pidfd)
{
	siginfo_t info;

	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 &&
	       errno == EINTR)
		continue;
	close(pidfd);
}

/* The pidfd, above the standard three; or -errno, and no child. */
static int
hold(const struct image *image, int pidfd)
{
	int up = pidfd, r = image->failed;

	if (r == 0 && pidfd <= 2) {
		up = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
		r = up < 0 ? -errno : 0;
		if (r == 0)
			close(pidfd);
	}
	if (r == 0)
		return up;
	collect(pidfd);
	return r;
}

pid_t
kn_os_spawn(const struct kn_spawn *spawn, int *ret_pidfd)
{
	sigset_t all, old;
	int pidfd = -1, cancel;
	struct image *image;
	pid_t pid;

	RING_THE_BELL("clone");
	image = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, STACK_FLAGS,
		     -1, 0);
	if (image == MAP_FAILED)
		return -errno;
	image->spawn = spawn;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = kn_result(clone_image(image, &pidfd));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid > 0) {
		*ret_pidfd = hold(image, pidfd);
		if (*ret_pidfd < 0)
			pid = *ret_pidfd;
	}
	munmap(image, STACK_BYTES);
	pthread_setcancelstate(cancel, &cancel);
	return pid;
}

/* ---- ends ---- */

pid_t
kn_os_wait_any(siginfo_t *ret, struct rusage *ret_usage)
{
	RING_THE_BELL("waitid");
	memset(ret, 0, sizeof(*ret));
	if (syscall(SYS_waitid, P_ALL, 0, ret, WEXITED | WNOHANG,
		    ret_usage) < 0)
		return -errno;
	return ret->si_pid;
}

/* ---- in the child ---- */

int
kn_os_enter_directory(int fd)
{
	RING_THE_BELL("fchdir");
	return kn_result(fchdir(fd));
}

bool
kn_os_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* ---- in the fork server ---- */

int
kn_os_signal_fd(int signal)
{
	sigset_t set;

	RING_THE_BELL("signalfd");
	sigemptyset(&set);
	sigaddset(&set, signal);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return kn_settled(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void
kn_os_signal_unblock(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void
kn_os_signal_read(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) > 0)
		continue;
}
