/* SPDX-License-Identifier: MIT */
/*
 * queue.h - the layout of a queue's body, for the queue and for those who look
 *
 *      0          64        roster            ring        bytes
 *      ├─ geometry ─┼─ roster ─┼─ two sides ───┼─ units ────┤
 */
#ifndef KN_QUEUE_H
#define KN_QUEUE_H

#include <kin/queue.h>

#include "lib/ring.h"
#include "shm/registry.h"
#include "shm/segment.h"

/* Written once, when the queue is made; offsets are from the body's begin. */
struct kn_queue_geometry {
	uint64_t roster;
	uint64_t ring;
	uint64_t bytes;
	uint64_t units;
	uint64_t members;
	int64_t spin_ns;
	kn_wide placed;			/* KN_QUEUE_PLACED, in a segment of the
					   user's; written last.  Else 0 */
	uint64_t zero;
};

#define KN_QUEUE_PLACED	(0x75716e696bull << 24 | 1)	/* "kinqu", layout */

_Static_assert(sizeof(struct kn_queue_geometry) == 64, "layout");

extern const struct kn_kind kn_queue_kind;

/* -EUCLEAN: that is no queue of so many bytes.  geo is a private copy. */
int kn_queue_check(const struct kn_queue_geometry *geo, uint64_t body_bytes);

/* Its bytes, or 0: it contradicts itself. */
uint64_t kn_queue_bytes(const struct kn_queue_geometry *geo);

/* The body's offsets, from checked options; its bytes. */
uint64_t kn_queue_lay_out(struct kn_queue_geometry *geo,
			  const struct kin_queue_opts *opts);

/* A handle on seg at offset, which becomes its own, or is closed. */
int kn_queue_take_hold(kin_queue **ret_q, kin_segment *seg, uint64_t offset,
		       const struct kn_queue_geometry *geo);

/* lib/queue_place.c: opts were checked, and say where. */
int kn_queue_place(kin_queue **ret_q, const struct kin_queue_opts *opts);

struct kin_queue {
	struct kn_registry registry;
	struct kn_ring ring;
	struct kn_spin put_spin, get_spin;
	int64_t spin_ns;
	uint32_t spoilt;		/* sticky, for this handle */
	bool placed;			/* seg is the user's, too */
	uint64_t offset;		/* in its body */
	kin_segment *seg;
};

#endif
