/* SPDX-License-Identifier: MIT */
/*
 * test_fault_options.c - kernel calls fail where a child is made with options,
 * where a family is looked at, and where a parent dies while its child arms
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/board.h"
#include "tests/fault.h"

static char untouched;
#define UNTOUCHED	((void *)&untouched)

static int
seven(kin_call *call)
{
	(void)call;
	return 7;
}

static int
rest(kin_call *call)
{
	while (call != NULL)
		pause();
	return 1;
}

static int
start_with_all(kin_process **ret_p, kin_entry_fn *fn, uint32_t flags)
{
	static const char *const env[] = { "KIN_TEST=1", NULL };
	static const struct kin_limit limit = { 4 /* RLIMIT_CORE */, 0, 0 };
	uint32_t cpu = (uint32_t)sched_getcpu();

	return kin_process_start(ret_p, fn, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = kin_context_fork(),
		     .cwd = "/", .env = env, .in = KIN_STREAM_NULL,
		     .out = KIN_STREAM_PIPE, .err = KIN_STREAM_OUT, .nice = 1,
		     .oom_score = 1, .umask = KIN_UMASK(022), .cpus = &cpu,
		     .ncpus = 1, .limits = &limit, .nlimits = 1,
		     .flags = flags | KIN_PROCESS_SESSION |
			      KIN_PROCESS_GROUP));
}

static void
ck_seven(kin_process *p)
{
	struct kin_status status;

	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert_uint_eq(status.how, KIN_EXITED);
	ck_assert_int_eq(status.code, 7);
	kin_process_close(p);
}

/* All that is asked for, or there is no child: nothing in between. */
START_TEST(a_call_of_the_parent_fails)
{
	struct left before;
	kin_process *p;
	int k, r;

	ck_kin_ok(start_with_all(&p, seven, 0));	/* what stays, is there */
	ck_seven(p);
	before = left_now();
	for (k = 1; k < 200; k++) {
		p = UNTOUCHED;
		arm(k, -EIO);
		r = start_with_all(&p, seven, 0);
		if (!disarm()) {
			ck_kin_ok(r);
			ck_seven(p);
			break;
		}
		if (r == 0)
			ck_seven(p);
		else
			ck_assert_ptr_eq(p, UNTOUCHED);
		ck_same(&before, "a start with options", k);
	}
	ck_assert_int_gt(k, 10);
	ck_assert_int_lt(k, 200);
}
END_TEST

/* In the child, each of the options is a call. */
START_TEST(a_call_of_the_child_fails)
{
	struct left before;
	int k, refused = 0, r;
	kin_process *p;

	ck_kin_ok(start_with_all(&p, seven, 0));
	ck_seven(p);
	before = left_now();
	for (k = 1; k < 60; k++) {
		p = UNTOUCHED;
		arm_others(k, -EIO);
		r = start_with_all(&p, seven, 0);
		kn_os_hook = NULL;
		if (r == 0) {
			ck_seven(p);
			ck_same(&before, "a start with options", k);
			continue;
		}
		ck_assert(r == -EIO || r == -EOWNERDEAD);
		refused += r == -EIO;
		ck_assert_ptr_eq(p, UNTOUCHED);
		ck_same(&before, "a start with options", k);
	}
	ck_assert_int_ge(refused, 9);
}
END_TEST

START_TEST(detaching_fails)
{
	struct left before;
	kin_process *p;
	int k, r;

	ck_kin_ok(start_with_all(&p, seven, KIN_PROCESS_DETACHED));
	ck_seven(p);
	before = left_now();
	for (k = 1; k < 20; k++) {
		ck_kin_ok(start_with_all(&p, rest, 0));
		arm(k, -EIO);
		r = kin_process_detach(p);
		if (!disarm())
			ck_kin_ok(r);
		ck_kin_ok(kin_process_kill(p));
		ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
		kin_process_close(p);
		ck_same(&before, "detach", k);
		if (r == 0)
			break;
	}
	ck_assert_int_gt(k, 1);
	ck_assert_int_lt(k, 20);
}
END_TEST

/* What was found is killed, and the root can be joined. */
START_TEST(kill_tree_fails)
{
	struct left before = left_now();
	kin_process *p;
	int k, r;

	for (k = 1; k < 12; k++) {
		ck_kin_ok(start_with_all(&p, rest, 0));
		arm(k, -EIO);
		r = kin_process_kill_tree(p, KIT_PATIENCE);
		if (disarm() && r < 0)
			ck_assert_int_eq(r, -EIO);
		(void)kin_process_kill(p);
		ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
		kin_process_close(p);
		ck_same(&before, "kill_tree", k);
	}
}
END_TEST

static int
ask_for_parent(kin_call *call)
{
	kin_process *parent;
	int k;

	(void)call;
	for (k = 1; k < 20; k++) {
		arm(k, -EIO);
		parent = kin_process_parent();
		if (!disarm())
			return parent != NULL && k > 1 &&
			       kin_process_alive(parent) == 1 ? 7 : 8;
		/* What could not be known is asked again. */
		if (parent != NULL && kin_process_alive(parent) != 1)
			return 10;
		if (parent != NULL)
			return k > 1 ? 7 : 11;
	}
	return 9;
}

START_TEST(a_parent_that_cannot_be_found)
{
	kin_process *p;

	ck_kin_ok(start_with_all(&p, ask_for_parent, 0));
	ck_seven(p);
}
END_TEST

/* ---- the line of life ---- */

static pid_t parent;
static const char *dies_at;

/* The child comes to that call when its parent has been killed. */
static int
kill_parent(const char *call)
{
	if (getpid() == parent || strcmp(call, dies_at) != 0)
		return 0;
	kill(parent, SIGKILL);
	while (getppid() == parent)
		sched_yield();
	return 0;
}

static int
run_too_long(kin_call *call)
{
	raise_flag(9);
	return rest(call);
}

/* It has a child by then. */
static int
kill_itself(const char *call)
{
	if (getpid() == parent && strcmp(call, dies_at) == 0)
		kill(parent, SIGKILL);
	return 0;
}

static void
ck_child_dies(const char *call, kn_os_hook_fn *hook)
{
	kin_process *p;
	int status;
	pid_t pid;

	dies_at = call;
	pid = kit_fork();
	if (pid == 0) {
		parent = getpid();
		kn_os_hook = hook;
		(void)!kin_process_start(&p, run_too_long, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .cwd = "/",
			     .context = kin_context_fork()));
		for (;;)
			pause();
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	/* It is ours now, and has to end: or this waits for ever. */
	pid = waitpid(-1, &status, 0);
	ck_assert_int_gt(pid, 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_ne(board->flag, 9);
}

/* Before the pipe is armed, and after: at each a parent may be gone. */
START_TEST(a_parent_that_dies_while_its_child_arms)
{
	ck_child_dies("lifeline", kill_parent);
}
END_TEST

START_TEST(a_parent_that_dies_before_it_says_go)
{
	ck_child_dies("pidfd_open", kill_itself);
	ck_child_dies("madvise", kill_itself);
}
END_TEST

START_TEST(a_parent_that_dies_while_its_child_is_set_up)
{
	ck_child_dies("chdir", kill_parent);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("fault_options");
	int r = kin_init(argc, argv);
	TCase *tc;

	if (r < 0)
		return kin_perror("kin_init", r);
	tc = board_case(suite, "calls");
	tcase_add_test(tc, a_call_of_the_parent_fails);
	tcase_add_test(tc, a_call_of_the_child_fails);
	tcase_add_test(tc, detaching_fails);
	tcase_add_test(tc, kill_tree_fails);
	tcase_add_test(tc, a_parent_that_cannot_be_found);

	tc = board_case(suite, "line of life");
	tcase_add_test(tc, a_parent_that_dies_while_its_child_arms);
	tcase_add_test(tc, a_parent_that_dies_before_it_says_go);
	tcase_add_test(tc, a_parent_that_dies_while_its_child_is_set_up);
	return kit_run(suite);
}
