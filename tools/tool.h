/* SPDX-License-Identifier: MIT */
/*
 * tool.h - what the parts of the kin command have in common
 *
 * It includes <kin/...> only: what the tool needs, users get too.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>

#include <kin/kin.h>

#define TOOL_OK		0
#define TOOL_NOTHING	1		/* nothing matches, or it failed */
#define TOOL_USAGE	2

/* One command line: kin VERB [WHAT] [--json]. */
struct tool_line {
	const char *verb;
	const char *what;		/* NULL = none */
	bool json;
};

/* The verbs; each returns the exit status. */
int tool_ls(const struct tool_line *line);
int tool_show(const struct tool_line *line);

/* "12.5 MiB"; returns buf. */
const char *tool_size(char *buf, size_t cap, uint64_t bytes);

/* The text, or "-" if there is none. */
const char *tool_dash(const char *text);

/* Say on standard error what could not be seen. */
void tool_tell_hidden(const kin_inspection *all);

/*
 * JSON: {"segments": [...], "hidden": n}.  One begin, segments that know
 * themselves whether they are the first, one end.
 */
struct tool_json {
	const kin_inspection *all;
	bool facts;			/* with what is inside, too */
	unsigned n;			/* segments so far */
};

void tool_json_begin(struct tool_json *json, const kin_inspection *all,
		     bool facts);
void tool_json_segment(struct tool_json *json,
		       const struct kin_seen_segment *seg);
void tool_json_end(const struct tool_json *json);

#endif
