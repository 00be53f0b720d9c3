/* SPDX-License-Identifier: MIT */
/*
 * row_values.c - a call's four arguments, packed and taken out again
 *
 * Beside it msgpack-c, used well: its buffers are kept for the next time, and
 * no type or count is left unchecked that kin checks.  What it does not do is
 * look at the whole before it believes a part.
 */
#include <string.h>

#include <msgpack.h>

#include <kin/kin.h>

#include "bench.h"

#define ROUND	1024			/* calls between looks at the clock */
#define BIN	32u

static const char text[] = "wordcount";
static const unsigned char bytes[BIN] = "of which there are thirty-two.";

/* What came out, so that it has to. */
struct call {
	int64_t i;
	const char *str;
	size_t str_len;
	double f;
	const void *bin;
	size_t bin_len;
};

static bool
is_right(const struct call *call, int i)
{
	return call->i == i && call->str_len == sizeof(text) - 1 &&
	       memcmp(call->str, text, sizeof(text) - 1) == 0 &&
	       call->f == 2.5 && call->bin_len == BIN &&
	       memcmp(call->bin, bytes, BIN) == 0;
}

static int
take_time(int (*round)(void *arg), void *arg, double seconds, double *ret)
{
	uint64_t rounds = 0;
	int64_t begin, now;
	int r = round(arg);		/* to warm up */

	begin = now = kin_now().ns;
	while (r == 0 && now - begin < (int64_t)(seconds * 1e9)) {
		r = round(arg);
		now = kin_now().ns;
		rounds++;
	}
	*ret = (double)(now - begin) / ((double)rounds * ROUND);
	return r;
}

static int
kin_one(int i)
{
	struct call call = { 0 };
	kin_values *v;
	int r;

	r = kin_values_pack(&v, KIN_ARGS(i, text, 2.5, KIN_BIN(bytes, BIN)));
	if (r < 0)
		return r;
	r = kin_values_take(v, &call.i, KIN_STR(&call.str, &call.str_len),
			    &call.f, KIN_BIN(&call.bin, &call.bin_len));
	if (r == 0 && !is_right(&call, i))
		r = -EPROTO;
	kin_values_free(v);
	return r;
}

static int
kin_round(void *arg)
{
	int i, r = 0;

	(void)arg;
	for (i = 0; i < ROUND && r == 0; i++)
		r = kin_one(i * 100);
	return r;
}

static int
kin_values_row(double seconds, double *ret)
{
	return take_time(kin_round, NULL, seconds, ret);
}

struct bare {
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	msgpack_unpacked unpacked;
};

static int
pack(struct bare *bare, int i)
{
	msgpack_packer *pk = &bare->packer;
	int r;

	msgpack_sbuffer_clear(&bare->buffer);
	r = msgpack_pack_array(pk, 4);
	if (r == 0)
		r = msgpack_pack_int(pk, i);
	if (r == 0)
		r = msgpack_pack_str_with_body(pk, text, strlen(text));
	if (r == 0)
		r = msgpack_pack_double(pk, 2.5);
	if (r == 0)
		r = msgpack_pack_bin_with_body(pk, bytes, BIN);
	return r == 0 ? 0 : -ENOMEM;
}

static int
take(struct bare *bare, struct call *ret)
{
	const msgpack_object *row = &bare->unpacked.data, *v;
	size_t at = 0;

	if (msgpack_unpack_next(&bare->unpacked, bare->buffer.data,
				bare->buffer.size, &at) !=
	    MSGPACK_UNPACK_SUCCESS)
		return -EPROTO;
	v = row->via.array.ptr;
	if (row->type != MSGPACK_OBJECT_ARRAY || row->via.array.size != 4 ||
	    (v[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER &&
	     v[0].type != MSGPACK_OBJECT_NEGATIVE_INTEGER) ||
	    v[1].type != MSGPACK_OBJECT_STR ||
	    v[2].type != MSGPACK_OBJECT_FLOAT64 ||
	    v[3].type != MSGPACK_OBJECT_BIN)
		return -EINVAL;
	*ret = (struct call){
		.i = v[0].via.i64,
		.str = v[1].via.str.ptr, .str_len = v[1].via.str.size,
		.f = v[2].via.f64,
		.bin = v[3].via.bin.ptr, .bin_len = v[3].via.bin.size,
	};
	return 0;
}

static int
bare_round(void *arg)
{
	struct call call;
	int i, r = 0;

	for (i = 0; i < ROUND && r == 0; i++) {
		r = pack(arg, i * 100);
		if (r == 0)
			r = take(arg, &call);
		if (r == 0 && !is_right(&call, i * 100))
			r = -EPROTO;
	}
	return r;
}

static int
bare_values_row(double seconds, double *ret)
{
	struct bare bare;
	int r;

	msgpack_sbuffer_init(&bare.buffer);
	msgpack_packer_init(&bare.packer, &bare.buffer, msgpack_sbuffer_write);
	msgpack_unpacked_init(&bare.unpacked);
	r = take_time(bare_round, &bare, seconds, ret);
	msgpack_unpacked_destroy(&bare.unpacked);
	msgpack_sbuffer_destroy(&bare.buffer);
	return r;
}

const struct bench_row bench_values = {
	.name = "4 arguments packed and taken",
	.unit = "ns",
	.peer = "msgpack-c",
	.kin = kin_values_row,
	.bare = bare_values_row,
};
