/* SPDX-License-Identifier: MIT */
/*
 * answer.c - what methods answer
 *
 * Items are msgpack already and are copied as they are, so heads are written
 * here, byte by byte.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "manager/type.h"
#include "shm/error.h"

/* ---- heads ---- */

/* Begin, and so many bytes of n, the highest first. */
static size_t
write_big(unsigned char *to, unsigned char begin, uint64_t n, unsigned bytes)
{
	to[0] = begin;
	for (unsigned i = 0; i < bytes; i++)
		to[1 + i] = (unsigned char)(n >> 8 * (bytes - 1 - i));
	return 1 + bytes;
}

size_t
kn_write_uint(unsigned char to[KN_HEAD_MOST], uint64_t n)
{
	if (n < 0x80)
		return write_big(to, (unsigned char)n, 0, 0);
	if (n <= UINT8_MAX)
		return write_big(to, 0xcc, n, 1);
	if (n <= UINT16_MAX)
		return write_big(to, 0xcd, n, 2);
	if (n <= UINT32_MAX)
		return write_big(to, 0xce, n, 4);
	return write_big(to, 0xcf, n, 8);
}

size_t
kn_write_int(unsigned char to[KN_HEAD_MOST], int64_t n)
{
	if (n >= 0)
		return kn_write_uint(to, (uint64_t)n);
	if (n >= -32)
		return write_big(to, (unsigned char)n, 0, 0);
	if (n >= INT8_MIN)
		return write_big(to, 0xd0, (uint64_t)n, 1);
	if (n >= INT16_MIN)
		return write_big(to, 0xd1, (uint64_t)n, 2);
	if (n >= INT32_MIN)
		return write_big(to, 0xd2, (uint64_t)n, 4);
	return write_big(to, 0xd3, (uint64_t)n, 8);
}

/* Of each type: what a short one begins with, and those of 1, 2, 4 bytes. */
static const struct {
	unsigned char begin, below, begins[3];
} forms[] = {
	[KIN_TYPE_STR] = { 0xa0, 32, { 0xd9, 0xda, 0xdb } },
	[KIN_TYPE_BIN] = { 0, 0, { 0xc4, 0xc5, 0xc6 } },
	[KIN_TYPE_ARRAY] = { 0x90, 16, { 0, 0xdc, 0xdd } },
	[KIN_TYPE_MAP] = { 0x80, 16, { 0, 0xde, 0xdf } },
};

size_t
kn_write_head(unsigned char to[KN_HEAD_MOST], uint32_t type, uint32_t n)
{
	const unsigned char *begins = forms[type].begins;

	if (n < forms[type].below)
		return write_big(to, (unsigned char)(forms[type].begin + n), 0,
				 0);
	if (n <= UINT8_MAX && begins[0] != 0)
		return write_big(to, begins[0], n, 1);
	if (n <= UINT16_MAX)
		return write_big(to, begins[1], n, 2);
	return write_big(to, begins[2], n, 4);
}

/* ---- answers ---- */

/* Room for an array of one and a head, and that array's head. */
static int
begin_row(struct kn_bundle *b, uint32_t n)
{
	int r = kn_bundle_room(b, 2 * KN_HEAD_MOST);

	if (r == 0)
		b->len += kn_write_head(b->bytes + b->len, KIN_TYPE_ARRAY, n);
	return r;
}

int
kn_answer(struct kn_request *req, struct kin_args values)
{
	static const struct kn_way way = {
		.what = "an answer",
		.no_fds = true,
	};
	int r = begin_row(&req->answer, (uint32_t)values.n);

	return r == 0 ? kn_bundle_add(&req->answer, values, &way) : r;
}

int
kn_answer_int(struct kn_request *req, int64_t n)
{
	struct kn_bundle *b = &req->answer;
	int r = begin_row(b, 1);

	if (r == 0)
		b->len += kn_write_int(b->bytes + b->len, n);
	return r;
}

int
kn_answer_begin(struct kn_request *req, uint32_t type, uint64_t n)
{
	struct kn_bundle *b = &req->answer;
	int r;

	if (n >= KIN_VALUES_ITEMS)
		return kn_fail(-EMSGSIZE, "%" PRIu64 " items in one answer; "
			       "fewer than %u", n, KIN_VALUES_ITEMS);
	r = begin_row(b, 1);
	if (r == 0)
		b->len += kn_write_head(b->bytes + b->len, type, (uint32_t)n);
	return r;
}

int
kn_answer_add_raw(struct kn_request *req, struct kn_span value)
{
	struct kn_bundle *b = &req->answer;
	int r = kn_bundle_room(b, value.len);

	if (r < 0)
		return r;
	memcpy(b->bytes + b->len, value.p, value.len);
	b->len += value.len;
	return 0;
}

/* ---- proxies in answers ---- */

/*
 * Each way to somebody has a token of its own.  Those that are not made yet
 * have the number 0, that of nobody: the stored one was claimed long ago, but
 * was a number, and could be one again.
 */
static int
put_under_way(struct kn_request *req, struct kn_span copy)
{
	struct kn_span left = copy;
	struct kn_object *o;
	struct kn_head own;
	uint64_t number, id;
	int r = 0;

	while (kn_thing_next(&left, &own)) {
		if (!kn_is_own(req->store, &own))
			continue;
		id = kn_wire_little(own.data + KN_PROXY_OBJECT, 8);
		o = kn_object_find(req->store, id);
		kn_assert(o != NULL);
		number = 0;
		if (r == 0)
			r = kn_token_make(req->store, o, req->underway,
					  &number);
		kn_wire_put_little((unsigned char *)(uintptr_t)own.data +
				   KN_PROXY_TOKEN, number);
	}
	return r;
}

int
kn_answer_add(struct kn_request *req, const struct kn_item *item)
{
	struct kn_bundle *b = &req->answer;
	int r = kn_answer_add_raw(req, (struct kn_span){ item->bytes,
							  item->len });

	if (r < 0 || item->proxies == 0)
		return r;
	return put_under_way(req, (struct kn_span){
			     b->bytes + b->len - item->len, item->len });
}

int
kn_answer_item(struct kn_request *req, const struct kn_item *item)
{
	int r = begin_row(&req->answer, 1);

	return r == 0 ? kn_answer_add(req, item) : r;
}
