/* SPDX-License-Identifier: MIT */
/*
 * test_underway.c - proxies that were passed on and that nobody used: what held
 * their objects for them comes back
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/served.h"

#define T	KIT_PATIENCE

static kin_manager *m;
static kin_counter *n;
static kin_dict *d;

static void
setup(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_counter_create(&n, m, NULL, T));
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
}

static void
teardown(void)
{
	kin_counter_close(n);
	kin_dict_close(d);
	await_objects(m, 0);
	unserve(m);
}

#define ck_underway(count)	ck_assert_uint_eq(counts(m).underway, count)

/* ---- answers ---- */

START_TEST(what_a_dict_gives_comes_back)
{
	kin_counter *same;
	kin_values *v;
	int number;

	setup(_i);
	ck_kin_ok(kin_dict_set(d, KIN_V("n"), KIN_V(n), T));
	ck_kin_ok(kin_dict_get(d, KIN_V("n"), KIN_TAKE(&same), T));
	kin_counter_close(same);
	ck_underway(0);
	ck_kin_fails(-EINVAL, kin_dict_get(d, KIN_V("n"), KIN_TAKE(&number),
					   T));
	ck_underway(0);
	ck_kin_ok(kin_dict_get(d, KIN_V("n"), KIN_TAKE(KIN_ANY), T));
	ck_underway(0);
	ck_kin_ok(kin_dict_get(d, KIN_V("n"), KIN_TAKE(&v), T));
	kin_values_free(v);
	ck_underway(0);
	ck_kin_ok(kin_dict_items(d, &v, T));
	ck_underway(1);
	kin_values_free(v);
	ck_underway(0);
	teardown();
}
END_TEST

START_TEST(what_nobody_waits_for_comes_back)
{
	kin_proxy *p;
	kin_pending *call;

	setup(_i);
	p = kin_dict_proxy(d);
	ck_kin_ok(kin_dict_set(d, KIN_V("n"), KIN_V(n), T));
	ck_kin_ok(kin_proxy_call(p, "get", KIN_ARGS("n"), KIN_TAKE(), T));
	ck_underway(0);
	ck_kin_ok(kin_proxy_begin(&call, p, "get", KIN_ARGS("n"), T));
	kin_pending_drop(call);
	ck_kin_ok(kin_proxy_begin(&call, p, "get", KIN_ARGS("n"), T));
	(void)counts(m);		/* its answer is here with that one */
	kin_pending_drop(call);
	(void)counts(m);
	ck_underway(0);
	teardown();
}
END_TEST

START_TEST(what_was_popped_and_not_used_is_gone)
{
	kin_counter *same;
	kin_values *v;

	setup(_i);
	ck_kin_ok(kin_dict_set(d, KIN_V("n"), KIN_V(n), T));
	kin_counter_close(n);
	ck_kin_ok(kin_dict_pop(d, KIN_V("n"), KIN_TAKE(&same), T));
	ck_assert_uint_eq(counts(m).objects, 2);
	kin_counter_close(same);
	ck_assert_uint_eq(counts(m).objects, 1);

	ck_kin_ok(kin_counter_create(&n, m, NULL, T));
	ck_kin_ok(kin_dict_set(d, KIN_V("n"), KIN_V(n), T));
	kin_counter_close(n);
	ck_kin_ok(kin_dict_pop(d, KIN_V("n"), KIN_TAKE(&v), T));
	ck_kin_ok(kin_values_take(v, &n));
	ck_kin_ok(kin_values_keep(v, n));
	kin_values_free(v);
	ck_kin_ok(kin_counter_add(n, 1, NULL, T));
	teardown();
}
END_TEST

/* ---- values and builders ---- */

START_TEST(what_was_packed_comes_back)
{
	kin_values *v, *part;
	kin_counter *one, *two;

	setup(_i);
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(1, n, n)));
	ck_underway(2);
	kin_values_free(v);
	ck_underway(0);
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(n)));
	ck_kin_ok(kin_values_take(v, &one));
	ck_kin_ok(kin_values_take(v, &two));
	ck_underway(1);
	ck_kin_ok(kin_counter_add(two, 1, NULL, T));
	ck_kin_ok(kin_counter_add(one, 1, NULL, T));
	ck_underway(0);
	kin_values_free(v);
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(n)));
	ck_kin_ok(kin_values_take(v, &part));
	kin_values_free(v);
	ck_underway(1);
	ck_kin_ok(kin_values_take(part, &one));
	ck_kin_ok(kin_counter_add(one, 1, NULL, T));
	kin_values_free(part);
	ck_underway(0);
	teardown();
}
END_TEST

/* A take that fails leaves all as it was: it can be taken once more. */
START_TEST(a_take_that_fails_gives_nothing_back)
{
	kin_values *v, *part;
	kin_counter *same;
	kin_segment *seg;

	setup(_i);
	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
				     .name = "gone", .bytes = 4096)));
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(n, seg)));
	ck_kin_ok(kin_segment_unlink("gone"));
	kin_segment_close(seg);
	kin_counter_close(n);
	ck_kin_fails(-ENOENT, kin_values_take(v, &same, &seg));
	ck_kin_fails(-ENOENT, kin_values_take(v, &part, &seg));
	ck_underway(1);
	ck_kin_ok(kin_values_take(v, &n, KIN_ANY));
	ck_kin_ok(kin_values_keep(v, n));
	kin_values_free(v);
	ck_kin_ok(kin_counter_add(n, 1, NULL, T));
	teardown();
}
END_TEST

START_TEST(what_was_built_comes_back)
{
	kin_builder *b, *outer;

	setup(_i);
	ck_kin_ok(kin_builder_new(&b));
	ck_kin_ok(kin_builder_array(b));
	ck_kin_ok(kin_builder_add(b, n, n));
	ck_underway(2);
	kin_builder_free(b);
	ck_underway(0);
	ck_kin_ok(kin_builder_new(&b));
	ck_kin_ok(kin_builder_add(b, n));
	ck_kin_ok(kin_builder_new(&outer));
	ck_kin_ok(kin_builder_array(outer));
	ck_kin_ok(kin_builder_add(outer, b));
	kin_builder_free(b);
	ck_underway(1);
	ck_kin_fails(-EINVAL, kin_builder_add(outer, n, (char *)NULL));
	kin_builder_free(outer);
	ck_underway(0);
	teardown();
}
END_TEST

/* What holds it goes along, and comes back if the message does not go. */
START_TEST(what_is_passed_on_goes_along)
{
	kin_conn *a, *b;
	kin_values *v, *came;
	kin_builder *builder;
	int i;

	setup(_i);
	ck_kin_ok(kin_pipe(&a, &b, NULL));
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(n)));
	ck_kin_ok(kin_builder_new(&builder));
	ck_kin_ok(kin_builder_add(builder, n));
	kin_counter_close(n);
	ck_kin_fails(-EINVAL, kin_conn_send_values(a,
			KIN_ARGS(v, builder, (char *)NULL), T));
	ck_underway(2);
	for (i = 0; i < 3; i++) {
		ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(v, builder), T));
		kin_values_free(v);
		kin_builder_free(builder);
		ck_underway(2);
		ck_kin_ok(kin_conn_recv_values(b, &came, T));
		ck_kin_ok(kin_builder_new(&builder));
		ck_kin_ok(kin_builder_add(builder, came));
		kin_values_free(came);
		ck_kin_ok(kin_values_pack(&v, KIN_ARGS(1)));
		ck_underway(2);
	}
	kin_values_free(v);
	ck_assert_uint_eq(counts(m).objects, 2);
	kin_builder_free(builder);
	ck_underway(0);
	ck_assert_uint_eq(counts(m).objects, 1);
	n = NULL;
	kin_conn_close(a);
	kin_conn_close(b);
	teardown();
}
END_TEST

START_TEST(what_came_and_was_not_taken_comes_back)
{
	kin_conn *a, *b;
	kin_values *v;
	int number;

	setup(_i);
	ck_kin_ok(kin_pipe(&a, &b, NULL));
	ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(n), T));
	ck_kin_ok(kin_conn_recv_values(b, &v, T));
	ck_kin_fails(-EINVAL, kin_values_take(v, &number));
	ck_underway(1);
	kin_values_free(v);
	ck_underway(0);
	kin_conn_close(a);
	kin_conn_close(b);
	teardown();
}
END_TEST

/* Its bytes may be anywhere by then. */
START_TEST(what_was_stored_stays)
{
	const void *bytes;
	kin_values *v, *again;
	size_t len;

	setup(_i);
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(n)));
	bytes = kin_values_bytes(v, &len);
	kin_counter_close(n);
	ck_kin_ok(kin_values_parse(&again, bytes, len));
	kin_values_free(v);
	ck_kin_ok(kin_values_take(again, &n));
	ck_kin_ok(kin_values_keep(again, n));
	kin_values_free(again);
	ck_kin_ok(kin_counter_add(n, 1, NULL, T));
	ck_underway(0);
	teardown();
}
END_TEST

/* A fork's child has copies, and lets go of nothing but these. */
START_TEST(a_child_gives_back_nothing_of_its_parents)
{
	kin_builder *b;
	kin_counter *same;
	kin_values *v, *held;
	pid_t pid;

	setup(_i);
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(n)));
	ck_kin_ok(kin_values_pack(&held, KIN_ARGS(n)));
	ck_kin_ok(kin_values_take(held, &same));
	ck_kin_ok(kin_builder_new(&b));
	ck_kin_ok(kin_builder_add(b, n));
	pid = kit_fork();
	if (pid == 0) {
		if (kin_counter_add(n, 1, NULL, T) < 0)
			_exit(1);
		kin_values_free(v);
		kin_values_free(held);
		kin_builder_free(b);
		_exit(counts(m).underway == 3 ? 0 : 2);
	}
	kit_reap(pid, 0);
	ck_underway(3);
	kin_values_free(v);
	kin_values_free(held);
	kin_builder_free(b);
	ck_underway(0);
	teardown();
}
END_TEST

/* ---- processes ---- */

static int
sleep_on(kin_call *call)
{
	(void)call;
	pause();
	return 0;
}

static int
use_one(kin_call *call)
{
	kin_counter *one, *two;
	int r;

	r = kin_call_take(call, &one, &two);
	return r < 0 ? r : kin_counter_add(one, 1, NULL, T);
}

START_TEST(children_that_are_killed_leave_nothing)
{
	kin_process *p;
	int i;

	setup(_i);
	for (i = 0; i < 100; i++) {
		ck_kin_ok(kin_process_start(&p, sleep_on, KIN_ARGS(i, n, d),
					    NULL));
		ck_kin_ok(kin_process_signal(p, SIGKILL));
		ck_kin_ok(kin_process_join(p, NULL, T));
		kin_process_close(p);
	}
	ck_underway(0);
	ck_assert_uint_eq(counts(m).objects, 2);
	teardown();
}
END_TEST

START_TEST(what_a_child_has_not_used_comes_back)
{
	struct kin_status status;
	kin_process *p;
	int64_t sum;

	setup(_i);
	ck_kin_ok(kin_process_start(&p, use_one, KIN_ARGS(n, n), NULL));
	ck_kin_ok(kin_process_join(p, &status, T));
	ck_assert_int_eq(status.code, 0);
	kin_process_close(p);
	ck_underway(0);
	ck_kin_ok(kin_counter_get(n, &sum, T));
	ck_assert_int_eq(sum, 1);
	teardown();
}
END_TEST

static int
give_it(kin_call *call)
{
	kin_counter *one;
	int r;

	r = kin_call_take(call, &one);
	return r < 0 ? r : kin_call_return(call, one);
}

START_TEST(a_result_that_nobody_took_comes_back)
{
	kin_process *p;

	setup(_i);
	ck_kin_ok(kin_process_start(&p, give_it, KIN_ARGS(n), NULL));
	ck_kin_ok(kin_process_join(p, NULL, T));
	await_sessions(m, 1);
	ck_underway(1);
	kin_process_close(p);
	ck_underway(0);
	teardown();
}
END_TEST

/* ---- deadlines ---- */

/* A server that is stopped has the caller's time, and no more. */
START_TEST(passing_on_keeps_the_deadline)
{
	kin_time soon, late;
	kin_conn *a, *b;
	kin_queue *q;

	setup(_i);
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
						.bytes = 4096)));
	ck_kin_ok(kin_pipe(&a, &b, NULL));
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGSTOP), 0);
	late = kin_in_ms(4900);
	ck_kin_fails(-ETIMEDOUT, kin_conn_send_values(a, KIN_ARGS(n),
						      KIN_NOWAIT));
	soon = kin_in_ms(50);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put_values(q, KIN_ARGS(n), soon));
	soon = kin_in_ms(50);
	ck_kin_fails(-ETIMEDOUT, kin_dict_set(d, KIN_V(1), KIN_V(n), soon));
	ck_assert_int_lt(kin_now().ns, late.ns);
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGCONT), 0);
	(void)counts(m);
	ck_underway(0);
	kin_conn_close(a);
	kin_conn_close(b);
	kin_queue_close(q);
	teardown();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("underway");
	TCase *tc = kit_case(suite, "answers");

	add_both(tc, what_a_dict_gives_comes_back);
	add_both(tc, what_nobody_waits_for_comes_back);
	add_both(tc, what_was_popped_and_not_used_is_gone);
	tc = kit_case(suite, "values");
	add_both(tc, what_was_packed_comes_back);
	add_both(tc, a_take_that_fails_gives_nothing_back);
	add_both(tc, what_was_built_comes_back);
	add_both(tc, what_is_passed_on_goes_along);
	add_both(tc, what_came_and_was_not_taken_comes_back);
	add_both(tc, what_was_stored_stays);
	add_both(tc, a_child_gives_back_nothing_of_its_parents);
	tc = kit_case(suite, "processes");
	add_both(tc, children_that_are_killed_leave_nothing);
	add_both(tc, what_a_child_has_not_used_comes_back);
	add_both(tc, a_result_that_nobody_took_comes_back);
	tc = kit_case(suite, "deadlines");
	add_both(tc, passing_on_keeps_the_deadline);
	return kit_run(suite);
}
