/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - kin_barrier: seats, and one word that says how far it is
 *
 * A party takes the first seat that nobody has in this generation, under the
 * latch; seats of earlier ones are free, so nobody has to get up.  Who takes
 * the last one moves the phase, which wakes all in the same step: before it,
 * the death of a seated party breaks the barrier; after it, nobody needs them
 * any more.  While it is awaited, each looks at some of its neighbours after
 * each slice.
 */
#include <errno.h>

#include "lib/barrier.h"
#include "shm/os.h"

#define NEIGHBOURS	4u		/* looked at after a slice */

/* What arrive comes back with, beside errors. */
#define SEATED		0
#define LAST		1		/* and all are let go */
#define ACT		2		/* last, and the action is to be run */
#define AWAIT		3		/* no seat before the next generation */

/* One call of wait. */
struct party {
	kin_barrier *b;
	kin_time deadline;
	uint32_t stamp;			/* the process's */
	uint32_t generation;
	uint32_t seat;
	bool seated;
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

/* Seats are taken in order. */
static uint32_t
first_free(const kin_barrier *b, uint32_t generation)
{
	uint32_t i = 0;

	while (i < b->parties &&
	       kn_seat_of(kn_wide_load(&b->shared->seats[i]), generation) != 0)
		i++;
	return i;
}

static void
sit_down(struct party *p)
{
	kn_wide_store(&p->b->shared->seats[p->seat],
		      kn_wide_of(p->stamp, p->generation));
	p->seated = true;
}

/* We go without having been able to break it: others will see. */
static void
mark_left(const struct party *p)
{
	uint64_t seat = kn_wide_of(p->stamp, p->generation);

	(void)kn_wide_cas(&p->b->shared->seats[p->seat], &seat,
			  kn_wide_of(p->stamp | KN_SEAT_LEFT, p->generation));
}

static int
timed_out(const kin_barrier *b)
{
	char name[96];

	return kn_fail(-ETIMEDOUT, "%s: not all %u parties were there at the "
		       "deadline", kn_object_name(&b->o, name), b->parties);
}

/* Under the latch. */
static int
arrive(struct party *p, bool acts)
{
	struct kn_barrier_shared *shared = p->b->shared;
	uint32_t v = kn_load(&shared->phase), state = kn_phase_state(v);
	int r;

	p->generation = kn_phase_generation(v);
	if (state == KN_BARRIER_BROKEN || state == KN_BARRIER_DEAD)
		return kn_barrier_broken_by(p->b, state);
	p->seat = first_free(p->b, p->generation);
	if (state == KN_BARRIER_ACTING || p->seat == p->b->parties)
		return AWAIT;
	if (p->seat + 1 < p->b->parties) {
		if (p->deadline.ns <= 0)
			return timed_out(p->b);
		sit_down(p);
		return SEATED;
	}
	r = look_at_all(p);
	if (r < 0)
		return r;
	if (r > 0) {
		kn_barrier_move(&shared->phase, kn_phase_of(p->generation, (uint32_t)r));
		return kn_barrier_broken_by(p->b, (uint32_t)r);
	}
	sit_down(p);
	if (acts) {
		kn_barrier_begin_action(&shared->phase);
		return ACT;
	}
	kn_barrier_end_well(shared, p->generation);
	return LAST;
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
spin(const struct party *p)
{
	int i;

	for (i = 0; i < p->b->o.control->registry.party.spins; i++) {
		if (is_over(p, kn_load(&p->b->shared->phase)))
			return true;
		kn_pause();
	}
	return false;
}

/* What came of the round, for who was in it. */
static int
ended(const struct party *p)
{
	return p->seated ? kn_barrier_outcome(p->b, p->generation) : 0;
}

/* Until the round is over. */
static int
await(const struct party *p)
{
	kn_word *phase = &p->b->shared->phase;
	struct kn_slice slice = kn_slice_first();
	uint32_t from = p->seat + 1;
	int r;

	if (spin(p))
		return ended(p);
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
				     kn_slice_until(&slice, p->deadline));
		if (r < 0 && r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();	/* the kernel lets nobody sleep */
		if (!kn_slice_over(&slice))
			continue;
		r = look_around(p, from);
		from += NEIGHBOURS;
		if (r > 0)
			r = break_round(p, (uint32_t)r);
		if (r < 0)
			return r;
	}
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

static int
wait_with(struct party *p, kin_barrier_fn *action, void *user)
{
	int r;

	for (;;) {
		r = enter(p->b, p->deadline);
		if (r < 0)
			return r;
		r = arrive(p, action != NULL);
		leave(p->b);
		if (r == ACT)
			r = act(p, action, user);
		else if (r == SEATED || r == AWAIT)
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
	struct party p = { .b = b, .deadline = deadline };
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
