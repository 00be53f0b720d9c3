/* SPDX-License-Identifier: MIT */
/*
 * log.h - what kin says of itself; kin_log is for it, too
 *
 * Without kin's mutex held: a function of the application's may use kin.
 */
#ifndef KN_LOG_H
#define KN_LOG_H

#include <stddef.h>

#include <kin/log.h>

/*
 * As much of a name as there is room for.  Every child takes its name, and
 * snprintf is far from all else that it does: three page faults.
 */
static inline void
kn_name_copy(char *to, size_t cap, const char *name)
{
	size_t n = 0;

	while (n < cap - 1 && name[n] != '\0') {
		to[n] = name[n];
		n++;
	}
	to[n] = '\0';
}

/* This process's name in its lines. */
void kn_log_name(const char *name);

/* The level alone: what its parent has. */
void kn_log_inherit(uint32_t level);

#endif
