/* SPDX-License-Identifier: MIT */
/*
 * kin.c - the kin command: see man/kin.1
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const struct verb {
	const char *name;
	int (*run)(const struct tool_line *line);
	bool what;			/* it needs one */
} verbs[] = {
	{ "ls", tool_ls, false },
	{ "show", tool_show, true },
};

static const char usage[] =
	"usage: kin ls [--json]          the segments of this machine\n"
	"       kin show WHAT [--json]   all about some of them: WHAT is a\n"
	"                                name, a label, an inode or a pid\n"
	"       kin --help | --version\n";

/* ---- what the verbs share ---- */

const char *
tool_size(char *buf, size_t cap, uint64_t bytes)
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB",
					 "PiB", "EiB" };
	double n = (double)bytes;
	size_t i;

	/* What would be printed as 1024.0 is 1.0 of the next. */
	for (i = 0; n >= 1023.95 && i < sizeof(units) / sizeof(units[0]) - 1;
	     i++)
		n /= 1024;
	snprintf(buf, cap, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
	return buf;
}

const char *
tool_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

void
tool_tell_hidden(const kin_inspection *all)
{
	unsigned n = kin_inspect_hidden(all);

	if (n > 0)
		fprintf(stderr, "kin: %u process%s of others cannot be looked "
			"into\n", n, n == 1 ? "" : "es");
}

/* ---- the command line ---- */

static int
misuse(const char *text)
{
	fprintf(stderr, "kin: %s\n%s", text, usage);
	return TOOL_USAGE;
}

/* A full disk or a closed pipe shows when the last of it is written. */
static int
finish(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "kin: standard output: %s\n",
		errno != 0 ? strerror(errno) : "not all was written");
	return TOOL_NOTHING;
}

static int
run(const struct tool_line *line)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *verb = &verbs[i];

		if (strcmp(line->verb, verb->name) != 0)
			continue;
		if (verb->what != (line->what != NULL))
			return misuse(verb->what ? "show what?" :
				      "ls takes no names: see kin show");
		return finish(verb->run(line));
	}
	return misuse("there is no such command");
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct tool_line line = { 0 };
	int c;

	opterr = 0;			/* we say it, and as kin */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'j':
			line.json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return finish(TOOL_OK);
		case 'v':
			puts("kin " KIN_VERSION);
			return finish(TOOL_OK);
		default:
			return misuse("there is no such option");
		}
	if (optind == argc)
		return misuse("do what?");
	if (argc - optind > 2)
		return misuse("too many words");
	line.verb = argv[optind];
	line.what = argv[optind + 1];	/* NULL at the end */
	return run(&line);
}
