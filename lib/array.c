/* SPDX-License-Identifier: MIT */
/*
 * array.c - kin_array: elements of one type
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/array.h"

#define BYTES_MOST	(1ull << 45)

static const struct {
	const char *name;
	uint32_t bytes;
} types[] = {
	[KIN_ARRAY_INT8] = { "int8", 1 },
	[KIN_ARRAY_INT16] = { "int16", 2 },
	[KIN_ARRAY_INT32] = { "int32", 4 },
	[KIN_ARRAY_INT64] = { "int64", 8 },
	[KIN_ARRAY_UINT8] = { "uint8", 1 },
	[KIN_ARRAY_UINT16] = { "uint16", 2 },
	[KIN_ARRAY_UINT32] = { "uint32", 4 },
	[KIN_ARRAY_UINT64] = { "uint64", 8 },
	[KIN_ARRAY_FLOAT] = { "float", 4 },
	[KIN_ARRAY_DOUBLE] = { "double", 8 },
	[KIN_ARRAY_RECORD] = { "record", 0 },
};

/* ---- making and joining ---- */

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	uint64_t type = mark->shape[KN_ARRAY_TYPE];
	uint64_t element = mark->shape[KN_ARRAY_ELEMENT];
	uint64_t count = mark->shape[KN_ARRAY_COUNT];

	(void)members;
	(void)threads;
	if (type < KIN_ARRAY_INT8 || type > KIN_ARRAY_RECORD ||
	    (mark->options & ~KN_WITH_MEMBERS) != 0 || element == 0 ||
	    (types[type].bytes != 0 && types[type].bytes != element) ||
	    element > UINT32_MAX || count == 0 ||
	    count > BYTES_MOST / element)
		return 0;
	return kn_locked_bytes(mark->options) + count * element;
}

/* The largest power of two that divides an element's bytes: 8 at most. */
static size_t
atom_of(size_t element)
{
	size_t atom = element & (0 - element);

	return atom < 8 ? atom : 8;
}

static int
complete(struct kn_object *o, const void *arg)
{
	kin_array *a = (kin_array *)(void *)o;

	(void)arg;
	a->count = (size_t)o->mark.shape[KN_ARRAY_COUNT];
	a->element = (size_t)o->mark.shape[KN_ARRAY_ELEMENT];
	a->atom = atom_of(a->element);
	a->elements = (unsigned char *)o->own +
		      kn_locked_bytes(o->mark.options);
	return kn_locked_open(o, &a->lock);
}

static void
shut(struct kn_object *o)
{
	kin_lock_close(((kin_array *)(void *)o)->lock);
}

static void
facts(const struct kn_object_look *look, struct kn_listener *to)
{
	uint64_t type = look->mark.shape[KN_ARRAY_TYPE];

	kn_say(to, "elements", "%" PRIu64 " of type %s, %" PRIu64 " bytes each",
	       look->mark.shape[KN_ARRAY_COUNT], types[type].name,
	       look->mark.shape[KN_ARRAY_ELEMENT]);
	kn_say(to, "lock", "%s", look->mark.options & KN_WITH_MEMBERS ?
	       "of its own" : "none");
}

const struct kn_object_kind kn_array_kind = {
	.kind = { KIN_THING_ARRAY, 1, "array", "an array" },
	.handle_bytes = sizeof(kin_array),
	.align = 64,
	.alone = true,
	.own_bytes = own_bytes,
	.begin = kn_locked_begin,
	.open = complete,
	.shut = shut,
	.facts = facts,
};

static int
check_opts(const struct kin_array_opts *opts)
{
	if ((opts->flags & ~KIN_ARRAY_LOCKED) != 0 || opts->reserved != 0)
		return kn_fail(-EINVAL, "array: flags %#x, reserved %u",
			       opts->flags, opts->reserved);
	if (opts->type < KIN_ARRAY_INT8 || opts->type > KIN_ARRAY_RECORD)
		return kn_fail(-EINVAL, "array of type %u, which is none",
			       opts->type);
	if ((opts->type == KIN_ARRAY_RECORD) != (opts->record_bytes != 0))
		return kn_fail(-EINVAL, "array of type %s, and record_bytes "
			       "of %u", types[opts->type].name,
			       opts->record_bytes);
	if (opts->members != 0 && !(opts->flags & KIN_ARRAY_LOCKED))
		return kn_fail(-EINVAL, "array: members, but no lock");
	return 0;
}

static int
making_of(struct kn_making *ret, struct kin_array_opts *opts,
	  const struct kin_array_opts *user)
{
	int r = kn_opts_copy(opts, sizeof(*opts), user);

	if (r == 0)
		r = check_opts(opts);
	if (r < 0)
		return r;
	*ret = (struct kn_making){
		.kind = &kn_array_kind,
		.options = opts->flags & KIN_ARRAY_LOCKED ? KN_WITH_MEMBERS
							  : 0,
		.shape = {
			[KN_ARRAY_TYPE] = opts->type,
			[KN_ARRAY_ELEMENT] = opts->type == KIN_ARRAY_RECORD
			    ? opts->record_bytes : types[opts->type].bytes,
			[KN_ARRAY_COUNT] = opts->count,
		},
		.segment = opts->segment,
		.offset = opts->offset,
		.label = opts->label,
		.members = opts->members,
	};
	return 0;
}

int
kin_array_create(kin_array **ret_a, const struct kin_array_opts *user)
{
	struct kin_array_opts opts;
	struct kn_making making;
	struct kn_object *o;
	int r;

	kn_assert(ret_a != NULL);
	r = making_of(&making, &opts, user);
	if (r == 0)
		r = kn_heap_create(&o, &making, opts.heap);
	if (r == 0)
		*ret_a = (kin_array *)(void *)o;
	return r;
}

size_t
kin_array_room(const struct kin_array_opts *user)
{
	struct kin_array_opts opts;
	struct kn_making making;

	return making_of(&making, &opts, user) < 0
	       ? 0 : (size_t)kn_heap_create_room(&making, opts.heap);
}

int
kin_array_attach(kin_array **ret_a, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_a != NULL);
	r = kn_object_attach(&o, &kn_array_kind, fd, NULL);
	if (r == 0)
		*ret_a = (kin_array *)(void *)o;
	return r;
}

int
kin_array_attach_at(kin_array **ret_a, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_a != NULL);
	kn_assert(seg != NULL);
	r = kn_object_attach_at(&o, &kn_array_kind, seg, offset, NULL);
	if (r == 0)
		*ret_a = (kin_array *)(void *)o;
	return r;
}

void
kin_array_close(kin_array *a)
{
	kn_object_close((struct kn_object *)a);
}

/* ---- elements ---- */

/* One element, or part of one, as whole as the hardware has it. */
#define COPY_ATOMS(type)						\
	do {								\
		type *to_ = to;						\
		const type *from_ = from;				\
		size_t i_;						\
									\
		for (i_ = 0; i_ < bytes / sizeof(type); i_++)		\
			__atomic_store_n(&to_[i_],			\
			    __atomic_load_n(&from_[i_], __ATOMIC_RELAXED), \
			    __ATOMIC_RELAXED);				\
	} while (0)

/* Both are aligned for atoms. */
static void
copy_atoms(void *to, const void *from, size_t bytes, size_t atom)
{
	switch (atom) {
	case 8:
		COPY_ATOMS(uint64_t);
		break;
	case 4:
		COPY_ATOMS(uint32_t);
		break;
	case 2:
		COPY_ATOMS(uint16_t);
		break;
	default:
		COPY_ATOMS(uint8_t);
	}
}

#define SOME	512u		/* bytes, through memory that is aligned */

/* The user's memory need not be. */
static void
copy_out(const kin_array *a, unsigned char *to, const unsigned char *from,
	 size_t bytes)
{
	uint64_t some[SOME / 8];

	while (bytes > 0) {
		size_t n = bytes < SOME ? bytes : SOME;

		copy_atoms(some, from, n, a->atom);
		memcpy(to, some, n);
		to += n;
		from += n;
		bytes -= n;
	}
}

static void
copy_in(const kin_array *a, unsigned char *to, const unsigned char *from,
	size_t bytes)
{
	uint64_t some[SOME / 8];

	while (bytes > 0) {
		size_t n = bytes < SOME ? bytes : SOME;

		memcpy(some, from, n);
		copy_atoms(to, some, n, a->atom);
		to += n;
		from += n;
		bytes -= n;
	}
}

static int
check_range(const kin_array *a, size_t first, size_t n)
{
	char name[96];

	if (kn_likely(first <= a->count && n <= a->count - first))
		return 0;
	return kn_fail(-EINVAL, "%s has %zu elements, not %zu from the %zu. on",
		       kn_object_name(&a->o, name), a->count, n, first);
}

/* 0 or 1 for what is to be done; its lock is taken, if it has one. */
static int
enter(kin_array *a, size_t first, size_t n, kin_time deadline)
{
	int r = check_range(a, first, n);

	return r < 0 || a->lock == NULL ? r
					: kin_lock_acquire(a->lock, deadline);
}

static void
leave(kin_array *a)
{
	if (a->lock != NULL)
		(void)kin_lock_release(a->lock);
}

int
kin_array_read(kin_array *a, size_t first, size_t n, void *ret,
	       kin_time deadline)
{
	int r;

	kn_assert(a != NULL);
	kn_assert(ret != NULL || n == 0);
	r = enter(a, first, n, deadline);
	if (r < 0)
		return r;
	copy_out(a, ret, a->elements + first * a->element, n * a->element);
	leave(a);
	return r;
}

int
kin_array_write(kin_array *a, size_t first, size_t n, const void *from,
		kin_time deadline)
{
	int r;

	kn_assert(a != NULL);
	kn_assert(from != NULL || n == 0);
	r = enter(a, first, n, deadline);
	if (r < 0)
		return r;
	copy_in(a, a->elements + first * a->element, from, n * a->element);
	leave(a);
	return r;
}

void *
kin_array_at(const kin_array *a, size_t i, size_t bytes)
{
	kn_assert(a != NULL);
	return i < a->count && bytes == a->element
	       ? a->elements + i * a->element : NULL;
}

/* ---- what there is to know ---- */

size_t
kin_array_count(const kin_array *a)
{
	kn_assert(a != NULL);
	return a->count;
}

uint32_t
kin_array_type(const kin_array *a)
{
	kn_assert(a != NULL);
	return (uint32_t)a->o.mark.shape[KN_ARRAY_TYPE];
}

size_t
kin_array_element_bytes(const kin_array *a)
{
	kn_assert(a != NULL);
	return a->element;
}

kin_lock *
kin_array_lock(const kin_array *a)
{
	kn_assert(a != NULL);
	return a->lock;
}

uint64_t
kin_array_offset(const kin_array *a)
{
	kn_assert(a != NULL);
	return a->o.offset;
}

int
kin_array_fd(const kin_array *a)
{
	kn_assert(a != NULL);
	return a->o.seg->fd;
}

const char *
kin_array_label(const kin_array *a)
{
	kn_assert(a != NULL);
	return a->o.seg->label;
}
