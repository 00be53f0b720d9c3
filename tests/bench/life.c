/* SPDX-License-Identifier: MIT */
/*
 * life.c - what a look costs, whether a member of a queue is alive
 *
 * No row of kin-bench, which has only what users have: they get that look
 * inside of other calls.  A look may cost 5 us.
 */
#include <stdio.h>
#include <stdlib.h>

#include <kin/kin.h>

#include "lib/queue.h"
#include "shm/registry.h"

#define RUNS	11
#define LOOKS	10000

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Microseconds a look.  We are in slot 0 of a queue of our own. */
static double
run(const kin_queue *q)
{
	int64_t begin = kin_now().ns;
	int i;

	for (i = 0; i < LOOKS; i++)
		if (kn_registry_alive(q->registry.fd, q->registry.at, 0) != 1)
			abort();
	return (double)(kin_now().ns - begin) / 1e3 / LOOKS;
}

int
main(void)
{
	double us[RUNS];
	kin_queue *q;
	int r, i;

	r = kin_queue_create(&q, NULL);
	if (r < 0)
		return kin_perror("life", r);
	run(q);
	for (i = 0; i < RUNS; i++)
		us[i] = run(q);
	kin_queue_close(q);
	qsort(us, RUNS, sizeof(us[0]), by_size);
	printf("is a member of a queue alive: %.2f us (%.2f - %.2f), "
	       "aim <= 5\n", us[RUNS / 2], us[0], us[RUNS - 1]);
	return 0;
}
