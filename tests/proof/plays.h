/* SPDX-License-Identifier: MIT */
/*
 * plays.h - for each kind one random operation, on what a peer may have spoilt
 *
 * A new kind is a play in a file of its own, and a line in plays.c and
 * meson.build.
 */
#ifndef PLAYS_H
#define PLAYS_H

#include <stdint.h>
#include <sys/types.h>

#include <kin/kin.h>

struct play {
	const char *kind;
	/* A new thing in an anonymous segment of its own; its descriptor. */
	int (*make)(void);
	int (*attach)(void **ret, int fd);
	void (*close)(void *thing);
	/*
	 * One operation, whichever the number says, until the deadline at most;
	 * its answer.  Unlike one, what it says of a length is checked here.
	 */
	long (*one)(void *thing, uint32_t number, kin_time deadline);
	/* What it may say besides, ended by 0: of all kinds are -EUCLEAN,
	 * -ETIMEDOUT, and what attach says. */
	const int *says;
};

extern const struct play play_segment, play_queue, play_lock, play_heap,
			 play_array, play_cell, play_table, play_rwlock,
			 play_cond, play_sem, play_event, play_barrier,
			 play_once;

/* In plays.c; the last one is NULL. */
extern const struct play *const plays[];

int play_dup(int fd);
void play_must(int r);

/* Make, attach and close for kin_NOUN, made with those options. */
#define PLAYED(noun, ...)						\
	static int							\
	make_##noun(void)						\
	{								\
		kin_##noun *thing;					\
		int fd;							\
									\
		play_must(kin_##noun##_create(&thing,			\
		    KIN_OPTS(kin_##noun##_opts, __VA_ARGS__)));		\
		fd = play_dup(kin_##noun##_fd(thing));			\
		kin_##noun##_close(thing);				\
		return fd;						\
	}								\
									\
	static int							\
	attach_##noun(void **ret, int fd)				\
	{								\
		return kin_##noun##_attach((kin_##noun **)ret, fd);	\
	}								\
									\
	static void							\
	close_##noun(void *thing)					\
	{								\
		kin_##noun##_close(thing);				\
	}

/* Take and release; of a lock that another thing has, too. */
long play_one_lock(void *thing, uint32_t number, kin_time deadline);

/* A buffer that all plays may spoil. */
#define PLAY_BYTES	4096u
extern unsigned char play_buf[PLAY_BYTES];

#endif
