/* SPDX-License-Identifier: MIT */
/*
 * object.h - what all small kinds have in common: place, mark, members, travel
 *
 *      alone      ├─ header ─┼─ control ─┼─ mark ─┼─ the kind's own ─┤
 *      placed     ├─ header ─┼─ control ─┼── ... ─┼─ mark ─┼─ own ─┼── ... ─┤
 *                                                 offset
 *
 * An object fills an anonymous segment, or is placed at an offset of the
 * user's, which must have a control part if the kind needs one.  The mark says
 * kind and layout, what was chosen when it was made and how large that makes
 * it.  It is written last, and checked at attach in a private copy, from which
 * all is worked out afterwards.
 *
 * A kind is a struct kn_object_kind, a handle that begins with a struct
 * kn_object, and a line each in lib/kinds.c, lib/thing.c and kin/value.h.
 */
#ifndef KN_OBJECT_H
#define KN_OBJECT_H

#include <kin/value.h>

#include "lib/kinds.h"
#include "lib/members.h"
#include "lib/thing.h"
#include "shm/control.h"
#include "shm/error.h"

#define KN_SHAPE	5u

/* A line; what is behind it is the kind's own. */
struct kn_mark {
	kn_wide there;			/* its magic, kind and layout; last */
	uint64_t bytes;			/* mark and all */
	uint32_t options;		/* as the kind has them */
	uint32_t zero;
	uint64_t shape[KN_SHAPE];	/* what the kind's size, and more,
					   comes from */
};

#define KN_OBJECT_MARK	0x6b6e6f62ull	/* "knob" */
#define KN_WITH_MEMBERS	0x80000000u	/* an option of any kind */

_Static_assert(sizeof(struct kn_mark) == 64, "layout");

/* The beginning of each handle; private memory. */
struct kn_object {
	const struct kn_object_kind *kind;
	kin_segment *seg;		/* held */
	struct kn_control *control;	/* NULL: the kind needs none */
	uint64_t offset;		/* in its body */
	struct kn_mark mark;		/* as it was checked */
	void *own;			/* behind the mark, in shared memory */
	bool placed;			/* seg is the user's */
	uint32_t spoilt;		/* sticky, for this handle */
	uint32_t nameless;		/* there was no record for a thread */
};

struct kn_object_look;

struct kn_object_kind {
	struct kn_kind kind;		/* its number is its KIN_THING_... */
	size_t handle_bytes;
	uint32_t align;			/* of its offset: 64 or 128 */
	bool alone;			/* it needs no members: no control;
					   unless by its options */

	/*
	 * The bytes behind the mark, from options and shape, which may be
	 * rubbish; 0: they contradict themselves.  threads: of the control
	 * part, so many records there are.
	 */
	uint64_t (*own_bytes)(const struct kn_mark *mark, uint32_t members,
			      uint32_t threads);

	/* NULL, or: the kind's memory, all zeros, as it is to begin. */
	void (*begin)(struct kn_object *o);

	/* NULL, or: complete a handle, made with arg (the user's open options
	 * or NULL); before it is closed. */
	int (*open)(struct kn_object *o, const void *arg);
	void (*shut)(struct kn_object *o);

	/* NULL, or: what there is to tell, from a copy of its bytes. */
	void (*facts)(const struct kn_object_look *look,
		      struct kn_listener *to);
};

/* What is to be made; its maker has checked all but the place. */
struct kn_making {
	const struct kn_object_kind *kind;
	uint32_t options;
	uint64_t shape[KN_SHAPE];
	kin_segment *segment;		/* NULL = one of its own */
	uint64_t offset;
	const char *label;		/* if alone */
	uint32_t members;		/* if alone; 0 = MEMBERS_DEFAULT (64) */
	uint32_t threads;		/* if alone; 0 = 4 for each member */
	const void *arg;		/* for open */
};

/* Errors as kin_queue_create, kin_queue_attach and kin_queue_attach_at have
 * them; and -EINVAL: the segment has no control part. */
int kn_object_create(struct kn_object **ret, const struct kn_making *making);
int kn_object_attach(struct kn_object **ret, const struct kn_object_kind *kind,
		     int fd, const void *arg);
int kn_object_attach_at(struct kn_object **ret,
			const struct kn_object_kind *kind, kin_segment *seg,
			uint64_t offset, const void *arg);
void kn_object_close(struct kn_object *o);	/* takes NULL */

/*
 * For a kind that has another in its memory, when that begins: what making
 * says, at its offset in seg.  It is attached by kn_object_attach_at.
 */
void kn_object_inscribe(kin_segment *seg, const struct kn_making *making);

/* The bytes it takes of a segment with so many members and threads; 0: it
 * contradicts itself. */
uint64_t kn_object_room(const struct kn_making *making);

/* "lock 'jobs'", "lock at 128 of segment 'all'": for sentences. */
const char *kn_object_name(const struct kn_object *o, char buf[96]);

/* Its offset in the file: by which waits and facts name it.  Never 0. */
static inline uint64_t
kn_object_at(const struct kn_object *o)
{
	return o->seg->body_at + o->offset;
}

/*
 * For tools: this thread waits for the object.  Its stamp, or 0 where all
 * records are taken; then nobody is told, and the wait goes on all the same.
 */
uint32_t kn_object_waits(struct kn_object *o);
void kn_object_goes_on(struct kn_object *o, uint32_t stamp);

/* ---- spoilt ---- */

static inline bool
kn_object_spoilt(const struct kn_object *o)
{
	return kn_unlikely(__atomic_load_n(&o->spoilt, __ATOMIC_RELAXED) != 0);
}

/* From now on all calls by this handle are -EUCLEAN.  Says why; returns it. */
int kn_object_spoil(struct kn_object *o, const char *why);
/* As kn_object_spoil, whose sentence is there already. */
int kn_object_spoilt_now(struct kn_object *o);
int kn_object_spoilt_before(const struct kn_object *o);

/* ---- travelling: for the table in lib/thing.c ---- */

/* The segment behind fd in which something was placed: a plain one, or that
 * of a heap in one of whose blocks it is. */
int kn_segment_around(kin_segment **ret_seg, int fd);

int kn_object_pack(const void *thing, struct kn_pack *to);
int kn_object_unpack(void **ret, const struct kn_unpack *from);
void kn_object_close_thing(void *thing);

#define KN_OBJECT_THING(a_)						\
	{								\
		.a = (a_),						\
		.pack = kn_object_pack,					\
		.unpack = kn_object_unpack,				\
		.close = kn_object_close_thing,				\
	}

/* lib/kinds.c: of that number; NULL: no such kind, or no object. */
const struct kn_object_kind *kn_object_kind_find(uint32_t number);

/* ---- facts ---- */

/* An object that stands alone, as it was copied; all of it may be rubbish. */
struct kn_object_look {
	int fd;
	const struct kn_header *header;
	const struct kn_object_kind *kind;
	uint64_t body;			/* its offset in the file */
	struct kn_mark mark;		/* its size was checked */
	const void *own;		/* a copy of what is behind the mark */
	size_t own_bytes;		/* copied: 64 KiB at most */
	struct kn_control_look control;	/* lib/members.h; zeros if none */
};

#endif
