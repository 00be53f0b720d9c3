/* SPDX-License-Identifier: MIT */
/*
 * take.c - values into places, all or nothing
 *
 * In three rounds: does each fit its place; what has to be made (handles,
 * copies, mappings) is made, and undone if a later one fails; then all places
 * are written.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kin/readonly.h>

#include "lib/pledge.h"
#include "lib/thing.h"
#include "lib/values.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/word.h"

#define AT_ONCE		32	/* places without memory of malloc */

struct got {
	struct kn_head head;
	const unsigned char *at;
	const void *p;			/* string, handle, mapping, values */
	int fd;
};

struct take {
	kin_values *v;
	struct kin_slots places;
	const struct kn_where *where;
	struct got *got;
};

/* ---- does it fit? ---- */

static const char *
type_words(const struct kn_head *h)
{
	static const char *const words[] = {
		[KIN_TYPE_NIL] = "nil",
		[KIN_TYPE_BOOL] = "a bool",
		[KIN_TYPE_INT] = "an integer",
		[KIN_TYPE_FLOAT] = "a float",
		[KIN_TYPE_STR] = "a string",
		[KIN_TYPE_BIN] = "bytes",
		[KIN_TYPE_ARRAY] = "an array",
		[KIN_TYPE_MAP] = "a map",
	};

	if (h->type == KIN_TYPE_THING)
		return kn_thing_a(h->kind);
	return words[h->type];
}

static const char *
place_words(const struct kin_slot *slot)
{
	static const char *const words[] = {
		[KIN_INTO_ANY] = "anything",
		[KIN_INTO_BOOL] = "a bool",
		[KIN_INTO_INT] = "an integer",
		[KIN_INTO_UINT] = "an integer",
		[KIN_INTO_FLOAT] = "a float",
		[KIN_INTO_STR] = "a string",
		[KIN_INTO_STR_COPY] = "a string",
		[KIN_INTO_STRN] = "a string",
		[KIN_INTO_BIN] = "bytes",
		[KIN_INTO_RO] = "read-only data",
		[KIN_INTO_FD] = "a descriptor",
		[KIN_INTO_CURSOR] = "an array or a map",
		[KIN_INTO_VALUES] = "values",
	};

	if (slot->what == KIN_INTO_THING)
		return kn_thing_a(slot->kind);
	if (slot->what < KIN_INTO_ANY || slot->what > KIN_INTO_THING)
		return "what is no place";
	return words[slot->what];
}

static int __attribute__((cold, noinline))
misfit(const struct take *t, size_t i)
{
	return kn_fail(-EINVAL, "%s %" PRIu64 " is %s, taken as %s",
		       t->where->noun, t->where->first + i,
		       type_words(&t->got[i].head),
		       place_words(&t->places.v[i]));
}

static int __attribute__((cold, noinline))
too_much(const struct take *t, size_t i)
{
	const struct kin_slot *slot = &t->places.v[i];
	const struct kn_head *h = &t->got[i].head;
	uint64_t number = t->where->first + i;
	const char *noun = t->where->noun;

	if (slot->what == KIN_INTO_FLOAT && h->type == KIN_TYPE_FLOAT)
		return kn_fail(-ERANGE, "%s %" PRIu64 " is %g, beyond a float",
			       noun, number, h->v.f);
	if (h->negative)
		return kn_fail(-ERANGE, "%s %" PRIu64 " is %" PRId64 ", which "
			       "its place (%s of %u bytes) cannot hold", noun,
			       number, h->v.i, slot->what == KIN_INTO_FLOAT
			       ? "a float" : slot->what == KIN_INTO_INT
			       ? "a signed integer" : "an unsigned integer",
			       slot->kind);
	return kn_fail(-ERANGE, "%s %" PRIu64 " is %" PRIu64 ", which its "
		       "place (%s of %u bytes) cannot hold", noun, number,
		       h->v.u, slot->what == KIN_INTO_FLOAT ? "a float" :
		       slot->what == KIN_INTO_INT ? "a signed integer" :
		       "an unsigned integer", slot->kind);
}

/* An integer of so many bytes with a sign holds this many without it. */
static inline uint64_t
most(uint32_t bytes, bool sign)
{
	return UINT64_MAX >> (64 - 8 * bytes + sign);
}

static bool
fits_int(const struct kn_head *h, uint32_t bytes)
{
	if (h->negative)
		return h->v.i >= -(int64_t)most(bytes, true) - 1;
	return h->v.u <= most(bytes, true);
}

static bool
fits_uint(const struct kn_head *h, uint32_t bytes)
{
	return !h->negative && h->v.u <= most(bytes, false);
}

/* Exactly, if it is an integer: from its first bit to its last. */
static bool
fits_float(const struct kn_head *h, uint32_t bytes)
{
	uint64_t u = h->v.u;

	if (h->type == KIN_TYPE_FLOAT)
		return bytes > sizeof(float) || isinf(h->v.f) ||
		       !isinf((float)h->v.f);
	if (h->negative)
		u = -u;
	return u == 0 || 64 - __builtin_clzll(u) - __builtin_ctzll(u) <=
			 (bytes > sizeof(float) ? 53 : 24);
}

static int
fit_string(const struct take *t, size_t i)
{
	const struct kn_head *h = &t->got[i].head;

	if (h->type != KIN_TYPE_STR)
		return misfit(t, i);
	if (memchr(h->data, '\0', (size_t)h->v.n) != NULL)
		return kn_fail(-EINVAL, "%s %" PRIu64 " is a string with a "
			       "zero byte inside; KIN_STR takes it",
			       t->where->noun, t->where->first + i);
	if (t->places.v[i].what == KIN_INTO_STR_COPY)
		return 0;
	/* Nobody sees it until it is put, so there is nothing to undo. */
	t->got[i].p = kn_values_borrow(t->v, h->data, (size_t)h->v.n);
	return t->got[i].p != NULL ? 0 : -ENOMEM;
}

static int
fit(const struct take *t, size_t i)
{
	const struct kin_slot *slot = &t->places.v[i];
	const struct kn_head *h = &t->got[i].head;
	bool fits;

	switch (slot->what) {
	case KIN_INTO_INT:
		if (h->type != KIN_TYPE_INT)
			return misfit(t, i);
		return fits_int(h, slot->kind) ? 0 : too_much(t, i);
	case KIN_INTO_UINT:
		if (h->type != KIN_TYPE_INT)
			return misfit(t, i);
		return fits_uint(h, slot->kind) ? 0 : too_much(t, i);
	case KIN_INTO_FLOAT:
		if (h->type != KIN_TYPE_INT && h->type != KIN_TYPE_FLOAT)
			return misfit(t, i);
		return fits_float(h, slot->kind) ? 0 : too_much(t, i);
	case KIN_INTO_STR:
	case KIN_INTO_STR_COPY:
		return fit_string(t, i);
	case KIN_INTO_BOOL:
		fits = h->type == KIN_TYPE_BOOL;
		break;
	case KIN_INTO_STRN:
		fits = h->type == KIN_TYPE_STR;
		break;
	case KIN_INTO_BIN:
		fits = h->type == KIN_TYPE_BIN;
		break;
	case KIN_INTO_RO:
		fits = h->type == KIN_TYPE_THING && h->kind == KN_EXT_RO;
		break;
	case KIN_INTO_FD:
		fits = h->type == KIN_TYPE_THING && h->kind == KN_EXT_FD;
		break;
	case KIN_INTO_CURSOR:
		fits = h->type == KIN_TYPE_ARRAY || h->type == KIN_TYPE_MAP;
		break;
	case KIN_INTO_THING:
		fits = h->type == KIN_TYPE_THING &&
		       kn_thing_fits(slot->kind, h->kind);
		break;
	default:
		fits = slot->what == KIN_INTO_ANY ||
		       slot->what == KIN_INTO_VALUES;
	}
	return fits ? 0 : misfit(t, i);
}

/* ---- what has to be made ---- */

static int
copy_string(struct got *got)
{
	size_t n = (size_t)got->head.v.n;
	char *s = malloc(n + 1);

	if (s == NULL)
		return kn_fail(-ENOMEM, "string of %zu bytes", n);
	memcpy(s, got->head.data, n);
	s[n] = '\0';
	got->p = s;
	return 0;
}

/* One value and all that is in it, as values of their own. */
static int
make_values(kin_values *v, struct got *got)
{
	struct kn_bundle b;
	kin_values *part;
	int r;

	r = kn_bundle_part(&b, v, got->at,
			   kn_wire_skip(got->at, v->bytes + v->len));
	if (r < 0)
		return r;
	r = kn_values_of(&part, b.bytes, b.len, b.fds, b.nfds);
	if (r == 0) {
		/* What it holds has gone over. */
		b.bytes = NULL;
		b.nfds = 0;
		got->p = part;
	}
	kn_bundle_drop(&b);
	return r;
}

static int
make_thing(const struct take *t, size_t i)
{
	struct got *got = &t->got[i];
	const struct kn_thing *kind = kn_thing_find(got->head.kind);
	struct kn_unpack from;
	const void *data;
	void *thing;
	int index, r;

	r = kn_wire_thing(&from, &got->head, t->v->fds, t->v->nfds);
	if (r < 0)
		return kn_fail(r, "%s %" PRIu64 " is no whole thing",
			       t->where->noun, t->where->first + i);
	index = kn_wire_index(&got->head);
	from.again = index >= 0 && kn_values_claimed(t->v, index);
	switch (got->head.kind) {
	case KN_EXT_FD:
		r = got->fd = kn_os_dup(from.fd);
		return r < 0 ? kn_fail(r, "%s %" PRIu64 ": its descriptor",
				       t->where->noun, t->where->first + i)
			     : 0;
	case KN_EXT_RO:
		r = kn_readonly_map(&data, from.fd,
				    kn_wire_little(from.more, 8));
		if (r == 0)
			got->p = data;
		return r;
	default:
		r = kind->unpack(&thing, &from);
		if (r == 0)
			got->p = thing;
		return r;
	}
}

static int
make(const struct take *t, size_t i)
{
	struct got *got = &t->got[i];

	got->fd = -1;
	got->p = t->places.v[i].what == KIN_INTO_STR ? got->p : NULL;
	switch (t->places.v[i].what) {
	case KIN_INTO_STR_COPY:
		return copy_string(got);
	case KIN_INTO_VALUES:
		return make_values(t->v, got);
	case KIN_INTO_RO:
	case KIN_INTO_FD:
	case KIN_INTO_THING:
		return make_thing(t, i);
	default:
		return 0;
	}
}

static void
unmake(const struct take *t, size_t i)
{
	struct got *got = &t->got[i];
	void *p = (void *)(uintptr_t)got->p;
	kin_values *part = p;
	const struct kn_thing *kind;

	switch (t->places.v[i].what) {
	case KIN_INTO_STR_COPY:
		free(p);
		break;
	case KIN_INTO_VALUES:
		/* What is in it is still to be claimed where it came from. */
		memset(part->claimed, 0xff, sizeof(part->claimed));
		kn_values_disown(part);
		kin_values_free(part);
		break;
	case KIN_INTO_RO:
		kin_readonly_release(p);
		break;
	case KIN_INTO_FD:
		kn_os_close(got->fd);
		break;
	case KIN_INTO_THING:
		kind = kn_thing_find(got->head.kind);
		if (kind->undo != NULL)
			kind->undo(p);
		else
			kind->close(p);
		break;
	default:
		break;
	}
}

static bool
is_held(const struct kin_slot *slot)
{
	return slot->what == KIN_INTO_RO || slot->what == KIN_INTO_FD ||
	       slot->what == KIN_INTO_THING;
}

static bool
is_made(const struct kin_slot *slot)
{
	return slot->what == KIN_INTO_STR_COPY ||
	       slot->what == KIN_INTO_VALUES || is_held(slot);
}

static int
make_all(const struct take *t)
{
	struct kn_sentence sentence;
	size_t i, things = 0;
	int r = 0;

	for (i = 0; i < t->places.n; i++)
		things += is_held(&t->places.v[i]);
	if (things > 0 && !t->v->yours)
		r = kn_values_room(t->v, things);
	if (r < 0)
		return r;
	for (i = 0; i < t->places.n && r == 0; i++)
		r = make(t, i);
	if (kn_likely(r == 0))
		return 0;
	kn_sentence_save(&sentence);
	for (i--; i-- > 0; )
		unmake(t, i);
	kn_sentence_restore(&sentence);
	return r;
}

/* ---- the places ---- */

static void
put_int(void *to, uint32_t bytes, uint64_t u)
{
	uint8_t u8 = (uint8_t)u;
	uint16_t u16 = (uint16_t)u;
	uint32_t u32 = (uint32_t)u;

	switch (bytes) {
	case 1:
		memcpy(to, &u8, 1);
		break;
	case 2:
		memcpy(to, &u16, 2);
		break;
	case 4:
		memcpy(to, &u32, 4);
		break;
	default:
		memcpy(to, &u, 8);
	}
}

static void
put_float(void *to, uint32_t bytes, const struct kn_head *h)
{
	double d = h->type == KIN_TYPE_FLOAT ? h->v.f :
		   h->negative ? (double)h->v.i : (double)h->v.u;
	float f = (float)d;

	if (bytes == sizeof(f))
		memcpy(to, &f, sizeof(f));
	else
		memcpy(to, &d, sizeof(d));
}

static void
put_pointer(const struct kin_slot *slot, const void *p, uint64_t n)
{
	memcpy(slot->to, &p, sizeof(p));
	if (slot->ret_n != NULL)
		*slot->ret_n = (size_t)n;
}

/* All that came by descriptor between at and end has found its taker. */
static void
claim(kin_values *v, const unsigned char *at, const unsigned char *end)
{
	struct kn_head head;
	int index;

	while (at < end) {
		kn_assert(kn_wire_head(&head, at, end) == 0);
		index = kn_wire_index(&head);
		if (index >= 0)
			kn_values_claim(v, index);
		at = head.next;
	}
}

static void
hold(kin_values *v, const struct got *got)
{
	claim(v, got->at, got->head.next);
	if (v->shape.pledges > 0)
		kn_pledges_spend(got->at, got->head.next);
	if (v->yours)
		return;
	v->held[v->nheld++] = (struct kn_held){
		.kind = got->head.kind,
		.fd = got->fd,
		.thing = (void *)(uintptr_t)got->p,
	};
}

static void
put(const struct take *t, size_t i)
{
	const struct kin_slot *slot = &t->places.v[i];
	const struct got *got = &t->got[i];
	const struct kn_head *h = &got->head;
	kin_values *v = t->v;
	const unsigned char *end = v->bytes + v->len;

	switch (slot->what) {
	case KIN_INTO_BOOL:
		*(bool *)slot->to = h->v.b;
		break;
	case KIN_INTO_INT:
	case KIN_INTO_UINT:
		put_int(slot->to, slot->kind, h->v.u);
		break;
	case KIN_INTO_FLOAT:
		put_float(slot->to, slot->kind, h);
		break;
	case KIN_INTO_STR:
	case KIN_INTO_STR_COPY:
		put_pointer(slot, got->p, 0);
		break;
	case KIN_INTO_STRN:
	case KIN_INTO_BIN:
		put_pointer(slot, h->data, h->v.n);
		break;
	case KIN_INTO_RO:
		hold(v, got);
		put_pointer(slot, got->p, kn_wire_little(h->data + 3, 8));
		break;
	case KIN_INTO_FD:
		hold(v, got);
		*(int *)slot->to = got->fd;
		break;
	case KIN_INTO_THING:
		hold(v, got);
		put_pointer(slot, got->p, 0);
		break;
	case KIN_INTO_VALUES:
		if (v->nfds > 0)
			claim(v, got->at, kn_wire_skip(got->at, end));
		if (v->shape.pledges > 0)
			kn_pledges_spend(got->at,
					 kn_wire_skip(got->at, end));
		put_pointer(slot, got->p, 0);
		break;
	case KIN_INTO_CURSOR:
		*(struct kin_cursor *)slot->to = (struct kin_cursor){
			.of = v, .at = h->next, .end = end,
			.left = h->v.n, .type = h->type,
		};
		break;
	}
}

/* ---- all of it ---- */

static int
take(const struct take *t, const unsigned char *at, const unsigned char *end,
     const unsigned char **ret_next)
{
	bool makes = false;
	size_t i;
	int r;

	for (i = 0; i < t->places.n; i++) {
		struct got *got = &t->got[i];

		kn_assert(kn_wire_head(&got->head, at, end) == 0);
		got->at = at;
		r = fit(t, i);
		if (r < 0)
			return r;
		at = kn_wire_parts(&got->head) == 0 ? got->head.next
						    : kn_wire_skip(at, end);
		makes |= is_made(&t->places.v[i]);
	}
	r = makes ? make_all(t) : 0;
	if (r < 0)
		return r;
	for (i = 0; i < t->places.n; i++)
		put(t, i);
	*ret_next = at;
	return 0;
}

int
kn_take(kin_values *v, const unsigned char *at, const unsigned char *end,
	struct kin_slots places, const struct kn_where *where,
	const unsigned char **ret_next)
{
	struct got few[AT_ONCE];
	struct take t = { v, places, where, few };
	int r;

	kn_assert(places.v != NULL || places.n == 0);
	if (places.n > AT_ONCE) {
		t.got = calloc(places.n, sizeof(*t.got));
		if (t.got == NULL)
			return kn_fail(-ENOMEM, "%zu places", places.n);
	}
	r = take(&t, at, end, ret_next);
	if (t.got != few)
		free(t.got);
	return r;
}
