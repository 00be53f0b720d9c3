/* SPDX-License-Identifier: MIT */
/*
 * kin/counter.h - an integer of 64 bits in a manager's server
 *
 * Errors are those of proxy.h, and what stands at the call.
 */
#ifndef KIN_COUNTER_H
#define KIN_COUNTER_H

#include <kin/manager.h>
#include <kin/proxy.h>

KIN_BEGIN

/* As kin_dict_create and kin_dict_open; it begins at 0. */
KIN_API KIN_MUST int kin_counter_create(kin_counter **ret_c, kin_manager *m,
					const char *name, kin_time deadline);
KIN_API KIN_MUST int kin_counter_open(kin_counter **ret_c, kin_manager *m,
				      const char *name, kin_time deadline);
KIN_API void kin_counter_close(kin_counter *c);
KIN_API kin_proxy *kin_counter_proxy(kin_counter *c);

/* "add": ret_sum may be NULL.  -ERANGE: it would not fit; it stays. */
KIN_API KIN_MUST int kin_counter_add(kin_counter *c, int64_t n,
				     int64_t *ret_sum, kin_time deadline);

/* "get"; "set": ret_old may be NULL. */
KIN_API KIN_MUST int kin_counter_get(kin_counter *c, int64_t *ret,
				     kin_time deadline);
KIN_API KIN_MUST int kin_counter_set(kin_counter *c, int64_t n,
				     int64_t *ret_old, kin_time deadline);

/*
 * "swap": to n, if it is old: 1; else 0, and it stays.  ret_was may be NULL.
 */
KIN_API KIN_MUST int kin_counter_swap(kin_counter *c, int64_t old, int64_t n,
				      int64_t *ret_was, kin_time deadline);

KIN_END

#endif
