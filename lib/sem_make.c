/* SPDX-License-Identifier: MIT */
/*
 * sem_make.c - kin_sem: making one, joining, letting go
 */
#include <errno.h>

#include "lib/sem.h"

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	bool owned = !(mark->options & KIN_SEM_PLAIN);
	uint64_t permits = mark->shape[0], most = mark->shape[1];

	(void)threads;
	if ((mark->options & ~KIN_SEM_PLAIN) != 0 || members == 0)
		return 0;
	if (owned)
		return permits == 0 || permits > KIN_SEM_OWNED_MOST ||
		       most != 0 ? 0 : sizeof(struct kn_sem_shared) +
				       members * sizeof(kn_wide);
	if (most > KIN_SEM_MOST || permits > (most != 0 ? most : KIN_SEM_MOST))
		return 0;
	return sizeof(struct kn_sem_shared);
}

static void
begin(struct kn_object *o)
{
	struct kn_sem_shared *shared = o->own;
	uint32_t permits = (uint32_t)o->mark.shape[0];
	uint32_t most = (uint32_t)o->mark.shape[1];

	kn_store(&shared->free, permits * KN_SEM_ONE);
	if (most != 0)
		kn_store(&shared->room, most - permits);
}

static int
open_sem(struct kn_object *o, const void *arg)
{
	kin_sem *s = (kin_sem *)o;

	(void)arg;
	s->shared = o->own;
	s->owned = !(o->mark.options & KIN_SEM_PLAIN);
	s->bounded = o->mark.shape[1] != 0;
	s->total = s->owned ? (uint32_t)o->mark.shape[0]
		 : s->bounded ? (uint32_t)o->mark.shape[1] : KIN_SEM_MOST;
	s->quick = s->owned || s->bounded ? 0 : s->total;
	s->members = o->seg->members;
	s->made = kn_self_generation();
	kn_spin_init(&s->spin, 0);
	return 0;
}

/* What is held through a semaphore that is alone nobody else can release. */
static void
shut(struct kn_object *o)
{
	kin_sem *s = (kin_sem *)o;
	const struct kn_registry *reg = &o->control->registry;
	uint32_t stamp = reg->party.stamp;
	uint64_t cell, n;

	if (!s->owned || o->placed || !kn_registry_joined(reg))
		return;
	cell = kn_wide_load(&s->shared->cells[kn_stamp_slot(stamp)]);
	n = kn_cell_held(cell);
	if (n > 0 && n <= s->total &&
	    kn_cell_begin_return(s, stamp, (uint32_t)n)) {
		kn_sem_give(s, (uint32_t)n);
		kn_cell_end_return(s, stamp, (uint32_t)n);
	}
}

const struct kn_object_kind kn_sem_kind = {
	.kind = { KIN_THING_SEM, 1, "sem", "a semaphore" },
	.handle_bytes = sizeof(kin_sem),
	.align = 64,
	.own_bytes = own_bytes,
	.begin = begin,
	.open = open_sem,
	.shut = shut,
	.facts = kn_sem_facts,
};

static int
check(const struct kin_sem_opts *opts)
{
	bool owned = !(opts->flags & KIN_SEM_PLAIN);
	uint32_t most = owned ? KIN_SEM_OWNED_MOST :
			opts->most != 0 ? opts->most : KIN_SEM_MOST;

	if ((opts->flags & ~KIN_SEM_PLAIN) != 0 || opts->reserved != 0)
		return kn_fail(-EINVAL, "sem: flags %#x, reserved %#x",
			       opts->flags, opts->reserved);
	if (owned && opts->most != 0)
		return kn_fail(-EINVAL, "sem: owned permits are bounded by "
			       "their number; .most is for KIN_SEM_PLAIN");
	if (most > KIN_SEM_MOST || opts->permits > most)
		return kn_fail(-EINVAL, "sem of %u permits, at most %u; %u "
			       "are possible", opts->permits, opts->most,
			       owned ? KIN_SEM_OWNED_MOST : KIN_SEM_MOST);
	return 0;
}

static int
plan(struct kn_making *ret, const struct kin_sem_opts *user)
{
	struct kin_sem_opts opts;
	int r = kn_opts_copy(&opts, sizeof(opts), user);

	if (r == 0)
		r = check(&opts);
	if (r < 0)
		return r;
	if (opts.permits == 0 && !(opts.flags & KIN_SEM_PLAIN))
		opts.permits = 1;
	*ret = (struct kn_making){
		.kind = &kn_sem_kind,
		.options = opts.flags,
		.shape = { opts.permits, opts.most },
		.segment = opts.segment,
		.offset = opts.offset,
		.label = opts.label,
		.members = opts.members,
	};
	return 0;
}

int
kin_sem_create(kin_sem **ret_s, const struct kin_sem_opts *opts)
{
	struct kn_making making;
	struct kn_object *o;
	int r;

	kn_assert(ret_s != NULL);
	r = plan(&making, opts);
	if (r == 0)
		r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_s = (kin_sem *)o;
	return r;
}

size_t
kin_sem_room(const struct kin_sem_opts *opts)
{
	struct kn_making making;

	return plan(&making, opts) < 0 ? 0 : (size_t)kn_object_room(&making);
}

int
kin_sem_attach(kin_sem **ret_s, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_s != NULL);
	r = kn_object_attach(&o, &kn_sem_kind, fd, NULL);
	if (r == 0)
		*ret_s = (kin_sem *)o;
	return r;
}

int
kin_sem_attach_at(kin_sem **ret_s, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_s != NULL);
	r = kn_object_attach_at(&o, &kn_sem_kind, seg, offset, NULL);
	if (r == 0)
		*ret_s = (kin_sem *)o;
	return r;
}

void
kin_sem_close(kin_sem *s)
{
	kn_object_close(s == NULL ? NULL : &s->o);
}

int
kin_sem_fd(const kin_sem *s)
{
	kn_assert(s != NULL);
	return s->o.seg->fd;
}

const char *
kin_sem_label(const kin_sem *s)
{
	kn_assert(s != NULL);
	return s->o.placed ? "" : s->o.seg->label;
}
