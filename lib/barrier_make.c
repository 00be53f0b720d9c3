/* SPDX-License-Identifier: MIT */
/*
 * barrier_make.c - kin_barrier: making one, joining, letting go
 */
#include <errno.h>

#include "lib/barrier.h"

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	(void)members;
	(void)threads;
	if (mark->options != 0 || mark->shape[0] == 0 ||
	    mark->shape[0] > KN_PARTIES_MAX)
		return 0;
	return sizeof(struct kn_barrier_shared) +
	       mark->shape[0] * sizeof(kn_wide);
}

static int
open_barrier(struct kn_object *o, const void *arg)
{
	kin_barrier *b = (kin_barrier *)o;

	(void)arg;
	b->shared = o->own;
	b->parties = (uint32_t)o->mark.shape[0];
	kn_spin_init(&b->spin, 0);
	return 0;
}

const struct kn_object_kind kn_barrier_kind = {
	.kind = { KIN_THING_BARRIER, 1, "barrier", "a barrier" },
	.handle_bytes = sizeof(kin_barrier),
	.align = 64,
	.own_bytes = own_bytes,
	.open = open_barrier,
	.facts = kn_barrier_facts,
};

static int
plan(struct kn_making *ret, const struct kin_barrier_opts *user)
{
	struct kin_barrier_opts opts;
	int r = kn_opts_copy(&opts, sizeof(opts), user);

	if (r < 0)
		return r;
	if (opts.flags != 0)
		return kn_fail(-EINVAL, "barrier: flags %#x", opts.flags);
	if (opts.parties == 0 || opts.parties > KN_PARTIES_MAX)
		return kn_fail(-EINVAL, "barrier for %u parties; 1 to %u",
			       opts.parties, KN_PARTIES_MAX);
	*ret = (struct kn_making){
		.kind = &kn_barrier_kind,
		.shape = { opts.parties },
		.segment = opts.segment,
		.offset = opts.offset,
		.label = opts.label,
		.members = opts.members,
	};
	return 0;
}

int
kin_barrier_create(kin_barrier **ret_b, const struct kin_barrier_opts *opts)
{
	struct kn_making making;
	struct kn_object *o;
	int r;

	kn_assert(ret_b != NULL);
	r = plan(&making, opts);
	if (r == 0)
		r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_b = (kin_barrier *)o;
	return r;
}

size_t
kin_barrier_room(const struct kin_barrier_opts *opts)
{
	struct kn_making making;

	return plan(&making, opts) < 0 ? 0 : (size_t)kn_object_room(&making);
}

int
kin_barrier_attach(kin_barrier **ret_b, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_b != NULL);
	r = kn_object_attach(&o, &kn_barrier_kind, fd, NULL);
	if (r == 0)
		*ret_b = (kin_barrier *)o;
	return r;
}

int
kin_barrier_attach_at(kin_barrier **ret_b, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_b != NULL);
	r = kn_object_attach_at(&o, &kn_barrier_kind, seg, offset, NULL);
	if (r == 0)
		*ret_b = (kin_barrier *)o;
	return r;
}

void
kin_barrier_close(kin_barrier *b)
{
	kn_object_close(b == NULL ? NULL : &b->o);
}

int
kin_barrier_fd(const kin_barrier *b)
{
	kn_assert(b != NULL);
	return b->o.seg->fd;
}

const char *
kin_barrier_label(const kin_barrier *b)
{
	kn_assert(b != NULL);
	return b->o.placed ? "" : b->o.seg->label;
}
