/* SPDX-License-Identifier: MIT */
/*
 * crew.h - count the words of many texts, in many processes
 */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>

#include <kin/kin.h>

#include "words.h"

#define CREW_WORKERS_MAX	500

struct job {
	/* What is wanted. */
	uint32_t workers;
	const char *midway;		/* a command; NULL = none */
	const char *pause_at;		/* a path; "" = none */
	struct files files;
	kin_segment *texts;		/* which they were loaded into */

	/* What came of it. */
	struct words words;
	size_t missing;			/* files; killed too often */
	double seconds;			/* from the first fork to the end */
	bool trouble;			/* it went wrong, and that was said */
};

/*
 * Count the job's texts.  Processes that are killed are said, and their work
 * is done by others.  What kills everyone who tries is said and marked as
 * missing: that is no failure, but job->trouble.
 */
int crew_count(struct job *job);

/* The mark of a batch in the totals, for which crew.c says: it is no word. */
#define MARK_BYTES	24
#define MARK_FORMAT	"#%zu"
#define MARK_VALUE	INT64_MAX

#define CALL_MS		60000		/* for what should take no time */

/* The entry of a worker: takes the names, the texts, the totals, pause_at. */
kin_entry_fn work;

/* Run the job's command, if it has one that did not run yet. */
void run_midway(struct job *job);

/* A line on standard error, in place of the progress that may stand there. */
__attribute__((format(printf, 1, 2)))
void say(const char *fmt, ...);

/* Say which kin call has just failed, and pass on how. */
int failed(const char *what, int r);

#endif
