/* SPDX-License-Identifier: MIT */
/*
 * row_idle.c - what one costs that waits for a message and gets none
 */
#include <sys/resource.h>
#include <sys/time.h>

#include "bench.h"
#include "ways.h"

#define SECONDS	2

static double
cpu_seconds(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) < 0)
		return 0;
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int
wait_in_vain(struct duo *duo, int who)
{
	uint64_t msg[WAY_WORDS];
	double begin;
	ssize_t n;

	if (who != 0)
		return 0;
	begin = cpu_seconds();
	n = kin_queue_get(duo->wires[1].queue, msg, sizeof(msg),
			  kin_in_ms(SECONDS * 1000));
	if (n != -ETIMEDOUT)
		return n < 0 ? (int)n : -EPROTO;
	/* What is too little to be counted is shown as the least that is. */
	duo->board->figure = (cpu_seconds() - begin + 1e-6) * 100 / SECONDS;
	return 0;
}

static int
idle(double seconds, double *ret)
{
	struct duo duo = {
		.play = wait_in_vain,
		.seconds = SECONDS,
		.apart = duo_cpus(NULL) > 1,
	};

	(void)seconds;
	return duo_run(&duo, ret);
}

const struct bench_row bench_idle = {
	.name = "asleep in get for 2 s",
	.unit = "%CPU",
	.peer = "of one CPU",
	.kin = idle,
	.once = true,
};
