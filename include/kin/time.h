/* SPDX-License-Identifier: MIT */
/*
 * kin/time.h - deadlines
 *
 * A call waits only if it takes a deadline, and a deadline is a point on the
 * monotonic clock, never a length of time.  Work it out once and hand the
 * same one to every call of a sequence: the whole sequence is then bounded,
 * however often it is interrupted and restarted, and whoever sets the wall
 * clock.
 *
 *      kin_time deadline = kin_in_ms(250);
 *
 * It is a struct so that a bare number of milliseconds does not compile.
 */
#ifndef KIN_TIME_H
#define KIN_TIME_H

#include <stdint.h>

#include <kin/error.h>

KIN_BEGIN

typedef struct kin_time {
	int64_t ns;			/* CLOCK_MONOTONIC, in nanoseconds */
} kin_time;

#ifdef __cplusplus
#define KIN_NOWAIT	(kin_time{ 0 })
#define KIN_FOREVER	(kin_time{ INT64_MAX })
#else
#define KIN_NOWAIT	((kin_time){ 0 })	/* -ETIMEDOUT if not at once */
#define KIN_FOREVER	((kin_time){ INT64_MAX })
#endif

/* The present. */
KIN_API kin_time kin_now(void);

/* So long from now; a negative length is now, an endless one KIN_FOREVER. */
KIN_API kin_time kin_in_ms(int64_t ms);
KIN_API kin_time kin_in_ns(int64_t ns);

KIN_END

#endif
