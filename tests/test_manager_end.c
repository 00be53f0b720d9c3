/* SPDX-License-Identifier: MIT */
/*
 * test_manager_end.c - when a server ends, and what it keeps alive: nothing
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/served.h"

#define T	KIT_PATIENCE

/* ---- by itself, with its last client ---- */

START_TEST(it_ends_with_its_starter_s_handle)
{
	kin_manager *m = serve(_i);
	pid_t pid = kin_manager_pid(m);

	kin_manager_close(m);
	await_collected(pid);
}
END_TEST

START_TEST(it_ends_with_the_last_proxy)
{
	kin_manager *m = serve(_i);
	pid_t pid = kin_manager_pid(m);
	kin_counter *c;
	int64_t n;

	ck_kin_ok(kin_counter_create(&c, m, NULL, T));
	kin_manager_close(m);
	ck_kin_ok(kin_counter_add(c, 5, &n, T));
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(kill(pid, 0), 0);
	kin_counter_close(c);
	await_collected(pid);
}
END_TEST

static int
use_until_told(kin_call *call)
{
	kin_counter *mine;
	int r = kin_call_take(call, &mine);

	if (r == 0)
		r = kin_counter_add(mine, 1, NULL, T);
	raise_flag(1);
	await_flag(2);
	return r < 0 ? r : kin_counter_add(mine, 1, NULL, T);
}
KIN_ENTRY(use_until_told);

START_TEST(it_stays_for_other_clients)
{
	kin_manager *m = serve(_i);
	pid_t pid = kin_manager_pid(m);
	kin_process *p;
	kin_counter *c;

	ck_kin_ok(kin_counter_create(&c, m, NULL, T));
	p = start(use_until_told, KIN_ARGS(c));
	await_flag(1);
	kin_counter_close(c);
	kin_manager_close(m);
	raise_flag(2);
	ck_exited(finish(p), 0);
	await_collected(pid);
}
END_TEST

START_TEST(without_clients_it_stays_for_its_starter)
{
	kin_manager *m = serve(_i), *other;
	pid_t pid;

	ck_kin_ok(kin_manager_connect(&other, kin_manager_address(m), T));
	kin_manager_close(other);
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_manager_connect(&other, kin_manager_address(m), T)
		      != 0);
	kit_reap(pid, 0);
	await_sessions(m, 1);
	unserve(m);
}
END_TEST

static int
stop_it(kin_call *call)
{
	kin_manager *mine;
	const char *address;
	int r = kin_call_take(call, &address);

	if (r == 0)
		r = kin_manager_connect(&mine, address, T);
	return r < 0 ? r : kin_manager_stop(mine, T);
}
KIN_ENTRY(stop_it);

START_TEST(any_client_may_stop_it)
{
	kin_manager *m = serve(_i);
	kin_counter *c;
	int64_t n;

	ck_kin_ok(kin_counter_create(&c, m, NULL, T));
	ck_exited(finish(start(stop_it, KIN_ARGS(kin_manager_address(m)))),
		  0);
	ck_kin_fails(-ECONNRESET, kin_counter_get(c, &n, T));
	ck_kin_ok(kin_manager_stop(m, T));	/* it has been */
	kin_counter_close(c);
	kin_manager_close(m);
}
END_TEST

static void __attribute__((noreturn))
start_and_wait(int engine)
{
	kin_manager *m;

	choose_engine(engine);
	if (kin_manager_start(&m, NULL, T) < 0)
		_exit(1);
	board->pids[0] = kin_manager_pid(m);
	raise_flag(1);
	for (;;)
		pause();
}

static bool
is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (dir == NULL)
		return true;
	while ((entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 &&
		     strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n == 0;
}

/* In order: its socket's file goes, too. */
START_TEST(it_ends_when_its_starter_is_killed)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		start_and_wait(_i);
	await_flag(1);
	ck_assert_int_eq(kill(board->pids[0], 0), 0);
	kit_kill(pid);
	await_gone(board->pids[0]);
	ck_assert(is_empty(kit_names()));
}
END_TEST

/* ---- it keeps nothing of its starter's alive ---- */

START_TEST(a_connection_s_end_is_an_end)
{
	kin_conn *a, *b;
	kin_manager *m;
	char buf[8];

	ck_kin_ok(kin_pipe(&a, &b, NULL));
	m = serve(_i);
	kin_conn_close(a);
	ck_kin_fails(-EPIPE, kin_conn_recv(b, buf, sizeof(buf), T));
	kin_conn_close(b);
	unserve(m);
}
END_TEST

START_TEST(a_plain_pipe_s_end_is_an_end)
{
	kin_manager *m;
	int ends[2];
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	m = serve(_i);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	unserve(m);
}
END_TEST

/* Does the server have a descriptor or a mapping of such a name? */
static bool
server_has(kin_manager *m, const char *what)
{
	char path[PATH_MAX + 300], target[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	ssize_t n;
	FILE *maps;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)kin_manager_pid(m));
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s",
			 (int)kin_manager_pid(m), entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		found |= strstr(target, what) != NULL;
	}
	closedir(dir);
	snprintf(path, sizeof(path), "/proc/%d/maps",
		 (int)kin_manager_pid(m));
	maps = fopen(path, "r");
	ck_assert_ptr_nonnull(maps);
	while (fgets(path, sizeof(path), maps) != NULL)
		found |= strstr(path, what) != NULL;
	fclose(maps);
	return found;
}

START_TEST(a_segment_s_memory_is_not_its)
{
	kin_manager *m, *first;
	kin_segment *seg;
	kin_queue *q;

	first = serve(_i);
	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 10000,
						    .label = "treasure")));
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
						.label = "treasure")));
	m = serve(_i);
	ck_assert_uint_eq(counts(m).objects, 0);
	ck_assert(!server_has(m, "treasure"));
	ck_assert(!server_has(m, "memfd:kin"));
	kin_queue_close(q);
	kin_segment_close(seg);
	unserve(first);
	unserve(m);
}
END_TEST

/* A server that its sibling holds a connection of would never be left. */
START_TEST(servers_do_not_hold_each_other)
{
	kin_manager *first = serve(_i), *second = serve(_i);
	pid_t pids[2] = { kin_manager_pid(first), kin_manager_pid(second) };

	kin_manager_close(first);
	await_collected(pids[0]);
	ck_assert_uint_eq(counts(second).sessions, 1);
	kin_manager_close(second);
	await_collected(pids[1]);
}
END_TEST

START_TEST(epoll_is_epoll)
{
	kin_manager *m = serve(_i);

	ck_assert_uint_eq(counts(m).sessions, 1);
	if (_i == 1) {
		ck_assert(server_has(m, "[eventpoll]"));
		ck_assert(!server_has(m, "[io_uring]"));
	} else {
		ck_assert(server_has(m, "[eventpoll]") !=
			  server_has(m, "[io_uring]"));
	}
	unserve(m);
}
END_TEST

/* ---- */

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager end");
	TCase *tc = board_case(s, "the end");

	add_both(tc, it_ends_with_its_starter_s_handle);
	add_both(tc, it_ends_with_the_last_proxy);
	add_both(tc, it_stays_for_other_clients);
	add_both(tc, without_clients_it_stays_for_its_starter);
	add_both(tc, any_client_may_stop_it);
	add_both(tc, it_ends_when_its_starter_is_killed);
	tc = board_case(s, "kept alive");
	add_both(tc, a_connection_s_end_is_an_end);
	add_both(tc, a_plain_pipe_s_end_is_an_end);
	add_both(tc, a_segment_s_memory_is_not_its);
	add_both(tc, servers_do_not_hold_each_other);
	add_both(tc, epoll_is_epoll);
	return s;
}

int
main(int argc, char **argv)
{
	if (kin_init(argc, argv) < 0)
		return 2;
	return kit_run(make_suite());
}
