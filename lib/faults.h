/* SPDX-License-Identifier: MIT */
/*
 * faults.h - the one handler of signals that end a program
 *
 * Whoever in kin wants to see them is called by it, in the order of asking,
 * and then is done what was to be done before it was there: the application's
 * handler is called, or the default action happens to the same instruction.
 */
#ifndef KN_FAULTS_H
#define KN_FAULTS_H

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

typedef void kn_fault_fn(int signal, const siginfo_t *info,
			 const ucontext_t *context);

#define KN_FAULT_SEERS	2u		/* of one signal */

/*
 * From now on fn sees that signal; again is nothing.  The caller holds kin's
 * mutex.
 */
int kn_faults_watch(int signal, kn_fault_fn *fn);

/* The instruction at fault; 0 where we do not know how to tell. */
uintptr_t kn_fault_place(const ucontext_t *context);

#endif
