/* SPDX-License-Identifier: MIT */
/*
 * timers.c - a heap of timers
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/timers.h"
#include "shm/error.h"

#define DUE	0x80000000u	/* in a place: of the due ones, from 0 */
#define CAP_MAX	(1u << 28)

/* ---- the heap ---- */

static void
put_at(struct kn_timers *timers, uint32_t i, struct kn_timer *timer)
{
	timers->heap[i] = timer;
	timer->place = i;
}

/* The place i is free: timer goes there, or as far up as it is earlier. */
static void
rise(struct kn_timers *timers, uint32_t i, struct kn_timer *timer)
{
	for (; i > 1 && timer->at.ns < timers->heap[i / 2]->at.ns; i /= 2)
		put_at(timers, i, timers->heap[i / 2]);
	put_at(timers, i, timer);
}

/* The same, downwards. */
static void
sink(struct kn_timers *timers, uint32_t i, struct kn_timer *timer)
{
	uint32_t child;

	for (; (child = 2 * i) <= timers->n; i = child) {
		if (child < timers->n && timers->heap[child + 1]->at.ns <
					 timers->heap[child]->at.ns)
			child++;
		if (timer->at.ns <= timers->heap[child]->at.ns)
			break;
		put_at(timers, i, timers->heap[child]);
	}
	put_at(timers, i, timer);
}

/* The last one fills the hole. */
static void
take_out(struct kn_timers *timers, uint32_t i)
{
	struct kn_timer *last = timers->heap[timers->n--];

	if (i > timers->n)
		return;
	if (i > 1 && last->at.ns < timers->heap[i / 2]->at.ns)
		rise(timers, i, last);
	else
		sink(timers, i, last);
}

static int
grow(struct kn_timers *timers)
{
	uint32_t cap = timers->cap != 0 ? 2 * timers->cap : 16;
	struct kn_timer **heap, **due;

	if (cap > CAP_MAX)
		return kn_fail(-ENOMEM, "%u timers", timers->n);
	heap = realloc(timers->heap, (cap + 1) * sizeof(*heap));
	if (heap != NULL)
		timers->heap = heap;
	due = heap != NULL ? realloc(timers->due, cap * sizeof(*due)) : NULL;
	if (due == NULL)
		return kn_fail(-ENOMEM, "no memory for %u timers", cap);
	timers->due = due;
	timers->cap = cap;
	return 0;
}

/* ---- one timer ---- */

int
kn_timers_start(struct kn_timers *timers, struct kn_timer *timer, kin_time at)
{
	int r;

	/* First what may fail: then it goes on as it was. */
	if (timers->n == timers->cap) {
		r = grow(timers);
		if (r < 0)
			return r;
	}
	kn_timers_stop(timers, timer);
	timer->at = at;
	rise(timers, ++timers->n, timer);
	return 0;
}

void
kn_timers_stop(struct kn_timers *timers, struct kn_timer *timer)
{
	uint32_t place = timer->place;

	if (place == 0)
		return;
	timer->place = 0;
	if (place & DUE)
		timers->due[place & ~DUE] = NULL;
	else
		take_out(timers, place);
}

void
kn_timers_free(struct kn_timers *timers)
{
	free(timers->heap);
	free(timers->due);
}

/* ---- all of them ---- */

kin_time
kn_timers_first(const struct kn_timers *timers)
{
	return timers->n != 0 ? timers->heap[1]->at : KIN_FOREVER;
}

static void
take_due(struct kn_timers *timers, kin_time now)
{
	while (timers->n != 0 && timers->heap[1]->at.ns <= now.ns) {
		struct kn_timer *timer = timers->heap[1];

		take_out(timers, 1);
		timers->due[timers->n_due] = timer;
		timer->place = DUE | timers->n_due++;
	}
}

int
kn_timers_run(struct kn_timers *timers)
{
	uint32_t i;
	int calls = 0;

	if (timers->n == 0)
		return 0;
	take_due(timers, kin_now());
	for (i = 0; i < timers->n_due; i++) {
		struct kn_timer *timer = timers->due[i];

		if (timer == NULL)
			continue;	/* another's callback stopped it */
		timer->place = 0;
		timer->fn(timer->arg);
		calls++;
	}
	timers->n_due = 0;
	return calls;
}
