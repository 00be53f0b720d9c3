/* SPDX-License-Identifier: MIT */
/*
 * poll_uring.c - io_uring
 *
 * Each descriptor has one poll request in the kernel, which ends when it has
 * told something, and is made anew by the call that waits next: one call a
 * turn, and told by level, since a new request looks first.
 *
 * The kernel tells POLLRDHUP unasked.  One request after another for a
 * descriptor whose peer has shut down its side, and of which nothing but that
 * is the case, would each end at once.  Such a descriptor is noisy: its next
 * request stays, and tells only when something happens to it.
 *
 * A request holds the file open.  So remove cancels it in the kernel before
 * it returns, or a socket closed afterwards would stay open for its peer.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/poll.h"
#include "shm/bell.h"
#include "shm/error.h"

#define ENTRIES	64
#define UNHEARD	UINT64_MAX	/* the tag of a cancellation */
#define LAST	0u		/* list ends, since 0 is nobody's place */

struct uring {
	struct kn_poll poll;
	struct io_uring ring;
	uint32_t to_arm;		/* the first one's descriptor, + 1 */
};

/* ---- the kernel's calls ---- */

static int
set_up(unsigned flags, struct io_uring_params *ret)
{
	RING_THE_BELL("io_uring_setup");
	*ret = (struct io_uring_params){ .flags = flags };
	return kn_settled(kn_result(io_uring_setup(ENTRIES, ret)));
}

static int
map_ring(int fd, struct io_uring_params *params, struct io_uring *ret)
{
	RING_THE_BELL("mmap");
	return io_uring_queue_mmap(fd, params, ret);
}

/* What liburing's own making of a ring does besides, in some versions. */
static void
finish_ring(const struct io_uring_params *params, struct io_uring *ring)
{
	unsigned i;

	for (i = 0; i < params->sq_entries; i++)
		ring->sq.array[i] = i;
	ring->features = params->features;
}

/* Submit, and look; waits for nothing. */
static int
enter(struct io_uring *ring)
{
	RING_THE_BELL("io_uring_enter");
	return io_uring_submit_and_get_events(ring);
}

/* Submit, and wait for one completion. */
static int
enter_and_wait(struct io_uring *ring, kin_time until)
{
	struct __kernel_timespec left, *timeout = NULL;
	struct io_uring_cqe *cqe;

	RING_THE_BELL("io_uring_enter");
	if (until.ns != INT64_MAX) {
		int64_t ns = until.ns - kin_now().ns;

		if (ns < 0)
			ns = 0;
		left.tv_sec = ns / 1000000000;
		left.tv_nsec = ns % 1000000000;
		timeout = &left;
	}
	return io_uring_submit_and_wait_timeout(ring, &cqe, 1, timeout, NULL);
}

/* ---- making and closing ---- */

/*
 * Of the flags as many as the kernel knows.  With the first set completions
 * come only when we ask, and never interrupt anybody; with all but the last
 * one word tells whether it is of any use to ask.
 */
static int
set_up_some(struct io_uring_params *ret)
{
	static const unsigned sets[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		    IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
		    IORING_SETUP_CLAMP,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP,
		IORING_SETUP_CLAMP,
	};
	size_t i;
	int fd = -EINVAL;

	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		fd = set_up(sets[i], ret);
		if (fd != -EINVAL)
			break;
	}
	return fd;
}

static int
make_ring(struct io_uring *ret)
{
	const unsigned needed = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP;
	struct io_uring_params params;
	int fd, r;

	fd = set_up_some(&params);
	if (fd < 0)
		return fd;
	r = (params.features & needed) == needed ? map_ring(fd, &params, ret)
						 : -ENOSYS;
	if (r < 0) {
		kn_os_close(fd);
		return r;
	}
	finish_ring(&params, ret);
	return 0;
}

/* No sentence: there is another engine. */
static int
uring_open(struct kn_watches *table, struct kn_poll **ret)
{
	struct uring *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return -ENOMEM;
	r = make_ring(&u->ring);
	if (r < 0) {
		free(u);
		return r;
	}
	u->poll = (struct kn_poll){ &kn_poll_uring, table };
	*ret = &u->poll;
	return 0;
}

/* Unmaps and closes, which is right in a child too. */
static void
uring_close(struct kn_poll *poll)
{
	struct uring *u = (struct uring *)poll;

	io_uring_queue_exit(&u->ring);
	free(u);
}

/* ---- requests ---- */

/* Room for one more; NULL: the kernel does not take those that are there. */
static struct io_uring_sqe *
next_request(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe == NULL && enter(&u->ring) >= 0)
		sqe = io_uring_get_sqe(&u->ring);
	return sqe;
}

static void
list(struct uring *u, int fd)
{
	struct kn_watch *row = &u->poll.table->rows[fd];

	if (row->listed || row->armed)
		return;
	row->listed = true;
	row->next = u->to_arm;
	u->to_arm = (uint32_t)fd + 1;
}

static int
arm_all(struct uring *u)
{
	struct kn_watches *table = u->poll.table;

	while (u->to_arm != LAST) {
		int fd = (int)u->to_arm - 1;
		struct kn_watch *row = &table->rows[fd];
		struct io_uring_sqe *sqe = NULL;

		if (row->source != NULL) {
			sqe = next_request(u);
			if (sqe == NULL)
				return -EBUSY;
		}
		u->to_arm = row->next;
		row->listed = false;
		if (sqe == NULL)
			continue;
		if (row->noisy)
			io_uring_prep_poll_multishot(sqe, fd, row->events);
		else
			io_uring_prep_poll_add(sqe, fd, row->events);
		io_uring_sqe_set_data64(sqe, kn_tag(table, fd));
		row->armed = true;
	}
	return 0;
}

/* What the present request still tells is of no interest. */
static int
disarm(struct uring *u, int fd)
{
	struct kn_watch *row = &u->poll.table->rows[fd];
	struct io_uring_sqe *sqe = next_request(u);

	if (sqe == NULL)
		return -EBUSY;
	io_uring_prep_poll_remove(sqe, kn_tag(u->poll.table, fd));
	io_uring_sqe_set_data64(sqe, UNHEARD);
	row->armed = false;
	row->generation++;
	return 0;
}

/* ---- descriptors ---- */

/* What epoll would refuse is refused here, and at once. */
static int
uring_add(struct kn_poll *poll, int fd)
{
	struct uring *u = (struct uring *)poll;
	struct stat st;
	int r = kn_os_stat(fd, &st);

	if (r == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		r = -EPERM;
	if (r < 0)
		return kn_fail(r, "descriptor %d cannot be waited for: %s", fd,
			       kin_strerror(r));
	poll->table->rows[fd].noisy = false;
	list(u, fd);
	return 0;
}

static int
uring_change(struct kn_poll *poll, int fd)
{
	struct uring *u = (struct uring *)poll;
	struct kn_watch *row = &poll->table->rows[fd];
	int r = row->armed ? disarm(u, fd) : 0;

	row->noisy = false;
	list(u, fd);
	return r;
}

static int
uring_remove(struct kn_poll *poll, int fd)
{
	struct uring *u = (struct uring *)poll;
	int r;

	if (!poll->table->rows[fd].armed)
		return 0;
	r = disarm(u, fd);
	if (r < 0)
		return r;
	do
		r = enter(&u->ring);
	while (r == -EINTR);
	return r;
}

/* ---- waiting ---- */

/* One completion.  1: it is something to tell; 0: it is not; or -errno. */
static int
hear(struct uring *u, const struct io_uring_cqe *cqe, struct kn_told *ret)
{
	struct kn_watches *table = u->poll.table;
	struct kn_watch *row = kn_watch_of(table, cqe->user_data);
	int fd = (int)(uint32_t)cqe->user_data;
	uint32_t events;
	int r = 0;

	if (row == NULL)
		return 0;
	if (!(cqe->flags & IORING_CQE_F_MORE))
		row->armed = false;
	/* Closed too soon by its owner, it is silent, as with epoll. */
	if (cqe->res < 0 && cqe->res != -ECANCELED)
		return cqe->res == -EBADF ? 0 : cqe->res;
	events = cqe->res > 0 ? kn_asked(row, (uint32_t)cqe->res) : 0;
	row->noisy = events == 0 && cqe->res > 0;
	if (events != 0 && row->armed)
		r = disarm(u, fd);
	list(u, fd);
	*ret = (struct kn_told){ kn_tag(table, fd), events };
	return r < 0 ? r : events != 0;
}

static int
harvest(struct uring *u, struct kn_told *ret, int cap)
{
	struct io_uring_cqe *cqe;
	int n = 0, r = 0;

	while (n < cap && r >= 0 && io_uring_cq_ready(&u->ring) != 0) {
		if (io_uring_peek_cqe(&u->ring, &cqe) < 0)
			break;
		r = hear(u, cqe, &ret[n]);
		io_uring_cqe_seen(&u->ring, cqe);
		n += r > 0;
	}
	return r < 0 ? r : n;
}

/*
 * Completions that lie there are taken before any wait.  But the kernel must
 * be asked, or who always finds some would never hear of the others.
 */
static int
look_or_wait(struct uring *u, kin_time until)
{
	const unsigned more = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
	unsigned flags = __atomic_load_n(u->ring.sq.kflags, __ATOMIC_ACQUIRE);

	if (io_uring_cq_ready(&u->ring) == 0 && until.ns > 0)
		return enter_and_wait(&u->ring, until);
	if (io_uring_sq_ready(&u->ring) == 0 && !(flags & more))
		return 0;
	return enter(&u->ring);
}

static int
uring_wait(struct kn_poll *poll, struct kn_told *ret, int cap, kin_time until)
{
	struct uring *u = (struct uring *)poll;
	int r;

	r = arm_all(u);
	if (r < 0)
		return r;
	r = look_or_wait(u, until);
	if (r < 0 && r != -EINTR && r != -ETIME)
		return r;
	return harvest(u, ret, cap);
}

const struct kn_engine kn_poll_uring = {
	"io_uring", uring_open, uring_close, uring_add, uring_change,
	uring_remove, uring_wait,
};
