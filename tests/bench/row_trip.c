/* SPDX-License-Identifier: MIT */
/*
 * row_trip.c - there and back between two processes
 */
#include "bench.h"
#include "ways.h"

#define WARM	2000			/* trips before the clock runs */
#define ROUND	64			/* trips between looks at the clock */

WAY_INLINE int
trip(struct duo *duo, struct way way, uint64_t number)
{
	uint64_t msg[WAY_WORDS];
	int r;

	way_write(msg, number);
	r = way.put(duo, 0, msg);
	if (r == 0)
		r = way.get(duo, 0, msg);
	if (r < 0)
		return r;
	return msg[0] == WAY_SUM(number) ? 0 : -EPROTO;
}

WAY_INLINE int
trips(struct duo *duo, struct way way, uint64_t n)
{
	uint64_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++)
		r = trip(duo, way, i);
	return r;
}

WAY_INLINE int
ping(struct duo *duo, struct way way)
{
	uint64_t last[WAY_WORDS] = { WAY_LAST };
	uint64_t rounds = 0;
	int64_t begin, now;
	int r = trips(duo, way, WARM);

	begin = now = kin_now().ns;
	while (r == 0 && now - begin < (int64_t)(duo->seconds * 1e9)) {
		r = trips(duo, way, ROUND);
		now = kin_now().ns;
		rounds++;
	}
	if (r == 0)
		r = way.put(duo, 0, last);
	duo->board->figure = (double)(now - begin) / ((double)rounds * ROUND);
	return r;
}

/* Each answer has the sum of what it answers in front. */
WAY_INLINE int
pong(struct duo *duo, struct way way)
{
	uint64_t msg[WAY_WORDS];
	int r;

	for (;;) {
		r = way.get(duo, 1, msg);
		if (r < 0 || msg[0] == WAY_LAST)
			return r;
		msg[0] = way_read(msg);
		r = way.put(duo, 1, msg);
		if (r < 0)
			return r;
	}
}

static int
play_kin(struct duo *duo, int who)
{
	return who == 0 ? ping(duo, WAY_KIN) : pong(duo, WAY_KIN);
}

static int
play_box(struct duo *duo, int who)
{
	return who == 0 ? ping(duo, WAY_BOX) : pong(duo, WAY_BOX);
}

static int
play_late(struct duo *duo, int who)
{
	return who == 0 ? ping(duo, WAY_LATE) : pong(duo, WAY_LATE);
}

static int
play_ring(struct duo *duo, int who)
{
	return who == 0 ? ping(duo, WAY_RING) : pong(duo, WAY_RING);
}

static int
run(int (*play)(struct duo *duo, int who), bool apart, double seconds,
    double *ret)
{
	struct duo duo = {
		.play = play,
		.seconds = seconds,
		.apart = apart,
	};

	return duo_run(&duo, ret);
}

static int
kin_on_one(double seconds, double *ret)
{
	return run(play_kin, false, seconds, ret);
}

static int
bare_on_one(double seconds, double *ret)
{
	return run(play_box, false, seconds, ret);
}

static int
late_on_one(double seconds, double *ret)
{
	return run(play_late, false, seconds, ret);
}

static int
kin_on_two(double seconds, double *ret)
{
	return run(play_kin, true, seconds, ret);
}

static int
bare_on_two(double seconds, double *ret)
{
	return run(play_ring, true, seconds, ret);
}

const struct bench_row bench_trip_one = {
	.name = "round trip, both on one CPU",
	.unit = "ns",
	.peer = "bare futex",
	.kin = kin_on_one,
	.bare = bare_on_one,
	.aim = 1.3,
};

const struct bench_row bench_trip_late = {
	.name = "  for scale: bare, with a deadline",
	.unit = "ns",
	.peer = "the same futex",
	.bare = late_on_one,
};

const struct bench_row bench_trip_two = {
	.name = "round trip, two CPUs, busy",
	.unit = "ns",
	.peer = "bare rings, spinning",
	.kin = kin_on_two,
	.bare = bare_on_two,
	.aim = 3,
	.cpus = 2,
};
