/* SPDX-License-Identifier: MIT */
/*
 * kin/error.h - how every kin call says that it failed
 *
 * A call that can fail returns int or ssize_t: zero or a count when it
 * worked, a negative errno when it did not, and then nothing happened and
 * the caller holds nothing.  There is one test:  if (r < 0).
 *
 * The number says what a program can do about it; the message says, to a
 * person, what went wrong with which object.
 *
 *   -EINVAL           a value that can never be right
 *   -E2BIG            options ask for what this library is too old to know
 *   -ETIMEDOUT        the deadline came first; also what KIN_NOWAIT gives
 *   -EPIPE            the other end let go
 *   -ECONNRESET       the other end died
 *   -EOWNERDEAD       the worker or owner of the thing died
 *   -EREMOTEIO        the remote function failed; the message begins "remote:"
 *   -ERANGE           the number does not fit where it is taken
 *   -EOPNOTSUPP       this thing cannot travel this way
 *   -ENODATA          nothing was given
 *   -EMSGSIZE         a message too long for the queue or for the buffer
 *   -ENOSYS           no such method; or this kernel has not got it
 *   -EPERM            not allowed by the system
 *   -ENOSPC, -ENOMEM, -EMFILE
 *   -ENOENT, -EEXIST  no such name; the name is taken
 *   -EPROTO           not ours: a foreign or truncated file
 *   -EPROTONOSUPPORT  ours, but of another layout
 *   -EUCLEAN          shared state fails its own check
 *   -EACCES           not allowed
 *   -EBADF            no such descriptor, or a handle's own is gone
 *   -EBUSY            in use in a way that forbids it
 *   -EDEADLK          waiting would never end
 *   -ESTALE           a handle used in a process it does not belong to
 *
 * A programmer's bug that can be seen (a NULL handle) aborts with one line on
 * standard error, in release builds too; data never does.
 *
 * Threads  The message is the calling thread's own.  A thread that is cancelled
 *          (pthread_cancel) inside a kin call may leak what the call had taken,
 *          and no more.
 */
#ifndef KIN_ERROR_H
#define KIN_ERROR_H

#ifdef __cplusplus
#define KIN_BEGIN extern "C" {
#define KIN_END }
#else
#define KIN_BEGIN
#define KIN_END
#endif

#define KIN_API __attribute__((visibility("default")))
#define KIN_MUST __attribute__((warn_unused_result))

KIN_BEGIN

/*
 * The message of this thread's last failed kin call, such as
 *
 *      segment 'jobs': layout 3, this library speaks 2
 *
 * Never NULL.  It stays until this thread's next failing kin call; a call
 * that works leaves it alone, so read it only after a negative return.
 */
KIN_API const char *kin_errmsg(void);

/* The name and meaning of a negative return: "ETIMEDOUT: deadline passed". */
KIN_API const char *kin_strerror(int r);

/*
 * For a number that a kin call has just returned to this thread: print "what: ETIMEDOUT: deadline passed (queue 'jobs' stayed empty)" for
 * the negative return r on standard error, and return 1, so that main can
 * end with:  return kin_perror("jobs", r);
 */
KIN_API int kin_perror(const char *what, int r);

KIN_END

#endif
