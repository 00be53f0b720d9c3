/* SPDX-License-Identifier: MIT */
/*
 * replay.c - what fuzzers have found once, on every push
 *
 *      fuzz_value-replay FILE|DIRECTORY...
 *
 * Gives each file to the fuzzer's function, whole and cut at every byte, and
 * with each of its first bytes changed.  A crash ends it; TAP says which file
 * it was.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST		(1u << 20)	/* of a file */
#define CUTS		512u		/* at most, of one file */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int files;

/* A copy of its own, so that a sanitizer sees what is read behind its end. */
static void
give(const uint8_t *data, size_t size, long changed)
{
	uint8_t *copy = malloc(size + (size == 0));

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	if (changed >= 0)
		copy[changed] ^= (uint8_t)(1 + changed * 37);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
replay(const char *path)
{
	static uint8_t data[LONGEST];
	FILE *file = fopen(path, "rb");
	size_t size, i;

	if (file == NULL) {
		printf("Bail out! %s cannot be read\n", path);
		exit(1);
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	printf("# %s\n", path);
	fflush(stdout);
	give(data, size, -1);
	for (i = 0; i < size && i < CUTS; i++) {
		give(data, i, -1);
		give(data, size, (long)i);
	}
	printf("ok %d - %s\n", ++files, strrchr(path, '/') + 1);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
replay_all(const char *dir)
{
	struct dirent **entries;
	char path[4096];
	int n = scandir(dir, &entries, NULL, by_name), i;

	for (i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", dir,
				 entries[i]->d_name);
			replay(path);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		replay_all(argv[i]);
	printf("1..%d\n", files);
	return files == 0;
}
