/* SPDX-License-Identifier: MIT */
/*
 * row_stream.c - as many messages as will go, from one process to another
 */
#include "bench.h"
#include "ways.h"

#define WARM	20000			/* messages before the clock runs */
#define ROUND	1024			/* messages between looks at it */

WAY_INLINE int
pour(struct duo *duo, struct way way)
{
	uint64_t last[WAY_WORDS] = { WAY_LAST };
	uint64_t msg[WAY_WORDS];
	int64_t end = kin_in_ns((int64_t)(duo->seconds * 1e9)).ns;
	uint64_t n = 0;
	int r = 0;

	while (r == 0 && (n < 2 * WARM || kin_now().ns < end)) {
		uint64_t stop = n + ROUND;

		for (; n < stop && r == 0; n++) {
			way_write(msg, n);
			r = way.put(duo, 0, msg);
		}
	}
	duo->board->sent = n;
	return r < 0 ? r : way.put(duo, 0, last);
}

WAY_INLINE int
drink(struct duo *duo, struct way way)
{
	uint64_t msg[WAY_WORDS];
	uint64_t n = 0, sum = 0;
	int64_t begin = 0, end;
	int r;

	for (;; n++) {
		r = way.get(duo, 1, msg);
		if (r < 0)
			return r;
		if (msg[0] == WAY_LAST)
			break;
		if (n == WARM)
			begin = kin_now().ns;
		sum += way_read(msg);
	}
	end = kin_now().ns;
	duo->board->figure = (double)(n - WARM) * 1e3 / (double)(end - begin);
	return way_check(duo, n, sum);
}

static int
play_kin(struct duo *duo, int who)
{
	return who == 0 ? pour(duo, WAY_KIN) : drink(duo, WAY_KIN);
}

static int
play_ring(struct duo *duo, int who)
{
	return who == 0 ? pour(duo, WAY_RING) : drink(duo, WAY_RING);
}

static int
play_pipe(struct duo *duo, int who)
{
	return who == 0 ? pour(duo, WAY_PIPE) : drink(duo, WAY_PIPE);
}

static int
run(int (*play)(struct duo *duo, int who), double seconds, double *ret)
{
	struct duo duo = {
		.play = play,
		.seconds = seconds,
		.apart = true,
	};

	return duo_run(&duo, ret);
}

static int
kin_stream(double seconds, double *ret)
{
	return run(play_kin, seconds, ret);
}

static int
bare_stream(double seconds, double *ret)
{
	return run(play_ring, seconds, ret);
}

static int
pipe_stream(double seconds, double *ret)
{
	return run(play_pipe, seconds, ret);
}

const struct bench_row bench_stream = {
	.name = "messages 1 to 1, two CPUs",
	.unit = "M/s",
	.peer = "bare ring, spinning",
	.kin = kin_stream,
	.bare = bare_stream,
	.aim = 0.3,
	.more = true,
	.cpus = 2,
};

const struct bench_row bench_pipe = {
	.name = "  for scale: through a pipe",
	.unit = "M/s",
	.peer = "write and read",
	.bare = pipe_stream,
	.cpus = 2,
};
