/* SPDX-License-Identifier: MIT */
/*
 * fault.h - the hook that lets the k-th kernel call fail, and a look at what
 * such a failure leaves behind
 */
#ifndef FAULT_H
#define FAULT_H

#include "shm/os.h"
#include "tests/kit.h"

/* From now on the k-th call fails with that number: */
void arm(int k, int number);		/* of this process */
void arm_others(int k, int number);	/* of any that it forks, but its own */

/* No more.  True: there was a k-th. */
bool disarm(void);

extern char failed_call[32];		/* which it was; "" = not reached */

/* As it was before, though op's k-th call failed. */
void ck_same(const struct left *before, const char *op, int k);

#endif
