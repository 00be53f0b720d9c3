/* SPDX-License-Identifier: MIT */
/*
 * wordcount.c - count the words of many files, and check the count
 *
 *      find the files, ──┬▶ count in many processes ──▶ say what came of it
 *      load their texts  │  (crew.c, worker.c)                 │
 *                        └▶ count in this process ──▶ compare ◀┘
 *                           (words.c)
 *
 * The main job of kin: work that is too much for one process is shared by
 * many, any of which may be killed, and comes to exactly the same result.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kin/kin.h>

#include "crew.h"

#define TOP		20		/* words that are shown */
#define DIFFERENT_SHOWN	10

/* What is said on the way, and at the end */

void
say(const char *fmt, ...)
{
	va_list args;

	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

int
failed(const char *what, int r)
{
	say("%s: %s (%s)", what, kin_strerror(r), kin_errmsg());
	return r;
}

void
run_midway(struct job *job)
{
	if (job->midway == NULL)
		return;
	say("halfway: %s", job->midway);
	fflush(stdout);
	if (system(job->midway) != 0) {
		say("that command failed");
		job->trouble = true;
	}
	job->midway = NULL;
}

static void
print_result(const struct job *job)
{
	const struct word *top[TOP];
	size_t len = words_top(&job->words, top, TOP);
	double mb = (double)job->files.bytes / 1e6;
	uint64_t all = 0;

	for (size_t i = 0; i < job->words.len; i++)
		all += job->words.list[i].count;

	for (size_t i = 0; i < len; i++)
		printf("%10" PRIu64 "  %.*s\n", top[i]->count,
		       (int)top[i]->len, job->words.letters + top[i]->at);
	printf("files     %zu; %zu more are no text, or not readable\n",
	       job->files.len - job->missing, job->files.skipped);
	printf("words     %" PRIu64 ", %zu different ones\n", all,
	       job->words.len);
	printf("time      %.3f s by %" PRIu32 " workers: %.1f MB/s\n",
	       job->seconds, job->workers, mb / job->seconds);
}

/* How many words have not the same count in both; the first few are shown. */
static size_t
count_different(const struct words *ours, const struct words *alone)
{
	size_t different = 0;

	for (size_t i = 0; i < alone->len; i++) {
		const struct word *word = &alone->list[i];
		const char *letters = alone->letters + word->at;
		uint64_t n = words_get(ours, letters, word->len);

		if (n == word->count)
			continue;
		if (different++ < DIFFERENT_SHOWN)
			say("different: %" PRIu64 " by many, %" PRIu64
			    " by one: %.*s", n, word->count, (int)word->len,
			    letters);
	}
	for (size_t i = 0; i < ours->len; i++) {
		const struct word *word = &ours->list[i];

		if (words_get(alone, ours->letters + word->at, word->len) == 0)
			different++;
	}
	return different;
}

/* The same texts once more, all in this process. */
static int
count_alone(const struct job *job, struct words *words)
{
	const char *texts = kin_segment_data(job->texts);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < job->files.len; i++) {
		const struct file *file = &job->files.list[i];

		if (!file->missing)
			r = words_count(words, texts + file->at, file->len);
	}
	return r;
}

/* Is it right, and was it worth it? */
static int
check(struct job *job)
{
	struct words alone = { 0 };
	kin_time since = kin_now();
	size_t different = 0;
	double seconds;
	int r;

	r = count_alone(job, &alone);
	seconds = (double)(kin_now().ns - since.ns) / 1e9;
	if (r >= 0)
		different = count_different(&job->words, &alone);
	words_free(&alone);
	if (r < 0)
		return r;

	if (different == 0) {
		printf("check     every word has the same count by one "
		       "process\n");
	} else {
		job->trouble = true;
		printf("check     FAILED: %zu words have another count by one "
		       "process\n", different);
	}
	printf("speed-up  %.2f: one process took %.3f s\n",
	       seconds / job->seconds, seconds);
	return 0;
}

/* Into a segment: whoever counts them then finds them in memory. */
static int
load_texts(struct job *job)
{
	kin_time since = kin_now();
	int r;

	r = kin_segment_create(&job->texts,
			       KIN_OPTS(kin_segment_opts, .label = "texts",
					.bytes = job->files.bytes));
	if (r < 0)
		return failed("segment texts", r);
	files_load(&job->files, kin_segment_data(job->texts));
	printf("texts     %zu files, %.1f MB, read in %.3f s\n",
	       job->files.len, (double)job->files.bytes / 1e6,
	       (double)(kin_now().ns - since.ns) / 1e9);
	return 0;
}

static int
count(struct job *job)
{
	int r;

	r = load_texts(job);
	if (r >= 0)
		r = crew_count(job);
	if (r < 0)
		return r;
	print_result(job);
	fflush(stdout);
	return check(job);
}

/* What is wanted */

static const char help[] =
"usage: wordcount [options] [file or folder]...\n"
"Count the words of all texts there, by default of those in /usr/include and\n"
"/usr/share/doc, in many processes; then check that by one process.\n"
"\n"
"  -j, --workers N      so many processes count; default: one for each CPU\n"
"      --midway CMD     run the shell command when half of the files are dealt\n"
"                       out\n"
"      --pause-at PATH  for tests: the worker that gets the file of exactly\n"
"                       that path says \"worker PID holds PATH\" on standard\n"
"                       error and stops itself by SIGSTOP before it counts\n"
"  -h, --help           this\n"
"\n"
"Ends with 0 if every file was counted, whoever was killed meanwhile; with 1 if\n"
"files are missing, the check or CMD failed; with 2 if it was called in a wrong\n"
"way.\n";

static uint32_t
cpus_allowed(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	/* It fails where there are more CPUs than a cpu_set_t has bits. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		online = CPU_COUNT(&set);
	if (online > CREW_WORKERS_MAX)
		return CREW_WORKERS_MAX;
	return online < 1 ? 1 : (uint32_t)online;
}

/* 0 if it is no number of workers. */
static uint32_t
parse_workers(const char *arg)
{
	char *end;
	long n;

	n = strtol(arg, &end, 10);
	if (end == arg || *end != '\0' || n < 1 || n > CREW_WORKERS_MAX) {
		say("workers can be 1 to %d, not %s", CREW_WORKERS_MAX, arg);
		return 0;
	}
	return (uint32_t)n;
}

/* Returns 0, or 1 if all is said, or -EINVAL. */
static int
parse(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "workers", required_argument, NULL, 'j' },
		{ "midway", required_argument, NULL, 'm' },
		{ "pause-at", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	job->workers = cpus_allowed();
	while ((c = getopt_long(argc, argv, "j:h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			job->workers = parse_workers(optarg);
			if (job->workers == 0)
				return -EINVAL;
			break;
		case 'm':
			job->midway = optarg;
			break;
		case 'p':
			job->pause_at = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			fputs("try --help\n", stderr);
			return -EINVAL;
		}
	}
	return 0;
}

static int
find_files(struct job *job, char **paths)
{
	static char *usual[] = { "/usr/include", "/usr/share/doc", NULL };
	int r;

	for (char **path = *paths ? paths : usual; *path; path++) {
		r = files_find(&job->files, *path);
		if (r == -ENOENT && *paths == NULL)
			continue;
		if (r < 0) {
			say("%s: %s", *path, kin_strerror(r));
			return r;
		}
	}
	if (job->files.len == 0) {
		say("there are no files");
		return -ENOENT;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct job job = { .pause_at = "" };
	int r;

	r = kin_init(argc, argv);
	if (r < 0)
		return kin_perror("wordcount", r);
	r = parse(&job, argc, argv);
	if (r != 0)
		return r < 0 ? 2 : 0;

	r = find_files(&job, argv + optind);
	if (r >= 0) {
		r = count(&job);
		if (r < 0)
			say("wordcount: %s", kin_strerror(r));
	}

	words_free(&job.words);
	kin_segment_close(job.texts);
	files_free(&job.files);
	if (fflush(stdout) != 0) {
		say("wordcount: standard output is lost");
		r = -EIO;
	}
	return r < 0 || job.trouble;
}
