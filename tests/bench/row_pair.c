/* SPDX-License-Identifier: MIT */
/*
 * row_pair.c - a put and a get in one process, with nobody else about
 */
#include <stdlib.h>

#include "bench.h"
#include "ways.h"

#define ROUND	4096			/* pairs between looks at the clock */

/*
 * ROUND pairs; 0, or -errno.  The message is written once: to read it in one
 * piece just after it was written in many would cost more than the ring does.
 */
typedef int round_fn(void *arg);

static int
take_time(round_fn *fn, void *arg, double seconds, double *ret)
{
	uint64_t rounds = 0;
	int64_t begin, now;
	int r = fn(arg);		/* to warm up */

	begin = now = kin_now().ns;
	while (r == 0 && now - begin < (int64_t)(seconds * 1e9)) {
		r = fn(arg);
		now = kin_now().ns;
		rounds++;
	}
	*ret = (double)(now - begin) / ((double)rounds * ROUND);
	return r;
}

static int
kin_round(void *arg)
{
	kin_time deadline = kin_in_ms(1000);
	uint64_t out[WAY_WORDS], in[WAY_WORDS];
	int i;

	way_write(out, 1);
	for (i = 0; i < ROUND; i++) {
		ssize_t n;
		int r;

		r = kin_queue_put(arg, out, sizeof(out), deadline);
		if (r < 0)
			return r;
		n = kin_queue_get(arg, in, sizeof(in), deadline);
		if (n < 0)
			return (int)n;
		if (n != WAY_BYTES || way_read(in) != WAY_SUM(1))
			return -EPROTO;
	}
	return 0;
}

static int
kin_pair(double seconds, double *ret)
{
	kin_queue *q;
	int r;

	r = kin_queue_create(&q, NULL);
	if (r < 0)
		return r;
	r = take_time(kin_round, q, seconds, ret);
	kin_queue_close(q);
	return r;
}

static int
bare_round(void *arg)
{
	uint64_t out[WAY_WORDS], in[WAY_WORDS];
	int i;

	way_write(out, 1);
	for (i = 0; i < ROUND; i++) {
		if (!bare_put(arg, out, sizeof(out)))
			return -ENOSPC;
		if (bare_get(arg, in, sizeof(in)) != WAY_BYTES ||
		    way_read(in) != WAY_SUM(1))
			return -EPROTO;
	}
	return 0;
}

static int
bare_pair(double seconds, double *ret)
{
	struct bare_ring *ring = aligned_alloc(128, sizeof(*ring));
	int r;

	if (ring == NULL)
		return -ENOMEM;
	*ring = (struct bare_ring){ 0 };
	r = take_time(bare_round, ring, seconds, ret);
	free(ring);
	return r;
}

static int
cas_round(void *arg)
{
	uint32_t *word = arg;
	int i;

	for (i = 0; i < ROUND; i++) {
		uint32_t v = 0;

		if (!__atomic_compare_exchange_n(word, &v, 1, false,
						 __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			return -EPROTO;
		v = 1;
		if (!__atomic_compare_exchange_n(word, &v, 0, false,
						 __ATOMIC_RELEASE,
						 __ATOMIC_RELAXED))
			return -EPROTO;
	}
	return 0;
}

static int
cas_pair(double seconds, double *ret)
{
	uint32_t word = 0;

	return take_time(cas_round, &word, seconds, ret);
}

const struct bench_row bench_pair = {
	.name = "put and get, one process",
	.unit = "ns",
	.peer = "bare ring",
	.kin = kin_pair,
	.bare = bare_pair,
};

const struct bench_row bench_cas = {
	.name = "  for scale: a pair of CAS",
	.unit = "ns",
	.peer = "nobody contends",
	.bare = cas_pair,
};
