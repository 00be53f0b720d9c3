/* SPDX-License-Identifier: MIT */
/*
 * loops.h - a loop for a test, on either engine, and things to watch
 */
#ifndef LOOPS_H
#define LOOPS_H

#include "lib/loop.h"
#include "tests/kit.h"

enum { URING, EPOLL, ENGINES };

extern struct kn_loop *loop;

void set_up(int engine);

/* One end of a socket or pipe, and what its callback saw and shall do. */
struct end {
	struct kn_source source;
	int other;
	int calls;
	uint32_t events;
	bool drains;
	void (*then)(struct end *end);
	struct end *victim;
};

void told(void *arg, uint32_t events);	/* the callback: arg is the end */

struct end *new_end(const int fds[2], uint32_t events);
struct end *socket_end(uint32_t events);
struct end *pipe_end(void);
void feed(struct end *end);
void free_end(struct end *end);

void ck_quiet(void);			/* a turn finds nothing */
void ck_called(struct end *end);	/* turns until it was once more */

#endif
