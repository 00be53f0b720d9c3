/* SPDX-License-Identifier: MIT */
/*
 * test_process_things.c - shared things and descriptors, as arguments and in
 * results: whose they are, and when they are closed
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

static void
let_go(kin_process *p, int code)
{
	ck_exited(finish(p), code);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* ---- queues and segments ---- */

static int
pass_on(kin_call *call)
{
	kin_queue *from, *to;
	char text[16];
	ssize_t n;
	int r;

	r = kin_call_take(call, &from, &to);
	if (r < 0)
		return r;
	n = kin_queue_get(from, text, sizeof(text), KIT_PATIENCE);
	if (n < 0)
		return (int)n;
	return kin_queue_put(to, text, (size_t)n, KIT_PATIENCE);
}
KIN_ENTRY(pass_on);

START_TEST(queues_are_arguments)
{
	kin_queue *there, *back;
	kin_process *p;
	char text[16];

	ck_kin_ok(kin_queue_create(&there, NULL));
	ck_kin_ok(kin_queue_create(&back, NULL));
	p = start(pass_on, KIN_ARGS(there, back));
	ck_kin_ok(kin_queue_put(there, "hello", 5, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_get(back, text, sizeof(text), KIT_PATIENCE),
			 5);
	ck_assert_int_eq(memcmp(text, "hello", 5), 0);
	let_go(p, 0);
	kin_queue_close(there);
	kin_queue_close(back);
}
END_TEST

static int
write_into(kin_call *call)
{
	kin_segment *seg;
	int r = kin_call_take(call, &seg);

	if (r < 0)
		return r;
	strcpy(kin_segment_data(seg), "written by the child");
	return kin_call_return(call, kin_segment_bytes(seg));
}
KIN_ENTRY(write_into);

START_TEST(a_segment_is_an_argument)
{
	kin_segment *seg;
	kin_process *p;
	size_t bytes;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 10000)));
	p = start(write_into, KIN_ARGS(seg));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&bytes), KIT_PATIENCE));
	ck_assert_uint_eq(bytes, kin_segment_bytes(seg));
	ck_assert_str_eq(kin_segment_data(seg), "written by the child");
	let_go(p, 0);
	kin_segment_close(seg);
}
END_TEST

/* Each take of a thing from a result gives another handle, the taker's own. */
static int
make_things(kin_call *call)
{
	kin_segment *seg;
	kin_queue *q;
	int r;

	r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
					      .bytes = 100));
	if (r < 0)
		return r;
	r = kin_queue_create(&q, NULL);
	if (r == 0)
		r = kin_queue_put(q, "in it", 5, KIN_NOWAIT);
	strcpy(kin_segment_data(seg), "in it");
	if (r == 0)
		r = kin_call_return(call, q, seg);
	kin_queue_close(q);
	kin_segment_close(seg);
	return r;
}
KIN_ENTRY(make_things);

START_TEST(what_a_child_has_made_outlives_it)
{
	kin_process *p = start(make_things, KIN_ARGS());
	kin_segment *seg[2];
	kin_queue *q[2];
	char text[16];

	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&q[0], &seg[0]), KIN_NOWAIT));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&q[1], &seg[1]), KIN_NOWAIT));
	ck_assert_ptr_ne(q[0], q[1]);
	ck_assert_ptr_ne(seg[0], seg[1]);
	kin_process_close(p);
	kin_queue_close(q[0]);
	kin_segment_close(seg[0]);
	ck_assert_int_eq(kin_queue_get(q[1], text, sizeof(text), KIN_NOWAIT),
			 5);
	ck_assert_str_eq(kin_segment_data(seg[1]), "in it");
	kin_queue_close(q[1]);
	kin_segment_close(seg[1]);
}
END_TEST

START_TEST(what_nobody_takes_is_let_go_of)
{
	kin_process *p;
	int i;

	for (i = 0; i < 3; i++) {
		p = start(make_things, KIN_ARGS());
		ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
		if (i == 1)
			ck_kin_fails(-EINVAL, kin_process_result(p, KIN_TAKE(),
								 KIN_NOWAIT));
		kin_process_close(p);
	}
}
END_TEST

START_TEST(one_closed_while_it_runs_leaves_nothing_of_its_result)
{
	kin_process *p = start(make_things, KIN_ARGS());
	pid_t pid = kin_process_pid(p);
	siginfo_t info;

	kin_process_close(p);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 &&
	       errno == EINTR)
		;
	kin_process_close(start(return_number, KIN_ARGS(0)));
	let_go(start(return_number, KIN_ARGS(0)), 0);
	while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0)
		let_go(start(return_number, KIN_ARGS(0)), 0);
}
END_TEST

/* ---- descriptors ---- */

static int
write_to(kin_call *call)
{
	int fd, r;

	r = kin_call_take(call, KIN_FD(&fd));
	if (r < 0)
		return r;
	return write(fd, "hello", 5) == 5 ? 0 : -errno;
}
KIN_ENTRY(write_to);

START_TEST(a_descriptor_is_an_argument)
{
	kin_process *p;
	char text[8];
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	p = start(write_to, KIN_ARGS(KIN_FD(ends[1])));
	/* It is the child's own: ours is not needed any more. */
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], text, sizeof(text)), 5);
	ck_assert_int_eq(memcmp(text, "hello", 5), 0);
	ck_assert_int_eq(read(ends[0], text, sizeof(text)), 0);
	close(ends[0]);
	let_go(p, 0);
}
END_TEST

static int
open_many(kin_call *call)
{
	kin_builder *b;
	int n, i, r, ends[2];

	r = kin_call_take(call, &n);
	if (r == 0)
		r = kin_builder_new(&b);
	if (r < 0)
		return r;
	r = kin_builder_array(b);
	for (i = 0; i < n && r == 0; i++) {
		if (pipe(ends) < 0)
			return -errno;
		if (write(ends[1], &i, sizeof(i)) != sizeof(i))
			return -errno;
		r = kin_builder_add(b, KIN_FD(ends[0]));
		close(ends[0]);
		close(ends[1]);
	}
	if (r == 0)
		r = kin_builder_end(b);
	if (r == 0)
		r = kin_call_return(call, "of so many", b);
	kin_builder_free(b);
	return r;
}
KIN_ENTRY(open_many);

static void
try_many(int n)
{
	kin_process *p = start(open_many, KIN_ARGS(n));
	struct kin_cursor list;
	const char *text;
	int i, got, fd;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&text, &list),
				     KIT_PATIENCE));
	ck_assert_str_eq(text, "of so many");
	for (i = 0; i < n; i++) {
		ck_assert_int_eq(kin_cursor_next(&list, KIN_FD(&fd)), 1);
		ck_assert_int_gt(fd, 2);
		ck_assert_int_eq(read(fd, &got, sizeof(got)), sizeof(got));
		ck_assert_int_eq(got, i);
		close(fd);
	}
	ck_assert_int_eq(kin_cursor_next(&list, KIN_ANY), 0);
	let_go(p, 0);
}

START_TEST(descriptors_come_in_order)
{
	try_many(1);
	try_many(20);
	try_many(KIN_VALUES_FDS);
}
END_TEST

START_TEST(one_descriptor_too_many_is_an_error_over_there)
{
	kin_process *p = start(open_many, KIN_ARGS(KIN_VALUES_FDS + 1));

	ck_assert_int_eq(kin_process_result(p, KIN_TAKE(KIN_ANY), KIT_PATIENCE),
			 -EREMOTEIO);
	ck_assert_msg(strstr(kin_errmsg(), "EMSGSIZE") != NULL, "%s",
		      kin_errmsg());
	let_go(p, -EMSGSIZE);
}
END_TEST

/* No descriptor is left for it: then it can be tried again. */
START_TEST(a_result_that_finds_no_room_stays)
{
	kin_process *p = start(open_many, KIN_ARGS(20));
	int taken[1024], n = 0, fd;
	struct kin_cursor list;
	const char *text;
	struct rlimit limit, less;

	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	less = limit;
	less.rlim_cur = 100;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &less), 0);
	while (n < 1024 && (fd = dup(0)) >= 0)
		taken[n++] = fd;
	ck_kin_fails(-EMFILE, kin_process_result(p, KIN_TAKE(&text, &list),
						 KIN_NOWAIT));
	close(taken[--n]);
	close(taken[--n]);
	ck_kin_fails(-EMFILE, kin_process_result(p, KIN_TAKE(&text, &list),
						 KIN_NOWAIT));
	while (n > 0)
		close(taken[--n]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&text, &list), KIN_NOWAIT));
	ck_assert_int_eq(kin_cursor_next(&list, KIN_FD(&fd)), 1);
	close(fd);
	let_go(p, 0);
}
END_TEST

/* Whoever does not take it does not have it. */
static int
look_at_keeping(kin_call *call)
{
	int fd, other, r;

	r = kin_call_take(call, KIN_FD(&fd), KIN_FD(&other));
	if (r < 0)
		return r;
	if (!is_open(fd) || !is_open(other) || fd == other)
		return 1;
	if (kin_call_keep_fd(call, fd) < 0)
		return 2;
	if (kin_call_keep_fd(call, 0) != -ENOENT)
		return 3;
	return 0;
}
KIN_ENTRY(look_at_keeping);

START_TEST(a_descriptor_can_be_kept)
{
	let_go(start(look_at_keeping, KIN_ARGS(KIN_FD(0), KIN_FD(1))), 0);
}
END_TEST

/* ---- read-only data ---- */

static const int table[] = { 1, 2, 3, 4 };

static int
sum_up(kin_call *call)
{
	const int *t;
	size_t len, i;
	int r, sum = 0;

	r = kin_call_take(call, KIN_RO(&t, &len));
	if (r < 0)
		return r;
	for (i = 0; i < len / sizeof(*t); i++)
		sum += t[i];
	return kin_call_return(call, sum);
}
KIN_ENTRY(sum_up);

/* Once, for as many as are alive. */
START_TEST(read_only_data_is_frozen_once_for_many_children)
{
	uint64_t before = kin_copied_bytes();
	kin_process *p[5];
	int i, sum;

	for (i = 0; i < 5; i++) {
		p[i] = start(sum_up, KIN_ARGS(KIN_RO(table, sizeof(table))));
		ck_assert_uint_eq(kin_copied_bytes(),
				  before + sizeof(table));
	}
	for (i = 0; i < 5; i++) {
		ck_kin_ok(kin_process_result(p[i], KIN_TAKE(&sum),
					     KIT_PATIENCE));
		ck_assert_int_eq(sum, 10);
		kin_process_close(p[i]);
	}
	/* Nobody holds it any more. */
	let_go(start(sum_up, KIN_ARGS(KIN_RO(table, sizeof(table)))), 0);
	ck_assert_uint_eq(kin_copied_bytes(), before + 2 * sizeof(table));
}
END_TEST

static void
add_things(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "things", kind);

	tcase_add_test(tc, queues_are_arguments);
	tcase_add_test(tc, a_segment_is_an_argument);
	tcase_add_test(tc, what_a_child_has_made_outlives_it);
	tcase_add_test(tc, what_nobody_takes_is_let_go_of);
	if (kind != KIN_CONTEXT_FORKSERVER)	/* whose children they are */
		tcase_add_test(tc,
		    one_closed_while_it_runs_leaves_nothing_of_its_result);
	tcase_add_test(tc, read_only_data_is_frozen_once_for_many_children);
}

static void
add_descriptors(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "descriptors", kind);

	tcase_add_test(tc, a_descriptor_is_an_argument);
	tcase_add_test(tc, descriptors_come_in_order);
	tcase_add_test(tc, one_descriptor_too_many_is_an_error_over_there);
	tcase_add_test(tc, a_result_that_finds_no_room_stays);
	tcase_add_test(tc, a_descriptor_can_be_kept);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_things");
	uint32_t kind;
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++) {
		add_things(suite, kind);
		add_descriptors(suite, kind);
	}
	return kit_run(suite);
}
