/* SPDX-License-Identifier: MIT */
/*
 * heap.c - kin_heap: making and joining one, blocks, the dead
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/heap.h"

#define BYTES_DEFAULT	(1ull << 20)
#define BYTES_LEAST	(16ull << 10)
#define BYTES_MOST	(63ull << 30)

/* ---- making and joining ---- */

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	uint64_t bytes = mark->shape[0];

	(void)members;
	(void)threads;
	if (bytes < BYTES_LEAST || bytes > BYTES_MOST ||
	    bytes % KN_LINE != 0 || mark->options != 0)
		return 0;
	return bytes - sizeof(*mark);
}

static void
begin(struct kn_object *o)
{
	struct kn_heap heap;

	kn_heap_view(&heap, o->own, o->mark.shape[0] - sizeof(o->mark), NULL);
	kn_heap_format(&heap);
}

static int
complete(struct kn_object *o, const void *arg)
{
	kin_heap *h = (kin_heap *)o;

	(void)arg;
	h->base = o->offset + sizeof(o->mark);
	kn_heap_view(&h->heap, o->own, o->mark.shape[0] - sizeof(o->mark),
		     &o->control->registry);
	return 0;
}

static void facts(const struct kn_object_look *look, struct kn_listener *to);

const struct kn_object_kind kn_heap_kind = {
	.kind = { KIN_THING_HEAP, 1, "heap", "a heap" },
	.handle_bytes = sizeof(kin_heap),
	.align = KN_LINE,
	.own_bytes = own_bytes,
	.begin = begin,
	.open = complete,
	.facts = facts,
};

static int
making_of(struct kn_making *ret, const struct kin_heap_opts *user)
{
	struct kin_heap_opts opts;
	int r = kn_opts_copy(&opts, sizeof(opts), user);

	if (r < 0)
		return r;
	if (opts.flags != 0 || opts.reserved != 0)
		return kn_fail(-EINVAL, "heap: flags %#x, reserved %#x",
			       opts.flags, opts.reserved);
	if (opts.bytes == 0)
		opts.bytes = BYTES_DEFAULT;
	if (opts.bytes < BYTES_LEAST || opts.bytes > BYTES_MOST)
		return kn_fail(-EINVAL, "heap of %" PRIu64 " bytes; %llu at "
			       "least and %llu at most", opts.bytes,
			       BYTES_LEAST, BYTES_MOST);
	*ret = (struct kn_making){
		.kind = &kn_heap_kind,
		.shape = { (opts.bytes + KN_LINE - 1) / KN_LINE * KN_LINE },
		.segment = opts.segment,
		.offset = opts.offset,
		.label = opts.label,
		.members = opts.members,
	};
	return 0;
}

int
kin_heap_create(kin_heap **ret_heap, const struct kin_heap_opts *user)
{
	struct kn_making making;
	struct kn_object *o;
	int r;

	kn_assert(ret_heap != NULL);
	r = making_of(&making, user);
	if (r == 0)
		r = kn_object_create(&o, &making);
	if (r == 0)
		*ret_heap = (kin_heap *)o;
	return r;
}

size_t
kin_heap_room(const struct kin_heap_opts *user)
{
	struct kn_making making;

	return making_of(&making, user) < 0
	       ? 0 : (size_t)kn_object_room(&making);
}

int
kin_heap_attach(kin_heap **ret_heap, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_heap != NULL);
	r = kn_object_attach(&o, &kn_heap_kind, fd, NULL);
	if (r == 0)
		*ret_heap = (kin_heap *)o;
	return r;
}

int
kin_heap_attach_at(kin_heap **ret_heap, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_heap != NULL);
	kn_assert(seg != NULL);
	r = kn_object_attach_at(&o, &kn_heap_kind, seg, offset, NULL);
	if (r == 0)
		*ret_heap = (kin_heap *)o;
	return r;
}

void
kin_heap_close(kin_heap *h)
{
	kn_object_close((struct kn_object *)h);
}

/* ---- in and out ---- */

/* The sentence for a number that the latch came back with. */
static int
failed(kin_heap *h, int r)
{
	char name[96];

	switch (r) {
	case -EBUSY:
		return kn_fail(-ETIMEDOUT, "%s: another process, at work or "
			       "stopped in it, was in the way until the "
			       "deadline", kn_object_name(&h->o, name));
	case -EDEADLK:
		return kn_fail(r, "%s: called from a signal handler that "
			       "interrupted a call",
			       kn_object_name(&h->o, name));
	case -EUCLEAN:		/* who has found it has said what is wrong */
		return kn_object_spoilt_now(&h->o);
	default:
		return r;
	}
}

int
kn_heap_enter(kin_heap *h, struct kn_tx *tx, kin_time deadline)
{
	int r;

	if (kn_object_spoilt(&h->o))
		return kn_object_spoilt_before(&h->o);
	r = kn_control_process(h->o.control);
	if (kn_unlikely(r < 0))
		return r;
	r = kn_heap_begin(&h->heap, tx, deadline);
	return kn_likely(r == 0) ? 0 : failed(h, r);
}

int
kn_heap_leave(kin_heap *h, int r)
{
	kn_heap_undo(&h->heap);
	return failed(h, r);
}

/* ---- blocks ---- */

static int
no_room(kin_heap *h, size_t bytes)
{
	char name[96];

	return kn_fail(-ENOSPC, "%s has no room for a block of %zu bytes",
		       kn_object_name(&h->o, name), bytes);
}

#define NO_ROOM	1

/* 0; NO_ROOM, which may yet be found; or an error. */
static int
try(kin_heap *h, uint64_t *ret_at, size_t bytes, size_t align, bool walk,
    kin_time deadline)
{
	struct kn_tx tx;
	uint64_t offset;
	int64_t swept = 0;
	int r = kn_heap_enter(h, &tx, deadline);

	if (kn_unlikely(r < 0))
		return r;
	if (kn_unlikely(walk || kn_heap_walk_due(&h->heap)))
		swept = kn_heap_walk(&h->heap, &tx);
	r = kn_likely(swept >= 0)
	    ? kn_heap_alloc(&h->heap, &tx, bytes, align, &offset)
	    : (int)swept;
	if (kn_unlikely(r < 0)) {
		r = kn_heap_leave(h, r);
		return r == -ENOSPC ? NO_ROOM : r;
	}
	kn_heap_commit(&h->heap, &tx);
	*ret_at = h->base + offset;
	return 0;
}

/*
 * Somebody may have died without being missed until now; or another one has
 * freed what the dead had, since we looked.
 */
static int __attribute__((noinline))
search(kin_heap *h, uint64_t *ret_at, size_t bytes, size_t align,
       kin_time deadline)
{
	int r;

	kn_registry_sweep(h->heap.registry, h->heap.registry->slots);
	r = try(h, ret_at, bytes, align, kn_heap_walk_pays(&h->heap),
		deadline);
	return r == NO_ROOM ? no_room(h, bytes) : r;
}

static int
alloc(kin_heap *h, uint64_t *ret_at, size_t bytes, size_t align,
      kin_time deadline)
{
	int r = try(h, ret_at, bytes, align, false, deadline);

	return kn_likely(r != NO_ROOM)
	       ? r : search(h, ret_at, bytes, align, deadline);
}

int
kin_heap_alloc(kin_heap *h, uint64_t *ret_at, size_t bytes, kin_time deadline)
{
	kn_assert(h != NULL);
	kn_assert(ret_at != NULL);
	return alloc(h, ret_at, bytes, KN_GRAIN, deadline);
}

int
kin_heap_alloc_aligned(kin_heap *h, uint64_t *ret_at, size_t bytes,
		       size_t align, kin_time deadline)
{
	kn_assert(h != NULL);
	kn_assert(ret_at != NULL);
	if (align == 0 || (align & (align - 1)) != 0 ||
	    align > KIN_HEAP_ALIGN_MAX)
		return kn_fail(-EINVAL, "a block at a multiple of %zu", align);
	return alloc(h, ret_at, bytes, align < KN_GRAIN ? KN_GRAIN : align,
		     deadline);
}

/* A user's offset as the ground's; what is none becomes one that is none. */
static uint64_t
ground(const kin_heap *h, uint64_t at)
{
	return at < h->base ? UINT64_MAX : at - h->base;
}

int
kn_heap_seek(kin_heap *h, uint64_t at, struct kn_block_look *ret)
{
	char name[96];
	int r = kn_heap_find(&h->heap, ground(h, at), ret);

	if (kn_unlikely(r == -EINVAL))
		return kn_fail(r, "%s: no block begins at offset %" PRIu64
			       "; it is free already, or was never one",
			       kn_object_name(&h->o, name), at);
	return r;
}

int
kin_heap_free(kin_heap *h, uint64_t at, kin_time deadline)
{
	struct kn_block_look look;
	struct kn_tx tx;
	int r;

	kn_assert(h != NULL);
	if (at == 0)
		return 0;
	r = kn_heap_enter(h, &tx, deadline);
	if (kn_unlikely(r < 0))
		return r;
	r = kn_heap_seek(h, at, &look);
	if (kn_likely(r == 0))
		r = kn_heap_free(&h->heap, &tx, &look);
	if (kn_unlikely(r < 0))
		return kn_heap_leave(h, r);
	kn_heap_commit(&h->heap, &tx);
	return 0;
}

ssize_t
kin_heap_bytes_at(kin_heap *h, uint64_t at, kin_time deadline)
{
	struct kn_block_look look;
	struct kn_tx tx;
	int r;

	kn_assert(h != NULL);
	r = kn_heap_enter(h, &tx, deadline);
	if (r < 0)
		return r;
	r = kn_heap_seek(h, at, &look);
	if (r < 0)
		return kn_heap_leave(h, r);
	kn_heap_commit(&h->heap, &tx);
	return (ssize_t)kn_heap_room(&look);
}

/* ---- the dead, and what there is to know ---- */

ssize_t
kin_heap_sweep(kin_heap *h, kin_time deadline)
{
	struct kn_tx tx;
	int64_t n;
	int r;

	kn_assert(h != NULL);
	if (kn_object_spoilt(&h->o))
		return kn_object_spoilt_before(&h->o);
	r = kn_control_process(h->o.control);
	if (r < 0)
		return r;
	kn_registry_sweep(h->heap.registry, h->heap.registry->slots);
	r = kn_heap_enter(h, &tx, deadline);
	if (r < 0)
		return r;
	n = kn_heap_walk(&h->heap, &tx);
	if (n < 0)
		return kn_heap_leave(h, (int)n);
	kn_heap_commit(&h->heap, &tx);
	return (ssize_t)n;
}

int
kin_heap_check(kin_heap *h, kin_time deadline)
{
	struct kn_tx tx;
	int r;

	kn_assert(h != NULL);
	r = kn_heap_enter(h, &tx, deadline);
	if (r < 0)
		return r;
	r = kn_heap_check(&h->heap);
	if (r < 0)
		return kn_heap_leave(h, r);
	kn_heap_commit(&h->heap, &tx);
	return 0;
}

static void
stats_of(struct kin_heap_usage *ret, const struct kn_heap_shared *shared,
	 uint64_t bytes)
{
	uint64_t used = kn_wide_load(&shared->blocks.used);
	uint64_t peak = kn_wide_load(&shared->peak);

	*ret = (struct kin_heap_usage){
		.bytes = bytes - sizeof(*shared) - KN_GRAIN,
		.used = (used & UINT32_MAX) * KN_GRAIN,
		.blocks = used >> 32,
		.swept = kn_wide_load(&shared->swept),
	};
	ret->peak = peak * KN_GRAIN < ret->used ? ret->used : peak * KN_GRAIN;
}

void
kin_heap_stats(const kin_heap *h, struct kin_heap_usage *ret)
{
	kn_assert(h != NULL);
	kn_assert(ret != NULL);
	stats_of(ret, h->heap.shared, h->heap.bytes);
}

kin_segment *
kin_heap_segment(const kin_heap *h)
{
	kn_assert(h != NULL);
	return h->o.seg;
}

int
kin_heap_fd(const kin_heap *h)
{
	kn_assert(h != NULL);
	return h->o.seg->fd;
}

const char *
kin_heap_label(const kin_heap *h)
{
	kn_assert(h != NULL);
	return h->o.seg->label;
}

static void
facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_heap_shared *shared = look->own;
	struct kin_heap_usage stats;
	uint32_t latch, count, i;

	if (look->own_bytes < sizeof(*shared))
		return;
	stats_of(&stats, shared, look->mark.shape[0] - sizeof(look->mark));
	kn_say(to, "used", "%" PRIu64 " of %" PRIu64 " bytes, at most %"
	       PRIu64 " so far", stats.used, stats.bytes, stats.peak);
	kn_say(to, "blocks", "%" PRIu64 ", and %" PRIu64 " freed for the dead",
	       stats.blocks, stats.swept);
	if (stats.used > stats.bytes)
		kn_say(to, KN_TROUBLE, "heap: more is used than there is");
	for (i = 0; i < KN_HEAP_ROOTS; i++)
		if (kn_wide_load(&shared->roots[i]) != 0)
			kn_say(to, "root", "%u: %" PRIu64, i,
			       kn_wide_load(&shared->roots[i]));
	count = kn_load(&shared->undo.count);
	if (count > KN_UNDO_MAX)
		kn_say(to, KN_TROUBLE, "heap: an undo log of %u entries",
		       count);
	else if (count != 0)
		kn_say(to, "under way", "a change of %u words so far", count);
	latch = kn_load(&shared->latch);
	if (latch == 0)
		kn_say(to, "latch", "free");
	else
		kn_control_say_stamp(&look->control, "latch",
				     latch & KN_STAMP_MASK, to);
}
