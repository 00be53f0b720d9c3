/* SPDX-License-Identifier: MIT */
/*
 * row_batch.c - as many messages as will go, a batch at a time
 *
 * Each message is written where it is put from and read where it was got to, as
 * in row_stream.c; the bare ring, which is the same, knows single ones only.
 */
#include "bench.h"
#include "ways.h"

#define BATCH	128			/* messages */
#define WARM	(160 * BATCH)		/* before the clock runs */
#define ROUND	(8 * BATCH)		/* between looks at it */

static int
put_batch(struct duo *duo, uint64_t number, int n)
{
	static uint64_t msgs[BATCH][WAY_WORDS];
	static struct iovec at[BATCH];
	ssize_t r;
	int i;

	for (i = 0; i < n; i++) {
		way_write(msgs[i], number + (uint64_t)i);
		at[i] = (struct iovec){ msgs[i], WAY_BYTES };
	}
	r = kin_queue_put_many(duo->wires[0].queue, at, (size_t)n,
			       duo->deadline);
	return r < 0 ? (int)r : r == n ? 0 : -ETIMEDOUT;
}

static int
pour(struct duo *duo)
{
	uint64_t last[WAY_WORDS] = { WAY_LAST };
	int64_t end = kin_in_ns((int64_t)(duo->seconds * 1e9)).ns;
	uint64_t n = 0;
	int r = 0;

	while (r == 0 && (n < 2 * WARM || kin_now().ns < end)) {
		uint64_t stop = n + ROUND;

		for (; n < stop && r == 0; n += BATCH)
			r = put_batch(duo, n, BATCH);
	}
	duo->board->sent = n;
	return r < 0 ? r : way_kin_put(duo, 0, last);
}

struct drunk {
	uint64_t n, sum;
	uint64_t first;			/* when the clock began to run */
	int64_t begin;
	bool over;
};

static void
drink_batch(struct drunk *d, const struct iovec *at, ssize_t n)
{
	ssize_t i;

	if (d->begin == 0 && d->n >= WARM) {
		d->begin = kin_now().ns;
		d->first = d->n;
	}
	for (i = 0; i < n; i++) {
		const uint64_t *msg = at[i].iov_base;

		d->over = msg[0] == WAY_LAST;
		if (d->over)
			break;
		d->sum += way_read(msg);
		d->n++;
	}
}

static int
drink(struct duo *duo)
{
	static uint64_t buf[BATCH * (WAY_WORDS + 2)];
	struct iovec at[BATCH];
	struct drunk d = { 0 };
	int64_t end;

	while (!d.over) {
		ssize_t n = kin_queue_get_many(duo->wires[0].queue, at, BATCH,
					       buf, sizeof(buf),
					       duo->deadline);

		if (n < 0)
			return (int)n;
		drink_batch(&d, at, n);
	}
	end = kin_now().ns;
	duo->board->figure = (double)(d.n - d.first) * 1e3 /
			     (double)(end - d.begin);
	return way_check(duo, d.n, d.sum);
}

static int
play_kin(struct duo *duo, int who)
{
	return who == 0 ? pour(duo) : drink(duo);
}

static int
kin_batch(double seconds, double *ret)
{
	struct duo duo = {
		.play = play_kin,
		.seconds = seconds,
		.apart = true,
	};

	return duo_run(&duo, ret);
}

static int
bare_stream(double seconds, double *ret)
{
	return bench_stream.bare(seconds, ret);
}

const struct bench_row bench_batch = {
	.name = "messages in batches, two CPUs",
	.unit = "M/s",
	.peer = "bare ring, one by one",
	.kin = kin_batch,
	.bare = bare_stream,
	.aim = 0.9,
	.more = true,
	.cpus = 2,
};
