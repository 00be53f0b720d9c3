/* SPDX-License-Identifier: MIT */
/*
 * sem.c - kin_sem: a word of free permits, and one who sleeps for them
 *
 *      acquire ──▶ enough are free? take them ──▶
 *                  └─ no: the turn, a latch ──▶ sleep on the word, take ──▶
 *
 * Only the turn's holder sleeps for permits; the others sleep for the turn.  So
 * a release has one to wake, adds and wakes by one FUTEX_WAKE_OP, and a
 * sleeper that dies is found out as any latch's holder is.  The word's two
 * flags are the turn's holder's to set and to clear.
 *
 * Who runs may take permits before the turn's holder is awake: it costs a
 * wake-up less.  After it has been woken in vain a few times, the holder sets
 * the flag that makes all others line up behind it.
 */
#include <errno.h>

#include "lib/sem.h"
#include "shm/os.h"

#define IN_VAIN		4		/* wakes, before others line up */
#define ADD_MOST	511u		/* permits: the operand of FUTEX_WAKE_OP
					   has 12 signed bits, 2 are flags */
#define TIDY		64u		/* releases that woke nobody */

/* Also for the calls that do not ask whether it was. */
static int
spoilt_now(kin_sem *s)
{
	__atomic_store_n(&s->quick, 0, __ATOMIC_RELAXED);
	return kn_object_spoilt_now(&s->o);
}

/* ---- the turn ---- */

static int __attribute__((noinline))
take_turn(kin_sem *s, kin_time deadline)
{
	char name[96];
	int r = kn_latch_take(&s->shared->turn, &s->o.control->registry.party,
			      deadline);

	if (r == -EBUSY)
		return kn_fail(-ETIMEDOUT, "%s: others were first in line "
			       "until the deadline",
			       kn_object_name(&s->o, name));
	if (r == -EDEADLK)
		return kn_fail(r, "%s: called from a signal handler that "
			       "interrupted a call",
			       kn_object_name(&s->o, name));
	return r == -EUCLEAN ? spoilt_now(s) : r;
}

/* Nobody sleeps on the word any more, and nobody need line up. */
static void
leave_turn(kin_sem *s)
{
	uint32_t v = kn_load(&s->shared->free);

	while ((v & KN_SEM_FLAGS) &&
	       !kn_cas(&s->shared->free, &v, v & ~KN_SEM_FLAGS))
		;
	kn_latch_release(&s->shared->turn, &s->o.control->registry.party);
}

/*
 * One who died in its turn has left its flags.  Where the turn is free, or was
 * a dead one's, they go; in a signal handler, another time.
 */
static void
tidy(kin_sem *s)
{
	struct kn_party *party = &s->o.control->registry.party;
	uint32_t v = kn_load(&s->shared->turn) & ~KN_LATCH_WAITER;
	struct kn_sentence sentence;

	if (!kn_registry_joined(&s->o.control->registry) ||
	    (v != 0 && party->dead(party, v) != 1))
		return;
	kn_sentence_save(&sentence);
	if (kn_latch_take(&s->shared->turn, party, KIN_NOWAIT) >= 0)
		leave_turn(s);
	kn_sentence_restore(&sentence);
}

/* ---- taking and giving ---- */

/*
 * 1: n are taken; 0: so many are not free, or others are in line.  A turn's
 * holder takes its flags along.
 */
static int
take_free(kin_sem *s, uint32_t n, bool turn)
{
	struct kn_sem_shared *shared = s->shared;
	uint32_t drop = turn ? KN_SEM_FLAGS : 0, v, to;
	uint64_t both = kn_wide_load(&shared->both);
	kn_word half[2];

	do {
		__builtin_memcpy(half, &both, sizeof(half));
		v = half[0].v;
		if (kn_unlikely(kn_sem_free(v) > s->total))
			return kn_object_spoil(&s->o, "more permits are free "
					       "than there are");
		if (kn_sem_free(v) < n || (!turn && (v & KN_SEM_LINE)))
			return 0;
		to = (v & ~drop) - n * KN_SEM_ONE;
	} while (!kn_wide_cas(&shared->both, &both,
			      kn_wide_of(to, half[1].v + 1)));
	return 1;
}

static int
take_plain(kin_sem *s, uint32_t n, bool turn)
{
	uint32_t drop = turn ? KN_SEM_FLAGS : 0;
	uint32_t v = kn_load_relaxed(&s->shared->free);

	do {
		if (kn_sem_free(v) < n || (!turn && (v & KN_SEM_LINE)))
			return 0;
	} while (!kn_cas_acquire(&s->shared->free, &v,
				 (v & ~drop) - n * KN_SEM_ONE));
	/* Killed here, it has taken what is gone with it for good. */
	if (s->bounded)
		kn_add(&s->shared->room, n);
	return 1;
}

static int
take(kin_sem *s, uint32_t stamp, uint32_t n, bool turn)
{
	int r;

	if (!s->owned)
		return take_plain(s, n, turn);
	/* A look costs less than to change the cell twice in vain. */
	if (kn_sem_free(kn_load(&s->shared->free)) < n)
		return 0;
	if (!kn_cell_hold(s, stamp, n)) {
		kn_os_yield();
		return 0;
	}
	r = take_free(s, n, turn);
	if (r <= 0)
		kn_cell_forget(s, stamp, n);
	return r;
}

static void
wake_in_two_steps(kin_sem *s)
{
	(void)kn_os_futex_wake(&s->shared->free, 1);
}

/*
 * More than the kernel can add at once are added first; a death before the
 * wake costs the sleeper a slice.  So it is without the call, too.
 */
void
kn_sem_give(kin_sem *s, uint32_t n)
{
	kn_word *w = &s->shared->free;
	uint32_t v = kn_load_relaxed(w);
	int woken;

	for (;;) {
		if ((v & KN_SEM_ASLEEP) && n <= ADD_MOST) {
			woken = kn_os_futex_add_wake(w, (int)(n * KN_SEM_ONE),
						     1);
			if (woken == 0 &&
			    __atomic_add_fetch(&s->in_vain, 1,
					       __ATOMIC_RELAXED) % TIDY == 0)
				tidy(s);
			if (woken >= 0)
				return;
		}
		if (kn_cas_release(w, &v, v + n * KN_SEM_ONE)) {
			if (v & KN_SEM_ASLEEP)
				wake_in_two_steps(s);
			return;
		}
	}
}

/* ---- acquire ---- */

static int
sleep_for(kin_sem *s, uint32_t n, int in_vain, struct kn_slice *slice,
	  kin_time deadline)
{
	kn_word *w = &s->shared->free;
	uint32_t v = kn_load(w), to;

	if (kn_sem_free(v) >= n)
		return -EAGAIN;
	to = v | KN_SEM_ASLEEP | (in_vain >= IN_VAIN ? KN_SEM_LINE : 0);
	if (to != v && !kn_cas(w, &v, to))
		return -EAGAIN;
	return kn_os_futex_wait(w, to, kn_slice_until(slice, deadline));
}

static bool
there(const void *arg, uint32_t v)
{
	const uint32_t *n = arg;

	return kn_sem_free(v) >= *n;
}

static int __attribute__((noinline))
late(const kin_sem *s, uint32_t n)
{
	char name[96];

	return kn_fail(-ETIMEDOUT, "%s: %u permits were not free until the "
		       "deadline", kn_object_name(&s->o, name), n);
}

/* In our turn. */
static int
await(kin_sem *s, uint32_t stamp, uint32_t n, kin_time deadline)
{
	struct kn_slice slice = kn_slice_first();
	int r, in_vain = 0;
	bool look = s->owned;		/* for what the dead hold */

	(void)kn_spin_for(&s->spin, &s->shared->free, there, &n, deadline);
	for (;;) {
		r = take(s, stamp, n, true);
		if (r != 0)
			return r;
		if (look) {
			look = false;
			r = kn_sem_recover(s);
			if (r < 0)
				return r;
			if (r > 0)
				continue;
		}
		if (kin_now().ns >= deadline.ns)
			return late(s, n);
		r = sleep_for(s, n, in_vain, &slice, deadline);
		if (r == 0)
			in_vain++;
		else if (r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();	/* the kernel lets nobody sleep */
		look = slice.end != 0 && kn_slice_over(&slice) && s->owned;
	}
}

/* Who will not wait has looked everywhere all the same. */
static int
try_all(kin_sem *s, uint32_t stamp, uint32_t n)
{
	int r = s->owned ? kn_sem_recover(s) : 0;

	if (r < 0)
		return r;
	if (kn_load(&s->shared->free) & KN_SEM_LINE)
		tidy(s);
	r = take(s, stamp, n, false);
	return r == 0 ? late(s, n) : r;
}

static int __attribute__((noinline))
acquire_slow(kin_sem *s, uint32_t stamp, uint32_t n, kin_time deadline)
{
	uint32_t me;
	int r;

	if (deadline.ns <= 0)
		return try_all(s, stamp, n);
	me = kn_object_waits(&s->o);
	r = take_turn(s, deadline);
	if (r >= 0) {
		r = await(s, stamp, n, deadline);
		leave_turn(s);
	}
	kn_object_goes_on(&s->o, me);
	return r;
}

/* Nothing can be right about so many. */
static int __attribute__((noinline))
no_such_number(const kin_sem *s, uint32_t n)
{
	char name[96];

	return kn_fail(-EINVAL, "%s: %u permits; 1 to %u can be",
		       kn_object_name(&s->o, name), n, s->total);
}

/* This process's stamp; plain permits need it only where they wait. */
static inline int
joined(kin_sem *s)
{
	struct kn_registry *reg = &s->o.control->registry;

	return kn_likely(kn_registry_joined(reg))
	       ? (int)reg->party.stamp : kn_control_process(s->o.control);
}

static int __attribute__((noinline))
acquire(kin_sem *s, uint32_t n, kin_time deadline)
{
	int r, stamp = 0;

	if (kn_object_spoilt(&s->o))
		return kn_object_spoilt_before(&s->o);
	if (kn_unlikely(n == 0 || n > s->total))
		return no_such_number(s, n);
	if (s->owned) {
		stamp = joined(s);
		if (kn_unlikely(stamp < 0))
			return stamp;
	}
	r = take(s, (uint32_t)stamp, n, false);
	if (kn_unlikely(r == 0)) {
		stamp = joined(s);
		r = stamp < 0 ? stamp
			      : acquire_slow(s, (uint32_t)stamp, n, deadline);
	}
	if (kn_unlikely(r == -EUCLEAN))
		return spoilt_now(s);
	return r < 0 ? r : 0;
}

static inline uint32_t
quick(const kin_sem *s)
{
	return __atomic_load_n(&s->quick, __ATOMIC_RELAXED);
}

/* What most calls do is done here, without a call. */
int
kin_sem_acquire(kin_sem *s, uint32_t n, kin_time deadline)
{
	kn_assert(s != NULL);
	if (kn_likely(n - 1 < quick(s))) {
		uint32_t v = kn_load_relaxed(&s->shared->free);

		if (kn_sem_free(v) >= n && !(v & KN_SEM_LINE) &&
		    kn_cas_acquire(&s->shared->free, &v, v - n * KN_SEM_ONE))
			return 0;
	}
	return acquire(s, n, deadline);
}

/* ---- release ---- */

static int __attribute__((noinline))
not_held(const kin_sem *s, uint32_t n)
{
	char name[96];

	if (kn_self_generation() != s->made)
		return kn_fail(-ESTALE, "%s: this forked process does not hold "
			       "%u permits; what its parent has acquired is "
			       "its parent's", kn_object_name(&s->o, name), n);
	return kn_fail(-ERANGE, "%s: this process does not hold %u permits",
		       kn_object_name(&s->o, name), n);
}

static int
release_owned(kin_sem *s, uint32_t n)
{
	int stamp = joined(s);

	if (kn_unlikely(stamp < 0))
		return stamp;
	if (kn_unlikely(!kn_cell_begin_return(s, (uint32_t)stamp, n)))
		return not_held(s, n);
	kn_sem_give(s, n);
	kn_cell_end_return(s, (uint32_t)stamp, n);
	return 0;
}

/* The bound is kept by a word of its own, whose change nobody has to be woken
 * for.  Killed after it, the permits are gone as if they were never released. */
static int
release_plain(kin_sem *s, uint32_t n)
{
	uint32_t room;
	char name[96];

	if (!s->bounded) {
		if (kn_sem_free(kn_load_relaxed(&s->shared->free)) + n <=
		    s->total)
			goto give;
		return kn_fail(-ERANGE, "%s: %u permits more than %u",
			       kn_object_name(&s->o, name), n, s->total);
	}
	room = kn_load(&s->shared->room);
	do {
		if (room < n)
			return kn_fail(-ERANGE, "%s: %u permits released, %u "
				       "are taken", kn_object_name(&s->o, name),
				       n, room);
	} while (!kn_cas(&s->shared->room, &room, room - n));
give:
	kn_sem_give(s, n);
	return 0;
}

static int __attribute__((noinline))
release(kin_sem *s, uint32_t n)
{
	if (kn_object_spoilt(&s->o))
		return kn_object_spoilt_before(&s->o);
	if (kn_unlikely(n == 0 || n > s->total))
		return no_such_number(s, n);
	return s->owned ? release_owned(s, n) : release_plain(s, n);
}

int
kin_sem_release(kin_sem *s, uint32_t n)
{
	kn_assert(s != NULL);
	if (kn_likely(n - 1 < quick(s))) {
		uint32_t v = kn_load_relaxed(&s->shared->free);

		if (!(v & KN_SEM_ASLEEP) && kn_sem_free(v) + n <= s->total &&
		    kn_cas_release(&s->shared->free, &v, v + n * KN_SEM_ONE))
			return 0;
	}
	return release(s, n);
}

int64_t
kin_sem_count(kin_sem *s)
{
	int r;

	kn_assert(s != NULL);
	if (kn_object_spoilt(&s->o))
		return kn_object_spoilt_before(&s->o);
	if (s->owned) {
		r = joined(s);
		if (r >= 0)
			r = kn_sem_recover(s);
		if (r < 0)
			return r;
	}
	return kn_sem_free(kn_load(&s->shared->free));
}
