/* SPDX-License-Identifier: MIT */
/*
 * cond.c - kin_cond: wait, with a lock held, for what others change under it
 *
 * Notify marks a waiter and wakes it in one step of the kernel's: so who was
 * marked is awake, whenever the notifier is killed.
 */
#include <errno.h>
#include <inttypes.h>

#include "lib/cond.h"
#include "lib/lock.h"
#include "shm/os.h"

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	(void)members;
	(void)threads;
	return mark->options == 0 ? sizeof(struct kn_cond_shared) : 0;
}

_Static_assert(sizeof(struct kn_mark) + sizeof(struct kn_cond_shared) ==
	       KIN_COND_ROOM, "what users reckon with");

static kin_cond *
cond_of(struct kn_object *o)
{
	return (kin_cond *)(void *)o;
}

static void
facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_cond_shared *s = look->own;

	kn_say(to, "waiters", "%u",
	       kn_control_waiters(&look->control, look->body));
	kn_say(to, "notices", "%" PRIu64, s->notices.v);
}

const struct kn_object_kind kn_cond_kind = {
	.kind = { KIN_THING_COND, 1, "cond", "a condition" },
	.handle_bytes = sizeof(kin_cond),
	.align = 64,
	.own_bytes = own_bytes,
	.facts = facts,
};

/* ---- making and joining ---- */

int
kin_cond_create(kin_cond **ret_cond, const struct kin_cond_opts *user)
{
	struct kn_making making = { .kind = &kn_cond_kind };
	struct kin_cond_opts opts;
	struct kn_object *o;
	int r;

	kn_assert(ret_cond != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if (opts.flags != 0)
		return kn_fail(-EINVAL, "condition: flags %#x", opts.flags);
	making.segment = opts.segment;
	making.offset = opts.offset;
	making.label = opts.label;
	making.members = opts.members;
	making.threads = opts.threads;
	r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_cond = cond_of(o);
	return r;
}

int
kin_cond_attach(kin_cond **ret_cond, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_cond != NULL);
	r = kn_object_attach(&o, &kn_cond_kind, fd, NULL);
	if (r == 0)
		*ret_cond = cond_of(o);
	return r;
}

int
kin_cond_attach_at(kin_cond **ret_cond, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_cond != NULL);
	kn_assert(seg != NULL);
	r = kn_object_attach_at(&o, &kn_cond_kind, seg, offset, NULL);
	if (r == 0)
		*ret_cond = cond_of(o);
	return r;
}

void
kin_cond_close(kin_cond *cond)
{
	kn_object_close(cond != NULL ? &cond->object : NULL);
}

/* ---- waiting ---- */

static struct kn_threads *
threads_of(const kin_cond *cond, uint32_t *ret_n)
{
	struct kn_control *control = cond->object.control;
	uint32_t used = kn_load(&control->threads->used);

	*ret_n = used < control->nthreads ? used : control->nthreads;
	return control->threads;
}

static uint32_t
stamp_of(const kin_cond *cond, uint32_t i)
{
	const struct kn_control *control = cond->object.control;
	uint64_t v = kn_wide_load(&control->threads->of[i].owner);

	return kn_thread_stamp((uint32_t)v, i, control->bits);
}

/* Has a dead one a notice that nobody has seen?  It is taken off there. */
static bool
find_orphan(const kin_cond *cond)
{
	uint64_t noticed = kn_object_at(&cond->object) | KN_NOTICED;
	uint32_t n, i;
	struct kn_threads *threads = threads_of(cond, &n);

	for (i = 0; i < n; i++) {
		struct kn_thread *t = &threads->of[i];

		if (kn_wide_load(&t->notice) == noticed &&
		    ((kn_wide_load(&t->owner) & KN_SLOT_ACTIVE) == 0 ||
		     kn_control_dead(cond->object.control,
				     stamp_of(cond, i)) == 1) &&
		    kn_wide_cas_release(&t->notice, noticed, 0))
			return true;
	}
	return false;
}

static struct kn_thread *longest(const kin_cond *cond);
static void notify(struct kn_thread *t);

/* At a slice's end.  If we were notified just then, it goes to another. */
static bool
inherit_notice(kin_cond *cond, struct kn_thread *t)
{
	uint64_t at = kn_object_at(&cond->object);
	struct kn_sentence sentence;
	bool found;

	kn_sentence_save(&sentence);
	found = find_orphan(cond);
	kn_sentence_restore(&sentence);
	if (found && !kn_wide_cas_release(&t->notice, at, at | KN_NOTICED)) {
		t = longest(cond);
		if (t != NULL)
			notify(t);
	}
	return found;
}

/* Under the lock. */
static void
come(const kin_cond *cond, struct kn_thread *t, uint32_t me)
{
	kn_control_waits(cond->object.control, me, kn_object_at(&cond->object));
	kn_wide_store(&t->notice, kn_object_at(&cond->object));
}

/* Notified, by whomever: true; or the deadline is over. */
static bool
sleep_till_noticed(kin_cond *cond, struct kn_thread *t, kin_time deadline)
{
	uint32_t at = (uint32_t)kn_object_at(&cond->object);
	struct kn_slice slice = kn_slice_first();
	int r;

	for (;;) {
		if (kn_load(kn_thread_notice(t)) != at)
			return true;
		if (kin_now().ns >= deadline.ns)
			return false;
		r = kn_os_futex_wait(kn_thread_notice(t), at,
				     kn_slice_until(&slice, deadline));
		if (r < 0 && r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();
		if (kn_slice_over(&slice) && inherit_notice(cond, t))
			return true;
	}
}

/* It is ours again, as it was, or r says why not. */
static int
retake(kin_lock *lock, uint32_t depth)
{
	int r = kin_lock_acquire(lock, KIN_FOREVER);

	if (r >= 0)
		kn_mutex_deepen(&lock->mutex, depth);
	return r;
}

/*
 * Still with the notice: who dies before it has the lock leaves that to others.
 */
static int
come_back(kin_cond *cond, kin_lock *lock, struct kn_thread *t, uint32_t depth,
	  bool noticed)
{
	char name[96];
	int r = retake(lock, depth);

	noticed = noticed ||
		  (kn_wide_load(&t->notice) & KN_NOTICED) != 0;
	kn_wide_store(&t->notice, 0);
	kn_wide_store(&t->waits, 0);
	if (r != 0 || noticed)
		return r;
	return kn_fail(-ETIMEDOUT, "%s: nobody notified it until the deadline",
		       kn_object_name(&cond->object, name));
}

/* Whoever has not got the lock has a bug. */
static int
check_lock(kin_lock *lock)
{
	int r = kn_mutex_check(&lock->mutex);
	bool this_thread_holds_the_lock = r != -EPERM;

	kn_assert(this_thread_holds_the_lock);
	return r < 0 ? kn_lock_failed(&lock->object, r) : 0;
}

int
kin_cond_wait(kin_cond *cond, kin_lock *lock, kin_time deadline)
{
	struct kn_thread *t;
	uint32_t depth;
	bool noticed;
	int me, r;

	kn_assert(cond != NULL);
	kn_assert(lock != NULL);
	r = check_lock(lock);
	if (r < 0)
		return r;
	me = kn_control_me(cond->object.control);
	if (me < 0)
		return me;
	t = kn_control_thread(cond->object.control, (uint32_t)me);
	if (t == NULL)
		return kn_object_spoil(&cond->object, "our thread's record is "
				       "another's");
	come(cond, t, (uint32_t)me);
	r = kn_mutex_release_all(&lock->mutex, &depth);
	if (r < 0) {
		kn_wide_store(&t->notice, 0);
		kn_wide_store(&t->waits, 0);
		return kn_lock_failed(&lock->object, r);
	}
	noticed = sleep_till_noticed(cond, t, deadline);
	return come_back(cond, lock, t, depth, noticed);
}

/* ---- notifying ---- */

/* Who has waited longest and was not notified; NULL: nobody. */
static struct kn_thread *
longest(const kin_cond *cond)
{
	uint64_t at = kn_object_at(&cond->object), since = 0;
	struct kn_thread *best = NULL;
	uint32_t n, i;
	struct kn_threads *threads = threads_of(cond, &n);

	for (i = 0; i < n; i++) {
		struct kn_thread *t = &threads->of[i];
		uint64_t began = kn_wide_load(&t->since);

		if (kn_wide_load(&t->notice) == at &&
		    (kn_wide_load(&t->owner) & KN_SLOT_ACTIVE) &&
		    (best == NULL || began < since)) {
			best = t;
			since = began;
		}
	}
	return best;
}

static void
notify(struct kn_thread *t)
{
	kn_word *w = kn_thread_notice(t);

	if (kn_os_futex_or_wake(w, KN_NOTICED, 1) >= 0)
		return;
	/* As in publish: without the call, in two steps. */
	__atomic_fetch_or(&w->v, KN_NOTICED, __ATOMIC_RELEASE);
	(void)kn_os_futex_wake(w, 1);
}

int
kin_cond_notify(kin_cond *cond, kin_lock *lock, uint32_t n)
{
	struct kn_cond_shared *s;
	struct kn_thread *t;
	uint32_t done = 0;
	int r;

	kn_assert(cond != NULL);
	kn_assert(lock != NULL);
	r = check_lock(lock);
	if (r < 0)
		return r;
	if (n > cond->object.control->nthreads)
		n = cond->object.control->nthreads;
	while (done < n && (t = longest(cond)) != NULL) {
		notify(t);
		done++;
	}
	s = cond->object.own;
	kn_wide_store(&s->notices, kn_wide_load(&s->notices) + done);
	return (int)done;
}

/* ---- what there is to know ---- */

uint32_t
kin_cond_waiters(kin_cond *cond)
{
	kn_assert(cond != NULL);
	return kn_control_count(cond->object.control,
				kn_object_at(&cond->object));
}

int
kin_cond_fd(const kin_cond *cond)
{
	kn_assert(cond != NULL);
	return cond->object.seg->fd;
}

const char *
kin_cond_label(const kin_cond *cond)
{
	kn_assert(cond != NULL);
	return cond->object.seg->label;
}
