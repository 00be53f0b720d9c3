/* SPDX-License-Identifier: MIT */
/*
 * table.c - kin_table: records of mixed types
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/locked.h"
#include "lib/table.h"
#include "lib/values.h"
#include "lib/wire.h"
#include "shm/os.h"

#define BYTES_DEFAULT	64u
#define BYTES_MOST	(1u << 30)
#define ALL_MOST	(1ull << 45)
#define SMALL		512u		/* bytes of a record, on the stack */
#define PATIENT		1000		/* looks, before one takes the latch */

/* ---- making and joining ---- */

static size_t
words_of(uint64_t bytes)
{
	return (size_t)((bytes + 7) / 8);
}

static size_t
stride_of(uint64_t bytes)
{
	return sizeof(struct kn_record) + 2 * words_of(bytes) *
	       sizeof(kn_wide);
}

static uint64_t
own_bytes(const struct kn_mark *mark, uint32_t members, uint32_t threads)
{
	uint64_t count = mark->shape[KN_TABLE_COUNT];
	uint64_t bytes = mark->shape[KN_TABLE_BYTES];

	(void)members;
	(void)threads;
	if (mark->options != 0 || bytes == 0 || bytes > BYTES_MOST ||
	    count == 0 || count > ALL_MOST / stride_of(bytes))
		return 0;
	return count * stride_of(bytes);
}

static int
complete(struct kn_object *o, const void *arg)
{
	kin_table *t = (kin_table *)(void *)o;

	(void)arg;
	t->count = (size_t)o->mark.shape[KN_TABLE_COUNT];
	t->most = (size_t)o->mark.shape[KN_TABLE_BYTES];
	t->words = words_of(t->most);
	t->stride = stride_of(t->most);
	return 0;
}

/* Of a copy of the first 64 KiB. */
static void
facts(const struct kn_object_look *look, struct kn_listener *to)
{
	uint64_t count = look->mark.shape[KN_TABLE_COUNT], i, set = 0;
	size_t stride = stride_of(look->mark.shape[KN_TABLE_BYTES]);
	uint64_t seen = look->own_bytes / stride;

	for (i = 0; i < count && i < seen; i++) {
		struct kn_record record;

		memcpy(&record, (const unsigned char *)look->own + i * stride,
		       sizeof(record));
		set += record.turn.v != 0;
		if (record.latch.v != 0)
			kn_control_say_stamp(&look->control, "is being set by",
					     record.latch.v & KN_STAMP_MASK,
					     to);
	}
	kn_say(to, "records", "%" PRIu64 " of up to %" PRIu64 " bytes", count,
	       look->mark.shape[KN_TABLE_BYTES]);
	kn_say(to, "were set", "%" PRIu64 " of the first %" PRIu64, set,
	       count < seen ? count : seen);
}

const struct kn_object_kind kn_table_kind = {
	.kind = { KIN_THING_TABLE, 1, "table", "a table" },
	.handle_bytes = sizeof(kin_table),
	.align = 64,
	.own_bytes = own_bytes,
	.open = complete,
	.facts = facts,
};

static int
making_of(struct kn_making *ret, struct kin_table_opts *opts,
	  const struct kin_table_opts *user)
{
	int r = kn_opts_copy(opts, sizeof(*opts), user);

	if (r < 0)
		return r;
	if (opts->flags != 0)
		return kn_fail(-EINVAL, "table: flags %#x", opts->flags);
	*ret = (struct kn_making){
		.kind = &kn_table_kind,
		.shape = {
			[KN_TABLE_COUNT] = opts->count,
			[KN_TABLE_BYTES] = opts->record_bytes != 0
			    ? opts->record_bytes : BYTES_DEFAULT,
		},
		.segment = opts->segment,
		.offset = opts->offset,
		.label = opts->label,
		.members = opts->members,
	};
	return 0;
}

int
kin_table_create(kin_table **ret_table, const struct kin_table_opts *user)
{
	struct kin_table_opts opts;
	struct kn_making making;
	struct kn_object *o;
	int r;

	kn_assert(ret_table != NULL);
	r = making_of(&making, &opts, user);
	if (r == 0)
		r = kn_heap_create(&o, &making, opts.heap);
	if (r == 0)
		*ret_table = (kin_table *)(void *)o;
	return r;
}

size_t
kin_table_room(const struct kin_table_opts *user)
{
	struct kin_table_opts opts;
	struct kn_making making;

	return making_of(&making, &opts, user) < 0
	       ? 0 : (size_t)kn_heap_create_room(&making, opts.heap);
}

int
kin_table_attach(kin_table **ret_table, int fd)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_table != NULL);
	r = kn_object_attach(&o, &kn_table_kind, fd, NULL);
	if (r == 0)
		*ret_table = (kin_table *)(void *)o;
	return r;
}

int
kin_table_attach_at(kin_table **ret_table, kin_segment *seg, uint64_t offset)
{
	struct kn_object *o;
	int r;

	kn_assert(ret_table != NULL);
	kn_assert(seg != NULL);
	r = kn_object_attach_at(&o, &kn_table_kind, seg, offset, NULL);
	if (r == 0)
		*ret_table = (kin_table *)(void *)o;
	return r;
}

void
kin_table_close(kin_table *t)
{
	kn_object_close((struct kn_object *)t);
}

/* ---- a record's memory ---- */

static struct kn_record *
record_at(const kin_table *t, size_t i)
{
	return (struct kn_record *)(void *)((unsigned char *)t->o.own +
					    i * t->stride);
}

static int
check_index(const kin_table *t, size_t i)
{
	char name[96];

	kn_assert(t != NULL);
	if (kn_object_spoilt(&t->o))
		return kn_object_spoilt_before(&t->o);
	if (i < t->count)
		return 0;
	return kn_fail(-EINVAL, "%s has %zu records, and not the %zu.",
		       kn_object_name(&t->o, name), t->count, i);
}

/* The sentence for a number that the latch came back with. */
static int
failed(kin_table *t, int r)
{
	char name[96];

	kn_object_name(&t->o, name);
	switch (r) {
	case -EBUSY:
		return kn_fail(-ETIMEDOUT, "%s: another process, at work or "
			       "stopped in it, was in the way until the "
			       "deadline", name);
	case -EDEADLK:
		return kn_fail(r, "%s: called from a signal handler that "
			       "interrupted a call", name);
	case -EUCLEAN:
		return kn_object_spoilt_now(&t->o);
	default:
		return r;
	}
}

static struct kn_party *
party_of(const kin_table *t)
{
	return &t->o.control->registry.party;
}

static int
take(kin_table *t, struct kn_record *record, kin_time deadline)
{
	int r = kn_control_process(t->o.control);

	if (r < 0)
		return r;
	r = kn_latch_take(&record->latch, party_of(t), deadline);
	return r < 0 ? failed(t, r) : 0;
}

/* What is written here is seen only by who has seen turn before that. */
static void
put(kin_table *t, struct kn_record *record, const unsigned char *bytes,
    size_t len)
{
	uint32_t turn = kn_load_relaxed(&record->turn) + 1;
	kn_wide *to = record->values + (turn & 1) * t->words;
	size_t i;

	kn_store(&record->bytes[turn & 1], (uint32_t)len);
	for (i = 0; i < len / 8; i++) {
		uint64_t word;

		memcpy(&word, bytes + i * 8, 8);
		kn_wide_store(&to[i], word);
	}
	if (len % 8 != 0) {
		uint64_t word = 0;

		memcpy(&word, bytes + i * 8, len % 8);
		kn_wide_store(&to[i], word);
	}
	kn_store(&record->turn, turn == 0 ? 2 : turn);
}

/* 1: it is a copy of the record as it was; 0: it was set meanwhile. */
static int
look(kin_table *t, struct kn_record *record, unsigned char *buf,
     size_t *ret_len)
{
	uint32_t turn = kn_load(&record->turn);
	const kn_wide *from = record->values + (turn & 1) * t->words;
	size_t len = kn_load(&record->bytes[turn & 1]), i;

	if (len > t->most)
		return kn_object_spoil(&t->o, "a record is longer than any "
					      "can be");
	for (i = 0; i < words_of(len); i++) {
		uint64_t word = kn_wide_load(&from[i]);

		memcpy(buf + i * 8, &word, 8);
	}
	*ret_len = turn == 0 ? 0 : len;
	return kn_load(&record->turn) == turn;
}

/* Nobody is waited for, unless it is set all the time. */
static int
copy(kin_table *t, size_t i, unsigned char *buf, size_t *ret_len,
     kin_time deadline)
{
	struct kn_record *record = record_at(t, i);
	int tries, r;

	for (tries = 0; tries < PATIENT; tries++) {
		r = look(t, record, buf, ret_len);
		if (kn_likely(r != 0))
			return r < 0 ? r : 0;
		kn_pause();
	}
	r = take(t, record, deadline);
	if (r < 0)
		return r;
	r = look(t, record, buf, ret_len);
	kn_latch_release(&record->latch, party_of(t));
	return r == 0 ? kn_object_spoil(&t->o, "a record changes under its "
					       "latch") : r < 0 ? r : 0;
}

/* ---- values in and out ---- */

/* Things have owners, and a record has none. */
static bool
has_things(const unsigned char *bytes, size_t len)
{
	const unsigned char *at = bytes, *end = bytes + len;
	struct kn_head head;

	while (at < end && kn_wire_head(&head, at, end) == 0) {
		if (head.type == KIN_TYPE_THING)
			return true;
		at = head.next;
	}
	return false;
}

static int
encode(kin_table *t, struct kn_bundle *b, struct kin_args args)
{
	const struct kn_way way = {
		.what = "a table", .no_fds = true,
		.instead = "keep it elsewhere",
	};
	char name[96];
	int r = kn_bundle_encode(b, args, &way);

	if (r < 0)
		return r;
	if (has_things(b->bytes, b->len))
		r = kn_fail(-EOPNOTSUPP, "%s: a shared thing cannot be in a "
			    "record", kn_object_name(&t->o, name));
	if (r < 0)
		kn_bundle_drop(b);
	return r;
}

int
kin_table_set(kin_table *t, size_t i, struct kin_args args, kin_time deadline)
{
	struct kn_bundle b;
	char name[96];
	int r = check_index(t, i);

	if (r == 0)
		r = encode(t, &b, args);
	if (r < 0)
		return r;
	if (b.len > t->most)
		r = kn_fail(-EMSGSIZE, "record of %zu bytes; %s takes %zu",
			    b.len, kn_object_name(&t->o, name), t->most);
	if (r == 0)
		r = take(t, record_at(t, i), deadline);
	if (r == 0) {
		put(t, record_at(t, i), b.bytes, b.len);
		kn_latch_release(&record_at(t, i)->latch, party_of(t));
	}
	kn_bundle_drop(&b);
	return r;
}

/* Room for one, in few if that is enough; NULL: no memory. */
static unsigned char *
room(const kin_table *t, unsigned char few[SMALL])
{
	unsigned char *buf = few;

	if (t->words * 8 > SMALL)
		buf = malloc(t->words * 8);
	if (buf == NULL)
		(void)kn_fail(-ENOMEM, "record of %zu bytes", t->most);
	return buf;
}

static void
let_go(unsigned char *buf, const unsigned char few[SMALL])
{
	if (buf != few)
		free(buf);
}

/* What nobody can have set. */
static int
check_bytes(kin_table *t, const unsigned char *bytes, size_t len)
{
	struct kn_shape shape;

	if (kn_wire_check(&shape, bytes, len, 0) == 0 &&
	    !has_things(bytes, len))
		return 0;
	return kn_object_spoil(&t->o, "a record is no values");
}

/* A copy of a record that was set, and is values; an empty one is none. */
static int
fetch(kin_table *t, size_t i, unsigned char *buf, size_t *ret_len,
      kin_time deadline)
{
	int r = copy(t, i, buf, ret_len, deadline);

	if (r < 0)
		return r;
	if (*ret_len == 0) {		/* never set: of no values */
		buf[0] = 0x90;
		*ret_len = 1;
	}
	return check_bytes(t, buf, *ret_len);
}

int
kin_table_get(kin_table *t, size_t i, struct kin_slots places,
	      kin_time deadline)
{
	unsigned char few[SMALL], *buf;
	char name[96];
	size_t len;
	int r = check_index(t, i);

	if (r == 0)
		r = kn_places_last(places, "a record");
	if (r < 0)
		return r;
	buf = room(t, few);
	if (buf == NULL)
		return -ENOMEM;
	r = fetch(t, i, buf, &len, deadline);
	if (r == 0 && len == 1 && buf[0] == 0x90 && places.n > 0)
		r = kn_fail(-ENODATA, "%s: record %zu is empty",
			    kn_object_name(&t->o, name), i);
	if (r == 0)
		r = kn_values_take_once(buf, len, places);
	let_go(buf, few);
	return r;
}

int
kin_table_values(kin_table *t, size_t i, kin_values **ret_v,
		 kin_time deadline)
{
	unsigned char few[SMALL], *buf;
	size_t len;
	int r = check_index(t, i);

	kn_assert(ret_v != NULL);
	if (r < 0)
		return r;
	buf = room(t, few);
	if (buf == NULL)
		return -ENOMEM;
	r = fetch(t, i, buf, &len, deadline);
	if (r == 0)
		r = kn_values_copy(ret_v, buf, len);
	let_go(buf, few);
	return r;
}

ssize_t
kin_table_find(kin_table *t, size_t i, struct kin_args args, kin_time deadline)
{
	unsigned char few[SMALL], *buf;
	struct kn_bundle b;
	size_t len;
	int r;

	kn_assert(t != NULL);
	r = encode(t, &b, args);
	if (r < 0)
		return r;
	buf = room(t, few);
	if (buf == NULL)
		r = -ENOMEM;
	for (; r == 0 && i < t->count; i++) {
		r = fetch(t, i, buf, &len, deadline);
		if (r == 0 && len == b.len && memcmp(buf, b.bytes, len) == 0)
			break;
	}
	if (r == 0 && i >= t->count)
		r = kn_fail(-ENOENT, "no such record");
	if (buf != NULL)
		let_go(buf, few);
	kn_bundle_drop(&b);
	return r < 0 ? r : (ssize_t)i;
}

/* ---- what there is to know ---- */

size_t
kin_table_count(const kin_table *t)
{
	kn_assert(t != NULL);
	return t->count;
}

size_t
kin_table_record_bytes(const kin_table *t)
{
	kn_assert(t != NULL);
	return t->most;
}

uint64_t
kin_table_offset(const kin_table *t)
{
	kn_assert(t != NULL);
	return t->o.offset;
}

int
kin_table_fd(const kin_table *t)
{
	kn_assert(t != NULL);
	return t->o.seg->fd;
}

const char *
kin_table_label(const kin_table *t)
{
	kn_assert(t != NULL);
	return t->o.seg->label;
}
