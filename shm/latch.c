/* SPDX-License-Identifier: MIT */
/*
 * latch.c - the short lock inside shared structures; it survives its holder
 */
#include <errno.h>

#include "shm/error.h"
#include "shm/latch.h"
#include "shm/os.h"

#define GRACE_NS	100000

struct kn_slices kn_latch_slices = { 2000000, 50000000 };
__thread int kn_latch_held;

static uint32_t
owner(uint32_t v)
{
	return v & ~KN_LATCH_WAITER;
}

static bool
spin(kn_word *w, const struct kn_party *me)
{
	int i;

	for (i = 0; i < me->spins; i++) {
		uint32_t v = kn_load_relaxed(w);

		if (v == 0 && kn_cas_acquire(w, &v, me->stamp))
			return true;
		kn_pause();
	}
	return false;
}

/*
 * We were woken to take the latch, and do not: pass the wake on, or leave the
 * bit for the holder to see.
 */
static void
decline(kn_word *w)
{
	uint32_t v = kn_load(w);

	while (owner(v) != 0)
		if ((v & KN_LATCH_WAITER) || kn_cas(w, &v, v | KN_LATCH_WAITER))
			return;
	(void)kn_os_futex_wake(w, 1);
}

/* Is the one dead that v says?  Its words are said here, if they must be. */
static int
ask(struct kn_party *me, uint32_t v)
{
	int r = me->dead(me, owner(v));

	if (r == -EUCLEAN)
		return kn_fail(r, "a latch holds %#x, which is nobody", v);
	if (r == -EBADF)
		return kn_fail(r, "the shared thing's descriptor was closed, "
			       "and with it the way to learn of deaths");
	return r;
}

/*
 * One who was woken takes the latch with the bit set: there may be others
 * asleep, and the wake has cleared it.
 *
 * Who will not wait gives a live holder some time all the same, since it needs
 * a moment and has perhaps lost its CPU to us.
 */
static int
take(kn_word *w, struct kn_party *me, kin_time deadline)
{
	int64_t slice_ns = kn_latch_slices.first_ns;
	int64_t grace_end = kin_now().ns + GRACE_NS;
	int64_t slice_end = kin_now().ns + slice_ns;
	uint32_t woken = 0;		/* or the waiter bit */
	int r;

	for (;;) {
		uint32_t v = kn_load_relaxed(w);
		int64_t now = kin_now().ns;
		bool over = now >= deadline.ns;

		if (owner(v) == 0) {
			if (kn_cas_acquire(w, &v, me->stamp | v | woken))
				return 0;
			if (!over || now < grace_end)
				continue;
		}
		if (over && now < grace_end) {
			kn_os_yield();
			continue;
		}
		if (owner(v) != 0 && (over || now >= slice_end)) {
			r = ask(me, v);
			if (r < 0)
				break;
			if (r > 0 && kn_cas_acquire(w, &v, me->stamp | woken |
						    (v & KN_LATCH_WAITER)))
				return KN_INHERITED;
			if (r > 0 && !over)
				continue;
			if (slice_ns < kn_latch_slices.last_ns)
				slice_ns *= 2;
			slice_end = now + slice_ns;
		}
		r = -EBUSY;
		if (over)
			break;
		if (!(v & KN_LATCH_WAITER) &&
		    !kn_cas(w, &v, v | KN_LATCH_WAITER))
			continue;

		r = kn_os_futex_wait(w, v | KN_LATCH_WAITER, (kin_time){
			slice_end < deadline.ns ? slice_end : deadline.ns });
		if (r == 0)
			woken = KN_LATCH_WAITER;
		else if (r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();	/* the kernel lets nobody sleep */
	}
	if (woken)
		decline(w);
	return r;
}

int
kn_latch_take_slow(kn_word *w, struct kn_party *me, kin_time deadline)
{
	int r;

	if (kn_latch_held > 1)
		r = -EDEADLK;
	else if (spin(w, me))
		return 0;
	else
		r = take(w, me, deadline);
	if (r < 0)
		kn_latch_held--;
	return r;
}

/* The count tells signal handlers to keep away, of the first as of both. */
int
kn_latch_take_second(kn_word *w, struct kn_party *me, kin_time deadline)
{
	int r = 0;

	kn_latch_held++;
	if (!spin(w, me))
		r = take(w, me, deadline);
	if (r < 0)
		kn_latch_held--;
	return r;
}

void
kn_latch_release_slow(kn_word *w, uint32_t stamp)
{
	uint32_t v = kn_load_relaxed(w);

	/* Not ours any more: a peer has scribbled, and what is there is not
	 * ours to change. */
	if (owner(v) != stamp)
		return;
	if (kn_os_futex_set_wake(w, 0, 1) >= 0)
		return;
	/* As in publish: without the call, in two steps. */
	kn_store(w, 0);
	(void)kn_os_futex_wake(w, 1);
}

bool
kn_latch_repair(kn_word *w, uint32_t stamp)
{
	uint32_t v = kn_load(w);

	/* Not by FUTEX_WAKE_OP: somebody may just be taking it over. */
	while (owner(v) == stamp)
		if (kn_cas(w, &v, 0)) {
			if (v & KN_LATCH_WAITER)
				(void)kn_os_futex_wake(w, 1);
			return true;
		}
	return false;
}
