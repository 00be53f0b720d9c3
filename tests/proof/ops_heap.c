/* SPDX-License-Identifier: MIT */
/*
 * ops_heap.c - a heap: its calls, and what the dead leave in it
 *
 * Three blocks of a hundred bytes are published, in the roots 0 to 2, and
 * behind them all is free, or next to nothing.  Whatever the victim does, in
 * the end the heap is sound, each block is free or can be found, and what is
 * found has in it what was stored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/heap.h"
#include "shm/os.h"
#include "tests/proof/nouns.h"

#define BYTES	100
#define BLOCKS	3
#define FRESH	3		/* the root for what the victim makes */
#define WORD	4		/* and one for a word */

static uint64_t mine;		/* the victim's block */

static kin_heap *
heap_of(const struct scene *s)
{
	return s->thing;
}

static kn_word *
latch_of(const struct scene *s)
{
	return &heap_of(s)->heap.shared->latch;
}

static uint64_t
root(const struct scene *s, unsigned n)
{
	return *(volatile uint64_t *)kin_heap_root(heap_of(s), n);
}

static void
join(struct scene *s)
{
	must(kn_control_process(heap_of(s)->o.control));
}

/* ---- scenes ---- */

static void
clear_heap(struct scene *s)
{
	kin_heap_close(s->thing);
}

static void
fill(const struct scene *s, uint64_t at, int letter)
{
	memset(kin_heap_pointer(heap_of(s), at, BYTES), letter, BYTES);
}

static uint64_t
publish(struct scene *s, unsigned n, int letter)
{
	uint64_t at;

	must(kin_heap_alloc(heap_of(s), &at, BYTES, patience()));
	fill(s, at, letter);
	must(kin_heap_publish(heap_of(s), at, kin_heap_root(heap_of(s), n),
			      patience()));
	return at;
}

static void
set_heap(struct scene *s)
{
	kin_heap *heap;
	unsigned n;

	must(kin_heap_create(&heap, KIN_OPTS(kin_heap_opts,
					     .bytes = 16u << 10,
					     .members = 8)));
	s->thing = heap;
	s->clear = clear_heap;
	s->watch = heap->o.own;
	s->watch_bytes = heap->o.mark.bytes - sizeof(heap->o.mark);
	s->registry = heap->heap.registry;
	for (n = 0; n < BLOCKS; n++)
		publish(s, n, 'a' + (int)n);
}

/* The middle one lies between two free ones. */
static void
set_holes(struct scene *s)
{
	kin_heap *heap;
	unsigned n;

	set_heap(s);
	heap = heap_of(s);
	for (n = 0; n < BLOCKS; n += 2) {
		must(kin_heap_free(heap, root(s, n), patience()));
		*kin_heap_root(heap, n) = 0;
	}
}

/* There is room for one of its blocks, and no more. */
static void
set_nearly_exhausted(struct scene *s)
{
	struct kin_heap_usage usage;
	uint64_t at;

	set_heap(s);
	kin_heap_stats(heap_of(s), &usage);
	must(kin_heap_alloc(heap_of(s), &at, usage.bytes - usage.used - 16 -
			    128, patience()));
	must(kin_heap_publish(heap_of(s), at, kin_heap_root(heap_of(s), 7),
			      patience()));
}

static void
hold(struct scene *s)
{
	struct kn_tx tx;

	must(kn_heap_enter(heap_of(s), &tx, patience()));
	s->shared->helper_done = 1;
	while (!(kn_load(latch_of(s)) & KN_LATCH_WAITER) && !s->shared->dead)
		kn_os_yield();
	kn_heap_commit(&heap_of(s)->heap, &tx);
}

static void
set_contended(struct scene *s)
{
	set_heap(s);
	help(s, hold);
	while (!s->shared->helper_done)
		kn_os_yield();
}

/* ---- what comes before ---- */

static void
ready(struct scene *s)
{
	join(s);
	heap_of(s)->o.spoilt = 0;
	s->shared->stamp = heap_of(s)->heap.registry->party.stamp;
}

/* Two blocks that are nobody's any more, and a third half made or half gone. */
static void
die_in_it(struct scene *s)
{
	struct kn_block_look look;
	struct kn_tx tx;
	uint64_t at;

	must(kin_heap_alloc(heap_of(s), &at, BYTES, patience()));
	must(kin_heap_alloc(heap_of(s), &at, BYTES, patience()));
	must(kn_heap_enter(heap_of(s), &tx, patience()));
	must(kn_heap_seek(heap_of(s), root(s, 1), &look));
	must(kn_heap_free(&heap_of(s)->heap, &tx, &look));
	must(kn_heap_alloc(&heap_of(s)->heap, &tx, 10, 64, &at));
	_exit(0);
}

static void
ready_inherited(struct scene *s)
{
	pid_t pid;

	ready(s);
	pid = fork();
	if (pid == 0)
		die_in_it(s);
	waitpid(pid, NULL, 0);
}

/* All that is free is the dead's. */
static void
ready_exhausted(struct scene *s)
{
	pid_t pid;

	ready(s);
	pid = fork();
	if (pid == 0) {
		struct kin_heap_usage usage;
		uint64_t at;

		kin_heap_stats(heap_of(s), &usage);
		must(kin_heap_alloc(heap_of(s), &at, usage.bytes - usage.used -
				    16, patience()));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
ready_owner(struct scene *s)
{
	ready(s);
	must(kin_heap_alloc(heap_of(s), &mine, BYTES, patience()));
	fill(s, mine, 'v');
}

static void
ready_owner_inherited(struct scene *s)
{
	ready_owner(s);
	ready_inherited(s);
}

/* ---- what it does ---- */

static int
act_alloc(struct scene *s)
{
	return kin_heap_alloc(heap_of(s), &mine, BYTES, patience());
}

static int
act_alloc_aligned(struct scene *s)
{
	return kin_heap_alloc_aligned(heap_of(s), &mine, BYTES, 256,
				      patience());
}

static int
act_free(struct scene *s)
{
	const struct kin_heap_edit edits[] = {
		KIN_HEAP_FREE(root(s, 1)),
		KIN_HEAP_STORE(kin_heap_root(heap_of(s), 1), 0),
	};

	return kin_heap_apply(heap_of(s), edits, 2, patience());
}

static int
act_resize(struct scene *s)
{
	return kin_heap_resize(heap_of(s), kin_heap_root(heap_of(s), 1),
			       3 * BYTES, patience());
}

static int
act_shrink(struct scene *s)
{
	return kin_heap_resize(heap_of(s), kin_heap_root(heap_of(s), 1), 10,
			       patience());
}

static int
act_publish(struct scene *s)
{
	return kin_heap_publish(heap_of(s), mine,
				kin_heap_root(heap_of(s), FRESH), patience());
}

/* Its block for the first one, and a word that goes with it. */
static int
act_exchange(struct scene *s)
{
	uint64_t *at = kin_heap_root(heap_of(s), 0);
	const struct kin_heap_edit edits[] = {
		KIN_HEAP_EXPECT(at, *at),
		KIN_HEAP_STORE(at, mine),
		KIN_HEAP_STORE(kin_heap_root(heap_of(s), WORD), 1),
		KIN_HEAP_KEEP(mine),
		KIN_HEAP_FREE(*at),
	};

	return kin_heap_apply(heap_of(s), edits, 5, patience());
}

static int
act_sweep(struct scene *s)
{
	return (int)kin_heap_sweep(heap_of(s), patience());
}

/* ---- is the promise kept? ---- */

static bool
has(const struct scene *s, uint64_t at, int letter, int n)
{
	const char *p = kin_heap_pointer(heap_of(s), at, BYTES);
	int i;

	for (i = 0; i < n; i++)
		if (p[i] != letter)
			return false;
	return true;
}

/* All that can be found is freed, and then nothing may be left. */
static const char *
check_rest(struct scene *s)
{
	kin_heap *heap = heap_of(s);
	struct kin_heap_usage usage;
	unsigned n;

	for (n = 0; n < KIN_HEAP_ROOTS; n++)
		if (n != WORD && kin_heap_free(heap, root(s, n), patience()) < 0)
			return "what a root names is no block";
	kin_heap_stats(heap, &usage);
	if (usage.used != 0 || usage.blocks != 0)
		return "a block is used that nobody can find";
	if (kin_heap_check(heap, patience()) < 0)
		return kin_errmsg();
	if (kin_heap_alloc(heap, &mine, usage.bytes - 16, patience()) < 0)
		return "it is empty, and not all of it can be had";
	return kin_heap_free(heap, mine, patience()) < 0
	       ? "all of it can't be freed" : NULL;
}

/* What is common to all: sound, swept, and what was stored is there. */
static const char *
check_heap(struct scene *s)
{
	kin_heap *heap = heap_of(s);
	unsigned n;

	heap->o.spoilt = 0;
	if (kin_heap_sweep(heap, patience()) < 0 ||
	    kin_heap_check(heap, patience()) < 0)
		return kin_errmsg();
	for (n = 0; n < BLOCKS; n++)
		if (root(s, n) != 0 && root(s, WORD) == 0 &&
		    !has(s, root(s, n), 'a' + (int)n, 10))
			return "what was stored in a block is not there";
	return NULL;
}

static const char *
check(struct scene *s)
{
	const char *wrong = check_heap(s);

	return wrong != NULL ? wrong : check_rest(s);
}

/* So many roots name blocks before, and in the end. */
static const char *
check_freed(struct scene *s)
{
	const char *wrong = check_heap(s);

	if (wrong != NULL)
		return wrong;
	if (s->shared->acted && root(s, 1) != 0)
		return "it was freed, and is there";
	if (s->shared->failed && root(s, 1) == 0)
		return "it was not freed, and is gone";
	return check_rest(s);
}

static const char *
check_resized(struct scene *s)
{
	ssize_t bytes;
	const char *wrong = check_heap(s);

	if (wrong != NULL)
		return wrong;
	bytes = kin_heap_bytes_at(heap_of(s), root(s, 1), patience());
	if (bytes < 0)
		return "its link names no block";
	if ((s->shared->acted && bytes < 3 * BYTES) ||
	    (bytes >= BYTES && !has(s, root(s, 1), 'b', BYTES)))
		return "it has not what it should have";
	return check_rest(s);
}

static const char *
check_shrunk(struct scene *s)
{
	ssize_t bytes;
	const char *wrong = check_heap(s);

	if (wrong != NULL)
		return wrong;
	bytes = kin_heap_bytes_at(heap_of(s), root(s, 1), patience());
	if (bytes < 0 || (s->shared->acted && bytes >= BYTES))
		return "it has not what it should have";
	return check_rest(s);
}

static const char *
check_published(struct scene *s)
{
	const char *wrong = check_heap(s);
	uint64_t at = root(s, FRESH);

	if (wrong != NULL)
		return wrong;
	if (s->shared->acted && at == 0)
		return "it was published, and is not there";
	if (at != 0 && (kin_heap_bytes_at(heap_of(s), at, patience()) < 0 ||
			!has(s, at, 'v', BYTES)))
		return "what was published is no block, or not the one";
	return check_rest(s);
}

static const char *
check_exchanged(struct scene *s)
{
	const char *wrong = check_heap(s);
	bool done = root(s, WORD) == 1;

	if (wrong != NULL)
		return wrong;
	if (s->shared->acted && !done)
		return "it was done, and is not";
	if (!has(s, root(s, 0), done ? 'v' : 'a', BYTES))
		return "half of it was done";
	return check_rest(s);
}

/* Who sleeps on the latch is woken by the one who lets go of it, or by the
 * one who takes it over. */
static void
sleep_in_alloc(struct scene *s)
{
	uint64_t at;

	while (s->shared->helper_done != 2)
		kn_os_yield();
	sleep_long();
	join(s);
	must(kin_heap_alloc(heap_of(s), &at, BYTES, KIN_FOREVER));
	must(kin_heap_free(heap_of(s), at, KIN_FOREVER));
	s->shared->helper_done = 1;
}

static void
set_sleeper(struct scene *s)
{
	set_heap(s);
	help(s, sleep_in_alloc);
}

static struct kn_tx held;

static void
ready_sleeper(struct scene *s)
{
	ready(s);
	must(kn_heap_enter(heap_of(s), &held, patience()));
	s->shared->helper_done = 2;
	await_sleep(s, latch_of(s), KN_LATCH_WAITER);
	s->shared->helper_done = 0;
}

/* What a free does from when it has the latch. */
static int
act_free_held(struct scene *s)
{
	struct kn_block_look look;
	int r = kn_heap_seek(heap_of(s), root(s, 1), &look);

	if (r < 0 ||
	    (r = kn_heap_free(&heap_of(s)->heap, &held, &look)) < 0)
		return r;
	kn_tx_set(&held, &heap_of(s)->heap.shared->roots[1], 0);
	kn_heap_commit(&heap_of(s)->heap, &held);
	return 0;
}

static const char *
check_sleeper(struct scene *s)
{
	if (kin_heap_sweep(heap_of(s), patience()) < 0)
		return kin_errmsg();
	if (await_done(s, 1) != NULL)
		return "who slept on its latch was not woken";
	return check_freed(s);
}

/* ---- the table ---- */

/* Roll back, reap and sweep: nothing of what can be found changes. */
void
other_heap(struct scene *s)
{
	heap_of(s)->o.spoilt = 0;
	(void)!kin_heap_sweep(heap_of(s), KIN_NOWAIT);
}

const struct op heap_ops[] = {
	{ "heap alloc", "free", set_heap, ready, act_alloc, check, 0 },
	{ "heap alloc", "between", set_holes, ready, act_alloc, check, 0 },
	{ "heap alloc", "aligned", set_holes, ready, act_alloc_aligned, check,
	  0 },
	{ "heap alloc", "contended", set_contended, ready, act_alloc, check,
	  0 },
	{ "heap alloc", "inherited", set_heap, ready_inherited, act_alloc,
	  check, 0 },
	{ "heap alloc", "nearly exhausted", set_nearly_exhausted, ready,
	  act_alloc, check, 0 },
	{ "heap alloc", "of the dead's", set_heap, ready_exhausted, act_alloc,
	  check, 0 },

	{ "heap free", "free", set_heap, ready, act_free, check_freed, 0 },
	{ "heap free", "between", set_holes, ready, act_free, check_freed, 0 },
	{ "heap free", "contended", set_contended, ready, act_free,
	  check_freed, 0 },
	{ "heap free", "inherited", set_heap, ready_inherited, act_free,
	  check_freed, 0 },
	{ "heap free", "sleeper", set_sleeper, ready_sleeper, act_free_held,
	  check_sleeper, OP_PTRACE },
	{ "heap free", "nearly exhausted", set_nearly_exhausted, ready,
	  act_free, check_freed, 0 },

	{ "heap resize", "moves", set_heap, ready, act_resize, check_resized,
	  0 },
	{ "heap resize", "grows", set_holes, ready, act_resize, check_resized,
	  0 },
	{ "heap resize", "shrinks", set_heap, ready, act_shrink, check_shrunk,
	  0 },
	{ "heap resize", "inherited", set_heap, ready_inherited, act_resize,
	  check_resized, 0 },

	{ "heap publish", "free", set_heap, ready_owner, act_publish,
	  check_published, 0 },
	{ "heap publish", "contended", set_contended, ready_owner, act_publish,
	  check_published, 0 },
	{ "heap publish", "inherited", set_heap, ready_owner_inherited,
	  act_publish, check_published, 0 },
	{ "heap publish", "exchange", set_heap, ready_owner, act_exchange,
	  check_exchanged, 0 },

	{ "heap sweep", "nothing", set_heap, ready, act_sweep, check, 0 },
	{ "heap sweep", "inherited", set_heap, ready_inherited, act_sweep,
	  check, 0 },
	{ "heap sweep", "exhausted", set_heap, ready_exhausted, act_sweep,
	  check, 0 },
	{ 0 },
};
