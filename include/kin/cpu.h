/* SPDX-License-Identifier: MIT */
/*
 * kin/cpu.h - how many processes there is room for
 *
 *      int n = kin_cpu_count();
 */
#ifndef KIN_CPU_H
#define KIN_CPU_H

#include <kin/error.h>

KIN_BEGIN

/*
 * The CPUs that this thread may run on, or fewer, if the control groups that
 * this process is in (version 1 or 2) allow it less time than they have, in
 * whole ones and rounded up.  At least 1.
 */
KIN_API int kin_cpu_count(void);

KIN_END

#endif
