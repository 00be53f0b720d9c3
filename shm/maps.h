/* SPDX-License-Identifier: MIT */
/*
 * maps.h - the lines of /proc/PID/maps, one by one
 *
 * Reads at its own pace and allocates nothing.
 */
#ifndef KN_MAPS_H
#define KN_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct kn_maps {
	int fd;
	size_t begin, end;		/* of what is read and not used yet */
	char text[4096];
};

struct kn_mapping {
	uint64_t begin, end;		/* addresses */
	uint64_t device, inode;
	bool writable;			/* and shared: stores reach the file */
	const char *path;		/* until the next call; may be "" */
};

int kn_maps_open(struct kn_maps *maps, pid_t pid);	/* 0 = ourselves */
int kn_maps_next(struct kn_maps *maps, struct kn_mapping *ret);
void kn_maps_close(struct kn_maps *maps);

#endif
