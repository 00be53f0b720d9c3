/* SPDX-License-Identifier: MIT */
/*
 * queue.c - kin_queue: how it lies in memory, making it, taking part
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/queue.h"
#include "shm/control.h"
#include "shm/error.h"
#include "shm/wait.h"

#define BYTES_DEFAULT	65536u
#define BYTES_MAX	((uint64_t)KN_UNITS_MAX * KN_UNIT)
#define MEMBERS_DEFAULT	128u
#define ROOM		4u		/* a putter spins for a quarter of it */

#define FLAGS	(KN_QUEUE_KEPT | KIN_QUEUE_OPEN_OR_CREATE | KN_TRUST)

const struct kn_kind kn_queue_kind = {
	2, KN_QUEUE_LAYOUT, "queue", "a queue"
};

/* ---- its layout ---- */

static uint64_t
up_to(uint64_t n, uint64_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

/* All that is chosen is in geo, and the offsets are worked out; its bytes. */
static uint64_t
lay_out(struct kn_queue_geometry *geo, uint32_t shared)
{
	uint64_t at = sizeof(*geo);
	uint64_t slots = geo->members != 0 ? geo->members : shared;

	geo->roster = geo->members != 0 ? at : 0;
	if (geo->members != 0)
		at += up_to(kn_roster_bytes((uint32_t)geo->members), KN_LINE);
	geo->tasks = geo->flags & KIN_QUEUE_TASKS ? at : 0;
	if (geo->flags & KIN_QUEUE_TASKS)
		at += up_to(sizeof(struct kn_tasks) +
			    slots * sizeof(struct kn_owed), KN_LINE);
	geo->ring = at;
	geo->bytes = at + sizeof(struct kn_ring_shared);
	return geo->bytes + geo->units * KN_UNIT;
}

/* How many members the control part has of the segment that it is to be in. */
static uint32_t
shared_members(const struct kin_queue_opts *opts)
{
	return opts->segment != NULL ? opts->segment->members : 0;
}

uint64_t
kn_queue_lay_out(struct kn_queue_geometry *geo,
		 const struct kin_queue_opts *opts)
{
	*geo = (struct kn_queue_geometry){
		.units = KN_UNIT,
		.members = opts->members,
		.spin_ns = opts->spin_ns,
		.most = opts->messages,
		.flags = opts->flags & KN_QUEUE_KEPT,
	};
	while (geo->units * KN_UNIT < opts->bytes)
		geo->units *= 2;
	return lay_out(geo, shared_members(opts));
}

uint64_t
kn_queue_bytes(const struct kn_queue_geometry *geo, uint32_t shared)
{
	struct kn_queue_geometry right = *geo;
	uint64_t bytes;

	if (geo->units < KN_UNIT || geo->units > KN_UNITS_MAX ||
	    (geo->units & (geo->units - 1)) != 0 ||
	    geo->members > KN_SLOTS_MAX ||
	    (geo->members == 0) != (shared != 0) ||
	    (geo->flags & ~(uint64_t)KN_QUEUE_KEPT) != 0 ||
	    geo->spin_ns < KIN_SPIN_NEVER)
		return 0;
	bytes = lay_out(&right, shared);
	return right.roster == geo->roster && right.tasks == geo->tasks &&
	       right.ring == geo->ring && right.bytes == geo->bytes ? bytes : 0;
}

int
kn_queue_check(const struct kn_queue_geometry *geo, uint32_t shared,
	       uint64_t body_bytes)
{
	if (kn_queue_bytes(geo, shared) != body_bytes)
		return kn_fail(-EUCLEAN, "queue: its layout contradicts "
			       "itself");
	return 0;
}

/* ---- taking part ---- */

/*
 * Of the dead, only latches need freeing, and that only so that sleepers need
 * not find out; sleepers of the commit words are woken because the dead one
 * may have absorbed a wake that was meant for one of them.  What it owed counts
 * for nothing once its slot is free; whoever waits for that is told now, too,
 * so it is taken back before.
 */
static void
repair(void *arg, uint32_t stamp)
{
	struct kin_queue *q = arg;
	struct kn_ring_shared *shared = q->ring.shared;

	if (kn_latch_repair(&shared->put.latch, stamp))
		kn_wide_add(&shared->put.takeovers, 1);
	if (kn_latch_repair(&shared->get.latch, stamp))
		kn_wide_add(&shared->get.takeovers, 1);
	kn_wait_wake(&shared->put.commit);
	kn_wait_wake(&shared->get.commit);
	if (q->tasks == NULL)
		return;
	(void)kn_pay(&q->tasks->owed[kn_stamp_slot(stamp)], stamp, UINT64_MAX);
	kn_wait_stir(&q->tasks->join);
}

int
kn_queue_spoilt_before(const kin_queue *q)
{
	return kn_fail(-EUCLEAN, "queue '%s' was found spoilt before",
		       q->seg->label);
}

/* Joining anew, we may have been moved to other CPUs, too. */
int __attribute__((noinline))
kn_queue_enter_slow(kin_queue *q)
{
	int r;

	if (kn_queue_spoilt(q))
		return kn_queue_spoilt_before(q);
	r = kn_registry_join(q->reg);
	if (r < 0)
		return r;
	kn_spin_init(&q->put_spin, q->spin_ns);
	kn_spin_init(&q->get_spin, q->spin_ns);
	return 0;
}

/* The ring, as this process sees it. */
static void
open_ring(kin_queue *q, unsigned char *body)
{
	const struct kn_queue_geometry *geo = &q->geo;
	uint64_t far = geo->units / ROOM;

	if (geo->most != 0 && geo->most / ROOM < far)
		far = geo->most / ROOM;
	q->far = far > 0 ? (uint32_t)far : 1;
	q->spin_ns = geo->spin_ns;
	q->fails = geo->flags & KIN_QUEUE_FAIL;
	q->ring.shared = (struct kn_ring_shared *)(void *)(body + geo->ring);
	q->ring.bytes = body + geo->bytes;
	q->ring.units = (uint32_t)geo->units;
	q->ring.limit = kn_ring_limit((uint32_t)geo->units);
	q->ring.most = geo->most;
	q->ring.drops = geo->flags & KIN_QUEUE_DROP_OLDEST;
	if (geo->tasks == 0)
		return;
	q->tasks = (struct kn_tasks *)(void *)(body + geo->tasks);
	q->ring.owed = q->tasks->owed;
}

static int
open_registry(kin_queue *q, unsigned char *body)
{
	const struct kn_queue_geometry *geo = &q->geo;
	struct kn_control *control;
	int r;

	if (geo->members == 0) {
		r = kn_control_of(&control, q->seg);
		if (r < 0)
			return r;
		q->reg = &control->registry;
		/* Others may have joined it, and we have no spins yet. */
		return kn_queue_enter_slow(q);
	}
	q->reg = &q->registry;
	r = kn_registry_init(&q->registry,
			     (struct kn_roster *)(void *)(body + geo->roster),
			     q->seg->body_at + q->offset + geo->roster,
			     (uint32_t)geo->members, q->seg->fd, repair, q);
	q->registry.name = q->seg->name;
	return r < 0 ? r : kn_queue_enter(q);
}

int
kn_queue_take_hold(kin_queue **ret_q, kin_segment *seg, uint64_t offset,
		   const struct kn_queue_geometry *geo)
{
	unsigned char *body = (unsigned char *)kn_segment_body(seg) + offset;
	kin_queue *q;
	int r;

	q = calloc(1, sizeof(*q));
	if (q == NULL) {
		kin_segment_close(seg);
		return kn_fail(-ENOMEM, "queue handle");
	}
	q->seg = seg;
	q->offset = offset;
	q->geo = *geo;
	open_ring(q, body);
	r = open_registry(q, body);
	if (r < 0) {
		kin_queue_close(q);
		return r;
	}
	*ret_q = q;
	return 0;
}

/* ---- making and joining ---- */

/* What cannot be had together; NULL = nothing. */
static const char *
contradiction(const struct kin_queue_opts *opts)
{
	if (opts->segment == NULL && opts->offset != 0)
		return "an offset, but no segment";
	if (opts->segment != NULL && opts->label != NULL)
		return "in a segment it has that one's label";
	if (opts->segment != NULL && opts->name != NULL)
		return "in a segment it has no name of its own";
	if (opts->segment != NULL && opts->segment->members != 0 &&
	    opts->members != 0)
		return "in a segment with members it has those";
	if (opts->name == NULL &&
	    (opts->flags & (KIN_QUEUE_OPEN_OR_CREATE | KN_TRUST)))
		return "nothing to open: it has no name";
	if (opts->name == NULL && opts->mode != 0)
		return "a mode, but no name";
	if ((opts->flags & KIN_QUEUE_FAIL) &&
	    (opts->flags & KIN_QUEUE_DROP_OLDEST))
		return "full, it either fails or drops";
	return NULL;
}

static int
check_opts(const struct kin_queue_opts *opts)
{
	const char *wrong = contradiction(opts);

	if ((opts->flags & ~FLAGS) != 0 || opts->reserved != 0 ||
	    (opts->mode & ~0777u) != 0 || opts->reserved2 != 0)
		return kn_fail(-EINVAL, "queue: flags %#x, mode %04o, reserved "
			       "%#x and %#x", opts->flags, opts->mode,
			       opts->reserved, opts->reserved2);
	if (wrong != NULL)
		return kn_fail(-EINVAL, "queue: %s", wrong);
	if (opts->spin_ns < KIN_SPIN_NEVER)
		return kn_fail(-EINVAL, "queue: spin_ns of %" PRId64,
			       opts->spin_ns);
	if (opts->bytes > BYTES_MAX)
		return kn_fail(-EINVAL, "queue of %" PRIu64 " bytes; %" PRIu64
			       " at most", opts->bytes, BYTES_MAX);
	if (opts->members > KN_SLOTS_MAX)
		return kn_fail(-EINVAL, "queue of %u members; %u at most",
			       opts->members, KN_SLOTS_MAX);
	return 0;
}

int
kn_queue_opts(struct kin_queue_opts *ret, const struct kin_queue_opts *user)
{
	int r;

	r = kn_opts_copy(ret, sizeof(*ret), user);
	if (r == 0)
		r = check_opts(ret);
	if (r < 0)
		return r;
	if (ret->bytes == 0)
		ret->bytes = BYTES_DEFAULT;
	if (ret->members == 0 && shared_members(ret) == 0)
		ret->members = MEMBERS_DEFAULT;
	return 0;
}

size_t
kin_queue_room(const struct kin_queue_opts *user)
{
	struct kn_queue_geometry geo;
	struct kin_queue_opts opts;

	if (kn_queue_opts(&opts, user) < 0)
		return 0;
	return (size_t)kn_queue_lay_out(&geo, &opts);
}

int
kn_queue_make(kin_queue **ret_q, const struct kin_queue_opts *opts)
{
	struct kn_queue_geometry geo;
	struct kn_segment_plan plan = {
		.kind = &kn_queue_kind,
		.body_bytes = kn_queue_lay_out(&geo, opts),
		.name = opts->name,
		.label = opts->label,
		.flags = opts->flags & KN_TRUST,
		.mode = opts->mode,
	};
	kin_segment *seg;
	int r;

	r = kn_segment_make(&seg, &plan);
	if (r < 0)
		return r;
	/* All else begins as zeros. */
	*(struct kn_queue_geometry *)kn_segment_body(seg) = geo;
	r = kn_segment_publish(seg, &plan);
	if (r < 0) {
		kin_segment_close(seg);
		return r;
	}
	return kn_queue_take_hold(ret_q, seg, 0, &geo);
}

int
kin_queue_create(kin_queue **ret_q, const struct kin_queue_opts *user)
{
	struct kin_queue_opts opts;
	int r;

	kn_assert(ret_q != NULL);
	r = kn_queue_opts(&opts, user);
	if (r < 0)
		return r;
	if (opts.segment != NULL)
		return kn_queue_place(ret_q, &opts);
	return opts.name != NULL ? kn_queue_create_named(ret_q, &opts)
				 : kn_queue_make(ret_q, &opts);
}

int
kn_queue_adopt(kin_queue **ret_q, kin_segment *seg)
{
	struct kn_queue_geometry geo;
	int r;

	if (seg->body_bytes >= sizeof(geo)) {
		geo = *(volatile struct kn_queue_geometry *)
		    kn_segment_body(seg);
		r = kn_queue_check(&geo, seg->members, seg->body_bytes);
	} else {
		r = kn_fail(-EUCLEAN, "queue '%s' of %zu bytes", seg->label,
			    seg->body_bytes);
	}
	if (r < 0) {
		kin_segment_close(seg);
		return r;
	}
	return kn_queue_take_hold(ret_q, seg, 0, &geo);
}

int
kin_queue_attach(kin_queue **ret_q, int fd)
{
	kin_segment *seg;
	int r;

	kn_assert(ret_q != NULL);
	r = kn_segment_attach(&seg, fd, &kn_queue_kind);
	return r < 0 ? r : kn_queue_adopt(ret_q, seg);
}

/* What this handle owes is another's no more. */
static void
write_off(kin_queue *q)
{
	uint32_t stamp = q->reg->party.stamp;
	uint64_t of = kn_wide_load(&q->owed.of);

	if (!kn_registry_joined(q->reg) || (uint32_t)of != stamp || of >> 32 == 0)
		return;
	(void)kn_pay(&q->tasks->owed[kn_stamp_slot(stamp)], stamp, of >> 32);
	kn_wait_stir(&q->tasks->join);
}

/* Takes a queue in any state that taking hold can leave it in. */
void
kin_queue_close(kin_queue *q)
{
	if (q == NULL)
		return;
	if (q->tasks != NULL && q->reg != NULL)
		write_off(q);
	kn_registry_leave(&q->registry);
	kin_segment_close(q->seg);
	free(q);
}
