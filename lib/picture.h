/* SPDX-License-Identifier: MIT */
/*
 * picture.h - what an inspection has seen so far
 *
 * Segments are known by device and inode, holders by pid: both may be met many
 * times and in any order, and appear once.  Text is made safe as it comes in.
 */
#ifndef KN_PICTURE_H
#define KN_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <kin/inspect.h>

/* A segment, or a file that may be one. */
struct kn_seen {
	struct kin_seen_segment seg;
	bool ours;			/* to be shown */
	bool read;			/* its contents were looked at */
	struct kin_seen_holder *holders;	/* seg.holders of them */
	size_t holders_cap;
	struct kin_seen_fact *facts;
	size_t facts_n, facts_cap;
};

struct kin_inspection {
	struct kn_seen **seen;
	size_t seen_n, seen_cap;
	uint32_t *table;		/* by device and inode: index + 1 */
	size_t table_size;		/* a power of two */
	uint32_t hidden;
};

/* Calls that can fail return -ENOMEM, and set no sentence. */

/* The one with that identity, new if it was not there. */
int kn_picture_find(struct kin_inspection *all, uint64_t device,
		    uint64_t inode, struct kn_seen **ret_seen);

/* Its holder of that pid.  All calls for one pid come in a row. */
int kn_picture_hold(struct kn_seen *seen, pid_t pid, const char *command,
		    struct kin_seen_holder **ret_holder);

/* A kn_tell_fn; arg is the struct kn_seen. */
int kn_picture_tell(void *arg, const char *key, const char *value);

/* What is wrong with it: the first thing that was said counts. */
void kn_picture_trouble(struct kn_seen *seen, const char *text);

/* No more is coming: put it in order, and forget what is not ours. */
void kn_picture_finish(struct kin_inspection *all);

/* As much of the text as fits, safe to print. */
void kn_picture_text(char *buf, size_t cap, const char *text);

#endif
