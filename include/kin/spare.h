/* SPDX-License-Identifier: MIT */
/*
 * kin/spare.h - taking part where there is no /proc
 *
 *      one that has /proc                  one that has not
 *
 *      kin_spare_make(&s, fd)
 *            └── s: by fork, or over a socket ──▶ kin_spare_keep(s), and then
 *      close(s)                                   kin_queue_attach(&q, fd), ...
 *
 * Whoever takes part in a shared thing (a queue) needs an open file
 * description of its memory that nobody else has: the kernel lets go of what is
 * locked by it when its owner dies, and only then.  Kin makes itself one by
 * /proc/self/fd, or by the name, if the memory has one.  In a sandbox without
 * /proc memory without a name cannot be opened again; so one is handed in: a
 * spare is good for one process, to take part in one thing once.  The child of
 * a fork takes part by itself, at its first call, and needs one of its own.
 *
 * Who has taken part before it gives up /proc needs none.
 *
 * Threads  Any call from any thread.
 * Fork     Spares that were kept are the process's that kept them; the child
 *          has none of them.
 * Crash    A spare goes with its holder.
 */
#ifndef KIN_SPARE_H
#define KIN_SPARE_H

#include <kin/error.h>

KIN_BEGIN

#define KIN_SPARES_MAX	64		/* kept and not used yet, at most */

/*
 * Make one, of the memory behind fd (kin_queue_fd, kin_segment_fd).  It is the
 * caller's, to be passed on and then closed: as long as another process has
 * it, too, the death of the one that took part by it is not seen.
 *
 *   -ENOENT  there is no /proc here
 *   -EACCES  fd is not open for reading and writing
 *   -EBADF, -EMFILE
 */
KIN_API KIN_MUST int kin_spare_make(int *ret_fd, int fd);

/*
 * Keep it until it is needed.  Done, fd is kin's and is closed when it has
 * been used.  One that was used already, by whomever, is passed over then.
 *
 *   -EACCES  fd is not open for reading and writing
 *   -ENOSPC  KIN_SPARES_MAX are kept
 *   -EBADF, -EMFILE
 */
KIN_API KIN_MUST int kin_spare_keep(int fd);

KIN_END

#endif
