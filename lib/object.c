/* SPDX-License-Identifier: MIT */
/*
 * object.c - what all small kinds have in common: making, joining, closing
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/object.h"

#define MEMBERS_DEFAULT	64u

static uint64_t
mark_of(const struct kn_object_kind *kind)
{
	return KN_OBJECT_MARK << 32 | (uint64_t)kind->kind.number << 16 |
	       kind->kind.layout;
}

/* Mark and all; 0: it contradicts itself. */
static uint64_t
bytes_of(const struct kn_object_kind *kind, const struct kn_mark *mark,
	 uint32_t members, uint32_t threads)
{
	uint64_t own = kind->own_bytes(mark, members, threads);

	if (own == 0 || own > KN_BODY_MAX / 2)
		return 0;
	return (sizeof(*mark) + own + 63) / 64 * 64;
}

const char *
kn_object_name(const struct kn_object *o, char buf[96])
{
	if (o->placed)
		snprintf(buf, 96, "%s at %" PRIu64 " of segment '%s'",
			 o->kind->kind.name, o->offset, o->seg->label);
	else
		snprintf(buf, 96, "%s '%s'", o->kind->kind.name,
			 o->seg->label);
	return buf;
}

static bool
has_members(const struct kn_object_kind *kind, uint32_t options)
{
	return !kind->alone || (options & KN_WITH_MEMBERS) != 0;
}

/* ---- a handle ---- */

void
kn_object_close(struct kn_object *o)
{
	if (o == NULL)
		return;
	if (o->kind->shut != NULL)
		o->kind->shut(o);
	kin_segment_close(o->seg);
	free(o);
}

static void *
at(const kin_segment *seg, uint64_t offset)
{
	return (unsigned char *)kn_segment_body(seg) + offset;
}

/* seg becomes the handle's own; on failure it is closed. */
static int
take_hold(struct kn_object **ret, const struct kn_object_kind *kind,
	  kin_segment *seg, uint64_t offset, const struct kn_mark *mark,
	  bool placed, const void *arg)
{
	struct kn_object *o = calloc(1, kind->handle_bytes);
	int r = 0;

	if (o == NULL) {
		kin_segment_close(seg);
		return kn_fail(-ENOMEM, "%s handle", kind->kind.name);
	}
	o->kind = kind;
	o->seg = seg;
	o->offset = offset;
	o->mark = *mark;
	o->own = (unsigned char *)at(seg, offset) + sizeof(*mark);
	o->placed = placed;
	if (has_members(kind, mark->options))
		r = kn_control_of(&o->control, seg);
	if (r == 0 && kind->open != NULL)
		r = kind->open(o, arg);
	if (r < 0) {
		kin_segment_close(seg);
		free(o);
		return r;
	}
	*ret = o;
	return 0;
}

/* ---- making ---- */

static struct kn_mark
new_mark(const struct kn_making *making, uint32_t members, uint32_t threads)
{
	struct kn_mark mark = { .options = making->options };

	memcpy(mark.shape, making->shape, sizeof(mark.shape));
	mark.bytes = bytes_of(making->kind, &mark, members, threads);
	return mark;
}

/* The memory is zeros, and nobody looks at it before the mark is there. */
static void
inscribe(const struct kn_object_kind *kind, kin_segment *seg, uint64_t offset,
	 const struct kn_mark *mark)
{
	struct kn_object o = {
		.kind = kind, .seg = seg, .offset = offset, .mark = *mark,
	};
	struct kn_mark *there = at(seg, offset);

	o.own = there + 1;
	there->bytes = mark->bytes;
	there->options = mark->options;
	memcpy(there->shape, mark->shape, sizeof(mark->shape));
	if (kind->begin != NULL)
		kind->begin(&o);
	kn_wide_store(&there->there, mark_of(kind));
}

void
kn_object_inscribe(kin_segment *seg, const struct kn_making *making)
{
	struct kn_mark mark = new_mark(making, seg->members, seg->threads);

	inscribe(making->kind, seg, making->offset, &mark);
}

static int
too_large(const struct kn_object_kind *kind)
{
	return kn_fail(-EINVAL, "%s of a size that cannot be", kind->kind.a);
}

static int
create_alone(struct kn_object **ret, const struct kn_making *making)
{
	const struct kn_object_kind *kind = making->kind;
	struct kn_segment_plan plan = {
		.kind = &kind->kind, .label = making->label,
	};
	struct kn_mark mark;
	kin_segment *seg;
	int r;

	if (has_members(kind, making->options)) {
		plan.members = making->members != 0 ? making->members
						    : MEMBERS_DEFAULT;
		plan.threads = kn_control_threads(plan.members,
						  making->threads);
	}
	if (!kn_control_fits(plan.members, plan.threads))
		return kn_fail(-EINVAL, "%s of %u members and %u threads",
			       kind->kind.name, plan.members, plan.threads);
	mark = new_mark(making, plan.members, plan.threads);
	if (mark.bytes == 0)
		return too_large(kind);
	plan.body_bytes = mark.bytes;
	r = kn_segment_make(&seg, &plan);
	if (r < 0)
		return r;
	inscribe(kind, seg, 0, &mark);
	return take_hold(ret, kind, seg, 0, &mark, false, making->arg);
}

/* May there be one?  What is left from offset on in *ret_room. */
static int
check_place(const struct kn_object_kind *kind, kin_segment *seg,
	    uint64_t offset, uint64_t *ret_room)
{
	uint64_t whole = kin_segment_bytes(seg);
	struct kn_control *control;

	if (offset % kind->align != 0)
		return kn_fail(-EINVAL, "%s at offset %" PRIu64 ", which is "
			       "no multiple of %u", kind->kind.name, offset,
			       kind->align);
	if (offset > whole || whole - offset < sizeof(struct kn_mark))
		return kn_fail(-EINVAL, "%s at offset %" PRIu64 " of segment "
			       "'%s', which has %" PRIu64 " bytes",
			       kind->kind.name, offset, seg->label, whole);
	if (!kin_segment_writable(seg))
		return kn_fail(-EACCES, "%s in segment '%s', which is "
			       "read-only", kind->kind.name, seg->label);
	*ret_room = whole - offset;
	return kind->alone ? 0 : kn_control_of(&control, seg);
}

static int
place(struct kn_object **ret, const struct kn_making *making)
{
	const struct kn_object_kind *kind = making->kind;
	kin_segment *seg = making->segment;
	struct kn_mark mark, *there;
	struct kn_control *control;
	uint64_t room;
	int r;

	r = check_place(kind, seg, making->offset, &room);
	if (r == 0 && has_members(kind, making->options))
		r = kn_control_of(&control, seg);
	if (r < 0)
		return r;
	mark = new_mark(making, seg->members, seg->threads);
	if (mark.bytes == 0)
		return too_large(kind);
	if (mark.bytes > room)
		return kn_fail(-ENOSPC, "%s of %" PRIu64 " bytes at offset %"
			       PRIu64 " of segment '%s', where %" PRIu64
			       " are", kind->kind.a, mark.bytes,
			       making->offset, seg->label, room);
	there = at(seg, making->offset);
	if (kn_wide_load(&there->there) >> 32 == KN_OBJECT_MARK)
		return kn_fail(-EEXIST, "something is at offset %" PRIu64
			       " of segment '%s' already", making->offset,
			       seg->label);
	memset(there, 0, mark.bytes);
	inscribe(kind, seg, making->offset, &mark);
	kn_segment_hold(seg);
	r = take_hold(ret, kind, seg, making->offset, &mark, true,
		      making->arg);
	/* As if it had never been there. */
	if (r < 0)
		kn_wide_store(&there->there, 0);
	return r;
}

static int
check_making(const struct kn_making *making)
{
	const char *name = making->kind->kind.name;

	if (making->segment == NULL && making->offset != 0)
		return kn_fail(-EINVAL, "%s: an offset, but no segment", name);
	if (making->segment != NULL && making->label != NULL)
		return kn_fail(-EINVAL, "%s: in a segment it has that one's "
			       "label", name);
	if (making->segment != NULL &&
	    (making->members != 0 || making->threads != 0))
		return kn_fail(-EINVAL, "%s: in a segment it has that one's "
			       "members", name);
	return 0;
}

int
kn_object_create(struct kn_object **ret, const struct kn_making *making)
{
	int r = check_making(making);

	if (r < 0)
		return r;
	return making->segment != NULL ? place(ret, making)
				       : create_alone(ret, making);
}

uint64_t
kn_object_room(const struct kn_making *making)
{
	uint32_t members = making->segment != NULL ? making->segment->members
			   : making->members;
	uint32_t threads = making->segment != NULL ? making->segment->threads
			   : kn_control_threads(members, making->threads);

	return new_mark(making, members, threads).bytes;
}

/* ---- joining ---- */

/* A private copy of the mark at offset, checked against all there is room for. */
static int
read_mark(struct kn_mark *ret, const struct kn_object_kind *kind,
	  const kin_segment *seg, uint64_t offset, uint64_t room)
{
	struct kn_mark *there = at(seg, offset);
	uint64_t found = kn_wide_load(&there->there);

	if (found >> 32 != KN_OBJECT_MARK ||
	    (found >> 16 & 0xffff) != kind->kind.number)
		return kn_fail(-EPROTO, "no %s at offset %" PRIu64 " of "
			       "segment '%s'", kind->kind.name, offset,
			       seg->label);
	if (found != mark_of(kind))
		return kn_fail(-EPROTONOSUPPORT, "%s at offset %" PRIu64 " of "
			       "segment '%s': layout %u, this library speaks "
			       "%u", kind->kind.name, offset, seg->label,
			       (unsigned)(found & 0xffff), kind->kind.layout);
	*ret = *(volatile struct kn_mark *)there;
	if (ret->zero != 0 || ret->bytes > room || ret->bytes == 0 ||
	    ret->bytes != bytes_of(kind, ret, seg->members, seg->threads))
		return kn_fail(-EUCLEAN, "%s at offset %" PRIu64 " of segment "
			       "'%s' contradicts itself", kind->kind.name,
			       offset, seg->label);
	return 0;
}

int
kn_object_attach(struct kn_object **ret, const struct kn_object_kind *kind,
		 int fd, const void *arg)
{
	struct kn_mark mark;
	kin_segment *seg;
	int r;

	r = kn_segment_attach(&seg, fd, &kind->kind);
	if (r < 0)
		return r;
	if (seg->body_bytes < sizeof(mark))
		r = kn_fail(-EUCLEAN, "%s '%s' of %zu bytes", kind->kind.name,
			    seg->label, seg->body_bytes);
	else
		r = read_mark(&mark, kind, seg, 0, seg->body_bytes);
	if (r < 0) {
		kin_segment_close(seg);
		return r;
	}
	return take_hold(ret, kind, seg, 0, &mark, false, arg);
}

int
kn_object_attach_at(struct kn_object **ret, const struct kn_object_kind *kind,
		    kin_segment *seg, uint64_t offset, const void *arg)
{
	struct kn_mark mark;
	uint64_t room;
	int r;

	r = check_place(kind, seg, offset, &room);
	if (r == 0)
		r = read_mark(&mark, kind, seg, offset, room);
	if (r < 0)
		return r;
	kn_segment_hold(seg);
	return take_hold(ret, kind, seg, offset, &mark, true, arg);
}

/* ---- waiting ---- */

uint32_t
kn_object_waits(struct kn_object *o)
{
	struct kn_sentence sentence;
	int stamp;

	/* To look for a free record among all is not for every wait. */
	if (__atomic_load_n(&o->nameless, __ATOMIC_RELAXED) != 0)
		return 0;
	kn_sentence_save(&sentence);
	stamp = kn_control_me(o->control);
	if (stamp < 0) {
		__atomic_store_n(&o->nameless, 1, __ATOMIC_RELAXED);
		kn_sentence_restore(&sentence);
		return 0;
	}
	kn_control_waits(o->control, (uint32_t)stamp, kn_object_at(o));
	return (uint32_t)stamp;
}

void
kn_object_goes_on(struct kn_object *o, uint32_t stamp)
{
	if (stamp != 0)
		kn_control_waits(o->control, stamp, 0);
}

/* ---- spoilt ---- */

int
kn_object_spoilt_now(struct kn_object *o)
{
	__atomic_store_n(&o->spoilt, 1, __ATOMIC_RELAXED);
	return -EUCLEAN;
}

int
kn_object_spoil(struct kn_object *o, const char *why)
{
	char name[96];

	(void)kn_fail(-EUCLEAN, "%s: %s", kn_object_name(o, name), why);
	return kn_object_spoilt_now(o);
}

int
kn_object_spoilt_before(const struct kn_object *o)
{
	char name[96];

	return kn_fail(-EUCLEAN, "%s was found spoilt before",
		       kn_object_name(o, name));
}
