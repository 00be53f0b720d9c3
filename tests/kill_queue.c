/* SPDX-License-Identifier: MIT */
/*
 * kill_queue.c - scenes of a queue, and of the latches in it
 *
 * The ring holds five messages of forty bytes, each of one letter; the victim
 * puts a V.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/kill_ops.h"

#define LEN	40
#define HOLDS	5

/* ---- letters in and out ---- */

static int
put_letter(kin_queue *q, int letter, kin_time deadline)
{
	char msg[LEN];

	memset(msg, letter, sizeof(msg));
	return kin_queue_put(q, msg, sizeof(msg), deadline);
}

/* The letter, 0 for a message that is not one letter throughout, or -errno. */
static int
get_letter(kin_queue *q, kin_time deadline)
{
	char msg[LEN];
	ssize_t n = kin_queue_get(q, msg, sizeof(msg), deadline);
	int i;

	if (n < 0)
		return (int)n;
	for (i = 1; i < n; i++)
		if (msg[i] != msg[0])
			return 0;
	return n == LEN ? msg[0] : 0;
}

static struct kn_ring_shared *
ring_of(const struct scene *s)
{
	return s->q->ring.shared;
}

static kin_time
patience(void)
{
	return kin_in_ms(20000);
}

/* ---- scenes ---- */

void
set_queue(struct scene *s)
{
	if (kin_queue_create(&s->q, KIN_OPTS(kin_queue_opts, .bytes = 256,
					     .members = 8,
					     .spin_ns = KIN_SPIN_NEVER)) < 0)
		abort();
}

static void
fill(struct scene *s, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (put_letter(s->q, 'a' + i, KIN_NOWAIT) < 0)
			abort();
}

void
set_two(struct scene *s)
{
	set_queue(s);
	fill(s, 2);
}

void
set_nearly_full(struct scene *s)
{
	set_queue(s);
	fill(s, HOLDS - 1);
}

void
set_full(struct scene *s)
{
	set_queue(s);
	fill(s, HOLDS);
}

/* The next record begins in the ring's last unit. */
static void
turn(struct scene *s)
{
	int i;

	for (i = 0; i < HOLDS; i++)
		if (put_letter(s->q, 'x', KIN_NOWAIT) < 0 ||
		    get_letter(s->q, KIN_NOWAIT) != 'x')
			abort();
}

void
set_wrapping(struct scene *s)
{
	set_queue(s);
	turn(s);
}

void
set_wrapping_two(struct scene *s)
{
	set_wrapping(s);
	fill(s, 2);
}

/* Somebody holds the latch until the victim sleeps on it, or has died. */
static void
hold(struct scene *s, kn_word *latch)
{
	struct kn_party *me = &s->q->registry.party;

	if (join_queue(s->q) < 0 || kn_latch_take(latch, me, patience()) < 0)
		abort();
	s->shared->helper_done = 1;
	while (!(kn_load(latch) & KN_LATCH_WAITER) && !s->shared->dead)
		kn_os_yield();
	kn_latch_release(latch, me);
}

static void
hold_put(struct scene *s)
{
	hold(s, &ring_of(s)->put.latch);
}

static void
hold_get(struct scene *s)
{
	hold(s, &ring_of(s)->get.latch);
}

static void
await_helper(struct scene *s)
{
	while (!s->shared->helper_done)
		kn_os_yield();
}

void
set_put_contended(struct scene *s)
{
	set_queue(s);
	kill_help(s, hold_put);
	await_helper(s);
}

void
set_get_contended(struct scene *s)
{
	set_two(s);
	kill_help(s, hold_get);
	await_helper(s);
}

/* Room, or a message, comes when the victim waits for it, or has died. */
static void
make_room(struct scene *s)
{
	while (!(kn_load(&ring_of(s)->get.commit) & KN_WAITER) &&
	       !s->shared->dead)
		kn_os_yield();
	if (get_letter(s->q, patience()) != 'a')
		abort();
	s->shared->helper_done = 1;
}

static void
bring_message(struct scene *s)
{
	while (!(kn_load(&ring_of(s)->put.commit) & KN_WAITER) &&
	       !s->shared->dead)
		kn_os_yield();
	if (put_letter(s->q, 'a', patience()) < 0)
		abort();
	s->shared->helper_done = 1;
}

void
set_full_then_room(struct scene *s)
{
	set_full(s);
	s->expect = 'b';
	kill_help(s, make_room);
}

void
set_empty_then_message(struct scene *s)
{
	set_queue(s);
	kill_help(s, bring_message);
}

/* A third process sleeps, and no slice of its own will wake it. */
static void
sleep_long(void)
{
	kn_wait_slices = (struct kn_slices){ 1000000000000, 1000000000000 };
	kn_latch_slices = kn_wait_slices;
}

static void
sleep_in_get(struct scene *s)
{
	sleep_long();
	s->shared->helper_done = get_letter(s->q, KIN_FOREVER);
}

static void
sleep_in_put(struct scene *s)
{
	sleep_long();
	s->shared->helper_done = put_letter(s->q, 'S', KIN_FOREVER) == 0;
}

static void
sleep_in_latch(struct scene *s)
{
	sleep_long();
	if (join_queue(s->q) < 0 ||
	    kn_latch_take(&ring_of(s)->put.latch, &s->q->registry.party,
			  KIN_FOREVER) < 0)
		abort();
	kn_latch_release(&ring_of(s)->put.latch, &s->q->registry.party);
	s->shared->helper_done = 1;
}

/* The bit is set, and the process sleeps: it sleeps on that word. */
static void
await_sleep(const struct scene *s, const kn_word *w, uint32_t bit)
{
	char path[32], text[512];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->helper);
	for (;;) {
		if ((kn_load(w) & bit) &&
		    kn_os_read_file(path, text, sizeof(text)) > 0 &&
		    (p = strrchr(text, ')')) != NULL && p[2] == 'S')
			return;
		kn_os_yield();
	}
}

void
set_getter_asleep(struct scene *s)
{
	set_queue(s);
	kill_help(s, sleep_in_get);
	await_sleep(s, &ring_of(s)->put.commit, KN_WAITER);
	s->tail = kn_position(kn_load(&ring_of(s)->put.commit));
}

void
set_putter_asleep(struct scene *s)
{
	set_full(s);
	kill_help(s, sleep_in_put);
	await_sleep(s, &ring_of(s)->get.commit, KN_WAITER);
	s->tail = kn_position(kn_load(&ring_of(s)->get.commit));
}

/* ---- what the victim does ---- */

int
join_queue(kin_queue *q)
{
	return kn_registry_joined(&q->registry)
	       ? 0 : kn_registry_join(&q->registry);
}

void
ready_member(struct scene *s)
{
	if (join_queue(s->q) < 0)
		abort();
	s->q->spoilt = 0;
	kn_spin_init(&s->q->put_spin, KIN_SPIN_NEVER);
	kn_spin_init(&s->q->get_spin, KIN_SPIN_NEVER);
	s->shared->stamp = s->q->registry.party.stamp;
}

/*
 * Somebody has died with the latch, after the victim joined: a newcomer would
 * have freed it.
 */
static void
bequeath(struct scene *s, kn_word *latch)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (join_queue(s->q) < 0 ||
		    kn_latch_take(latch, &s->q->registry.party, patience()) < 0)
			abort();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

void
ready_put_inherited(struct scene *s)
{
	ready_member(s);
	bequeath(s, &ring_of(s)->put.latch);
}

void
ready_get_inherited(struct scene *s)
{
	ready_member(s);
	bequeath(s, &ring_of(s)->get.latch);
}

void
act_put(struct scene *s)
{
	if (put_letter(s->q, 'V', patience()) < 0)
		abort();
}

void
act_get(struct scene *s)
{
	if (get_letter(s->q, patience()) != 'a')
		abort();
}

void
act_shutdown(struct scene *s)
{
	if (kin_queue_shutdown(s->q, patience()) < 0)
		abort();
}

void
act_take(struct scene *s)
{
	if (kn_latch_take(&ring_of(s)->put.latch, &s->q->registry.party,
			  patience()) < 0)
		abort();
}

void
ready_holder(struct scene *s)
{
	ready_member(s);
	act_take(s);
}

/* The sleeper sleeps on the victim's latch, so it comes after it. */
void
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

void
set_latch_sleeper(struct scene *s)
{
	set_queue(s);
	kill_help(s, sleep_in_latch_later);
}

void
act_release(struct scene *s)
{
	kn_latch_release(&ring_of(s)->put.latch, &s->q->registry.party);
}

/* ---- whether the promise is kept ---- */

/* Empty, it takes five messages and gives them back. */
static const char *
check_whole(struct scene *s)
{
	int i, r;

	for (i = 0; i < HOLDS; i++) {
		if (kin_queue_len(s->q) != i)
			return "len is wrong";
		if (put_letter(s->q, '0' + i, patience()) < 0)
			return "a put fails afterwards";
	}
	r = put_letter(s->q, '9', KIN_NOWAIT);
	if (r != -ETIMEDOUT)
		return "it holds more than it has room for";
	for (i = 0; i < HOLDS; i++)
		if (get_letter(s->q, patience()) != '0' + i)
			return "a get fails afterwards";
	return kin_queue_len(s->q) == 0 ? NULL : "it is not empty";
}

static const char *
await_done(struct scene *s, int value)
{
	kin_time deadline = patience();

	while (s->shared->helper_done != value) {
		if (kin_now().ns > deadline.ns)
			return "a third process sleeps on";
		kn_os_yield();
	}
	return NULL;
}

/* What was there, in order; then a V whole, or nothing; a V if put returned. */
const char *
check_put(struct scene *s)
{
	int letter, next = s->expect != 0 ? s->expect : 'a';
	bool v = false;

	if (s->helper > 0 && s->expect != 0 && await_done(s, 1) != NULL)
		return "the helper hangs";
	while ((letter = get_letter(s->q, KIN_NOWAIT)) >= 0) {
		if (letter == 'V' && !v)
			v = true;
		else if (letter != next++ || v)
			return "not the messages that were put";
	}
	if (letter != -ETIMEDOUT)
		return "a get fails";
	if (s->shared->acted && !v)
		return "a message is lost whose put returned";
	return check_whole(s);
}

/* An a, unless get returned; then what comes behind it. */
const char *
check_get(struct scene *s)
{
	int letter, first;
	ssize_t len;

	if (s->helper > 0 && s->expect == 0 && await_done(s, 1) != NULL)
		return "the helper hangs";
	len = kin_queue_len(s->q);
	if (len > 0) {
		/* The first get may have to take the latch over. */
		first = letter = get_letter(s->q, patience());
		while (letter >= 0) {
			if (letter != first++)
				return "not the messages that were put";
			len--;
			letter = get_letter(s->q, KIN_NOWAIT);
		}
		if (len != 0)
			return "len counts what is not there";
	}
	return check_whole(s);
}

/* For two messages and more: the b is nobody's but ours. */
const char *
check_get_two(struct scene *s)
{
	int letter = get_letter(s->q, patience());

	if (letter == 'a') {
		if (s->shared->acted)
			return "a message is there that was got";
		letter = get_letter(s->q, patience());
	}
	return letter == 'b' ? check_get(s) : "a message is lost";
}

/* If the V is published, the sleeper is awake; if not, ours wakes it. */
const char *
check_getter_woken(struct scene *s)
{
	bool published = kn_position(kn_load(&ring_of(s)->put.commit)) !=
			 s->tail;

	if (s->shared->acted && !published)
		return "a message is lost whose put returned";
	if (!published && put_letter(s->q, 'W', patience()) < 0)
		return "a put fails afterwards";
	if (await_done(s, published ? 'V' : 'W') != NULL)
		return "the sleeping getter was not woken";
	return check_whole(s);
}

const char *
check_putter_woken(struct scene *s)
{
	bool published = kn_position(kn_load(&ring_of(s)->get.commit)) !=
			 s->tail;
	int i;

	if (!published && get_letter(s->q, patience()) != 'a')
		return "a message is lost";
	if (await_done(s, 1) != NULL)
		return "the sleeping putter was not woken";
	for (i = 1; i < HOLDS; i++)
		if (get_letter(s->q, patience()) != 'a' + i)
			return "not the messages that were put";
	if (get_letter(s->q, patience()) != 'S')
		return "the sleeper's message is lost";
	return check_whole(s);
}

/* Released, the sleeper has it; not released, whoever reaps wakes it. */
const char *
check_latch_woken(struct scene *s)
{
	uint32_t owner = kn_load(&ring_of(s)->put.latch) & KN_STAMP_MASK;

	if (owner == s->shared->stamp)
		kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
	if (await_done(s, 1) != NULL)
		return "the sleeping taker was not woken";
	return check_whole(s);
}

const char *
check_usable(struct scene *s)
{
	return check_whole(s);
}

/* Shut down or not, but not in between. */
const char *
check_shutdown(struct scene *s)
{
	int r = put_letter(s->q, 'a', patience());

	if (r == 0 && !s->shared->acted)
		return get_letter(s->q, patience()) == 'a'
		       ? check_whole(s) : "a message is lost";
	if (r != -EPIPE)
		return "a put after the shutdown is not refused";
	return get_letter(s->q, patience()) == -EPIPE
	       ? NULL : "a get after the shutdown does not end";
}
