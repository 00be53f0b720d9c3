/* SPDX-License-Identifier: MIT */
/*
 * served.h - a manager's server for a test, on either engine
 */
#ifndef SERVED_H
#define SERVED_H

#include "tests/board.h"

/* On each engine: _i says which. */
#define add_both(tc, test)	tcase_add_loop_test(tc, test, 0, 2)

void choose_engine(int engine);		/* 0 io_uring, 1 epoll */

/* Start one, and stop it; the server ends and is collected. */
kin_manager *serve(int engine);
void unserve(kin_manager *m);

/* What there is now. */
struct kin_manager_counts counts(kin_manager *m);

/*
 * Wait until there are so many; or the test fails, and says what there is.  A
 * server is told of a death, or of a close, in its own time.
 */
void await_objects(kin_manager *m, uint64_t n);
void await_sessions(kin_manager *m, uint64_t n);

/* Of a server that was killed, say: take it off the list of processes. */
void bury(kin_manager *m);

/* Wait until a process that nobody of ours started has gone. */
void await_gone(pid_t pid);

/* The end of a server whose handle was closed, which kin then collects. */
void await_collected(pid_t pid);

#endif
