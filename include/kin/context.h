/* SPDX-License-Identifier: MIT */
/*
 * kin/context.h - the ways to start a process
 *
 *      fork        a copy of the parent, as it is
 *      spawn       the program's image, executed anew
 *      forkserver  a fork of a clean process, which was spawned once
 *
 *      r = kin_process_start(&p, work, KIN_ARGS(q), KIN_OPTS(kin_process_opts,
 *                            .context = kin_context_spawn()));
 *
 * The same entry, arguments and result in all three.  What differs:
 *
 *                             fork        spawn         forkserver
 *      the parent's memory    a copy      none          none
 *      function               any         KIN_ENTRY     KIN_ENTRY
 *      main calls kin_init    -           yes           yes
 *      other threads here     -EBUSY      yes           yes
 *      a start costs          the more the more memory  a new image   least
 *      descriptors            all that is not closed    the arguments'
 *      signals' handlers      the parent's              the default's
 *      environment, limits    the parent's  the parent's  the parent's when
 *                                                         the server started
 *      directory, standard streams    the parent's, in all three
 *
 * The default is the fork server.  It is the one that stays right as a program
 * grows: a fork of a program with threads is a fork in the middle of whatever
 * they do, and one with much memory is slow.  What a fork gives besides, the
 * parent's variables, is not there in the child then, without an error: what a
 * child needs is an argument.  A program that is written for fork says so once,
 * kin_context_set_default(kin_context_fork()).
 *
 * An entry of a shared library is found wherever the library is; the child
 * loads it if it must, by the path it had here.  If main is not yours to call
 * kin_init in (a plugin), a helper program of kin's does, for entries of
 * shared libraries: kin-helper, as installed, or $KIN_HELPER (ignored in
 * set-user-id programs).
 *
 * Order    A fork server is started by the first start that needs it, and
 *          again if it has ended.
 * Threads  Any call from any thread; close must be the last.
 * Fork     A child that starts processes has a fork server of its own.
 * Crash    A fork server ends with its parent.  Killed, it leaves its children
 *          as they are: they end with the parent, and how each has ended is
 *          told where the kernel knows (Linux 6.15), or is KIN_UNKNOWN.
 */
#ifndef KIN_CONTEXT_H
#define KIN_CONTEXT_H

#include <stdint.h>

#include <kin/entry.h>
#include <kin/error.h>
#include <kin/opts.h>

KIN_BEGIN

typedef struct kin_context kin_context;

/* Always there; not to be closed. */
KIN_API kin_context *kin_context_fork(void);
KIN_API kin_context *kin_context_spawn(void);
KIN_API kin_context *kin_context_forkserver(void);

#define KIN_CONTEXT_FORKSERVER	0u
#define KIN_CONTEXT_SPAWN	1u
#define KIN_CONTEXT_FORK	2u

struct kin_context_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t kind;			/* KIN_CONTEXT_... */

	/* What a fork server does before its first child, which finds it done;
	   no other context has these. */
	const char *const *libraries;	/* loads them; ends with NULL */
	kin_entry_fn *prepare;		/* calls it, a KIN_ENTRY, without
					   arguments; it must leave no thread */

	/* For processes whose own options do not say: as kin_process_opts. */
	const char *const *env;
	int32_t in, out, err;		/* KIN_STREAM_NULL, a descriptor that
					   stays open, KIN_STREAM_OUT */
};

/*
 * One of your own, with a fork server of its own if it is of that kind.
 *
 *   -EINVAL  an unknown kind; .libraries or .prepare where there is no server
 *   -ENOMEM
 */
KIN_API KIN_MUST int kin_context_create(kin_context **ret_c,
					const struct kin_context_opts *opts);

/*
 * Let go.  Its fork server ends when the last of its processes was joined or
 * has ended; those that run go on.  NULL is ignored.
 */
KIN_API void kin_context_close(kin_context *c);

/*
 * What kin_process_start does without .context; once, and before the first
 * such start.  It must stay open.
 *
 *   -EALREADY  it was set, or used
 */
KIN_API KIN_MUST int kin_context_set_default(kin_context *c);
KIN_API kin_context *kin_context_default(void);

/* "fork", "spawn", "forkserver" */
KIN_API const char *kin_context_name(const kin_context *c);

KIN_END

#endif
