/* SPDX-License-Identifier: MIT */
/*
 * pack.c - arguments as msgpack; the only file that knows msgpack-c
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <msgpack.h>

#include "lib/pack.h"
#include "lib/thing.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/word.h"

/* ---- msgpack-c, writing into a bundle ---- */

/* Inline, since msgpack-c's own functions are: then lengths are constants. */
static inline int
append(void *data, const char *bytes, size_t len)
{
	struct kn_bundle *b = data;

	if (kn_unlikely(len > b->cap - b->len) && kn_bundle_room(b, len) < 0)
		return -ENOMEM;
	memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	return 0;
}

static inline msgpack_packer
into(struct kn_bundle *b)
{
	return (msgpack_packer){ b, append };
}

static int
add_str(struct kn_bundle *b, const void *p, size_t n)
{
	msgpack_packer pk = into(b);
	int r = kn_bundle_room(b, n + 5);

	if (r == 0)
		r = msgpack_pack_str(&pk, n);
	return r == 0 ? msgpack_pack_str_body(&pk, p, n) : r;
}

static int
add_bin(struct kn_bundle *b, const void *p, size_t n)
{
	msgpack_packer pk = into(b);
	int r = kn_bundle_room(b, n + 5);

	if (r == 0)
		r = msgpack_pack_bin(&pk, n);
	return r == 0 ? msgpack_pack_bin_body(&pk, p, n) : r;
}

static int
add_ext(struct kn_bundle *b, uint32_t kind, const void *p, size_t n)
{
	msgpack_packer pk = into(b);
	int r = msgpack_pack_ext(&pk, n, (int8_t)kind);

	return r == 0 ? msgpack_pack_ext_body(&pk, p, n) : r;
}

static int
add_nil(struct kn_bundle *b)
{
	msgpack_packer pk = into(b);

	return msgpack_pack_nil(&pk);
}

static int
add_bool(struct kn_bundle *b, bool yes)
{
	msgpack_packer pk = into(b);

	return yes ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk);
}

static int
add_int(struct kn_bundle *b, int64_t i)
{
	msgpack_packer pk = into(b);

	return msgpack_pack_int64(&pk, i);
}

static int
add_uint(struct kn_bundle *b, uint64_t u)
{
	msgpack_packer pk = into(b);

	return msgpack_pack_uint64(&pk, u);
}

static int
add_float(struct kn_bundle *b, float f)
{
	msgpack_packer pk = into(b);

	return msgpack_pack_float(&pk, f);
}

static int
add_double(struct kn_bundle *b, double f)
{
	msgpack_packer pk = into(b);

	return msgpack_pack_double(&pk, f);
}

int
kn_bundle_row(struct kn_bundle *b, size_t n)
{
	msgpack_packer pk = into(b);

	return msgpack_pack_array(&pk, n);
}

/* Always in its longest form, whose count can be written later. */
int
kn_bundle_begin(struct kn_bundle *b, uint32_t type, size_t *ret_at)
{
	msgpack_packer pk = into(b);
	size_t at = b->len;
	int r;

	if (b->open == KIN_VALUES_DEPTH)
		return kn_fail(-EMSGSIZE, "values are nested deeper than %d",
			       KIN_VALUES_DEPTH);
	r = type == KIN_TYPE_MAP ? msgpack_pack_map(&pk, UINT32_MAX)
				 : msgpack_pack_array(&pk, UINT32_MAX);
	if (r < 0)
		return r;
	b->items++;
	b->open++;
	if (b->open > b->depth)
		b->depth = b->open;
	*ret_at = at;
	return 0;
}

void
kn_bundle_end(struct kn_bundle *b, size_t at, uint64_t n)
{
	unsigned char *count = b->bytes + at + 1;
	unsigned i;

	for (i = 0; i < 4; i++)
		count[i] = (unsigned char)(n >> (24 - 8 * i));
	b->open--;
}

/* ---- how a thing says that it travels ---- */

const char *
kn_pack_place(const struct kn_pack *to, char buf[80])
{
	if (to->name != NULL)
		snprintf(buf, 80, "argument %u ('%.40s')", to->index,
			 to->name);
	else
		snprintf(buf, 80, "argument %u", to->index);
	return buf;
}

int
kn_pack_because(const struct kn_pack *to, int r)
{
	struct kn_sentence why;
	char place[80];

	kn_sentence_save(&why);
	return kn_fail(r, "%s: %.150s", kn_pack_place(to, place), why.text);
}

static int
no_way(const struct kn_pack *to)
{
	const char *instead = to->way->instead;
	char place[80];

	return kn_fail(-EOPNOTSUPP, "%s: %s cannot travel in %s; %s",
		       kn_pack_place(to, place), kn_thing_a(to->kind),
		       to->way->what,
		       instead != NULL ? instead : KN_INSTEAD);
}

static int
pack_index(struct kn_pack *to, int index, const void *more, size_t len)
{
	unsigned char payload[KN_THING_MOST];

	kn_assert(len <= KN_THING_MOST - 3);
	payload[0] = KN_BY_FD;
	payload[1] = (unsigned char)index;
	payload[2] = (unsigned char)(index >> 8);
	if (len > 0)
		memcpy(payload + 3, more, len);
	return add_ext(to->bundle, to->kind, payload, 3 + len);
}

/* For want of a handle: those who take it know what to do with it. */
static void
never_taken(const struct kn_lent *lent)
{
	const struct kn_thing *kind = lent->thing;

	kind->unclaimed(lent->fd);
}

int
kn_pack_lend_fd(struct kn_pack *to, const struct kn_thing *kind, int fd)
{
	struct kn_lent lent = { never_taken, (void *)(uintptr_t)kind, fd, 0 };

	return kn_bundle_lend(to->bundle, &lent);
}

static int
lend(struct kn_pack *to, int fd, void (*back)(const struct kn_lent *lent),
     void *thing)
{
	const struct kn_thing *kind = kn_thing_find(to->kind);
	struct kn_lent lent = { back, thing, fd, 0 };

	if (!to->way->lasting)
		return kn_bundle_lend(to->bundle, &lent);
	if (kind == NULL || kind->unclaimed == NULL)
		return 0;
	return kn_pack_lend_fd(to, kind, fd);
}

int
kn_pack_by_fd(struct kn_pack *to, int fd, bool own_fd, const void *more,
	      size_t len, void (*back)(const struct kn_lent *lent),
	      void *thing)
{
	struct kn_bundle *b = to->bundle;
	char place[80];
	int index, r;

	if (to->way->no_fds)
		return no_way(to);
	r = own_fd ? fd : kn_os_dup(fd);
	if (r < 0)
		return kn_fail(r, "%s: descriptor %d",
			       kn_pack_place(to, place), fd);
	fd = r;
	index = kn_bundle_own_fd(b, fd);
	r = index;
	if (r >= 0)
		r = pack_index(to, index, more, len);
	if (r >= 0 && back != NULL)
		r = lend(to, fd, back, thing);
	if (r >= 0)
		return 0;
	if (index >= 0)
		b->nfds--;
	if (!own_fd)
		kn_os_close(fd);
	return kn_pack_because(to, r);
}

static int
pack_bytes(struct kn_pack *to, unsigned char way, const void *p, size_t n)
{
	unsigned char payload[KN_THING_MOST];

	kn_assert(n <= KN_THING_MOST - 1);
	payload[0] = way;
	if (n > 0)
		memcpy(payload + 1, p, n);
	return add_ext(to->bundle, to->kind, payload, 1 + n);
}

int
kn_pack_by_name(struct kn_pack *to, const char *name)
{
	return pack_bytes(to, KN_BY_NAME, name, strlen(name));
}

void
kn_pack_pledged(struct kn_pack *to)
{
	to->bundle->pledges++;
	to->bundle->lasting = to->way->lasting;
	to->bundle->generation = kn_self_generation();
}

int
kn_pack_by_itself(struct kn_pack *to, const void *bytes, size_t len)
{
	int r = pack_bytes(to, KN_BY_ITSELF, bytes, len);

	if (r == 0)
		kn_pack_pledged(to);
	return r;
}

/* ---- one argument ---- */

int
kn_pack_refuse(const struct kn_pack *to, const char *why)
{
	char place[80];

	return kn_fail(-EINVAL, "%s: %s", kn_pack_place(to, place), why);
}

int
kn_pack_weigh(struct kn_pack *to, size_t n)
{
	uint64_t most = to->way->max_copy_bytes;
	char place[80];

	if (kn_unlikely(most != 0 && n > most))
		return kn_fail(-EMSGSIZE, "%s is %zu bytes, over "
			       "max_copy_bytes %" PRIu64 "; KIN_RO passes it "
			       "without a copy", kn_pack_place(to, place), n,
			       most);
	to->bundle->copied += n;
	return 0;
}

static int
give_bytes(struct kn_pack *to, const struct kin_arg *a)
{
	size_t n = a->n;
	char place[80];
	int r;

	if (a->v.p == NULL) {
		if (a->what == KIN_GIVE_STR)
			return kn_pack_refuse(to, "a NULL string; KIN_NIL is nothing");
		if (n > 0)
			return kn_pack_refuse(to, "bytes at NULL; KIN_NIL is nothing");
	}
	if (a->what == KIN_GIVE_STR)
		n = strlen(a->v.p);
	if (kn_unlikely(n > UINT32_MAX))
		return kn_fail(-EMSGSIZE, "%s is %zu bytes; %u at most",
			       kn_pack_place(to, place), n, UINT32_MAX);
	r = kn_pack_weigh(to, n);
	if (r < 0)
		return r;
	return a->what == KIN_GIVE_BIN
	    ? add_bin(to->bundle, n > 0 ? a->v.p : "", n)
	    : add_str(to->bundle, n > 0 ? a->v.p : "", n);
}

static int
give_readonly(struct kn_pack *to, const struct kin_arg *a)
{
	struct kn_frozen *frozen;
	unsigned char len[8];
	unsigned i;
	int r;

	to->kind = KN_EXT_RO;
	if (a->v.p == NULL && a->n > 0)
		return kn_pack_refuse(to, "bytes at NULL; KIN_NIL is nothing");
	if (to->way->no_fds)
		return no_way(to);
	r = kn_freeze(&frozen, a->v.p, a->n, a->name);
	if (r < 0)
		return kn_pack_because(to, r);
	for (i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)a->n >> 8 * i);
	r = kn_bundle_keep(to->bundle, frozen);
	if (r < 0) {
		kn_frozen_drop(frozen);
		return r;
	}
	return kn_pack_by_fd(to, kn_frozen_fd(frozen), false, len, 8, NULL,
			     NULL);
}

static int
give_thing(struct kn_pack *to, const struct kin_arg *a)
{
	const struct kn_thing *kind = kn_thing_find(a->kind);

	to->kind = a->kind;
	if (a->v.p == NULL)
		return kn_pack_refuse(to, "a handle that is NULL; KIN_NIL is nothing");
	if (kind == NULL)
		return kn_pack_refuse(to, "a thing of an unknown kind");
	return kind->pack(a->v.p, to);
}

static int
give_fd(struct kn_pack *to, int64_t fd)
{
	to->kind = KN_EXT_FD;
	if (fd < 0)
		return kn_pack_refuse(to, "a negative descriptor");
	return kn_pack_by_fd(to, (int)fd, false, NULL, 0, NULL, NULL);
}

static int
give(struct kn_pack *to, const struct kin_arg *a)
{
	switch (a->what) {
	case KIN_GIVE_NIL:
		return add_nil(to->bundle);
	case KIN_GIVE_BOOL:
		return add_bool(to->bundle, a->v.i != 0);
	case KIN_GIVE_INT:
		return add_int(to->bundle, a->v.i);
	case KIN_GIVE_UINT:
		return add_uint(to->bundle, a->v.u);
	case KIN_GIVE_FLOAT:
		return add_float(to->bundle, (float)a->v.f);
	case KIN_GIVE_DOUBLE:
		return add_double(to->bundle, a->v.f);
	case KIN_GIVE_STR:
	case KIN_GIVE_STRN:
	case KIN_GIVE_BIN:
		return give_bytes(to, a);
	case KIN_GIVE_RO:
		return give_readonly(to, a);
	case KIN_GIVE_FD:
		return give_fd(to, a->v.i);
	case KIN_GIVE_BUILDER:
		return kn_give_builder(to, a->v.p);
	case KIN_GIVE_VALUES:
		return kn_give_values(to, a->v.p);
	case KIN_GIVE_THING:
		return give_thing(to, a);
	default:
		return kn_pack_refuse(to, "no value");
	}
}

/* ---- all of them ---- */

int
kn_bundle_add(struct kn_bundle *b, struct kin_args args,
	      const struct kn_way *way)
{
	struct kn_pack to = { .bundle = b, .way = way };
	size_t i;
	int r;

	kn_assert(args.v != NULL || args.n == 0);
	for (i = 0; i < args.n; i++) {
		to.index = (unsigned)i + 1;
		to.name = args.v[i].name;
		r = give(&to, &args.v[i]);
		if (r < 0)
			return r;
		b->items++;
	}
	if (b->items > KIN_VALUES_ITEMS)
		return kn_fail(-EMSGSIZE, "a message of over %u values",
			       KIN_VALUES_ITEMS);
	return 0;
}

int
kn_bundle_encode(struct kn_bundle *b, struct kin_args args,
		 const struct kn_way *way)
{
	int r;

	kn_bundle_init(b);
	r = kn_bundle_row(b, args.n);
	if (r == 0)
		r = kn_bundle_add(b, args, way);
	if (r < 0) {
		kn_bundle_drop(b);
		return r;
	}
	if (b->copied > 0)
		kn_copied(b->copied);
	return 0;
}
