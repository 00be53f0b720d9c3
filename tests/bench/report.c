/* SPDX-License-Identifier: MIT */
/*
 * report.c - the benchmark's table for people, and its JSON for programs
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "duo.h"

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct bench_spread
bench_spread_of(const double *figures, int n)
{
	double sorted[BENCH_RUNS_MAX];

	memcpy(sorted, figures, (size_t)n * sizeof(*figures));
	qsort(sorted, (size_t)n, sizeof(*sorted), by_size);
	return (struct bench_spread){
		.min = sorted[0],
		.median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2,
		.max = sorted[n - 1],
	};
}

bool
bench_has_ratio(const struct bench_row *row)
{
	return row->kin != NULL && row->bare != NULL;
}

static bool
met(const struct bench_row *row, double ratio)
{
	return row->more ? ratio >= row->aim : ratio <= row->aim;
}

/* ---- the table ---- */

void
bench_print_head(void)
{
	printf("%-38s %13s %13s  %5s %-15s %-8s %s\n", "medians; "
	       "messages of 64 bytes", "kin", "bare", "ratio", "(min - max)", "aim",
	       "beside");
	fflush(stdout);
}

static void
print_figure(bench_fn *fn, const double *figures, int runs, const char *unit)
{
	double median = bench_spread_of(figures, runs).median;

	if (fn == NULL)
		printf(" %13s", "-");
	else
		printf(" %8.*f %-4s", median < 100 ? 2 : 0, median, unit);
}

static void
print_ratio(const struct bench_result *result)
{
	const struct bench_row *row = result->row;
	struct bench_spread ratio =
	    bench_spread_of(result->ratio, result->runs);
	char range[32];

	snprintf(range, sizeof(range), "(%.2f - %.2f)", ratio.min, ratio.max);
	printf("  %5.2f %-15s", ratio.median, range);
	if (row->aim > 0)
		printf(" %s %-5.2g", row->more ? ">=" : "<=", row->aim);
	else
		printf(" %-8s", "-");
	printf(" %s", row->peer);
	if (row->aim > 0)
		printf(": %s", met(row, ratio.median) ? "met" : "MISSED");
}

void
bench_print(const struct bench_result *result)
{
	const struct bench_row *row = result->row;

	printf("%-38s", row->name);
	if (result->skipped != NULL) {
		printf(" skipped: %s\n", result->skipped);
		fflush(stdout);
		return;
	}
	print_figure(row->kin, result->kin, result->runs, row->unit);
	print_figure(row->bare, result->bare, result->runs, row->unit);
	if (bench_has_ratio(row))
		print_ratio(result);
	else
		printf("  %5s %-15s %-8s %s", "-", "", "-", row->peer);
	printf("\n");
	fflush(stdout);
}

/* ---- JSON ---- */

static void
write_spread(FILE *f, const char *key, const double *figures, int n)
{
	struct bench_spread spread = bench_spread_of(figures, n);
	int i;

	fprintf(f, ",\n   \"%s\": {\"min\": %.6g, \"median\": %.6g, "
		   "\"max\": %.6g, \"runs\": [", key, spread.min,
		spread.median, spread.max);
	for (i = 0; i < n; i++)
		fprintf(f, "%s%.6g", i > 0 ? ", " : "", figures[i]);
	fprintf(f, "]}");
}

/* The names are ours and need no escapes. */
static void
write_row(FILE *f, const struct bench_result *result)
{
	const struct bench_row *row = result->row;

	fprintf(f, "  {\"name\": \"%s\", \"unit\": \"%s\", \"peer\": \"%s\", "
		   "\"skipped\": %s", row->name, row->unit, row->peer,
		result->skipped != NULL ? "true" : "false");
	if (result->skipped == NULL && row->kin != NULL)
		write_spread(f, "kin", result->kin, result->runs);
	if (result->skipped == NULL && row->bare != NULL)
		write_spread(f, "bare", result->bare, result->runs);
	if (result->skipped == NULL && bench_has_ratio(row)) {
		write_spread(f, "ratio", result->ratio, result->runs);
		if (row->aim > 0)
			fprintf(f, ",\n   \"aim\": {\"%s\": %g, \"met\": %s}",
				row->more ? "least" : "most", row->aim,
				met(row, bench_spread_of(result->ratio,
							 result->runs).median)
				    ? "true" : "false");
	}
	fprintf(f, "}");
}

int
bench_write_json(const char *path, const struct bench_result *results,
		 size_t n, double seconds)
{
	FILE *f = fopen(path, "w");
	bool bad;
	size_t i;

	if (f == NULL)
		return -errno;
	fprintf(f, "{\"seconds\": %g, \"cpus\": %d, \"rows\": [\n", seconds,
		duo_cpus(NULL));
	for (i = 0; i < n; i++) {
		write_row(f, &results[i]);
		fprintf(f, "%s\n", i + 1 < n ? "," : "");
	}
	fprintf(f, "]}\n");
	bad = ferror(f) != 0;
	return fclose(f) != 0 || bad ? -EIO : 0;
}
