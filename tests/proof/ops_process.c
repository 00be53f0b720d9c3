/* SPDX-License-Identifier: MIT */
/*
 * ops_process.c - starting and joining, in the parent
 *
 * All processes of a scene hold the write end of a pipe.  When the parent is
 * dead, its children have to follow, from wherever it had come to: then the
 * pipe hangs up.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kin/context.h>
#include <kin/process.h>

#include "tests/proof/nouns.h"

struct family {
	int held[2];
	kin_process *p;			/* the victim's */
};

static void
drop_family(struct scene *s)
{
	struct family *f = s->thing;

	close(f->held[0]);
	if (f->held[1] >= 0)
		close(f->held[1]);
	free(f);
	while (waitpid(-1, NULL, 0) > 0)	/* they were orphaned */
		continue;
}

static void
set_family(struct scene *s)
{
	struct family *f = calloc(1, sizeof(*f));

	must(f == NULL ? -ENOMEM : 0);
	must(prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0);
	must(pipe(f->held) < 0 ? -errno : 0);
	s->thing = f;
	s->clear = drop_family;
}

/* One that goes by itself would let a parent pass that has left it behind. */
static int
rest(kin_call *call)
{
	while (call != NULL)
		pause();
	return 1;
}

static int
end_at_once(kin_call *call)
{
	(void)call;
	return 3;
}

static int
start(struct family *f, kin_entry_fn *fn, const struct kin_process_opts *opts)
{
	return kin_process_start(&f->p, fn, KIN_ARGS("a", 1), opts);
}

static int
act_start(struct scene *s)
{
	return start(s->thing, rest, KIN_OPTS(kin_process_opts,
	    .context = kin_context_fork()));
}

static int
act_start_with_options(struct scene *s)
{
	return start(s->thing, rest, KIN_OPTS(kin_process_opts,
	    .context = kin_context_fork(), .cwd = "/",
	    .in = KIN_STREAM_NULL, .out = KIN_STREAM_PIPE));
}

static void
have_ended_child(struct scene *s)
{
	struct family *f = s->thing;
	siginfo_t info;

	must(start(f, end_at_once, KIN_OPTS(kin_process_opts,
	    .context = kin_context_fork())));
	must(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) < 0 ? -errno : 0);
}

static void
have_children(struct scene *s)
{
	have_ended_child(s);
	must(start(&(struct family){ .p = NULL }, rest,
		   KIN_OPTS(kin_process_opts, .context = kin_context_fork())));
}

static int
act_join(struct scene *s)
{
	struct family *f = s->thing;
	struct kin_status status;
	int r = kin_process_join(f->p, &status, patience());

	if (r < 0)
		return r;
	return status.how == KIN_EXITED && status.code == 3 ? 0 : -EPROTO;
}

/* Those that should be gone: they are our children, the orphaned ones. */
static void
kill_orphans(void)
{
	FILE *f = fopen("/proc/thread-self/children", "r");
	int pid;

	while (f != NULL && fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (f != NULL)
		fclose(f);
}

/* The victim is dead: nobody has the pipe but us. */
static const char *
check_all_gone(struct scene *s)
{
	struct family *f = s->thing;
	struct pollfd end = { .fd = f->held[0], .events = POLLIN };

	close(f->held[1]);
	f->held[1] = -1;
	if (poll(&end, 1, patience_ms) == 1)
		return NULL;
	kill_orphans();
	return "a child outlives its parent";
}

const struct op process_ops[] = {
	{ "process start", "plain", set_family, NULL, act_start,
	  check_all_gone, 0 },
	{ "process start", "with options", set_family, NULL,
	  act_start_with_options, check_all_gone, 0 },
	{ "process start", "has children", set_family, have_children,
	  act_start, check_all_gone, 0 },
	{ "process join", "ended", set_family, have_ended_child, act_join,
	  check_all_gone, 0 },
	{ "process join", "ended, one runs", set_family, have_children,
	  act_join, check_all_gone, 0 },
	{ NULL, NULL, NULL, NULL, NULL, NULL, 0 },
};
