/* SPDX-License-Identifier: MIT */
/*
 * ops.h - one table of operations, that all provers read
 *
 *      noun          its operations, each in several states: a row
 *      ├ queue       put: empty, nearly full, wrapping ...   ops_queue.c
 *      ├ segment     create: anonymous, named ...            ops_segment.c
 *      └ ...
 *
 * A row is a scene and what is done in it.  A prover plays it many times:
 *
 *      survivor                    victim
 *        set: build a scene          ready: what comes before
 *        fork ─────────────────────▶ act: the operation
 *        other: what anybody does    something happens to it on the way
 *        check: is the promise kept?
 *        clear
 *
 * A new operation is a line in its noun's table.  A new noun is a file like
 * those, a line in ops.c and one in meson.build.
 */
#ifndef OPS_H
#define OPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/queue.h"

/* What survivor, victim and helpers of one round share. */
struct shared {
	volatile int acted;		/* the operation has worked */
	volatile int failed;		/* or failed, with this -errno */
	volatile int dead;		/* the victim, or it is stopped */
	volatile int helper_done;
	volatile uint32_t stamp;	/* the victim's */
};

struct scene {
	struct shared *shared;
	kin_queue *q;
	kin_segment *seg;
	void *thing;			/* of any other kind; clear frees it */
	void (*clear)(struct scene *);	/* NULL = q and seg are all there is */
	/* For a thing in shared memory, by set: what changes, who takes part. */
	const void *watch;
	size_t watch_bytes;
	struct kn_registry *registry;
	pid_t helper;			/* a third process; 0 = none */
	unsigned tail;			/* of the queue, before the act */
	int expect;			/* a letter: what comes first */
};

struct op {
	const char *name, *state;
	void (*set)(struct scene *);
	void (*ready)(struct scene *);	/* or NULL */
	/* Its result: -errno, or >= 0 if it did what its state lets expect. */
	int (*act)(struct scene *);
	/*
	 * NULL, or what is wrong.  With shared->acted, it has to be done; with
	 * shared->failed, to be undone; with neither, one of the two.
	 */
	const char *(*check)(struct scene *);
	unsigned flags;			/* OP_... */
};

#define OP_PTRACE	1u		/* killed by ptrace: a third one sleeps */
#define OP_RIVALS	2u		/* of two at a time, one may fail */
#define OP_REMOTE	4u		/* what failed may have happened */

struct noun {
	const char *name;
	const struct op *ops;		/* the last one has no name */
	/*
	 * What another process does with the thing meanwhile: takes over from
	 * the dead, reaps, looks; without changing the contents, and without
	 * waiting (KIN_NOWAIT) for the living.  NULL = the row's act, again.
	 */
	void (*other)(struct scene *);
};

/* In ops.c; the last one has no name. */
extern const struct noun nouns[];

/* ---- for scenes ---- */

/* The deadline of whatever has to work; provers set it. */
extern int patience_ms;
kin_time patience(void);

/* An unusable scene ends the prover: there is nothing to prove. */
void must(int r);

/* A third process that runs fn with the scene; ended by the scene's end. */
void help(struct scene *s, void (*fn)(struct scene *));

/* Until helper_done has the value; NULL, or what is wrong. */
const char *await_done(struct scene *s, int value);

/* The helper sleeps on that word: the bit is set, and it sleeps. */
void await_sleep(const struct scene *s, const kn_word *w, uint32_t bit);

/*
 * A helper's: no slice of its own wakes it any more; unless slices_stay, since
 * the second of two deaths may cost one.
 */
extern bool slices_stay;
void sleep_long(void);

#endif
