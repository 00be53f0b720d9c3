/* SPDX-License-Identifier: MIT */
/*
 * start_run.c - the child, however it was started
 *
 *      arms its lifeline: end of the pipe ──▶ SIGKILL
 *      sleeps until it is told to go
 *      runs the entry, leaves what that gives, flushes, _exit
 *
 * It waits so that it cannot end, and be collected by the application's
 * SIGCHLD handler, and its pid be given to another, before its parent holds a
 * pidfd; and so that no entry runs in a child that its parent does not know.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/conn.h"
#include "lib/end.h"
#include "lib/entry.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"

static struct kn_ends own = { -1, -1 };

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
enter(kin_call *call, const struct kn_start *how)
{
	static const struct kn_sentence none;
	int r;

	if (how->refused < 0)
		return how->refused;
	kn_sentence_restore(&none);
	r = unpack(call, how->args);
	return r < 0 ? r : how->fn(call);
}

/* It is as it should be, or it ends, and the start that waits is told why. */
static void
become(const struct kn_start *how)
{
	int r;

	if (how->child == NULL)
		return;
	r = how->refused;
	if (r == 0)
		r = kn_child_set_up(how->child, how->streams);
	kn_child_report(own.line, r);
	if (r < 0)
		_exit(255);
}

void
kn_start_run(const struct kn_start *how, const char *name,
	     const struct kn_ends *ends, struct kn_slip *slip)
{
	kin_call call = { .name = name, .file = -1 };
	pid_t self = getpid();
	int value;

	kn_start_ends_close(&own);
	own = *ends;
	if (kn_os_kill_on_hangup(own.lifeline) < 0) {
		kill(self, SIGKILL);	/* it has not run, and never will */
		_exit(255);
	}
	kn_conns_leave();		/* those in args are dups */
	await_go(&slip->go);
	kn_os_name_process(name);
	kn_family_begin(name, &slip->starter);
	kn_crash_watch(kn_slip_crash(slip));
	become(how);

	value = enter(&call, how);
	/* A fork within the entry returns from it, too: not for us to report,
	   and what was taken is not its own to end. */
	if (getpid() == self) {
		kn_store(&slip->refused, how->refused < 0);
		kn_result_leave(&call, value, slip, own.line);
		kin_values_free(call.values);
		kn_end();
	}
	fflush(NULL);
	_exit(exit_status(value));
}
