/* SPDX-License-Identifier: MIT */
/*
 * poll_epoll.c - epoll
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/poll.h"
#include "shm/epoll.h"
#include "shm/error.h"
#include "shm/os.h"

#define BATCH	64

struct epoll {
	struct kn_poll poll;
	int fd;
};

static int
epoll_open(struct kn_watches *table, struct kn_poll **ret)
{
	struct epoll *e = malloc(sizeof(*e));

	if (e == NULL)
		return kn_fail(-ENOMEM, "no memory for a loop");
	e->poll = (struct kn_poll){ &kn_poll_epoll, table };
	e->fd = kn_os_epoll();
	if (e->fd < 0) {
		int r = e->fd;

		free(e);
		return kn_fail(r, "epoll: %s", kin_strerror(r));
	}
	*ret = &e->poll;
	return 0;
}

static void
epoll_close(struct kn_poll *poll)
{
	struct epoll *e = (struct epoll *)poll;

	kn_os_close(e->fd);
	free(e);
}

static int
epoll_add(struct kn_poll *poll, int fd)
{
	struct epoll *e = (struct epoll *)poll;
	int r = kn_os_epoll_add(e->fd, fd, poll->table->rows[fd].events,
				kn_tag(poll->table, fd));

	return r < 0 ? kn_fail(r, "descriptor %d cannot be waited for: %s", fd,
			       kin_strerror(r)) : 0;
}

static int
epoll_change(struct kn_poll *poll, int fd)
{
	struct epoll *e = (struct epoll *)poll;
	int r = kn_os_epoll_change(e->fd, fd, poll->table->rows[fd].events,
				   kn_tag(poll->table, fd));

	return r < 0 ? kn_fail(r, "descriptor %d cannot be waited for: %s", fd,
			       kin_strerror(r)) : 0;
}

/* One that its owner has closed too soon is gone already. */
static int
epoll_remove(struct kn_poll *poll, int fd)
{
	struct epoll *e = (struct epoll *)poll;
	int r = kn_os_epoll_remove(e->fd, fd);

	return r == -EBADF || r == -ENOENT ? 0 : r;
}

static int
epoll_wait_for(struct kn_poll *poll, struct kn_told *ret, int cap,
	       kin_time until)
{
	struct epoll *e = (struct epoll *)poll;
	struct epoll_event events[BATCH];
	int i, n;

	n = kn_os_epoll_wait(e->fd, events, cap < BATCH ? cap : BATCH, until);
	if (n < 0)
		return kn_fail(n, "epoll: %s", kin_strerror(n));
	for (i = 0; i < n; i++)
		ret[i] = (struct kn_told){
			events[i].data.u64, events[i].events
		};
	return n;
}

const struct kn_engine kn_poll_epoll = {
	"epoll", epoll_open, epoll_close, epoll_add, epoll_change,
	epoll_remove, epoll_wait_for,
};
