/* SPDX-License-Identifier: MIT */
/*
 * crash.c - what a child leaves that dies by a fault
 *
 *      fault ──▶ signal, address, place      plain stores
 *                frames                      the unwinder reads what may be
 *                their names                 spoiled: it may fault itself, and
 *                                            then we go on without
 *
 * Nothing is allocated.  The unwinder is linked in, not loaded when it is
 * needed, as that of execinfo.h is; it asks the dynamic linker, as dladdr
 * does, which is not on the list of what a handler may call: see trap.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#include "lib/crash.h"
#include "lib/faults.h"
#include "lib/line.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"

#define STACK	(64u * 1024)

static const int faults[] = {
	SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT,
};

static struct kn_crash *page;		/* of this process; or NULL */
static unsigned char stack[STACK] __attribute__((aligned(16)));

static uint32_t writer;			/* the thread that writes it; or 0 */
static sigjmp_buf way_out;		/* of the writer, if it faults */

/* ---- the child: in the handler ---- */

struct walk {
	struct kin_crash *crash;
	bool found;			/* the place: what was before is ours */
};

static _Unwind_Reason_Code
see_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	struct kin_crash *c = walk->crash;
	int exact = 0;
	uintptr_t at = _Unwind_GetIPInfo(context, &exact);

	if (!walk->found && at == c->place) {
		walk->found = true;
		c->nframes = 0;
	}
	if (at == 0 || c->nframes == KIN_CRASH_FRAMES)
		return walk->found || at == 0 ? _URC_END_OF_STACK
					      : _URC_NO_REASON;
	/* A return address is one past the call, maybe in another function. */
	c->frames[c->nframes++] = exact ? at : at - 1;
	return _URC_NO_REASON;
}

/* All that is certain, first. */
static void
note_signal(struct kin_crash *c, int signal, const siginfo_t *info,
	    const ucontext_t *context)
{
	memset(c, 0, sizeof(*c));
	c->signal = signal;
	c->code = info->si_code;
	c->place = kn_fault_place(context);
	c->thread = kn_os_thread();
	if (info->si_code <= 0)
		c->sender = info->si_pid;
	else
		c->address = (uintptr_t)info->si_addr;
}

static void
note_names(struct kin_crash *c)
{
	struct kn_line line = { .text = c->text, .cap = sizeof(c->text) - 1 };
	uint32_t i;

	for (i = 0; i < c->nframes; i++) {
		kn_line_put_place(&line, (uintptr_t)c->frames[i]);
		kn_line_put(&line, "\n", 1);
	}
}

/*
 * Where it cannot unwind from, the place alone is a frame.
 */
static void
note_frames(struct kin_crash *c)
{
	struct walk walk = { .crash = c };

	(void)_Unwind_Backtrace(see_frame, &walk);
	if (c->nframes == 0 && c->place != 0)
		c->frames[c->nframes++] = c->place;
}

/* The others of these signals end us at once if they come while we write. */
static void
allow_faults(sigset_t *ret_old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, ret_old);
}

static void
leave(struct kn_crash *to, int signal, const siginfo_t *info,
      const ucontext_t *context)
{
	sigset_t old;

	kn_store(&to->steps, 0);
	note_signal(&to->is, signal, info, context);
	kn_store(&to->steps, KN_CRASH_SIGNAL);
	allow_faults(&old);
	if (sigsetjmp(way_out, 0) == 0) {
		note_frames(&to->is);
		kn_store(&to->steps, KN_CRASH_FRAMES);
		note_names(&to->is);
		kn_store(&to->steps, KN_CRASH_TEXT);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void
on_crash(int signal, const siginfo_t *info, const ucontext_t *context)
{
	uint32_t self = kn_os_thread(), nobody = 0;

	if (__atomic_load_n(&writer, __ATOMIC_RELAXED) == self)
		siglongjmp(way_out, 1);
	if (page == NULL ||
	    !__atomic_compare_exchange_n(&writer, &nobody, self, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	leave(page, signal, info, context);
	__atomic_store_n(&writer, 0, __ATOMIC_SEQ_CST);
}

/* ---- the child: before ---- */

/* The page is its parent's, and it is another process. */
static void
in_child(void)
{
	page = NULL;
}

__attribute__((constructor)) static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

void
kn_crash_watch(struct kn_crash *to)
{
	size_t i;

	kn_self_lock();
	page = to;
	kn_os_signal_stack(stack, sizeof(stack));
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)kn_faults_watch(faults[i], on_crash);
	kn_self_unlock();
}

/* ---- the parent ---- */

/* A string of lines, whatever it was. */
static void
tidy(char *text, size_t cap)
{
	size_t i;

	text[cap - 1] = '\0';
	for (i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\n')
			text[i] = '?';
}

static bool
copy(struct kin_crash *ret, const struct kn_crash *from, int signal)
{
	uint32_t steps = kn_load(&from->steps);

	if (steps == 0)
		return false;
	memcpy(ret, &from->is, sizeof(*ret));
	ret->zero = 0;
	if (steps < KN_CRASH_FRAMES || ret->nframes > KIN_CRASH_FRAMES)
		ret->nframes = 0;
	if (steps < KN_CRASH_TEXT)
		ret->text[0] = '\0';
	tidy(ret->text, sizeof(ret->text));
	return ret->signal == signal;
}

int
kin_process_crash(kin_process *p, struct kin_crash *ret, kin_time deadline)
{
	struct kin_status status;
	struct kin_crash crash;
	char words[80];
	int r;

	kn_assert(ret != NULL);
	r = kin_process_join(p, &status, deadline);
	if (r < 0)
		return r;
	if (status.how != KIN_SIGNALLED || p->slip == NULL ||
	    !copy(&crash, kn_slip_crash(p->slip), status.signal))
		return kn_fail(-ENODATA, "process '%s' left no report: %s",
			       p->name, kin_status_words(&status, words,
							 sizeof(words)));
	*ret = crash;
	return 0;
}
