/* SPDX-License-Identifier: MIT */
/*
 * values.c - values that have come
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <kin/readonly.h>

#include "lib/pledge.h"
#include "lib/thing.h"
#include "lib/values.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/word.h"

#define SMALL	256u	/* up to here strings are borrowed from tail */

/* ---- made and freed ---- */

static void
init_values(kin_values *v, size_t inside)
{
	v->bytes = v->strings = NULL;
	v->inline_bytes = false;
	v->held = NULL;
	v->nheld = v->held_cap = 0;
	v->nfds = 0;
	v->shape.pledges = 0;
	v->yours = v->shown = false;
	v->claimed[0] = v->claimed[1] = 0;
	v->inside = inside;
}

/* With more bytes behind the descriptors. */
static kin_values *
new_values(size_t len, uint32_t nfds, size_t more)
{
	size_t inside = len < SMALL ? len + 1 : 0;
	size_t bytes = (sizeof(kin_values) + inside + 7) & ~(size_t)7;
	kin_values *v;

	nfds = nfds <= KIN_VALUES_FDS ? nfds : 0;
	if (more > PTRDIFF_MAX / 2)
		more = PTRDIFF_MAX / 2;		/* there is no such memory */
	v = malloc(bytes + nfds * sizeof(int) + more);
	if (v == NULL) {
		(void)kn_fail(-ENOMEM, "values");
		return NULL;
	}
	init_values(v, inside);
	v->fds = (int *)(void *)((unsigned char *)v + bytes);
	return v;
}

kin_values *
kn_values_new(size_t len, uint32_t nfds)
{
	return new_values(len, nfds, 0);
}

int
kn_values_fill(kin_values *v, unsigned char *bytes, size_t len,
	       const int *fds, uint32_t nfds)
{
	int r;

	if (nfds > KIN_VALUES_FDS)
		return kn_fail(-EMSGSIZE, "%u descriptors in a message; %d at "
			       "most", nfds, KIN_VALUES_FDS);
	r = kn_wire_check(&v->shape, bytes, len, nfds);
	if (r < 0)
		return r;
	v->bytes = bytes;
	v->len = len;
	v->nfds = nfds;
	if (v->shape.pledges > 0)
		v->generation = kn_self_generation();
	if (nfds > 0)
		memcpy(v->fds, fds, nfds * sizeof(*fds));
	return 0;
}

int
kn_values_of(kin_values **ret_v, unsigned char *bytes, size_t len,
	     const int *fds, uint32_t nfds)
{
	kin_values *v = kn_values_new(len, nfds);
	int r;

	if (v == NULL)
		return -ENOMEM;
	r = kn_values_fill(v, bytes, len, fds, nfds);
	if (r < 0) {
		free(v);
		return r;
	}
	*ret_v = v;
	return 0;
}

int
kn_values_copy(kin_values **ret_v, const unsigned char *bytes, size_t len)
{
	kin_values *v = new_values(len, 0, len);
	unsigned char *copy;
	int r;

	if (v == NULL)
		return -ENOMEM;
	copy = (unsigned char *)v->fds;
	if (len > 0)
		memcpy(copy, bytes, len);
	r = kn_values_fill(v, copy, len, NULL, 0);
	if (r < 0) {
		free(v);
		return r;
	}
	v->inline_bytes = true;
	*ret_v = v;
	return 0;
}

static void
let_go(const struct kn_held *held)
{
	switch (held->kind) {
	case KN_EXT_FD:
		kn_os_close(held->fd);
		break;
	case KN_EXT_RO:
		kin_readonly_release(held->thing);
		break;
	default:
		kn_thing_find(held->kind)->close(held->thing);
	}
}

/* Things that came and that nobody has taken. */
static void
disclaim(kin_values *v)
{
	const unsigned char *at = v->bytes, *end = at + v->len;
	const struct kn_thing *kind;
	struct kn_head head;
	int index;

	while (at < end) {
		kn_assert(kn_wire_head(&head, at, end) == 0);
		at = head.next;
		index = kn_wire_index(&head);
		if (index < 0 || kn_values_claimed(v, index))
			continue;
		kind = kn_thing_find(head.kind);
		if (kind != NULL && kind->unclaimed != NULL) {
			kn_values_claim(v, index);
			kind->unclaimed(v->fds[index]);
		}
	}
}

void
kn_values_disown(kin_values *v)
{
	v->shape.pledges = 0;
}

/* Not in a fork's child, whose values are a copy of its parent's. */
static void
drop_pledges(const kin_values *v)
{
	if (v->shape.pledges > 0 && !v->shown &&
	    v->generation == kn_self_generation())
		kn_pledges_drop(v->bytes, v->len);
}

void
kin_values_free(kin_values *v)
{
	struct kn_sentence sentence;
	int saved = errno;
	uint32_t i;

	if (v == NULL)
		return;
	if (v->nheld > 0 || v->nfds > 0 || v->shape.pledges > 0) {
		kn_sentence_save(&sentence);
		while (v->nheld > 0)
			let_go(&v->held[--v->nheld]);
		if (v->nfds > 0)
			disclaim(v);
		drop_pledges(v);
		kn_sentence_restore(&sentence);
	}
	for (i = 0; i < v->nfds; i++)
		kn_os_close(v->fds[i]);
	if (v->strings != v->tail)
		free(v->strings);
	free(v->held);
	if (!v->inline_bytes)
		free(v->bytes);
	free(v);
	errno = saved;
}

/* ---- for those who take ---- */

/*
 * Strings in a message have no zero behind them.  So there is a second room,
 * as long as the message, in which each string has the place that it has in
 * the message: there, what is behind it belongs to no other string, since at
 * least one byte stands before each.  However often one is taken, it is there
 * once; and pages that no string lies in are never touched.
 */
const char *
kn_values_borrow(kin_values *v, const unsigned char *data, size_t n)
{
	size_t at = (size_t)(data - v->bytes);

	if (kn_unlikely(v->strings == NULL)) {
		v->strings = v->len < v->inside ? v->tail
						: malloc(v->len + 1);
		if (v->strings == NULL) {
			(void)kn_fail(-ENOMEM, "strings of %zu bytes", v->len);
			return NULL;
		}
	}
	memcpy(v->strings + at, data, n);
	v->strings[at + n] = '\0';
	return (const char *)v->strings + at;
}

int
kn_values_room(kin_values *v, size_t more)
{
	size_t cap = v->held_cap * 2u;
	struct kn_held *held;

	if (more <= v->held_cap - v->nheld)
		return 0;
	if (cap < v->nheld + more)
		cap = v->nheld + more;
	held = cap <= UINT32_MAX ? realloc(v->held, cap * sizeof(*held))
				 : NULL;
	if (held == NULL)
		return kn_fail(-ENOMEM, "%zu things taken", cap);
	v->held = held;
	v->held_cap = (uint32_t)cap;
	return 0;
}

static const unsigned char *
first_of(const kin_values *v)
{
	struct kn_head row;

	kn_assert(kn_wire_head(&row, v->bytes, v->bytes + v->len) == 0);
	return row.next;
}

int
kn_values_take(kin_values *v, struct kin_slots places, bool yours)
{
	static const struct kn_where where = { "argument", 1 };
	const unsigned char *next;

	kn_assert(v != NULL);
	v->yours = yours;
	if (kn_unlikely(places.n != v->shape.count))
		return kn_fail(-EINVAL, "%u argument%s, taken as %zu",
			       v->shape.count, v->shape.count == 1 ? "" : "s",
			       places.n);
	return kn_take(v, first_of(v), v->bytes + v->len, places, &where,
		       &next);
}

int
kn_values_take_once(unsigned char *bytes, size_t len, struct kin_slots places)
{
	struct kn_sentence sentence;
	kin_values v;
	int r;

	init_values(&v, 0);
	r = kn_values_fill(&v, bytes, len, NULL, 0);
	if (r == 0 && places.n > 0)
		r = kn_values_take(&v, places, true);
	if (v.shape.pledges > 0) {
		kn_sentence_save(&sentence);
		drop_pledges(&v);
		kn_sentence_restore(&sentence);
	}
	free(v.strings);
	return r;
}

int
kn_places_last(struct kin_slots places, const char *what)
{
	size_t i;

	for (i = 0; i < places.n; i++)
		switch (places.v[i].what) {
		case KIN_INTO_STR:
		case KIN_INTO_STRN:
		case KIN_INTO_BIN:
		case KIN_INTO_CURSOR:
			return kn_fail(-EINVAL, "result %zu would be borrowed "
				       "from %s that is gone: take a char *, "
				       "or a kin_values *", i + 1, what);
		}
	return 0;
}

/* ---- public ---- */

int
kin_values_take_all(kin_values *v, struct kin_slots places)
{
	return kn_values_take(v, places, false);
}

size_t
kin_values_count(const kin_values *v)
{
	kn_assert(v != NULL);
	return v->shape.count;
}

uint32_t
kin_values_type(const kin_values *v, size_t i)
{
	const unsigned char *at, *end;
	struct kn_head head;

	kn_assert(v != NULL);
	if (i >= v->shape.count)
		return 0;
	end = v->bytes + v->len;
	for (at = first_of(v); i > 0; i--)
		at = kn_wire_skip(at, end);
	kn_assert(kn_wire_head(&head, at, end) == 0);
	return head.type;
}

/* The order of the others does not matter. */
static void
forget(kin_values *v, uint32_t i)
{
	v->held[i] = v->held[--v->nheld];
}

int
kin_values_keep(kin_values *v, const void *thing)
{
	uint32_t i;

	kn_assert(v != NULL);
	for (i = 0; i < v->nheld; i++) {
		if (v->held[i].kind == KN_EXT_FD || v->held[i].thing != thing)
			continue;
		forget(v, i);
		return 0;
	}
	return kn_fail(-ENOENT, "nothing at that address was taken from these "
		       "values, or it is kept already");
}

int
kin_values_keep_fd(kin_values *v, int fd)
{
	uint32_t i;

	kn_assert(v != NULL);
	for (i = 0; i < v->nheld; i++) {
		if (v->held[i].kind != KN_EXT_FD || v->held[i].fd != fd)
			continue;
		forget(v, i);
		return 0;
	}
	return kn_fail(-ENOENT, "descriptor %d was not taken from these "
		       "values, or it is kept already", fd);
}

int
kin_values_pack(kin_values **ret_v, struct kin_args args)
{
	static const struct kn_way way = {
		.what = "plain bytes",
		.no_fds = true,
		.instead = "a named segment or a manager's object has a name "
			   "to travel by",
	};
	struct kn_bundle b;
	int r;

	kn_assert(ret_v != NULL);
	r = kn_bundle_encode(&b, args, &way);
	if (r < 0)
		return r;
	r = kn_values_of(ret_v, b.bytes, b.len, NULL, 0);
	if (r < 0) {
		kn_bundle_drop(&b);
		return r;
	}
	b.bytes = NULL;
	kn_bundle_sent(&b);
	return 0;
}

int
kin_values_parse(kin_values **ret_v, const void *bytes, size_t len)
{
	kn_assert(ret_v != NULL);
	kn_assert(bytes != NULL || len == 0);
	return kn_values_copy(ret_v, bytes, len);
}

const void *
kin_values_bytes(const kin_values *v, size_t *ret_len)
{
	kn_assert(v != NULL);
	kn_assert(ret_len != NULL);
	*ret_len = v->len;
	/* Nobody else looks at that. */
	((kin_values *)(uintptr_t)v)->shown = true;
	return v->bytes;
}
