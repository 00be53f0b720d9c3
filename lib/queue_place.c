/* SPDX-License-Identifier: MIT */
/*
 * queue_place.c - queues in a segment of the user's own
 *
 *      ├─ header ─┼──────┼─ queue ─┼─ queue ─┼──────────────┤
 *                        offset
 *
 * Such a queue is what one in a segment of its own is, but for its place and a
 * mark, which is written when all else is there.  What tells of its members'
 * lives are bytes of the file by offset, so no two queues have one in common.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/queue.h"
#include "shm/error.h"

/* May there be a queue?  What is left from offset on in *ret_room. */
static int
check_place(const kin_segment *seg, uint64_t offset, uint64_t *ret_room)
{
	uint64_t whole = kin_segment_bytes(seg);

	if (offset % KN_LINE != 0)
		return kn_fail(-EINVAL, "queue at offset %" PRIu64 ", which is "
			       "no multiple of %u", offset, KN_LINE);
	if (offset > whole ||
	    whole - offset < sizeof(struct kn_queue_geometry))
		return kn_fail(-EINVAL, "queue at offset %" PRIu64 " of "
			       "segment '%s', which has %" PRIu64 " bytes",
			       offset, seg->label, whole);
	if (!kin_segment_writable(seg))
		return kn_fail(-EACCES, "queue in segment '%s', which is "
			       "read-only", seg->label);
	*ret_room = whole - offset;
	return 0;
}

static struct kn_queue_geometry *
at(const kin_segment *seg, uint64_t offset)
{
	return (struct kn_queue_geometry *)(void *)
	    ((unsigned char *)kn_segment_body(seg) + offset);
}

static int
take_hold(kin_queue **ret_q, kin_segment *seg, uint64_t offset,
	  const struct kn_queue_geometry *geo)
{
	int r;

	kn_segment_hold(seg);
	r = kn_queue_take_hold(ret_q, seg, offset, geo);
	if (r == 0)
		(*ret_q)->placed = true;
	return r;
}

int
kn_queue_place(kin_queue **ret_q, const struct kin_queue_opts *opts)
{
	struct kn_queue_geometry geo, *there;
	uint64_t room, bytes = kn_queue_lay_out(&geo, opts);
	int r;

	r = check_place(opts->segment, opts->offset, &room);
	if (r < 0)
		return r;
	if (bytes > room)
		return kn_fail(-ENOSPC, "a queue of %" PRIu64 " bytes at "
			       "offset %" PRIu64 " of segment '%s', where %"
			       PRIu64 " are", bytes, opts->offset,
			       opts->segment->label, room);
	there = at(opts->segment, opts->offset);
	if (kn_wide_load(&there->placed) == KN_QUEUE_PLACED)
		return kn_fail(-EEXIST, "there is a queue at offset %" PRIu64
			       " of segment '%s'", opts->offset,
			       opts->segment->label);
	memset(there, 0, bytes);
	*there = geo;
	kn_wide_store(&there->placed, KN_QUEUE_PLACED);
	r = take_hold(ret_q, opts->segment, opts->offset, &geo);
	/* As if it had never been there. */
	if (r < 0)
		kn_wide_store(&there->placed, 0);
	return r;
}

int
kin_queue_attach_at(kin_queue **ret_q, kin_segment *seg, uint64_t offset)
{
	struct kn_queue_geometry geo, *there;
	uint64_t room, bytes;
	int r;

	kn_assert(ret_q != NULL);
	kn_assert(seg != NULL);
	r = check_place(seg, offset, &room);
	if (r < 0)
		return r;
	there = at(seg, offset);
	if (kn_wide_load(&there->placed) != KN_QUEUE_PLACED)
		return kn_fail(-EPROTO, "no queue at offset %" PRIu64 " of "
			       "segment '%s'", offset, seg->label);
	geo = *(volatile struct kn_queue_geometry *)there;
	bytes = kn_queue_bytes(&geo, seg->members);
	if (bytes == 0 || bytes > room)
		return kn_fail(-EUCLEAN, "queue at offset %" PRIu64 " of "
			       "segment '%s': its layout contradicts itself",
			       offset, seg->label);
	return take_hold(ret_q, seg, offset, &geo);
}
