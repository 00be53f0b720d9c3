/* SPDX-License-Identifier: MIT */
/*
 * test_fork_server.c - the promises of kin/context.h about fork servers: what
 * they prepare, and that they may be killed
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

static int
no_entry(kin_call *call)
{
	(void)call;
	return 0;
}

static int prepared;

static int
get_ready(kin_call *call)
{
	(void)call;
	prepared++;
	return 0;
}
KIN_ENTRY(get_ready);

static int
tell_prepared(kin_call *call)
{
	return kin_call_return(call, prepared, (int)getppid());
}
KIN_ENTRY(tell_prepared);

/* One that has just been killed has left its child to us. */
static pid_t
server_of(kin_context *c)
{
	int ready, ppid;
	kin_process *p;

	do {
		ck_kin_ok(kin_process_start(&p, tell_prepared, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .context = c)));
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&ready, &ppid),
					     KIT_PATIENCE));
		kin_process_close(p);
	} while (ppid == getpid());
	return ppid;
}

START_TEST(what_is_prepared_is_there_once_for_all)
{
	int i, ready, ppid, first = 0;
	kin_context *c;
	kin_process *p;

	ck_kin_ok(kin_context_create(&c,
	    KIN_OPTS(kin_context_opts, .prepare = get_ready)));
	for (i = 0; i < 3; i++) {
		ck_kin_ok(kin_process_start(&p, tell_prepared, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .context = c)));
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&ready, &ppid),
					     KIT_PATIENCE));
		kin_process_close(p);
		ck_assert_int_eq(ready, 1);
		ck_assert_int_ne(ppid, getpid());
		ck_assert(first == 0 || first == ppid);
		first = ppid;
	}
	ck_assert_int_eq(prepared, 0);
	kin_context_close(c);
}
END_TEST

static int
fail_to_prepare(kin_call *call)
{
	(void)call;
	return kin_queue_attach(&(kin_queue *){ NULL }, 0);
}
KIN_ENTRY(fail_to_prepare);

static int
die_preparing(kin_call *call)
{
	(void)call;
	raise(SIGKILL);
	return 0;
}
KIN_ENTRY(die_preparing);

static void *
stay(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int
leave_a_thread(kin_call *call)
{
	pthread_t thread;

	(void)call;
	return -pthread_create(&thread, NULL, stay, NULL);
}
KIN_ENTRY(leave_a_thread);

static void
ck_server_fails(int number, kin_entry_fn *prepare, const char *library,
		const char *words)
{
	const char *const libraries[] = { library, NULL };
	kin_process *p = (void *)board;
	kin_context *c;
	int i;

	ck_kin_ok(kin_context_create(&c,
	    KIN_OPTS(kin_context_opts, .prepare = prepare,
		     .libraries = libraries)));
	for (i = 0; i < 2; i++) {
		ck_kin_fails(number, kin_process_start(&p, return_number,
		    KIN_ARGS(i), KIN_OPTS(kin_process_opts, .context = c)));
		ck_assert_msg(strstr(kin_errmsg(), words) != NULL, "%s",
			      kin_errmsg());
		ck_assert_ptr_eq(p, (void *)board);
	}
	kin_context_close(c);
}

START_TEST(a_server_that_cannot_begin_says_why)
{
	ck_server_fails(-EPROTO, fail_to_prepare, NULL, "fork server");
	ck_server_fails(-EOWNERDEAD, die_preparing, NULL, "SIGKILL");
	ck_server_fails(-EBUSY, leave_a_thread, NULL, "thread");
	ck_server_fails(-EINVAL, no_entry, NULL, "KIN_ENTRY");
	ck_server_fails(-ELIBACC, NULL, "/nowhere/libnone.so", "libnone.so");
}
END_TEST

/* Told truly by the kernel that collects it, or not known. */
static void
ck_end_without_server(struct kin_status status, int code)
{
	if (status.how != KIN_UNKNOWN)
		ck_exited(status, code);
}

/* Those that a killed server has left to us, as it would to init. */
static void
collect_orphans(void)
{
	kin_context_close(start_by);
	start_by = NULL;
	await_orphans();
}

static void
kill_server(pid_t server)
{
	ck_assert_int_eq(kill(server, SIGKILL), 0);
}

START_TEST(a_killed_server_leaves_its_children_running)
{
	kin_process *p = start(wait_for_flag, KIN_ARGS());
	kin_process *q;
	int code = 8;

	await_flag(1);
	kill_server(server_of(start_by));
	q = start(return_number, KIN_ARGS(code));
	ck_exited(finish(q), code);
	ck_kin_fails(-ETIMEDOUT, kin_process_join(p, NULL, KIN_NOWAIT));
	ck_assert_int_eq(kin_process_alive(p), 1);
	raise_flag(2);
	while (kin_process_alive(p) == 1)
		sched_yield();
	ck_assert_int_eq(waitpid(kin_process_pid(p), NULL, 0),
			 kin_process_pid(p));
	ck_end_without_server(finish(p), 5);
}
END_TEST

START_TEST(an_end_that_nobody_collects_is_no_hang)
{
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());
	struct kin_status status;

	kill_server(server_of(start_by));
	ck_exited(finish(start(return_number, KIN_ARGS(0))), 0);
	ck_kin_ok(kin_process_kill(p));
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	if (status.how != KIN_UNKNOWN)
		ck_killed(status, SIGKILL);
	kin_process_close(p);
	collect_orphans();
}
END_TEST

START_TEST(a_server_killed_again_and_again_is_replaced)
{
	int i;

	for (i = 0; i < 30; i++) {
		kill_server(server_of(start_by));
		ck_exited(finish(start(return_number, KIN_ARGS(i))), i);
	}
}
END_TEST

static void *
kill_servers(void *arg)
{
	pid_t *server = arg, pid;

	while (!__atomic_load_n(&board->stop, __ATOMIC_RELAXED)) {
		pid = __atomic_exchange_n(server, 0, __ATOMIC_ACQ_REL);
		if (pid != 0)
			kill(pid, SIGKILL);
		sched_yield();
	}
	return NULL;
}

/* A pid is told only by a child of the server, so it is its own or nobody's. */
START_TEST(servers_killed_at_any_time_lose_no_start)
{
	pid_t server = 0;
	pthread_t thread;
	int i;

	signal(SIGCHLD, SIG_IGN);	/* we collect orphans as init would */
	ck_assert_int_eq(pthread_create(&thread, NULL, kill_servers, &server),
			 0);
	for (i = 0; i < 150; i++) {
		kin_process *p = start(return_number, KIN_ARGS(i));
		struct kin_status status;

		if (i % 3 == 0)
			__atomic_store_n(&server, server_of(start_by),
					 __ATOMIC_RELEASE);
		ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
		ck_end_without_server(status, i);
		kin_process_close(p);
	}
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	collect_orphans();
}
END_TEST

START_TEST(a_closed_context_leaves_its_children_running)
{
	kin_process *p;
	kin_context *c;

	ck_kin_ok(kin_context_create(&c, NULL));
	ck_kin_ok(kin_process_start(&p, wait_for_flag, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = c)));
	await_flag(1);
	kin_context_close(c);
	ck_assert_int_eq(kin_process_alive(p), 1);
	raise_flag(2);
	ck_exited(finish(p), 5);
}
END_TEST

START_TEST(a_server_is_no_child_to_be_seen)
{
	struct kin_child child = { 0 };

	ck_exited(finish(start(return_number, KIN_ARGS(0))), 0);
	ck_assert_int_eq(kin_process_children(&child), 0);
}
END_TEST

/* A thousand that nobody joins do not fill what lies between us. */
START_TEST(many_ends_that_nobody_hears_do_not_block_it)
{
	kin_process *crowd[400];
	int i;

	for (i = 0; i < 400; i++)
		crowd[i] = start(return_number, KIN_ARGS(i));
	for (i = 400; i-- > 0; )
		ck_exited(finish(crowd[i]), i);
}
END_TEST

static void
add_servers(Suite *suite)
{
	TCase *tc = context_case(suite, "fork servers",
				 KIN_CONTEXT_FORKSERVER);

	tcase_add_test(tc, what_is_prepared_is_there_once_for_all);
	tcase_add_test(tc, a_server_that_cannot_begin_says_why);
	tcase_add_test(tc, a_killed_server_leaves_its_children_running);
	tcase_add_test(tc, an_end_that_nobody_collects_is_no_hang);
	tcase_add_test(tc, a_server_killed_again_and_again_is_replaced);
	tcase_add_test(tc, servers_killed_at_any_time_lose_no_start);
	tcase_add_test(tc, a_closed_context_leaves_its_children_running);
	tcase_add_test(tc, a_server_is_no_child_to_be_seen);
	tcase_add_test(tc, many_ends_that_nobody_hears_do_not_block_it);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("fork_server");
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	add_servers(suite);
	return kit_run(suite);
}
