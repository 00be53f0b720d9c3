/* SPDX-License-Identifier: MIT */
/*
 * os_socket.c - sockets, through the same door as all kernel calls
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/socket.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

int
kn_os_socketpair(int fds[2])
{
	int own[2];

	RING_THE_BELL("socketpair");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, own) < 0)
		return -errno;
	fds[0] = kn_settled(own[0]);
	fds[1] = kn_settled(own[1]);
	if (fds[0] >= 0 && fds[1] >= 0)
		return 0;
	kn_os_close(fds[0]);
	kn_os_close(fds[1]);
	return fds[0] < 0 ? fds[0] : fds[1];
}

int
kn_os_socket(int domain, int type)
{
	RING_THE_BELL("socket");
	return kn_settled(socket(domain, type | SOCK_CLOEXEC, 0));
}

int
kn_os_bind(int fd, const struct sockaddr *to, socklen_t len)
{
	RING_THE_BELL("bind");
	return kn_result(bind(fd, to, len));
}

int
kn_os_listen(int fd, int backlog)
{
	RING_THE_BELL("listen");
	return kn_result(listen(fd, backlog));
}

int
kn_os_accept(int fd)
{
	int r;

	RING_THE_BELL("accept");
	do
		r = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	while (r < 0 && errno == EINTR);
	return kn_settled(r);
}

int
kn_os_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	int r;

	RING_THE_BELL("connect");
	do
		r = connect(fd, to, len);
	while (r < 0 && errno == EINTR);
	return kn_result(r);
}

/* The time-out is the socket's own; no deadline is none. */
static int
limit_sending(int fd, kin_time until)
{
	int64_t left = until.ns - kin_now().ns;
	struct timeval t = { 0, 0 };

	if (until.ns == KIN_FOREVER.ns)
		left = 0;
	else if (left < 1000)
		left = 1000;
	t.tv_sec = left / 1000000000;
	t.tv_usec = left % 1000000000 / 1000;
	return kn_result(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t,
				    sizeof(t)));
}

int
kn_os_connect_until(int fd, const struct sockaddr *to, socklen_t len,
		    kin_time until)
{
	int r;

	RING_THE_BELL("connect");
	do {
		r = limit_sending(fd, until);
		if (r < 0)
			return r;
		r = kn_result(connect(fd, to, len));
	} while (r == -EINTR);
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

int
kn_os_shutdown(int fd, int how)
{
	RING_THE_BELL("shutdown");
	return kn_result(shutdown(fd, how));
}

int
kn_os_has_peer(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	RING_THE_BELL("getpeername");
	return kn_result(getpeername(fd, (struct sockaddr *)&peer, &len));
}

/* ---- bytes and descriptors ---- */

/* Room for descriptors, aligned as the kernel wants it. */
union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int) * KN_SOCKET_FDS)];
};

static void
attach_fds(struct msghdr *msg, union control *control, const int *fds,
	   uint32_t nfds)
{
	/* The padding behind the last one goes to the kernel too. */
	memset(control, 0, CMSG_SPACE(sizeof(int) * nfds));
	control->head.cmsg_level = SOL_SOCKET;
	control->head.cmsg_type = SCM_RIGHTS;
	control->head.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
	memcpy(CMSG_DATA(&control->head), fds, sizeof(int) * nfds);
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
}

ssize_t
kn_os_sendmsg(int fd, const struct iovec *v, unsigned n, const int *fds,
	      uint32_t nfds)
{
	struct msghdr msg = { .msg_iovlen = n };
	union control control;
	ssize_t r;

	RING_THE_BELL("sendmsg");
	if (n == 1 && nfds == 0) {	/* the same, and faster */
		do
			r = send(fd, v->iov_base, v->iov_len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		while (r < 0 && errno == EINTR);
		return r < 0 ? -errno : r;
	}
	memcpy(&msg.msg_iov, &v, sizeof(v));	/* it only lacks a const */
	if (nfds > 0)
		attach_fds(&msg, &control, fds, nfds);
	do
		r = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/*
 * What came into fds, out of the way of the standard three.  One that cannot
 * be moved is lost.
 */
static uint32_t
detach_fds(struct msghdr *msg, int *fds, bool *ret_lost)
{
	struct cmsghdr *at;
	uint32_t n = 0;
	size_t i, count;
	int fd;

	for (at = CMSG_FIRSTHDR(msg); at != NULL; at = CMSG_NXTHDR(msg, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(at) + i * sizeof(int),
			       sizeof(fd));
			fd = kn_settled(fd);
			if (fd < 0)
				*ret_lost = true;
			else
				fds[n++] = fd;
		}
	}
	return n;
}

ssize_t
kn_os_recvmsg(int fd, void *buf, size_t len, int *fds, uint32_t *ret_nfds,
	      bool *ret_lost)
{
	struct iovec v = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1 };
	union control control;
	ssize_t r;

	RING_THE_BELL("recvmsg");
	if (fds != NULL) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	do
		r = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*ret_nfds = 0;
	*ret_lost = (msg.msg_flags & MSG_CTRUNC) != 0;
	if (fds != NULL && msg.msg_controllen > 0)
		*ret_nfds = detach_fds(&msg, fds, ret_lost);
	return r;
}

/* ---- options ---- */

int
kn_os_sockopt(int fd, int level, int name, int *ret)
{
	socklen_t len = sizeof(*ret);

	RING_THE_BELL("getsockopt");
	return kn_result(getsockopt(fd, level, name, ret, &len));
}

int
kn_os_set_sockopt(int fd, int level, int name, int value)
{
	RING_THE_BELL("setsockopt");
	return kn_result(setsockopt(fd, level, name, &value, sizeof(value)));
}

int
kn_os_peer_cred(int fd, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	RING_THE_BELL("peercred");
	return kn_result(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len));
}

int
kn_os_peer_pidfd(int fd)
{
	socklen_t len = sizeof(int);
	int pidfd;

	RING_THE_BELL("peerpidfd");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0)
		return -errno;
	return kn_settled(pidfd);
}

int
kn_os_rename_at(int dir, const char *from, const char *to)
{
	RING_THE_BELL("rename");
	return kn_result(renameat(dir, from, dir, to));
}

int
kn_os_rename_new_at(int dir, const char *from, const char *to)
{
	RING_THE_BELL("renameat2");
	return kn_result(renameat2(dir, from, dir, to, RENAME_NOREPLACE));
}
