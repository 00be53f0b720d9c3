/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - the lock of threads of many processes
 */
#include <errno.h>

#include "lib/mutex.h"
#include "shm/deadlock.h"
#include "shm/error.h"
#include "shm/os.h"

#define PASSES		3u		/* before it is kept for the longest */

/* One who waits: from its first look to its end. */
struct waiter {
	struct kn_mutex *m;
	uint32_t me;
	struct kn_thread *record;
	kin_time deadline;
	int64_t began;
	struct kn_slice slice;
	struct kn_deadlock deadlock;
	uint32_t idle;			/* whose turn it was a slice ago */
	uint32_t idle_ticket;
};

static uint32_t
owner(uint32_t v)
{
	return kn_mutex_owner(v);
}

/* A hint of statistics: nobody else writes it. */
static void
count(kn_wide *w)
{
	kn_wide_store(w, kn_wide_load(w) + 1);
}

void
kn_mutex_init(struct kn_mutex *m, struct kn_mutex_shared *shared,
	      struct kn_control *control, uint64_t at, bool recursive)
{
	*m = (struct kn_mutex){
		.shared = shared,
		.control = control,
		.id = control->id,
		.at = at,
		.recursive = recursive,
	};
	kn_spin_init(&m->spin, 0);
}

/* ---- who waits ---- */

static struct kn_thread *
waiting(const struct kn_mutex *m, uint32_t stamp)
{
	struct kn_thread *t = kn_control_thread(m->control, stamp);

	return t != NULL && kn_wide_load(&t->waits) == m->at &&
	       kn_load(&t->wake) != KN_PASSED ? t : NULL;
}

static uint32_t
stamp_of(const struct kn_mutex *m, uint32_t i)
{
	uint64_t v = kn_wide_load(&m->control->threads->of[i].owner);

	return v & KN_SLOT_ACTIVE ? kn_thread_stamp((uint32_t)v, i,
						    m->control->bits) : 0;
}

/* Who has the oldest ticket; 0: nobody. */
static uint32_t
oldest(const struct kn_mutex *m)
{
	const struct kn_threads *threads = m->control->threads;
	uint32_t used = kn_load(&threads->used), i, best = 0, ticket = 0;

	if (used > m->control->nthreads)
		used = m->control->nthreads;
	for (i = 0; i < used; i++) {
		uint32_t stamp, drawn;

		if (kn_wide_load(&threads->of[i].waits) != m->at)
			continue;
		stamp = stamp_of(m, i);
		drawn = kn_load(&threads->of[i].ticket);
		if (stamp != 0 && waiting(m, stamp) != NULL &&
		    (best == 0 || (int32_t)(drawn - ticket) < 0)) {
			best = stamp;
			ticket = drawn;
		}
	}
	return best;
}

/* The same, if the last holder's word for it still holds. */
static uint32_t
longest(const struct kn_mutex *m)
{
	uint32_t next = kn_load(&m->shared->next);

	return next != 0 && waiting(m, next) != NULL ? next : oldest(m);
}

static void
wake(struct kn_thread *t)
{
	kn_store(&t->wake, KN_AWAKE);
	(void)kn_os_futex_wake(&t->wake, 1);
}

/*
 * The word was freed.  One who was about to sleep may have looked at it before:
 * then we see that it sleeps, or it sees the word.
 */
static void
freed(struct kn_thread *t)
{
	if (kn_load_ordered(&t->wake) == KN_ASLEEP)
		wake(t);
}

/* ---- releasing ---- */

/* With sleepers.  False: the word moved, look again. */
static bool
pass_on(struct kn_mutex *m, uint32_t me, uint32_t next)
{
	struct kn_mutex_shared *s = m->shared;
	bool kept = kn_load_relaxed(&s->passes) >= PASSES;
	uint32_t held = me | KN_MUTEX_WAITER;
	uint32_t to = kept ? KN_MUTEX_KEPT : KN_MUTEX_WAITER;
	struct kn_thread *t = waiting(m, next);

	if (t == NULL)
		return false;
	kn_store(&s->next, next);
	if (kn_load(&t->wake) != KN_ASLEEP) {
		if (!kn_cas(&s->word, &held, to))
			return false;
		freed(t);
		return true;
	}
	kn_store(&t->wake, KN_AWAKE);
	if (kn_os_futex_hand_wake(&s->word, kept ? 30 : 31, &t->wake, 1) < 0) {
		/* As in publish: without the call, in two steps. */
		kn_store(&s->word, to);
		(void)kn_os_futex_wake(&t->wake, 1);
	}
	freed(t);
	return true;
}

/* The waiter bit is set. */
static int
release_to(struct kn_mutex *m, uint32_t me)
{
	struct kn_mutex_shared *s = m->shared;
	int tries;

	/* It moves only by somebody who draws a ticket. */
	for (tries = 0; tries < 1000; tries++) {
		uint32_t tickets = kn_load(&s->tickets);
		uint32_t next;

		if (kn_load(&s->word) != (me | KN_MUTEX_WAITER))
			return -EUCLEAN;
		next = longest(m);
		if (next != 0) {
			if (pass_on(m, me, next))
				return 0;
			continue;
		}
		kn_store(&s->passes, 0);
		if (kn_wide_cas_release(&s->both,
			kn_wide_of(me | KN_MUTEX_WAITER, tickets),
			kn_wide_of(0, tickets)))
			return 0;
	}
	/* So many come and go that no look was good: anybody may have it. */
	kn_store(&s->word, KN_MUTEX_WAITER);
	return 0;
}

/* Not ours, says the word; but we know better if we have taken it. */
static int
not_mine(struct kn_mutex *m, uint32_t v, bool had)
{
	if (had)
		return -EUCLEAN;
	return owner(v) != 0 && kn_control_stale(m->control, owner(v))
	       ? -ESTALE : -EPERM;
}

int
kn_mutex_release_slow(struct kn_mutex *m)
{
	struct kn_mutex_shared *s = m->shared;
	uint32_t me, v, depth;
	int r;

	r = kn_control_me(m->control);
	if (r < 0)
		return r;
	me = (uint32_t)r;
	v = kn_load(&s->word);
	if (owner(v) != me)
		return not_mine(m, v, kn_mutex_noted(m) == me);
	depth = kn_load_relaxed(&s->depth);
	if (depth != 0) {
		if (!m->recursive)
			return -EUCLEAN;
		kn_store(&s->depth, depth - 1);
		return 0;
	}
	kn_mutex_note(m, 0);
	if (!(v & KN_MUTEX_WAITER) && kn_cas_release(&s->word, &v, 0))
		return 0;
	return release_to(m, me);
}

/* ---- taking ---- */

/* We have it: no more of a waiter. */
static int
taken(struct waiter *w, bool dead)
{
	struct kn_mutex_shared *s = w->m->shared;
	int64_t took;

	kn_mutex_note(w->m, w->me);
	if (dead) {
		kn_store(&s->inherited, 1);
		kn_store(&s->depth, 0);
		kn_store(&s->next, 0);
		kn_store(&s->passes, 0);
		count(&s->deaths);
	} else if (kn_load_relaxed(&s->next) == w->me) {
		kn_store(&s->next, 0);
		kn_store(&s->passes, 0);
	} else {
		kn_store(&s->passes, kn_load_relaxed(&s->passes) + 1);
	}
	if (w->record != NULL) {
		took = kin_now().ns - w->began;
		count(&s->waits);
		if (took > (int64_t)kn_wide_load(&s->longest_ns))
			kn_wide_store(&s->longest_ns, (uint64_t)took);
	}
	return kn_load_relaxed(&s->inherited) != 0;
}

/* May we have it, as it is free? */
static bool
may_take(const struct waiter *w, uint32_t v)
{
	uint32_t next;

	if (!(v & KN_MUTEX_KEPT))
		return true;
	next = kn_load(&w->m->shared->next);
	return next == w->me || waiting(w->m, next) == NULL;
}

/* 1: it is ours; 0: not.  Others may be waiting, if others were. */
static bool
take_free(struct waiter *w, uint32_t v)
{
	uint32_t waiters = v != 0 ? KN_MUTEX_WAITER : 0;

	return kn_cas_acquire(&w->m->shared->word, &v, w->me | waiters);
}

/*
 * It was free for a whole slice, and whose turn it was did not come: stopped,
 * or dead.  It is passed over until it looks again.
 */
static void
see_idle(struct waiter *w)
{
	uint32_t next = kn_load(&w->m->shared->next), ticket;
	struct kn_thread *t = waiting(w->m, next);
	uint32_t awake = KN_AWAKE;

	if (t == NULL || next == w->me)
		return;
	ticket = kn_load(&t->ticket);
	if (w->idle == next && w->idle_ticket == ticket) {
		(void)kn_cas(&t->wake, &awake, KN_PASSED);
		kn_control_bury(w->m->control, next);
	}
	w->idle = next;
	w->idle_ticket = ticket;
}

/*
 * At the end of a slice, or of the wait: is who keeps us from it dead, or in a
 * ring with us?  1: we have it; 0: go on.
 */
static int
look(struct waiter *w, uint32_t v, int *ret_taken)
{
	struct kn_control *control = w->m->control;
	int r;

	*ret_taken = 0;
	if (owner(v) == 0) {
		see_idle(w);
		return 0;
	}
	r = kn_control_dead(control, owner(v));
	if (r < 0)
		return r;
	if (r > 0) {
		if (kn_cas_acquire(&w->m->shared->word, &v,
				   w->me | KN_MUTEX_WAITER)) {
			kn_control_bury(control, owner(v));
			*ret_taken = 1;
		}
		return 0;
	}
	if (w->record != NULL &&
	    kn_deadlock_look(&w->deadlock, kn_deadlock_shown(control,
							     owner(v))))
		return -EDEADLK;
	return 0;
}

/*
 * The count moves on after the record says that we wait: a releaser that has
 * read it since sees us, and one that has read it before fails in its swap.
 * So two may have one number; they came at one time.
 */
static int
announce(struct waiter *w)
{
	struct kn_thread *t = kn_control_thread(w->m->control, w->me);
	kn_word *tickets = &w->m->shared->tickets;

	if (t == NULL)		/* without one, nobody could ever wake us */
		return -EUCLEAN;
	w->record = t;
	kn_store(&t->wake, KN_AWAKE);
	kn_store(&t->ticket, kn_load(tickets));
	kn_wide_store(&t->since, (uint64_t)w->began);
	kn_wide_store(&t->waits, w->m->at);
	kn_add(tickets, 1);
	return 0;
}

/* Should it have been our turn: then it is another's. */
static void
withdraw(struct waiter *w, bool took)
{
	struct kn_thread *t;

	kn_deadlock_end(&w->deadlock);
	if (w->record == NULL)
		return;
	__atomic_store_n(&w->record->waits.v, 0, __ATOMIC_SEQ_CST);
	if (took || owner(kn_load_ordered(&w->m->shared->word)) != 0)
		return;
	t = waiting(w->m, oldest(w->m));
	if (t != NULL)
		wake(t);
}

/* True: it may be ours.  As in kn_wait_move, less and less in vain. */
static bool
spin(struct waiter *w)
{
	struct kn_spin *s = &w->m->spin;
	int64_t most = __atomic_load_n(&s->most_ns, __ATOMIC_RELAXED);
	int64_t next = __atomic_load_n(&s->next_ns, __ATOMIC_RELAXED);
	int64_t end;
	bool found = false;
	int i;

	if (most == 0)
		return false;
	if (__atomic_add_fetch(&s->tries, 1, __ATOMIC_RELAXED) % 8 == 0)
		next = most;
	end = kin_now().ns + next;
	if (end > w->deadline.ns)
		end = w->deadline.ns;
	do {
		for (i = 0; i < 16 && !found; i++) {
			uint32_t v = kn_load(&w->m->shared->word);

			found = owner(v) == 0 && may_take(w, v);
			if (!found)
				kn_pause();
		}
	} while (!found && kin_now().ns < end);
	next = found ? most : next / 2 < most / 16 ? most / 16 : next / 2;
	__atomic_store_n(&s->next_ns, next, __ATOMIC_RELAXED);
	return found;
}

/* The word says that somebody waits, and still does when we say we sleep. */
static void
sleep_on(struct waiter *w, uint32_t v)
{
	struct kn_thread *t = w->record;
	int r;

	kn_store_ordered(&t->wake, KN_ASLEEP);
	if (kn_load_ordered(&w->m->shared->word) == v) {
		r = kn_os_futex_wait(&t->wake, KN_ASLEEP,
				     kn_slice_until(&w->slice, w->deadline));
		if (r < 0 && r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();	/* the kernel lets nobody sleep */
	}
	kn_store_ordered(&t->wake, KN_AWAKE);
}

/* 1: it may be ours now, or the word has moved; 0: it is to be slept on. */
static bool
mark(struct waiter *w, uint32_t *v)
{
	if (*v & (KN_MUTEX_WAITER | KN_MUTEX_KEPT))
		return false;
	if (!kn_cas(&w->m->shared->word, v, *v | KN_MUTEX_WAITER))
		return true;
	*v |= KN_MUTEX_WAITER;
	return false;
}

/* One look; 1: taken, 2: taken from the dead, 0: go on. */
static int
try(struct waiter *w, uint32_t v, bool slice_over)
{
	int took = 0, r;

	if (slice_over) {
		r = look(w, v, &took);
		if (r < 0 || took)
			return r < 0 ? r : 2;
	}
	if (owner(v) == 0 && may_take(w, v) && take_free(w, v))
		return 1;
	return 0;
}

static int
wait(struct waiter *w)
{
	bool spun = false, over = false, last;
	uint32_t v;
	int r;

	for (;;) {
		v = kn_load(&w->m->shared->word);
		last = kin_now().ns >= w->deadline.ns;
		r = try(w, v, over || last);
		if (r != 0)
			return r;
		if (last)
			return -ETIMEDOUT;
		if (w->record == NULL) {
			r = announce(w);
			if (r < 0)
				return r;
			continue;
		}
		if (over)
			kn_wide_store(&w->record->waits, w->m->at);
		if (kn_load(&w->record->wake) == KN_PASSED)
			kn_store(&w->record->wake, KN_AWAKE);
		over = false;
		if ((owner(v) == 0 && may_take(w, v)) || mark(w, &v))
			continue;
		if (!spun) {
			spun = !spin(w);
			continue;
		}
		sleep_on(w, v);
		over = kn_slice_over(&w->slice);
		spun = false;
	}
}

static int
again(struct kn_mutex *m)
{
	struct kn_mutex_shared *s = m->shared;
	uint32_t depth = kn_load_relaxed(&s->depth);

	if (!m->recursive)
		return -EDEADLK;
	if (depth == UINT32_MAX)
		return -EUCLEAN;
	kn_store(&s->depth, depth + 1);
	return kn_load_relaxed(&s->inherited) != 0;
}

int
kn_mutex_take_slow(struct kn_mutex *m, kin_time deadline)
{
	struct waiter w = { .m = m, .deadline = deadline };
	uint32_t v = 0;
	int r;

	r = kn_control_me(m->control);
	if (r < 0)
		return r;
	w.me = (uint32_t)r;
	if (kn_cas_acquire(&m->shared->word, &v, w.me)) {
		kn_mutex_note(m, w.me);
		return kn_load_relaxed(&m->shared->inherited) != 0;
	}
	if (owner(v) == w.me)
		return again(m);
	w.began = kin_now().ns;
	w.slice = kn_slice_first();
	r = wait(&w);
	if (r > 0)
		r = taken(&w, r == 2);
	withdraw(&w, r >= 0);
	return r;
}

/* ---- for those who build on it ---- */

int
kn_mutex_check(struct kn_mutex *m)
{
	uint32_t v = kn_load_relaxed(&m->shared->word);
	int me = kn_control_me(m->control);

	if (me < 0 || owner(v) == (uint32_t)me)
		return me < 0 ? me : 0;
	return not_mine(m, v, kn_mutex_noted(m) == (uint32_t)me);
}

int
kn_mutex_release_all(struct kn_mutex *m, uint32_t *ret_depth)
{
	*ret_depth = kn_load_relaxed(&m->shared->depth);
	kn_store(&m->shared->depth, 0);
	return kn_mutex_release(m);
}

void
kn_mutex_deepen(struct kn_mutex *m, uint32_t depth)
{
	kn_store(&m->shared->depth, depth);
}

void
kn_mutex_stat(const struct kn_mutex *m, struct kin_lock_stats *ret)
{
	const struct kn_mutex_shared *s = m->shared;
	struct kn_thread *t;

	*ret = (struct kin_lock_stats){
		.inherited = kn_load(&s->inherited) != 0,
		.waits = kn_wide_load(&s->waits),
		.longest_ns = (int64_t)kn_wide_load(&s->longest_ns),
		.deaths = kn_wide_load(&s->deaths),
		.waiters = kn_control_count(m->control, m->at),
	};
	t = kn_control_thread(m->control, owner(kn_load(&s->word)));
	if (t == NULL)
		return;
	ret->thread = (pid_t)(uint32_t)kn_wide_load(&t->tid);
	ret->pid = kn_control_pid(m->control, t);
}
