/* SPDX-License-Identifier: MIT */
/*
 * trap.c - who wrote to it
 *
 *      store ──▶ SIGSEGV ──▶ in a range? ──▶ two lines ──▶ what was to be done
 *                                 └──────── no ─────────▶  before us
 *
 * The handler may run while another thread changes the list, and takes no
 * lock: a range is never changed once it is listed, and one that was taken out
 * is freed only when, after that, nobody is looking.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/trap.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"

struct range {
	struct range *next;		/* of ranges: read by the handler */
	struct range *next_gone;
	uintptr_t at;
	size_t bytes;
	struct kn_frozen_by by;
};

static struct range *ranges;
static struct range *gone;		/* but perhaps looked at */
static uint32_t looking;		/* handlers, now */
static struct sigaction before;		/* as it was before us */
static bool is_set;

/* ---- the report ---- */

struct line {
	char text[1024];
	size_t len;
};

#define PATH_SHOWN	600		/* so that there is room for the rest */
#define SYMBOL_SHOWN	200

static void
put(struct line *line, const char *text, size_t most)
{
	while (*text != '\0' && most-- > 0 && line->len < sizeof(line->text))
		line->text[line->len++] = *text++;
}

static void
put_number(struct line *line, uint64_t n, unsigned base)
{
	char digits[24], *p = &digits[sizeof(digits) - 1];

	*p = '\0';
	do
		*--p = "0123456789abcdef"[n % base];
	while ((n /= base) != 0);
	put(line, base == 16 ? "0x" : "", 2);
	put(line, p, sizeof(digits));
}

static void
report_what(const struct range *range, uintptr_t address)
{
	struct line line = { .len = 0 };

	put(&line, "kin: pid ", 16);
	put_number(&line, (uint64_t)getpid(), 10);
	put(&line, " wrote to frozen '", 32);
	put(&line, range->by.name, sizeof(range->by.name));
	put(&line, "' +", 3);
	put_number(&line, address - range->at, 16);
	put(&line, ", frozen by pid ", 32);
	put_number(&line, range->by.pid, 10);
	put(&line, range->by.elsewhere ? " of another namespace\n" : "\n", 32);
	kn_os_complain(line.text, line.len);
}

/*
 * dladdr is not on the list of what a handler may call, because it takes the
 * dynamic linker's lock.  But this handler runs in the middle of a store in
 * the program's own code, not at any time: this thread is not inside the
 * linker, or, if a constructor is at fault, has the lock already, and it is
 * recursive.  Another thread's dlopen makes us wait for it.  Nothing is
 * allocated.  What is certain was written before.
 */
static void
report_where(uintptr_t pc)
{
	struct line line = { .len = 0 };
	Dl_info info;

	put(&line, "kin:   at ", 16);
	if (dladdr((void *)pc, &info) == 0 || info.dli_fname == NULL) {
		put_number(&line, pc, 16);
	} else {
		put(&line, info.dli_fname, PATH_SHOWN);
		put(&line, "+", 1);
		put_number(&line, pc - (uintptr_t)info.dli_fbase, 16);
		if (info.dli_sname != NULL) {
			put(&line, " (", 2);
			put(&line, info.dli_sname, SYMBOL_SHOWN);
			put(&line, "+", 1);
			put_number(&line, pc - (uintptr_t)info.dli_saddr, 16);
			put(&line, ")", 1);
		}
	}
	put(&line, "\n", 1);
	kn_os_complain(line.text, line.len);
}

/* ---- the handler ---- */

/* The instruction at fault; 0 where we do not know how to tell. */
static uintptr_t
place_of(const ucontext_t *context)
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
 * Reads of a range are allowed, so what remains is a store, or a jump into it;
 * or the application has changed the protection itself, which only some
 * machines can tell from a store.
 */
static bool
is_store(const siginfo_t *info, const ucontext_t *context)
{
	if (info->si_code != SEGV_ACCERR ||
	    (uintptr_t)info->si_addr == place_of(context))
		return false;
#if defined(__x86_64__)
	return (context->uc_mcontext.gregs[REG_ERR] & 2) != 0;
#else
	return true;
#endif
}

static void
report(uintptr_t address, uintptr_t pc)
{
	struct range *range;

	/* In one order with forget: it sees us, or we see what it did. */
	__atomic_add_fetch(&looking, 1, __ATOMIC_SEQ_CST);
	range = __atomic_load_n(&ranges, __ATOMIC_SEQ_CST);
	while (range != NULL && address - range->at >= range->bytes)
		range = __atomic_load_n(&range->next, __ATOMIC_SEQ_CST);
	if (range != NULL)
		report_what(range, address);
	__atomic_sub_fetch(&looking, 1, __ATOMIC_SEQ_CST);
	if (range != NULL && pc != 0)
		report_where(pc);
}

/*
 * As if we were not there.  A fault comes again when we return, and then ends
 * the process with the right signal at the right place; a signal that somebody
 * sent does not.
 */
static void
pass_on(int signal, siginfo_t *info, void *context)
{
	bool sent = info->si_code <= 0;

	if (before.sa_handler == SIG_IGN && sent)
		return;
	if (before.sa_handler == SIG_IGN || before.sa_handler == SIG_DFL) {
		kn_os_signal_default(signal);
		if (sent)
			kn_os_raise(signal);
		return;
	}
	if (before.sa_flags & (int)SA_RESETHAND)
		kn_os_signal_default(signal);
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(signal, info, context);
	else
		before.sa_handler(signal);
}

static void
on_fault(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	if (is_store(info, context))
		report((uintptr_t)info->si_addr, place_of(context));
	errno = saved;
	pass_on(signal, info, context);
}

/*
 * With the mask, the stack and the flags that the handler before us has asked
 * for, since it will run inside ours.
 */
static int
set_handler(void)
{
	struct sigaction ours = { .sa_flags = SA_ONSTACK };
	int r;

	if (is_set)
		return 0;
	r = kn_os_sigaction(SIGSEGV, NULL, &before);
	if (r < 0)
		return r;
	if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		ours.sa_flags = before.sa_flags & ~(int)SA_RESETHAND;
		ours.sa_mask = before.sa_mask;
	}
	ours.sa_flags |= SA_SIGINFO;
	ours.sa_sigaction = on_fault;
	r = kn_os_sigaction(SIGSEGV, &ours, NULL);
	is_set = r == 0;
	return r;
}

/* ---- the ranges ---- */

int
kn_trap_watch(const void *at, size_t bytes, const struct kn_frozen_by *by)
{
	struct range *range = malloc(sizeof(*range));
	int r;

	if (range == NULL)
		return kn_fail(-ENOMEM, "watching read-only data");
	range->at = (uintptr_t)at;
	range->bytes = bytes;
	range->by = *by;
	kn_self_lock();
	r = set_handler();
	if (r == 0) {
		range->next = ranges;
		__atomic_store_n(&ranges, range, __ATOMIC_SEQ_CST);
	}
	kn_self_unlock();
	if (r == 0)
		return 0;
	free(range);
	return kn_fail(r, "a handler for stores into read-only data");
}

static struct range *
unlist(uintptr_t at)
{
	struct range **from, *range;

	for (from = &ranges; (range = *from) != NULL; from = &range->next)
		if (range->at == at) {
			__atomic_store_n(from, range->next, __ATOMIC_SEQ_CST);
			break;
		}
	return range;
}

/* Whoever begins to look after this look does not find what is gone. */
static void
free_gone(void)
{
	struct range *range;

	if (__atomic_load_n(&looking, __ATOMIC_SEQ_CST) != 0)
		return;
	while ((range = gone) != NULL) {
		gone = range->next_gone;
		free(range);
	}
}

size_t
kn_trap_forget(const void *at)
{
	struct range *range;
	size_t bytes = 0;

	kn_self_lock();
	range = unlist((uintptr_t)at);
	if (range != NULL) {
		bytes = range->bytes;
		range->next_gone = gone;
		gone = range;
	}
	free_gone();
	kn_self_unlock();
	return bytes;
}
