/* SPDX-License-Identifier: MIT */
/*
 * os.c - every kernel call that kin makes
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/os.h"

#if KN_TSAN
void __tsan_release(void *);
#endif

kn_os_hook_fn *kn_os_hook;

int
kn_settled(int fd)
{
	int up;

	if (fd < 0)
		return -errno;
	if (fd > 2)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (up < 0)
		up = -errno;
	close(fd);
	return up;
}

/* ---- files and descriptors ---- */

int
kn_os_memfd(const char *name)
{
	RING_THE_BELL("memfd_create");
	return kn_settled(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

int
kn_os_open(const char *path, int flags, mode_t mode)
{
	return kn_os_open_at(AT_FDCWD, path, flags, mode);
}

int
kn_os_open_at(int dir, const char *path, int flags, mode_t mode)
{
	RING_THE_BELL("open");
	return kn_settled(openat(dir, path, flags | O_CLOEXEC, mode));
}

/*
 * This thread's, not this process's: what /proc shows of that one is its first
 * thread's, and that may have ended, and has no descriptors then.
 */
int
kn_os_reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	return kn_os_open(path, flags, 0);
}

int
kn_os_dup(int fd)
{
	RING_THE_BELL("dup");
	return kn_result(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

void
kn_os_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

int
kn_os_stat(int fd, struct stat *ret)
{
	RING_THE_BELL("fstat");
	return kn_result(fstat(fd, ret));
}

int
kn_os_stat_path(const char *path, struct stat *ret)
{
	RING_THE_BELL("stat");
	return kn_result(stat(path, ret));
}

/* Does the number still mean that file? */
bool
kn_os_is_file(int fd, uint64_t device, uint64_t inode)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == device &&
	       st.st_ino == inode;
}

int
kn_os_access_mode(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -errno : flags & O_ACCMODE;
}

ssize_t
kn_os_read(int fd, void *buf, size_t len)
{
	ssize_t n;

	RING_THE_BELL("read");
	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t
kn_os_read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	RING_THE_BELL("pread");
	do
		n = pread(fd, buf, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t
kn_os_write(int fd, const void *buf, size_t len)
{
	ssize_t n;

	RING_THE_BELL("write");
	do
		n = write(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t
kn_os_read_file(const char *path, char *buf, size_t cap)
{
	ssize_t n, got = 0;
	int fd;

	fd = kn_os_open(path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	do {
		n = kn_os_read(fd, buf + got, cap - 1 - (size_t)got);
		if (n > 0)
			got += n;
	} while (n > 0 && (size_t)got < cap - 1);
	kn_os_close(fd);
	if (n < 0)
		return n;
	buf[got] = '\0';
	return got;
}

ssize_t
kn_os_read_link_at(int dir, const char *path, char *buf, size_t cap)
{
	ssize_t n;

	RING_THE_BELL("readlink");
	n = readlinkat(dir, path, buf, cap - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

int
kn_os_link_fd(int fd, int dir, const char *name)
{
	char path[32];

	RING_THE_BELL("link");
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	return kn_result(linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW));
}

int
kn_os_unlink_at(int dir, const char *name)
{
	RING_THE_BELL("unlink");
	return kn_result(unlinkat(dir, name, 0));
}

int
kn_os_mkdir(const char *path, mode_t mode)
{
	RING_THE_BELL("mkdir");
	return kn_result(mkdir(path, mode));
}

int
kn_os_pipe(int fds[2])
{
	int own[2];

	RING_THE_BELL("pipe");
	if (pipe2(own, O_CLOEXEC) < 0)
		return -errno;
	fds[0] = kn_settled(own[0]);
	fds[1] = kn_settled(own[1]);
	if (fds[0] >= 0 && fds[1] >= 0)
		return 0;
	kn_os_close(fds[0]);
	kn_os_close(fds[1]);
	return fds[0] < 0 ? fds[0] : fds[1];
}

int
kn_os_seals(int fd)
{
	RING_THE_BELL("seals");
	return kn_result(fcntl(fd, F_GET_SEALS));
}

int
kn_os_seal(int fd, int seals)
{
	RING_THE_BELL("seal");
	return kn_result(fcntl(fd, F_ADD_SEALS, seals));
}

/* ---- memory ---- */

int
kn_os_map(int fd, size_t bytes, int prot, int flags, void **ret)
{
	void *at;

	RING_THE_BELL("mmap");
	at = mmap(NULL, bytes, prot, flags, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*ret = at;
	return 0;
}

void
kn_os_unmap(void *at, size_t bytes)
{
	int saved = errno;

	if (at != NULL)
		munmap(at, bytes);
	errno = saved;
}

int
kn_os_advise(void *at, size_t bytes, int advice)
{
	RING_THE_BELL("madvise");
	return kn_result(madvise(at, bytes, advice));
}

uint64_t
kn_os_memory_free(void)
{
	char text[2048] = "";
	unsigned long available, swap = 0;
	struct sysinfo all;
	const char *p;

	(void)kn_os_read_file("/proc/meminfo", text, sizeof(text));
	p = strstr(text, "MemAvailable:");
	if (p == NULL || sscanf(p, "MemAvailable: %lu", &available) != 1)
		return sysinfo(&all) < 0 ? UINT64_MAX :
		       ((uint64_t)all.totalram + all.totalswap) * all.mem_unit;
	p = strstr(text, "SwapFree:");
	if (p != NULL)
		(void)sscanf(p, "SwapFree: %lu", &swap);
	return ((uint64_t)available + swap) * 1024;
}

/* ---- sleeping and waking ---- */

static struct timespec
timespec_of(int64_t ns)
{
	return (struct timespec){
		.tv_sec = ns / 1000000000,
		.tv_nsec = ns % 1000000000,
	};
}

/* Shared futexes always: see DESIGN.md, Waiting. */
static int
futex(const kn_word *w, int op, uint32_t v, uintptr_t timeout_or_n,
      const kn_word *w2, uint32_t v3)
{
	return kn_result(syscall(SYS_futex, &w->v, op, v, timeout_or_n,
			      w2 != NULL ? &w2->v : NULL, v3));
}

/* 0: woken; -EAGAIN: *w is not v; -ETIMEDOUT; -EINTR. */
int
kn_os_futex_wait(const kn_word *w, uint32_t v, kin_time until)
{
	struct timespec ts = timespec_of(until.ns);

	RING_THE_BELL("futex_wait");
	return futex(w, FUTEX_WAIT_BITSET, v,
		     until.ns == INT64_MAX ? 0 : (uintptr_t)&ts, NULL,
		     FUTEX_BITSET_MATCH_ANY);
}

int
kn_os_futex_wake(const kn_word *w, int n)
{
	RING_THE_BELL("futex_wake");
	return futex(w, FUTEX_WAKE, (uint32_t)n, 0, NULL, 0);
}

/*
 * FUTEX_WAKE_OP does the operation on the second word and collects sleepers
 * of the first under their hash buckets' locks, and returns to user mode only
 * then: here both are the same word.  Sleepers of the second would be woken if
 * its old value compared true; a word that has sleepers is not 0, so it does
 * not, and if it does (a peer scribbles) that is one spurious wake.
 *
 * ThreadSanitizer does not see what the kernel does to the word.
 */
static int
futex_op_wake(kn_word *w, int op, int operand, int n)
{
	RING_THE_BELL("futex_wake_op");
#if KN_TSAN
	__tsan_release(w);
#endif
	return futex(w, FUTEX_WAKE_OP, (uint32_t)n, 0, w,
		     (uint32_t)FUTEX_OP(op, operand, FUTEX_OP_CMP_EQ, 0));
}

int
kn_os_futex_add_wake(kn_word *w, int add, int n)
{
	return futex_op_wake(w, FUTEX_OP_ADD, add, n);
}

int
kn_os_futex_set_wake(kn_word *w, int value, int n)
{
	return futex_op_wake(w, FUTEX_OP_SET, value, n);
}

/* As an operand, a shift: a bit of its own does not fit into one. */
int
kn_os_futex_hand_wake(kn_word *w, int bit, const kn_word *sleepers, int n)
{
	const uint32_t set = FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT;

	RING_THE_BELL("futex_wake_op");
#if KN_TSAN
	__tsan_release(w);
#endif
	return futex(sleepers, FUTEX_WAKE_OP, (uint32_t)n, 0, w,
		     FUTEX_OP(set, bit, FUTEX_OP_CMP_EQ, 0));
}

int
kn_os_futex_clear_wake(kn_word *w, int bits, int n)
{
	return futex_op_wake(w, FUTEX_OP_ANDN, bits, n);
}

int
kn_os_futex_or_wake(kn_word *w, int bits, int n)
{
	return futex_op_wake(w, FUTEX_OP_OR, bits, n);
}

/* ---- processes ---- */

pid_t
kn_os_fork(void)
{
	sigset_t interrupt, old;
	int r;

	RING_THE_BELL("fork");
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	pthread_sigmask(SIG_BLOCK, &interrupt, &old);
	r = kn_result(fork());
	if (r == 0)
		signal(SIGINT, SIG_IGN);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int
kn_os_pidfd(pid_t pid)
{
	RING_THE_BELL("pidfd_open");
	return kn_settled((int)syscall(SYS_pidfd_open, pid, 0));
}

int
kn_os_wait(int pidfd, siginfo_t *ret, int options, struct rusage *usage)
{
	long r;

	RING_THE_BELL("waitid");
	do	/* libc's has no place for the usage */
		r = syscall(SYS_waitid, P_PIDFD, pidfd, ret, options, usage);
	while (r < 0 && errno == EINTR);
	return kn_result(r);
}

/* PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15; headers may be older. */
int
kn_os_exit_status(int pidfd, int *ret)
{
	struct {
		uint64_t mask, cgroup;
		uint32_t ids[11];
		int32_t exit_code;
	} info = { .mask = 8 };

	_Static_assert(sizeof(info) == 64, "struct pidfd_info, as it began");
	RING_THE_BELL("pidfd_info");
	if (ioctl(pidfd, _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, sizeof(info)),
		  &info) < 0)
		return -errno;
	if ((info.mask & 8) == 0)
		return -EAGAIN;
	*ret = info.exit_code;
	return 0;
}

void
kn_os_reap(pid_t pid)
{
	siginfo_t info;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
		;
}

int
kn_os_signal_self(int signal)
{
	RING_THE_BELL("kill");
	return kn_result(kill(getpid(), signal));
}

void
kn_os_reap_fd(int pidfd)
{
	siginfo_t info;

	while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 &&
	       errno == EINTR)
		;
}

int
kn_os_signal(int pidfd, int signal)
{
	RING_THE_BELL("pidfd_send_signal");
	return kn_result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

/* The number of ready ones, 0 at the deadline. */
int
kn_os_poll(struct pollfd *fds, unsigned n, kin_time until)
{
	RING_THE_BELL("poll");
	for (;;) {
		struct timespec left, *timeout = NULL;
		int64_t ns;
		int r;

		if (until.ns != INT64_MAX) {
			ns = until.ns - kin_now().ns;
			left = timespec_of(ns > 0 ? ns : 0);
			timeout = &left;
		}
		r = ppoll(fds, n, timeout, NULL);
		if (r >= 0 || errno != EINTR)
			return kn_result(r);
	}
}

/*
 * A pipe's reader is told of the last writer's end by a signal of our choice:
 * this needs no thread, and is bound to no thread, as PR_SET_PDEATHSIG is.
 * The look afterwards covers a writer that ended before.
 */
int
kn_os_kill_on_hangup(int fd)
{
	struct pollfd end = { .fd = fd };

	RING_THE_BELL("lifeline");
	if (fcntl(fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(fd, F_SETSIG, SIGKILL) < 0 ||
	    fcntl(fd, F_SETFL, O_ASYNC) < 0)
		return -errno;
	if (poll(&end, 1, 0) > 0)
		kill(getpid(), SIGKILL);
	return 0;
}

int
kn_os_live_on_hangup(int fd)
{
	RING_THE_BELL("lifeline");
	return kn_result(fcntl(fd, F_SETFL, 0));
}

int
kn_os_threads(void)
{
	struct stat st;
	int tries;

	RING_THE_BELL("threads");
	/* One that was joined is still listed for a moment. */
	for (tries = 0; tries < 100; tries++) {
		struct timespec ms = timespec_of(1000000);

		if (stat("/proc/self/task", &st) < 0)
			return -errno;
		if (st.st_nlink <= 3)
			break;
		nanosleep(&ms, NULL);
	}
	return (int)st.st_nlink - 2;
}

int
kn_os_cpus(void)
{
	cpu_set_t set;

	/* A machine of over 1024 CPUs refuses the small set: many, then. */
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return CPU_SETSIZE;
	return CPU_COUNT(&set);
}

void
kn_os_name_process(const char *name)
{
	prctl(PR_SET_NAME, name);
}

void
kn_os_yield(void)
{
	sched_yield();
}
