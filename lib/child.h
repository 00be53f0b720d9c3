/* SPDX-License-Identifier: MIT */
/*
 * child.h - what a child is made with, and whether that worked
 *
 *      parent                              child
 *        kn_child_make, kn_streams_open
 *        ... start, by whatever context ──▶ kn_child_set_up
 *        kn_child_await ◀───── line ─────── kn_child_report
 *
 * A kn_child is one block without pointers, so that it can be sent to another
 * image of the program as it lies there.  A child that has none is as its
 * parent is, and nobody waits for it.
 */
#ifndef KN_CHILD_H
#define KN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kin/process.h>

#define KN_LIMITS	16u		/* resources that the kernel knows */
#define KN_CPU_WORDS	128u		/* 8192 CPUs, the kernel's most */

#define KN_CHILD_NICE		1u
#define KN_CHILD_OOM		2u
#define KN_CHILD_CPUS		4u
#define KN_CHILD_UMASK		8u
#define KN_CHILD_GROUP		16u	/* a process group of its own, */
#define KN_CHILD_SESSION	32u	/* or a session */
#define KN_CHILD_CWD		64u
#define KN_CHILD_ENV		128u
#define KN_CHILD_ENV_ONLY	256u	/* in place of all that there is */

struct kn_child {
	uint32_t bytes;			/* of all of it */
	uint32_t what;			/* KN_CHILD_... */
	int32_t nice;			/* added */
	int32_t oom_score;		/* added */
	uint32_t umask;
	uint32_t streams;		/* bit i: descriptor i is replaced */
	uint32_t limits;		/* bit r: of resource r */
	uint32_t nenv;
	uint64_t cpus[KN_CPU_WORDS];
	struct {
		uint64_t soft, hard;
	} limit[KN_LIMITS];
	char text[];			/* cwd, absolute, then nenv strings,
					   each with its zero */
};

/* Its standard streams: what it gets, what its parent keeps; -1 = nothing. */
struct kn_streams {
	int child[3];			/* never 0, 1, 2 */
	int parent[3];
};

/*
 * What opts ask for, checked and copied; *ret is NULL if that is nothing.
 * free() it.
 */
int kn_child_make(struct kn_child **ret, const struct kin_process_opts *opts);

/* Bytes that came from elsewhere: can they be used? */
bool kn_child_is_sound(const void *bytes, size_t len);

int kn_streams_open(struct kn_streams *ret,
		    const struct kin_process_opts *opts);
void kn_streams_close_child(struct kn_streams *s);
void kn_streams_close_parent(struct kn_streams *s);
void kn_streams_close(struct kn_streams *s);	/* both sides */

/*
 * In the child: be so.  streams, one for each bit of c->streams, lowest first,
 * are used up; c may be NULL.  On failure the sentence names the option, and
 * the child has to end.
 */
int kn_child_set_up(const struct kn_child *c, const int *streams);

/* To the start that waits at the other end of the line: r and its sentence. */
void kn_child_report(int line, int r);

/*
 * What the child reported, with its sentence; -EOWNERDEAD if it ended before
 * it did, or the line is cut.
 */
int kn_child_await(int line, int pidfd, const char *name);

#endif
