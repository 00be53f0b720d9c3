/* SPDX-License-Identifier: MIT */
/*
 * fuzz_value.c - bytes from anywhere, taken for values
 *
 * What is accepted is read whole, into places that fit and into some that do
 * not, and must come out of packing as it went in.
 */
#include <stdlib.h>
#include <string.h>

#include <kin/kin.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(cond)	((cond) ? (void)0 : abort())

/* A next that takes one value: an item, or a pair's key or its value. */
static int
next(struct kin_cursor *c, struct kin_slot slot, int key)
{
	if (c->type == KIN_TYPE_ARRAY)
		return kin_cursor_next(c, slot);
	return key ? kin_cursor_next(c, slot, KIN_ANY)
		   : kin_cursor_next(c, KIN_ANY, slot);
}

/* Numbers: whatever fits is what it is in the widest. */
static void
numbers(const struct kin_cursor *at, int key)
{
	struct kin_cursor c = *at;
	int64_t wide;
	int8_t narrow;
	uint64_t positive;
	double real;
	float single;
	int r;

	if (next(&c, KIN_S(&wide), key) == 1) {
		c = *at;
		r = next(&c, KIN_S(&narrow), key);
		must(r == 1 ? narrow == wide : r == -34);
		c = *at;
		r = next(&c, KIN_S(&positive), key);
		must(r == 1 ? (int64_t)positive == wide : wide < 0);
	}
	c = *at;
	if (next(&c, KIN_S(&real), key) == 1) {
		c = *at;
		(void)!next(&c, KIN_S(&single), key);
	}
}

static void
strings(const struct kin_cursor *at, int key)
{
	struct kin_cursor c = *at;
	const char *s, *whole;
	char *copy;
	size_t n;

	if (next(&c, KIN_STR(&whole, &n), key) != 1)
		return;
	c = *at;
	if (next(&c, KIN_S(&s), key) != 1) {
		must(memchr(whole, 0, n) != NULL);
		return;
	}
	must(strlen(s) == n && memcmp(s, whole, n) == 0);
	c = *at;
	must(next(&c, KIN_S(&copy), key) == 1);
	must(strcmp(s, copy) == 0);
	free(copy);
}

/* What cannot be there without descriptors, and what must be anywhere. */
static void
others(const struct kin_cursor *at, int key)
{
	struct kin_cursor c = *at;
	kin_values *part;
	kin_segment *seg;
	kin_queue *q;
	kin_proxy *proxy;
	const void *p;
	size_t n;
	int fd, r;

	r = next(&c, KIN_FD(&fd), key);
	must(r < 0);
	r = next(&c, KIN_RO(&p, &n), key);
	must(r < 0);
	r = next(&c, KIN_S(&q), key);
	must(r < 0);
	r = next(&c, KIN_S(&proxy), key);
	must(r <= 1);
	c = *at;
	r = next(&c, KIN_S(&seg), key);
	must(r < 0);
	r = next(&c, KIN_BIN(&p, &n), key);
	must(r <= 1);
	c = *at;
	must(next(&c, KIN_S(&part), key) == 1);
	must(kin_values_count(part) == 1);
	kin_values_free(part);
}

static void
look_at(const struct kin_cursor *at, int key)
{
	numbers(at, key);
	strings(at, key);
	others(at, key);
}

/* Depth first; parsing has limited how deep. */
static void
walk(struct kin_cursor c)
{
	struct kin_cursor at, inner;
	uint64_t left;
	int r;

	while (c.left > 0) {
		look_at(&c, 0);
		if (c.type == KIN_TYPE_MAP)
			look_at(&c, 1);
		at = c;
		left = c.left;
		if (next(&at, KIN_S(&inner), 0) == 1)
			walk(inner);
		r = next(&c, KIN_ANY, 0);
		must(r == 1 && c.left == left - 1);
	}
	must(kin_cursor_type(&c) == 0);
	must(next(&c, KIN_ANY, 0) == 0);
}

/* As an argument it is an array: one byte more, and the same again. */
static kin_values *
pack(const kin_values *v, const void *data, size_t size)
{
	kin_values *whole, *again;
	const unsigned char *bytes;
	size_t len;
	int r;

	r = kin_values_pack(&whole, KIN_ARGS(kin_give_values(v)));
	if (r < 0) {
		must(r == -90);		/* nested too deeply now */
		return NULL;
	}
	bytes = kin_values_bytes(whole, &len);
	must(len == size + 1 && bytes[0] == 0x91);
	must(memcmp(bytes + 1, data, size) == 0);
	must(kin_values_parse(&again, bytes, len) == 0);
	kin_values_free(again);
	return whole;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kin_cursor row;
	kin_values *v, *whole;
	size_t i, len;

	/* Names are looked for where there are none. */
	setenv("KIN_DIR", "/nonexistent/kin", 1);
	if (kin_values_parse(&v, data, size) < 0)
		return 0;
	must(memcmp(kin_values_bytes(v, &len), data, size) == 0);
	must(len == size);
	for (i = 0; i < kin_values_count(v) && i < 16; i++)
		must(kin_values_type(v, i) != 0);
	must(kin_values_type(v, kin_values_count(v)) == 0);
	whole = pack(v, data, size);
	if (whole != NULL) {
		must(kin_values_take(whole, &row) == 0);
		must(row.left == kin_values_count(v));
		walk(row);
		kin_values_free(whole);
	}
	kin_values_free(v);
	return 0;
}
