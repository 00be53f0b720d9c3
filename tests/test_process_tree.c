/* SPDX-License-Identifier: MIT */
/*
 * test_process_tree.c - a process is killed with all that come from it
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

/* All processes of a test hold the write end: when it closes, all are gone. */
static int held[2];

static void
hold(void)
{
	ck_assert_int_eq(pipe(held), 0);
}

/* Those whose parents have ended are ours. */
static void
collect_orphans(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	ck_assert_int_eq(errno, ECHILD);
}

static void
ck_all_gone(void)
{
	struct pollfd end = { .fd = held[0], .events = POLLIN };

	close(held[1]);
	ck_assert_msg(poll(&end, 1, 60000) == 1, "somebody lives on");
	close(held[0]);
	collect_orphans();
}

static void __attribute__((noreturn))
rest(void)
{
	for (;;)
		pause();
}

/* Two of each kind on each level: kin's and the application's own. */
static int
spread(kin_call *call)
{
	int depth, i;
	kin_process *p;

	if (kin_call_take(call, &depth) < 0)
		return 1;
	__atomic_fetch_add(&board->calls, 1, __ATOMIC_RELAXED);
	for (depth--, i = 0; depth >= 0 && i < 2; i++) {
		if (kin_process_start(&p, spread, KIN_ARGS(depth),
		    KIN_OPTS(kin_process_opts,
			     .context = kin_context_fork())) < 0)
			return 2;
		if (fork() == 0) {
			__atomic_fetch_add(&board->calls, 1, __ATOMIC_RELAXED);
			rest();
		}
	}
	return wait_to_be_killed(call);
}

START_TEST(a_tree)
{
	struct kin_status status;
	kin_process *p;
	int depth = 3;

	hold();
	ck_kin_ok(kin_process_start(&p, spread, KIN_ARGS(depth),
	    KIN_OPTS(kin_process_opts, .context = kin_context_fork())));
	while (__atomic_load_n(&board->calls, __ATOMIC_RELAXED) < 15 + 14)
		sched_yield();
	ck_kin_ok(kin_process_kill_tree(p, KIT_PATIENCE));
	status = finish(p);
	ck_killed(status, SIGKILL);
	ck_assert_uint_eq(status.by_us, 1);
	ck_all_gone();
}
END_TEST

/* As fast as it can; each of them does, too, and goes after a while. */
static void __attribute__((noreturn))
go_on_forking(int depth)
{
	int i;

	for (i = 0; i < 300 || depth == 0; i++) {
		pid_t pid = fork();

		if (pid == 0 && depth < 3)
			go_on_forking(depth + 1);
		if (pid == 0)
			_exit(0);
		__atomic_fetch_add(&board->calls, 1, __ATOMIC_RELAXED);
		if (pid > 0 && (depth > 0 || i % 4 != 0))
			waitpid(pid, NULL, 0);
		else
			while (waitpid(-1, NULL, WNOHANG) > 0)
				continue;
	}
	_exit(0);
}

static int
start_forking(kin_call *call)
{
	(void)call;
	go_on_forking(0);
}

START_TEST(a_tree_that_goes_on_forking)
{
	kin_process *p;
	int i;

	for (i = 0; i < 10; i++) {
		__atomic_store_n(&board->calls, 0, __ATOMIC_RELAXED);
		hold();
		ck_kin_ok(kin_process_start(&p, start_forking, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .context = kin_context_fork())));
		while (__atomic_load_n(&board->calls, __ATOMIC_RELAXED) < 50)
			sched_yield();
		ck_kin_ok(kin_process_kill_tree(p, KIT_PATIENCE));
		ck_killed(finish(p), SIGKILL);
		ck_all_gone();
	}
}
END_TEST

/* With a child of its own fork server's, which it has told of. */
static int
have_served_child(kin_call *call)
{
	kin_process *p;

	if (kin_process_start(&p, wait_to_be_killed, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts,
		     .context = kin_context_forkserver())) < 0)
		return 1;
	board->pids[0] = kin_process_pid(p);
	raise_flag(1);
	return wait_to_be_killed(call);
}
KIN_ENTRY(have_served_child);

START_TEST(children_of_fork_servers)
{
	struct pollfd end = { .events = POLLIN };
	kin_context *c;
	kin_process *p;

	ck_kin_ok(kin_context_create(&c, KIN_OPTS(kin_context_opts,
	    .kind = KIN_CONTEXT_FORKSERVER)));
	ck_kin_ok(kin_process_start(&p, have_served_child, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = c)));
	await_flag(1);
	end.fd = (int)syscall(SYS_pidfd_open, board->pids[0], 0);
	ck_assert_int_ge(end.fd, 0);
	ck_kin_ok(kin_process_kill_tree(p, KIT_PATIENCE));
	ck_killed(finish(p), SIGKILL);
	ck_assert_int_eq(poll(&end, 1, 60000), 1);
	close(end.fd);
	kin_context_close(c);
	collect_orphans();
}
END_TEST

START_TEST(a_leaf_and_no_neighbour)
{
	kin_process *other = start(wait_to_be_killed, KIN_ARGS());
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());

	ck_kin_ok(kin_process_kill_tree(p, KIT_PATIENCE));
	ck_killed(finish(p), SIGKILL);
	ck_assert_int_eq(kin_process_alive(other), 1);
	ck_kin_ok(kin_process_kill(other));
	ck_killed(finish(other), SIGKILL);
}
END_TEST

START_TEST(one_that_was_stopped)
{
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());

	ck_kin_ok(kin_process_signal(p, SIGSTOP));
	ck_kin_ok(kin_process_kill_tree(p, KIT_PATIENCE));
	ck_killed(finish(p), SIGKILL);
}
END_TEST

START_TEST(one_that_has_ended)
{
	int zero = 0;
	kin_process *p = start(return_number, KIN_ARGS(zero));

	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	ck_kin_fails(-ESRCH, kin_process_kill_tree(p, KIT_PATIENCE));
	kin_process_close(p);
	ck_kin_fails(-EINVAL, kin_process_kill_tree(kin_process_self(),
						    KIN_FOREVER));
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_tree");
	int r = kin_init(argc, argv);
	TCase *tc;

	if (r < 0)
		return kin_perror("kin_init", r);
	tc = board_case(suite, "tree");
	tcase_add_test(tc, a_tree);
	tcase_add_test(tc, a_tree_that_goes_on_forking);
	tcase_add_test(tc, children_of_fork_servers);
	tcase_add_test(tc, a_leaf_and_no_neighbour);
	tcase_add_test(tc, one_that_was_stopped);
	tcase_add_test(tc, one_that_has_ended);
	return kit_run(suite);
}
