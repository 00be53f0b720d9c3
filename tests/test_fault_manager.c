/* SPDX-License-Identifier: MIT */
/*
 * test_fault_manager.c - every kernel call of a manager's client fails in turn
 *
 * What fails returns an error and leaves nothing, neither here nor in the
 * server; and what is called next works, or says that the connection is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fault.h"
#include "tests/served.h"

#define T	KIT_PATIENCE
#define CALLS	100			/* far more than any has */

static kin_manager *m, *watcher;	/* one is broken, the other looks */
static kin_counter *c;
static kin_dict *d;

/* ---- operations ---- */

static int
op_add(void)
{
	return kin_counter_add(c, 1, NULL, kin_in_ms(2000));
}

static int
op_set(void)
{
	int r = kin_dict_set(d, KIN_V("k"), KIN_V("v"), kin_in_ms(2000));

	return r < 0 ? r : 0;
}

static int
op_create(void)
{
	kin_dict *made;
	int r = kin_dict_create(&made, m, NULL, kin_in_ms(2000));

	if (r == 0)
		kin_dict_close(made);
	return r;
}

static int
op_share(void)
{
	int r = kin_dict_set(d, KIN_V("c"), KIN_V(c), kin_in_ms(2000));

	return r < 0 ? r : 0;
}

static int
op_begin_end(void)
{
	kin_pending *call;
	int r;

	r = kin_proxy_begin(&call, kin_counter_proxy(c), "add", KIN_ARGS(1),
			    kin_in_ms(2000));
	if (r < 0)
		return r;
	r = kin_pending_end(call, KIN_TAKE(), kin_in_ms(2000));
	if (r == -ETIMEDOUT)
		kin_pending_drop(call);
	return r;
}

static const struct {
	const char *name;
	int (*fn)(void);
} ops[] = {
	{ "add", op_add }, { "set", op_set }, { "create", op_create },
	{ "share", op_share }, { "begin, end", op_begin_end },
};

/* Not -EPIPE: who is told so may still have answers to read, and waits. */
static const int numbers[] = { -EIO, -ENOMEM };

/* ---- each in a process of its own, which a broken connection spoils ---- */

/* 0: the k-th call failed and all was well; 1: there is none; else trouble. */
static int
fail_one(size_t op, int k, int number)
{
	struct left before;
	bool failed;
	int r;

	if (kin_manager_connect(&m, kin_manager_address(watcher), T) < 0 ||
	    kin_counter_open(&c, m, "c", T) < 0 ||
	    kin_dict_open(&d, m, "d", T) < 0)
		return 2;
	before = left_now();
	arm(k, number);
	r = ops[op].fn();
	failed = disarm();
	if (!failed)
		return r == 0 ? 1 : 3;
	ck_same(&before, ops[op].name, k);
	r = kin_counter_add(c, 1, NULL, T);
	if (r < 0 && r != -ECONNRESET && r != number)
		return 4;
	kin_counter_close(c);
	kin_dict_close(d);
	kin_manager_close(m);
	return 0;
}

/* The child has a client of its own from the first use on. */
static bool
fail_all(size_t op, int k, int number)
{
	pid_t pid = kit_fork();
	int status = 0;

	if (pid == 0)
		_exit(fail_one(op, k, number));
	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) <= 1,
		      "%s, call %d fails with %d: %#x", ops[op].name, k,
		      number, status);
	return WEXITSTATUS(status) == 0;
}

START_TEST(a_client_s_calls_fail)
{
	kin_counter *named;
	kin_dict *dict;
	size_t op, n;
	int k;

	watcher = serve(0);
	ck_kin_ok(kin_counter_create(&named, watcher, "c", T));
	ck_kin_ok(kin_dict_create(&dict, watcher, "d", T));
	for (op = 0; op < sizeof(ops) / sizeof(ops[0]); op++)
		for (n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
			for (k = 1; k < CALLS; k++)
				if (!fail_all(op, k, numbers[n]))
					break;
			ck_assert_int_gt(k, 2);
			ck_assert_int_lt(k, CALLS);
			await_sessions(watcher, 1);
			ck_assert_uint_eq(counts(watcher).objects, 2);
		}
	kin_counter_close(named);
	kin_dict_close(dict);
	ck_kin_ok(kin_manager_unlink(watcher, "c", T));
	ck_kin_ok(kin_manager_unlink(watcher, "d", T));
	/* What the dead had under way is held for a minute more. */
	unserve(watcher);
}
END_TEST

/* ---- connecting and starting ---- */

START_TEST(connecting_fails)
{
	struct left before;
	kin_manager *other;
	char *address;
	int k, r;

	watcher = serve(0);
	address = strdup(kin_manager_address(watcher));
	before = left_now();
	for (k = 1; k < CALLS; k++) {
		arm(k, k % 2 != 0 ? -EIO : -EMFILE);
		r = kin_manager_connect(&other, address, T);
		if (!disarm())
			break;
		if (r == 0)		/* it can do without */
			kin_manager_close(other);
		ck_same(&before, "connect", k);
	}
	ck_kin_ok(r);
	kin_manager_close(other);
	ck_assert_int_gt(k, 3);
	await_sessions(watcher, 1);
	free(address);
	unserve(watcher);
}
END_TEST

START_TEST(starting_fails)
{
	struct left before = left_now();
	kin_manager *new;
	siginfo_t info;
	int k, r;

	choose_engine(1);
	for (k = 1; k < CALLS; k++) {
		arm(k, k % 2 != 0 ? -EIO : -EMFILE);
		r = kin_manager_start(&new, NULL, T);
		if (!disarm())
			break;
		if (r == 0)
			unserve(new);
		/* A server that was started in vain ends, and is collected. */
		(void)waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
		unserve(serve(1));
		ck_same(&before, "start", k);
	}
	ck_kin_ok(r);
	unserve(new);
	ck_assert_int_gt(k, 5);
}
END_TEST

/* ---- */

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager faults");
	TCase *tc = kit_case(s, "calls");

	tcase_add_test(tc, a_client_s_calls_fail);
	tc = kit_case(s, "connections");
	tcase_add_test(tc, connecting_fails);
	tcase_add_test(tc, starting_fails);
	return s;
}

int
main(void)
{
	return kit_run(make_suite());
}
