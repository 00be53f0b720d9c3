/* SPDX-License-Identifier: MIT */
/*
 * socket.h - sockets, and descriptors that travel over them
 *
 * As os.h, of which it is a part.  Nothing here waits but what says so: sending
 * and receiving never do, whatever the description's own mode, which others
 * may share.
 */
#ifndef KN_SOCKET_H
#define KN_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <kin/time.h>

#define KN_SOCKET_FDS	128u		/* with one call */

int kn_os_socketpair(int fds[2]);	/* Unix, stream */
int kn_os_socket(int domain, int type);
int kn_os_bind(int fd, const struct sockaddr *to, socklen_t len);
int kn_os_listen(int fd, int backlog);
int kn_os_accept(int fd);		/* waits if fd is a blocking one */
int kn_os_connect(int fd, const struct sockaddr *to, socklen_t len);
/* Of a blocking Unix socket: waits for room in the listener's queue. */
int kn_os_connect_until(int fd, const struct sockaddr *to, socklen_t len,
			kin_time until);
int kn_os_shutdown(int fd, int how);
int kn_os_has_peer(int fd);		/* 0; -ENOTCONN, -ENOTSOCK, ... */

/* Bytes that went; -EAGAIN none can now, -EPIPE.  No SIGPIPE. */
ssize_t kn_os_sendmsg(int fd, const struct iovec *v, unsigned n,
		      const int *fds, uint32_t nfds);

/*
 * Bytes that came; 0 at the end, -EAGAIN none now.  Descriptors go to fds, at
 * most KN_SOCKET_FDS, or are refused if that is NULL; *ret_lost: there were
 * some that could not be had.
 */
ssize_t kn_os_recvmsg(int fd, void *buf, size_t len, int *fds,
		      uint32_t *ret_nfds, bool *ret_lost);

/* Options that are one int. */
int kn_os_sockopt(int fd, int level, int name, int *ret);
int kn_os_set_sockopt(int fd, int level, int name, int value);

/* Who connected. */
int kn_os_peer_cred(int fd, struct ucred *ret);
int kn_os_peer_pidfd(int fd);		/* -ENOPROTOOPT before Linux 6.5 */

int kn_os_rename_at(int dir, const char *from, const char *to);
int kn_os_rename_new_at(int dir, const char *from, const char *to); /* -EEXIST */

#endif
