/* SPDX-License-Identifier: MIT */
/*
 * kin/manager.h - a server process that hosts objects
 *
 *      kin_manager *m;
 *      kin_dict *totals;
 *
 *      r = kin_manager_start(&m, NULL, deadline);
 *      r = kin_dict_create(&totals, m, NULL, deadline);
 *      r = kin_process_start(&p, count, KIN_ARGS(totals), NULL);
 *
 *      process          the server            process
 *      kin_dict ──────▶ a dict ◀───────────── kin_dict
 *        a proxy          the object            a proxy
 *
 * Objects (dict.h, list.h, counter.h) live in the server; what a process has
 * of one is a proxy.  Every operation is one request, done whole by the
 * server's only thread, one after the other: each is atomic.
 *
 * An object without a name lives as long as somebody holds a proxy of it, or
 * an object that holds it does.  One with a name lives until it is unlinked
 * and nobody holds it any more.  Objects that hold each other in a ring, or
 * themselves, live until one is taken out of the other, or the server's end.
 *
 * A proxy passed on (an argument of a process, a value over a connection or
 * through a queue, or in another object) connects by itself where it is taken.
 * From the moment it is passed on the object is held for whoever takes it and
 * uses it, as long as the process that passed it on is connected, and a minute
 * after that.  Of those that nobody has used, the latest 65536 of a process
 * are held.
 *
 * The server listens on a Unix socket in a directory that is closed to other
 * users, and speaks to nobody else's processes.
 *
 * Order    One process's calls take effect in the order in which they were
 *          made; what has returned is seen by all calls after it.
 * Threads  Any call from any thread, any number at a time over one connection;
 *          close must be the handle's last.
 * Fork     The child's copy of a handle is good: it makes a connection of its
 *          own at its first use.  What it finds then is what its parent still
 *          holds, or what it was given as an argument: -ENOENT if it is gone.
 * Crash    A client that dies has made each of its calls whole or not at all,
 *          and what it alone held is gone from the server.  When the server
 *          dies its objects are gone: every call is -ECONNRESET from then on.
 *          A server that is stopped makes calls -ETIMEDOUT.
 */
#ifndef KIN_MANAGER_H
#define KIN_MANAGER_H

#include <stdint.h>
#include <sys/types.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/time.h>
#include <kin/values.h>

KIN_BEGIN

typedef struct kin_manager kin_manager;

#define KIN_MANAGER_THREADS	1u	/* start though other threads run here;
					   see KIN_PROCESS_THREADS */

struct kin_manager_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_MANAGER_... */
	const char *name;		/* of its address; NULL = one is made up */
	uint64_t max_bytes;		/* of one request; 0 = 64 MiB */
};

/*
 * Start a server as a child of this process, and connect to it.  It ends with
 * this process; by kin_manager_stop; or, once this handle is closed, when the
 * last other client goes.
 *
 *   -EEXIST  a live server has that name
 *   -EINVAL  a name with '/', control characters, or over 64 bytes
 *   -EBUSY   other threads run here: see KIN_MANAGER_THREADS
 *   -EACCES, -ETIMEDOUT, -EAGAIN, -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_manager_start(kin_manager **ret_m,
				       const struct kin_manager_opts *opts,
				       kin_time deadline);

/*
 * Connect to the server at that address ("unix:/path").
 *
 *   -EINVAL           no such kind of address
 *   -ENOENT           nobody listens there
 *   -EACCES           another user's server, or its directory is open to others
 *   -EPROTO           what listens there is no manager
 *   -EPROTONOSUPPORT  it speaks only other versions
 *   -ETIMEDOUT, -ECONNRESET, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_manager_connect(kin_manager **ret_m,
					 const char *address,
					 kin_time deadline);

/* Where others can connect to; good until close. */
KIN_API const char *kin_manager_address(const kin_manager *m);

/* The server's process id, for people. */
KIN_API pid_t kin_manager_pid(const kin_manager *m);

/* Remove a name: the object goes when nobody holds it.  -ENOENT: none. */
KIN_API KIN_MUST int kin_manager_unlink(kin_manager *m, const char *name,
					kin_time deadline);

struct kin_manager_counts {
	uint64_t objects;		/* that live there now */
	uint64_t names;			/* of them */
	uint64_t sessions;		/* clients that are connected */
	uint64_t underway;		/* proxies passed on and not taken yet */
	uint64_t calls;			/* served so far */
};

KIN_API KIN_MUST int kin_manager_count(kin_manager *m,
				       struct kin_manager_counts *ret,
				       kin_time deadline);

/*
 * End the server, whoever uses it.  Returns when it has gone; every call to its
 * objects is -ECONNRESET from then on.  Any client may.
 */
KIN_API KIN_MUST int kin_manager_stop(kin_manager *m, kin_time deadline);

/* Let go; proxies stay good.  NULL is ignored. */
KIN_API void kin_manager_close(kin_manager *m);

KIN_END

#endif
