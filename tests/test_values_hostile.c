/* SPDX-License-Identifier: MIT */
/*
 * test_values_hostile.c - values: what is refused on the way in, and
 * msgpack-c's own reading of the same bytes
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <msgpack.h>

#include "lib/wire.h"
#include "tests/through.h"

static int
parse(const void *bytes, size_t len)
{
	kin_values *v = NULL;
	int r = kin_values_parse(&v, bytes, len);

	if (r == 0)
		kin_values_free(v);
	else
		ck_assert_ptr_null(v);
	return r;
}

/* ---- hostile bytes ---- */

static void
add_head(unsigned char *bytes, size_t *len, const char *head, size_t n)
{
	memcpy(bytes + *len, head, n);
	*len += n;
}

/* One of each form, and it is refused wherever it ends too early. */
START_TEST(cut_at_every_byte)
{
	static unsigned char bytes[200000];
	size_t len = 0, i;
	static const struct { const char *head; size_t n, more; } all[] = {
		{ "\xc0", 1, 0 }, { "\xc2", 1, 0 }, { "\xc3", 1, 0 },
		{ "\x05", 1, 0 }, { "\xff", 1, 0 },
		{ "\xc4\x03", 2, 3 }, { "\xc5\x01\x00", 3, 256 },
		{ "\xc6\x00\x00\x00\x02", 5, 2 },
		{ "\xca\x01\x02\x03\x04", 5, 0 },
		{ "\xcb\x01\x02\x03\x04\x01\x02\x03\x04", 9, 0 },
		{ "\xcc\x01", 2, 0 }, { "\xcd\x01\x02", 3, 0 },
		{ "\xce\x01\x02\x03\x04", 5, 0 },
		{ "\xcf\x01\x02\x03\x04\x01\x02\x03\x04", 9, 0 },
		{ "\xd0\x81", 2, 0 }, { "\xd1\x81\x02", 3, 0 },
		{ "\xd2\x81\x02\x03\x04", 5, 0 },
		{ "\xd3\x81\x02\x03\x04\x01\x02\x03\x04", 9, 0 },
		{ "\xa3", 1, 3 }, { "\xd9\x04", 2, 4 },
		{ "\xda\x01\x01", 3, 257 }, { "\xdb\x00\x00\x00\x01", 5, 1 },
		{ "\x92\x01\x90", 3, 0 }, { "\xdc\x00\x02\xc0\xc0", 5, 0 },
		{ "\xdd\x00\x00\x00\x01\x07", 6, 0 },
		{ "\x82\x01\x02\x03\x80", 5, 0 },
		{ "\xde\x00\x01\xa1" "ab", 6, 0 },
		{ "\xdf\x00\x00\x00\x01\x01\x81\x01\x01", 9, 0 },
		{ "\xc7\x04\x01\x01" "abc", 7, 0 },
		{ "\xd4\x01\x02", 3, 0 }, { "\xd5\x01\x01" "a", 4, 0 },
		{ "\xd6\x01\x01" "abc", 6, 0 },
		{ "\xd7\x01\x01" "abcdefg", 10, 0 },
		{ "\xd8\x01\x01" "abcdefghijklmno", 18, 0 },
		{ "\xc8\x00\x02\x01\x01" "a", 6, 0 },
		{ "\xc9\x00\x00\x00\x02\x01\x01" "a", 8, 0 },
	};

	add_head(bytes, &len, "\xdc\x00", 2);
	bytes[len++] = sizeof(all) / sizeof(all[0]);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		add_head(bytes, &len, all[i].head, all[i].n);
		memset(bytes + len, 'x', all[i].more);
		len += all[i].more;
	}
	ck_kin_ok(parse(bytes, len));
	for (i = 0; i < len; i++) {
		/* Where a reader beyond the end would be seen. */
		unsigned char *cut = malloc(i > 0 ? i : 1);

		memcpy(cut, bytes, i);
		ck_kin_fails(-EPROTO, parse(cut, i));
		free(cut);
	}
	bytes[len] = 0xc0;
	ck_kin_fails(-EPROTO, parse(bytes, len + 1));
}
END_TEST

static const struct { const char *bytes; size_t len; int number; } hostile[] = {
	{ "", 0, -EPROTO },
	{ "\xdd\xff\xff\xff\xff", 5, -EPROTO },
	{ "\xdc\xff\xff", 3, -EPROTO },
	{ "\x91\xdf\xff\xff\xff\xff", 6, -EPROTO },
	{ "\x91\xdd\xff\xff\xff\xff", 6, -EPROTO },
	{ "\x91\xdb\xff\xff\xff\xff", 6, -EPROTO },
	{ "\x91\xc6\xff\xff\xff\xff", 6, -EPROTO },
	{ "\x91\xc9\xff\xff\xff\xff\x01", 7, -EPROTO },
	{ "\x91\xc1", 2, -EPROTO },
	{ "\xc1", 1, -EPROTO },
	{ "\xc0", 1, -EPROTO },			/* no array */
	{ "\x81\x01\x01", 3, -EPROTO },
	{ "\x91", 1, -EPROTO },
	{ "\x90\x90", 2, -EPROTO },		/* two rows */
	{ "\x91\x81\xc0\x01", 4, -EPROTO },	/* keys */
	{ "\x91\x81\x90\x01", 4, -EPROTO },
	{ "\x91\x81\x80\x01", 4, -EPROTO },
	{ "\x91\x82\x01\x01\xca\x00\x00\x00\x00\x01", 10, -EPROTO },
	{ "\x91\x82\x01\x01\x01", 5, -EPROTO },	/* half a pair */
	{ "\x91\xd4\x3f\x02", 4, -EPROTO },	/* kinds nobody knows */
	{ "\x91\xd4\x00\x02", 4, -EPROTO },
	{ "\x91\xd4\xff\x02", 4, -EPROTO },
	{ "\x91\xd4\x7f\x02", 4, -EPROTO },
	{ "\x91\xc7\x00\x01", 4, -EPROTO },	/* no way */
	{ "\x91\xd4\x01\x03", 4, -EPROTO },
	{ "\x91\xc7\x03\x02\x00\x00\x00", 7, -EPROTO },	/* no descriptor */
	{ "\x91\xc7\x03\x40\x00\x00\x00", 7, -EPROTO },
	{ "\x91\xd5\x02\x00\x00", 5, -EPROTO },
	{ "\x91\xd4\x40\x02", 4, -EPROTO },	/* one that has no other */
	{ "\x91\xc7\x0b\x41\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	  15, -EPROTO },
};

START_TEST(hostile_heads_reserve_nothing)
{
	unsigned i;

	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		ck_assert_msg(parse(hostile[i].bytes, hostile[i].len) ==
			      hostile[i].number, "number %u", i);
	/* Nor with descriptors do they reach beyond those that came. */
	for (i = 0; i < 4; i++) {
		unsigned char bytes[] = { 0x91, 0xc7, 3, 0x40, 0, i & 1,
					  i >> 1 };
		kin_values *v = NULL;
		unsigned char *own = malloc(sizeof(bytes));
		int fd = dup(1), r;

		memcpy(own, bytes, sizeof(bytes));
		r = kn_values_of(&v, own, sizeof(bytes), &fd, 1);
		ck_assert_int_eq(r, i == 0 ? 0 : -EPROTO);
		kin_values_free(v);
		if (r < 0) {
			ck_assert_int_eq(close(fd), 0);
			free(own);
		}
	}
}
END_TEST

START_TEST(nesting_has_an_end)
{
	static unsigned char bytes[100000];
	int depth, map;

	for (map = 0; map < 2; map++) {
		for (depth = 0; depth < 40000; depth = depth < 70 ? depth + 1
								  : depth * 7) {
			size_t len = 0;
			int i;

			bytes[len++] = 0x91;
			for (i = 0; i < depth; i++) {
				bytes[len++] = map ? 0x81 : 0x91;
				if (map)
					bytes[len++] = 1;
			}
			bytes[len++] = 0xc0;
			ck_assert_int_eq(parse(bytes, len), depth <=
					 KIN_VALUES_DEPTH ? 0 : -EMSGSIZE);
		}
	}
}
END_TEST

START_TEST(a_message_has_so_many_values_at_most)
{
	size_t n = KIN_VALUES_ITEMS + 1u, i;
	unsigned char *bytes = malloc(n + 5);

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, 0xc0, n + 5);
	for (i = 0; i < 2; i++) {
		uint32_t count = htobe32((uint32_t)(n - i));

		bytes[0] = 0xdd;
		memcpy(bytes + 1, &count, 4);
		ck_assert_int_eq(parse(bytes, n - i + 5),
				 i == 0 ? -EMSGSIZE : 0);
	}
	free(bytes);
}
END_TEST

/* ---- msgpack-c reads the same ---- */

static const unsigned char *
same(const unsigned char *at, const unsigned char *end,
     const msgpack_object *o)
{
	struct kn_head h;
	uint64_t i;

	ck_fast(kn_wire_head(&h, at, end) == 0);
	at = h.next;
	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		ck_fast(h.type == KIN_TYPE_NIL);
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		ck_fast(h.type == KIN_TYPE_BOOL && h.v.b == o->via.boolean);
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		ck_fast(h.type == KIN_TYPE_INT && !h.negative &&
			h.v.u == o->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		ck_fast(h.type == KIN_TYPE_INT && h.negative &&
			h.v.i == o->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		ck_fast(h.type == KIN_TYPE_FLOAT);
		ck_fast(memcmp(&h.v.f, &o->via.f64, 8) == 0 ||
			(h.v.f != h.v.f && o->via.f64 != o->via.f64));
		break;
	case MSGPACK_OBJECT_STR:
		ck_fast(h.type == KIN_TYPE_STR && h.v.n == o->via.str.size);
		ck_fast(h.v.n == 0 ||
			memcmp(h.data, o->via.str.ptr, h.v.n) == 0);
		break;
	case MSGPACK_OBJECT_BIN:
		ck_fast(h.type == KIN_TYPE_BIN && h.v.n == o->via.bin.size);
		ck_fast(h.v.n == 0 ||
			memcmp(h.data, o->via.bin.ptr, h.v.n) == 0);
		break;
	case MSGPACK_OBJECT_EXT:
		ck_fast(h.type == KIN_TYPE_THING && h.v.n == o->via.ext.size);
		ck_fast(h.kind == (uint32_t)o->via.ext.type);
		ck_fast(h.v.n == 0 ||
			memcmp(h.data, o->via.ext.ptr, h.v.n) == 0);
		break;
	case MSGPACK_OBJECT_ARRAY:
		ck_fast(h.type == KIN_TYPE_ARRAY &&
			h.v.n == o->via.array.size);
		for (i = 0; i < h.v.n; i++)
			at = same(at, end, &o->via.array.ptr[i]);
		break;
	case MSGPACK_OBJECT_MAP:
		ck_fast(h.type == KIN_TYPE_MAP && h.v.n == o->via.map.size);
		for (i = 0; i < h.v.n; i++) {
			at = same(at, end, &o->via.map.ptr[i].key);
			at = same(at, end, &o->via.map.ptr[i].val);
		}
		break;
	}
	return at;
}

/* Bytes that are often values: heads of all kinds, in a random tree. */
static size_t
random_value(unsigned char *to, uint32_t *random, int depth)
{
	static const unsigned char sizes[] = { 0, 1, 5, 31 };
	uint32_t dice = next_random(random), n = dice >> 8 & 3, i;
	size_t len = 0;

	switch (dice % (depth > 0 ? 12 : 9)) {
	case 0:
		to[len++] = 0xc0;
		break;
	case 1:
		to[len++] = 0xc2 + (n & 1);
		break;
	case 2:
		to[len++] = (unsigned char)(dice >> 8 | (n > 1 ? 0xe0 : 0));
		to[0] &= n > 1 ? 0xff : 0x7f;
		break;
	case 3: case 4: case 5:
		to[len++] = (unsigned char)(0xcc + (dice >> 8 & 7));
		for (i = 1u << (n & 3); i > 0; i--)
			to[len++] = (unsigned char)(next_random(random) >> 9);
		break;
	case 6:
		to[len++] = 0xca + (n & 1);
		for (i = n & 1 ? 8 : 4; i > 0; i--)
			to[len++] = (unsigned char)(next_random(random) >> 9);
		break;
	case 7: case 8:
		to[len++] = dice % 12 == 7 ? 0xd9 : 0xc4;
		to[len++] = sizes[n];
		for (i = 0; i < sizes[n]; i++)
			to[len++] = (unsigned char)next_random(random);
		break;
	default:
		to[len++] = (unsigned char)((dice & 0x400 ? 0x80 : 0x90) | n);
		for (i = 0; i < n; i++) {
			if (dice & 0x400)
				to[len++] = (unsigned char)i;
			len += random_value(to + len, random, depth - 1);
		}
	}
	return len;
}

/* 1: taken for values; then msgpack-c says the same. */
static int
compare(const unsigned char *bytes, size_t len)
{
	unsigned char *own = malloc(len);
	struct kn_shape shape;
	msgpack_unpacked u;
	size_t off = 0;
	int r;

	memcpy(own, bytes, len);
	r = kn_wire_check(&shape, own, len, 0);
	if (r == 0) {
		msgpack_unpacked_init(&u);
		ck_fast(msgpack_unpack_next(&u, (const char *)own, len, &off)
			== MSGPACK_UNPACK_SUCCESS);
		ck_fast(off == len);
		ck_fast(same(own, own + len, &u.data) == own + len);
		msgpack_unpacked_destroy(&u);
	}
	free(own);
	return r == 0;
}

START_TEST(msgpack_c_reads_the_same)
{
	static unsigned char bytes[65536];
	uint32_t random = 0x5eed + (uint32_t)_i;
	int round, accepted = 0, mutants = 0;

	for (round = 0; round < 20000; round++) {
		uint32_t n = next_random(&random) % 6, i;
		size_t len = 0;

		bytes[len++] = (unsigned char)(0x90 | n);
		for (i = 0; i < n; i++)
			len += random_value(bytes + len, &random, 6);
		accepted += compare(bytes, len);
		for (i = next_random(&random) % 4; i > 0; i--)
			bytes[next_random(&random) % len] ^=
				(unsigned char)(1u << next_random(&random) % 8);
		mutants += compare(bytes, len);
	}
	ck_assert_int_gt(accepted, 2000);
	ck_assert_int_gt(mutants, 1000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("values hostile");
	TCase *tc = kit_case(suite, "hostile");

	tcase_add_test(tc, cut_at_every_byte);
	tcase_add_test(tc, hostile_heads_reserve_nothing);
	tcase_add_test(tc, nesting_has_an_end);
	tcase_add_test(tc, a_message_has_so_many_values_at_most);
	tcase_add_loop_test(tc, msgpack_c_reads_the_same, 0, 4);
	return kit_run(suite);
}
