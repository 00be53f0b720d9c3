/* SPDX-License-Identifier: MIT */
/*
 * loop.c - wait for many things at once, in one thread
 *
 * The loop keeps what is watched in a table of its own (see poll.h), so it
 * can go on with another engine at any time: a sandbox that closes behind us
 * may refuse io_uring long after the ring was made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/loop.h"
#include "lib/poll.h"
#include "lib/timers.h"
#include "shm/error.h"
#include "shm/self.h"
#include "shm/wait.h"

#define BATCH	64		/* sources in a turn */

struct kn_loop {
	struct kn_poll *poll;		/* NULL: no engine worked; next turn
					   tries again */
	struct kn_watches table;
	struct kn_timers timers;
	struct kn_spin spin;
	uint32_t generation;		/* the process that made it */
	bool turning;
};

static bool
is_ours(const struct kn_loop *loop)
{
	return loop->generation == kn_self_generation();
}

static int
not_ours(void)
{
	return kn_fail(-ECHILD, "the loop is another process's, who forked us");
}

/* ---- engines ---- */

/* A new engine is told of all that is watched. */
static int
open_engine(struct kn_loop *loop, const struct kn_engine *engine)
{
	struct kn_poll *poll;
	uint32_t fd;
	int r;

	r = engine->open(&loop->table, &poll);
	for (fd = 0; r >= 0 && fd < loop->table.n; fd++) {
		struct kn_watch *row = &loop->table.rows[fd];

		row->armed = row->listed = row->noisy = false;
		row->generation++;
		if (row->source == NULL)
			continue;
		r = engine->add(poll, (int)fd);
		if (r == -EBADF)
			r = 0;		/* its owner closed it too soon */
		if (r < 0)
			engine->close(poll);
	}
	if (r >= 0)
		loop->poll = poll;
	return r;
}

static int
open_any(struct kn_loop *loop)
{
	const char *wish = secure_getenv("KIN_IO");

	if ((wish == NULL || strcmp(wish, "epoll") != 0) &&
	    open_engine(loop, &kn_poll_uring) >= 0)
		return 0;
	return open_engine(loop, &kn_poll_epoll);
}

/* The next turn opens epoll, which is told of all that is there by then. */
static void
drop_engine(struct kn_loop *loop)
{
	loop->poll->engine->close(loop->poll);
	loop->poll = NULL;
}

/* ---- the loop ---- */

int
kn_loop_new(struct kn_loop **ret)
{
	struct kn_loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (loop == NULL)
		return kn_fail(-ENOMEM, "no memory for a loop");
	loop->generation = kn_self_generation();
	r = open_any(loop);
	if (r < 0) {
		free(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

void
kn_loop_free(struct kn_loop *loop)
{
	int saved = errno;

	if (loop == NULL)
		return;
	kn_assert(!loop->turning || !is_ours(loop));
	if (loop->poll != NULL)
		loop->poll->engine->close(loop->poll);
	kn_timers_free(&loop->timers);
	free(loop->table.rows);
	free(loop);
	errno = saved;
}

const char *
kn_loop_engine(const struct kn_loop *loop)
{
	return loop->poll != NULL ? loop->poll->engine->name
				  : kn_poll_epoll.name;
}

void
kn_loop_spin(struct kn_loop *loop, int64_t spin_ns)
{
	kn_spin_init(&loop->spin, spin_ns > 0 ? spin_ns : -1);
}

/* ---- sources ---- */

static int
make_room(struct kn_watches *table, int fd)
{
	uint32_t n = table->n != 0 ? table->n : 64;
	struct kn_watch *rows;

	if ((uint32_t)fd < table->n)
		return 0;
	while (n <= (uint32_t)fd)
		n *= 2;
	rows = realloc(table->rows, n * sizeof(*rows));
	if (rows == NULL)
		return kn_fail(-ENOMEM, "no memory to wait for descriptor %d",
			       fd);
	memset(rows + table->n, 0, (n - table->n) * sizeof(*rows));
	table->rows = rows;
	table->n = n;
	return 0;
}

/* The descriptor of a source that is watched; -1: it is not. */
static int
watched(const struct kn_loop *loop, const struct kn_source *source)
{
	uintptr_t place = (uintptr_t)source->inside;

	if (place == 0 || place > loop->table.n ||
	    loop->table.rows[place - 1].source != source)
		return -1;
	return (int)place - 1;
}

int
kn_loop_add(struct kn_loop *loop, struct kn_source *source)
{
	struct kn_watch *row;
	int fd = source->fd;
	int r = 0;

	if (!is_ours(loop))
		return not_ours();
	if (fd < 0)
		return kn_fail(-EBADF, "%d is no descriptor", fd);
	r = make_room(&loop->table, fd);
	if (r < 0)
		return r;
	row = &loop->table.rows[fd];
	if (row->source != NULL)
		return kn_fail(-EEXIST, "descriptor %d is waited for already",
			       fd);
	row->source = source;
	row->events = source->events;
	row->generation++;
	if (loop->poll != NULL)
		r = loop->poll->engine->add(loop->poll, fd);
	if (r < 0)
		row->source = NULL;
	else
		source->inside = (void *)(uintptr_t)(fd + 1);
	return r;
}

int
kn_loop_change(struct kn_loop *loop, struct kn_source *source,
	       uint32_t events)
{
	int fd = watched(loop, source);
	uint32_t before;
	int r = 0;

	if (!is_ours(loop))
		return not_ours();
	if (fd < 0)
		return kn_fail(-ENOENT, "descriptor %d is not waited for",
			       source->fd);
	if (events == loop->table.rows[fd].events)
		return 0;
	before = source->events;
	source->events = loop->table.rows[fd].events = events;
	if (loop->poll != NULL)
		r = loop->poll->engine->change(loop->poll, fd);
	if (r < 0 && loop->poll->engine != &kn_poll_epoll) {
		drop_engine(loop);
		return 0;
	}
	if (r < 0)
		source->events = loop->table.rows[fd].events = before;
	return r;
}

void
kn_loop_remove(struct kn_loop *loop, struct kn_source *source)
{
	int saved = errno;
	int fd = watched(loop, source);
	int r = 0;

	if (fd < 0)
		return;
	/* In a child the kernel's side is the parent's. */
	if (loop->poll != NULL && is_ours(loop))
		r = loop->poll->engine->remove(loop->poll, fd);
	loop->table.rows[fd].source = NULL;
	loop->table.rows[fd].generation++;
	source->inside = NULL;
	if (r < 0)
		drop_engine(loop);
	errno = saved;
}

/* ---- timers ---- */

int
kn_timer_start(struct kn_loop *loop, struct kn_timer *timer, kin_time at)
{
	return kn_timers_start(&loop->timers, timer, at);
}

void
kn_timer_stop(struct kn_loop *loop, struct kn_timer *timer)
{
	kn_timers_stop(&loop->timers, timer);
}

/* ---- turning ---- */

static int
wait_for(struct kn_loop *loop, struct kn_told *told, kin_time until)
{
	int r;

	if (loop->poll == NULL) {
		r = open_engine(loop, &kn_poll_epoll);
		if (r < 0)
			return r;
	}
	r = loop->poll->engine->wait(loop->poll, told, BATCH, until);
	if (r >= 0 || loop->poll->engine == &kn_poll_epoll)
		return r;
	/* Whatever io_uring's trouble is, it is the reason to do without. */
	drop_engine(loop);
	return wait_for(loop, told, until);
}

/*
 * Look again and again, for less and less time where that does not pay off;
 * as in shm/wait.c.
 */
static int
spin(struct kn_loop *loop, struct kn_told *told, kin_time until)
{
	struct kn_spin *s = &loop->spin;
	int64_t now, end;
	int n;

	if (s->most_ns == 0 || until.ns <= 0)
		return 0;
	now = kin_now().ns;
	if (++s->tries % 8 == 0)
		s->next_ns = s->most_ns;
	end = s->next_ns < until.ns - now ? now + s->next_ns : until.ns;
	do
		n = wait_for(loop, told, KIN_NOWAIT);
	while (n == 0 && kin_now().ns < end);
	if (n != 0)
		s->next_ns = s->most_ns;
	else if (s->next_ns / 2 >= s->most_ns / 16)
		s->next_ns /= 2;
	return n;
}

/*
 * Each callback may remove what is told next, and change what it waits for.
 */
static int
tell(struct kn_loop *loop, const struct kn_told *told, int n)
{
	int i, calls = 0;

	for (i = 0; i < n; i++) {
		struct kn_watch *row = kn_watch_of(&loop->table, told[i].tag);
		uint32_t events = row ? kn_asked(row, told[i].events) : 0;

		if (events == 0)
			continue;
		row->source->fn(row->source->arg, events);
		calls++;
	}
	return calls;
}

static int
turn_once(struct kn_loop *loop, kin_time deadline)
{
	struct kn_told told[BATCH];
	kin_time until = kn_timers_first(&loop->timers);
	int n, calls;

	if (deadline.ns < until.ns)
		until = deadline;
	n = spin(loop, told, until);
	if (n == 0)
		n = wait_for(loop, told, until);
	if (n < 0)
		return n;
	loop->turning = true;
	calls = tell(loop, told, n);
	calls += kn_timers_run(&loop->timers);
	loop->turning = false;
	return calls;
}

int
kn_loop_turn(struct kn_loop *loop, kin_time deadline)
{
	int r;

	if (!is_ours(loop))
		return not_ours();
	kn_assert(!loop->turning);
	do
		r = turn_once(loop, deadline);
	while (r == 0 && (deadline.ns > kin_now().ns));
	return r;
}
