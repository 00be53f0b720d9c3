/* SPDX-License-Identifier: MIT */
/*
 * kin/list.h - a list in a manager's server
 *
 * Items are any values but things with descriptors.  An index counts from 0;
 * a negative one from the end: -1 is the last item.  -ERANGE: there is no such
 * item.
 *
 * Errors are those of proxy.h, and what stands at the call.
 */
#ifndef KIN_LIST_H
#define KIN_LIST_H

#include <kin/manager.h>
#include <kin/proxy.h>

KIN_BEGIN

/* As kin_dict_create and kin_dict_open. */
KIN_API KIN_MUST int kin_list_create(kin_list **ret_l, kin_manager *m,
				     const char *name, kin_time deadline);
KIN_API KIN_MUST int kin_list_open(kin_list **ret_l, kin_manager *m,
				   const char *name, kin_time deadline);
KIN_API void kin_list_close(kin_list *l);
KIN_API kin_proxy *kin_list_proxy(kin_list *l);

/* "append"; "extend" by many in one step: at the end. */
KIN_API KIN_MUST int kin_list_append(kin_list *l, struct kin_arg value,
				     kin_time deadline);
KIN_API KIN_MUST int kin_list_extend(kin_list *l, struct kin_args values,
				     kin_time deadline);

/* "insert": before the item at that index; at the length: at the end. */
KIN_API KIN_MUST int kin_list_insert(kin_list *l, int64_t index,
				     struct kin_arg value, kin_time deadline);

/*
 * "get", "set", "pop" (get and remove), "remove".  What is popped is removed
 * also if it then does not fit its place: where its type is not known, take a
 * kin_values *.
 */
KIN_API KIN_MUST int kin_list_get(kin_list *l, int64_t index,
				  struct kin_slots value, kin_time deadline);
KIN_API KIN_MUST int kin_list_set(kin_list *l, int64_t index,
				  struct kin_arg value, kin_time deadline);
KIN_API KIN_MUST int kin_list_pop(kin_list *l, int64_t index,
				  struct kin_slots value, kin_time deadline);
KIN_API KIN_MUST int kin_list_remove(kin_list *l, int64_t index,
				     kin_time deadline);

/* "find": the index of the first item equal to value.  -ENOENT: none is. */
KIN_API KIN_MUST ssize_t kin_list_find(kin_list *l, struct kin_arg value,
				       kin_time deadline);

/*
 * "slice": up to n items from that index on, as one array in values that you
 * free; those that there are, if they are fewer.
 */
KIN_API KIN_MUST int kin_list_slice(kin_list *l, int64_t index, uint64_t n,
				    kin_values **ret_v, kin_time deadline);

/* "len", "clear". */
KIN_API KIN_MUST ssize_t kin_list_len(kin_list *l, kin_time deadline);
KIN_API KIN_MUST int kin_list_clear(kin_list *l, kin_time deadline);

KIN_END

#endif
