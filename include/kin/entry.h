/* SPDX-License-Identifier: MIT */
/*
 * kin/entry.h - functions that run in processes of their own
 *
 *      static int
 *      greet(kin_call *call)
 *      {
 *              size_t len;
 *              const char *who = kin_call_bytes(call, &len);
 *
 *              printf("hello, %.*s\n", (int)len, who);
 *              return 0;
 *      }
 *      KIN_ENTRY(greet);
 *
 *      int
 *      main(int argc, char **argv)
 *      {
 *              int r = kin_init(argc, argv);
 *              ...
 *
 * An entry is known by its name, so that it can be found in another image of
 * the program.  It returns 0, or a negative errno: the process's status.
 *
 * Threads  kin_init once, from main.  A call belongs to its entry.
 */
#ifndef KIN_ENTRY_H
#define KIN_ENTRY_H

#include <stddef.h>

#include <kin/error.h>

KIN_BEGIN

/* What an entry was called with; good until the entry returns. */
typedef struct kin_call kin_call;

typedef int kin_entry_fn(kin_call *call);

/*
 * To be called at the top of main, before any other kin call but those that
 * only set options.
 *
 *   -EEXIST  two entries of one name; the message names both files
 */
KIN_API KIN_MUST int kin_init(int argc, char **argv);

/* The bytes that were given to kin_process_start; NULL if there were none. */
KIN_API const void *kin_call_bytes(const kin_call *call, size_t *ret_len);

/* Make fn an entry; at file scope, after its declaration. */
#define KIN_ENTRY(fn)							\
	static struct kin_entry kin_entry_of_##fn = {			\
		#fn, __FILE__, fn, 0					\
	};								\
	__attribute__((constructor)) static void			\
	kin_entry_enter_##fn(void)					\
	{								\
		kin_entry_enter(&kin_entry_of_##fn);			\
	}								\
	__attribute__((destructor)) static void				\
	kin_entry_leave_##fn(void)					\
	{								\
		kin_entry_leave(&kin_entry_of_##fn);			\
	}								\
	struct kin_entry

/* Not for users: what KIN_ENTRY writes and calls. */
struct kin_entry {
	const char *name;
	const char *file;
	kin_entry_fn *fn;
	struct kin_entry *next;
};
KIN_API void kin_entry_enter(struct kin_entry *entry);
KIN_API void kin_entry_leave(struct kin_entry *entry);

KIN_END

#endif
