/* SPDX-License-Identifier: MIT */
/*
 * test_manager_processes.c - proxies in other processes: passed on, inherited,
 * and inside other objects
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/served.h"

#define T	KIT_PATIENCE

static kin_manager *m;
static kin_counter *c;

static void
begin(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_counter_create(&c, m, NULL, T));
}

static void
end(void)
{
	kin_counter_close(c);
	await_objects(m, 0);
	ck_assert_uint_eq(counts(m).underway, 0);
	unserve(m);
}

static void
ck_counter_is(int64_t expected)
{
	int64_t n;

	ck_kin_ok(kin_counter_get(c, &n, T));
	ck_assert_int_eq(n, expected);
}

/* ---- as arguments and results ---- */

static int
add_many(kin_call *call)
{
	kin_counter *mine;
	int n, i, r;

	r = kin_call_take(call, &mine, &n);
	for (i = 0; r == 0 && i < n; i++)
		r = kin_counter_add(mine, 1, NULL, T);
	return r;
}
KIN_ENTRY(add_many);

START_TEST(children_add_up)
{
	kin_process *p[4];
	int i;

	begin(_i);
	for (i = 0; i < 4; i++)
		p[i] = start(add_many, KIN_ARGS(c, 500));
	for (i = 0; i < 4; i++)
		ck_exited(finish(p[i]), 0);
	ck_counter_is(2000);
	await_sessions(m, 1);
	ck_assert_uint_eq(counts(m).underway, 0);
	end();
}
END_TEST

static int
add_when_told(kin_call *call)
{
	kin_counter *mine;
	int r = kin_call_take(call, &mine);

	await_flag(1);
	return r < 0 ? r : kin_counter_add(mine, 5, NULL, T);
}

/* It is held for the child, who comes for it when we let go long ago. */
START_TEST(a_parent_may_let_go_at_once)
{
	kin_process *p;

	begin(_i);
	p = start(add_when_told, KIN_ARGS(c));
	kin_counter_close(c);
	ck_assert_uint_eq(counts(m).objects, 1);
	ck_assert_uint_eq(counts(m).underway, 1);
	raise_flag(1);
	ck_exited(finish(p), 0);
	await_objects(m, 0);
	c = NULL;
	end();
}
END_TEST

static int
take_nothing(kin_call *call)
{
	(void)call;
	return 0;
}

/* Nobody can come for it any more. */
START_TEST(what_is_never_taken_is_let_go_of)
{
	begin(_i);
	ck_exited(finish(start(take_nothing, KIN_ARGS(c))), 0);
	ck_assert_uint_eq(counts(m).underway, 0);
	ck_assert_uint_eq(counts(m).objects, 1);
	kin_counter_close(c);
	await_objects(m, 0);
	unserve(m);
}
END_TEST

static int
make_and_return(kin_call *call)
{
	kin_manager *mine;
	kin_counter *made;
	const char *address;
	int r = kin_call_take(call, &address);

	if (r == 0)
		r = kin_manager_connect(&mine, address, T);
	if (r == 0)
		r = kin_counter_create(&made, mine, NULL, T);
	if (r == 0)
		r = kin_counter_set(made, 77, NULL, T);
	return r < 0 ? r : kin_call_return(call, made);
}
KIN_ENTRY(make_and_return);

START_TEST(a_proxy_is_a_process_s_result)
{
	kin_process *p;
	int64_t n;

	begin(_i);
	p = start(make_and_return, KIN_ARGS(kin_manager_address(m)));
	kin_counter_close(c);
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&c), T));
	kin_process_close(p);
	await_sessions(m, 1);
	ck_counter_is(77);
	ck_kin_ok(kin_counter_add(c, 1, &n, T));
	end();
}
END_TEST

/* ---- over connections and through queues ---- */

START_TEST(a_proxy_goes_over_a_connection)
{
	kin_conn *a, *b;
	kin_values *v;
	kin_counter *taken;
	kin_proxy *p;
	kin_dict *d;

	begin(_i);
	ck_kin_ok(kin_pipe(&a, &b, NULL));
	ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(c, "x"), T));
	ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(c), T));
	ck_kin_ok(kin_conn_recv_values(b, &v, T));
	ck_assert_uint_eq(counts(m).underway, 2);
	ck_kin_fails(-EINVAL, kin_values_take(v, &d, KIN_ANY));
	ck_kin_ok(kin_values_take(v, &taken, KIN_ANY));
	ck_kin_ok(kin_counter_add(taken, 3, NULL, T));
	ck_assert_uint_eq(counts(m).underway, 1);
	kin_values_free(v);			/* closes it */
	ck_kin_ok(kin_conn_recv_values(b, &v, T));
	ck_kin_ok(kin_values_take(v, &p));
	ck_assert_str_eq(kin_proxy_type(p), "counter");
	ck_kin_ok(kin_values_keep(v, p));
	kin_values_free(v);
	kin_counter_close(c);
	c = (kin_counter *)NULL;
	ck_kin_ok(kin_proxy_call(p, "add", KIN_ARGS(1), KIN_TAKE(), T));
	kin_proxy_close(p);
	kin_conn_close(a);
	kin_conn_close(b);
	end();
}
END_TEST

static int
add_from_queue(kin_call *call)
{
	kin_counter *mine;
	kin_values *v;
	kin_queue *q;
	int r = kin_call_take(call, &q);

	if (r == 0)
		r = kin_queue_get_values(q, &v, T);
	if (r < 0)
		return r;
	r = kin_values_take(v, &mine);
	if (r == 0)
		r = kin_counter_add(mine, 9, NULL, T);
	kin_values_free(v);
	return r;
}
KIN_ENTRY(add_from_queue);

START_TEST(a_proxy_goes_through_a_queue)
{
	kin_process *p;
	kin_queue *q;

	begin(_i);
	ck_kin_ok(kin_queue_create(&q, NULL));
	p = start(add_from_queue, KIN_ARGS(q));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(c), T));
	ck_exited(finish(p), 0);
	ck_counter_is(9);
	kin_queue_close(q);
	end();
}
END_TEST

/* ---- inside other objects ---- */

START_TEST(an_object_lives_in_a_dict)
{
	kin_counter *inner;
	kin_dict *d;
	int64_t n;

	begin(_i);
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
	ck_kin_ok(kin_counter_create(&inner, m, NULL, T));
	ck_kin_ok(kin_counter_add(inner, 6, NULL, T));
	ck_kin_ok(kin_dict_set(d, KIN_V("in"), KIN_V(inner), T));
	kin_counter_close(inner);
	ck_assert_uint_eq(counts(m).objects, 3);
	ck_assert_uint_eq(counts(m).underway, 0);
	ck_kin_ok(kin_dict_get(d, KIN_V("in"), KIN_TAKE(&inner), T));
	ck_kin_ok(kin_counter_get(inner, &n, T));
	ck_assert_int_eq(n, 6);
	ck_assert_int_eq(kin_dict_remove(d, KIN_V("in"), T), 1);
	ck_assert_uint_eq(counts(m).objects, 3);
	kin_counter_close(inner);
	ck_assert_uint_eq(counts(m).objects, 2);
	kin_dict_close(d);
	end();
}
END_TEST

START_TEST(an_outer_object_takes_its_inner_ones_along)
{
	kin_list *outer, *inner;
	int i;

	begin(_i);
	ck_kin_ok(kin_list_create(&outer, m, NULL, T));
	for (i = 0; i < 10; i++) {	/* a chain of lists */
		ck_kin_ok(kin_list_create(&inner, m, NULL, T));
		ck_kin_ok(kin_list_append(inner, KIN_V(outer), T));
		kin_list_close(outer);
		outer = inner;
	}
	ck_assert_uint_eq(counts(m).objects, 12);
	for (i = 0; i < 5; i++) {
		ck_kin_ok(kin_list_get(outer, 0, KIN_TAKE(&inner), T));
		kin_list_close(outer);
		outer = inner;
		ck_kin_ok(kin_list_len(outer, T));
		ck_assert_uint_eq(counts(m).objects, 12 - i - 1);
	}
	kin_list_close(outer);
	end();
}
END_TEST

/* Not held by the call that failed, nor by what it left under way. */
START_TEST(a_call_that_fails_holds_nothing)
{
	kin_counter *inner;
	kin_dict *d;
	kin_proxy *p;

	begin(_i);
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
	p = kin_dict_proxy(d);
	ck_kin_ok(kin_counter_create(&inner, m, NULL, T));
	ck_kin_fails(-EINVAL, kin_dict_set(d, KIN_NIL, KIN_V(inner), T));
	ck_kin_fails(-EINVAL, kin_dict_add(d, KIN_V(inner), 1, NULL, T));
	ck_kin_fails(-ENOSYS, kin_proxy_call(p, "fly", KIN_ARGS(inner),
					     KIN_TAKE(), T));
	ck_kin_fails(-EINVAL, kin_proxy_call(p, "len", KIN_ARGS(inner),
					     KIN_TAKE(), T));
	kin_counter_close(inner);
	ck_assert_uint_eq(counts(m).underway, 0);
	ck_assert_uint_eq(counts(m).objects, 2);
	kin_dict_close(d);
	end();
}
END_TEST

/* ---- after a fork ---- */

static int
use_inherited(void)
{
	int i;

	for (i = 0; i < 200; i++)
		if (kin_counter_add(c, 1, NULL, T) < 0)
			return 1;
	kin_counter_close(c);
	kin_manager_close(m);
	return 0;
}

START_TEST(inherited_proxies_are_good)
{
	pid_t pids[3];
	int i;

	begin(_i);
	ck_kin_ok(kin_counter_add(c, 1, NULL, T));
	for (i = 0; i < 3; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0)
			_exit(use_inherited());
	}
	for (i = 0; i < 200; i++)
		ck_kin_ok(kin_counter_add(c, 1, NULL, T));
	for (i = 0; i < 3; i++)
		kit_reap(pids[i], 0);
	ck_counter_is(801);
	await_sessions(m, 1);
	end();
}
END_TEST

/* The parent's connection is not touched by what the child does with it. */
START_TEST(a_child_that_closes_what_it_inherits_leaves_it_to_its_parent)
{
	kin_pending *call;
	int64_t n;
	pid_t pid;

	begin(_i);
	ck_kin_ok(kin_proxy_begin(&call, kin_counter_proxy(c), "add",
				  KIN_ARGS(5), T));
	pid = kit_fork();
	if (pid == 0) {
		kin_pending_drop(call);
		kin_counter_close(c);
		kin_manager_close(m);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_assert_uint_eq(counts(m).objects, 1);
	ck_kin_ok(kin_pending_end(call, KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 5);
	end();
}
END_TEST

START_TEST(a_call_under_way_belongs_to_who_made_it)
{
	kin_pending *call;
	int64_t n;
	pid_t pid;

	begin(_i);
	ck_kin_ok(kin_proxy_begin(&call, kin_counter_proxy(c), "add",
				  KIN_ARGS(5), T));
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_pending_end(call, KIN_TAKE(&n), T) == -ESTALE ?
		      kin_counter_get(c, &n, T) < 0 || n > 5 : 2);
	ck_kin_ok(kin_pending_end(call, KIN_TAKE(&n), T));
	ck_assert_int_eq(n, 5);
	kit_reap(pid, 0);
	ck_counter_is(5);
	end();
}
END_TEST

START_TEST(what_its_parent_has_let_go_of_is_gone)
{
	int64_t n;
	pid_t pid;

	begin(_i);
	pid = kit_fork();
	if (pid == 0) {
		await_flag(1);
		_exit(kin_counter_get(c, &n, T) == -ENOENT ? 0 : 1);
	}
	kin_counter_close(c);
	c = NULL;
	await_objects(m, 0);
	raise_flag(1);
	kit_reap(pid, 0);
	end();
}
END_TEST

START_TEST(an_inherited_manager_is_good)
{
	kin_dict *d;
	pid_t pid;

	begin(_i);
	pid = kit_fork();
	if (pid == 0) {
		if (kin_dict_create(&d, m, "child's", T) < 0 ||
		    kin_dict_set(d, KIN_V("k"), KIN_V(1), T) < 0)
			_exit(1);
		kin_dict_close(d);
		kin_manager_close(m);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_kin_ok(kin_dict_open(&d, m, "child's", T));
	ck_assert_int_eq(kin_dict_len(d, T), 1);
	kin_dict_close(d);
	ck_kin_ok(kin_manager_unlink(m, "child's", T));
	end();
}
END_TEST

/* What a fork's child has of it is not what a grandchild has. */
START_TEST(a_grandchild_has_a_session_of_its_own)
{
	pid_t pid, inner;

	begin(_i);
	pid = kit_fork();
	if (pid == 0) {
		if (kin_counter_add(c, 1, NULL, T) < 0)
			_exit(1);
		inner = kit_fork();
		if (inner == 0)
			_exit(use_inherited());
		kit_reap(inner, 0);
		_exit(kin_counter_add(c, 1, NULL, T) < 0);
	}
	kit_reap(pid, 0);
	ck_counter_is(202);
	await_sessions(m, 1);
	end();
}
END_TEST

/* ---- who the server is ---- */

static int
compare_servers(kin_call *call)
{
	kin_counter *mine;
	kin_manager *same;
	const char *address;
	int64_t pid;
	int r = kin_call_take(call, &mine, &address, &pid);

	if (r == 0)
		r = kin_manager_connect(&same, address, T);
	if (r < 0)
		return r;
	if (kin_manager_pid(same) != pid ||
	    strcmp(kin_manager_address(same), address) != 0)
		return 1;
	return kin_counter_add(mine, 1, NULL, T);
}

START_TEST(a_server_that_a_proxy_told_of_can_be_connected_to)
{
	begin(_i);
	ck_exited(finish(start(compare_servers,
			       KIN_ARGS(c, kin_manager_address(m),
					kin_manager_pid(m)))), 0);
	end();
}
END_TEST

static int
hold_a_proxy(kin_call *call)
{
	kin_counter *mine;
	int r = kin_call_take(call, &mine);

	if (r == 0)
		r = kin_counter_add(mine, 1, NULL, T);
	raise_flag(1);
	await_flag(2);
	return r;
}

/* Two servers are two, whatever is known of the one. */
START_TEST(two_servers_in_one_process)
{
	kin_manager *other;
	kin_counter *theirs;
	kin_process *p;
	int64_t n;

	begin(_i);
	other = serve(_i);
	ck_kin_ok(kin_counter_create(&theirs, other, NULL, T));
	p = start(hold_a_proxy, KIN_ARGS(theirs));
	await_flag(1);
	kin_counter_close(theirs);
	ck_assert_uint_eq(counts(other).objects, 1);
	ck_assert_uint_eq(counts(other).sessions, 2);
	ck_assert_uint_eq(counts(m).sessions, 1);
	raise_flag(2);
	ck_exited(finish(p), 0);
	await_objects(other, 0);
	ck_kin_ok(kin_counter_create(&theirs, other, NULL, T));
	ck_kin_fails(-EINVAL, kin_proxy_call(kin_counter_proxy(theirs), "add",
					     KIN_ARGS(c), KIN_TAKE(&n), T));
	kin_counter_close(theirs);
	unserve(other);
	ck_counter_is(0);
	kin_counter_close(c);
	unserve(m);
}
END_TEST

/* ---- */

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager processes");
	TCase *tc = board_case(s, "passed on");

	add_both(tc, children_add_up);
	add_both(tc, a_parent_may_let_go_at_once);
	add_both(tc, what_is_never_taken_is_let_go_of);
	add_both(tc, a_proxy_is_a_process_s_result);
	add_both(tc, a_proxy_goes_over_a_connection);
	add_both(tc, a_proxy_goes_through_a_queue);
	tc = board_case(s, "inside");
	add_both(tc, an_object_lives_in_a_dict);
	add_both(tc, an_outer_object_takes_its_inner_ones_along);
	add_both(tc, a_call_that_fails_holds_nothing);
	tc = board_case(s, "fork");
	add_both(tc, inherited_proxies_are_good);
	add_both(tc, a_child_that_closes_what_it_inherits_leaves_it_to_its_parent);
	add_both(tc, a_call_under_way_belongs_to_who_made_it);
	add_both(tc, what_its_parent_has_let_go_of_is_gone);
	add_both(tc, an_inherited_manager_is_good);
	add_both(tc, a_grandchild_has_a_session_of_its_own);
	tc = board_case(s, "servers");
	add_both(tc, a_server_that_a_proxy_told_of_can_be_connected_to);
	add_both(tc, two_servers_in_one_process);
	return s;
}

int
main(int argc, char **argv)
{
	if (kin_init(argc, argv) < 0)
		return 2;
	return kit_run(make_suite());
}
