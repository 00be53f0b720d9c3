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
	uint64_t zero[2];
};

_Static_assert(sizeof(struct kn_queue_geometry) == 64, "layout");

extern const struct kn_kind kn_queue_kind;

/* -EUCLEAN: that is no queue of so many bytes.  geo is a private copy. */
int kn_queue_check(const struct kn_queue_geometry *geo, uint64_t body_bytes);

struct kin_queue {
	struct kn_registry registry;
	struct kn_ring ring;
	struct kn_spin put_spin, get_spin;
	int64_t spin_ns;
	uint32_t spoilt;		/* sticky, for this handle */
	kin_segment *seg;
};

#endif
