/* SPDX-License-Identifier: MIT */
/*
 * kin/entry.h - functions that run in processes of their own
 *
 *      static int
 *      greet(kin_call *call)
 *      {
 *              const char *who;
 *              int r = kin_call_take(call, &who);
 *
 *              if (r < 0)
 *                      return r;
 *              printf("hello, %s\n", who);
 *              return kin_call_return(call, 42);
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
 * the program.  It returns 0, or a negative errno: the process's status.  What
 * it gives to kin_call_return is read by kin_process_result.
 *
 * Threads  kin_init once, from main.  A call belongs to its entry.
 */
#ifndef KIN_ENTRY_H
#define KIN_ENTRY_H

#include <stddef.h>

#include <kin/error.h>
#include <kin/values.h>

KIN_BEGIN

/* What an entry was called with; good until the entry returns. */
typedef struct kin_call kin_call;

typedef int kin_entry_fn(kin_call *call);

/*
 * To be called at the top of main, before any other kin call but those that
 * only set options.  In a process that was started by spawn, and in a fork
 * server, it does not return: the entry runs from here.
 *
 *   -EEXIST  two entries of one name; the message names both files
 */
KIN_API KIN_MUST int kin_init(int argc, char **argv);

/*
 * Take the arguments into as many places, all or nothing; errors as
 * kin_values_take, and -EINVAL says which argument it was.
 */
#define kin_call_take(call, ...)					\
	kin_values_take_all(kin_call_values(call), KIN_TAKE(__VA_ARGS__))

/* The arguments as they came; good until the entry returns. */
KIN_API kin_values *kin_call_values(kin_call *call);

/*
 * Give these values to the caller, when the entry has returned, and not if it
 * returns a negative number; a second time replaces what was given before.
 * Returns 0, so that an entry can end with return kin_call_return(call, n * 2);
 * or why they cannot be given.
 */
#define kin_call_return(call, ...)					\
	kin_call_return_all(call, KIN_ARGS(__VA_ARGS__))
KIN_API int kin_call_return_all(kin_call *call, struct kin_args results);

/* What was taken outlives the call; as kin_values_keep. */
KIN_API int kin_call_keep(kin_call *call, const void *thing);
KIN_API int kin_call_keep_fd(kin_call *call, int fd);

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
