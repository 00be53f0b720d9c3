/* SPDX-License-Identifier: MIT */
/*
 * cursor.c - reading arrays and maps
 */
#include <errno.h>
#include <inttypes.h>

#include "lib/values.h"
#include "shm/error.h"
#include "shm/word.h"

int
kin_cursor_next_all(struct kin_cursor *c, struct kin_slots places)
{
	struct kn_where where = { "item", 1 };
	const unsigned char *next;
	size_t right;
	int r;

	kn_assert(c != NULL);
	kn_assert(c->of != NULL);
	right = c->type == KIN_TYPE_MAP ? 2 : 1;
	if (kn_unlikely(places.n != right))
		return kn_fail(-EINVAL, "%s, taken as %zu",
			       right == 2 ? "a key and its value"
					  : "one item", places.n);
	if (c->left == 0)
		return 0;
	if (c->type == KIN_TYPE_MAP)
		where.noun = "key or value";
	where.first = c->taken * right + 1;
	r = kn_take(c->of, c->at, c->end, places, &where, &next);
	if (r < 0)
		return r;
	c->at = next;
	c->left--;
	c->taken++;
	return 1;
}

uint32_t
kin_cursor_type(const struct kin_cursor *c)
{
	const unsigned char *at;
	struct kn_head head;

	kn_assert(c != NULL);
	if (c->left == 0)
		return 0;
	at = c->type == KIN_TYPE_MAP ? kn_wire_skip(c->at, c->end) : c->at;
	kn_assert(kn_wire_head(&head, at, c->end) == 0);
	return head.type;
}
