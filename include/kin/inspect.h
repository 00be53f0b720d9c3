/* SPDX-License-Identifier: MIT */
/*
 * kin/inspect.h - look at the live segments of this machine
 *
 *      kin_inspection *all;
 *      struct kin_seen_segment seg = { 0 };
 *
 *      r = kin_inspect(&all);
 *      while ((r = kin_inspect_next(all, &seg)) > 0)
 *              printf("%s %s\n", seg.kind, seg.label);
 *      kin_inspect_free(all);
 *
 * An inspection is a picture taken at one time: every segment that some
 * process holds or that has a name, anonymous ones too, found through /proc.
 * Taking it disturbs nobody: nothing is mapped or locked, what is read is
 * copied first, and rubbish is shown as such.
 *
 * Segments in files of their own (kin_segment_opts.path) are not among them:
 * any file might be one.
 *
 * One sees what the kernel lets one see: of other users' processes, nothing
 * (kin_inspect_hidden says how many those are), unless one is root.  Of named
 * segments that nobody holds, one sees one's own.  Two who look at the same
 * time may see each other, as holders.
 *
 * All text is safe to print, whatever is in the segments: valid UTF-8 without
 * control characters.
 *
 * Threads  An inspection belongs to one thread at a time.
 * Fork     It is private memory: the child has a copy.
 */
#ifndef KIN_INSPECT_H
#define KIN_INSPECT_H

#include <stdint.h>
#include <sys/types.h>

#include <kin/error.h>
#include <kin/segment.h>

KIN_BEGIN

typedef struct kin_inspection kin_inspection;

/* Cursors: begin with all zero. */
struct kin_seen_segment {
	uint64_t index;			/* the cursor's own */
	uint64_t device;		/* with inode: which segment it is */
	uint64_t inode;
	uint64_t bytes;			/* the whole of it, header and all */
	uint32_t holders;		/* processes */
	uint32_t flags;			/* KIN_SEEN_... */
	pid_t creator;			/* its pid then, in its pid namespace;
					   0 = unknown */
	uint32_t uid;			/* whose file it is */
	char kind[16];			/* "segment", "queue", or "?" */
	char label[KIN_LABEL_MAX + 1];
	char name[KIN_NAME_MAX + 1];	/* "" = none, or not known here */
	char trouble[96];		/* what is wrong with it; or "" */
	uint64_t reserved[2];
};

#define KIN_SEEN_NAMED	1u		/* it has a name */
#define KIN_SEEN_SEALED	2u		/* it cannot be truncated */

struct kin_seen_holder {
	uint64_t index;			/* the cursor's own */
	pid_t pid;
	uint32_t mapped;		/* 1 if it maps it, 0 if it only has a
					   descriptor */
	uint32_t descriptors;
	uint32_t reserved;
	char command[16];
};

/* A key may come more than once: "member", for each. */
struct kin_seen_fact {
	uint64_t index;			/* the cursor's own */
	char key[32];			/* "messages" */
	char value[160];		/* "12 (840 bytes of 65536)" */
};

/*
 * Take a picture.
 *
 *   -ENOENT  there is no /proc here
 *   -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_inspect(kin_inspection **ret_all);
KIN_API void kin_inspect_free(kin_inspection *all);

/*
 * The next segment, holder of it, fact about it: 1, or 0 at the end.  Of a
 * segment, a copy will do.
 */
KIN_API int kin_inspect_next(const kin_inspection *all,
			     struct kin_seen_segment *seg);
KIN_API int kin_inspect_next_holder(const kin_inspection *all,
				    const struct kin_seen_segment *seg,
				    struct kin_seen_holder *holder);
KIN_API int kin_inspect_next_fact(const kin_inspection *all,
				  const struct kin_seen_segment *seg,
				  struct kin_seen_fact *fact);

/* How many processes would not let us look; kernel threads are not counted. */
KIN_API uint32_t kin_inspect_hidden(const kin_inspection *all);

KIN_END

#endif
