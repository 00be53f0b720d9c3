/* SPDX-License-Identifier: MIT */
/*
 * bench.c - measure kin beside the least that could do the same work
 *
 *      kin-bench [--json FILE] [--seconds S] [--runs N] [WORD ...]
 *
 * With words, only the rows whose names contain one of them.  An aim that is
 * missed is no failure: the machine may be at fault.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <kin/kin.h>

#include "bench.h"
#include "duo.h"

struct asked {
	const char *json;
	double seconds;			/* of one run */
	int runs;
	char **words;			/* up to a NULL */
};

static const struct bench_row *const rows[] = {
	&bench_pair, &bench_cas,
	&bench_trip_one, &bench_trip_late, &bench_trip_two,
	&bench_stream, &bench_batch, &bench_pipe, &bench_idle,
	&bench_segment_create, &bench_segment_attach,
	&bench_sem_plain, &bench_sem_owned, &bench_event,
	&bench_sem_turns, &bench_barrier,
	&bench_values,
	&bench_heap_64, &bench_heap_4096, &bench_heap_mixed, &bench_array,
	&bench_conn_one, &bench_conn_large, &bench_conn_two,
	&bench_call_one, &bench_call_one_epoll, &bench_call_one_two,
	&bench_call_deep, &bench_call_deep_epoll, &bench_call_deep_two,
	&bench_lock_plain, &bench_lock_robust, &bench_lock_handed,
	&bench_rwlock_two,
	&bench_python,
	&bench_start_fork, &bench_start_spawn, &bench_start_server,
	&bench_start_server_fork,
	&bench_crowd_fork, &bench_crowd_spawn, &bench_crowd_server,
	&bench_python_fork, &bench_python_spawn, &bench_python_server,
	&bench_start_large,		/* last: what it has, it keeps */
};
#define ROWS	(sizeof(rows) / sizeof(rows[0]))

static int
usage(void)
{
	fprintf(stderr, "usage: kin-bench [--json FILE] [--seconds S] "
			"[--runs N] [WORD ...]\n");
	return 2;
}

/* 0, or what to exit with. */
static int
parse(int argc, char **argv, struct asked *ret)
{
	static const struct option options[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "seconds", required_argument, NULL, 's' },
		{ "runs", required_argument, NULL, 'r' },
		{ 0 },
	};
	char *end = NULL;
	int c;

	*ret = (struct asked){ .seconds = 0.2, .runs = 11 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			ret->json = optarg;
			continue;
		case 's':
			ret->seconds = strtod(optarg, &end);
			break;
		case 'r':
			ret->runs = (int)strtol(optarg, &end, 10);
			break;
		default:
			return usage();
		}
		if (end == optarg || *end != '\0')
			return usage();
	}
	if (!(ret->seconds > 0 && ret->seconds <= 60) || ret->runs < 1 ||
	    ret->runs > BENCH_RUNS_MAX)
		return usage();
	ret->words = argv + optind;
	return 0;
}

static bool
wanted(const struct bench_row *row, char **words)
{
	if (*words == NULL)
		return true;
	for (; *words != NULL; words++)
		if (strstr(row->name, *words) != NULL)
			return true;
	return false;
}

/* One of the two, if the row has it; it may stay on a CPU, but we do not. */
static int
once(bench_fn *fn, double seconds, double *ret)
{
	cpu_set_t before;
	int r;

	if (sched_getaffinity(0, sizeof(before), &before) < 0)
		return -errno;
	r = fn != NULL ? fn(seconds, ret) : 0;
	if (sched_setaffinity(0, sizeof(before), &before) < 0 && r == 0)
		r = -errno;
	if (r == 0 && fn != NULL && !(*ret > 0))
		r = -ERANGE;
	return r;
}

static int
measure(const struct bench_row *row, const struct asked *asked,
	struct bench_result *ret)
{
	int i, r;

	ret->row = row;
	ret->runs = row->once ? 1 : asked->runs;
	ret->skipped = duo_cpus(NULL) < row->cpus ? "one CPU" : NULL;
	for (i = 0; i < ret->runs && ret->skipped == NULL; i++) {
		r = once(row->kin, asked->seconds, &ret->kin[i]);
		if (r == 0)
			r = once(row->bare, asked->seconds, &ret->bare[i]);
		if (r == BENCH_NONE)
			ret->skipped = "there is none here";
		else if (r < 0)
			return r;
		if (bench_has_ratio(row))
			ret->ratio[i] = ret->kin[i] / ret->bare[i];
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static struct bench_result results[ROWS];
	struct asked asked;
	size_t n = 0, i;
	int r;

	if (argc == 2 && strcmp(argv[1], BENCH_END) == 0)
		return 0;
	r = kin_init(argc, argv);
	if (r == 0)		/* what is measured side by side is inherited */
		r = kin_context_set_default(kin_context_fork());
	if (r < 0)
		return kin_perror("kin-bench", r);
	r = parse(argc, argv, &asked);
	if (r != 0)
		return r;
	bench_print_head();
	for (i = 0; i < ROWS; i++) {
		if (!wanted(rows[i], asked.words))
			continue;
		r = measure(rows[i], &asked, &results[n]);
		if (r < 0) {
			fprintf(stderr, "kin-bench: %s: %s\n", rows[i]->name,
				strerror(-r));
			return 1;
		}
		bench_print(&results[n++]);
	}
	if (asked.json == NULL)
		return 0;
	r = bench_write_json(asked.json, results, n, asked.seconds);
	if (r < 0)
		fprintf(stderr, "kin-bench: %s: %s\n", asked.json,
			strerror(-r));
	return r < 0;
}
