/* SPDX-License-Identifier: MIT */
/*
 * os_epoll.c - epoll, through the same door as all kernel calls
 */
#include <limits.h>
#include <stdbool.h>
#include <time.h>

#include "shm/bell.h"
#include "shm/epoll.h"

int
kn_os_epoll(void)
{
	RING_THE_BELL("epoll_create");
	return kn_settled(epoll_create1(EPOLL_CLOEXEC));
}

static int
control(int epoll, int op, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = tag,
	};

	RING_THE_BELL("epoll_ctl");
	return kn_result(epoll_ctl(epoll, op, fd, &event));
}

int
kn_os_epoll_add(int epoll, int fd, uint32_t events, uint64_t tag)
{
	return control(epoll, EPOLL_CTL_ADD, fd, events, tag);
}

int
kn_os_epoll_change(int epoll, int fd, uint32_t events, uint64_t tag)
{
	return control(epoll, EPOLL_CTL_MOD, fd, events, tag);
}

int
kn_os_epoll_remove(int epoll, int fd)
{
	return control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
}

/* Rounded up: who wakes before the time would look at the clock in vain. */
static int
milliseconds(int64_t ns)
{
	int64_t ms = ns / 1000000 + (ns % 1000000 != 0);

	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/*
 * To the nanosecond where the kernel can (5.11) and the sandbox lets it; there
 * is no need to ask the one that cannot again and again.
 */
static int
wait_ns(int epoll, struct epoll_event *ret, int cap, const int64_t *ns)
{
	static bool coarse;
	struct timespec left;
	int r;

	if (__atomic_load_n(&coarse, __ATOMIC_RELAXED))
		return kn_result(epoll_wait(epoll, ret, cap,
					    ns == NULL ? -1 :
					    milliseconds(*ns)));
	if (ns != NULL)
		left = (struct timespec){ *ns / 1000000000, *ns % 1000000000 };
	r = kn_result(epoll_pwait2(epoll, ret, cap, ns != NULL ? &left : NULL,
				   NULL));
	if (r != -ENOSYS && r != -EPERM)
		return r;
	__atomic_store_n(&coarse, true, __ATOMIC_RELAXED);
	return wait_ns(epoll, ret, cap, ns);
}

int
kn_os_epoll_wait(int epoll, struct epoll_event *ret, int cap, kin_time until)
{
	int r;

	RING_THE_BELL("epoll_wait");
	do {
		int64_t ns = until.ns > 0 ? until.ns - kin_now().ns : 0;

		if (ns < 0)
			ns = 0;
		r = wait_ns(epoll, ret, cap,
			    until.ns == INT64_MAX ? NULL : &ns);
	} while (r == -EINTR);
	return r;
}
