/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the benchmark measures, and what came of it
 *
 * A row is the same work done twice: by kin, and bare, by the least code that
 * does it without kin's promises.  The two are run in turns, and what counts
 * is the ratio of neighbours: a machine that is slow for a while is slow for
 * both.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define BENCH_RUNS_MAX	99

/* One run of so many seconds; its figure in *ret.  0, or -errno. */
typedef int bench_fn(double seconds, double *ret);

struct bench_row {
	const char *name;
	const char *unit;
	const char *peer;		/* what bare is */
	bench_fn *kin, *bare;		/* either may be NULL */
	double aim;			/* of kin / bare; 0 = none */
	bool more;			/* is better: the aim is the least */
	bool once;
	int cpus;			/* that it needs */
};

/* What a run returns where that which kin is to be measured beside is not. */
#define BENCH_NONE	(-ENOPKG)

extern const struct bench_row bench_pair, bench_cas;
extern const struct bench_row bench_trip_one, bench_trip_late, bench_trip_two;
extern const struct bench_row bench_stream, bench_batch, bench_pipe;
extern const struct bench_row bench_idle;
extern const struct bench_row bench_segment_create, bench_segment_attach;
extern const struct bench_row bench_sem_plain, bench_sem_owned, bench_event;
extern const struct bench_row bench_sem_turns, bench_barrier;
extern const struct bench_row bench_values;
extern const struct bench_row bench_conn_one, bench_conn_large, bench_conn_two;
extern const struct bench_row bench_call_one, bench_call_deep;
extern const struct bench_row bench_call_one_epoll, bench_call_deep_epoll;
extern const struct bench_row bench_call_one_two, bench_call_deep_two;
extern const struct bench_row bench_lock_plain, bench_lock_robust;
extern const struct bench_row bench_lock_handed, bench_rwlock_two;
extern const struct bench_row bench_heap_64, bench_heap_4096, bench_heap_mixed;
extern const struct bench_row bench_array;
extern const struct bench_row bench_python;
extern const struct bench_row bench_start_fork, bench_start_spawn;
extern const struct bench_row bench_start_server, bench_start_server_fork;
extern const struct bench_row bench_start_large;
extern const struct bench_row bench_crowd_fork, bench_crowd_spawn;
extern const struct bench_row bench_crowd_server;
extern const struct bench_row bench_python_fork, bench_python_spawn;
extern const struct bench_row bench_python_server;

/* What a Python program prints that is given the seconds and a word. */
int bench_python_run(const char *program, const char *word, double seconds,
		     double *ret);

/* The one argument of a program that is to end at once: row_start.c. */
#define BENCH_END	"--end"

struct bench_result {
	const struct bench_row *row;
	const char *skipped;		/* why; NULL = it is not */
	int runs;
	double kin[BENCH_RUNS_MAX], bare[BENCH_RUNS_MAX];
	double ratio[BENCH_RUNS_MAX];	/* of neighbours */
};

struct bench_spread {
	double min, median, max;
};

struct bench_spread bench_spread_of(const double *figures, int n);
bool bench_has_ratio(const struct bench_row *row);

void bench_print_head(void);
void bench_print(const struct bench_result *result);
int bench_write_json(const char *path, const struct bench_result *results,
		     size_t n, double seconds);

#endif
