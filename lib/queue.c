/* SPDX-License-Identifier: MIT */
/*
 * queue.c - kin_queue: a ring, a latch for each side, and waiting for the other
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/queue.h"
#include "shm/error.h"
#include "shm/wait.h"

#define BYTES_DEFAULT	65536u
#define BYTES_MAX	((uint64_t)KN_UNITS_MAX * KN_UNIT)
#define MEMBERS_DEFAULT	128u
#define ROOM		4u		/* a putter spins for a quarter of it */
#define SWEEP		4u		/* members looked at after a slice */

const struct kn_kind kn_queue_kind = { 2, 1, "queue", "a queue" };

/* ---- making and joining ---- */

static uint64_t
up_to(uint64_t n, uint64_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

static uint64_t
lay_out(struct kn_queue_geometry *geo, uint64_t bytes, uint32_t members,
	int64_t spin_ns)
{
	uint64_t units = KN_UNIT;

	while (units * KN_UNIT < bytes)
		units *= 2;
	*geo = (struct kn_queue_geometry){
		.roster = sizeof(*geo),
		.units = units,
		.members = members,
		.spin_ns = spin_ns,
	};
	geo->ring = up_to(geo->roster + kn_roster_bytes(members), KN_LINE);
	geo->bytes = geo->ring + sizeof(struct kn_ring_shared);
	return geo->bytes + units * KN_UNIT;
}

uint64_t
kn_queue_lay_out(struct kn_queue_geometry *geo,
		 const struct kin_queue_opts *opts)
{
	return lay_out(geo, opts->bytes, opts->members, opts->spin_ns);
}

uint64_t
kn_queue_bytes(const struct kn_queue_geometry *geo)
{
	struct kn_queue_geometry right;
	uint64_t bytes;

	if (geo->units < KN_UNIT || geo->units > KN_UNITS_MAX ||
	    (geo->units & (geo->units - 1)) != 0 || geo->members == 0 ||
	    geo->members > KN_SLOTS_MAX || geo->spin_ns < KIN_SPIN_NEVER)
		return 0;
	bytes = lay_out(&right, geo->units * KN_UNIT, (uint32_t)geo->members,
			geo->spin_ns);
	return right.roster == geo->roster && right.ring == geo->ring &&
	       right.bytes == geo->bytes ? bytes : 0;
}

int
kn_queue_check(const struct kn_queue_geometry *geo, uint64_t body_bytes)
{
	if (kn_queue_bytes(geo) != body_bytes)
		return kn_fail(-EUCLEAN, "queue: its layout contradicts "
			       "itself");
	return 0;
}

/*
 * Of the dead, only latches need freeing, and that only so that sleepers need
 * not find out; sleepers of the commit words are woken because the dead one
 * may have absorbed a wake that was meant for one of them.
 */
static void
repair(void *arg, uint32_t stamp)
{
	struct kn_ring_shared *shared = arg;

	kn_latch_repair(&shared->put.latch, stamp);
	kn_latch_repair(&shared->get.latch, stamp);
	kn_wait_wake(&shared->put.commit);
	kn_wait_wake(&shared->get.commit);
}

static inline bool
is_spoilt(const kin_queue *q)
{
	return __atomic_load_n(&q->spoilt, __ATOMIC_RELAXED) != 0;
}

static int
spoilt_before(const kin_queue *q)
{
	return kn_fail(-EUCLEAN, "queue '%s' was found spoilt before",
		       q->seg->label);
}

/* Joining anew, we may have been moved to other CPUs, too. */
static int __attribute__((noinline))
join_slow(kin_queue *q)
{
	int r;

	if (is_spoilt(q))
		return spoilt_before(q);
	r = kn_registry_join(&q->registry);
	if (r < 0)
		return r;
	kn_spin_init(&q->put_spin, q->spin_ns);
	kn_spin_init(&q->get_spin, q->spin_ns);
	return 0;
}

static inline int
join(kin_queue *q)
{
	if (kn_likely(kn_registry_joined(&q->registry) && !is_spoilt(q)))
		return 0;
	return join_slow(q);
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
	q->spin_ns = geo->spin_ns;
	q->ring.shared = (struct kn_ring_shared *)(void *)(body + geo->ring);
	q->ring.bytes = body + geo->bytes;
	q->ring.units = (uint32_t)geo->units;
	q->ring.limit = kn_ring_limit((uint32_t)geo->units);
	r = kn_registry_init(&q->registry,
			     (struct kn_roster *)(void *)(body + geo->roster),
			     seg->body_at + offset + geo->roster,
			     (uint32_t)geo->members,
			     seg->fd, repair, q->ring.shared);
	q->registry.name = seg->name;
	if (r == 0)
		r = join(q);
	if (r < 0) {
		kin_queue_close(q);
		return r;
	}
	*ret_q = q;
	return 0;
}

static int
check_place(const struct kin_queue_opts *opts)
{
	if (opts->segment == NULL && opts->offset != 0)
		return kn_fail(-EINVAL, "queue: an offset, but no segment");
	if (opts->segment != NULL && opts->label != NULL)
		return kn_fail(-EINVAL, "queue: in a segment it has that one's "
			       "label");
	return 0;
}

static int
check_opts(struct kin_queue_opts *opts)
{
	if (opts->flags != 0 || opts->reserved != 0)
		return kn_fail(-EINVAL, "queue: flags %#x, reserved %#x",
			       opts->flags, opts->reserved);
	if (opts->spin_ns < KIN_SPIN_NEVER)
		return kn_fail(-EINVAL, "queue: spin_ns of %" PRId64,
			       opts->spin_ns);
	if (opts->bytes == 0)
		opts->bytes = BYTES_DEFAULT;
	if (opts->members == 0)
		opts->members = MEMBERS_DEFAULT;
	if (opts->bytes > BYTES_MAX)
		return kn_fail(-EINVAL, "queue of %" PRIu64 " bytes; %" PRIu64
			       " at most", opts->bytes, BYTES_MAX);
	if (opts->members > KN_SLOTS_MAX)
		return kn_fail(-EINVAL, "queue of %u members; %u at most",
			       opts->members, KN_SLOTS_MAX);
	return check_place(opts);
}

size_t
kin_queue_room(const struct kin_queue_opts *user)
{
	struct kn_queue_geometry geo;
	struct kin_queue_opts opts;

	if (kn_opts_copy(&opts, sizeof(opts), user) < 0 ||
	    check_opts(&opts) < 0)
		return 0;
	return (size_t)kn_queue_lay_out(&geo, &opts);
}

int
kin_queue_create(kin_queue **ret_q, const struct kin_queue_opts *user)
{
	struct kn_queue_geometry geo;
	struct kn_segment_plan plan = { .kind = &kn_queue_kind };
	struct kin_queue_opts opts;
	kin_segment *seg;
	int r;

	kn_assert(ret_q != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r == 0)
		r = check_opts(&opts);
	if (r < 0)
		return r;
	if (opts.segment != NULL)
		return kn_queue_place(ret_q, &opts);
	plan.body_bytes = lay_out(&geo, opts.bytes, opts.members,
				  opts.spin_ns);
	plan.label = opts.label;
	r = kn_segment_make(&seg, &plan);
	if (r < 0)
		return r;
	/* All else begins as zeros. */
	*(struct kn_queue_geometry *)kn_segment_body(seg) = geo;
	return kn_queue_take_hold(ret_q, seg, 0, &geo);
}

int
kin_queue_attach(kin_queue **ret_q, int fd)
{
	struct kn_queue_geometry geo;
	kin_segment *seg;
	int r;

	kn_assert(ret_q != NULL);
	r = kn_segment_attach(&seg, fd, &kn_queue_kind);
	if (r < 0)
		return r;
	if (seg->body_bytes >= sizeof(geo)) {
		geo = *(volatile struct kn_queue_geometry *)
		    kn_segment_body(seg);
		r = kn_queue_check(&geo, seg->body_bytes);
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

/* Takes a queue in any state that taking hold can leave it in. */
void
kin_queue_close(kin_queue *q)
{
	if (q == NULL)
		return;
	kn_registry_leave(&q->registry);
	kin_segment_close(q->seg);
	free(q);
}

/* ---- put, get, shutdown ---- */

/* The sentence for a number that the ring or a latch came back with. */
static int
failed(kin_queue *q, int r, const char *timeout)
{
	switch (r) {
	case -ETIMEDOUT:
		return kn_fail(r, "queue '%s' %s until the deadline",
			       q->seg->label, timeout);
	case -EPIPE:
		return kn_fail(r, "queue '%s' was shut down", q->seg->label);
	case -EBUSY:	/* a latch; the word may have changed since */
		return kn_fail(-ETIMEDOUT, "queue '%s': another process, at "
			       "work or stopped in it, was in the way until "
			       "the deadline", q->seg->label);
	case -EDEADLK:
		return kn_fail(r, "queue '%s': called from a signal handler "
			       "that interrupted a call", q->seg->label);
	case -EUCLEAN:	/* whoever found it out has said what is wrong */
		__atomic_store_n(&q->spoilt, 1, __ATOMIC_RELAXED);
		return r;
	default:
		return r;
	}
}

/* One try, then a sleep until the other side moves; again and again. */
static int
put(kin_queue *q, const void *msg, uint32_t len, kin_time deadline,
    struct kn_wait *wait)
{
	struct kn_ring_shared *shared = q->ring.shared;
	struct kn_party *me = &q->registry.party;
	uint32_t seen, passed = ~0u;
	int r;

	for (;;) {
		r = kn_ring_put(&q->ring, me, msg, len, &seen, deadline);
		if (kn_likely(r != KN_RING_WAIT))
			return r;
		/* Woken for room that is not enough for us: it may be for
		 * another.  Once for each head, or two of us would wake each
		 * other for ever; and once is enough, as the kernel wakes
		 * first who has slept longest. */
		if (wait->woken && seen != passed) {
			passed = seen;
			wait->woken = false;
			kn_wait_pass(&shared->get.commit);
		}
		r = kn_wait_move(wait, &shared->get.commit, seen,
				 &shared->put.shut, deadline);
		if (r < 0)
			return r;
		if (r > 0)
			kn_registry_sweep(&q->registry, SWEEP);
	}
}

int
kin_queue_put(kin_queue *q, const void *msg, size_t len, kin_time deadline)
{
	struct kn_wait wait;
	int r;

	kn_assert(q != NULL);
	kn_assert(msg != NULL || len == 0);
	if (kn_unlikely(len > q->ring.limit))
		return kn_fail(-EMSGSIZE, "message of %zu bytes; queue '%s' "
			       "takes %u", len, q->seg->label, q->ring.limit);
	if (msg == NULL)
		msg = "";
	r = join(q);
	if (kn_unlikely(r < 0))
		return r;
	wait = kn_wait_begin(&q->put_spin, q->ring.units / ROOM);
	r = put(q, msg, (uint32_t)len, deadline, &wait);
	if (kn_unlikely(wait.woken))
		kn_wait_end(&wait, &q->ring.shared->get.commit,
			    kn_ring_full_head(&q->ring),
			    &q->ring.shared->put.shut);
	return kn_likely(r == 0) ? 0 : failed(q, r, "had no room");
}

static int
get(kin_queue *q, void *buf, size_t cap, uint32_t *ret_len, kin_time deadline,
    struct kn_wait *wait)
{
	struct kn_ring_shared *shared = q->ring.shared;
	struct kn_party *me = &q->registry.party;
	uint32_t seen;
	int r;

	for (;;) {
		r = kn_ring_get(&q->ring, me, buf, cap, ret_len, &seen,
				deadline);
		if (kn_likely(r != KN_RING_WAIT))
			return r;
		r = kn_wait_move(wait, &shared->put.commit, seen,
				 &shared->put.shut, deadline);
		if (r < 0)
			return r;
		if (r > 0)
			kn_registry_sweep(&q->registry, SWEEP);
	}
}

ssize_t
kin_queue_get(kin_queue *q, void *buf, size_t cap, kin_time deadline)
{
	struct kn_wait wait;
	char nothing;
	uint32_t len;
	int r;

	kn_assert(q != NULL);
	kn_assert(buf != NULL || cap == 0);
	if (buf == NULL)
		buf = &nothing;
	r = join(q);
	if (kn_unlikely(r < 0))
		return r;
	wait = kn_wait_begin(&q->get_spin, 1);
	wait.settles = true;		/* who moves the tail looks at shut */
	r = get(q, buf, cap, &len, deadline, &wait);
	if (kn_unlikely(wait.woken))
		kn_wait_end(&wait, &q->ring.shared->put.commit,
			    kn_ring_empty_tail(&q->ring),
			    &q->ring.shared->put.shut);
	if (kn_likely(r == 0))
		return len;
	if (r == -EMSGSIZE)
		return kn_fail(r, "message of %u bytes in queue '%s', buffer "
			       "of %zu", len, q->seg->label, cap);
	return failed(q, r, "stayed empty");
}

/*
 * Under the putters' latch: a put that has seen the queue open has moved the
 * tail when we set the word, so a getter that sees it set and nothing there
 * knows that nothing will come.  Sleepers are woken under the latch of the
 * word that they sleep on; a getter that is stopped in the middle does not
 * hold us up, and putters then learn it at their slice's end.  So does a putter
 * that is about to sleep when another one sets the bit again: see wait.h.
 */
int
kin_queue_shutdown(kin_queue *q, kin_time deadline)
{
	struct kn_ring_shared *shared;
	struct kn_sentence sentence;
	struct kn_party *me;
	int r;

	kn_assert(q != NULL);
	r = join(q);
	if (r < 0)
		return r;
	shared = q->ring.shared;
	me = &q->registry.party;
	r = kn_latch_take(&shared->put.latch, me, deadline);
	if (r < 0)
		return failed(q, r, "");
	kn_store(&shared->put.shut, 1);
	kn_wait_stir(&shared->put.commit);
	kn_latch_release(&shared->put.latch, me);

	kn_sentence_save(&sentence);
	if (kn_latch_take(&shared->get.latch, me, KIN_NOWAIT) >= 0) {
		kn_wait_stir(&shared->get.commit);
		kn_latch_release(&shared->get.latch, me);
	} else {
		kn_wait_wake(&shared->get.commit);
		kn_sentence_restore(&sentence);
	}
	return 0;
}

int
kin_queue_reap(kin_queue *q)
{
	kn_assert(q != NULL);
	if (is_spoilt(q))
		return spoilt_before(q);
	return kn_registry_reap(&q->registry, q->seg->label);
}

/* ---- what there is to know ---- */

ssize_t
kin_queue_len(kin_queue *q)
{
	int64_t len;

	kn_assert(q != NULL);
	if (is_spoilt(q))
		return spoilt_before(q);
	len = kn_ring_len(&q->ring);
	return len < 0 ? failed(q, (int)len, "") : (ssize_t)len;
}

size_t
kin_queue_limit(const kin_queue *q)
{
	kn_assert(q != NULL);
	return q->ring.limit;
}

int
kin_queue_fd(const kin_queue *q)
{
	kn_assert(q != NULL);
	return q->seg->fd;
}

const char *
kin_queue_label(const kin_queue *q)
{
	kn_assert(q != NULL);
	return q->seg->label;
}
