/* SPDX-License-Identifier: MIT */
/*
 * crew.h - count the words of many files, in many processes
 */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "words.h"

#define CREW_WORKERS_MAX	500

struct job {
	/* What is wanted. */
	uint32_t workers;
	const char *midway;		/* a command; NULL = none */
	const char *pause_at;		/* a path; NULL = none */
	struct files files;

	/* What came of it. */
	struct words words;
	size_t done;			/* files; not all, if somebody died */
	size_t skipped;			/* of them: not a text */
	uint64_t bytes;			/* that were read */
	double seconds;			/* from the first fork to the end */
	bool trouble;			/* it went wrong, and that was said */
};

/*
 * Count the job's files.  Processes that die are said, and their unfinished
 * files stay FILE_WAITING: that is no failure, but job->trouble.
 */
int crew_count(struct job *job);

/* A line on standard error, in place of a bar that may stand there. */
__attribute__((format(printf, 1, 2)))
void say(const char *fmt, ...);

#endif
