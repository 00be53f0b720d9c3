/* SPDX-License-Identifier: MIT */
/*
 * pledge.c - what holds a thing while it travels by itself
 */
#include <string.h>

#include "lib/pledge.h"
#include "lib/thing.h"

#define PLEDGE	8u

unsigned char *
kn_pledge_of(const struct kn_head *h)
{
	const struct kn_thing *kind;

	if (h->type != KIN_TYPE_THING || h->v.n == 0 ||
	    h->data[0] != KN_BY_ITSELF)
		return NULL;
	kind = kn_thing_find(h->kind);
	if (kind == NULL || kind->pledge == 0 ||
	    h->v.n < kind->pledge + PLEDGE ||
	    kn_wire_little(h->data + kind->pledge, PLEDGE) == 0)
		return NULL;
	/* Who moves it has bytes of his own. */
	return (unsigned char *)(uintptr_t)h->data + kind->pledge;
}

static void
move_back(const struct kn_lent *lent)
{
	memcpy(lent->thing, &lent->number, PLEDGE);
}

/* Where it may never travel, who gave it has it again and can try once more. */
int
kn_pledge_move(struct kn_pack *to, unsigned char *pledge)
{
	struct kn_lent lent = { move_back, pledge, -1, 0 };
	int r = 0;

	memcpy(&lent.number, pledge, PLEDGE);
	if (!to->way->lasting)
		r = kn_bundle_lend(to->bundle, &lent);
	if (r == 0)
		memset(pledge, 0, PLEDGE);
	return r;
}

/*
 * The next thing with one, from *at on, which may be cut short; *ret_begin is
 * where it begins.
 */
static unsigned char *
next_pledge(const unsigned char **at, const unsigned char *end,
	    const unsigned char **ret_begin, struct kn_head *ret)
{
	unsigned char *pledge;

	while (*at < end && kn_wire_head(ret, *at, end) == 0) {
		*ret_begin = *at;
		*at = ret->next;
		pledge = kn_pledge_of(ret);
		if (pledge != NULL)
			return pledge;
	}
	return NULL;
}

void
kn_pledges_spend(const unsigned char *at, const unsigned char *end)
{
	const unsigned char *begin;
	unsigned char *pledge;
	struct kn_head head;

	while ((pledge = next_pledge(&at, end, &begin, &head)) != NULL)
		memset(pledge, 0, PLEDGE);
}

void
kn_pledges_drop(const unsigned char *bytes, size_t len)
{
	const unsigned char *at = bytes, *begin;
	struct kn_head head;

	if (bytes == NULL)
		return;
	while (next_pledge(&at, bytes + len, &begin, &head) != NULL)
		kn_thing_find(head.kind)->dropped(head.data, (size_t)head.v.n);
}

size_t
kn_pledges_keep(unsigned char *bytes, size_t len)
{
	const unsigned char *at = bytes, *begin;
	struct kn_head head;
	size_t kept = 0;

	while (next_pledge(&at, bytes + len, &begin, &head) != NULL) {
		memmove(bytes + kept, begin, (size_t)(at - begin));
		kept += (size_t)(at - begin);
	}
	return kept;
}
