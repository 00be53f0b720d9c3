/* SPDX-License-Identifier: MIT */
/*
 * kin/crash.h - where a child was when it died by a fault
 *
 *      struct kin_crash crash;
 *
 *      if (kin_process_crash(p, &crash, KIN_FOREVER) == 0)
 *              fprintf(stderr, "signal %d at %#lx\n%s", crash.signal,
 *                      (unsigned long)crash.address, crash.text);
 *
 * A child of kin's has handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
 * SIGSYS and SIGABRT, on a stack of their own (that of its first thread: a
 * thread that it makes and that runs out of stack leaves no report).  They note
 * where it was, and then is done what was to be done: a handler that the
 * application had is called, or else the process ends by that signal, with its
 * core, if it leaves one, of that instruction.  A handler that is set later
 * takes the place of ours, and there is no report.
 *
 * The backtrace is the work of the compiler's runtime, and goes as far as that
 * finds its way; names are those that the dynamic linker knows (link the
 * program with -rdynamic for its own), and for the rest there are offsets, for
 * addr2line.
 *
 * Crash    The report is written by a process that is out of its mind, or by
 *          one of its own that has the page, too: it is to be read by people.
 *          It is a string that ends, and its numbers are in their ranges.
 */
#ifndef KIN_CRASH_H
#define KIN_CRASH_H

#include <stdint.h>

#include <kin/error.h>
#include <kin/process.h>
#include <kin/time.h>

KIN_BEGIN

#define KIN_CRASH_FRAMES	32
#define KIN_CRASH_TEXT		3072

struct kin_crash {
	int32_t signal;
	int32_t code;			/* si_code: SEGV_MAPERR, ...; <= 0: sent */
	uint64_t address;		/* at fault; 0 if it was sent */
	uint64_t place;			/* of the instruction; 0 = not known */
	int32_t sender;			/* pid, if it was sent; its own, too */
	uint32_t thread;		/* its id */
	uint32_t nframes;
	uint32_t zero;
	uint64_t frames[KIN_CRASH_FRAMES];	/* the innermost first */
	char text[KIN_CRASH_TEXT];	/* a line each: file+offset (symbol) */
};

/*
 * Wait for its end, and learn where it was.
 *
 *   -ENODATA  it did not end by a signal, or there is no report of it
 *   -ETIMEDOUT, -ESTALE as kin_process_join
 */
KIN_API KIN_MUST int kin_process_crash(kin_process *p, struct kin_crash *ret,
				       kin_time deadline);

KIN_END

#endif
