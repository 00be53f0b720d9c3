/* SPDX-License-Identifier: MIT */
/*
 * wait.c - publish by a word, and sleep until it moves
 */
#include <errno.h>
#include <limits.h>

#include "shm/os.h"
#include "shm/wait.h"

#define SPIN_MOST_NS	1000000000	/* who spins does not look at the living */

struct kn_slices kn_wait_slices = { 100000000, 1000000000 };

/*
 * What a wake-up of another CPU costs cannot be measured without somebody to
 * wake, but it is 50 to 150 times an empty futex call, on machines of their
 * own and on virtual ones.  Rather the most of it: who spins for less than the
 * other one needs to wake sleeps too, and then both do so for ever.
 */
static int64_t
wake_cost(void)
{
	static int64_t known;
	int64_t cost = __atomic_load_n(&known, __ATOMIC_RELAXED);
	kn_word nobody = { 0 };
	int i;

	if (cost != 0)
		return cost;
	cost = INT64_MAX;
	for (i = 0; i < 8; i++) {
		int64_t begin = kin_now().ns, took;

		(void)kn_os_futex_wake(&nobody, 1);
		took = kin_now().ns - begin;
		if (took < cost)
			cost = took;
	}
	cost *= 150;
	cost = cost < 4000 ? 4000 : cost > 100000 ? 100000 : cost;
	__atomic_store_n(&known, cost, __ATOMIC_RELAXED);
	return cost;
}

void
kn_spin_init(struct kn_spin *spin, int64_t asked_ns)
{
	int64_t most = 0;

	if (asked_ns >= 0 && kn_os_cpus() > 1)
		most = asked_ns != 0 ? asked_ns : wake_cost();
	if (most > SPIN_MOST_NS)
		most = SPIN_MOST_NS;
	/* Atomic, since a fork's child may begin with two threads at once. */
	__atomic_store_n(&spin->most_ns, most, __ATOMIC_RELAXED);
	__atomic_store_n(&spin->next_ns, most, __ATOMIC_RELAXED);
}

int
kn_publish_slow(kn_word *w, uint32_t position, uint32_t n)
{
	uint32_t v = kn_load_relaxed(w);

	if (kn_position(v) != position)
		return -EUCLEAN;
	if (kn_os_futex_add_wake(w, (int)(2 * n) - 1, 1) >= 0)
		return 0;

	/*
	 * A sandbox that does not know the call: nothing was published.  In
	 * two steps then; a death between them costs a sleeper one slice.
	 */
	if (!kn_cas_release(w, &v, (position + n) << 1))
		return -EUCLEAN;
	(void)kn_os_futex_wake(w, 1);
	return 0;
}

static bool
moved(const kn_word *w, uint32_t position, const kn_word *stop)
{
	return kn_position(kn_load(w)) != position || kn_load(stop) != 0;
}

/* Has it come as far as a spinner would have it? */
static bool
far_enough(const struct kn_wait *wait, const kn_word *w, uint32_t position,
	   const kn_word *stop)
{
	uint32_t way = (kn_position(kn_load(w)) - position) & KN_POSITION;

	return way >= wait->far || kn_load(stop) != 0;
}

static bool
look(const struct kn_wait *wait, const kn_word *w, uint32_t position,
     const kn_word *stop)
{
	int i;

	for (i = 0; i < 16; i++) {
		if (far_enough(wait, w, position, stop))
			return true;
		/* Each look takes the line from the one we wait for. */
		kn_pause();
		kn_pause();
		kn_pause();
	}
	return false;
}

/*
 * Until when to spin this time; 0: not at all.  A success earns the next waiter
 * the whole time, a failure half of what it had, down to a sixteenth of all;
 * every 8th tries the whole time again, or one slow spell would end spinning
 * for ever.
 */
static int64_t
spin_end(struct kn_spin *s, int64_t now, int64_t deadline)
{
	int64_t most = __atomic_load_n(&s->most_ns, __ATOMIC_RELAXED);
	int64_t next = __atomic_load_n(&s->next_ns, __ATOMIC_RELAXED);

	if (most == 0)
		return 0;
	if (__atomic_add_fetch(&s->tries, 1, __ATOMIC_RELAXED) % 8 == 0)
		next = most;
	return next < deadline - now ? now + next : deadline;
}

static void
spin_learn(struct kn_spin *s, bool found)
{
	int64_t most = __atomic_load_n(&s->most_ns, __ATOMIC_RELAXED);
	int64_t next = __atomic_load_n(&s->next_ns, __ATOMIC_RELAXED);

	if (!found)
		next = next / 2 < most / 16 ? most / 16 : next / 2;
	__atomic_store_n(&s->next_ns, found ? most : next, __ATOMIC_RELAXED);
}

/*
 * True if the word moved while we spun.  A spinner may hold out for more than
 * one unit: a putter that took each bit of room as it comes would fetch the
 * getters' line once for each message, and so hold both up.  But not for
 * longer than a sleep would have cost.
 */
static bool
spin(const struct kn_wait *wait, const kn_word *w, uint32_t position,
     const kn_word *stop, int64_t now, int64_t deadline)
{
	int64_t end = spin_end(wait->spin, now, deadline), enough;
	bool found;

	if (end == 0)
		return false;
	enough = now + wake_cost();
	do {
		found = look(wait, w, position, stop);
		now = kin_now().ns;
	} while (!found && now < end &&
		 !(now >= enough && moved(w, position, stop)));
	spin_learn(wait->spin, found);
	return found || moved(w, position, stop);
}

bool
kn_spin_for(struct kn_spin *spin, const kn_word *w, kn_spin_fn *there,
	    const void *arg, kin_time deadline)
{
	int64_t end = spin_end(spin, kin_now().ns, deadline.ns);
	bool found = false;
	int i;

	if (end == 0)
		return false;
	do {
		for (i = 0; i < 16 && !found; i++) {
			found = there(arg, kn_load(w));
			kn_pause();
		}
	} while (!found && kin_now().ns < end);
	spin_learn(spin, found);
	return found;
}

/* Before its first sleep a waiter looks a little without asking the time. */
static bool
first_look(struct kn_wait *wait, const kn_word *w, uint32_t position,
	   const kn_word *stop)
{
	if (wait->again)
		return false;
	wait->again = true;
	return __atomic_load_n(&wait->spin->most_ns, __ATOMIC_RELAXED) != 0 &&
	       look(wait, w, position, stop);
}

/*
 * Asked by one who has set the bit or found it set.  Whoever sets *stop clears
 * the bit afterwards: one of the two sees the other, or the kernel sees that
 * the bit is gone.  But a third one may have looked at *stop before and be
 * about to sleep, and would do so by our bit: it has to go again.
 */
static bool
stopped(const struct kn_wait *wait, kn_word *w, const kn_word *stop)
{
	if (kn_load_ordered(stop) == 0)
		return false;
	if (wait->settles)
		kn_wait_stir(w);
	return true;
}

/*
 * Set the bit on the value that shows position; false if it shows another, or
 * *stop is set.
 */
static bool
announce(const struct kn_wait *wait, kn_word *w, uint32_t position,
	 const kn_word *stop)
{
	uint32_t v = kn_load(w);

	if (kn_position(v) != position)
		return false;
	if (!(v & KN_WAITER) && !kn_cas(w, &v, v | KN_WAITER))
		return false;
	return !stopped(wait, w, stop);
}

/* Is it?  Then the next one begins. */
static bool
slice_over(struct kn_wait *wait)
{
	int64_t now = kin_now().ns;

	if (now < wait->slice_end)
		return false;
	if (wait->slice_ns < kn_wait_slices.last_ns)
		wait->slice_ns *= 2;
	wait->slice_end = now + wait->slice_ns;
	return true;
}

int
kn_wait_move(struct kn_wait *wait, kn_word *w, uint32_t position,
	     const kn_word *stop, kin_time deadline)
{
	kin_time now, until;
	int r;

	if (deadline.ns <= 0)
		return -ETIMEDOUT;
	if (first_look(wait, w, position, stop))
		return 0;
	now = kin_now();
	if (now.ns >= deadline.ns)
		return -ETIMEDOUT;
	if (spin(wait, w, position, stop, now.ns, deadline.ns) ||
	    !announce(wait, w, position, stop))
		return 0;

	if (wait->slice_end == 0)
		wait->slice_end = now.ns + wait->slice_ns;
	until.ns = wait->slice_end < deadline.ns ? wait->slice_end
						 : deadline.ns;
	r = kn_os_futex_wait(w, position << 1 | KN_WAITER, until);
	if (r == 0) {
		wait->woken = true;
		return 0;
	}
	if (r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
		kn_os_yield();		/* the kernel will not let us sleep */
	return slice_over(wait);
}

void
kn_wait_end(const struct kn_wait *wait, kn_word *w, uint32_t position,
	    const kn_word *stop)
{
	uint32_t v = kn_load(w);

	while (kn_position(v) == position) {
		if ((v & KN_WAITER) || kn_cas(w, &v, v | KN_WAITER)) {
			(void)stopped(wait, w, stop);
			return;
		}
	}
	(void)kn_os_futex_wake(w, 1);
}

void
kn_wait_wake(const kn_word *w)
{
	(void)kn_os_futex_wake(w, INT_MAX);
}

void
kn_wait_pass(const kn_word *w)
{
	(void)kn_os_futex_wake(w, 1);
}

void
kn_wait_stir(kn_word *w)
{
	if (kn_os_futex_clear_wake(w, KN_WAITER, INT_MAX) >= 0)
		return;
	/* As in publish: without the call, in two steps. */
	__atomic_fetch_and(&w->v, ~KN_WAITER, __ATOMIC_SEQ_CST);
	kn_wait_wake(w);
}
