/* SPDX-License-Identifier: MIT */
/*
 * helper.c - kin-helper: a main that calls kin_init
 *
 * Executed by kin in a program that does not, for entries of shared libraries.
 */
#include <stdio.h>

#include <kin/entry.h>

int
main(int argc, char **argv)
{
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin-helper", r);
	fprintf(stderr, "kin-helper: for processes that kin starts\n");
	return 2;
}
