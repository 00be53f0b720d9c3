/* SPDX-License-Identifier: MIT */
/*
 * row_heap.c - blocks of a heap beside malloc's, a shared array beside
 * Python's
 *
 * malloc's are this process's alone and are lost with it; the heap's are
 * shared, and each call is whole or undone whoever is killed.  Blocks are
 * touched in both.
 */
#include <stdlib.h>

#include <kin/kin.h>

#include "bench.h"
#include "duo.h"

#define ROUND	1024			/* calls between looks at the clock */
#define HEAP	(16u << 20)
#define LIVE	256			/* blocks at a time, of all lengths */
#define COUNT	1000			/* elements */

/* ---- blocks ---- */

struct work {
	kin_heap *heap;			/* NULL = malloc */
	size_t bytes;			/* 0 = 64 to 4096, LIVE at a time */
	uint32_t state;
	uint64_t at[LIVE];
	void *p[LIVE];
};

static size_t
some_bytes(struct work *w)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 17;
	w->state ^= w->state << 5;
	return 64 + w->state % 4033;
}

static int
kin_alloc(struct work *w, int i, size_t bytes)
{
	int r = kin_heap_alloc(w->heap, &w->at[i], bytes, KIN_FOREVER);

	if (r == 0)
		*(char *)kin_heap_pointer(w->heap, w->at[i], bytes) = 1;
	return r;
}

static int
bare_alloc(struct work *w, int i, size_t bytes)
{
	w->p[i] = malloc(bytes);
	if (w->p[i] == NULL)
		return -ENOMEM;
	*(volatile char *)w->p[i] = 1;
	return 0;
}

/* One is freed, and one allocated. */
static int
one(struct work *w)
{
	size_t bytes = w->bytes != 0 ? w->bytes : some_bytes(w);
	int i = w->bytes != 0 ? 0 : (int)(w->state % LIVE), r = 0;

	if (w->heap != NULL) {
		r = kin_heap_free(w->heap, w->at[i], KIN_FOREVER);
		w->at[i] = 0;
		return r < 0 ? r : kin_alloc(w, i, bytes);
	}
	free(w->p[i]);
	return bare_alloc(w, i, bytes);
}

static int
take_time(struct work *w, double seconds, double *ret)
{
	uint64_t rounds = 0;
	int64_t begin, now;
	int i, r = 0;

	for (i = 0; i < 4 * ROUND && r == 0; i++)	/* to warm up */
		r = one(w);
	begin = now = kin_now().ns;
	while (r == 0 && now - begin < (int64_t)(seconds * 1e9)) {
		for (i = 0; i < ROUND && r == 0; i++)
			r = one(w);
		now = kin_now().ns;
		rounds++;
	}
	*ret = (double)(now - begin) / ((double)rounds * ROUND);
	return r;
}

static int
on_one(void)
{
	int cpu[2];

	(void)duo_cpus(cpu);
	return duo_stay_on(cpu[0]);
}

static int
kin_blocks(size_t bytes, double seconds, double *ret)
{
	struct work w = { .bytes = bytes, .state = 1 };
	int r = on_one();

	if (r == 0)
		r = kin_heap_create(&w.heap, KIN_OPTS(kin_heap_opts,
						      .bytes = HEAP));
	if (r < 0)
		return r;
	r = take_time(&w, seconds, ret);
	kin_heap_close(w.heap);
	return r;
}

static int
bare_blocks(size_t bytes, double seconds, double *ret)
{
	struct work w = { .bytes = bytes, .state = 1 };
	int i, r = on_one();

	if (r == 0)
		r = take_time(&w, seconds, ret);
	for (i = 0; i < LIVE; i++)
		free(w.p[i]);
	return r;
}

#define BLOCKS(suffix_, bytes_)						\
	static int							\
	kin_##suffix_(double seconds, double *ret)			\
	{								\
		return kin_blocks((bytes_), seconds, ret);		\
	}								\
	static int							\
	bare_##suffix_(double seconds, double *ret)			\
	{								\
		return bare_blocks((bytes_), seconds, ret);		\
	}

BLOCKS(64, 64)
BLOCKS(4096, 4096)
BLOCKS(mixed, 0)

const struct bench_row bench_heap_64 = {
	.name = "heap: alloc and free, 64 B",
	.unit = "ns",
	.peer = "malloc and free",
	.kin = kin_64,
	.bare = bare_64,
};

const struct bench_row bench_heap_4096 = {
	.name = "heap: alloc and free, 4 KiB",
	.unit = "ns",
	.peer = "malloc and free",
	.kin = kin_4096,
	.bare = bare_4096,
};

const struct bench_row bench_heap_mixed = {
	.name = "heap: 64 B to 4 KiB, 256 live",
	.unit = "ns",
	.peer = "malloc and free",
	.kin = kin_mixed,
	.bare = bare_mixed,
};

/* ---- elements ---- */

/* Prints millions of stores and loads in a second. */
static const char script[] =
"import multiprocessing, sys, time\n"
"a = multiprocessing.Array('d', 1000)\n"
"begin = now = time.monotonic()\n"
"n = 0\n"
"while now - begin < float(sys.argv[1]):\n"
"    for i in range(1000):\n"
"        a[i] = i\n"
"        a[i]\n"
"    n += 2000\n"
"    now = time.monotonic()\n"
"print(n / (now - begin) / 1e6)\n";

static int
python_array(double seconds, double *ret)
{
	int r = on_one();

	return r < 0 ? r : bench_python_run(script, "", seconds, ret);
}

/* One element is stored and loaded, each under the array's lock. */
static int
element(kin_array *a, size_t i)
{
	double x = (double)i;
	int r = kin_array_write(a, i, 1, &x, KIN_FOREVER);

	return r < 0 ? r : kin_array_read(a, i, 1, &x, KIN_FOREVER);
}

static int
kin_elements(double seconds, double *ret)
{
	int64_t begin, now;
	uint64_t rounds = 0;
	kin_array *a;
	size_t i;
	int r = on_one();

	if (r == 0)
		r = kin_array_create(&a, KIN_OPTS(kin_array_opts,
		    .type = KIN_ARRAY_DOUBLE, .count = COUNT,
		    .flags = KIN_ARRAY_LOCKED));
	if (r < 0)
		return r;
	begin = now = kin_now().ns;
	while (r == 0 && now - begin < (int64_t)(seconds * 1e9)) {
		for (i = 0; i < COUNT && r == 0; i++)
			r = element(a, i);
		now = kin_now().ns;
		rounds++;
	}
	*ret = (double)rounds * 2 * COUNT / ((double)(now - begin) / 1e3);
	kin_array_close(a);
	return r;
}

const struct bench_row bench_array = {
	.name = "  for scale: array with its lock",
	.unit = "M/s",
	.peer = "Python's multiprocessing.Array",
	.kin = kin_elements,
	.bare = python_array,
	.more = true,
};
