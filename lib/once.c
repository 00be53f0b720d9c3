/* SPDX-License-Identifier: MIT */
/*
 * once.c - kin_once: one word, a latch that is left for good
 *
 *      never ──claim──▶ stamp ──the function succeeded──▶ done
 *        ▲                │ └────failed────▶ never, or half
 *        └────────────────┘
 *      half, or a dead stamp ──claim, told of it──▶ stamp
 *
 * The claim is the claimer's stamp, by one compare-and-swap; the end wakes all
 * in the same step that says how it ended.
 */
#include <errno.h>
#include <limits.h>

#include "lib/once.h"
#include "shm/os.h"

struct kin_once {
	struct kn_object o;		/* first */
	kn_word *word;
};

/* ---- making and joining ---- */

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	(void)members;
	(void)threads;
	return mark->options == 0 ? sizeof(struct kn_once_shared) : 0;
}

static int
open_once(struct kn_object *o, const void *arg)
{
	struct kn_once_shared *shared = o->own;

	(void)arg;
	((kin_once *)o)->word = &shared->word;
	return 0;
}

const struct kn_object_kind kn_once_kind = {
	.kind = { KIN_THING_ONCE, 1, "once", "a once" },
	.handle_bytes = sizeof(kin_once),
	.align = 64,
	.own_bytes = own_bytes,
	.open = open_once,
	.facts = kn_once_facts,
};

int
kin_once_create(kin_once **ret_o, const struct kin_once_opts *user)
{
	struct kn_making making = { .kind = &kn_once_kind };
	struct kin_once_opts opts;
	struct kn_object *o;
	int r;

	kn_assert(ret_o != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if (opts.flags != 0 || opts.reserved != 0)
		return kn_fail(-EINVAL, "once: flags %#x, reserved %#x",
			       opts.flags, opts.reserved);
	making.segment = opts.segment;
	making.offset = opts.offset;
	making.label = opts.label;
	making.members = opts.members;
	r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_o = (kin_once *)o;
	return r;
}

size_t
kin_once_room(void)
{
	struct kn_making making = { .kind = &kn_once_kind };

	return (size_t)kn_object_room(&making);
}

int
kin_once_attach(kin_once **ret_o, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_o != NULL);
	r = kn_object_attach(&o, &kn_once_kind, fd, NULL);
	if (r == 0)
		*ret_o = (kin_once *)o;
	return r;
}

int
kin_once_attach_at(kin_once **ret_o, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_o != NULL);
	r = kn_object_attach_at(&o, &kn_once_kind, seg, offset, NULL);
	if (r == 0)
		*ret_o = (kin_once *)o;
	return r;
}

void
kin_once_close(kin_once *o)
{
	kn_object_close(o == NULL ? NULL : &o->o);
}

int
kin_once_fd(const kin_once *o)
{
	kn_assert(o != NULL);
	return o->o.seg->fd;
}

const char *
kin_once_label(const kin_once *o)
{
	kn_assert(o != NULL);
	return o->o.placed ? "" : o->o.seg->label;
}

int
kin_once_done(const kin_once *o)
{
	kn_assert(o != NULL);
	return kn_load(o->word) == KN_ONCE_DONE;
}

/* ---- run ---- */

#define CLAIMED		1		/* what claim comes back with */
#define CLAIMED_HALF	2

static uint32_t
owner(uint32_t v)
{
	return v & ~KN_LATCH_WAITER;
}

/* Sleepers stay announced: the end of this run wakes them all. */
static bool
take(kn_word *w, uint32_t v, uint32_t stamp)
{
	return kn_cas(w, &v, stamp | (v & KN_LATCH_WAITER));
}

static int
late(const kin_once *o)
{
	char name[96];

	return kn_fail(-ETIMEDOUT, "%s: another one was running it until the "
		       "deadline", kn_object_name(&o->o, name));
}

/*
 * One look at a live or dead runner, and a sleep: 0 look again, or
 * CLAIMED_HALF.
 */
static int
await(kin_once *o, uint32_t v, uint32_t stamp, struct kn_slice *slice,
      bool *ask, kin_time deadline)
{
	bool over = kin_now().ns >= deadline.ns;
	int r;

	if (*ask || over) {
		r = kn_control_dead(o->o.control, owner(v));
		if (r == 1)
			return take(o->word, v, stamp) ? CLAIMED_HALF : 0;
		if (r < 0)
			return r;
		*ask = false;
	}
	if (over)
		return late(o);
	if (!(v & KN_LATCH_WAITER) && !kn_cas(o->word, &v, v | KN_LATCH_WAITER))
		return 0;
	r = kn_os_futex_wait(o->word, v | KN_LATCH_WAITER,
			     kn_slice_until(slice, deadline));
	if (r < 0 && r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
		kn_os_yield();		/* the kernel lets nobody sleep */
	*ask = kn_slice_over(slice);
	return 0;
}

/* 0: it is done; CLAIMED, CLAIMED_HALF: by us it will be. */
static int
claim(kin_once *o, uint32_t stamp, kin_time deadline)
{
	struct kn_slice slice = kn_slice_first();
	bool ask = true;
	char name[96];
	int r = 0;

	while (r == 0) {
		uint32_t v = kn_load(o->word);

		if (owner(v) == KN_ONCE_DONE)
			return 0;
		if (owner(v) == KN_ONCE_NEVER || owner(v) == KN_ONCE_HALF) {
			if (take(o->word, v, stamp))
				return owner(v) == KN_ONCE_HALF ? CLAIMED_HALF
								: CLAIMED;
			continue;
		}
		if (owner(v) == stamp)
			return kn_fail(-EDEADLK, "%s: called from inside of "
				       "its own function",
				       kn_object_name(&o->o, name));
		kn_control_waits(o->o.control, stamp, kn_object_at(&o->o));
		r = await(o, v, stamp, &slice, &ask, deadline);
	}
	return r;
}

/* It is ours, and so only its waiter bit can change under us. */
static int
finish(kin_once *o, uint32_t stamp, uint32_t to)
{
	uint32_t v = stamp;

	if (kn_cas(o->word, &v, to))
		return 0;
	if (owner(v) != stamp)
		return kn_object_spoil(&o->o, "somebody else is in it");
	if (kn_os_futex_set_wake(o->word, (int)to, INT_MAX) >= 0)
		return 0;
	/* As in publish: without the call, in two steps. */
	kn_store(o->word, to);
	(void)kn_os_futex_wake(o->word, INT_MAX);
	return 0;
}

static int
run(kin_once *o, kin_once_fn *fn, void *user, uint32_t stamp, bool half)
{
	uint32_t generation = kn_self_generation();
	uint32_t failed = half ? KN_ONCE_HALF : KN_ONCE_NEVER;
	char name[96];
	int r, q;

	r = fn(half, user);
	if (kn_self_generation() != generation)
		return kn_fail(-ESTALE, "%s: this process was forked inside of "
			       "the function; its parent runs it",
			       kn_object_name(&o->o, name));
	q = finish(o, stamp, r < 0 ? failed : KN_ONCE_DONE);
	if (q < 0)
		return q;
	return r < 0 ? r : half;
}

int
kin_once_run(kin_once *o, kin_once_fn *fn, void *user, kin_time deadline)
{
	int stamp, r;

	kn_assert(o != NULL);
	kn_assert(fn != NULL);
	if (kn_likely(kn_load(o->word) == KN_ONCE_DONE))
		return 0;
	if (kn_object_spoilt(&o->o))
		return kn_object_spoilt_before(&o->o);
	stamp = kn_control_me(o->o.control);
	if (stamp < 0)
		return stamp;
	r = claim(o, (uint32_t)stamp, deadline);
	kn_control_waits(o->o.control, (uint32_t)stamp, 0);
	if (r == -EUCLEAN)
		return kn_object_spoilt_now(&o->o);
	if (r <= 0)
		return r;
	return run(o, fn, user, (uint32_t)stamp, r == CLAIMED_HALF);
}
