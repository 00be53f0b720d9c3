/* SPDX-License-Identifier: MIT */
/*
 * kin/proxy.h - call an object's methods by name
 *
 *      int64_t n;
 *
 *      r = kin_proxy_call(kin_counter_proxy(c), "add", KIN_ARGS(5),
 *                         KIN_TAKE(&n), deadline);
 *
 * Every typed call (dict.h, list.h, counter.h) is such a call; the methods and
 * what they take and give stand with the typed ones.
 *
 * Results are taken as kin_values_take does, and are yours: a place that would
 * borrow (const char *, KIN_BIN, KIN_STR, a cursor) is -EINVAL, since there is
 * nothing to borrow from.  Take a char *, or a kin_values *, which holds the one
 * value that was given.  No places at all: whatever is given is ignored.  If
 * what was given does not fit its place, the call has been made all the same.
 *
 * Errors of every call that asks the server:
 *
 *   -ETIMEDOUT   no answer until the deadline.  The request was made or will
 *                be, unless kin_errmsg() says that it was not sent
 *   -ECONNRESET  the server died, or was stopped
 *   -ENOENT      the object is gone: see Fork in manager.h
 *   -EINVAL      an argument that is no value, or not one for this method
 *   -ENOSYS      no such method
 *   -EMSGSIZE    the request is over the server's .max_bytes
 *   -EOPNOTSUPP  a thing with a descriptor cannot live in another process's
 *                object; kin_errmsg() says what to use
 *   -ENOSPC      4096 proxies that this process passed on were not taken yet
 *   -EREMOTEIO   the server failed in a way that is its own
 *   -ENOMEM, -EMFILE  here, or there
 *
 * What the server refuses, kin_errmsg() says in the server's words.
 */
#ifndef KIN_PROXY_H
#define KIN_PROXY_H

#include <kin/error.h>
#include <kin/manager.h>
#include <kin/time.h>
#include <kin/values.h>

KIN_BEGIN

KIN_API KIN_MUST int kin_proxy_call(kin_proxy *p, const char *method,
				    struct kin_args args,
				    struct kin_slots results,
				    kin_time deadline);

/* "dict", "list", "counter"; good until close. */
KIN_API const char *kin_proxy_type(const kin_proxy *p);

/* Another handle of the same object. */
KIN_API KIN_MUST int kin_proxy_open(kin_proxy **ret_p, kin_manager *m,
				    const char *name, kin_time deadline);

/* The object goes when nobody holds it.  NULL is ignored. */
KIN_API void kin_proxy_close(kin_proxy *p);

/*
 * Many calls at once: begin makes a request and does not wait for its answer,
 * end waits.  Requests go out together: at the latest when somebody waits for
 * an answer over that connection, or by kin_proxy_flush.
 */
typedef struct kin_pending kin_pending;

KIN_API KIN_MUST int kin_proxy_begin(kin_pending **ret_call, kin_proxy *p,
				     const char *method, struct kin_args args,
				     kin_time deadline);
KIN_API KIN_MUST int kin_proxy_flush(kin_proxy *p, kin_time deadline);

/*
 * Wait for the answer, and take it.  After -ETIMEDOUT the call is still under
 * way, and can be ended again; after anything else it is freed.
 */
KIN_API KIN_MUST int kin_pending_end(kin_pending *call,
				     struct kin_slots results,
				     kin_time deadline);

/* Its answer is of no interest.  NULL is ignored. */
KIN_API void kin_pending_drop(kin_pending *call);

KIN_END

#endif
