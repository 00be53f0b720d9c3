/* SPDX-License-Identifier: MIT */
/*
 * os_pass.c - descriptors that are left for another process to find
 *
 * One message of one byte: it fits into any socket that is empty.
 */
#include <string.h>
#include <sys/socket.h>

#include "shm/bell.h"
#include "shm/os_pass.h"

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(KN_PASS_MAX * sizeof(int))];
};

int
kn_os_pass(int end, const int *fds, unsigned n)
{
	union control control;
	char one = 0;
	struct iovec byte = { &one, 1 };
	struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1 };
	ssize_t sent;

	RING_THE_BELL("sendmsg");
	if (n > KN_PASS_MAX)
		return -EMSGSIZE;
	if (n > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
	}
	do
		sent = sendmsg(end, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* The descriptors in what the kernel wrote, whatever they are. */
static unsigned
unpack(struct msghdr *msg, int *ret_fds)
{
	struct cmsghdr *at = CMSG_FIRSTHDR(msg);
	size_t bytes;

	if (at == NULL || at->cmsg_level != SOL_SOCKET ||
	    at->cmsg_type != SCM_RIGHTS)
		return 0;
	bytes = at->cmsg_len - CMSG_LEN(0);
	memcpy(ret_fds, CMSG_DATA(at), bytes);
	return (unsigned)(bytes / sizeof(int));
}

/* The standard three may be closed here: none of ours takes their place. */
static int
settle(int *fds, unsigned n)
{
	unsigned i;
	int r = 0;

	for (i = 0; i < n; i++) {
		fds[i] = kn_settled(fds[i]);
		if (fds[i] < 0)
			r = fds[i];
	}
	return r;
}

static int
receive(int end, int *ret_fds, unsigned n, int flags)
{
	union control control;
	int fds[KN_PASS_MAX + 1];
	char one;
	struct iovec byte = { &one, 1 };
	struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	unsigned got, i;
	ssize_t came;
	int r;

	RING_THE_BELL("recvmsg");
	do
		came = recvmsg(end, &msg,
			       flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (came < 0 && errno == EINTR);
	if (came < 0)
		return errno == EAGAIN ? -EPROTO : -errno;
	got = came > 0 ? unpack(&msg, fds) : 0;
	r = settle(fds, got);
	/* The kernel gives as many as there is room for, and says no more. */
	if (r == 0 && (msg.msg_flags & MSG_CTRUNC))
		r = -EMFILE;
	if (r == 0 && (came == 0 || got > n))
		r = -EPROTO;
	for (i = 0; i < got && r < 0; i++)
		kn_os_close(fds[i]);
	if (r < 0)
		return r;
	memcpy(ret_fds, fds, got * sizeof(int));
	return (int)got;
}

int
kn_os_passed(int end, int *ret_fds, unsigned n)
{
	return receive(end, ret_fds, n, MSG_PEEK);
}

int
kn_os_pass_take(int end, int *ret_fds, unsigned n)
{
	return receive(end, ret_fds, n, 0);
}
