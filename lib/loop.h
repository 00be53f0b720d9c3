/* SPDX-License-Identifier: MIT */
/*
 * loop.h - wait for many things at once, in one thread
 *
 * Sources are descriptors (sockets, pipes, pidfds) and timers.  Underneath is
 * io_uring, or epoll where that is refused (or KIN_IO=epoll says so): the
 * promises are the same.
 *
 * A descriptor's source is told by level, as poll does: it is called again as
 * long as what it waits for is the case.  A callback may change, remove and
 * free any source, its own too: none is called after it was removed.  What is
 * told may be over by then, if somebody else was faster: so descriptors should
 * not block.
 *
 * A hang-up is told unasked and by level, too.  Who has no more use for a
 * descriptor that has hung up removes it, or is called in each turn.
 *
 * Threads  One thread at a time; to another than its maker io_uring refuses
 *          itself, and the loop goes on with epoll.
 * Fork     The loop is of no use in a child, and free there only closes: the
 *          child leaves its parent's alone.
 */
#ifndef KN_LOOP_H
#define KN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <kin/time.h>

struct kn_loop;

/* events: POLLIN, POLLOUT; POLLERR and POLLHUP are told unasked. */
struct kn_source {
	int fd;				/* the caller's; open until removed */
	uint32_t events;
	void (*fn)(void *arg, uint32_t events);
	void *arg;
	void *inside;			/* the loop's */
};

struct kn_timer {
	kin_time at;
	void (*fn)(void *arg);		/* once; may start it again */
	void *arg;
	uint32_t place;			/* in the heap, from 1; 0 = stopped */
};

int kn_loop_new(struct kn_loop **ret);
void kn_loop_free(struct kn_loop *loop);
/* "io_uring" or "epoll" */
const char *kn_loop_engine(const struct kn_loop *loop);

/* -EEXIST: one source a descriptor; -EPERM: a file, which is always ready. */
int kn_loop_add(struct kn_loop *loop, struct kn_source *source);
int kn_loop_change(struct kn_loop *loop, struct kn_source *source,
		   uint32_t events);	/* 0: errors and hang-ups only */
void kn_loop_remove(struct kn_loop *loop, struct kn_source *source);

int kn_timer_start(struct kn_loop *loop, struct kn_timer *timer, kin_time at);
void kn_timer_stop(struct kn_loop *loop, struct kn_timer *timer);

/*
 * Wait until something is ready, a timer is due or the deadline is over; call
 * what is ready.  Returns how many were called; 0 the deadline is over.  Signals
 * do not end it.  Before it sleeps it looks again and again for spin_ns, if
 * there is more than one CPU to run on.
 */
int kn_loop_turn(struct kn_loop *loop, kin_time deadline);
void kn_loop_spin(struct kn_loop *loop, int64_t spin_ns);

#endif
