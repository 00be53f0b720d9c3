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
	const char *text;
	int r = kin_call_take(call, &text);

	if (r < 0)
		return r;
	r = kin_call_return(call, 49);
	if (r < 0)
		return r;
	return strcmp(text, "b") == 0 ? 7 : 8;
}

static int
start_with_faults_in_the_child(kin_process **ret_p, int k)
{
	int r;

	arm_others(k, -EIO);
	r = kin_process_start(ret_p, seven, KIN_ARGS("b"), NULL);
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
	struct left before = left_now();
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
	r = kin_process_start(&p, seven, KIN_ARGS("b"), NULL);
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

	ck_kin_ok(kin_process_start(&p, seven, KIN_ARGS("b"), NULL));
	arm(1, -ENOMEM);
	ck_kin_fails(-ENOMEM, kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert(disarm());
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert_int_eq(status.code, 7);
	kin_process_close(p);
}
END_TEST

/* ---- with things that go and things that come ---- */

#define LONG	5000u			/* more than a slip has room for */

static const char table[64] = "a table";

static int
exchange(kin_call *call)
{
	const char *text;
	char more[LONG] = "a long result";
	const void *frozen;
	kin_queue *q;
	size_t len;
	int fd, r;

	r = kin_call_take(call, &text, KIN_FD(&fd), &q, KIN_RO(&frozen, &len));
	if (r < 0)
		return r;
	if (len != sizeof(table) || memcmp(frozen, table, len) != 0)
		return -EBADMSG;
	return kin_call_return(call, KIN_BIN(more, sizeof(more)), KIN_FD(fd),
			       q);
}

static int
start_exchange(kin_process **ret_p, kin_queue *q)
{
	return kin_process_start(ret_p, exchange,
				 KIN_ARGS("text", KIN_FD(2), q,
					  KIN_RO(table, sizeof(table))), NULL);
}

static int
take_exchange(kin_process *p)
{
	const void *bytes = UNTOUCHED;
	kin_queue *q = UNTOUCHED;
	size_t len;
	int fd = -77, r;

	r = kin_process_result(p, KIN_TAKE(KIN_BIN(&bytes, &len), KIN_FD(&fd),
					   &q), KIT_PATIENCE);
	if (r < 0) {
		ck_assert_ptr_eq(bytes, UNTOUCHED);
		ck_assert_ptr_eq(q, UNTOUCHED);
		ck_assert_int_eq(fd, -77);
		return r;
	}
	ck_assert_uint_eq(len, LONG);
	ck_assert_str_eq(bytes, "a long result");
	ck_assert_int_gt(fd, 2);
	close(fd);
	kin_queue_close(q);
	return 0;
}

START_TEST(a_start_with_things_fails_whole)
{
	bool struck = true;
	int k, failed = 0;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, NULL));
	for (k = 1; struck; k++) {
		struct left before = left_now();
		kin_process *p = UNTOUCHED;
		int r;

		arm(k, -ENOMEM);
		r = start_exchange(&p, q);
		struck = disarm();
		if (r < 0) {
			failed++;
			ck_assert(struck);
			ck_assert_int_eq(r, -ENOMEM);
			ck_assert_ptr_eq(p, UNTOUCHED);
		} else {
			ck_kin_ok(take_exchange(p));
			kin_process_close(p);
		}
		ck_same(&before, "process start", k);
	}
	ck_assert_int_ge(failed, 6);
	kin_queue_close(q);
}
END_TEST

/* Whatever fails in it, its parent is told how it ended, or has it all. */
START_TEST(a_child_with_things_whose_calls_fail_is_told_of)
{
	int k, whole = 0, killed = 0, failed = 0, lost = 0;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, NULL));
	for (k = 1; k < 60; k++) {
		struct left before = left_now();
		kin_process *p;
		int r;

		arm_others(k, -EIO);
		r = start_exchange(&p, q);
		kn_os_hook = NULL;
		ck_kin_ok(r);
		r = take_exchange(p);
		whole += r == 0;
		killed += r == -EOWNERDEAD;
		failed += r == -EREMOTEIO;
		lost += r == -EIO;
		kin_process_close(p);
		ck_same(&before, "process result", k);
	}
	ck_assert_int_eq(whole + killed + failed + lost, k - 1);
	ck_assert_int_ge(killed, 1);
	ck_assert_int_ge(failed, 5);
	ck_assert_int_eq(lost, 1);
	ck_assert_int_ge(whole, 5);
	kin_queue_close(q);
}
END_TEST

static int kill_at;

static int
kill_at_kth(const char *call)
{
	(void)call;
	if (getpid() != parent && --kill_at == 0)
		raise(SIGKILL);
	return 0;
}

START_TEST(a_child_killed_at_any_call_gives_all_or_nothing)
{
	int k, r = -EOWNERDEAD;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, NULL));
	parent = getpid();
	for (k = 1; r != 0; k++) {
		struct left before = left_now();
		struct kin_status status;
		kin_process *p;

		kill_at = k;
		kn_os_hook = kill_at_kth;
		r = start_exchange(&p, q);
		kn_os_hook = NULL;
		ck_kin_ok(r);
		r = take_exchange(p);
		ck_assert(r == 0 || r == -EOWNERDEAD);
		ck_kin_ok(kin_process_join(p, &status, KIN_NOWAIT));
		ck_assert_uint_eq(status.how, r == 0 ? KIN_EXITED
						     : KIN_SIGNALLED);
		kin_process_close(p);
		ck_same(&before, "process result", k);
	}
	/* Those before the entry, in its taking, and in its giving. */
	ck_assert_int_ge(k, 15);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_result_whose_taking_fails_is_still_there)
{
	struct left before;
	bool struck = true;
	int k, r, failed = 0;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, NULL));
	before = left_now();
	for (k = 1; struck; k++) {
		kin_process *p;

		ck_kin_ok(start_exchange(&p, q));
		ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
		kit_forget();
		arm(k, -ENOMEM);
		r = take_exchange(p);
		struck = disarm();
		if (r < 0) {
			failed++;
			ck_assert(struck);
			ck_assert_int_eq(r, -ENOMEM);
			ck_assert(!kit_forgotten());
			ck_kin_ok(take_exchange(p));
		}
		kin_process_close(p);
		ck_same(&before, "process result", k);
	}
	ck_assert_int_ge(failed, 5);
	kin_queue_close(q);
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
	tcase_add_test(tc, a_start_with_things_fails_whole);
	tcase_add_test(tc, a_child_with_things_whose_calls_fail_is_told_of);
	tcase_add_test(tc, a_child_killed_at_any_call_gives_all_or_nothing);
	tcase_add_test(tc, a_result_whose_taking_fails_is_still_there);
	return kit_run(suite);
}
