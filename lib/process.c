/* SPDX-License-Identifier: MIT */
/*
 * process.c - kin_process: a child, from its start to its status
 *
 *      start ──▶ running ──pidfd readable──▶ ended: status kept, for every
 *                   │                               join that comes
 *                   └──close──▶ left: collected by a later start or close
 *
 * All children of this process are in one list, because each of them has to
 * let go of the lifelines of the others: the write end of a lifeline that a
 * sibling held would keep a child alive after its parent.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/entry.h"
#include "lib/pledge.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"

static kin_process *children;
static __thread kin_process *starting;	/* by this thread */

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

static bool
foreign(const kin_process *p)
{
	return p->generation != kn_self_generation();
}

/* The child has ended, and takes nothing any more. */
static void
take_back(kin_process *p)
{
	unsigned char *pledged;

	kn_self_lock();
	pledged = p->pledged;
	p->pledged = NULL;
	kn_self_unlock();
	if (pledged != NULL && !foreign(p))
		kn_pledges_drop(pledged, p->npledged);
	free(pledged);
}

static void
let_go(kin_process *p)
{
	kn_result_forget(p);
	thaw(p);
	take_back(p);
	kn_os_close(p->pidfd);
	kn_os_close(p->lifeline);
	kn_os_close(p->line);
	kn_streams_close(&p->streams);
	kn_os_unmap(p->slip, KN_SLIP_BYTES);
	pthread_mutex_destroy(&p->taking);
	free(p->child);
	free(p);
}

/* In every child, kin's or the application's own: see above. */
static void
in_child(void)
{
	kin_process *p;

	for (p = children; p != NULL; p = p->next) {
		kn_os_close(p->pidfd);
		kn_os_close(p->lifeline);
		kn_os_close(p->line);
		p->pidfd = p->lifeline = p->line = -1;
		p->slip = NULL;		/* a child does not inherit it */
		kn_streams_close_parent(&p->streams);
		if (p != starting)	/* else they are its own */
			kn_streams_close_child(&p->streams);
	}
	children = NULL;
}

__attribute__((constructor)) static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

/* ---- the end ---- */

/* An ended process's status, as far as the kernel still has it. */
static void
collect(kin_process *p)
{
	struct kin_status *s = &p->status;
	siginfo_t info = { 0 };

	if (kn_os_wait(p->pidfd, &info, WEXITED | WNOHANG) < 0 ||
	    info.si_pid == 0) {
		s->how = KIN_UNKNOWN;
	} else if (info.si_code == CLD_EXITED) {
		s->how = KIN_EXITED;
		s->code = kn_load(&p->slip->returned)
			  ? (int)kn_load(&p->slip->value) : info.si_status;
	} else {
		s->how = KIN_SIGNALLED;
		s->signal = info.si_status;
		s->core = info.si_code == CLD_DUMPED;
	}
	p->ended = true;
	kn_os_close(p->lifeline);
	p->lifeline = -1;
}

/* Poll says that it has ended; many threads may have heard. */
static void
collect_once(kin_process *p)
{
	kn_self_lock();
	if (!p->ended)
		collect(p);
	kn_self_unlock();
	take_back(p);
}

static int
has_ended(kin_process *p, kin_time deadline)
{
	struct pollfd end = { .fd = p->pidfd, .events = POLLIN };

	return kn_os_poll(&end, 1, deadline);
}

/* ---- the list ---- */

static void
list(kin_process *p)
{
	kn_self_lock();
	p->next = children;
	children = p;
	kn_self_unlock();
}

static void
unlist_locked(kin_process *p)
{
	kin_process **at;

	for (at = &children; *at != NULL; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			return;
		}
}

static void
unlist(kin_process *p)
{
	kn_self_lock();
	unlist_locked(p);
	kn_self_unlock();
}

/*
 * Collect those that were closed while they ran and have ended since.  They
 * are let go of without the mutex, which the things that they gave may need.
 */
static void
collect_left(void)
{
	kin_process *p, *next, *over = NULL;

	kn_self_lock();
	for (p = children; p != NULL; p = next) {
		next = p->next;
		if (!p->left || has_ended(p, KIN_NOWAIT) <= 0)
			continue;
		collect(p);
		unlist_locked(p);
		p->next = over;
		over = p;
	}
	kn_self_unlock();
	for (p = over; p != NULL; p = next) {
		next = p->next;
		let_go(p);
	}
}

/* ---- public ---- */

#define FLAGS	(KIN_PROCESS_THREADS | KIN_PROCESS_GROUP |		\
		 KIN_PROCESS_SESSION | KIN_PROCESS_ENV_ONLY)

static int
check_start(const struct kin_process_opts *opts)
{
	int threads;

	if ((opts->flags & ~FLAGS) != 0)
		return kn_fail(-EINVAL, "process: flags %#x", opts->flags);
	if (opts->flags & KIN_PROCESS_THREADS)
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
map_slip(kin_process *p)
{
	void *slip;
	int r;

	r = kn_os_map(-1, KN_SLIP_BYTES, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, &slip);
	if (r < 0)
		return kn_fail(r, "process '%s': a page", p->name);
	p->slip = slip;
	return 0;
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
	int r = map_slip(p);

	if (r < 0)
		return r;
	list(p);		/* before the fork: siblings born meanwhile
				   must know our lifeline */
	starting = p;
	r = kn_start_fork(p, how);
	starting = NULL;
	kn_streams_close_child(&p->streams);
	if (r < 0)
		unlist(p);
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
		let_go(p);
		return r;
	}
	sent(how->args, p);
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
	if (r == 0)
		r = check_start(&opts);
	if (r < 0)
		return r;
	collect_left();
	how.threads = opts.flags & KIN_PROCESS_THREADS;
	return start_new(ret_p, &how, args, &opts);
}

int
kin_process_join(kin_process *p, struct kin_status *ret_status,
		 kin_time deadline)
{
	int r;

	kn_assert(p != NULL);
	if (foreign(p))
		return kn_fail(-ESTALE, "process '%s' was started by another",
			       p->name);
	r = has_ended(p, deadline);
	if (r < 0)
		return kn_fail(r, "waiting for process '%s'", p->name);
	if (r == 0)
		return kn_fail(-ETIMEDOUT, "process '%s' (%d) ran until the "
			       "deadline", p->name, (int)p->pid);
	collect_once(p);
	if (ret_status != NULL)
		*ret_status = p->status;
	return 0;
}

int
kin_process_signal(kin_process *p, int signal)
{
	int r;

	kn_assert(p != NULL);
	if (foreign(p))
		return kn_fail(-ESTALE, "process '%s' was started by another",
			       p->name);
	r = kn_os_signal(p->pidfd, signal);
	return r < 0 ? kn_fail(r, "signal %d to process '%s'", signal, p->name)
		     : 0;
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
	bool ended;

	if (p == NULL)
		return;
	thaw(p);
	if (foreign(p)) {
		let_go(p);
	} else {
		kn_self_lock();
		ended = p->ended;
		if (ended)
			unlist_locked(p);
		else
			p->left = true;
		kn_self_unlock();
		if (ended)
			let_go(p);
		collect_left();
	}
	errno = saved;
}

/* "SIGKILL"; or "signal 40", where it has no name or libc does not know. */
static void
name_signal(char *buf, size_t cap, int signal)
{
	const char *name = NULL;

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
	name = sigabbrev_np(signal);
#endif
	if (name != NULL)
		snprintf(buf, cap, "SIG%s", name);
	else
		snprintf(buf, cap, "signal %d", signal);
}

const char *
kin_status_words(const struct kin_status *status, char *buf, size_t cap)
{
	char name[32];

	kn_assert(status != NULL);
	switch (status->how) {
	case KIN_EXITED:
		snprintf(buf, cap, "exited with %d", status->code);
		break;
	case KIN_SIGNALLED:
		name_signal(name, sizeof(name), status->signal);
		snprintf(buf, cap, "killed by %s%s", name,
			 status->core ? ", core dumped" : "");
		break;
	default:
		snprintf(buf, cap, "ended; its status was taken by others");
	}
	return buf;
}
