/* SPDX-License-Identifier: MIT */
/*
 * event.c - kin_event: one word
 *
 *      bit 31 ... 2       1                0
 *      clears so far      somebody sleeps  it is set
 *
 * Set only adds its bit, with FUTEX_WAKE_OP if somebody sleeps: so it is one
 * step, needs no stamp, no memory and no look at what the word was before, and
 * a signal handler may do it anywhere.  Clear moves the count on, by which a
 * sleeper that comes round late sees that the event was set meanwhile.
 *
 * Nobody can leave the word wrong: any value is an event.
 */
#include <errno.h>
#include <limits.h>

#include "lib/event.h"
#include "shm/os.h"

struct kin_event {
	struct kn_object o;		/* first */
	kn_word *word;
	struct kn_spin spin;
};

/* ---- making and joining ---- */

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	(void)members;
	(void)threads;
	return mark->options == 0 ? sizeof(struct kn_event_shared) : 0;
}

static int
open_event(struct kn_object *o, const void *arg)
{
	kin_event *e = (kin_event *)o;
	struct kn_event_shared *shared = o->own;

	(void)arg;
	e->word = &shared->word;
	kn_spin_init(&e->spin, 0);
	return 0;
}

const struct kn_object_kind kn_event_kind = {
	.kind = { KIN_THING_EVENT, 1, "event", "an event" },
	.handle_bytes = sizeof(kin_event),
	.align = 64,
	.alone = true,
	.own_bytes = own_bytes,
	.open = open_event,
	.facts = kn_event_facts,
};

int
kin_event_create(kin_event **ret_e, const struct kin_event_opts *user)
{
	struct kn_making making = { .kind = &kn_event_kind };
	struct kin_event_opts opts;
	struct kn_object *o;
	int r;

	kn_assert(ret_e != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if (opts.flags != 0)
		return kn_fail(-EINVAL, "event: flags %#x", opts.flags);
	making.segment = opts.segment;
	making.offset = opts.offset;
	making.label = opts.label;
	r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_e = (kin_event *)o;
	return r;
}

size_t
kin_event_room(void)
{
	struct kn_making making = { .kind = &kn_event_kind };

	return (size_t)kn_object_room(&making);
}

int
kin_event_attach(kin_event **ret_e, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_e != NULL);
	r = kn_object_attach(&o, &kn_event_kind, fd, NULL);
	if (r == 0)
		*ret_e = (kin_event *)o;
	return r;
}

int
kin_event_attach_at(kin_event **ret_e, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_e != NULL);
	r = kn_object_attach_at(&o, &kn_event_kind, seg, offset, NULL);
	if (r == 0)
		*ret_e = (kin_event *)o;
	return r;
}

void
kin_event_close(kin_event *e)
{
	kn_object_close(e == NULL ? NULL : &e->o);
}

int
kin_event_fd(const kin_event *e)
{
	kn_assert(e != NULL);
	return e->o.seg->fd;
}

const char *
kin_event_label(const kin_event *e)
{
	kn_assert(e != NULL);
	return e->o.placed ? "" : e->o.seg->label;
}

/* ---- set, clear, wait ---- */

static void
set_and_wake(kn_word *w)
{
	if (kn_os_futex_or_wake(w, KN_EVENT_SET, INT_MAX) >= 0)
		return;
	/* As in publish: without the call, in two steps. */
	__atomic_fetch_or(&w->v, KN_EVENT_SET, __ATOMIC_SEQ_CST);
	(void)kn_os_futex_wake(w, INT_MAX);
}

/*
 * An event that is set already is set again, by a swap that changes nothing:
 * or one who clears it at the same time might miss what we did before.
 */
void
kin_event_set(kin_event *e)
{
	uint32_t v;
	int saved;

	kn_assert(e != NULL);
	v = kn_load_relaxed(e->word);
	do {
		if ((v & (KN_EVENT_SET | KN_EVENT_ASLEEP)) == KN_EVENT_ASLEEP) {
			saved = errno;
			set_and_wake(e->word);
			errno = saved;
			return;
		}
	} while (!kn_cas(e->word, &v, v | KN_EVENT_SET));
}

void
kin_event_clear(kin_event *e)
{
	uint32_t v, to;

	kn_assert(e != NULL);
	v = kn_load(e->word);
	do {
		if (!(v & KN_EVENT_SET))
			return;
		/* Who slept has been woken by the set. */
		to = (v & ~(KN_EVENT_SET | KN_EVENT_ASLEEP)) + KN_EVENT_CLEARS;
	} while (!kn_cas(e->word, &v, to));
}

int
kin_event_is_set(const kin_event *e)
{
	kn_assert(e != NULL);
	return (kn_load(e->word) & KN_EVENT_SET) != 0;
}

/* Is it, or was it since the word was first? */
static bool
was_set(uint32_t v, uint32_t first)
{
	return (v & KN_EVENT_SET) ||
	       v / KN_EVENT_CLEARS != first / KN_EVENT_CLEARS;
}

static bool
there(const void *arg, uint32_t v)
{
	const uint32_t *first = arg;

	return was_set(v, *first);
}

/*
 * No wake is ever lost, as a set wakes all; the slice is for kernels without
 * FUTEX_WAKE_OP.
 */
static int
wait_slow(kin_event *e, uint32_t first, kin_time deadline)
{
	for (;;) {
		uint32_t v = kn_load(e->word);
		kin_time now, until;
		int r;

		if (was_set(v, first))
			return 0;
		now = kin_now();
		if (now.ns >= deadline.ns)
			return kn_fail(-ETIMEDOUT, "event '%s' was not set "
				       "until the deadline",
				       kin_event_label(e));
		if (!(v & KN_EVENT_ASLEEP) &&
		    !kn_cas(e->word, &v, v | KN_EVENT_ASLEEP))
			continue;
		until.ns = now.ns + kn_wait_slices.last_ns;
		r = kn_os_futex_wait(e->word, v | KN_EVENT_ASLEEP,
				     until.ns < deadline.ns ? until : deadline);
		if (r < 0 && r != -EAGAIN && r != -EINTR && r != -ETIMEDOUT)
			kn_os_yield();	/* the kernel lets nobody sleep */
	}
}

int
kin_event_wait(kin_event *e, kin_time deadline)
{
	uint32_t first;

	kn_assert(e != NULL);
	first = kn_load(e->word);
	if ((first & KN_EVENT_SET) ||
	    (deadline.ns > 0 &&
	     kn_spin_for(&e->spin, e->word, there, &first, deadline)))
		return 0;
	return wait_slow(e, first, deadline);
}
