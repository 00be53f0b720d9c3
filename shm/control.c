/* SPDX-License-Identifier: MIT */
/*
 * control.c - who takes part in the objects of a segment: processes, threads
 *
 * What a thread has taken is known in private memory twice: from the thread,
 * so that its end can give it back, and from the control part, so that closing
 * can.  All of that is under the process's own mutex.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/control.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/peer.h"

#define THREADS_EACH	4u		/* for each member */
#define THREADS_LEAST	16u

struct kn_mine {
	struct kn_control *control;	/* NULL: closed */
	struct kn_mine *next;		/* of this control */
	struct kn_mine *also;		/* of this thread */
	uint32_t fork;			/* generation of the process */
	uint32_t stamp;
};

#define CACHE	16u			/* control parts, by id */

__thread struct kn_me kn_me_last;
static __thread struct kn_me cache[CACHE]
    __attribute__((tls_model("initial-exec")));
static __thread struct kn_mine *my_own
    __attribute__((tls_model("initial-exec")));
static pthread_key_t ends;		/* its destructor tells of an end */
static int ends_error = -EAGAIN;
static uint64_t ids;			/* given so far */

uint32_t
kn_control_threads(uint32_t members, uint32_t threads)
{
	if (members == 0 || threads != 0)
		return threads;
	if (members * THREADS_EACH < THREADS_LEAST)
		return THREADS_LEAST;
	return members * THREADS_EACH < KN_THREADS_MAX
	       ? members * THREADS_EACH : KN_THREADS_MAX;
}

/* ---- records ---- */

static uint32_t
state_of(uint64_t owner)
{
	return (uint32_t)owner;
}

static uint32_t
process_of(uint64_t owner)
{
	return (uint32_t)(owner >> 32);
}

static uint64_t
freed(uint64_t owner)
{
	return ((state_of(owner) >> 1) + 1) << 1 & 0xffffffffu;
}

static bool
change(struct kn_thread *t, uint64_t owner, uint64_t to)
{
	return __atomic_compare_exchange_n(&t->owner.v, &owner, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void
claimed(struct kn_control *control, uint32_t i, uint64_t owner)
{
	struct kn_thread *t = &control->threads->of[i];
	kn_word *used = &control->threads->used;
	uint32_t v = kn_load(used);

	kn_wide_store(&t->waits, 0);
	kn_wide_store(&t->notice, 0);
	kn_wide_store(&t->label, 0);
	kn_wide_store(&t->start, kn_peer_thread_start());
	kn_wide_store(&t->tid, (uint32_t)gettid() |
		      (uint64_t)(state_of(owner) >> 1) << 32);
	while (v <= i && !kn_cas(used, &v, i + 1))
		;
}

/*
 * The stamp; 0: none is free.  A notice that a dead thread has got is for
 * others to find: such records come last.
 */
static uint32_t
claim(struct kn_control *control, bool noticed)
{
	uint64_t process = (uint64_t)control->registry.party.stamp << 32;
	uint32_t i;

	for (i = 0; i < control->nthreads; i++) {
		struct kn_thread *t = &control->threads->of[i];
		uint64_t owner = kn_wide_load(&t->owner), mine;

		if ((state_of(owner) & KN_SLOT_ACTIVE) ||
		    (!noticed && (kn_wide_load(&t->notice) & KN_NOTICED)))
			continue;
		mine = process | state_of(owner) | KN_SLOT_ACTIVE;
		if (!change(t, owner, mine))
			continue;
		claimed(control, i, mine);
		return kn_thread_stamp(state_of(mine), i, control->bits);
	}
	return 0;
}

static void
give_back(const struct kn_control *control, uint32_t stamp)
{
	struct kn_thread *t = kn_control_thread(control, stamp);
	uint64_t owner;

	if (t == NULL)
		return;
	owner = kn_wide_load(&t->owner);
	kn_wide_store(&t->waits, 0);
	kn_wide_store(&t->label, 0);
	(void)change(t, owner, freed(owner));
}

struct kn_thread *
kn_control_thread(const struct kn_control *control, uint32_t stamp)
{
	uint32_t i = kn_stamp_record(stamp, control->bits);
	uint64_t owner;

	if (!kn_stamp_is_thread(stamp) || i >= control->nthreads)
		return NULL;
	owner = kn_wide_load(&control->threads->of[i].owner);
	return (state_of(owner) & KN_SLOT_ACTIVE) &&
	       kn_thread_stamp(state_of(owner), i, control->bits) == stamp
	       ? &control->threads->of[i] : NULL;
}

/* For whoever reaps the dead process of that stamp. */
static void
repair(void *arg, uint32_t stamp)
{
	struct kn_control *control = arg;
	uint32_t i;

	for (i = 0; i < control->nthreads; i++) {
		struct kn_thread *t = &control->threads->of[i];
		uint64_t owner = kn_wide_load(&t->owner);

		if ((state_of(owner) & KN_SLOT_ACTIVE) &&
		    process_of(owner) == stamp)
			(void)change(t, owner, freed(owner));
	}
}

/* ---- who is dead ---- */

/* Of a live process: does the kernel know no such thread any more? */
static bool
thread_gone(const struct kn_control *control, const struct kn_thread *t,
	    uint64_t owner)
{
	uint64_t tid = kn_wide_load(&t->tid), start = kn_wide_load(&t->start);
	uint32_t slot = kn_stamp_slot(process_of(owner));
	const struct kn_slot *s = &control->registry.roster->slots[slot];
	struct kn_peer peer = { 0 };

	if (tid >> 32 != state_of(owner) >> 1 ||
	    slot >= control->registry.slots)
		return false;
	peer.pid = kn_load(&s->pid);
	peer.start = kn_wide_load(&s->start);
	peer.pid_namespace = kn_wide_load(&s->pid_namespace);
	return kn_peer_thread_gone(&peer, (uint32_t)tid, start) &&
	       kn_wide_load(&t->owner) == owner;
}

static int
record_dead(struct kn_control *control, const struct kn_thread *t,
	    uint64_t owner)
{
	struct kn_party *party = &control->registry.party;
	int r = party->dead(party, process_of(owner));

	if (r == 0)
		r = thread_gone(control, t, owner);
	/* A scribbled record: or it has changed hands while we looked. */
	return r == -EUCLEAN && kn_wide_load(&t->owner) != owner ? 1 : r;
}

static int
ask(struct kn_control *control, uint32_t stamp)
{
	struct kn_party *party = &control->registry.party;
	struct kn_thread *t;

	if (!kn_stamp_is_thread(stamp))
		return party->dead(party, stamp);
	if (kn_stamp_record(stamp, control->bits) >= control->nthreads)
		return -EUCLEAN;
	t = kn_control_thread(control, stamp);
	return t == NULL ? 1 : record_dead(control, t,
					   kn_wide_load(&t->owner));
}

int
kn_control_dead(struct kn_control *control, uint32_t stamp)
{
	int r = ask(control, stamp);

	if (r == -EUCLEAN)
		return kn_fail(r, "segment '%s': a word holds %#x, which is "
			       "nobody", control->seg->label, stamp);
	if (r == -EBADF)
		return kn_fail(r, "segment '%s': its descriptor was closed, "
			       "and with it the way to learn of deaths",
			       control->seg->label);
	return r;
}

void
kn_control_bury(struct kn_control *control, uint32_t stamp)
{
	struct kn_thread *t = kn_control_thread(control, stamp);
	uint64_t owner;

	if (t == NULL)
		return;
	owner = kn_wide_load(&t->owner);
	if (record_dead(control, t, owner) == 1)
		(void)change(t, owner, freed(owner));
}

/* Free the records of threads that ended without a word. */
static void
sweep(struct kn_control *control)
{
	uint32_t i;

	for (i = 0; i < control->nthreads; i++) {
		struct kn_thread *t = &control->threads->of[i];
		uint64_t owner = kn_wide_load(&t->owner);

		if ((state_of(owner) & KN_SLOT_ACTIVE) &&
		    record_dead(control, t, owner) == 1)
			(void)change(t, owner, freed(owner));
	}
}

uint32_t
kn_control_count(const struct kn_control *control, uint64_t at)
{
	uint32_t i, n = 0;

	for (i = 0; i < control->nthreads; i++) {
		const struct kn_thread *t = &control->threads->of[i];

		n += (state_of(kn_wide_load(&t->owner)) & KN_SLOT_ACTIVE) &&
		     kn_wide_load(&t->waits) == at;
	}
	return n;
}

pid_t
kn_control_pid(const struct kn_control *control, const struct kn_thread *t)
{
	uint32_t slot = kn_stamp_slot(process_of(kn_wide_load(&t->owner)));

	return slot < control->registry.slots
	       ? (pid_t)kn_load(&control->registry.roster->slots[slot].pid) : 0;
}

/* ---- this process's threads ---- */

static void
unlink_from_control(struct kn_mine *mine)
{
	struct kn_mine **p = &mine->control->mine;

	while (*p != mine)
		p = &(*p)->next;
	*p = mine->next;
	mine->control = NULL;
}

/*
 * Of a thread that has ended.  What it took in the process that this one was
 * forked from is not ours to give back; only to forget.
 */
static void
thread_ends(void *arg)
{
	uint32_t now = kn_self_generation();
	struct kn_mine *mine;

	(void)arg;
	kn_self_lock();
	while ((mine = my_own) != NULL) {
		my_own = mine->also;
		if (mine->control != NULL && mine->fork == now)
			give_back(mine->control, mine->stamp);
		if (mine->control != NULL)
			unlink_from_control(mine);
		free(mine);
	}
	kn_self_unlock();
	__builtin_memset(cache, 0, sizeof(cache));
	kn_me_last = cache[0];
}

__attribute__((constructor)) static void
make_key(void)
{
	ends_error = -pthread_key_create(&ends, thread_ends);
}

static struct kn_mine *
find_mine(const struct kn_control *control, uint32_t now)
{
	struct kn_mine *mine, **p = &my_own;

	/* Those of closed ones are dropped on the way. */
	while ((mine = *p) != NULL) {
		if (mine->control == NULL) {
			*p = mine->also;
			free(mine);
			continue;
		}
		if (mine->control == control && mine->fork == now)
			return mine;
		p = &mine->also;
	}
	return NULL;
}

static struct kn_mine *
new_mine(struct kn_control *control, uint32_t now, uint32_t stamp)
{
	struct kn_mine *mine = malloc(sizeof(*mine));

	if (mine == NULL)
		return NULL;
	*mine = (struct kn_mine){
		.control = control,
		.next = control->mine,
		.also = my_own,
		.fork = now,
		.stamp = stamp,
	};
	control->mine = my_own = mine;
	return mine;
}

/* Without the key nobody would be told of the thread's end. */
static int
enter(struct kn_control *control, uint32_t now)
{
	uint32_t stamp;
	int r = ends_error;

	if (r == 0)
		r = -pthread_setspecific(ends, &ends);
	if (r < 0)
		return kn_fail(r, "a thread's key");
	stamp = claim(control, false);
	if (stamp == 0) {
		sweep(control);
		stamp = claim(control, true);
	}
	if (stamp == 0)
		return kn_fail(-ENOSPC, "segment '%s': all %u threads live",
			       control->seg->label, control->nthreads);
	if (new_mine(control, now, stamp) == NULL) {
		give_back(control, stamp);
		return kn_fail(-ENOMEM, "a thread's record");
	}
	return (int)stamp;
}

int
kn_control_join(struct kn_control *control)
{
	struct kn_me *me = &cache[control->id % CACHE];
	uint32_t now = kn_self_generation();
	struct kn_mine *mine;
	int r;

	if (me->control == control->id && me->fork == now) {
		kn_me_last = *me;
		return (int)me->stamp;
	}
	if (!kn_registry_joined(&control->registry)) {
		r = kn_registry_join(&control->registry);
		if (r < 0)
			return r;
	}
	kn_self_lock();
	mine = find_mine(control, now);
	r = mine != NULL ? (int)mine->stamp : enter(control, now);
	kn_self_unlock();
	if (r > 0)
		kn_me_last = *me = (struct kn_me){
			control->id, now, (uint32_t)r
		};
	return r;
}

int
kn_control_process(struct kn_control *control)
{
	int r = 0;

	if (!kn_registry_joined(&control->registry))
		r = kn_registry_join(&control->registry);
	return r < 0 ? r : (int)control->registry.party.stamp;
}

void
kn_control_label(uint64_t v)
{
	uint32_t now = kn_self_generation();
	const struct kn_mine *mine;

	kn_self_lock();
	for (mine = my_own; mine != NULL; mine = mine->also) {
		struct kn_thread *t = mine->control != NULL && mine->fork == now
		    ? kn_control_thread(mine->control, mine->stamp) : NULL;

		if (t != NULL)
			kn_wide_store(&t->label, v);
	}
	kn_self_unlock();
}

bool
kn_control_stale(struct kn_control *control, uint32_t stamp)
{
	uint32_t now = kn_self_generation();
	const struct kn_mine *mine;
	bool found = false;

	kn_self_lock();
	for (mine = control->mine; mine != NULL && !found; mine = mine->next)
		found = mine->stamp == stamp && mine->fork != now;
	kn_self_unlock();
	return found;
}

/* ---- making it and letting it go ---- */

static int
make(struct kn_control **ret, kin_segment *seg)
{
	unsigned char *at = seg->base + KN_PAGE;
	struct kn_control *control = calloc(1, sizeof(*control));
	int r;

	if (control == NULL)
		return kn_fail(-ENOMEM, "control part");
	r = kn_registry_init(&control->registry, (struct kn_roster *)(void *)at,
			     KN_PAGE, seg->members, seg->fd, repair, control);
	if (r < 0) {
		free(control);
		return r;
	}
	control->registry.name = seg->name;
	control->threads = (struct kn_threads *)(void *)
	    (at + kn_control_threads_at(seg->members));
	control->nthreads = seg->threads;
	control->bits = kn_record_bits(seg->threads);
	control->seg = seg;
	*ret = control;
	return 0;
}

int
kn_control_of(struct kn_control **ret, kin_segment *seg)
{
	int r = 0;

	if (seg->members == 0)
		return kn_fail(-EINVAL, "segment '%s' was made without room "
			       "for participants; ask for them by .members",
			       seg->label);
	if (!kin_segment_writable(seg))
		return kn_fail(-EACCES, "segment '%s' is read-only",
			       seg->label);
	kn_self_lock();
	if (seg->control == NULL) {
		r = make(&seg->control, seg);
		if (r == 0)
			seg->control->id = ++ids;
	}
	kn_self_unlock();
	if (r == 0)
		*ret = seg->control;
	return r;
}

/* What our threads took goes with the process's place. */
void
kn_control_free(struct kn_control *control)
{
	uint32_t now = kn_self_generation();
	struct kn_mine *mine;

	if (control == NULL)
		return;
	kn_self_lock();
	while ((mine = control->mine) != NULL) {
		if (mine->fork == now)
			give_back(control, mine->stamp);
		unlink_from_control(mine);
	}
	kn_registry_leave(&control->registry);
	kn_self_unlock();
	free(control);
}

/* ---- waiting ---- */

kin_time
kn_slice_until(struct kn_slice *slice, kin_time deadline)
{
	if (slice->end == 0)
		slice->end = kin_now().ns + slice->ns;
	return slice->end < deadline.ns ? (kin_time){ slice->end } : deadline;
}

bool
kn_slice_over(struct kn_slice *slice)
{
	int64_t now = kin_now().ns;

	if (now < slice->end)
		return false;
	if (slice->ns < kn_latch_slices.last_ns)
		slice->ns *= 2;
	slice->end = now + slice->ns;
	return true;
}

void
kn_control_waits(struct kn_control *control, uint32_t stamp, uint64_t offset)
{
	struct kn_thread *t = kn_control_thread(control, stamp);

	if (t == NULL)
		return;
	if (offset != 0)
		kn_wide_store(&t->since, (uint64_t)kin_now().ns);
	kn_wide_store(&t->waits, offset);
}
