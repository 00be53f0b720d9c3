/* SPDX-License-Identifier: MIT */
/*
 * poll.h - what the loop's two engines share
 *
 * What is watched stands in the loop's table, in the row with the number of
 * the descriptor.  An engine is given, and tells, tags: the number, and the
 * row's generation, which is another one for each source.  So what an engine
 * tells late, of a source that is gone, is seen to be late, whatever has
 * become of the source and the number.
 *
 * An engine that fails, at whatever, is left for the other one; so it need
 * not be tidy when it does.
 */
#ifndef KN_POLL_H
#define KN_POLL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kin/time.h>

struct kn_source;

struct kn_watch {
	struct kn_source *source;	/* NULL: not watched */
	uint32_t events;
	uint32_t generation;

	/* io_uring's own; all zero for a new engine. */
	uint32_t next;			/* of those to arm; 0 = the last */
	bool armed;			/* a request of this generation is in
					   the kernel */
	bool listed;			/* among those to arm */
	bool noisy;			/* see poll_uring.c */
};

struct kn_watches {
	struct kn_watch *rows;		/* moves when it grows */
	uint32_t n;
};

struct kn_told {
	uint64_t tag;
	uint32_t events;
};

struct kn_poll {
	const struct kn_engine *engine;
	struct kn_watches *table;
};

/*
 * Add and change read the row that the loop has filled in; remove comes
 * before the loop clears it, and after it the kernel holds nothing of the
 * descriptor.  Wait tells up to cap, by level; 0 may come early.
 */
struct kn_engine {
	const char *name;
	int (*open)(struct kn_watches *table, struct kn_poll **ret);
	void (*close)(struct kn_poll *poll);
	int (*add)(struct kn_poll *poll, int fd);
	int (*change)(struct kn_poll *poll, int fd);
	int (*remove)(struct kn_poll *poll, int fd);
	int (*wait)(struct kn_poll *poll, struct kn_told *ret, int cap,
		    kin_time until);
};

extern const struct kn_engine kn_poll_uring;
extern const struct kn_engine kn_poll_epoll;

static inline uint64_t
kn_tag(const struct kn_watches *table, int fd)
{
	return (uint64_t)table->rows[fd].generation << 32 | (uint32_t)fd;
}

/* The row that a tag means; NULL: it is gone. */
static inline struct kn_watch *
kn_watch_of(const struct kn_watches *table, uint64_t tag)
{
	uint32_t fd = (uint32_t)tag;
	struct kn_watch *row;

	if (fd >= table->n)
		return NULL;
	row = &table->rows[fd];
	return row->source != NULL && row->generation == tag >> 32 ? row
								    : NULL;
}

/* What of what there is was asked for. */
static inline uint32_t
kn_asked(const struct kn_watch *row, uint32_t events)
{
	return events & (row->events | POLLERR | POLLHUP);
}

#endif
