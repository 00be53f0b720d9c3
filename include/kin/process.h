/* SPDX-License-Identifier: MIT */
/*
 * kin/process.h - start a function in a process of its own, and learn its end
 *
 *      kin_process *p;
 *      struct kin_status status;
 *
 *      r = kin_process_start(&p, greet, KIN_ARGS("world"), NULL);
 *      r = kin_process_join(p, &status, kin_in_ms(1000));
 *      if (status.how == KIN_SIGNALLED)
 *              printf("killed by signal %d\n", status.signal);
 *      r = kin_process_result(p, KIN_TAKE(&n), kin_in_ms(1000));
 *      kin_process_close(p);
 *
 * How the child comes to be is its context's, see context.h: by default it is
 * a fork of a clean process, and has of its parent what its arguments say, the
 * directory and the standard streams.  If it is a fork of its parent, it has the
 * parent's memory as it was, and the handles of shared things in it are good;
 * but of the parent's connections it has only those that it was given.
 *
 * Standard streams are flushed before the start, and the child ends by a flush
 * and _exit: what was printed appears once, and the parent's atexit handlers do
 * not run in it.
 *
 * A process that exits, or whose entry has returned, waits for its children:
 * daemons are sent SIGTERM, and SIGKILL if they do not end within a second;
 * the others are waited for as long as it takes, and Ctrl-C ends the waiting
 * process; those that are detached are left alone.
 *
 * A terminal's SIGINT is the parent's: the child ignores it until it says
 * otherwise.  SIGCHLD and waitpid(-1) stay the application's.
 *
 * Order    start returns when the child exists and can be waited for.
 * Threads  Any call from any thread, many may join one process; close must be
 *          the handle's last.
 * Fork     A handle belongs to the process that started the child: elsewhere
 *          join and signal are -ESTALE, and close only frees.
 * Crash    A child that is not detached ends with the process that started it,
 *          by SIGKILL, whether that one calls _exit, execs or is killed, at any
 *          instruction.  The line between them is a descriptor in the child:
 *          one that execs, or closes all it has, cuts it and lives on by
 *          itself.
 */
#ifndef KIN_PROCESS_H
#define KIN_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <kin/context.h>
#include <kin/entry.h>
#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/values.h>

KIN_BEGIN

typedef struct kin_process kin_process;

#define KIN_PROCESS_THREADS	1u	/* fork though other threads run; they
					   are missing in the child, and what
					   they had locked stays locked; only
					   those of stdout and stderr that no
					   thread is using are flushed */
#define KIN_PROCESS_GROUP	2u	/* in a process group of its own, */
#define KIN_PROCESS_SESSION	4u	/* or a session, without a terminal */
#define KIN_PROCESS_ENV_ONLY	8u	/* .env in place of the environment */
#define KIN_PROCESS_DAEMON	16u	/* when its parent exits it is told to end,
					   and not waited for long */
#define KIN_PROCESS_DETACHED	32u	/* see kin_process_detach */

/* For .in, .out, .err: 0 = the parent's; a descriptor, which is copied; or */
#define KIN_STREAM_NULL	(-1)		/* /dev/null */
#define KIN_STREAM_PIPE	(-2)		/* see kin_process_take_pipe */
#define KIN_STREAM_OUT	(-3)		/* for .err: where the output goes */

#define KIN_UMASK(mode)	(01000u | (mode))
#define KIN_UNLIMITED	UINT64_MAX

struct kin_limit {
	uint32_t resource;		/* RLIMIT_... */
	uint64_t soft, hard;
};

struct kin_process_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_PROCESS_... */
	const char *name;		/* shown by ps and kin; NULL = entry's;
					   the kernel keeps 15 bytes of it */
	uint64_t max_copy_bytes;	/* of one argument; 0 = no limit */
	kin_context *context;		/* the way; NULL = the default */

	/* What it is before its entry runs; 0 and NULL: as its parent. */
	const char *cwd;
	const char *const *env;		/* "NAME=value" is set, "NAME" removed;
					   ends with NULL */
	int32_t in, out, err;		/* KIN_STREAM_... */
	int32_t nice;			/* added to the parent's */
	int32_t oom_score;		/* added to the parent's */
	uint32_t umask;			/* KIN_UMASK(022) */
	const uint32_t *cpus;		/* that it may run on */
	const struct kin_limit *limits;
	uint32_t ncpus;
	uint32_t nlimits;
};

#define KIN_EXITED	1u		/* by itself: code is its value */
#define KIN_SIGNALLED	2u		/* by a signal */
#define KIN_UNKNOWN	3u		/* ended, but somebody else took the
					   status: the application's waitpid,
					   an ignored SIGCHLD, or init, since
					   its fork server was killed */

struct kin_status {
	uint32_t how;			/* KIN_EXITED, KIN_SIGNALLED, ... */
	int32_t code;			/* what the entry returned, whole, or
					   what exit() was given, in 8 bits */
	int32_t signal;			/* 0 unless KIN_SIGNALLED */
	uint32_t core;			/* 1 if it left a core dump */
	uint32_t by_us;			/* 1 if its handle was used to send it
					   the signal that ended it */
	uint32_t has_usage;		/* 0: usage is not known, and all 0 */
	kin_time started;
	kin_time ended;			/* as it was seen: by the first join, or
					   alive, to come after its end */
	struct rusage usage;		/* its own and its waited-for children's */
};

/*
 * Start fn, a KIN_ENTRY if the context is not fork, with these arguments; opts
 * may be NULL.  They are copied before start returns; shared things and
 * descriptors among them are the child's own from then on.
 *
 *   -ENOEXEC this program has not called kin_init, without which there is only
 *            fork, and entries of shared libraries
 *   -EBUSY   fork, and other threads run here: see KIN_PROCESS_THREADS.  Said
 *            after a tenth of a second, since a thread that was joined is seen
 *            for a moment more
 *   -EINVAL  an argument that is no value, an unknown flag, or a function that
 *            is no KIN_ENTRY and has to be
 *   -EMSGSIZE  an argument over .max_copy_bytes; the message names it
 *   -EAGAIN  the system's limit of processes
 *   -ETIMEDOUT  a manager's object among them, whose server did not answer for
 *            5 seconds
 *   -E2BIG, -ENOMEM, -EMFILE
 *
 * With options that the child has to carry out, start returns when it has; if
 * one fails there, start returns that error, the message names the option, and
 * the child has ended.
 */
KIN_API KIN_MUST int kin_process_start(kin_process **ret_p, kin_entry_fn *fn,
				       struct kin_args args,
				       const struct kin_process_opts *opts);

/*
 * Wait for its end, and learn how it ended; ret_status may be NULL.  Once it
 * has ended, every join says the same.
 *
 *   -ETIMEDOUT  it ran until the deadline, and still does
 *   -ESTALE     it was started by another process
 */
KIN_API KIN_MUST int kin_process_join(kin_process *p,
				      struct kin_status *ret_status,
				      kin_time deadline);

/*
 * Wait for its end, and take what its entry gave to kin_call_return.  What is
 * borrowed is good until close; what else is taken is yours to close, and each
 * take gives it anew.
 *
 *   -EOWNERDEAD  it was killed, or exited, before its entry had returned; the
 *                message says how it ended
 *   -ESTALE      its entry did not run, since what it was to run in is another
 *                build by now: a shared library was replaced.  -ENOENT: it is
 *                not there any more, -ELIBACC: the library cannot be loaded
 *   -ENODATA     its entry returned, but gave nothing
 *   -EREMOTEIO   its entry returned a negative number; kin_errmsg() begins
 *                "remote:" and its name, and gives the entry's own sentence
 *   -EINVAL, -ERANGE, -ENOMEM, -EMFILE as kin_values_take: nothing is taken,
 *   and it can be tried again.  -ETIMEDOUT, -ESTALE as join
 */
KIN_API KIN_MUST int kin_process_result(kin_process *p,
					struct kin_slots places,
					kin_time deadline);

/* 1: it runs.  0: it has ended.  -ESTALE as join. */
KIN_API KIN_MUST int kin_process_alive(kin_process *p);

/*
 * Send it a signal.  One that has ended does not get it, and nobody else does:
 * -ESRCH once it was joined.  SIGTERM, SIGINT and SIGKILL have names of their
 * own; a child ignores SIGINT until it says otherwise.
 */
KIN_API int kin_process_signal(kin_process *p, int signal);
KIN_API int kin_process_terminate(kin_process *p);
KIN_API int kin_process_interrupt(kin_process *p);
KIN_API int kin_process_kill(kin_process *p);

/*
 * Kill it, with all its descendants: those that its children have started and
 * so on, by whatever means.  They are stopped first, so that none of them
 * starts another meanwhile.  Not found are those whose parent had ended before
 * (a daemon of the old kind, that has forked twice).  Join it afterwards.
 *
 *   -ESRCH      it has ended
 *   -ETIMEDOUT  some of them would not stop (in a long wait for a disk); those
 *               that were found by then are killed
 *   -EINVAL     it is ourselves, or our parent
 *   -EPERM, -ENOENT, -ENOMEM, -EMFILE  what was found is killed; -ENOENT:
 *               there is no /proc to look in
 *   -ESTALE     as join
 */
KIN_API int kin_process_kill_tree(kin_process *p, kin_time deadline);

/*
 * Let it live on when we end: it is not killed, and not waited for.  It can
 * still be joined, and is to be closed.
 *
 *   -ESRCH   it has ended
 *   -EINVAL  it is ourselves, or our parent
 *   -ESTALE  as join
 *   -ETOOMANYREFS, -EPIPE  it cannot be reached: too many are detached, or it
 *            has closed all its descriptors
 */
KIN_API int kin_process_detach(kin_process *p);

/*
 * Our end of the pipe that is its stdin (0, to write), stdout (1) or stderr
 * (2, to read).  It is yours to close.
 *
 *   -ENOENT  there is none, or it was taken
 */
KIN_API KIN_MUST int kin_process_take_pipe(kin_process *p, int stream);

/* Its id, for people: it may be another's once the process was joined. */
KIN_API pid_t kin_process_pid(const kin_process *p);

/* Its sentinel: a descriptor that polls readable at its end.  It is p's own. */
KIN_API int kin_process_fd(const kin_process *p);

/* Its name; good until close. */
KIN_API const char *kin_process_name(const kin_process *p);

/*
 * Let go.  A process that still runs goes on, and is collected by a later
 * start or close; until then it keeps three descriptors, and our exit still
 * waits for it.  NULL is ignored.
 */
KIN_API void kin_process_close(kin_process *p);

/*
 * This process, and the one that started it as a child of kin's: NULL if none
 * did, or no descriptor is left to find it by.  These handles are nobody's to close, and closing does nothing.  A
 * parent can be joined, or waited for by kin_process_fd: by a child that is
 * detached, for the others end with it.  Its fd is -1, and its status
 * KIN_UNKNOWN, if it had ended before it was asked for.  Joining oneself is
 * -EDEADLK.
 */
KIN_API kin_process *kin_process_self(void);
KIN_API kin_process *kin_process_parent(void);

/*
 * One after another, those that this process has started, the youngest first.
 * Begin with a struct of zeros: 1 an item, 0 the end.
 *
 *      struct kin_child child = { 0 };
 *
 *      while (kin_process_children(&child))
 *              printf("%s %d\n", child.name, (int)child.pid);
 */
struct kin_child {
	uint64_t serial;		/* where we are */
	kin_process *process;		/* NULL: its handle was closed */
	pid_t pid;
	uint32_t alive;
	char name[16];
};
KIN_API KIN_MUST int kin_process_children(struct kin_child *child);

/*
 * To be called at this process's end: when its entry has returned, or it calls
 * exit.  Highest priority first, and of one priority the last added; those of
 * negative priority when its children have ended.  A fork's child has none of
 * its parent's.  Removed, it is not called; -ENOENT: there is none.
 */
typedef void kin_finaliser_fn(void *user);

KIN_API KIN_MUST int kin_finaliser_add(kin_finaliser_fn *fn, void *user,
				       int priority);
KIN_API int kin_finaliser_remove(kin_finaliser_fn *fn, void *user);

/* A status in words: "exited with 0", "killed by SIGKILL"; returns buf. */
KIN_API const char *kin_status_words(const struct kin_status *status,
				     char *buf, size_t cap);

KIN_END

#endif
