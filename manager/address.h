/* SPDX-License-Identifier: MIT */
/*
 * address.h - where servers listen
 *
 * A server's socket is a file in the directory of names, ".manager-NAME",
 * which appears there when it already listens: whoever finds it can connect,
 * or it is dead.
 */
#ifndef KN_ADDRESS_H
#define KN_ADDRESS_H

#include <stddef.h>

#include <kin/time.h>

#define KN_ADDRESS_MAX	400u		/* bytes of an address, with its zero */
#define KN_MANAGER_NAME	64u		/* bytes of a name, at most */

/*
 * A socket that listens under that name, or under one that is made up: its
 * descriptor (which does not wait), and its address.  -EEXIST: taken by one
 * that lives.
 */
int kn_address_listen(const char *name, kin_time deadline, char *ret_address);

/* A connected socket; the other side is our own user's. */
int kn_address_connect(const char *address, kin_time deadline);

/* Remove the file; for a server that ends. */
void kn_address_remove(const char *address);

#endif
