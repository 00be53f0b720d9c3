/* SPDX-License-Identifier: MIT */
/*
 * test_manager_calls.c - names of objects; many calls at once
 */
#include <errno.h>
#include <signal.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/served.h"

#define T	KIT_PATIENCE

static kin_manager *m;

/* ---- names ---- */

START_TEST(a_name_is_taken_once)
{
	kin_counter *c, *again;
	kin_dict *d;
	kin_list *l;
	kin_proxy *p;
	int64_t n;

	m = serve(_i);
	ck_kin_ok(kin_counter_create(&c, m, "hits", T));
	ck_kin_fails(-EEXIST, kin_counter_create(&again, m, "hits", T));
	ck_kin_fails(-EEXIST, kin_dict_create(&d, m, "hits", T));
	ck_kin_fails(-EPROTO, kin_dict_open(&d, m, "hits", T));
	ck_kin_fails(-EPROTO, kin_list_open(&l, m, "hits", T));
	ck_kin_fails(-ENOENT, kin_counter_open(&again, m, "misses", T));
	ck_kin_fails(-ENOENT, kin_proxy_open(&p, m, "misses", T));
	ck_kin_fails(-ENOENT, kin_manager_unlink(m, "misses", T));
	ck_kin_ok(kin_counter_open(&again, m, "hits", T));
	ck_kin_ok(kin_counter_add(again, 3, NULL, T));
	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, 3);
	kin_counter_close(again);
	ck_kin_ok(kin_proxy_open(&p, m, "hits", T));
	ck_assert_str_eq(kin_proxy_type(p), "counter");
	kin_proxy_close(p);
	kin_counter_close(c);
	await_objects(m, 1);
	unserve(m);
}
END_TEST

START_TEST(a_name_keeps_its_object)
{
	kin_counter *c;
	int64_t n;

	m = serve(_i);
	ck_kin_ok(kin_counter_create(&c, m, "hits", T));
	ck_kin_ok(kin_counter_add(c, 3, NULL, T));
	kin_counter_close(c);
	ck_assert_uint_eq(counts(m).objects, 1);
	ck_assert_uint_eq(counts(m).names, 1);
	ck_kin_ok(kin_counter_open(&c, m, "hits", T));
	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, 3);
	ck_kin_ok(kin_manager_unlink(m, "hits", T));
	ck_kin_fails(-ENOENT, kin_manager_unlink(m, "hits", T));
	ck_assert_uint_eq(counts(m).names, 0);
	ck_kin_ok(kin_counter_get(c, &n, T));	/* we hold it */
	ck_assert_uint_eq(counts(m).objects, 1);
	kin_counter_close(c);
	await_objects(m, 0);
	unserve(m);
}
END_TEST

START_TEST(a_name_that_is_none)
{
	char name[300];
	kin_dict *d;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	m = serve(_i);
	ck_kin_fails(-EINVAL, kin_dict_create(&d, m, name, T));
	ck_kin_fails(-EINVAL, kin_dict_create(&d, m, "", T));
	ck_assert_uint_eq(counts(m).objects, 0);
	name[255] = '\0';
	ck_kin_ok(kin_dict_create(&d, m, name, T));
	kin_dict_close(d);
	ck_kin_ok(kin_manager_unlink(m, name, T));
	ck_assert_uint_eq(counts(m).objects, 0);
	unserve(m);
}
END_TEST

START_TEST(an_object_without_a_name_goes_with_its_last_proxy)
{
	kin_dict *d[20];
	int i;

	m = serve(_i);
	for (i = 0; i < 20; i++)
		ck_kin_ok(kin_dict_create(&d[i], m, NULL, T));
	ck_assert_uint_eq(counts(m).objects, 20);
	for (i = 0; i < 20; i++)
		kin_dict_close(d[i]);
	ck_assert_uint_eq(counts(m).objects, 0);
	unserve(m);
}
END_TEST

/* ---- calls that are begun and ended ---- */

static kin_counter *c;
static kin_dict *d;

static void
begin(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_counter_create(&c, m, NULL, T));
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
}

static void
end(void)
{
	kin_counter_close(c);
	kin_dict_close(d);
	await_objects(m, 0);
	unserve(m);
}

static kin_pending *
begin_add(int64_t n)
{
	kin_pending *call;

	ck_kin_ok(kin_proxy_begin(&call, kin_counter_proxy(c), "add",
				  KIN_ARGS(n), T));
	return call;
}

static int64_t
end_add(kin_pending *call)
{
	int64_t sum;

	ck_kin_ok(kin_pending_end(call, KIN_TAKE(&sum), T));
	return sum;
}

START_TEST(sixteen_deep)
{
	kin_pending *calls[16];
	int i, turn;

	begin(_i);
	for (i = 0; i < 16; i++)
		calls[i] = begin_add(1);
	for (turn = 1; turn < 500; turn++)
		for (i = 0; i < 16; i++) {
			ck_fast(end_add(calls[i]) == (turn - 1) * 16 + i + 1);
			calls[i] = begin_add(1);
		}
	for (i = 0; i < 16; i++)
		ck_assert_int_eq(end_add(calls[i]), 499 * 16 + i + 1);
	end();
}
END_TEST

/* Their effects are in the order in which they were begun. */
START_TEST(they_end_in_any_order)
{
	kin_pending *calls[16];
	int i;

	begin(_i);
	for (i = 0; i < 16; i++)
		calls[i] = begin_add(1);
	for (i = 15; i >= 0; i--)
		ck_assert_int_eq(end_add(calls[i]), i + 1);
	end();
}
END_TEST

START_TEST(a_plain_call_comes_after_what_was_begun)
{
	kin_pending *call;
	int64_t n;

	begin(_i);
	call = begin_add(5);
	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(end_add(call), 5);
	end();
}
END_TEST

/* Dropped or not, it is made. */
START_TEST(dropped_calls_are_made)
{
	kin_pending *calls[100];
	int64_t n;
	int i;

	begin(_i);
	for (i = 0; i < 100; i++)
		calls[i] = begin_add(1);
	for (i = 0; i < 100; i += 2)
		kin_pending_drop(calls[i]);
	for (i = 1; i < 100; i += 2)
		ck_assert_int_eq(end_add(calls[i]), i + 1);
	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, 100);
	kin_pending_drop(NULL);
	end();
}
END_TEST

START_TEST(a_flush_sends_what_was_begun)
{
	kin_manager *other;
	kin_counter *seen;
	kin_pending *call;
	kin_time patience = T;
	int64_t n = 0;
	pid_t pid;

	begin(_i);
	kin_counter_close(c);
	ck_kin_ok(kin_counter_create(&c, m, "seen", T));
	call = begin_add(5);
	ck_kin_ok(kin_proxy_flush(kin_counter_proxy(c), T));
	ck_kin_ok(kin_proxy_flush(kin_counter_proxy(c), T));
	/* Another process is asked, since our own call would flush, too. */
	pid = kit_fork();
	if (pid == 0) {
		if (kin_manager_connect(&other, kin_manager_address(m), T) ||
		    kin_counter_open(&seen, other, "seen", T))
			_exit(1);
		while (n != 5 && kin_now().ns < patience.ns)
			if (kin_counter_get(seen, &n, T) < 0)
				_exit(2);
		_exit(n == 5 ? 0 : 3);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(end_add(call), 5);
	ck_kin_ok(kin_manager_unlink(m, "seen", T));
	end();
}
END_TEST

START_TEST(an_answer_may_be_an_error)
{
	kin_pending *call;
	const char *s;
	int64_t n;

	begin(_i);
	ck_kin_ok(kin_proxy_begin(&call, kin_dict_proxy(d), "get",
				  KIN_ARGS("none"), T));
	ck_kin_fails(-ENOENT, kin_pending_end(call, KIN_TAKE(&n), T));
	ck_kin_ok(kin_proxy_begin(&call, kin_dict_proxy(d), "fly", KIN_ARGS(),
				  T));
	ck_kin_fails(-ENOSYS, kin_pending_end(call, KIN_TAKE(), T));
	ck_kin_ok(kin_dict_set(d, KIN_V("s"), KIN_V("text"), T));
	ck_kin_ok(kin_proxy_begin(&call, kin_dict_proxy(d), "get",
				  KIN_ARGS("s"), T));
	ck_kin_fails(-EINVAL, kin_pending_end(call, KIN_TAKE(&s), T));
	ck_kin_ok(kin_proxy_begin(&call, kin_dict_proxy(d), "get",
				  KIN_ARGS("s"), T));
	ck_kin_fails(-EINVAL, kin_pending_end(call, KIN_TAKE(&n), T));
	ck_kin_fails(-EINVAL, kin_proxy_begin(&call, kin_dict_proxy(d), "get",
					      KIN_ARGS((char *)NULL), T));
	end();
}
END_TEST

#define DEEP	10000
#define LONG	((size_t)16 << 10)

/* Far more than sockets hold: neither side may wait for the other. */
START_TEST(ten_thousand_deep_with_long_answers)
{
	static kin_pending *calls[DEEP];
	char *text = calloc(1, LONG + 1), *answer;
	int i;

	begin(_i);
	memset(text, 'x', LONG);
	ck_kin_ok(kin_dict_set(d, KIN_V("k"), KIN_V(text), T));
	for (i = 0; i < DEEP; i++)
		ck_fast(kin_proxy_begin(&calls[i], kin_dict_proxy(d), "get",
					KIN_ARGS("k"), T) == 0);
	for (i = 0; i < DEEP; i++) {
		ck_fast(kin_pending_end(calls[i], KIN_TAKE(&answer), T) == 0);
		ck_fast(strlen(answer) == LONG);
		free(answer);
	}
	free(text);
	end();
}
END_TEST

START_TEST(ten_thousand_deep_with_long_requests)
{
	static kin_pending *calls[DEEP];
	char *text = calloc(1, LONG + 1), *answer;
	int i;

	begin(_i);
	memset(text, 'x', LONG);
	ck_kin_ok(kin_dict_set(d, KIN_V("k"), KIN_V(text), T));
	for (i = 0; i < DEEP; i++)
		ck_fast(kin_proxy_begin(&calls[i], kin_dict_proxy(d),
					"setdefault", KIN_ARGS("k", text), T)
			== 0);
	for (i = 0; i < DEEP; i++) {
		ck_fast(kin_pending_end(calls[i], KIN_TAKE(&answer), T) == 0);
		ck_fast(strlen(answer) == LONG);
		free(answer);
	}
	free(text);
	end();
}
END_TEST

START_TEST(an_answer_that_is_late_can_be_waited_for_again)
{
	kin_pending *call;

	begin(_i);
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGSTOP), 0);
	call = begin_add(5);
	ck_kin_fails(-ETIMEDOUT, kin_pending_end(call, KIN_TAKE(),
						 KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_pending_end(call, KIN_TAKE(),
						 kin_in_ms(30)));
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGCONT), 0);
	ck_assert_int_eq(end_add(call), 5);
	end();
}
END_TEST

/* One that nobody ends is the caller's to drop, whenever. */
START_TEST(a_call_outlives_its_proxy)
{
	kin_pending *call;
	kin_counter *other;

	begin(_i);
	ck_kin_ok(kin_counter_create(&other, m, NULL, T));
	ck_kin_ok(kin_proxy_begin(&call, kin_counter_proxy(other), "add",
				  KIN_ARGS(5), T));
	kin_counter_close(other);
	ck_assert_int_eq(end_add(call), 5);
	end();
}
END_TEST

/* ---- */

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager calls");
	TCase *tc = kit_case(s, "names");

	add_both(tc, a_name_is_taken_once);
	add_both(tc, a_name_keeps_its_object);
	add_both(tc, a_name_that_is_none);
	add_both(tc, an_object_without_a_name_goes_with_its_last_proxy);
	tc = kit_case(s, "pending");
	add_both(tc, sixteen_deep);
	add_both(tc, they_end_in_any_order);
	add_both(tc, a_plain_call_comes_after_what_was_begun);
	add_both(tc, dropped_calls_are_made);
	add_both(tc, a_flush_sends_what_was_begun);
	add_both(tc, an_answer_may_be_an_error);
	add_both(tc, ten_thousand_deep_with_long_answers);
	add_both(tc, ten_thousand_deep_with_long_requests);
	add_both(tc, an_answer_that_is_late_can_be_waited_for_again);
	add_both(tc, a_call_outlives_its_proxy);
	return s;
}

int
main(void)
{
	return kit_run(make_suite());
}
