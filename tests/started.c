/* SPDX-License-Identifier: MIT */
/*
 * started.c - a program whose children are started in every way; contexts.sh
 * builds it as programs are built, and moves its file away under it
 *
 *      started [-n] [-r FROM] [-t TO] CONTEXT ENTRY
 *
 * -n, which comes first: without kin_init.  -r: FROM takes the place of TO, or
 * of this program's file, before anything is started.  Prints what the entry gave; ENTRY is "own", or "theirs", which is in an
 * archive or a library.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kin/kin.h>

int theirs(kin_call *call);

static int
own(kin_call *call)
{
	return kin_call_return(call, "own", KIN_STARTED_BUILD);
}
KIN_ENTRY(own);

static kin_context *
context(const char *name)
{
	kin_context *all[] = { kin_context_fork(), kin_context_spawn(),
			       kin_context_forkserver() };
	int i;

	for (i = 0; i < 3; i++)
		if (strcmp(kin_context_name(all[i]), name) == 0)
			return all[i];
	return NULL;
}

static int
start(const char *how, const char *entry)
{
	kin_entry_fn *fn = strcmp(entry, "own") == 0 ? own : theirs;
	const char *said;
	kin_process *p;
	int build, r;

	r = kin_process_start(&p, fn, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = context(how)));
	if (r < 0)
		return kin_perror("start", r);
	r = kin_process_result(p, KIN_TAKE(&said, &build), kin_in_ms(60000));
	if (r < 0)
		return kin_perror("result", r);
	printf("%s by %s, build %d\n", said, how, build);
	kin_process_close(p);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *from = NULL, *to = argv[0];
	int r, opt;
	bool init = argc < 2 || strcmp(argv[1], "-n") != 0;

	r = init ? kin_init(argc, argv) : 0;
	if (r < 0)
		return kin_perror("kin_init", r);
	while ((opt = getopt(argc, argv, "nr:t:")) != -1) {
		if (opt == 'r')
			from = optarg;
		if (opt == 't')
			to = optarg;
	}
	if (from != NULL && rename(from, to) < 0)
		return perror("rename"), 1;
	if (argc - optind != 2 || context(argv[optind]) == NULL)
		return fprintf(stderr, "started: what?\n"), 2;
	return start(argv[optind], argv[optind + 1]);
}
