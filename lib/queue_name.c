/* SPDX-License-Identifier: MIT */
/*
 * queue_name.c - queues with a name
 */
#include <errno.h>
#include <string.h>

#include "lib/queue.h"
#include "shm/error.h"
#include "shm/names.h"

#define TRIES		100		/* to open or create */

static int
open_named(kin_queue **ret_q, const char *name, uint32_t flags)
{
	struct kn_segment_plan plan = { .kind = &kn_queue_kind, .name = name };
	kin_segment *seg;
	int r;

	r = kn_names_check(name);
	if (r == 0)
		r = kn_segment_find(&seg, &plan, flags);
	return r < 0 ? r : kn_queue_adopt(ret_q, seg);
}

int
kin_queue_open_with(kin_queue **ret_q, const char *name,
		    const struct kin_segment_use *user)
{
	struct kin_segment_use use;
	int r;

	kn_assert(ret_q != NULL);
	kn_assert(name != NULL);
	r = kn_opts_copy(&use, sizeof(use), user);
	if (r < 0)
		return r;
	if ((use.flags & ~KN_TRUST) != 0)
		return kn_fail(-EINVAL, "queue: use %#x", use.flags);
	return open_named(ret_q, name, use.flags);
}

int
kin_queue_open(kin_queue **ret_q, const char *name)
{
	return kin_queue_open_with(ret_q, name, NULL);
}

int
kin_queue_unlink(const char *name)
{
	return kin_segment_unlink(name);
}

/* One that is there, if it is what was asked for. */
static int
find(kin_queue **ret_q, const struct kin_queue_opts *opts)
{
	struct kn_queue_geometry geo;
	kin_queue *q;
	int r;

	r = open_named(&q, opts->name, opts->flags & KN_TRUST);
	if (r < 0)
		return r;
	(void)kn_queue_lay_out(&geo, opts);
	geo.spin_ns = q->geo.spin_ns;
	if (memcmp(&geo, &q->geo, sizeof(geo)) == 0) {
		*ret_q = q;
		return 0;
	}
	kin_queue_close(q);
	return kn_fail(-EEXIST, "queue '%s' is there, of another size or "
		       "another way", opts->name);
}

/* As segments do: it is there, or it can be made. */
int
kn_queue_create_named(kin_queue **ret_q, const struct kin_queue_opts *opts)
{
	struct kn_sentence sentence;
	int tries, r;

	if (!(opts->flags & KIN_QUEUE_OPEN_OR_CREATE))
		return kn_queue_make(ret_q, opts);
	kn_sentence_save(&sentence);
	for (tries = 0; tries < TRIES; tries++) {
		r = find(ret_q, opts);
		if (r == 0)
			kn_sentence_restore(&sentence);
		if (r != -ENOENT)
			return r;
		r = kn_queue_make(ret_q, opts);
		if (r == 0)
			kn_sentence_restore(&sentence);
		if (r != -EEXIST)
			return r == 0 ? 1 : r;
	}
	return kn_fail(-EBUSY, "'%.200s' is created and removed all the time",
		       opts->name);
}
