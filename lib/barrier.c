/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - kin_barrier: seats, and one word that says how far it is
 *
 * A party takes the first seat that nobody has in this generation, by one
 * compare-and-swap; seats of earlier ones are free, so nobody has to get up.
 * Seats fill in order, so who takes the last one knows that all are there, and
 * moves the phase under the latch, which wakes all in the same step: before
 * it, the death of a seated party breaks the barrier; after it, nobody needs
 * them any more.  While it is awaited, each looks at some of its neighbours
 * after each slice.
 */
#include <errno.h>

#include "lib/barrier.h"
#include "shm/os.h"

#define NEIGHBOURS	4u		/* looked at after a slice */

/* What take_seat comes back with, beside errors. */
#define SEATED		0
#define LAST		1		/* of all */
#define FULL		2		/* no seat before the next generation */
#define AGAIN		3		/* it has begun already */

/* One call of wait. */
struct party {
	kin_barrier *b;
	kin_time deadline;
	uint32_t stamp;			/* the process's */
	uint32_t generation;
	uint32_t seat;
	bool seated;
	struct kn_slice slice;
};

/* ---- the latch ---- */

/* The latch, or: -ETIMEDOUT, and the sentence is there. */
static int
enter(kin_barrier *b, kin_time deadline)
{
	char name[96];
	int r = kn_latch_take(&b->shared->latch,
			      &b->o.control->registry.party, deadline);

	if (r == -EBUSY)
		return kn_fail(-ETIMEDOUT, "%s: another process, at work or "
			       "stopped in it, was in the way until the "
			       "deadline", kn_object_name(&b->o, name));
	if (r == -EDEADLK)
		return kn_fail(r, "%s: called from a signal handler that "
			       "interrupted a call",
			       kn_object_name(&b->o, name));
	return r == -EUCLEAN ? kn_object_spoilt_now(&b->o) : r;
}

static void
leave(kin_barrier *b)
{
	kn_latch_release(&b->shared->latch, &b->o.control->registry.party);
}

/* ---- the seats ---- */

/* Is its owner dead?  1, 0, or an error with its sentence. */
static int
seat_dead(const struct party *p, uint32_t owner)
{
	if (owner == 0 || owner == p->stamp)
		return 0;
	return kn_control_dead(p->b->o.control, owner);
}

/*
 * All but the last are seated: are they there?  0, or the state that it has
 * to be broken to; or an error.
 */
static int
look_at_all(const struct party *p)
{
	const struct kn_barrier_shared *shared = p->b->shared;
	uint32_t i, before = 0;

	for (i = 0; i + 1 < p->b->parties; i++) {
		uint32_t owner = kn_seat_of(kn_wide_load(&shared->seats[i]),
					    p->generation);
		int r;

		if (owner & KN_SEAT_LEFT)
			return KN_BARRIER_BROKEN;
		if (owner == before)	/* one process has many, mostly */
			continue;
		r = seat_dead(p, owner);
		if (r != 0)
			return r < 0 ? r : KN_BARRIER_DEAD;
		before = owner;
	}
	return 0;
}

/* A waiter's look: all seats for who has left, some for who has died. */
static int
look_around(const struct party *p, uint32_t from)
{
	const struct kn_barrier_shared *shared = p->b->shared;
	uint32_t i, asked = 0;

	for (i = 0; i < p->b->parties; i++) {
		uint32_t at = (from + i) % p->b->parties;
		uint32_t owner = kn_seat_of(kn_wide_load(&shared->seats[at]),
					    p->generation);
		int r;

		if (owner & KN_SEAT_LEFT)
			return KN_BARRIER_BROKEN;
		if (owner == 0 || owner == p->stamp || asked == NEIGHBOURS)
			continue;
		asked++;
		r = seat_dead(p, owner);
		if (r != 0)
			return r < 0 ? r : KN_BARRIER_DEAD;
	}
	return 0;
}

static uint32_t
seats_taken(const kin_barrier *b, uint32_t generation)
{
	uint32_t i, n = 0;

	for (i = 0; i < b->parties; i++)
		n += kn_seat_of(kn_wide_load(&b->shared->seats[i]),
				generation) != 0;
	return n;
}

/* We go without having been able to break it: others will see. */
static void
mark_left(const struct party *p)
{
	uint64_t seat = kn_wide_of(p->stamp, p->generation);

	(void)kn_wide_cas(&p->b->shared->seats[p->seat], &seat,
			  kn_wide_of(p->stamp | KN_SEAT_LEFT, p->generation));
}

/* Who only tried to be the last was not there. */
static void
get_up(const struct party *p)
{
	uint64_t seat = kn_wide_of(p->stamp, p->generation);

	(void)kn_wide_cas(&p->b->shared->seats[p->seat], &seat,
			  kn_wide_of(0, p->generation));
}

static int
timed_out(const kin_barrier *b)
{
	char name[96];

	return kn_fail(-ETIMEDOUT, "%s: not all %u parties were there at the "
		       "deadline", kn_object_name(&b->o, name), b->parties);
}

/*
 * Who will not wait takes no seat but the last.  A seat of a later generation
 * must not be taken for a free one: then ours is over.
 */
static int
take_seat(struct party *p)
{
	struct kn_barrier_shared *shared = p->b->shared;
	uint64_t mine = kn_wide_of(p->stamp, p->generation);
	uint32_t i;

	for (i = 0; i < p->b->parties; i++) {
		uint64_t v = kn_wide_load(&shared->seats[i]);

		while (kn_seat_of(v, p->generation) == 0) {
			bool last = i + 1 == p->b->parties;

			if (kn_generation_later(p->generation,
						(uint32_t)(v >> 32)))
				return AGAIN;
			if (!last && p->deadline.ns <= 0)
				return timed_out(p->b);
			if (!kn_wide_cas(&shared->seats[i], &v, mine))
				continue;
			p->seat = i;
			p->seated = true;
			return last ? LAST : SEATED;
		}
	}
	return FULL;
}

/* ---- waiting ---- */

/* Is the generation over, or broken? */
static bool
is_over(const struct party *p, uint32_t v)
{
	return kn_phase_generation(v) != p->generation ||
	       kn_phase_state(v) >= KN_BARRIER_BROKEN;
}

/*
 * Break it, if it is still the same round; what became of the round.  0 as
 * well if somebody is in the way: then another time.
 */
static int
break_round(const struct party *p, uint32_t state)
{
	struct kn_barrier_shared *shared = p->b->shared;
	struct kn_sentence sentence;
	bool mine;
	int r;

	kn_sentence_save(&sentence);
	r = enter(p->b, KIN_NOWAIT);
	if (r == -ETIMEDOUT) {
		kn_sentence_restore(&sentence);
		return 0;
	}
	if (r < 0)
		return r;
	mine = !is_over(p, kn_load(&shared->phase));
	if (mine)
		kn_barrier_move(&shared->phase, kn_phase_of(p->generation, state));
	leave(p->b);
	return mine ? kn_barrier_broken_by(p->b, state) : kn_barrier_outcome(p->b, p->generation);
}

/* The deadline has come: who is seated takes the others along. */
static int
give_up(const struct party *p)
{
	struct kn_barrier_shared *shared = p->b->shared;
	bool over;
	int r;

	if (!p->seated)
		return timed_out(p->b);
	r = enter(p->b, KIN_NOWAIT);
	if (r < 0) {
		mark_left(p);
		over = is_over(p, kn_load(&shared->phase));
	} else {
		over = is_over(p, kn_load(&shared->phase));
		if (!over)
			kn_barrier_move(&shared->phase,
			     kn_phase_of(p->generation, KN_BARRIER_BROKEN));
		leave(p->b);
	}
	return over ? kn_barrier_outcome(p->b, p->generation) : timed_out(p->b);
}

static bool
there(const void *arg, uint32_t v)
{
	return is_over(arg, v);
}

/* What came of the round, for who was in it. */
static int
ended(const struct party *p)
{
	return p->seated ? kn_barrier_outcome(p->b, p->generation) : 0;
}

/* Until the round is over; who has no seat may have got one by a slice's end. */
static int
sleep_through(struct party *p)
{
	kn_word *phase = &p->b->shared->phase;
	uint32_t from = p->seated ? p->seat + 1 : 0;
	int r;

	for (;;) {
		uint32_t v = kn_load(phase);

		if (is_over(p, v))
			return ended(p);
		if (kin_now().ns >= p->deadline.ns)
			return give_up(p);
		if (!(v & KN_PHASE_ASLEEP) &&
		    !kn_cas(phase, &v, v | KN_PHASE_ASLEEP))
			continue;
		r = kn_os_futex_wait(phase, v | KN_PHASE_ASLEEP,
				     kn_slice_until(&p->slice, p->deadline));
		if (r < 0 && r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();	/* the kernel lets nobody sleep */
		if (!kn_slice_over(&p->slice))
			continue;
		r = look_around(p, from);
		from += NEIGHBOURS;
		if (r > 0)
			r = break_round(p, (uint32_t)r);
		if (r < 0 || !p->seated)
			return r;
	}
}

static int
await(struct party *p)
{
	uint32_t me;
	int r;

	if (p->deadline.ns > 0 &&
	    kn_spin_for(&p->b->spin, &p->b->shared->phase, there, p,
			p->deadline))
		return ended(p);
	me = kn_object_waits(&p->b->o);
	r = sleep_through(p);
	kn_object_goes_on(&p->b->o, me);
	return r;
}

/* The others are let go, or told that there will be nothing. */
static int
act(const struct party *p, kin_barrier_fn *action, void *user)
{
	struct kn_barrier_shared *shared = p->b->shared;
	uint32_t generation = kn_self_generation();
	char name[96];
	bool over;
	int r = action(user), q;

	if (kn_self_generation() != generation)
		return kn_fail(-ESTALE, "%s: this process was forked inside of "
			       "the action", kn_object_name(&p->b->o, name));
	q = enter(p->b, p->deadline);
	if (q < 0) {
		mark_left(p);
		return q;
	}
	over = is_over(p, kn_load(&shared->phase));
	if (!over && r >= 0)
		kn_barrier_end_well(shared, p->generation);
	else if (!over)
		kn_barrier_move(&shared->phase,
		     kn_phase_of(p->generation, KN_BARRIER_BROKEN));
	leave(p->b);
	if (r < 0)
		return r;
	return over ? kn_barrier_outcome(p->b, p->generation) : 0;
}

/* In the latch: nobody is missing.  1: the action is to be run. */
static int
end_round(const struct party *p, bool acts)
{
	struct kn_barrier_shared *shared = p->b->shared;
	int r;

	if (is_over(p, kn_load(&shared->phase)))
		return kn_barrier_outcome(p->b, p->generation);
	r = look_at_all(p);
	if (r < 0)
		return r;
	if (r > 0) {
		kn_barrier_move(&shared->phase,
				kn_phase_of(p->generation, (uint32_t)r));
		return kn_barrier_broken_by(p->b, (uint32_t)r);
	}
	if (acts)
		kn_barrier_begin_action(&shared->phase);
	else
		kn_barrier_end_well(shared, p->generation);
	return acts;
}

static int
come_last(struct party *p, kin_barrier_fn *action, void *user)
{
	int r = enter(p->b, p->deadline);

	if (r < 0) {
		if (p->deadline.ns <= 0)
			get_up(p);
		else
			mark_left(p);
		return r;
	}
	r = end_round(p, action != NULL);
	leave(p->b);
	return r == 1 ? act(p, action, user) : r;
}

static int
wait_with(struct party *p, kin_barrier_fn *action, void *user)
{
	int r;

	for (;;) {
		uint32_t v = kn_load(&p->b->shared->phase);

		p->generation = kn_phase_generation(v);
		if (kn_phase_state(v) >= KN_BARRIER_BROKEN)
			return kn_barrier_broken_by(p->b, kn_phase_state(v));
		r = take_seat(p);
		if (r == LAST)
			r = come_last(p, action, user);
		else if (r == SEATED || r == FULL)
			r = await(p);
		if (r < 0 || p->seated)
			return r < 0 ? r : (int)p->seat;
		if (kin_now().ns >= p->deadline.ns)
			return timed_out(p->b);
	}
}

int
kin_barrier_wait_with(kin_barrier *b, kin_barrier_fn *action, void *user,
		      kin_time deadline)
{
	struct party p = {
		.b = b, .deadline = deadline, .slice = kn_slice_first(),
	};
	int r;

	kn_assert(b != NULL);
	if (kn_object_spoilt(&b->o))
		return kn_object_spoilt_before(&b->o);
	r = kn_control_process(b->o.control);
	if (r < 0)
		return r;
	p.stamp = (uint32_t)r;
	r = wait_with(&p, action, user);
	return r == -EUCLEAN ? kn_object_spoilt_now(&b->o) : r;
}

int
kin_barrier_wait(kin_barrier *b, kin_time deadline)
{
	return kin_barrier_wait_with(b, NULL, NULL, deadline);
}

/* ---- abort, reset, and what there is to know ---- */

static int
begin(kin_barrier *b, kin_time deadline)
{
	int r;

	kn_assert(b != NULL);
	if (kn_object_spoilt(&b->o))
		return kn_object_spoilt_before(&b->o);
	r = kn_control_process(b->o.control);
	if (r >= 0)
		r = enter(b, deadline);
	return r < 0 ? r : 0;
}

int
kin_barrier_abort(kin_barrier *b, kin_time deadline)
{
	uint32_t v;
	int r = begin(b, deadline);

	if (r < 0)
		return r;
	v = kn_load(&b->shared->phase);
	if (kn_phase_state(v) < KN_BARRIER_BROKEN)
		kn_barrier_move(&b->shared->phase, kn_phase_of(kn_phase_generation(v),
						 KN_BARRIER_BROKEN));
	leave(b);
	return 0;
}

int
kin_barrier_reset(kin_barrier *b, kin_time deadline)
{
	uint32_t v;
	int r = begin(b, deadline);

	if (r < 0)
		return r;
	v = kn_load(&b->shared->phase);
	kn_barrier_end_ill(b->shared, kn_phase_generation(v),
		kn_phase_state(v) == KN_BARRIER_DEAD);
	leave(b);
	return 0;
}

uint32_t
kin_barrier_parties(const kin_barrier *b)
{
	kn_assert(b != NULL);
	return b->parties;
}

uint32_t
kin_barrier_waiting(const kin_barrier *b)
{
	uint32_t v;

	kn_assert(b != NULL);
	v = kn_load(&b->shared->phase);
	return kn_phase_state(v) < KN_BARRIER_BROKEN
	       ? seats_taken(b, kn_phase_generation(v)) : 0;
}

int
kin_barrier_broken(const kin_barrier *b)
{
	kn_assert(b != NULL);
	return kn_phase_state(kn_load(&b->shared->phase)) >= KN_BARRIER_BROKEN;
}
