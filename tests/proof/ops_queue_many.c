/* SPDX-License-Identifier: MIT */
/*
 * ops_queue_many.c - many messages in one call, a look at one, dropping, and
 * what is not done yet
 *
 * As in ops_queue.c, but that the victim puts a V, a W and an X, and gets three.
 */
#include <errno.h>
#include <string.h>

#include "shm/os.h"
#include "tests/proof/ops_queue.h"

#define BATCH	3

/* ---- scenes ---- */

static void
make_queue(struct scene *s, uint32_t flags)
{
	must(kin_queue_create(&s->q, KIN_OPTS(kin_queue_opts, .bytes = 256,
	    .members = 8, .flags = flags, .spin_ns = KIN_SPIN_NEVER)));
	watch_queue(s);
}

/* Room for all comes when the victim waits for it, or has died. */
static void
make_much_room(struct scene *s)
{
	int i;

	while (!(kn_load(&ring_of(s)->get.commit) & KN_WAITER) &&
	       !s->shared->dead)
		kn_os_yield();
	for (i = 0; i < BATCH; i++)
		must(get_letter(s->q, patience()));
	s->shared->helper_done = 1;
}

static void
set_full_then_much_room(struct scene *s)
{
	set_full(s);
	s->expect = 'a' + BATCH;
	help(s, make_much_room);
}

static void
set_dropping(struct scene *s)
{
	make_queue(s, KIN_QUEUE_DROP_OLDEST);
}

static void
set_dropping_full(struct scene *s)
{
	set_dropping(s);
	fill(s, QUEUE_HOLDS);
}

static void
set_dropping_wrapping(struct scene *s)
{
	set_dropping(s);
	turn(s);
	fill(s, QUEUE_HOLDS);
}

static void
set_dropping_contended(struct scene *s)
{
	set_dropping_full(s);
	hold_get_meanwhile(s);
}

static void
set_tasks(struct scene *s)
{
	make_queue(s, KIN_QUEUE_TASKS);
	fill(s, 2);
}

static void
sleep_in_join(struct scene *s)
{
	s->shared->helper_done = kin_queue_join(s->q, KIN_FOREVER) == 0;
}

/* One message is all there is to do. */
static void
set_joiner_asleep(struct scene *s)
{
	make_queue(s, KIN_QUEUE_TASKS);
	fill(s, 1);
	help(s, sleep_in_join);
	await_sleep(s, &s->q->tasks->join, KN_WAITER);
}

/* ---- what the victim does ---- */

static void
ready_worker(struct scene *s)
{
	ready_member(s);
	must(get_letter(s->q, KIN_NOWAIT));
}

static int
act_put_many(struct scene *s)
{
	char letters[BATCH][QUEUE_LEN];
	struct iovec msgs[BATCH];
	ssize_t n;
	int i;

	for (i = 0; i < BATCH; i++) {
		memset(letters[i], 'V' + i, QUEUE_LEN);
		msgs[i] = (struct iovec){ letters[i], QUEUE_LEN };
	}
	n = kin_queue_put_many(s->q, msgs, BATCH, patience());
	return n < 0 ? (int)n : n == BATCH ? 0 : -EBADMSG;
}

static int
act_get_many(struct scene *s)
{
	char buf[BATCH * 48];
	struct iovec msgs[BATCH];
	ssize_t n = kin_queue_get_many(s->q, msgs, BATCH, buf, sizeof(buf),
				       patience()), i;

	for (i = 0; i < n; i++)
		if (*(char *)msgs[i].iov_base != 'a' + i)
			return -EBADMSG;
	return (int)n;
}

static int
act_peek(struct scene *s)
{
	char c = 0;
	ssize_t n = kin_queue_peek(s->q, &c, 1, patience());

	return n < 0 ? (int)n : n == QUEUE_LEN && c == 'a' ? 0 : -EBADMSG;
}

static int
act_put(struct scene *s)
{
	return put_letter(s->q, 'V', patience());
}

static int
act_get(struct scene *s)
{
	return get_letter(s->q, patience()) == 'a' ? 0 : -EBADMSG;
}

static int
act_task_done(struct scene *s)
{
	return kin_queue_task_done(s->q, 1);
}

/* ---- whether the promise is kept ---- */

/* What was there, then the first ones of the batch, all if it returned. */
static const char *
check_put_many(struct scene *s)
{
	int letter, next = s->expect != 0 ? s->expect : 'a', came = 0;

	if (s->helper > 0 && s->expect != 0 && await_done(s, 1) != NULL)
		return "the helper hangs";
	while ((letter = get_letter(s->q, KIN_NOWAIT)) >= 0) {
		if (letter == 'V' + came && came < BATCH)
			came++;
		else if (letter != next++ || came > 0)
			return "not the messages that were put";
	}
	if (letter != -ETIMEDOUT)
		return "a get fails";
	if (s->shared->acted && came != BATCH)
		return "a message is lost whose put returned";
	return check_usable(s);
}

/* The sleeper has the first of those that were published. */
static const char *
check_many_woke_getter(struct scene *s)
{
	bool published = kn_position(kn_load(&ring_of(s)->put.commit)) !=
			 s->tail;
	int i;

	if (s->shared->acted && !published)
		return "messages are lost whose put returned";
	if (!published && put_letter(s->q, 'U', patience()) < 0)
		return "a put fails afterwards";
	if (await_done(s, published ? 'V' : 'U') != NULL)
		return "the sleeping getter was not woken";
	for (i = 1; published && i < BATCH; i++)
		if (get_letter(s->q, patience()) != 'V' + i)
			return "they do not come together";
	return check_usable(s);
}

/* All that the victim has not taken, and it has taken all or none. */
static const char *
check_get_many(struct scene *s)
{
	int letter, next, n = 0;

	if (s->helper > 0 && s->expect == 0 && await_done(s, 1) != NULL)
		return "the helper hangs";
	/* The first get may have to take the latch over. */
	letter = next = kin_queue_len(s->q) > 0
			? get_letter(s->q, patience()) : -ETIMEDOUT;
	if (letter >= 0 && letter != 'a' && letter != 'a' + BATCH)
		return "a part of the batch is lost";
	if (letter == 'a' && s->shared->acted)
		return "messages are there that were got";
	for (; letter >= 0; n++) {
		if (letter != next++)
			return "not the messages that were put";
		letter = get_letter(s->q, KIN_NOWAIT);
	}
	return letter == -ETIMEDOUT ? check_usable(s) : "a get fails";
}

/* A putter slept as the ring was full: it has room if any was made. */
static const char *
check_many_woke_putter(struct scene *s)
{
	bool published = kn_position(kn_load(&ring_of(s)->get.commit)) !=
			 s->tail;
	int i = published ? BATCH : 0;

	if (s->shared->acted && !published)
		return "messages are there that were got";
	if (!published && get_letter(s->q, patience()) != 'a' + i++)
		return "a message is lost";
	if (await_done(s, 1) != NULL)
		return "the sleeping putter was not woken";
	for (; i < QUEUE_HOLDS; i++)
		if (get_letter(s->q, patience()) != 'a' + i)
			return "not the messages that were put";
	return get_letter(s->q, patience()) == 'S'
	       ? check_usable(s) : "the sleeper's message is lost";
}

static const char *
check_peek(struct scene *s)
{
	int letter, next = 'a';

	if (s->helper > 0 && s->expect == 0 && await_done(s, 1) != NULL)
		return "the helper hangs";
	letter = get_letter(s->q, patience());
	for (; letter >= 0; letter = get_letter(s->q, KIN_NOWAIT))
		if (letter != next++)
			return "a look has taken a message";
	return check_usable(s);
}

/* The oldest is gone for the V, or counted all the same. */
static const char *
check_drop(struct scene *s)
{
	struct kin_queue_stats before, now;
	uint64_t n = 0;
	bool v = false;
	int letter, first = 0;

	if (kin_queue_stat(s->q, &before) < 0)
		return "the counts are spoilt";
	letter = before.len > 0 ? get_letter(s->q, patience()) : -ETIMEDOUT;
	for (; letter >= 0; letter = get_letter(s->q, KIN_NOWAIT), n++) {
		if (v || (letter != 'V' && first != 0 && letter != first + (int)n))
			return "not the messages that were put";
		v = letter == 'V';
		if (first == 0 && !v)
			first = letter;
	}
	if (n != before.len)
		return "len is wrong";
	if (first != 0 && before.drops != (uint64_t)(first - 'a'))
		return "what was dropped is not what is counted";
	if (s->shared->acted && !v)
		return "a message is lost whose put returned";
	if (put_letter(s->q, 'y', patience()) < 0 ||
	    get_letter(s->q, patience()) != 'y' ||
	    kin_queue_stat(s->q, &now) < 0)
		return "it cannot be used afterwards";
	return now.puts == now.gets + now.drops && now.drops == before.drops
	       ? NULL : "a message is not accounted for";
}

/* The victim is dead: all that is not done is in the ring. */
static const char *
check_tasks(struct scene *s)
{
	struct kin_queue_stats now;
	int letter;

	kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
	if (kin_queue_stat(s->q, &now) < 0 || now.unfinished != now.len)
		return "the dead owe something";
	/* Where both were got, there is none to wait for. */
	while (kin_queue_len(s->q) > 0) {
		letter = get_letter(s->q, patience());
		if (letter < 0)
			return "a get fails";
		if (kin_queue_join(s->q, KIN_NOWAIT) != -ETIMEDOUT)
			return "it is done, though we have not reported it";
		if (kin_queue_task_done(s->q, 1) < 0)
			return "a report fails";
		if (letter == 'b')
			break;
	}
	return kin_queue_join(s->q, patience()) == 0
	       ? NULL : "it is never done";
}

/* Whoever was to be waited for has reported, or is dead. */
static const char *
check_joiner_woken(struct scene *s)
{
	int r = get_letter(s->q, KIN_NOWAIT);

	if (r >= 0)
		(void)!kin_queue_task_done(s->q, 1);
	return await_done(s, 1) != NULL ? "who joins sleeps on" : NULL;
}

/* ---- the table ---- */

const struct op queue_many_ops[] = {
	{ "put many", "empty", set_queue, ready_member, act_put_many,
	  check_put_many, 0 },
	{ "put many", "wrapping", set_wrapping, ready_member, act_put_many,
	  check_put_many, 0 },
	{ "put many", "contended", set_put_contended, ready_member,
	  act_put_many, check_put_many, 0 },
	{ "put many", "inherited", set_queue, ready_put_inherited,
	  act_put_many, check_put_many, 0 },
	{ "put many", "full", set_full_then_much_room, ready_member,
	  act_put_many, check_put_many, 0 },
	{ "put many", "sleeper", set_getter_asleep, ready_member,
	  act_put_many, check_many_woke_getter, OP_PTRACE },

	{ "get many", "two", set_two, ready_member, act_get_many,
	  check_get_many, 0 },
	{ "get many", "nearly full", set_nearly_full, ready_member,
	  act_get_many, check_get_many, 0 },
	{ "get many", "wrapping", set_wrapping_two, ready_member,
	  act_get_many, check_get_many, 0 },
	{ "get many", "contended", set_get_contended, ready_member,
	  act_get_many, check_get_many, 0 },
	{ "get many", "inherited", set_two, ready_get_inherited, act_get_many,
	  check_get_many, 0 },
	{ "get many", "empty", set_empty_then_message, ready_member,
	  act_get_many, check_get_many, 0 },
	{ "get many", "sleeper", set_putter_asleep, ready_member,
	  act_get_many, check_many_woke_putter, OP_PTRACE },

	{ "peek", "two", set_two, ready_member, act_peek, check_peek, 0 },
	{ "peek", "wrapping", set_wrapping_two, ready_member, act_peek,
	  check_peek, 0 },
	{ "peek", "contended", set_get_contended, ready_member, act_peek,
	  check_peek, 0 },
	{ "peek", "inherited", set_two, ready_get_inherited, act_peek,
	  check_peek, 0 },
	{ "peek", "empty", set_empty_then_message, ready_member, act_peek,
	  check_peek, 0 },

	{ "drop", "empty", set_dropping, ready_member, act_put, check_drop,
	  0 },
	{ "drop", "full", set_dropping_full, ready_member, act_put,
	  check_drop, 0 },
	{ "drop", "wrapping", set_dropping_wrapping, ready_member, act_put,
	  check_drop, 0 },
	{ "drop", "contended", set_dropping_contended, ready_member, act_put,
	  check_drop, 0 },
	{ "drop", "put inherited", set_dropping_full, ready_put_inherited,
	  act_put, check_drop, 0 },
	{ "drop", "get inherited", set_dropping_full, ready_get_inherited,
	  act_put, check_drop, 0 },

	{ "task", "get", set_tasks, ready_member, act_get, check_tasks, 0 },
	{ "task", "get many", set_tasks, ready_member, act_get_many,
	  check_tasks, 0 },
	{ "task", "done", set_tasks, ready_worker, act_task_done, check_tasks,
	  0 },
	{ "task", "done, sleeper", set_joiner_asleep, ready_worker,
	  act_task_done, check_joiner_woken, OP_PTRACE },
	{ 0 },
};
