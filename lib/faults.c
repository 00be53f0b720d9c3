/* SPDX-License-Identifier: MIT */
/*
 * faults.c - the one handler of signals that end a program
 */
#include <errno.h>
#include <stdbool.h>

#include "lib/faults.h"
#include "shm/error.h"
#include "shm/os.h"

struct watch {
	kn_fault_fn *fns[KN_FAULT_SEERS];	/* read by the handler */
	struct sigaction before;	/* as it was before us */
	bool is_set;
};

static struct watch watches[NSIG];

uintptr_t
kn_fault_place(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t)context->uc_mcontext.pc;
#else
	(void)context;
	return 0;
#endif
}

/*
 * A fault comes again when we return, and then ends the process with the right
 * signal at the right place.  What somebody has sent does not come again, nor
 * what is told after the instruction: a breakpoint, a forbidden call.
 */
static bool
comes_again(int signal, const siginfo_t *info)
{
	return info->si_code > 0 && signal != SIGTRAP && signal != SIGSYS;
}

/* As if we were not there. */
static void
pass_on(const struct sigaction *before, int signal, siginfo_t *info,
	void *context)
{
	bool again = comes_again(signal, info);

	if (before->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (before->sa_handler == SIG_IGN || before->sa_handler == SIG_DFL) {
		kn_os_signal_default(signal);
		if (!again)
			kn_os_raise(signal);
		return;
	}
	if (before->sa_flags & (int)SA_RESETHAND)
		kn_os_signal_default(signal);
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(signal, info, context);
	else
		before->sa_handler(signal);
}

static void
on_fault(int signal, siginfo_t *info, void *context)
{
	struct watch *w = &watches[signal];
	int saved = errno;
	kn_fault_fn *fn;
	unsigned i;

	for (i = 0; i < KN_FAULT_SEERS; i++) {
		fn = __atomic_load_n(&w->fns[i], __ATOMIC_ACQUIRE);
		if (fn != NULL)
			fn(signal, info, context);
	}
	errno = saved;
	pass_on(&w->before, signal, info, context);
}

/*
 * With the mask, the stack and the flags that the handler before us has asked
 * for, since it will run inside ours.
 */
static int
set_handler(int signal, struct watch *w)
{
	struct sigaction ours = { .sa_flags = SA_ONSTACK };
	int r;

	r = kn_os_sigaction(signal, NULL, &w->before);
	if (r < 0)
		return r;
	if (w->before.sa_handler != SIG_DFL &&
	    w->before.sa_handler != SIG_IGN) {
		ours.sa_flags = w->before.sa_flags & ~(int)SA_RESETHAND;
		ours.sa_mask = w->before.sa_mask;
	}
	ours.sa_flags |= SA_SIGINFO;
	ours.sa_sigaction = on_fault;
	r = kn_os_sigaction(signal, &ours, NULL);
	w->is_set = r == 0;
	return r;
}

/*
 * Somebody has set it to the default since: whoever wants to see anew may.  In
 * front of a handler that was set since we do not go: it may call ours.
 */
static bool
was_reset(int signal)
{
	struct sigaction now;

	return kn_os_sigaction(signal, NULL, &now) == 0 &&
	       now.sa_handler == SIG_DFL;
}

int
kn_faults_watch(int signal, kn_fault_fn *fn)
{
	struct watch *w = &watches[signal];
	unsigned i = 0;
	int r;

	while (i < KN_FAULT_SEERS && w->fns[i] != NULL && w->fns[i] != fn)
		i++;
	kn_assert(i < KN_FAULT_SEERS);
	if (w->is_set && (w->fns[i] == fn || !was_reset(signal)))
		r = 0;
	else
		r = set_handler(signal, w);
	if (r == 0)
		__atomic_store_n(&w->fns[i], fn, __ATOMIC_RELEASE);
	return r;
}
