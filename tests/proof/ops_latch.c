/* SPDX-License-Identifier: MIT */
/*
 * ops_latch.c - the latch inside of structures: that of a queue's put side
 */
#include <unistd.h>

#include "shm/os.h"
#include "tests/proof/ops_queue.h"

static void
sleep_in_latch(struct scene *s)
{
	sleep_long();
	must(join_queue(s->q));
	must(kn_latch_take(&ring_of(s)->put.latch, &s->q->registry.party,
			   KIN_FOREVER));
	kn_latch_release(&ring_of(s)->put.latch, &s->q->registry.party);
	s->shared->helper_done = 1;
}

static int
act_take(struct scene *s)
{
	return kn_latch_take(&ring_of(s)->put.latch, &s->q->registry.party,
			     patience());
}

static int
act_release(struct scene *s)
{
	kn_latch_release(&ring_of(s)->put.latch, &s->q->registry.party);
	return 0;
}

static void
ready_holder(struct scene *s)
{
	ready_member(s);
	must(act_take(s));
}

/* The sleeper sleeps on the victim's latch, so it comes after it. */
static void
ready_holder_with_sleeper(struct scene *s)
{
	ready_holder(s);
	s->shared->helper_done = 2;
	while (!(kn_load(&ring_of(s)->put.latch) & KN_LATCH_WAITER))
		kn_os_yield();
	s->shared->helper_done = 0;
}

static void
sleep_in_latch_later(struct scene *s)
{
	while (s->shared->helper_done != 2)
		kn_os_yield();
	sleep_in_latch(s);
}

static void
set_latch_sleeper(struct scene *s)
{
	set_queue(s);
	help(s, sleep_in_latch_later);
}

/* Released, the sleeper has it; held by a dead one, whoever reaps wakes it. */
static const char *
check_latch_woken(struct scene *s)
{
	if (kn_load(&ring_of(s)->put.latch) != 0)
		kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
	if (await_done(s, 1) != NULL)
		return "the sleeping taker was not woken";
	return check_usable(s);
}

/* ---- the table ---- */

const struct op latch_ops[] = {
	{ "latch take", "free", set_queue, ready_member, act_take,
	  check_usable, 0 },
	{ "latch take", "contended", set_put_contended, ready_member, act_take,
	  check_usable, 0 },
	{ "latch take", "inherited", set_queue, ready_put_inherited, act_take,
	  check_usable, 0 },
	{ "latch release", "held", set_queue, ready_holder, act_release,
	  check_usable, 0 },
	{ "latch release", "sleeper", set_latch_sleeper,
	  ready_holder_with_sleeper, act_release, check_latch_woken,
	  OP_PTRACE },
	{ 0 },
};
