/* SPDX-License-Identifier: MIT */
/*
 * nest.c - values inside of values: what came before, or was built, as an
 * argument
 */
#include <errno.h>
#include <string.h>

#include "lib/pack.h"
#include "lib/pledge.h"
#include "lib/thing.h"
#include "lib/values.h"
#include "shm/error.h"

/* Many values that were encoded before, and their descriptors. */
struct whole {
	const unsigned char *bytes;
	size_t len;
	const int *fds;
	uint32_t nfds;
	uint32_t depth;
	uint64_t items;
	uint32_t pledges;
	kin_values *values;		/* what it is of; or */
	struct kn_bundle *built;	/* this, or neither */
};

/* Opened and packed anew, as it would be from a handle. */
static int
rename_thing(struct kn_pack *to, const struct kn_thing *kind,
	     const struct kn_unpack *from)
{
	void *thing;
	int r = kind->unpack(&thing, from);

	if (r < 0)
		return kn_pack_because(to, r);
	r = kind->pack(thing, to);
	kind->close(thing);
	return r;
}

/* Whoever was to be told if it is lost is told by the outer one, now. */
static int
hand_over(struct kn_pack *to, const struct whole *w,
	  const struct kn_thing *kind, const struct kn_unpack *from, int index)
{
	struct kn_bundle *b = to->bundle;
	struct kn_lent now = { .fd = b->fds[b->nfds - 1] };
	uint32_t i;
	int r;

	if (w->values == NULL && w->built == NULL)
		return 0;
	if (w->values != NULL) {
		if (kind == NULL || kind->unclaimed == NULL)
			return 0;
		r = kn_pack_lend_fd(to, kind, now.fd);
		if (r == 0)
			kn_values_claim(w->values, index);
		return r;
	}
	for (i = 0; i < w->built->nlent; i++)
		if (w->built->lent[i].fd == from->fd)
			break;
	if (i == w->built->nlent)
		return 0;
	now.back = w->built->lent[i].back;
	now.thing = w->built->lent[i].thing;
	r = kn_bundle_lend(b, &now);
	if (r == 0)
		w->built->lent[i] = w->built->lent[--w->built->nlent];
	return r;
}

static int
pack_again(struct kn_pack *outer, const struct whole *w,
	   const struct kn_head *head)
{
	const struct kn_thing *kind = kn_thing_find(head->kind);
	struct kn_pack to = *outer;
	struct kn_unpack from;
	int r;

	to.kind = head->kind;
	r = kn_wire_thing(&from, head, w->fds, w->nfds);
	if (r < 0)
		return r;
	if (to.way->no_fds && kind != NULL && kind->named)
		return rename_thing(&to, kind, &from);
	r = kn_pack_by_fd(&to, from.fd, false, from.more, from.len, NULL,
			  NULL);
	if (r == 0)
		r = hand_over(&to, w, kind, &from, kn_wire_index(head));
	return r;
}

static int
copy(struct kn_bundle *b, const unsigned char *from, const unsigned char *to)
{
	size_t n = (size_t)(to - from);
	int r = kn_bundle_room(b, n);

	if (r < 0 || n == 0)
		return r;
	memcpy(b->bytes + b->len, from, n);
	b->len += n;
	return 0;
}

/* The pledge goes along. */
static int
copy_pledged(struct kn_pack *to, const unsigned char *from,
	     const unsigned char *end, unsigned char *pledge)
{
	int r = copy(to->bundle, from, end);

	if (r == 0)
		r = kn_pledge_move(to, pledge);
	if (r == 0)
		kn_pack_pledged(to);
	return r;
}

/* All as it is, but for the numbers of descriptors. */
static int
splice(struct kn_pack *to, const struct whole *w)
{
	const unsigned char *at = w->bytes, *end = at + w->len, *done = at;
	unsigned char *pledge;
	struct kn_head head;
	int r = 0;

	while (r == 0 && (w->nfds > 0 || w->pledges > 0) && at < end) {
		kn_assert(kn_wire_head(&head, at, end) == 0);
		pledge = w->pledges > 0 ? kn_pledge_of(&head) : NULL;
		if (kn_wire_index(&head) >= 0) {
			r = copy(to->bundle, done, at);
			if (r == 0)
				r = pack_again(to, w, &head);
			done = head.next;
		} else if (pledge != NULL) {
			r = copy_pledged(to, done, head.next, pledge);
			done = head.next;
		}
		at = head.next;
	}
	return r == 0 ? copy(to->bundle, done, end) : r;
}

static int
give_whole(struct kn_pack *to, const struct whole *w)
{
	struct kn_bundle *b = to->bundle;
	char place[80];
	int r;

	if (b->open + w->depth > KIN_VALUES_DEPTH)
		return kn_fail(-EMSGSIZE, "%s: values are nested deeper than "
			       "%d", kn_pack_place(to, place),
			       KIN_VALUES_DEPTH);
	r = kn_pack_weigh(to, w->len);
	if (r == 0)
		r = splice(to, w);
	if (r < 0)
		return r;
	if (b->open + w->depth > b->depth)
		b->depth = b->open + w->depth;
	b->items += w->items - 1;
	return 0;
}

int
kn_give_values(struct kn_pack *to, const kin_values *v)
{
	struct whole w;

	if (v == NULL)
		return kn_pack_refuse(to, "no values at NULL; KIN_NIL is nothing");
	w = (struct whole){
		.bytes = v->bytes, .len = v->len,
		.fds = v->fds, .nfds = v->nfds,
		.depth = v->shape.depth + 1, .items = v->shape.items + 1,
		.pledges = v->shape.pledges,
		/* Who passes on what came is not reading it. */
		.values = (kin_values *)(uintptr_t)v,
	};
	return give_whole(to, &w);
}

int
kn_give_builder(struct kn_pack *to, const kin_builder *b)
{
	struct kn_bundle *built;
	struct whole w;
	uint32_t i;
	int r = 0;

	if (b == NULL)
		return kn_pack_refuse(to, "no builder at NULL; KIN_NIL is nothing");
	if (b->error < 0) {
		kn_builder_fail(b);
		return kn_pack_because(to, b->error);
	}
	built = (struct kn_bundle *)(uintptr_t)&b->bundle;
	if (built == to->bundle)
		return kn_pack_refuse(to, "a builder inside of itself");
	if (built->open > 0)
		return kn_pack_refuse(to, "a builder whose array or map is not ended");
	if (built->items == 0)
		return kn_pack_refuse(to, "a builder without a value");
	w = (struct whole){
		.bytes = built->bytes, .len = built->len,
		.fds = built->fds, .nfds = built->nfds,
		.depth = built->depth, .items = built->items,
		.pledges = built->pledges,
		.built = built,
	};
	for (i = 0; r == 0 && i < built->nfrozen; i++) {
		r = kn_bundle_keep(to->bundle, built->frozen[i]);
		if (r == 0)
			kn_frozen_hold(built->frozen[i]);
	}
	return r == 0 ? give_whole(to, &w) : r;
}

int
kn_bundle_part(struct kn_bundle *b, const kin_values *v,
	       const unsigned char *at, const unsigned char *end)
{
	struct kn_way way = { .what = "values" };
	struct kn_pack to = { .bundle = b, .way = &way, .index = 1 };
	struct whole w = {
		.bytes = at, .len = (size_t)(end - at),
		.fds = v->fds, .nfds = v->nfds,
	};
	int r;

	kn_bundle_init(b);
	r = kn_bundle_row(b, 1);
	if (r == 0)
		r = splice(&to, &w);
	if (r < 0)
		kn_bundle_drop(b);
	return r;
}
