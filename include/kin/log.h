/* SPDX-License-Identifier: MIT */
/*
 * kin/log.h - what a program says of itself, and what kin does in it
 *
 *      kin_log(KIN_LOG_INFO, "%d jobs left", n);
 *
 *      info worker 4711: 12 jobs left
 *
 * Each line has its level, and the name and pid of the process that it is from.
 * It goes to stderr by one write, so that lines of many processes do not mix,
 * or to a function.  At first nothing is said; KIN_LOG in the environment is
 * the level to begin with: off, error, warning, info or debug.  Children begin
 * with their parent's; its function is only a fork's.  At debug, kin says which
 * processes it starts, how they ended, and whose place it took that died.
 *
 * What is not said costs a call and a load, and its arguments are not worked
 * out.
 *
 * Threads  Any, at any time; but not in signal handlers.
 * Fork     See above.
 * Crash    A line is whole or not there.
 */
#ifndef KIN_LOG_H
#define KIN_LOG_H

#include <stdint.h>

#include <kin/error.h>

KIN_BEGIN

#define KIN_LOG_OFF	0u
#define KIN_LOG_ERROR	1u
#define KIN_LOG_WARNING	2u
#define KIN_LOG_INFO	3u
#define KIN_LOG_DEBUG	4u

#define kin_log(level, ...)						\
	((level) <= kin_log_level() ? kin_log_write(level, __VA_ARGS__)	\
				    : (void)0)

/* A message has no control characters, and 1000 bytes at most. */
typedef void kin_log_fn(void *user, uint32_t level, const char *process,
			const char *message);

/* From now on, up to that level, to fn; NULL = stderr. */
KIN_API void kin_log_to(uint32_t level, kin_log_fn *fn, void *user);

KIN_API uint32_t kin_log_level(void);

/* Whatever the level is; errno stays as it was. */
KIN_API void kin_log_write(uint32_t level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

KIN_END

#endif
