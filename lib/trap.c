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
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/faults.h"
#include "lib/line.h"
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

/* ---- the report ---- */

#define LINE	1024

static void
report_what(const struct range *range, uintptr_t address)
{
	char text[LINE];
	struct kn_line line = { .text = text, .cap = sizeof(text) };

	kn_line_put(&line, "kin: pid ", 16);
	kn_line_put_number(&line, (uint64_t)getpid(), 10);
	kn_line_put(&line, " wrote to frozen '", 32);
	kn_line_put(&line, range->by.name, sizeof(range->by.name));
	kn_line_put(&line, "' +", 3);
	kn_line_put_number(&line, address - range->at, 16);
	kn_line_put(&line, ", frozen by pid ", 32);
	kn_line_put_number(&line, range->by.pid, 10);
	kn_line_put(&line, range->by.elsewhere ? " of another namespace\n" : "\n", 32);
	kn_os_complain(line.text, line.len);
}

static void
report_where(uintptr_t pc)
{
	char text[LINE];
	struct kn_line line = { .text = text, .cap = sizeof(text) };

	kn_line_put(&line, "kin:   at ", 16);
	kn_line_put_place(&line, pc);
	kn_line_put(&line, "\n", 1);
	kn_os_complain(line.text, line.len);
}

/* ---- the handler ---- */

/*
 * Reads of a range are allowed, so what remains is a store, or a jump into it;
 * or the application has changed the protection itself, which only some
 * machines can tell from a store.
 */
static bool
is_store(const siginfo_t *info, const ucontext_t *context)
{
	if (info->si_code != SEGV_ACCERR ||
	    (uintptr_t)info->si_addr == kn_fault_place(context))
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

static void
on_fault(int signal, const siginfo_t *info, const ucontext_t *context)
{
	(void)signal;
	if (is_store(info, context))
		report((uintptr_t)info->si_addr, kn_fault_place(context));
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
	r = kn_faults_watch(SIGSEGV, on_fault);
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
