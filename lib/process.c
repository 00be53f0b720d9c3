/* SPDX-License-Identifier: MIT */
/*
 * process.c - kin_process: a child, from its start until it is let go of
 *
 *      start ──▶ running ──pidfd readable──▶ ended: status kept, for every
 *                   │                               join that comes (status.c)
 *                   └──close──▶ left: collected by a later start or close
 *                                     (children.c)
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/context.h"
#include "lib/entry.h"
#include "lib/pledge.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/log.h"
#include "shm/os.h"
#include "shm/self.h"

static void
thaw(kin_process *p)
{
	uint32_t i;

	for (i = 0; i < p->nfrozen; i++)
		kn_frozen_drop(p->frozen[i]);
	free(p->frozen);
	p->frozen = NULL;
	p->nfrozen = 0;
}

void
kn_process_free(kin_process *p)
{
	kn_result_forget(p);
	kn_served_forget(&p->served);
	thaw(p);
	kn_process_take_back(p);
	kn_os_close(p->pidfd);
	kn_os_close(p->lifeline);
	kn_os_close(p->line);
	kn_streams_close(&p->streams);
	if (p->slip != NULL)
		if (p->slip != NULL)
		kn_os_unmap(p->slip, KN_SLIP_BYTES);
	pthread_mutex_destroy(&p->taking);
	free(p->child);
	free(p);
}

/* ---- public ---- */

#define FLAGS	(KIN_PROCESS_THREADS | KIN_PROCESS_GROUP |		\
		 KIN_PROCESS_SESSION | KIN_PROCESS_ENV_ONLY |		\
		 KIN_PROCESS_DAEMON | KIN_PROCESS_DETACHED)

static int
check_start(const struct kin_process_opts *opts)
{
	int threads;

	if ((opts->flags & ~FLAGS) != 0)
		return kn_fail(-EINVAL, "process: flags %#x", opts->flags);
	if ((opts->flags & KIN_PROCESS_DAEMON) &&
	    (opts->flags & KIN_PROCESS_DETACHED))
		return kn_fail(-EINVAL, "process: a daemon ends with its "
			       "parent, one that is detached does not");
	if ((opts->flags & KIN_PROCESS_THREADS) ||
	    opts->context->kind != KIN_CONTEXT_FORK)
		return 0;
	threads = kn_os_threads();
	if (threads > 1)
		return kn_fail(-EBUSY, "%d other threads run here, and what "
			       "they hold would stay held in a fork's child; "
			       "see KIN_PROCESS_THREADS", threads - 1);
	return 0;
}

static kin_process *
handle_of(kin_entry_fn *fn, const char *name)
{
	kin_process *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->pidfd = p->lifeline = p->line = -1;
	p->streams = (struct kn_streams){ { -1, -1, -1 }, { -1, -1, -1 } };
	pthread_mutex_init(&p->taking, NULL);
	p->generation = kn_self_generation();
	if (name == NULL)
		name = kn_entry_name(fn);
	snprintf(p->name, sizeof(p->name), "%s", name != NULL ? name : "kin");
	return p;
}

static int
encode(struct kn_bundle *b, const kin_process *p, struct kin_args args,
       uint64_t max_copy_bytes)
{
	struct kn_way way = { .max_copy_bytes = max_copy_bytes };
	char what[40];

	snprintf(what, sizeof(what), "process '%s'", p->name);
	way.what = what;
	return kn_bundle_encode(b, args, &way);
}

/*
 * The child has them.  What is frozen stays so until p is let go of, and what
 * may never be taken is known until the child's end.
 */
static void
sent(struct kn_bundle *b, kin_process *p)
{
	p->frozen = b->frozen;
	p->nfrozen = b->nfrozen;
	b->frozen = NULL;
	b->nfrozen = 0;
	if (b->pledges > 0) {
		p->npledged = kn_pledges_keep(b->bytes, b->len);
		p->pledged = b->bytes;
		b->bytes = NULL;
	}
	kn_bundle_sent(b);
}

static int
start(kin_process *p, struct kn_start *how)
{
	int r;

	kn_children_enter(p);	/* before the fork: siblings born meanwhile
				   must know our lifeline */
	p->started = kin_now();
	r = kn_context_start(how->context, p, how);
	kn_children_started(p);
	kn_streams_close_child(&p->streams);
	if (r == 0 && p->child != NULL)
		r = kn_start_await(p);
	if (r == 0 && p->detached) {
		r = kn_process_cut_loose(p);
		/* It runs already, and may have ended: nothing ties it. */
		if (r == -EPIPE)
			r = 0;
		if (r < 0)
			kn_start_undo(p);
	}
	if (r < 0)
		kn_children_leave(p);
	return r;
}

/* What it is to be made with. */
static int
prepare(kin_process *p, struct kn_start *how,
	const struct kin_process_opts *opts)
{
	int i, n = 0, r;

	r = kn_child_make(&p->child, opts);
	if (r == 0)
		r = kn_streams_open(&p->streams, opts);
	if (r < 0)
		return r;
	p->daemon = opts->flags & KIN_PROCESS_DAEMON;
	p->detached = opts->flags & KIN_PROCESS_DETACHED;
	how->child = p->child;
	for (i = 0; i < 3; i++)
		if (p->streams.child[i] >= 0)
			how->streams[n++] = p->streams.child[i];
	return 0;
}

/* A process with these arguments, which are its own then. */
static int
start_new(kin_process **ret_p, struct kn_start *how, struct kin_args args,
	  const struct kin_process_opts *opts)
{
	kin_process *p = handle_of(how->fn, opts->name);
	int r;

	if (p == NULL)
		return kn_fail(-ENOMEM, "process handle");
	r = prepare(p, how, opts);
	if (r == 0)
		r = encode(how->args, p, args, opts->max_copy_bytes);
	if (r == 0) {
		r = start(p, how);
		if (r < 0)
			kn_bundle_drop(how->args);
	}
	if (r < 0) {
		kn_process_free(p);
		return r;
	}
	sent(how->args, p);
	kin_log(KIN_LOG_DEBUG, "process '%s' (%d) started", p->name,
		(int)p->pid);
	*ret_p = p;
	return 0;
}

int
kin_process_start(kin_process **ret_p, kin_entry_fn *fn, struct kin_args args,
		  const struct kin_process_opts *user)
{
	struct kin_process_opts opts;
	struct kn_bundle bundle = { 0 };
	struct kn_start how = { .fn = fn, .args = &bundle };
	int r;

	kn_assert(ret_p != NULL);
	kn_assert(fn != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	how.context = opts.context = kn_context_of(opts.context);
	kn_context_fill(opts.context, &opts);
	r = check_start(&opts);
	if (r < 0)
		return r;
	kn_children_collect();
	how.threads = opts.flags & KIN_PROCESS_THREADS;
	return start_new(ret_p, &how, args, &opts);
}

int
kin_process_take_pipe(kin_process *p, int stream)
{
	int fd = -1;

	kn_assert(p != NULL);
	kn_self_lock();
	if (stream >= 0 && stream <= 2) {
		fd = p->streams.parent[stream];
		p->streams.parent[stream] = -1;
	}
	kn_self_unlock();
	return fd >= 0 ? fd : kn_fail(-ENOENT, "process '%s' has no pipe to "
				      "its stream %d", p->name, stream);
}

pid_t
kin_process_pid(const kin_process *p)
{
	kn_assert(p != NULL);
	return p->pid;
}

int
kin_process_fd(const kin_process *p)
{
	kn_assert(p != NULL);
	return p->pidfd;
}

const char *
kin_process_name(const kin_process *p)
{
	kn_assert(p != NULL);
	return p->name;
}

void
kin_process_close(kin_process *p)
{
	int saved = errno;

	if (p == NULL || p->role != KN_CHILD_OF_OURS)
		return;
	thaw(p);
	if (kn_process_is_foreign(p)) {
		kn_process_free(p);
	} else {
		kn_children_close(p);
		kn_children_collect();
	}
	errno = saved;
}
