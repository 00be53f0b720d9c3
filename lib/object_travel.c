/* SPDX-License-Identifier: MIT */
/*
 * object_travel.c - how objects travel
 *
 * By their segment's descriptor; one that is placed adds where.  Where no
 * descriptor goes, by the name of the segment, if that has one.
 */
#include <errno.h>
#include <string.h>

#include "lib/heap.h"
#include "lib/object.h"

struct named {
	uint64_t offset;
	char name[KIN_NAME_MAX + 1];	/* as long as it is */
};

static int
pack_by_name(const struct kn_object *o, struct kn_pack *to)
{
	struct named more = { .offset = o->offset };
	size_t len = strlen(o->seg->name);
	char place[80];
	int r;

	if (!o->placed || len == 0)
		return kn_fail(-EOPNOTSUPP, "%s: %s cannot travel in %s, "
			       "unless it is placed in a segment with a name; "
			       KN_INSTEAD, kn_pack_place(to, place),
			       o->kind->kind.a, to->way->what);
	r = kn_segment_check_name(o->seg, to);
	if (r < 0)
		return r;
	memcpy(more.name, o->seg->name, len);
	return kn_pack_by_itself(to, &more, offsetof(struct named, name) +
				 len);
}

int
kn_object_pack(const void *thing, struct kn_pack *to)
{
	const struct kn_object *o = thing;

	if (to->way->no_fds)
		return pack_by_name(o, to);
	return kn_pack_by_fd(to, o->seg->fd, false, &o->offset,
			     o->placed ? sizeof(o->offset) : 0, NULL, NULL);
}

static int
unpack_placed(struct kn_object **ret, const struct kn_object_kind *kind,
	      kin_segment *seg, const void *at)
{
	uint64_t offset;
	int r;

	memcpy(&offset, at, sizeof(offset));
	r = kn_object_attach_at(ret, kind, seg, offset, NULL);
	kin_segment_close(seg);
	return r == -EINVAL ? -EPROTO : r;
}

static int
unpack_by_name(struct kn_object **ret, const struct kn_object_kind *kind,
	       const struct kn_unpack *from)
{
	const size_t head = offsetof(struct named, name);
	char name[KIN_NAME_MAX + 1];
	kin_segment *seg;
	int r;

	if (from->len <= head || from->len - head > KIN_NAME_MAX ||
	    memchr(from->more + head, 0, from->len - head) != NULL)
		return kn_fail(-EPROTO, "%s with an impossible name",
			       kind->kind.a);
	memcpy(name, from->more + head, from->len - head);
	name[from->len - head] = '\0';
	r = kin_segment_open(&seg, name);
	return r < 0 ? r : unpack_placed(ret, kind, seg, from->more);
}

int
kn_segment_around(kin_segment **ret_seg, int fd)
{
	int r = kin_segment_attach(ret_seg, fd);

	return r != -EPROTO ? r : kn_segment_attach(ret_seg, fd,
						    &kn_heap_kind.kind);
}

static int
unpack_by_fd(struct kn_object **ret, const struct kn_object_kind *kind,
	     const struct kn_unpack *from)
{
	kin_segment *seg;
	int r;

	if (from->len == 0)
		return kn_object_attach(ret, kind, from->fd, NULL);
	r = kn_segment_around(&seg, from->fd);
	return r < 0 ? r : unpack_placed(ret, kind, seg, from->more);
}

int
kn_object_unpack(void **ret, const struct kn_unpack *from)
{
	const struct kn_object_kind *kind = kn_object_kind_find(from->kind);
	struct kn_object *o = NULL;
	int r;

	if (kind == NULL || from->way == KN_BY_NAME ||
	    (from->way == KN_BY_FD && from->len != 0 &&
	     from->len != sizeof(o->offset)))
		return kn_fail(-EPROTO, "%s that is none",
			       kn_thing_a(from->kind));
	r = from->way == KN_BY_FD ? unpack_by_fd(&o, kind, from)
				  : unpack_by_name(&o, kind, from);
	if (r == 0)
		*ret = o;
	return r;
}

void
kn_object_close_thing(void *thing)
{
	kn_object_close(thing);
}
