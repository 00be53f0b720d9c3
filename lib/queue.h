/* SPDX-License-Identifier: MIT */
/*
 * queue.h - the layout of a queue's body, for the queue and for those who look
 *
 *      0          128      roster     tasks         ring       bytes
 *      ├─ geometry ─┼─ roster ─┼─ owed ──┼─ join ───┼─ two sides ─┼─ units ──┤
 *
 * One that was placed in a segment with a control part has no roster: its
 * members are that one's.  One without KIN_QUEUE_TASKS has no tasks.
 */
#ifndef KN_QUEUE_H
#define KN_QUEUE_H

#include <kin/queue.h>

#include "lib/ring.h"
#include "shm/registry.h"
#include "shm/segment.h"

/* Written once, when the queue is made; offsets are from the body's begin. */
struct kn_queue_geometry {
	uint64_t roster;		/* 0: the control part's */
	uint64_t tasks;			/* struct kn_tasks; 0 = none */
	uint64_t ring;
	uint64_t bytes;
	uint64_t units;
	uint64_t members;		/* of the roster */
	kn_wide placed;			/* KN_QUEUE_PLACED, in a segment of the
					   user's; written last.  Else 0 */
	int64_t spin_ns;
	uint64_t most;			/* messages; 0 = any number */
	uint64_t flags;			/* KN_QUEUE_KEPT */
	uint64_t zero[6];
};

#define KN_QUEUE_LAYOUT	2u
#define KN_QUEUE_PLACED	(0x75716e696bull << 24 | KN_QUEUE_LAYOUT) /* "kinqu" */
/* Of the user's flags, those that say what a queue is. */
#define KN_QUEUE_KEPT							\
	(KIN_QUEUE_FAIL | KIN_QUEUE_DROP_OLDEST | KIN_QUEUE_TASKS)

_Static_assert(sizeof(struct kn_queue_geometry) == 128, "layout");
_Static_assert(offsetof(struct kn_queue_geometry, placed) == 48, "layout");

/* Who waits until all is done, and who owes what: by slot. */
struct kn_tasks {
	kn_word join;			/* 0; or the waiter bit: somebody waits */
	uint8_t zero[60];
	struct kn_owed owed[];
};

_Static_assert(sizeof(struct kn_tasks) == 64, "layout");

extern const struct kn_kind kn_queue_kind;

/*
 * -EUCLEAN: that is no queue of so many bytes.  geo is a private copy; shared
 * is how many members the segment's control part has, or 0.
 */
int kn_queue_check(const struct kn_queue_geometry *geo, uint32_t shared,
		   uint64_t body_bytes);

/* Its bytes, or 0: it contradicts itself. */
uint64_t kn_queue_bytes(const struct kn_queue_geometry *geo, uint32_t shared);

/* Options, checked, with what stands for nothing filled in. */
int kn_queue_opts(struct kin_queue_opts *ret,
		  const struct kin_queue_opts *user);

/* The body's offsets, from checked options; its bytes. */
uint64_t kn_queue_lay_out(struct kn_queue_geometry *geo,
			  const struct kin_queue_opts *opts);

/* A handle on seg at offset, which becomes its own, or is closed. */
int kn_queue_take_hold(kin_queue **ret_q, kin_segment *seg, uint64_t offset,
		       const struct kn_queue_geometry *geo);

/* The queue that fills seg, which becomes its own, or is closed. */
int kn_queue_adopt(kin_queue **ret_q, kin_segment *seg);

/* lib/queue_place.c: opts were checked, and say where. */
int kn_queue_place(kin_queue **ret_q, const struct kin_queue_opts *opts);

/* lib/queue_name.c: opts were checked, and say by which name. */
int kn_queue_create_named(kin_queue **ret_q,
			  const struct kin_queue_opts *opts);

/* One in a segment of its own, with that name or without any. */
int kn_queue_make(kin_queue **ret_q, const struct kin_queue_opts *opts);

struct kin_queue {
	struct kn_registry *reg;	/* who takes part: ours, or the control
					   part's */
	struct kn_ring ring;
	struct kn_spin put_spin, get_spin;
	uint32_t far;			/* a putter spins for so much room */
	uint32_t spoilt;		/* sticky, for this handle */
	bool fails;			/* at once, where it is full */
	bool placed;			/* seg is the user's, too */
	int64_t spin_ns;
	struct kn_tasks *tasks;		/* NULL: it keeps none */
	struct kn_owed owed;		/* by this handle, in this process */
	struct kn_queue_geometry geo;
	uint64_t offset;		/* in its body */
	kin_segment *seg;
	struct kn_registry registry;
};

/* ---- lib/queue.c: taking part ---- */

int kn_queue_enter_slow(kin_queue *q);
int kn_queue_spoilt_before(const kin_queue *q);

static inline bool
kn_queue_spoilt(const kin_queue *q)
{
	return __atomic_load_n(&q->spoilt, __ATOMIC_RELAXED) != 0;
}

/* In this process, from now on if not yet; and it was not found spoilt. */
static inline int
kn_queue_enter(kin_queue *q)
{
	if (kn_likely(kn_registry_joined(q->reg) && !kn_queue_spoilt(q)))
		return 0;
	return kn_queue_enter_slow(q);
}

/* ---- what is known of it ---- */

/* Messages put and not reported as done; -EUCLEAN. */
int kn_queue_unfinished(const kin_queue *q, uint64_t *ret);

/* In bytes, from what producers have noted and what is in use now. */
uint64_t kn_queue_high(uint32_t high, uint32_t used, uint32_t units);

/* ---- lib/queue_io.c: what all that put, and all that get, share ---- */

#define KN_QUEUE_SWEEP	4u		/* members looked at after a slice */

/* The sentence for a number that the ring or a latch came back with. */
int kn_queue_failed(kin_queue *q, int r, const char *timeout);

/*
 * After a try that came back with KN_RING_WAIT or KN_RING_FULL: wait for the
 * other side to move.  0: try again; or what the call fails with.
 */
int kn_queue_wait_room(kin_queue *q, struct kn_wait *wait, int r,
		       uint32_t seen, kin_time deadline);
int kn_queue_wait_message(kin_queue *q, struct kn_wait *wait, uint32_t seen,
			  kin_time deadline);

/* The end of a wait that slept, however it ended. */
void kn_queue_waited_room(kin_queue *q, const struct kn_wait *wait);
void kn_queue_waited_message(kin_queue *q, const struct kn_wait *wait);

static inline void
kn_queue_begin_get(kin_queue *q, struct kn_wait *wait)
{
	kn_wait_begin(wait, &q->get_spin, 1);
	wait->settles = true;		/* who moves the tail looks at shut */
}

#endif
