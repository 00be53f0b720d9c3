/* SPDX-License-Identifier: MIT */
/*
 * segment_reap.c - clearing up after the dead in a segment's objects, on request
 */
#include "shm/control.h"
#include "shm/error.h"

int
kin_segment_reap(kin_segment *seg)
{
	struct kn_control *control;
	int r;

	kn_assert(seg != NULL);
	r = kn_control_of(&control, seg);
	return r < 0 ? r : kn_registry_reap(&control->registry, seg->label);
}
