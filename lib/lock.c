/* SPDX-License-Identifier: MIT */
/*
 * lock.c - kin_lock: a mutex, and what becomes of it when its holder dies
 */
#include <errno.h>
#include <inttypes.h>

#include "lib/lock.h"

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	(void)members;
	(void)threads;
	if ((mark->options & ~(KIN_LOCK_RECURSIVE | 3u << KN_DEATH_SHIFT)) ||
	    kn_death_of(mark->options) > KIN_DEATH_IGNORE)
		return 0;
	return sizeof(struct kn_mutex_shared);
}

_Static_assert(sizeof(struct kn_mark) + sizeof(struct kn_mutex_shared) ==
	       KIN_LOCK_ROOM, "what users reckon with");

static kin_lock *
lock_of(struct kn_object *o)
{
	return (kin_lock *)(void *)o;
}

static int
open_lock(struct kn_object *o, const void *arg)
{
	(void)arg;
	kn_mutex_init(&lock_of(o)->mutex, o->own, o->control,
		      kn_object_at(o), o->mark.options & KIN_LOCK_RECURSIVE);
	return 0;
}

static void
facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_mutex_shared *s = look->own;
	uint32_t holder = kn_mutex_owner(s->word.v);
	uint64_t waits = s->waits.v, longest_ms = s->longest_ns.v / 1000000;

	if (holder != 0)
		kn_control_say_stamp(&look->control, "holder", holder, to);
	else
		kn_say(to, "holder", s->word.v & KN_MUTEX_KEPT ?
		       "none; it is kept for the next" : "none");
	kn_say(to, "waiters", "%u",
	       kn_control_waiters(&look->control, look->body));
	kn_say(to, "state", s->inherited.v != 0 ?
	       "left by a dead holder, not called consistent since" :
	       "consistent");
	kn_say(to, "contention", "%" PRIu64 " waits, the longest %" PRIu64
	       " ms; taken from the dead %" PRIu64 " times", waits, longest_ms,
	       s->deaths.v);
}

const struct kn_object_kind kn_lock_kind = {
	.kind = { KIN_THING_LOCK, 1, "lock", "a lock" },
	.handle_bytes = sizeof(kin_lock),
	.align = 64,
	.own_bytes = own_bytes,
	.open = open_lock,
	.facts = facts,
};

/* ---- making and joining ---- */

int
kin_lock_create(kin_lock **ret_lock, const struct kin_lock_opts *user)
{
	struct kn_making making = { .kind = &kn_lock_kind };
	struct kin_lock_opts opts;
	struct kn_object *o;
	int r;

	kn_assert(ret_lock != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if ((opts.flags & ~KIN_LOCK_RECURSIVE) != 0 || opts.reserved != 0 ||
	    opts.on_death > KIN_DEATH_IGNORE)
		return kn_fail(-EINVAL, "lock: flags %#x, on_death %u, "
			       "reserved %#x", opts.flags, opts.on_death,
			       opts.reserved);
	making.options = opts.flags | opts.on_death << KN_DEATH_SHIFT;
	making.segment = opts.segment;
	making.offset = opts.offset;
	making.label = opts.label;
	making.members = opts.members;
	making.threads = opts.threads;
	r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_lock = lock_of(o);
	return r;
}

int
kin_lock_attach(kin_lock **ret_lock, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_lock != NULL);
	r = kn_object_attach(&o, &kn_lock_kind, fd, NULL);
	if (r == 0)
		*ret_lock = lock_of(o);
	return r;
}

int
kin_lock_attach_at(kin_lock **ret_lock, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_lock != NULL);
	kn_assert(seg != NULL);
	r = kn_object_attach_at(&o, &kn_lock_kind, seg, offset, NULL);
	if (r == 0)
		*ret_lock = lock_of(o);
	return r;
}

void
kin_lock_close(kin_lock *lock)
{
	kn_object_close(lock != NULL ? &lock->object : NULL);
}

void
kin_lock_repair_by(kin_lock *lock, kin_repair_fn *repair, void *user)
{
	kn_assert(lock != NULL);
	lock->user = user;
	lock->repair = repair;
}

/* ---- taking and releasing ---- */

int
kn_lock_failed(struct kn_object *o, int r)
{
	char name[96];

	kn_object_name(o, name);
	switch (r) {
	case -ETIMEDOUT:
		return kn_fail(r, "%s was not free until the deadline", name);
	case -EDEADLK:
		return kn_fail(r, "%s: waiting for it would never end", name);
	case -ESTALE:
		return kn_fail(r, "%s was held by the process that this one "
			       "was forked from", name);
	case -EUCLEAN:
		return kn_object_spoil(o, "its words are not what we stored");
	default:
		return r;
	}
}

/* Taken, and left by a dead one. */
static int
inherit(kin_lock *lock)
{
	int r;

	switch (kn_death_of(lock->object.mark.options)) {
	case KIN_DEATH_IGNORE:
		kn_store(&lock->mutex.shared->inherited, 0);
		return 0;
	case KIN_DEATH_REPAIR:
		/* Taken again inside of its repair, it is not yet repaired. */
		if (lock->repair == NULL ||
		    kn_load_relaxed(&lock->mutex.shared->depth) != 0)
			return KIN_INHERITED;
		r = lock->repair(lock->user);
		if (r < 0) {
			(void)kn_mutex_release(&lock->mutex);
			return r;
		}
		kn_store(&lock->mutex.shared->inherited, 0);
		return 0;
	default:
		return KIN_INHERITED;
	}
}

/* r: what the quick way came to. */
static int __attribute__((noinline))
acquire_slow(kin_lock *lock, kin_time deadline, int r)
{
	if (r < 0 && kn_object_spoilt(&lock->object))
		return kn_object_spoilt_before(&lock->object);
	if (r < 0)
		r = kn_mutex_take_slow(&lock->mutex, deadline);
	if (r <= 0)
		return r == 0 ? 0 : kn_lock_failed(&lock->object, r);
	return inherit(lock);
}

int
kin_lock_acquire(kin_lock *lock, kin_time deadline)
{
	int r;

	kn_assert(lock != NULL);
	r = kn_mutex_try(&lock->mutex);
	return kn_likely(r == 0) ? 0 : acquire_slow(lock, deadline, r);
}

/* Whoever releases what it does not have has a bug. */
static int __attribute__((noinline))
release_failed(kin_lock *lock, int r)
{
	bool this_thread_holds_it = r != -EPERM;

	kn_assert(this_thread_holds_it);
	return kn_lock_failed(&lock->object, r);
}

static int __attribute__((noinline))
release_slow(kin_lock *lock)
{
	int r = kn_mutex_release_slow(&lock->mutex);

	return r == 0 ? 0 : release_failed(lock, r);
}

int
kin_lock_release(kin_lock *lock)
{
	kn_assert(lock != NULL);
	return kn_likely(kn_mutex_try_release(&lock->mutex))
	       ? 0 : release_slow(lock);
}

int
kin_lock_consistent(kin_lock *lock)
{
	int r;

	kn_assert(lock != NULL);
	r = kn_mutex_check(&lock->mutex);
	if (r < 0)
		return release_failed(lock, r);
	kn_store(&lock->mutex.shared->inherited, 0);
	return 0;
}

/* ---- what there is to know ---- */

void
kin_lock_stat(kin_lock *lock, struct kin_lock_stats *ret)
{
	kn_assert(lock != NULL);
	kn_assert(ret != NULL);
	kn_mutex_stat(&lock->mutex, ret);
}

int
kin_lock_fd(const kin_lock *lock)
{
	kn_assert(lock != NULL);
	return lock->object.seg->fd;
}

const char *
kin_lock_label(const kin_lock *lock)
{
	kn_assert(lock != NULL);
	return lock->object.seg->label;
}
