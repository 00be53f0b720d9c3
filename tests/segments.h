/* SPDX-License-Identifier: MIT */
/*
 * segments.h - the segments that tests make, and those that they must not get
 */
#ifndef SEGMENTS_H
#define SEGMENTS_H

#include "shm/segment.h"
#include "tests/kit.h"

/* They work, or the test fails. */
kin_segment *anonymous(uint64_t bytes);
kin_segment *named(const char *name);
kin_segment *attached(const kin_segment *to);

kin_segment *made(const struct kin_segment_opts *opts);

/* May fail. */
int create_named(kin_segment **ret_seg, const char *name);

/* What no call that fails may touch. */
extern char untouched;
#define UNTOUCHED	((kin_segment *)(void *)&untouched)

void ck_make_fails(int number, const struct kin_segment_opts *opts);
void ck_attach_fails(int number, int fd);
void ck_open_fails(int number, const char *name);

/* Where a name is; until the next call. */
const char *name_path(const char *name);

/* In that directory, but for what is hidden. */
int entries(const char *path);

struct kn_header header_of(int fd);
void set_header(int fd, const struct kn_header *header);

/* A child that does that, says so, and waits to be killed. */
pid_t holder(void (*fn)(kin_segment *seg), kin_segment *seg);

/* Does a store there end a process by that signal? */
bool store_ends_by(int signal, void *at);

#define STRANGER	65534		/* some other user */

/* Only the mighty can make another user's things; others are told so. */
bool can_play_strangers(void);

#endif
