/* SPDX-License-Identifier: MIT */
/*
 * step.pml - one step of a process, before which SIGKILL may come
 *
 * A step is what one atomic instruction or one kernel call does to shared
 * memory.  Before every one of them the process may die, as long as DEATHS
 * are left; what dies takes no step any more.  At the label killed a process
 * says what its death does to the rest of the world; a moment between the two
 * is no more than that it was stopped before it died.
 */
#ifndef DEATHS
#define DEATHS	0
#endif
#ifdef SLICES
#define SLICED	1		/* a sleep may end by itself at any time */
#else
#define SLICED	0		/* only a wake ends a sleep */
#endif
#ifdef DEADLINES
#define HURRIED	1		/* a call may run out of time at any time */
#else
#define HURRIED	0
#endif

byte deaths = DEATHS;		/* that may still come */

#if DEATHS > 0
#define OR_KILL	:: atomic { deaths > 0 -> deaths--; goto killed }
#else
#define OR_KILL
#endif
#define STEP(...)	if :: atomic { __VA_ARGS__; CHECK } OR_KILL fi
