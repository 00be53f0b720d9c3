/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - kin_rwlock: many that read, or one that writes
 */
#include <errno.h>
#include <inttypes.h>

#include "lib/lock.h"
#include "lib/rwlock.h"

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	(void)members;
	if ((mark->options & ~(3u << KN_DEATH_SHIFT)) != 0 ||
	    kn_death_of(mark->options) > KIN_DEATH_IGNORE)
		return 0;
	return sizeof(struct kn_rwlock_shared) +
	       (uint64_t)kn_rwlock_lines(threads) * KN_LINE;
}

static kin_rwlock *
rwlock_of(struct kn_object *o)
{
	return (kin_rwlock *)(void *)o;
}

static int
open_rwlock(struct kn_object *o, const void *arg)
{
	kin_rwlock *rw = rwlock_of(o);

	(void)arg;
	rw->shared = o->own;
	rw->threads = o->seg->threads;
	rw->lines = kn_rwlock_lines(rw->threads);
	kn_mutex_init(&rw->mutex, &rw->shared->writers, o->control,
		      kn_object_at(o), false);
	return 0;
}

static void
facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_rwlock_shared *s = look->own;
	uint32_t holder = kn_mutex_owner(s->writers.word.v), n = 0;
	size_t i, cells = (look->own_bytes - sizeof(*s)) / sizeof(kn_word);

	for (i = 0; i < cells; i++)
		n += s->cells[i].v != 0;
	if (holder != 0)
		kn_control_say_stamp(&look->control, s->writing.v != 0 ?
				     "writer" : "at the door", holder, to);
	else
		kn_say(to, "writer", "none");
	kn_say(to, "readers", "%u", n);
	kn_say(to, "waiters", "%u",
	       kn_control_waiters(&look->control, look->body));
	kn_say(to, "state", s->dirty.v != 0 ?
	       "left by a dead writer, not called consistent since" :
	       "consistent");
	kn_say(to, "contention", "%" PRIu64 " waits, the longest %" PRIu64
	       " ms", s->writers.waits.v, s->writers.longest_ns.v / 1000000);
}

const struct kn_object_kind kn_rwlock_kind = {
	.kind = { KIN_THING_RWLOCK, 1, "rwlock", "a rwlock" },
	.handle_bytes = sizeof(kin_rwlock),
	.align = 128,
	.own_bytes = own_bytes,
	.open = open_rwlock,
	.facts = facts,
};

/* ---- making and joining ---- */

int
kin_rwlock_create(kin_rwlock **ret_rw, const struct kin_rwlock_opts *user)
{
	struct kn_making making = { .kind = &kn_rwlock_kind };
	struct kin_rwlock_opts opts;
	struct kn_object *o;
	int r;

	kn_assert(ret_rw != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if (opts.flags != 0 || opts.reserved != 0 ||
	    opts.on_death > KIN_DEATH_IGNORE)
		return kn_fail(-EINVAL, "rwlock: flags %#x, on_death %u, "
			       "reserved %#x", opts.flags, opts.on_death,
			       opts.reserved);
	making.options = opts.on_death << KN_DEATH_SHIFT;
	making.segment = opts.segment;
	making.offset = opts.offset;
	making.label = opts.label;
	making.members = opts.members;
	making.threads = opts.threads;
	r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_rw = rwlock_of(o);
	return r;
}

int
kin_rwlock_attach(kin_rwlock **ret_rw, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_rw != NULL);
	r = kn_object_attach(&o, &kn_rwlock_kind, fd, NULL);
	if (r == 0)
		*ret_rw = rwlock_of(o);
	return r;
}

int
kin_rwlock_attach_at(kin_rwlock **ret_rw, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_rw != NULL);
	kn_assert(seg != NULL);
	r = kn_object_attach_at(&o, &kn_rwlock_kind, seg, offset, NULL);
	if (r == 0)
		*ret_rw = rwlock_of(o);
	return r;
}

void
kin_rwlock_close(kin_rwlock *rw)
{
	kn_object_close(rw != NULL ? &rw->object : NULL);
}

size_t
kin_rwlock_room(const kin_segment *seg)
{
	struct kn_making making = { .kind = &kn_rwlock_kind };

	kn_assert(seg != NULL);
	making.segment = (kin_segment *)(uintptr_t)seg;
	return seg->members != 0 ? (size_t)kn_object_room(&making) : 0;
}

void
kin_rwlock_repair_by(kin_rwlock *rw, kin_repair_fn *repair, void *user)
{
	kn_assert(rw != NULL);
	rw->user = user;
	rw->repair = repair;
}

/* ---- the mutex ---- */

static int
is_dirty(const kin_rwlock *rw)
{
	return kn_load(&rw->shared->dirty) != 0;
}

/* We have it from a dead one: 1, if that wrote, and nobody reads then. */
static int
after_death(kin_rwlock *rw)
{
	struct kn_rwlock_shared *s = rw->shared;
	bool wrote = kn_load(&s->writing) != 0;

	if (wrote && kn_death_of(rw->object.mark.options) != KIN_DEATH_IGNORE)
		kn_store(&s->dirty, 1);
	kn_store(&s->writing, 0);
	kn_store(&s->writers.inherited, 0);
	return wrote;
}

static int
take_mutex(kin_rwlock *rw, kin_time deadline)
{
	int r;

	if (kn_object_spoilt(&rw->object))
		return kn_object_spoilt_before(&rw->object);
	r = kn_mutex_take(&rw->mutex, deadline);
	if (r == 0)
		return 0;
	return r > 0 ? after_death(rw) : kn_lock_failed(&rw->object, r);
}

/*
 * With the mutex, and no readers: repair what a dead writer left, if that is
 * what is to be done.  0, or what the repair came to: then it is let go of.
 */
static int
mend(kin_rwlock *rw)
{
	int r;

	if (!is_dirty(rw) || rw->repair == NULL ||
	    kn_death_of(rw->object.mark.options) != KIN_DEATH_REPAIR)
		return 0;
	r = rw->repair(rw->user);
	if (r < 0) {
		(void)kn_mutex_release(&rw->mutex);
		return r;
	}
	kn_store(&rw->shared->dirty, 0);
	return 0;
}

/* ---- reading ---- */

static int
read_again(kin_rwlock *rw, uint32_t me, uint32_t count)
{
	kn_word *cell = kn_rwlock_cell(rw, kn_stamp_record(me,
	    rw->object.control->bits));

	if (count == KN_READ_COUNT)
		return kn_fail(-ENOSPC, "rwlock '%s': read %u times by one "
			       "thread", rw->object.seg->label, count);
	kn_store(cell, kn_reader_cell(rw, me, count + 1));
	return is_dirty(rw);
}

/* A writer is there, or was: in its turn, under the mutex. */
static int __attribute__((noinline))
read_slow(kin_rwlock *rw, kn_word *cell, uint32_t me, kin_time deadline)
{
	int r = take_mutex(rw, deadline);

	if (r > 0)
		r = mend(rw);
	if (r < 0)
		return r;
	kn_store(cell, kn_reader_cell(rw, me, 1));
	(void)kn_mutex_release(&rw->mutex);
	return is_dirty(rw);
}

int
kin_rwlock_read(kin_rwlock *rw, kin_time deadline)
{
	uint32_t me, count;
	kn_word *cell;
	int r;

	kn_assert(rw != NULL);
	r = kn_control_me(rw->object.control);
	if (r < 0)
		return r;
	me = (uint32_t)r;
	count = kn_reader_count(rw, me);
	if (kn_unlikely(count != 0))
		return read_again(rw, me, count);
	cell = kn_rwlock_cell(rw, kn_stamp_record(me,
						  rw->object.control->bits));
	__atomic_store_n(&cell->v, kn_reader_cell(rw, me, 1), __ATOMIC_SEQ_CST);
	if (kn_likely(kn_load_ordered(&rw->shared->writers.word) == 0))
		return is_dirty(rw);
	kn_reader_leave(rw, me);
	return read_slow(rw, cell, me, deadline);
}

/* ---- writing ---- */

int
kin_rwlock_write(kin_rwlock *rw, kin_time deadline)
{
	int me, r;

	kn_assert(rw != NULL);
	me = kn_control_me(rw->object.control);
	if (me < 0)
		return me;
	if (kn_reader_count(rw, (uint32_t)me) != 0)
		return kn_lock_failed(&rw->object, -EDEADLK);
	r = take_mutex(rw, deadline);
	if (r < 0)
		return r;
	r = kn_readers_drain(rw, (uint32_t)me, deadline);
	if (r < 0) {
		(void)kn_mutex_release(&rw->mutex);
		return kn_lock_failed(&rw->object, r);
	}
	r = mend(rw);
	if (r < 0)
		return r;
	kn_store(&rw->shared->writing, 1);
	kn_in_order();
	return is_dirty(rw);
}

/* Does this thread write?  0, or as kn_mutex_release. */
static int
check_writer(kin_rwlock *rw)
{
	int r = kn_mutex_check(&rw->mutex);
	bool this_thread_writes = r != -EPERM;

	kn_assert(this_thread_writes);
	return r < 0 ? kn_lock_failed(&rw->object, r) : 0;
}

int
kin_rwlock_downgrade(kin_rwlock *rw)
{
	struct kn_control *control;
	uint32_t me;
	int r;

	kn_assert(rw != NULL);
	r = check_writer(rw);
	if (r < 0)
		return r;
	control = rw->object.control;
	me = (uint32_t)kn_control_me(control);
	kn_store(kn_rwlock_cell(rw, kn_stamp_record(me, control->bits)),
		 kn_reader_cell(rw, me, 1));
	kn_store(&rw->shared->writing, 0);
	return kn_mutex_release(&rw->mutex);
}

int
kin_rwlock_consistent(kin_rwlock *rw)
{
	int r;

	kn_assert(rw != NULL);
	r = check_writer(rw);
	if (r == 0)
		kn_store(&rw->shared->dirty, 0);
	return r;
}

/* ---- releasing ---- */

/*
 * That this thread reads is known by its cell alone, which a peer may have
 * scribbled over: so what looks like a bug is no proof of one.
 */
static int
release_nothing(kin_rwlock *rw)
{
	char name[96];

	if (kn_readers_stale(rw))
		return kn_lock_failed(&rw->object, -ESTALE);
	return kn_fail(-EPERM, "%s is not held by this thread",
		       kn_object_name(&rw->object, name));
}

static int __attribute__((noinline))
release_write(kin_rwlock *rw)
{
	int r = kn_mutex_check(&rw->mutex);

	if (r == -EPERM)
		return release_nothing(rw);
	if (r == 0) {
		kn_store(&rw->shared->writing, 0);
		r = kn_mutex_release(&rw->mutex);
	}
	return r < 0 ? kn_lock_failed(&rw->object, r) : 0;
}

int
kin_rwlock_release(kin_rwlock *rw)
{
	uint32_t count;
	int me;

	kn_assert(rw != NULL);
	me = kn_control_me(rw->object.control);
	if (me < 0)
		return me;
	count = kn_reader_count(rw, (uint32_t)me);
	if (kn_unlikely(count == 0))
		return release_write(rw);
	if (count == 1)
		kn_reader_leave(rw, (uint32_t)me);
	else
		kn_store(kn_rwlock_cell(rw, kn_stamp_record((uint32_t)me,
					rw->object.control->bits)),
			 kn_reader_cell(rw, (uint32_t)me, count - 1));
	return 0;
}

/* ---- what there is to know ---- */

void
kin_rwlock_stat(kin_rwlock *rw, struct kin_rwlock_stats *ret)
{
	kn_assert(rw != NULL);
	kn_assert(ret != NULL);
	*ret = (struct kin_rwlock_stats){ .readers = kn_readers_used(rw) };
	kn_mutex_stat(&rw->mutex, &ret->writer);
	ret->writer.inherited = (uint32_t)is_dirty(rw);
}

int
kin_rwlock_fd(const kin_rwlock *rw)
{
	kn_assert(rw != NULL);
	return rw->object.seg->fd;
}

const char *
kin_rwlock_label(const kin_rwlock *rw)
{
	kn_assert(rw != NULL);
	return rw->object.seg->label;
}
