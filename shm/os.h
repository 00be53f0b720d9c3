/* SPDX-License-Identifier: MIT */
/*
 * os.h - every kernel call that kin makes
 *
 * Each returns what the kernel does, or -errno.  None sets the thread's
 * sentence: what failed is known to the caller.  Descriptors are close-on-exec
 * and never 0, 1 or 2, so that a program that has closed those does not print
 * into a segment.
 */
#ifndef KN_OS_H
#define KN_OS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <kin/time.h>

#include "shm/word.h"

/*
 * The one door has one bell: called before each kernel call with its name.  A
 * negative answer is that call's result, and the kernel is not asked; zero
 * lets it pass.  NULL but in tests.
 */
typedef int kn_os_hook_fn(const char *call);
extern kn_os_hook_fn *kn_os_hook;

/* Files and descriptors. */
int kn_os_memfd(const char *name);
int kn_os_memfd_huge(const char *name);	/* of huge pages */
int kn_os_open(const char *path, int flags, mode_t mode);
int kn_os_open_at(int dir, const char *path, int flags, mode_t mode);
int kn_os_reopen(int fd, int flags);	/* a description of its own */
int kn_os_dup(int fd);
/*
 * A description has a position, that of its descriptors all together: who moves
 * it from 0 has claimed it.  1: we; 0: another was first.
 */
int kn_os_claim(int fd);
void kn_os_close(int fd);		/* NULL-like: fd < 0 is ignored */
int kn_os_stat(int fd, struct stat *ret);
int kn_os_stat_path(const char *path, struct stat *ret);
bool kn_os_is_file(int fd, uint64_t device, uint64_t inode);
int kn_os_access_mode(int fd);		/* O_RDONLY, O_WRONLY, O_RDWR */
int kn_os_reserve(int fd, uint64_t bytes);	/* fallocate from 0; -EFBIG */
/* The same, but the file's length stays as it is. */
int kn_os_reserve_ahead(int fd, uint64_t from, uint64_t to);
int kn_os_set_length(int fd, uint64_t bytes);	/* -EFBIG */
int kn_os_set_mode(int fd, mode_t mode);
ssize_t kn_os_read(int fd, void *buf, size_t len);
ssize_t kn_os_read_at(int fd, void *buf, size_t len, uint64_t offset);
ssize_t kn_os_write(int fd, const void *buf, size_t len);
ssize_t kn_os_read_file(const char *path, char *buf, size_t cap);
ssize_t kn_os_read_link_at(int dir, const char *path, char *buf, size_t cap);
int kn_os_link_fd(int fd, int dir, const char *name);
int kn_os_unlink_at(int dir, const char *name);
int kn_os_mkdir(const char *path, mode_t mode);
int kn_os_pipe(int fds[2]);
int kn_os_seals(int fd);
int kn_os_seal(int fd, int seals);

/* Memory. */
int kn_os_map(int fd, size_t bytes, int prot, int flags, void **ret);
/* In place of what is mapped there; the second is the way back. */
int kn_os_map_over(void *at, int fd, size_t bytes, int prot, int flags);
bool kn_os_map_back(void *at, int fd, size_t bytes, int prot, int flags);
void kn_os_unmap(void *at, size_t bytes);
int kn_os_advise(void *at, size_t bytes, int advice);
uint64_t kn_os_memory_free(void);	/* bytes; or all there is */

/* Byte locks that belong to a description (open file description locks). */
int kn_os_lock_byte(int fd, uint64_t byte);	/* -EAGAIN: taken */
void kn_os_unlock_byte(int fd, uint64_t byte);
int kn_os_byte_locked(int fd, uint64_t byte);	/* by another description */

/* Sleeping and waking; words may lie in any process's mapping. */
int kn_os_futex_wait(const kn_word *w, uint32_t v, kin_time until);
int kn_os_futex_wake(const kn_word *w, int n);

/*
 * Change *w and wake up to n of its sleepers, in one step that no death of
 * the caller can split.  Fails before the change or not at all.
 */
int kn_os_futex_add_wake(kn_word *w, int add, int n);
int kn_os_futex_set_wake(kn_word *w, int value, int n);
/* *w becomes that one bit, and sleepers of another word wake. */
int kn_os_futex_hand_wake(kn_word *w, int bit, const kn_word *sleepers, int n);
int kn_os_futex_clear_wake(kn_word *w, int bits, int n);
int kn_os_futex_or_wake(kn_word *w, int bits, int n);

/* Signals; all but the first have no way to fail. */
int kn_os_sigaction(int signal, const struct sigaction *act,
		    struct sigaction *ret);
void kn_os_signal_default(int signal);
void kn_os_raise(int signal);		/* in this thread */
uint32_t kn_os_thread(void);		/* its id */
/* For this thread's handlers, if it has none yet. */
void kn_os_signal_stack(void *at, size_t bytes);
void kn_os_complain(const char *text, size_t len);	/* to stderr */

/* Processes. */
/* The child ignores SIGINT, from its first instruction on. */
pid_t kn_os_fork(void);
int kn_os_pidfd(pid_t pid);
/* The number that no other process of this boot has; 0: the kernel gives none
   (before Linux 6.9). */
uint64_t kn_os_pidfd_number(int pidfd);
int kn_os_wait(int pidfd, siginfo_t *ret, int options, struct rusage *usage);
/*
 * Of one that was collected, by whomever: as waitpid says it.  -EAGAIN: not
 * collected yet; another error: the kernel does not keep it.
 */
int kn_os_exit_status(int pidfd, int *ret);
void kn_os_reap(pid_t pid);		/* wait for its end, which is near */
void kn_os_reap_fd(int pidfd);
int kn_os_signal(int pidfd, int signal);
int kn_os_signal_self(int signal);
int kn_os_poll(struct pollfd *fds, unsigned n, kin_time until);
int kn_os_kill_on_hangup(int fd);	/* SIGKILL to us at the pipe's end */
int kn_os_live_on_hangup(int fd);	/* no more */
int kn_os_threads(void);		/* of this process; -ENOENT: no /proc */
int kn_os_cpus(void);			/* that this thread may run on */
void kn_os_name_process(const char *name);
/* All but the standard three and those. */
void kn_os_close_others(const int *keep, unsigned n);
void kn_os_signals_default(void);	/* none is handled, none blocked */
void kn_os_yield(void);
int kn_os_put(int fd, int at);		/* dup2, and it stays over exec */

/* What a child is made with. */
int kn_os_chdir(const char *path);
int kn_os_new_group(void);
int kn_os_new_session(void);
int kn_os_add_nice(int more);
int kn_os_set_cpus(const uint64_t *bits, size_t bytes);
int kn_os_set_limit(int resource, uint64_t soft, uint64_t hard);
void kn_os_set_umask(unsigned mask);

#endif
