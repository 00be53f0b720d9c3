/* SPDX-License-Identifier: MIT */
/*
 * test_manager_death.c - servers and clients that stop, end or are killed
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/served.h"

#define T	KIT_PATIENCE

static kin_manager *m;
static kin_counter *c;
static kin_dict *d;
static kin_list *l;

static void
begin(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_counter_create(&c, m, NULL, T));
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
	ck_kin_ok(kin_list_create(&l, m, NULL, T));
}

static void
close_all(void)
{
	kin_counter_close(c);
	kin_dict_close(d);
	kin_list_close(l);
}

static void
end(void)
{
	close_all();
	await_objects(m, 0);
	unserve(m);
}

static void
signal_server(int signal)
{
	ck_assert_int_eq(kill(kin_manager_pid(m), signal), 0);
}

/* Every call fails so, and whatever it gives stays as it was. */
static void
ck_all_fail(int number, kin_time deadline)
{
	struct kin_manager_counts k;
	kin_counter *new_c = NULL;
	kin_values *v = NULL;
	kin_proxy *p = NULL;
	kin_dict *new_d = NULL;
	kin_list *new_l = NULL;
	kin_builder *map;
	int64_t n = 7;

	ck_kin_ok(kin_builder_new(&map));
	kin_builder_map(map);
	kin_builder_add(map, "a", 1);
	kin_builder_end(map);
	ck_kin_fails(number, kin_counter_add(c, 1, &n, deadline));
	ck_kin_fails(number, kin_counter_get(c, &n, deadline));
	ck_kin_fails(number, kin_counter_set(c, 1, &n, deadline));
	ck_kin_fails(number, kin_counter_swap(c, 1, 2, &n, deadline));
	ck_kin_fails(number, kin_dict_set(d, KIN_V(1), KIN_V(1), deadline));
	ck_kin_fails(number, kin_dict_get(d, KIN_V(1), KIN_TAKE(&n),
					  deadline));
	ck_kin_fails(number, kin_dict_has(d, KIN_V(1), deadline));
	ck_kin_fails(number, kin_dict_remove(d, KIN_V(1), deadline));
	ck_kin_fails(number, kin_dict_pop(d, KIN_V(1), KIN_TAKE(&n),
					  deadline));
	ck_kin_fails(number, kin_dict_setdefault(d, KIN_V(1), KIN_V(1),
						 KIN_TAKE(&n), deadline));
	ck_kin_fails(number, kin_dict_add(d, KIN_V(1), 1, &n, deadline));
	ck_kin_fails(number, kin_dict_add_many(d, map, deadline));
	ck_kin_fails(number, kin_dict_update(d, map, deadline));
	ck_kin_fails(number, kin_dict_len(d, deadline));
	ck_kin_fails(number, kin_dict_keys(d, &v, deadline));
	ck_kin_fails(number, kin_dict_items(d, &v, deadline));
	ck_kin_fails(number, kin_dict_clear(d, deadline));
	ck_kin_fails(number, kin_list_append(l, KIN_V(1), deadline));
	ck_kin_fails(number, kin_list_extend(l, KIN_ARGS(1), deadline));
	ck_kin_fails(number, kin_list_insert(l, 0, KIN_V(1), deadline));
	ck_kin_fails(number, kin_list_get(l, 0, KIN_TAKE(&n), deadline));
	ck_kin_fails(number, kin_list_set(l, 0, KIN_V(1), deadline));
	ck_kin_fails(number, kin_list_pop(l, 0, KIN_TAKE(&n), deadline));
	ck_kin_fails(number, kin_list_remove(l, 0, deadline));
	ck_kin_fails(number, kin_list_find(l, KIN_V(1), deadline));
	ck_kin_fails(number, kin_list_slice(l, 0, 1, &v, deadline));
	ck_kin_fails(number, kin_list_len(l, deadline));
	ck_kin_fails(number, kin_list_clear(l, deadline));
	ck_kin_fails(number, kin_dict_create(&new_d, m, NULL, deadline));
	ck_kin_fails(number, kin_list_create(&new_l, m, "x", deadline));
	ck_kin_fails(number, kin_counter_open(&new_c, m, "x", deadline));
	ck_kin_fails(number, kin_proxy_open(&p, m, "x", deadline));
	ck_kin_fails(number, kin_proxy_call(kin_dict_proxy(d), "len",
					    KIN_ARGS(), KIN_TAKE(&n),
					    deadline));
	ck_kin_fails(number, kin_manager_unlink(m, "x", deadline));
	ck_kin_fails(number, kin_manager_count(m, &k, deadline));
	ck_assert_int_eq(n, 7);
	ck_assert(new_c == NULL && new_d == NULL && new_l == NULL &&
		  v == NULL && p == NULL);
	kin_builder_free(map);
}

/* ---- a server that is stopped ---- */

START_TEST(a_stopped_server_makes_calls_time_out)
{
	kin_manager *other;
	int64_t n;
	int r;

	begin(_i);
	signal_server(SIGSTOP);
	ck_all_fail(-ETIMEDOUT, KIN_NOWAIT);
	ck_kin_fails(-ETIMEDOUT, kin_counter_add(c, 1, NULL, kin_in_ms(20)));
	ck_kin_fails(-ETIMEDOUT, kin_manager_connect(&other,
						     kin_manager_address(m),
						     kin_in_ms(20)));
	ck_kin_fails(-ETIMEDOUT, kin_manager_stop(m, kin_in_ms(20)));
	signal_server(SIGCONT);
	/* It has been told to end, and does. */
	do
		r = kin_counter_get(c, &n, T);
	while (r == 0);
	ck_assert_int_eq(r, -ECONNRESET);
	close_all();
	unserve(m);
}
END_TEST

/* What it answers late is of no use to anybody, and nobody else's answer. */
START_TEST(late_answers_are_nobody_s)
{
	int64_t n;
	int i;

	begin(_i);
	for (i = 0; i < 20; i++) {
		signal_server(SIGSTOP);
		ck_kin_fails(-ETIMEDOUT, kin_counter_add(c, 1, NULL,
							 kin_in_ms(2)));
		ck_kin_fails(-ETIMEDOUT, kin_dict_len(d, kin_in_ms(1)));
		signal_server(SIGCONT);
		ck_kin_ok(kin_counter_get(c, &n, T));
		ck_assert_int_eq(n, i + 1);
	}
	end();
}
END_TEST

/* Nothing is lost: not a proxy that was made and never told of. */
START_TEST(what_timed_out_leaves_no_object)
{
	kin_dict *none;

	begin(_i);
	signal_server(SIGSTOP);
	ck_kin_fails(-ETIMEDOUT, kin_dict_create(&none, m, NULL,
						 kin_in_ms(2)));
	signal_server(SIGCONT);
	await_objects(m, 3);
	end();
}
END_TEST

/* More than the kernel takes in for it: what is not sent is not made. */
START_TEST(a_stopped_server_is_sent_only_so_much)
{
	char *text = calloc(1, 100001);
	int64_t r = 0;
	int i;

	begin(_i);
	memset(text, 'x', 100000);
	signal_server(SIGSTOP);
	for (i = 0; i < 200; i++) {
		r = kin_dict_set(d, KIN_V(i), KIN_V(text), kin_in_ms(1));
		ck_assert_int_eq(r, -ETIMEDOUT);
	}
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "not sent"));
	signal_server(SIGCONT);
	ck_assert_int_lt(kin_dict_len(d, T), 200);
	ck_kin_ok(kin_dict_set(d, KIN_V(1000), KIN_V(text), T));
	free(text);
	end();
}
END_TEST

/* ---- a server that is killed ---- */

START_TEST(a_killed_server_resets_every_call)
{
	kin_manager *none;
	kin_pending *call;
	int r;

	begin(_i);
	ck_kin_ok(kin_proxy_begin(&call, kin_counter_proxy(c), "add",
				  KIN_ARGS(1), T));
	signal_server(SIGKILL);
	ck_kin_fails(-ECONNRESET, kin_counter_add(c, 1, NULL, KIN_FOREVER));
	ck_kin_fails(-ECONNRESET, kin_pending_end(call, KIN_TAKE(),
						  KIN_FOREVER));
	ck_all_fail(-ECONNRESET, KIN_FOREVER);
	ck_kin_fails(-ECONNRESET, kin_proxy_begin(&call, kin_counter_proxy(c),
						  "add", KIN_ARGS(1), T));
	ck_kin_fails(-ECONNRESET, kin_proxy_flush(kin_counter_proxy(c), T));
	/* The kernel closes in its own time what was given to an io_uring. */
	do
		r = kin_manager_connect(&none, kin_manager_address(m), T);
	while (r == -ECONNRESET);
	ck_assert_int_eq(r, -ENOENT);
	ck_kin_ok(kin_manager_stop(m, KIN_FOREVER));	/* it is */
	close_all();
	kin_manager_close(m);
	unserve(serve(_i));		/* takes away the file it left */
}
END_TEST

static int
call_for_ever(kin_call *call)
{
	kin_counter *mine;
	int r = kin_call_take(call, &mine);

	while (r == 0) {
		r = kin_counter_add(mine, 1, NULL, KIN_FOREVER);
		__atomic_add_fetch(&board->calls, 1, __ATOMIC_RELAXED);
	}
	return r;
}
KIN_ENTRY(call_for_ever);

/* In the middle of calls, here and in other processes. */
START_TEST(a_server_that_is_killed_in_the_middle)
{
	kin_process *p[3];
	int i, r = 0;

	begin(_i);
	for (i = 0; i < 3; i++)
		p[i] = start(call_for_ever, KIN_ARGS(c));
	while (__atomic_load_n(&board->calls, __ATOMIC_RELAXED) < 300)
		sched_yield();
	signal_server(SIGKILL);
	while (r == 0)
		r = kin_counter_add(c, 1, NULL, KIN_FOREVER);
	ck_assert_int_eq(r, -ECONNRESET);
	for (i = 0; i < 3; i++)
		ck_exited(finish(p[i]), -ECONNRESET);
	close_all();
	bury(m);
	unserve(serve(_i));
}
END_TEST

START_TEST(a_new_server_is_another_one)
{
	const struct kin_manager_opts opts = {
		.size = sizeof(opts), .name = "the one",
	};
	kin_manager *again, *none;
	kin_counter *other;
	char *address;
	int64_t n;

	choose_engine(_i);
	ck_kin_ok(kin_manager_start(&m, &opts, T));
	address = strdup(kin_manager_address(m));
	ck_kin_fails(-EEXIST, kin_manager_start(&none, &opts, T));
	ck_kin_ok(kin_counter_create(&c, m, "hits", T));
	ck_kin_ok(kin_counter_add(c, 5, NULL, T));
	signal_server(SIGKILL);
	ck_kin_fails(-ECONNRESET, kin_counter_get(c, &n, T));
	ck_kin_ok(kin_manager_start(&again, &opts, T));
	ck_assert_str_eq(kin_manager_address(again), address);
	ck_kin_fails(-ECONNRESET, kin_counter_get(c, &n, T));
	ck_kin_fails(-ECONNRESET, kin_counter_open(&other, m, "hits", T));
	ck_kin_fails(-ENOENT, kin_counter_open(&other, again, "hits", T));
	bury(m);
	ck_kin_ok(kin_manager_connect(&m, address, T));
	ck_assert_int_eq(kin_manager_pid(m), kin_manager_pid(again));
	ck_kin_ok(kin_counter_create(&other, m, "hits", T));
	ck_kin_fails(-ECONNRESET, kin_counter_get(c, &n, T));
	ck_kin_ok(kin_counter_get(other, &n, T));
	ck_assert_int_eq(n, 0);
	kin_counter_close(c);
	kin_counter_close(other);
	kin_manager_close(m);
	unserve(again);
	free(address);
}
END_TEST

static int
use_late(kin_call *call)
{
	kin_counter *mine;
	int64_t n;
	int r = kin_call_take(call, &mine);

	raise_flag(1);
	await_flag(2);
	return r < 0 ? r : kin_counter_get(mine, &n, T);
}

/* One that nobody of the process has ever used. */
START_TEST(a_proxy_taken_from_a_dead_server)
{
	kin_process *p;

	begin(_i);
	p = start(use_late, KIN_ARGS(c));
	await_flag(1);
	signal_server(SIGKILL);
	close_all();
	bury(m);
	m = serve(_i);
	raise_flag(2);
	ck_exited(finish(p), -ECONNRESET);
	unserve(m);
}
END_TEST

/* ---- clients that are killed ---- */

static int
hold_much(kin_call *call)
{
	kin_manager *mine;
	kin_dict *dict;
	const char *address;
	int i, r = kin_call_take(call, &address);

	if (r == 0)
		r = kin_manager_connect(&mine, address, T);
	for (i = 0; r == 0 && i < 50; i++)
		r = kin_dict_create(&dict, mine, NULL, T);
	raise_flag(r == 0 ? 1 : 99);
	return wait_to_be_killed(call);
}
KIN_ENTRY(hold_much);

START_TEST(what_a_dead_client_held_is_gone)
{
	kin_process *p;

	begin(_i);
	p = start(hold_much, KIN_ARGS(kin_manager_address(m)));
	await_flag(1);
	ck_assert_uint_eq(counts(m).objects, 53);
	ck_assert_uint_eq(counts(m).sessions, 2);
	ck_kin_ok(kin_process_signal(p, SIGKILL));
	ck_killed(finish(p), SIGKILL);
	await_sessions(m, 1);
	ck_assert_uint_eq(counts(m).objects, 3);
	end();
}
END_TEST

/* A child of its own holds the socket, and knows nothing of it. */
static int
hold_then_fork(kin_call *call)
{
	kin_manager *mine;
	kin_dict *dict;
	const char *address;
	int r = kin_call_take(call, &address);

	if (r == 0)
		r = kin_manager_connect(&mine, address, T);
	if (r == 0)
		r = kin_dict_create(&dict, mine, NULL, T);
	if (r == 0 && fork() == 0) {
		board->pids[0] = getpid();
		raise_flag(1);
	}
	return wait_to_be_killed(call);
}
KIN_ENTRY(hold_then_fork);

START_TEST(a_dead_client_s_child_does_not_hold_for_it)
{
	kin_process *p;

	begin(_i);
	p = start(hold_then_fork, KIN_ARGS(kin_manager_address(m)));
	await_flag(1);
	ck_assert_uint_eq(counts(m).objects, 4);
	ck_kin_ok(kin_process_signal(p, SIGKILL));
	ck_killed(finish(p), SIGKILL);
	await_objects(m, 3);
	ck_assert_uint_eq(counts(m).sessions, 1);
	ck_assert_int_eq(kill(board->pids[0], 0), 0);
	kit_kill(board->pids[0]);
	end();
}
END_TEST

/* ---- */

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager death");
	TCase *tc = board_case(s, "stopped");

	add_both(tc, a_stopped_server_makes_calls_time_out);
	add_both(tc, late_answers_are_nobody_s);
	add_both(tc, what_timed_out_leaves_no_object);
	add_both(tc, a_stopped_server_is_sent_only_so_much);
	tc = board_case(s, "killed server");
	add_both(tc, a_killed_server_resets_every_call);
	add_both(tc, a_server_that_is_killed_in_the_middle);
	add_both(tc, a_new_server_is_another_one);
	add_both(tc, a_proxy_taken_from_a_dead_server);
	tc = board_case(s, "killed client");
	add_both(tc, what_a_dead_client_held_is_gone);
	add_both(tc, a_dead_client_s_child_does_not_hold_for_it);
	return s;
}

int
main(int argc, char **argv)
{
	if (kin_init(argc, argv) < 0)
		return 2;
	return kit_run(make_suite());
}
