/* SPDX-License-Identifier: MIT */
/*
 * travel.c - how segments, views of them, and queues travel
 *
 * All by their descriptor.  Segments and queues take their name along, if they
 * have one, and where no descriptor goes they travel by that.  What can only be
 * read, by its seals or by its descriptor, arrives as such.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <kin/queue.h>

#include "lib/object.h"
#include "lib/queue.h"
#include "lib/thing.h"
#include "shm/error.h"
#include "shm/names.h"
#include "shm/os.h"
#include "shm/segment.h"
#include "shm/view.h"

/* ---- segments ---- */

/* Does its name still lead to it?  It may be removed, or another's by now. */
int
kn_segment_check_name(const kin_segment *seg, const struct kn_pack *to)
{
	char place[80];
	bool same;
	int dir, fd;

	dir = kn_names_dir(false);
	if (dir < 0)
		return dir;
	fd = kn_names_open(dir, seg->name);
	kn_os_close(dir);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	same = fd >= 0 && kn_os_is_file(fd, seg->device, seg->inode);
	kn_os_close(fd);
	if (same)
		return 0;
	return kn_fail(-EOPNOTSUPP, "%s: the name '%.60s' does not lead "
		       "there any more; " KN_INSTEAD,
		       kn_pack_place(to, place), seg->name);
}

static int
pack_segment(const void *thing, struct kn_pack *to)
{
	const kin_segment *seg = thing;
	char place[80];
	int r;

	if (!to->way->no_fds)
		return kn_pack_by_fd(to, seg->fd, false, seg->name,
				     strlen(seg->name), NULL, NULL);
	if (seg->name[0] == '\0')
		return kn_fail(-EOPNOTSUPP, "%s: a segment without a name "
			       "cannot travel in %s; give it one, or %s",
			       kn_pack_place(to, place), to->way->what,
			       KN_INSTEAD);
	r = kn_segment_check_name(seg, to);
	return r == 0 ? kn_pack_by_name(to, seg->name) : r;
}

/* Bytes from outside as a name. */
static int
name_of(char name[KIN_NAME_MAX + 1], const struct kn_unpack *from)
{
	if (from->len > KIN_NAME_MAX || memchr(from->more, 0, from->len))
		return kn_fail(-EPROTO, "an impossible name");
	memcpy(name, from->more, from->len);
	name[from->len] = '\0';
	return 0;
}

static int
unpack_segment(void **ret, const struct kn_unpack *from)
{
	char name[KIN_NAME_MAX + 1];
	kin_segment *seg;
	int r;

	if (from->way == KN_BY_ITSELF)
		return kn_fail(-EPROTO, "a segment that came by itself");
	r = name_of(name, from);
	if (r < 0)
		return r;
	if (from->way == KN_BY_NAME) {
		r = kin_segment_open(&seg, name);
		if (r == 0)
			*ret = seg;
		return r;
	}
	if (name[0] != '\0' && kn_names_check(name) < 0)
		return kn_fail(-EPROTO, "a segment with an impossible name");
	r = kn_segment_attach_with(&seg, from->fd, &kn_segment_kind,
				   kn_segment_right(from->fd));
	if (r < 0)
		return r;
	memcpy(seg->name, name, sizeof(name));
	*ret = seg;
	return 0;
}

static void
close_segment(void *thing)
{
	kin_segment_close(thing);
}

const struct kn_thing kn_segment_thing = {
	.a = "a segment",
	.pack = pack_segment,
	.unpack = unpack_segment,
	.close = close_segment,
	.named = true,
};

/* ---- views ---- */

/* What a view adds to its descriptor; of one machine, so in its order. */
struct travelling {
	uint64_t offset;
	uint64_t bytes;
	uint64_t flags;			/* KIN_VIEW_... */
};

static int
pack_view(const void *thing, struct kn_pack *to)
{
	const kin_view *view = thing;
	struct travelling more = {
		.offset = view->offset,
		.bytes = view->bytes,
		.flags = kin_view_writable(view) ? 0 : KIN_VIEW_READONLY,
	};
	char place[80];

	if (to->way->no_fds)
		return kn_fail(-EOPNOTSUPP, "%s: a view cannot travel in %s; "
			       KN_INSTEAD, kn_pack_place(to, place),
			       to->way->what);
	return kn_pack_by_fd(to, view->seg->fd, false, &more, sizeof(more),
			     NULL, NULL);
}

static int
unpack_view(void **ret, const struct kn_unpack *from)
{
	struct travelling more;
	kin_segment *seg;
	kin_view *view;
	uint32_t right;
	int r;

	if (from->way != KN_BY_FD || from->len != sizeof(more))
		return kn_fail(-EPROTO, "a view that is none");
	memcpy(&more, from->more, sizeof(more));
	right = more.flags & KIN_VIEW_READONLY ? KIN_USE_READONLY
					       : kn_segment_right(from->fd);
	r = kn_segment_attach_with(&seg, from->fd, &kn_segment_kind, right);
	if (r < 0)
		return r;
	r = kn_view_make(&view, seg, more.offset, more.bytes, 0);
	kin_segment_close(seg);
	if (r == 0)
		*ret = view;
	return r == -EINVAL ? -EPROTO : r;
}

static void
close_view(void *thing)
{
	kin_view_close(thing);
}

const struct kn_thing kn_view_thing = {
	.a = "a view",
	.pack = pack_view,
	.unpack = unpack_view,
	.close = close_view,
};

/* ---- queues ---- */

/*
 * By descriptor it adds where in the segment it is placed, or NOT_PLACED and
 * its name; and the name is how it goes where no descriptor does.
 */
struct where {
	uint64_t offset;
	char name[KIN_NAME_MAX + 1];	/* travels without its end */
};

#define NOT_PLACED	UINT64_MAX

static int
pack_queue(const void *thing, struct kn_pack *to)
{
	const kin_queue *q = thing;
	struct where where = { q->placed ? q->offset : NOT_PLACED, "" };
	char place[80];
	int r;

	if (!to->way->no_fds) {
		memcpy(where.name, q->seg->name, sizeof(where.name));
		return kn_pack_by_fd(to, q->seg->fd, false, &where,
				     sizeof(where.offset) +
				     (q->placed ? 0 : strlen(where.name)),
				     NULL, NULL);
	}
	if (q->placed || q->seg->name[0] == '\0')
		return kn_fail(-EOPNOTSUPP, "%s: a queue without a name of its "
			       "own cannot travel in %s; give it one, or %s",
			       kn_pack_place(to, place), to->way->what,
			       KN_INSTEAD);
	r = kn_segment_check_name(q->seg, to);
	return r == 0 ? kn_pack_by_name(to, q->seg->name) : r;
}

static int
unpack_placed(kin_queue **ret_q, int fd, uint64_t offset)
{
	kin_segment *seg;
	int r;

	r = kn_segment_around(&seg, fd);
	if (r < 0)
		return r;
	r = kin_queue_attach_at(ret_q, seg, offset);
	kin_segment_close(seg);
	return r == -EINVAL ? -EPROTO : r;
}

static int
unpack_by_fd(kin_queue **ret_q, const struct kn_unpack *from)
{
	struct where where = { 0 };
	int r;

	if (from->len < sizeof(where.offset) ||
	    from->len - sizeof(where.offset) > KIN_NAME_MAX)
		return kn_fail(-EPROTO, "a queue that is nowhere");
	memcpy(&where, from->more, from->len);
	if (where.offset != NOT_PLACED)
		return unpack_placed(ret_q, from->fd, where.offset);
	if (where.name[0] != '\0' && kn_names_check(where.name) < 0)
		return kn_fail(-EPROTO, "a queue with an impossible name");
	r = kin_queue_attach(ret_q, from->fd);
	if (r == 0)
		memcpy((*ret_q)->seg->name, where.name, sizeof(where.name));
	return r;
}

static int
unpack_queue(void **ret, const struct kn_unpack *from)
{
	char name[KIN_NAME_MAX + 1];
	kin_queue *q;
	int r;

	if (from->way == KN_BY_ITSELF)
		return kn_fail(-EPROTO, "a queue that came by itself");
	if (from->way == KN_BY_NAME) {
		r = name_of(name, from);
		if (r == 0)
			r = kin_queue_open(&q, name);
	} else {
		r = unpack_by_fd(&q, from);
	}
	if (r == 0)
		*ret = q;
	return r;
}

static void
close_queue(void *thing)
{
	kin_queue_close(thing);
}

const struct kn_thing kn_queue_thing = {
	.a = "a queue",
	.pack = pack_queue,
	.unpack = unpack_queue,
	.close = close_queue,
	.named = true,
};
