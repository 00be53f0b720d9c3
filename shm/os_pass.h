/* SPDX-License-Identifier: MIT */
/*
 * os_pass.h - descriptors that are left for another process to find
 *
 * Between the two ends of a kn_os_socketpair.  What is put in at one end can
 * be found at the other, even after the process that put it has ended, for as
 * long as that other end is open.  Nothing here waits.
 */
#ifndef KN_OS_PASS_H
#define KN_OS_PASS_H

#define KN_PASS_MAX	140u

/* Once: there is one message, or none. */
int kn_os_pass(int end, const int *fds, unsigned n);

/*
 * Copies of what was passed, which stays there: their number, or -EMFILE and
 * none.  -EPROTO: more than n, or nothing.
 */
int kn_os_passed(int end, int *ret_fds, unsigned n);

/* The same, and then there is no message any more. */
int kn_os_pass_take(int end, int *ret_fds, unsigned n);

#endif
