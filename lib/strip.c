/* SPDX-License-Identifier: MIT */
/*
 * strip.c - a child lets go of what it has only because it was forked
 *
 * A child that serves others for a long time (a manager's server) would keep
 * alive what its parent lets go of: the other ends of connections, pipes,
 * memory of segments.  So it closes every descriptor but the standard three
 * and those of its own call, and unmaps every segment.  No handle that was
 * made before is good in it any more.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/entry.h"
#include "lib/image.h"
#include "lib/process.h"
#include "lib/values.h"
#include "shm/maps.h"
#include "shm/names.h"
#include "shm/os.h"

#define SEGMENT		"/memfd:kin:"	/* as the kernel names them */
#define KEPT_MOST	(2 + 2 * KIN_VALUES_FDS)

static void
close_others(const kin_call *call)
{
	const kin_values *v = call->values;
	int keep[KEPT_MOST];
	unsigned n = 2;
	uint32_t i;

	kn_start_ends(&keep[0], &keep[1]);
	for (i = 0; i < v->nfds; i++)
		keep[n++] = v->fds[i];
	for (i = 0; i < v->nheld && n < KEPT_MOST; i++)
		if (v->held[i].kind == KN_EXT_FD)
			keep[n++] = v->held[i].fd;
	kn_os_close_others(keep, n);
	kn_image_forget();
}

static bool
is_segment(const char *path)
{
	char names[KN_NAMES_PATH_MAX];

	if (strncmp(path, SEGMENT, sizeof(SEGMENT) - 1) == 0)
		return true;
	return kn_names_path(names, sizeof(names)) == 0 &&
	       strncmp(path, names, strlen(names)) == 0 &&
	       path[strlen(names)] == '/';
}

/* One at a time, since what is unmapped changes what is read. */
static bool
unmap_one(void)
{
	struct kn_maps maps;
	struct kn_mapping m;
	bool found = false;

	if (kn_maps_open(&maps, 0) < 0)
		return false;
	while (!found && kn_maps_next(&maps, &m) == 1)
		found = is_segment(m.path);
	kn_maps_close(&maps);
	if (found)
		kn_os_unmap((void *)(uintptr_t)m.begin, m.end - m.begin);
	return found;
}

void
kn_process_strip(const kin_call *call)
{
	close_others(call);
	while (unmap_one())
		continue;
}
