/* SPDX-License-Identifier: MIT */
/*
 * test_fault_process.c - kernel calls fail around a process: before its entry
 * runs, and when it is joined
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fault.h"

static char untouched;
#define UNTOUCHED	((void *)&untouched)

static int
seven(kin_call *call)
{
	size_t len;
	const char *bytes = kin_call_bytes(call, &len);

	return len == 1 && bytes[0] == 'b' ? 7 : 8;
}

static int
start_with_faults_in_the_child(kin_process **ret_p, int k)
{
	int r;

	arm_others(k, -EIO);
	r = kin_process_start(ret_p, seven, "b", 1, NULL);
	kn_os_hook = NULL;
	return r;
}

/*
 * Before its entry runs, a child makes kernel calls too.  If one fails, the
 * entry must not run, and the parent must learn of an end: from start or from
 * join, and never hang.
 */
START_TEST(a_child_whose_calls_fail_ends)
{
	struct state before = look();
	int k;

	for (k = 1; k < 20; k++) {
		struct kin_status status = { 0 };
		kin_process *p = UNTOUCHED;
		int r = start_with_faults_in_the_child(&p, k);

		if (r < 0) {
			ck_assert_ptr_eq(p, UNTOUCHED);
			ck_same(&before, "process start", k);
			continue;
		}
		ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
		kin_process_close(p);
		ck_same(&before, "process start", k);
		if (status.how == KIN_EXITED && status.code == 7)
			break;
		/* No value of an entry's, which did not run. */
		ck_assert_uint_eq(status.how, KIN_SIGNALLED);
		ck_assert_int_eq(status.signal, SIGKILL);
	}
	ck_assert_int_gt(k, 1);		/* it has a call that can fail */
	ck_assert_int_lt(k, 20);
}
END_TEST

static pid_t parent;

/* In the child, all fails; the parent does not go on before its end. */
static int
tell_the_dead(const char *call)
{
	siginfo_t info;

	if (getpid() != parent)
		return -EIO;
	if (strcmp(call, "futex_wake") == 0)
		(void)waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
	return 0;
}

static int
start_one_that_dies_at_once(void)
{
	struct kin_status status;
	kin_process *p;
	int r;

	parent = getpid();
	kn_os_hook = tell_the_dead;
	r = kin_process_start(&p, seven, "b", 1, NULL);
	kn_os_hook = NULL;
	if (r < 0)
		return has_child() ? 1 : 0;
	if (kin_process_join(p, &status, KIT_PATIENCE) < 0 ||
	    status.how != KIN_SIGNALLED || status.signal != SIGKILL)
		return 2;
	kin_process_close(p);
	return has_child() ? 3 : 0;
}

/* Whatever kills it before its entry runs. */
START_TEST(a_child_that_dies_at_once_does_not_take_its_parent_along)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(start_one_that_dies_at_once());
	kit_reap(pid, 0);
}
END_TEST

START_TEST(a_join_that_cannot_wait_may_be_tried_again)
{
	struct kin_status status;
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, seven, "b", 1, NULL));
	arm(1, -ENOMEM);
	ck_kin_fails(-ENOMEM, kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert(disarm());
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert_int_eq(status.code, 7);
	kin_process_close(p);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fault_process");
	TCase *tc = kit_case(suite, "a child's calls");

	tcase_add_test(tc, a_child_whose_calls_fail_ends);
	tcase_add_test(tc,
	    a_child_that_dies_at_once_does_not_take_its_parent_along);
	tcase_add_test(tc, a_join_that_cannot_wait_may_be_tried_again);
	return kit_run(suite);
}
