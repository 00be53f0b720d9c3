/* SPDX-License-Identifier: MIT */
/*
 * maps.c - the lines of /proc/PID/maps, one by one
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "shm/maps.h"
#include "shm/os.h"

int
kn_maps_open(struct kn_maps *maps, pid_t pid)
{
	char path[32] = "/proc/thread-self/maps";

	if (pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps->begin = maps->end = 0;
	maps->fd = kn_os_open(path, O_RDONLY, 0);
	return maps->fd < 0 ? maps->fd : 0;
}

void
kn_maps_close(struct kn_maps *maps)
{
	kn_os_close(maps->fd);
	maps->fd = -1;
}

/* More text behind what is there: a count, 0 at the end of the file. */
static int
fill(struct kn_maps *maps)
{
	ssize_t n;

	memmove(maps->text, maps->text + maps->begin, maps->end - maps->begin);
	maps->end -= maps->begin;
	maps->begin = 0;
	n = kn_os_read(maps->fd, maps->text + maps->end,
		       sizeof(maps->text) - 1 - maps->end);
	if (n > 0)
		maps->end += (size_t)n;
	return (int)n;
}

/*
 * The next line without its newline, in the buffer.  One that is longer than
 * the buffer (a path of thousands of bytes: not ours) is passed over.
 */
static int
next_line(struct kn_maps *maps, char **ret_line)
{
	bool too_long = false;

	for (;;) {
		char *line = maps->text + maps->begin;
		char *newline = memchr(line, '\n', maps->end - maps->begin);
		int r;

		if (newline != NULL) {
			*newline = '\0';
			maps->begin = (size_t)(newline + 1 - maps->text);
			if (!too_long) {
				*ret_line = line;
				return 1;
			}
			too_long = false;
			continue;
		}
		if (maps->begin == 0 && maps->end == sizeof(maps->text) - 1) {
			too_long = true;
			maps->end = 0;
		}
		r = fill(maps);
		if (r <= 0)
			return r;
	}
}

/* 1: *ret is the next mapping of a file; 0: there are no more. */
int
kn_maps_next(struct kn_maps *maps, struct kn_mapping *ret)
{
	char *line;
	int r;

	while ((r = next_line(maps, &line)) > 0) {
		unsigned major, minor;
		uint64_t inode;
		char rights[5];
		int path = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %x:%x %"
			   SCNu64 " %n", &ret->begin, &ret->end, rights,
			   &major, &minor, &inode, &path) < 6 || inode == 0)
			continue;
		ret->device = makedev(major, minor);
		ret->inode = inode;
		ret->writable = rights[1] == 'w' && rights[3] == 's';
		ret->path = path > 0 ? line + path : "";
		return 1;
	}
	return r;
}
