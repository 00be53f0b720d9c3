/* SPDX-License-Identifier: MIT */
/*
 * cell.c - kin_cell: one number
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/cell.h"

/* ---- making and joining ---- */

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	(void)members;
	(void)threads;
	if (mark->shape[KN_CELL_TYPE] > KIN_CELL_DOUBLE ||
	    (mark->options & ~KN_WITH_MEMBERS) != 0)
		return 0;
	return kn_locked_bytes(mark->options) + sizeof(kn_wide);
}

static int
complete(struct kn_object *o, const void *arg)
{
	kin_cell *cell = (kin_cell *)(void *)o;

	(void)arg;
	cell->word = (kn_wide *)(void *)((unsigned char *)o->own +
					 kn_locked_bytes(o->mark.options));
	return kn_locked_open(o, &cell->lock);
}

static void
shut(struct kn_object *o)
{
	kin_lock_close(((kin_cell *)(void *)o)->lock);
}

static double
double_of(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static uint64_t
bits_of(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static void
facts(const struct kn_object_look *look, struct kn_listener *to)
{
	uint64_t locked = kn_locked_bytes(look->mark.options), bits;

	if (look->own_bytes < locked + sizeof(bits))
		return;
	memcpy(&bits, (const unsigned char *)look->own + locked, sizeof(bits));
	switch (look->mark.shape[KN_CELL_TYPE]) {
	case KIN_CELL_INT:
		kn_say(to, "value", "%" PRId64, (int64_t)bits);
		break;
	case KIN_CELL_UINT:
		kn_say(to, "value", "%" PRIu64, bits);
		break;
	default:
		kn_say(to, "value", "%.17g", double_of(bits));
	}
	kn_say(to, "lock", "%s", locked != 0 ? "of its own" : "none");
}

const struct kn_object_kind kn_cell_kind = {
	.kind = { KIN_THING_CELL, 1, "cell", "a cell" },
	.handle_bytes = sizeof(kin_cell),
	.align = 64,
	.alone = true,
	.own_bytes = own_bytes,
	.begin = kn_locked_begin,
	.open = complete,
	.shut = shut,
	.facts = facts,
};

static int
making_of(struct kn_making *ret, struct kin_cell_opts *opts,
	  const struct kin_cell_opts *user)
{
	int r = kn_opts_copy(opts, sizeof(*opts), user);

	if (r < 0)
		return r;
	if ((opts->flags & ~KIN_CELL_LOCKED) != 0 ||
	    opts->type > KIN_CELL_DOUBLE)
		return kn_fail(-EINVAL, "cell: flags %#x, type %u",
			       opts->flags, opts->type);
	if (opts->members != 0 && !(opts->flags & KIN_CELL_LOCKED))
		return kn_fail(-EINVAL, "cell: members, but no lock");
	*ret = (struct kn_making){
		.kind = &kn_cell_kind,
		.options = opts->flags & KIN_CELL_LOCKED ? KN_WITH_MEMBERS : 0,
		.shape = { [KN_CELL_TYPE] = opts->type },
		.segment = opts->segment,
		.offset = opts->offset,
		.label = opts->label,
		.members = opts->members,
	};
	return 0;
}

int
kin_cell_create(kin_cell **ret_cell, const struct kin_cell_opts *user)
{
	struct kin_cell_opts opts;
	struct kn_making making;
	struct kn_object *o;
	int r;

	kn_assert(ret_cell != NULL);
	r = making_of(&making, &opts, user);
	if (r == 0)
		r = kn_heap_create(&o, &making, opts.heap);
	if (r == 0)
		*ret_cell = (kin_cell *)(void *)o;
	return r;
}

size_t
kin_cell_room(const struct kin_cell_opts *user)
{
	struct kin_cell_opts opts;
	struct kn_making making;

	return making_of(&making, &opts, user) < 0
	       ? 0 : (size_t)kn_heap_create_room(&making, opts.heap);
}

int
kin_cell_attach(kin_cell **ret_cell, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_cell != NULL);
	r = kn_object_attach(&o, &kn_cell_kind, fd, NULL);
	if (r == 0)
		*ret_cell = (kin_cell *)(void *)o;
	return r;
}

int
kin_cell_attach_at(kin_cell **ret_cell, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_cell != NULL);
	kn_assert(seg != NULL);
	r = kn_object_attach_at(&o, &kn_cell_kind, seg, offset, NULL);
	if (r == 0)
		*ret_cell = (kin_cell *)(void *)o;
	return r;
}

void
kin_cell_close(kin_cell *cell)
{
	kn_object_close((struct kn_object *)cell);
}

/* ---- integers ---- */

static int
wrong_type(const kin_cell *cell)
{
	char name[96];

	return kn_fail(-EINVAL, "%s is %s", kn_object_name(&cell->o, name),
		       kin_cell_type(cell) == KIN_CELL_DOUBLE ?
		       "a double" : "an integer");
}

static inline bool
is_double(const kin_cell *cell)
{
	kn_assert(cell != NULL);
	return cell->o.mark.shape[KN_CELL_TYPE] == KIN_CELL_DOUBLE;
}

int
kin_cell_get(const kin_cell *cell, int64_t *ret)
{
	if (is_double(cell))
		return wrong_type(cell);
	kn_assert(ret != NULL);
	*ret = (int64_t)kn_wide_load_ordered(cell->word);
	return 0;
}

int
kin_cell_set(kin_cell *cell, int64_t value)
{
	if (is_double(cell))
		return wrong_type(cell);
	(void)kn_wide_swap(cell->word, (uint64_t)value);
	return 0;
}

int
kin_cell_add(kin_cell *cell, int64_t n, int64_t *ret)
{
	uint64_t was;

	if (is_double(cell))
		return wrong_type(cell);
	was = kn_wide_add(cell->word, (uint64_t)n);
	if (ret != NULL)
		*ret = (int64_t)was;
	return 0;
}

int
kin_cell_swap(kin_cell *cell, int64_t value, int64_t *ret)
{
	uint64_t was;

	if (is_double(cell))
		return wrong_type(cell);
	was = kn_wide_swap(cell->word, (uint64_t)value);
	if (ret != NULL)
		*ret = (int64_t)was;
	return 0;
}

int
kin_cell_cas(kin_cell *cell, int64_t *expected, int64_t value)
{
	uint64_t was;
	int r;

	if (is_double(cell))
		return wrong_type(cell);
	kn_assert(expected != NULL);
	was = (uint64_t)*expected;
	r = kn_wide_cas(cell->word, &was, (uint64_t)value);
	*expected = (int64_t)was;
	return r;
}

/* ---- doubles ---- */

int
kin_cell_get_double(const kin_cell *cell, double *ret)
{
	if (!is_double(cell))
		return wrong_type(cell);
	kn_assert(ret != NULL);
	*ret = double_of(kn_wide_load_ordered(cell->word));
	return 0;
}

int
kin_cell_set_double(kin_cell *cell, double value)
{
	if (!is_double(cell))
		return wrong_type(cell);
	(void)kn_wide_swap(cell->word, bits_of(value));
	return 0;
}

/* Whoever is in the way has added something. */
int
kin_cell_add_double(kin_cell *cell, double x, double *ret)
{
	uint64_t was;

	if (!is_double(cell))
		return wrong_type(cell);
	was = kn_wide_load_ordered(cell->word);
	while (!kn_wide_cas(cell->word, &was, bits_of(double_of(was) + x)))
		;
	if (ret != NULL)
		*ret = double_of(was);
	return 0;
}

int
kin_cell_cas_double(kin_cell *cell, double *expected, double value)
{
	uint64_t was;
	int r;

	if (!is_double(cell))
		return wrong_type(cell);
	kn_assert(expected != NULL);
	was = bits_of(*expected);
	r = kn_wide_cas(cell->word, &was, bits_of(value));
	*expected = double_of(was);
	return r;
}

/* ---- what there is to know ---- */

uint32_t
kin_cell_type(const kin_cell *cell)
{
	kn_assert(cell != NULL);
	return (uint32_t)cell->o.mark.shape[KN_CELL_TYPE];
}

kin_lock *
kin_cell_lock(const kin_cell *cell)
{
	kn_assert(cell != NULL);
	return cell->lock;
}

uint64_t
kin_cell_offset(const kin_cell *cell)
{
	kn_assert(cell != NULL);
	return cell->o.offset;
}

int
kin_cell_fd(const kin_cell *cell)
{
	kn_assert(cell != NULL);
	return cell->o.seg->fd;
}

const char *
kin_cell_label(const kin_cell *cell)
{
	kn_assert(cell != NULL);
	return cell->o.seg->label;
}
