/* SPDX-License-Identifier: MIT */
/*
 * ops_queue.c - putting and getting
 *
 * The ring holds five messages of forty bytes, each of one letter; the victim
 * puts a V.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/proof/ops_queue.h"

#define LEN	QUEUE_LEN
#define HOLDS	QUEUE_HOLDS

/* ---- letters in and out ---- */

int
put_letter(kin_queue *q, int letter, kin_time deadline)
{
	char msg[LEN];

	memset(msg, letter, sizeof(msg));
	return kin_queue_put(q, msg, sizeof(msg), deadline);
}

/* The letter, 0 for a message that is not one letter throughout, or -errno. */
int
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

struct kn_ring_shared *
ring_of(const struct scene *s)
{
	return s->q->ring.shared;
}

/* ---- scenes ---- */

void
watch_queue(struct scene *s)
{
	s->watch = kn_segment_body(s->q->seg);
	s->watch_bytes = s->q->seg->body_bytes;
	s->registry = &s->q->registry;
}

void
set_queue(struct scene *s)
{
	must(kin_queue_create(&s->q, KIN_OPTS(kin_queue_opts, .bytes = 256,
					      .members = 8,
					      .spin_ns = KIN_SPIN_NEVER)));
	watch_queue(s);
}

void
fill(struct scene *s, int n)
{
	int i;

	for (i = 0; i < n; i++)
		must(put_letter(s->q, 'a' + i, KIN_NOWAIT));
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
void
turn(struct scene *s)
{
	int i;

	for (i = 0; i < HOLDS; i++) {
		must(put_letter(s->q, 'x', KIN_NOWAIT));
		must(get_letter(s->q, KIN_NOWAIT));
	}
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

	must(join_queue(s->q));
	must(kn_latch_take(latch, me, patience()));
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
	help(s, hold_put);
	await_helper(s);
}

void
hold_get_meanwhile(struct scene *s)
{
	help(s, hold_get);
	await_helper(s);
}

void
set_get_contended(struct scene *s)
{
	set_two(s);
	hold_get_meanwhile(s);
}

/* Room, or a message, comes when the victim waits for it, or has died. */
static void
make_room(struct scene *s)
{
	while (!(kn_load(&ring_of(s)->get.commit) & KN_WAITER) &&
	       !s->shared->dead)
		kn_os_yield();
	must(get_letter(s->q, patience()));
	s->shared->helper_done = 1;
}

static void
bring_message(struct scene *s)
{
	while (!(kn_load(&ring_of(s)->put.commit) & KN_WAITER) &&
	       !s->shared->dead)
		kn_os_yield();
	must(put_letter(s->q, 'a', patience()));
	s->shared->helper_done = 1;
}

static void
set_full_then_room(struct scene *s)
{
	set_full(s);
	s->expect = 'b';
	help(s, make_room);
}

void
set_empty_then_message(struct scene *s)
{
	set_queue(s);
	help(s, bring_message);
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

void
set_getter_asleep(struct scene *s)
{
	set_queue(s);
	help(s, sleep_in_get);
	await_sleep(s, &ring_of(s)->put.commit, KN_WAITER);
	s->tail = kn_position(kn_load(&ring_of(s)->put.commit));
}

void
set_putter_asleep(struct scene *s)
{
	set_full(s);
	help(s, sleep_in_put);
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
	must(join_queue(s->q));
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
		must(join_queue(s->q));
		must(kn_latch_take(latch, &s->q->registry.party, patience()));
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

static int
act_put(struct scene *s)
{
	return put_letter(s->q, 'V', patience());
}

static int
act_get(struct scene *s)
{
	int letter = get_letter(s->q, patience());

	return letter < 0 || letter == 'a' ? letter : -EBADMSG;
}

static int
act_shutdown(struct scene *s)
{
	return kin_queue_shutdown(s->q, patience());
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

/* What was there, in order; then a V whole, or nothing; a V if put returned. */
static const char *
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
	if (s->shared->failed && v)
		return "a message is there whose put failed";
	return check_whole(s);
}

/* An a, unless get returned; then what comes behind it. */
static const char *
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
static const char *
check_get_two(struct scene *s)
{
	int letter = get_letter(s->q, patience());

	if (letter == 'a') {
		if (s->shared->acted)
			return "a message is there that was got";
		letter = get_letter(s->q, patience());
	} else if (s->shared->failed) {
		return "a message is gone whose get failed";
	}
	return letter == 'b' ? check_get(s) : "a message is lost";
}

/* If the V is published, the sleeper is awake; if not, ours wakes it. */
static const char *
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

static const char *
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

const char *
check_usable(struct scene *s)
{
	return check_whole(s);
}

/* Shut down or not, but not in between. */
static const char *
check_shutdown(struct scene *s)
{
	int r = put_letter(s->q, 'a', patience());

	if (r == 0 && !s->shared->acted)
		return get_letter(s->q, patience()) == 'a'
		       ? check_whole(s) : "a message is lost";
	if (s->shared->failed)
		return "it is shut down, though that failed";
	if (r != -EPIPE)
		return "a put after the shutdown is not refused";
	return get_letter(s->q, patience()) == -EPIPE
	       ? NULL : "a get after the shutdown does not end";
}

/* ---- what another does ---- */

static void
take_over(struct scene *s, kn_word *latch)
{
	struct kn_party *me = &s->q->registry.party;

	if (kn_latch_take(latch, me, KIN_NOWAIT) >= 0)
		kn_latch_release(latch, me);
}

/* A get without room for a message leaves it where it is. */
void
other_queue(struct scene *s)
{
	int r = join_queue(s->q);

	if (r == -ENOSPC)
		return;		/* a stopped one has the last place */
	must(r);
	kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
	take_over(s, &ring_of(s)->put.latch);
	take_over(s, &ring_of(s)->get.latch);
	r = (int)kin_queue_get(s->q, NULL, 0, KIN_NOWAIT);
	must(r == -EMSGSIZE || r == -ETIMEDOUT || r == -EPIPE ? 0 : r);
	must((int)kin_queue_len(s->q));
}

/* ---- the table ---- */

const struct op queue_ops[] = {
	{ "put", "empty", set_queue, ready_member, act_put, check_put, 0 },
	{ "put", "nearly full", set_nearly_full, ready_member, act_put,
	  check_put, 0 },
	{ "put", "wrapping", set_wrapping, ready_member, act_put, check_put,
	  0 },
	{ "put", "contended", set_put_contended, ready_member, act_put,
	  check_put, 0 },
	{ "put", "inherited", set_queue, ready_put_inherited, act_put,
	  check_put, 0 },
	{ "put", "full", set_full_then_room, ready_member, act_put, check_put,
	  0 },
	{ "put", "sleeper", set_getter_asleep, ready_member, act_put,
	  check_getter_woken, OP_PTRACE },

	{ "get", "one", set_two, ready_member, act_get, check_get_two, 0 },
	{ "get", "nearly full", set_nearly_full, ready_member, act_get,
	  check_get_two, 0 },
	{ "get", "wrapping", set_wrapping_two, ready_member, act_get,
	  check_get_two, 0 },
	{ "get", "contended", set_get_contended, ready_member, act_get,
	  check_get_two, 0 },
	{ "get", "inherited", set_two, ready_get_inherited, act_get,
	  check_get_two, 0 },
	{ "get", "empty", set_empty_then_message, ready_member, act_get,
	  check_get, 0 },
	{ "get", "sleeper", set_putter_asleep, ready_member, act_get,
	  check_putter_woken, OP_PTRACE },

	{ "shutdown", "empty", set_queue, ready_member, act_shutdown,
	  check_shutdown, 0 },
	{ 0 },
};
