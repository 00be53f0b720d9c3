/* SPDX-License-Identifier: MIT */
/*
 * start_fork.c - start a process by fork
 *
 *      parent                         child
 *        │ pipe, line, fork ────────────┐ arms its lifeline: the pipe
 *        │ pidfd of the child           │ sleeps on a word in the slip
 *        ├─ go ────────────────────────▶│ runs the entry, with the arguments
 *        │ keeps the write end          │ as they lie in its memory
 *        ▼ dies: end of the pipe ──────▶✝ SIGKILL
 *
 * The child waits so that it cannot end, and be collected by the application's
 * SIGCHLD handler, and its pid be given to another, before we hold a pidfd.
 *
 * Nothing is ever written to the pipe: a write signals the reader too, and so
 * late that the reader may have armed by then.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/conn.h"
#include "lib/entry.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/socket.h"

/* What a child holds: of its parent's pipe, and of the line back. */
struct ends {
	int lifeline;
	int line;
};

static struct ends own = { -1, -1 };

static void
close_ends(const struct ends *ends)
{
	kn_os_close(ends->lifeline);
	kn_os_close(ends->line);
}

void
kn_start_ends(int *ret_lifeline, int *ret_line)
{
	*ret_lifeline = own.lifeline;
	*ret_line = own.line;
}

/* The exit status for those who look at it alone: 0 only for 0. */
static int
exit_status(int value)
{
	return (value & 0xff) != 0 ? value & 0xff : value != 0;
}

/* The parent's death is the lifeline's business. */
static void
await_go(const kn_word *go)
{
	while (kn_load(go) == 0)
		(void)kn_os_futex_wait(go, 0, kin_in_ms(1000));
	if (kn_load(go) != KN_GO)
		_exit(255);
}

static void
tell(kn_word *go, uint32_t what)
{
	kn_store(go, what);
	(void)kn_os_futex_wake(go, 1);
}

/* Our copy of the bundle becomes the values; the rest of it goes. */
static int
unpack(kin_call *call, struct kn_bundle *args)
{
	int r;

	r = kn_values_of(&call->values, args->bytes, args->len, args->fds,
			 args->nfds);
	if (r < 0)
		return r;
	args->bytes = NULL;
	args->nfds = 0;
	kn_bundle_sent(args);
	return 0;
}

/* What the entry returns, with nothing of its parent's in its sentence. */
static int
enter(kin_call *call, kin_entry_fn *fn, struct kn_bundle *args)
{
	static const struct kn_sentence none;
	int r;

	kn_sentence_restore(&none);
	r = unpack(call, args);
	return r < 0 ? r : fn(call);
}

static void __attribute__((noreturn))
run(const char *name, struct kn_slip *slip, kin_entry_fn *fn,
    struct kn_bundle *args, const struct ends *ends)
{
	kin_call call = { .name = name, .file = -1 };
	pid_t self = getpid();
	int value;

	close_ends(&own);
	own = *ends;
	if (kn_os_kill_on_hangup(own.lifeline) < 0) {
		kill(self, SIGKILL);	/* it has not run, and never will */
		_exit(255);
	}
	kn_conns_leave();		/* those in args are dups */
	await_go(&slip->go);
	kn_os_name_process(name);

	value = enter(&call, fn, args);
	/* A fork within the entry returns from it, too: not for us to report,
	   and what was taken is not its own to end. */
	if (getpid() == self) {
		kn_result_leave(&call, value, slip, own.line);
		kin_values_free(call.values);
	}
	fflush(NULL);
	_exit(exit_status(value));
}

static void
cut(kin_process *p)
{
	kn_self_lock();
	kn_os_close(p->lifeline);
	kn_os_close(p->line);
	p->lifeline = p->line = -1;
	kn_self_unlock();
}

/* There is no pidfd of it: let it end by itself, and collect it. */
static void
give_up(kin_process *p)
{
	tell(&p->slip->go, KN_GO_NOT);
	cut(p);
	kn_os_reap(p->pid);
}

/*
 * Another thread may hold a stream for as long as it likes (it reads from a
 * terminal), and a start does not wait: then only what is free is flushed.
 */
static void
flush_streams(bool threads)
{
	FILE *streams[] = { stdout, stderr };
	size_t i;

	if (!threads) {
		fflush(NULL);
		return;
	}
	for (i = 0; i < 2; i++)
		if (ftrylockfile(streams[i]) == 0) {
			fflush_unlocked(streams[i]);
			funlockfile(streams[i]);
		}
}

static int
open_ends(kin_process *p, struct ends *ret)
{
	int pipe[2], line[2], r;

	r = kn_os_pipe(pipe);
	if (r < 0)
		return kn_fail(r, "process '%s': its lifeline", p->name);
	r = kn_os_socketpair(line);
	if (r < 0) {
		kn_os_close(pipe[0]);
		kn_os_close(pipe[1]);
		return kn_fail(r, "process '%s': its line back", p->name);
	}
	*ret = (struct ends){ pipe[0], line[0] };
	p->lifeline = pipe[1];
	p->line = line[1];
	return 0;
}

int
kn_start_fork(kin_process *p, kin_entry_fn *fn, struct kn_bundle *args,
	      bool threads)
{
	struct kn_slip *slip = p->slip;	/* the child's handles lose it */
	struct ends ends;
	int r;

	/* In one step for those who fork: a lifeline that is open is known. */
	kn_self_lock();
	r = open_ends(p, &ends);
	kn_self_unlock();
	if (r < 0)
		return r;
	flush_streams(threads);
	r = p->pid = kn_os_fork();
	if (r == 0)
		run(p->name, slip, fn, args, &ends);
	close_ends(&ends);
	if (r < 0)
		return kn_fail(r, "process '%s': fork", p->name);

	r = p->pidfd = kn_os_pidfd(p->pid);
	if (r < 0) {
		give_up(p);
		return kn_fail(r, "process '%s': its descriptor", p->name);
	}
	/* From now on other children have no business with it. */
	(void)kn_os_advise(slip, KN_PAGE, MADV_DONTFORK);
	tell(&slip->go, KN_GO);
	return 0;
}
