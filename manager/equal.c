/* SPDX-License-Identifier: MIT */
/*
 * equal.c - are two values equal?
 *
 * A value is heads that follow each other, whatever their nesting: two values
 * are equal if their heads are, one after the other.
 */
#include <string.h>

#include "manager/type.h"

static bool
equal_bytes(const unsigned char *a, const unsigned char *b, uint64_t n)
{
	return memcmp(a, b, (size_t)n) == 0;
}

/* By whatever kind they were passed, and whoever held them on the way. */
static bool
equal_things(const struct kn_head *a, const struct kn_head *b)
{
	if (kn_is_proxy(a) && kn_is_proxy(b))
		return equal_bytes(a->data + KN_PROXY_SERVER,
				   b->data + KN_PROXY_SERVER, 16);
	return a->kind == b->kind && a->v.n == b->v.n &&
	       equal_bytes(a->data, b->data, a->v.n);
}

/* Floats by their bits, so that what is not a number equals itself. */
static bool
equal_heads(const struct kn_head *a, const struct kn_head *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case KIN_TYPE_NIL:
		return true;
	case KIN_TYPE_BOOL:
		return a->v.b == b->v.b;
	case KIN_TYPE_INT:
		return a->negative == b->negative && a->v.u == b->v.u;
	case KIN_TYPE_FLOAT:
		return memcmp(&a->v.f, &b->v.f, sizeof(a->v.f)) == 0 ||
		       (a->v.f == 0 && b->v.f == 0);
	case KIN_TYPE_STR:
	case KIN_TYPE_BIN:
		return a->v.n == b->v.n &&
		       equal_bytes(a->data, b->data, a->v.n);
	case KIN_TYPE_THING:
		return equal_things(a, b);
	default:
		return a->v.n == b->v.n;
	}
}

bool
kn_equal(struct kn_span a, struct kn_span b)
{
	const unsigned char *a_end = a.p + a.len, *b_end = b.p + b.len;
	struct kn_head x = { 0 }, y = { 0 };

	while (a.p < a_end && b.p < b_end) {
		if (kn_wire_head(&x, a.p, a_end) < 0 ||
		    kn_wire_head(&y, b.p, b_end) < 0 || !equal_heads(&x, &y))
			return false;
		a.p = x.next;
		b.p = y.next;
	}
	return a.p == a_end && b.p == b_end;
}
