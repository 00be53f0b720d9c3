/* SPDX-License-Identifier: MIT */
/*
 * kin/dict.h - a dictionary in a manager's server
 *
 *      r = kin_dict_set(d, KIN_V("apple"), KIN_V(3), deadline);
 *      r = kin_dict_add(d, KIN_V("apple"), 2, &n, deadline);
 *      r = kin_dict_get(d, KIN_V("apple"), KIN_TAKE(&n), deadline);
 *
 * Keys are strings, bytes, integers and bools; values are any values but things
 * with descriptors.  It keeps the order in which keys were first set.
 *
 * Errors are those of proxy.h, and what stands at the call.
 */
#ifndef KIN_DICT_H
#define KIN_DICT_H

#include <kin/manager.h>
#include <kin/proxy.h>

KIN_BEGIN

/*
 * Make an empty one; name may be NULL.  -EEXIST: the name is taken.
 * Open one that has a name.  -ENOENT: none; -EPROTO: it is no dict.
 */
KIN_API KIN_MUST int kin_dict_create(kin_dict **ret_d, kin_manager *m,
				     const char *name, kin_time deadline);
KIN_API KIN_MUST int kin_dict_open(kin_dict **ret_d, kin_manager *m,
				   const char *name, kin_time deadline);
KIN_API void kin_dict_close(kin_dict *d);
KIN_API kin_proxy *kin_dict_proxy(kin_dict *d);

/* "set": 1 if there was a value before, which is gone; else 0. */
KIN_API KIN_MUST int kin_dict_set(kin_dict *d, struct kin_arg key,
				  struct kin_arg value, kin_time deadline);

/* "get": one value.  -ENOENT: no such key. */
KIN_API KIN_MUST int kin_dict_get(kin_dict *d, struct kin_arg key,
				  struct kin_slots value, kin_time deadline);

/* "has": 1 or 0.  "remove": 1, or 0 if there was none. */
KIN_API KIN_MUST int kin_dict_has(kin_dict *d, struct kin_arg key,
				  kin_time deadline);
KIN_API KIN_MUST int kin_dict_remove(kin_dict *d, struct kin_arg key,
				     kin_time deadline);

/*
 * "pop": get and remove in one.  It is removed also if it then does not fit its
 * place: where its type is not known, take a kin_values *.
 */
KIN_API KIN_MUST int kin_dict_pop(kin_dict *d, struct kin_arg key,
				  struct kin_slots value, kin_time deadline);

/* "setdefault": the value that is there, or this one, which is there then. */
KIN_API KIN_MUST int kin_dict_setdefault(kin_dict *d, struct kin_arg key,
					 struct kin_arg value,
					 struct kin_slots ret,
					 kin_time deadline);

/*
 * "add": add to an integer, which is 0 where there is none; ret_sum may be NULL.
 * -EINVAL: there is something else; -ERANGE: the sum does not fit 64 bits.
 */
KIN_API KIN_MUST int kin_dict_add(kin_dict *d, struct kin_arg key, int64_t n,
				  int64_t *ret_sum, kin_time deadline);

/*
 * "add_many": a builder's map of keys to integers, all added in one step, or
 * none of them.  "update": its values are set in the same way.
 */
KIN_API KIN_MUST int kin_dict_add_many(kin_dict *d, const kin_builder *map,
				       kin_time deadline);
KIN_API KIN_MUST int kin_dict_update(kin_dict *d, const kin_builder *map,
				     kin_time deadline);

/* "len". */
KIN_API KIN_MUST ssize_t kin_dict_len(kin_dict *d, kin_time deadline);

/*
 * "keys", "items": one array, or map, of all as they are at one moment, in
 * values that you free:
 *
 *      r = kin_dict_items(d, &v, deadline);
 *      r = kin_values_take(v, &pairs);
 *      while ((r = kin_cursor_next(&pairs, &key, &n)) > 0)
 */
KIN_API KIN_MUST int kin_dict_keys(kin_dict *d, kin_values **ret_v,
				   kin_time deadline);
KIN_API KIN_MUST int kin_dict_items(kin_dict *d, kin_values **ret_v,
				    kin_time deadline);

/* "clear". */
KIN_API KIN_MUST int kin_dict_clear(kin_dict *d, kin_time deadline);

KIN_END

#endif
