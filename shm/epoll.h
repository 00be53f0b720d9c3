/* SPDX-License-Identifier: MIT */
/*
 * epoll.h - epoll, through the same door as all kernel calls
 */
#ifndef KN_EPOLL_H
#define KN_EPOLL_H

#include <stdint.h>
#include <sys/epoll.h>

#include <kin/time.h>

int kn_os_epoll(void);
int kn_os_epoll_add(int epoll, int fd, uint32_t events, uint64_t tag);
int kn_os_epoll_change(int epoll, int fd, uint32_t events, uint64_t tag);
int kn_os_epoll_remove(int epoll, int fd);

/* How many; 0: nothing until then.  Signals do not end it. */
int kn_os_epoll_wait(int epoll, struct epoll_event *ret, int cap,
		     kin_time until);

#endif
