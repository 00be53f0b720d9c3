/* SPDX-License-Identifier: MIT */
/*
 * test_segment_grow.c - the promises of kin/segment.h: growing
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"

#define FIRST	10000u
#define MOST	(4u << 20)

static kin_segment *
growable(uint32_t flags)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = FIRST, .max_bytes = MOST, .label = "growing",
	    .flags = KIN_SEGMENT_GROWABLE | flags)));
	return seg;
}

START_TEST(it_grows_where_it_is)
{
	kin_segment *seg = growable(_i == 0 ? 0 : KIN_SEGMENT_SPARSE);
	unsigned char *data = kin_segment_data(seg);
	size_t i;

	ck_assert_uint_eq(kin_segment_bytes(seg), FIRST);
	ck_assert_uint_eq(kin_segment_limit(seg), MOST);
	memset(data, 'a', FIRST);
	ck_kin_ok(kin_segment_grow(seg, 100001));
	ck_assert_uint_eq(kin_segment_bytes(seg), 100001);
	ck_assert_ptr_eq(kin_segment_data(seg), data);
	ck_assert_int_eq(data[FIRST - 1], 'a');
	for (i = FIRST; i < 100001; i++)
		ck_fast(data[i] == 0);
	memset(data, 'b', 100001);
	/* So large already: nothing happens. */
	ck_kin_ok(kin_segment_grow(seg, 100001));
	ck_kin_ok(kin_segment_grow(seg, 1));
	ck_assert_uint_eq(kin_segment_bytes(seg), 100001);
	ck_kin_ok(kin_segment_grow(seg, MOST));
	ck_assert_uint_eq(kin_segment_bytes(seg), MOST);
	memset(data, 'c', MOST);
	ck_kin_fails(-EINVAL, kin_segment_grow(seg, MOST + 1));
	ck_kin_fails(-EINVAL, kin_segment_grow(seg, UINT64_MAX));
	kin_segment_close(seg);
}
END_TEST

START_TEST(others_see_the_new_bytes_at_once_and_their_size_by_refresh)
{
	kin_segment *seg = growable(0), *other = attached(seg), *late;
	char *there = kin_segment_data(other);

	ck_assert_int_eq(kin_segment_refresh(other), 0);
	ck_kin_ok(kin_segment_grow(seg, 200000));
	((char *)kin_segment_data(seg))[199999] = 'x';
	ck_assert_uint_eq(kin_segment_bytes(other), FIRST);
	ck_assert_int_eq(there[199999], 'x');
	ck_assert_int_eq(kin_segment_refresh(other), 1);
	ck_assert_int_eq(kin_segment_refresh(other), 0);
	ck_assert_uint_eq(kin_segment_bytes(other), 200000);
	late = attached(seg);
	ck_assert_uint_eq(kin_segment_bytes(late), 200000);
	ck_assert_uint_eq(kin_segment_limit(late), MOST);
	/* Whoever has it can make it grow. */
	ck_kin_ok(kin_segment_grow(late, 300000));
	ck_assert_int_eq(kin_segment_refresh(seg), 1);
	ck_assert_uint_eq(kin_segment_bytes(seg), 300000);
	kin_segment_close(late);
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

START_TEST(nobody_can_make_it_smaller)
{
	kin_segment *seg = growable(0);

	ck_assert_int_eq(ftruncate(kin_segment_fd(seg), 4096), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(kin_segment_seals(seg), KIN_SEALED_SIZE);
	kin_segment_close(seg);
}
END_TEST

/* A peer that makes the file longer than the limit gives nobody more. */
START_TEST(beyond_the_limit_nothing_is_seen)
{
	kin_segment *seg = growable(0), *late;

	ck_assert_int_eq(ftruncate(kin_segment_fd(seg), 16 << 20), 0);
	ck_assert_int_eq(kin_segment_refresh(seg), 1);
	ck_assert_uint_eq(kin_segment_bytes(seg), MOST);
	late = attached(seg);
	ck_assert_uint_eq(kin_segment_bytes(late), MOST);
	((char *)kin_segment_data(late))[MOST - 1] = 'x';
	kin_segment_close(late);
	kin_segment_close(seg);
}
END_TEST

START_TEST(others_do_not_grow)
{
	kin_segment *seg = anonymous(FIRST), *reader;

	ck_kin_fails(-EINVAL, kin_segment_grow(seg, FIRST + 1));
	ck_assert_uint_eq(kin_segment_limit(seg), FIRST);
	ck_assert_int_eq(kin_segment_refresh(seg), 0);
	kin_segment_close(seg);

	seg = growable(0);
	ck_kin_ok(kin_segment_attach_with(&reader, kin_segment_fd(seg),
	    KIN_OPTS(kin_segment_use, .flags = KIN_USE_READONLY)));
	ck_kin_fails(-EACCES, kin_segment_grow(reader, FIRST + 1));
	ck_kin_ok(kin_segment_grow(seg, FIRST + 1));
	ck_assert_int_eq(kin_segment_refresh(reader), 1);
	kin_segment_close(reader);
	ck_kin_ok(kin_segment_publish(seg));
	ck_kin_ok(kin_segment_grow(seg, FIRST + 2));
	ck_kin_ok(kin_segment_seal(seg));
	ck_kin_fails(-EROFS, kin_segment_grow(seg, FIRST + 3));
	ck_kin_ok(kin_segment_grow(seg, FIRST + 2));
	ck_assert_uint_eq(kin_segment_bytes(seg), FIRST + 2);
	kin_segment_close(seg);
}
END_TEST

START_TEST(zero_is_a_limit_that_is_large)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 1, .flags = KIN_SEGMENT_GROWABLE)));
	ck_assert_uint_eq(kin_segment_limit(seg), 1u << 30);
	ck_kin_ok(kin_segment_grow(seg, 1 << 20));
	((char *)kin_segment_data(seg))[(1 << 20) - 1] = 'x';
	kin_segment_close(seg);
}
END_TEST

START_TEST(no_room_changes_nothing)
{
	static const struct rlimit limit = { 1 << 20, RLIM_INFINITY };
	kin_segment *seg;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	seg = growable(_i == 0 ? 0 : KIN_SEGMENT_SPARSE);
	ck_kin_fails(-ENOSPC, kin_segment_grow(seg, 2 << 20));
	ck_assert_uint_eq(kin_segment_bytes(seg), FIRST);
	ck_assert_int_eq(kin_segment_refresh(seg), 0);
	ck_kin_ok(kin_segment_grow(seg, 512 << 10));
	memset(kin_segment_data(seg), 'x', 512 << 10);
	kin_segment_close(seg);
}
END_TEST

START_TEST(more_than_the_machine_has_is_no_space)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 1, .max_bytes = 1ull << 40,
	    .flags = KIN_SEGMENT_GROWABLE)));
	ck_kin_fails(-ENOSPC, kin_segment_grow(seg, 1ull << 40));
	ck_assert_uint_eq(kin_segment_bytes(seg), 1);
	kin_segment_close(seg);
}
END_TEST

/* ---- at the same time ---- */

#define STEPS	200u

/* Each step is of another size, and writes to all that it has made. */
static void
grow_and_fill(kin_segment *seg, unsigned who)
{
	unsigned char *data = kin_segment_data(seg);
	unsigned i;

	for (i = 1; i <= STEPS; i++) {
		uint64_t bytes = FIRST + i * (5000u + 997u * who);

		if (kin_segment_grow(seg, bytes) < 0 ||
		    kin_segment_bytes(seg) < bytes)
			_exit(1);
		__atomic_add_fetch(&data[bytes - 1 - who], 1,
				   __ATOMIC_RELAXED);
	}
}

START_TEST(many_grow_it_at_the_same_time_while_it_is_used)
{
	kin_segment *seg = growable(0), *mine;
	pid_t pids[4];
	unsigned i;

	for (i = 0; i < 4; i++) {
		pids[i] = kit_fork();
		if (pids[i] != 0)
			continue;
		if (kin_segment_attach(&mine, kin_segment_fd(seg)) < 0)
			_exit(2);
		grow_and_fill(mine, i);
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		kit_reap(pids[i], 0);
	ck_assert_int_eq(kin_segment_refresh(seg), 1);
	ck_assert_uint_eq(kin_segment_bytes(seg),
			  FIRST + STEPS * (5000u + 997u * 3));
	ck_assert_uint_ge(((unsigned char *)kin_segment_data(seg))
			  [kin_segment_bytes(seg) - 4], 1);
	kin_segment_close(seg);
}
END_TEST

static void *
refresh_till_the_end(void *arg)
{
	size_t before = 0, now;

	do {
		(void)!kin_segment_refresh(arg);
		now = kin_segment_bytes(arg);
		if (now < before)
			return arg;
		before = now;
	} while (now < FIRST + STEPS * 5000u);
	return NULL;
}

START_TEST(threads_share_a_handle_that_grows)
{
	kin_segment *seg = growable(0);
	pthread_t thread;
	void *wrong;

	ck_assert_int_eq(pthread_create(&thread, NULL, refresh_till_the_end,
					seg), 0);
	grow_and_fill(seg, 0);
	ck_assert_int_eq(pthread_join(thread, &wrong), 0);
	ck_assert_ptr_null(wrong);
	kin_segment_close(seg);
}
END_TEST

/* Whatever it was doing, what there is can be used to the last byte. */
START_TEST(who_is_killed_while_it_grows_has_done_so_or_not)
{
	int round, status;

	for (round = 0; round < 20; round++) {
		kin_segment *seg = growable(0);
		pid_t pid = kit_fork();
		size_t bytes;

		if (pid == 0)
			for (bytes = FIRST;; bytes = bytes % MOST + 4099)
				(void)!kin_segment_grow(seg, bytes);
		while (kin_segment_refresh(seg) == 0)
			sched_yield();
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		(void)kin_segment_refresh(seg);
		bytes = kin_segment_bytes(seg);
		memset(kin_segment_data(seg), 'x', bytes);
		if (bytes < MOST)
			ck_kin_ok(kin_segment_grow(seg, bytes + 1));
		kin_segment_close(seg);
	}
}
END_TEST

static int
grow_to(kin_call *call)
{
	kin_segment *seg;
	uint64_t bytes;
	int r = kin_call_take(call, &seg, &bytes);

	if (r == 0)
		r = kin_segment_grow(seg, bytes);
	if (r < 0)
		return r;
	((char *)kin_segment_data(seg))[bytes - 1] = 'c';
	return kin_call_return(call, kin_segment_limit(seg));
}

START_TEST(it_travels_and_grows_there)
{
	kin_segment *seg = growable(0);
	kin_process *p = start(grow_to, KIN_ARGS(seg, 123456));
	uint64_t limit;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&limit), KIT_PATIENCE));
	ck_assert_uint_eq(limit, MOST);
	ck_exited(finish(p), 0);
	ck_assert_int_eq(kin_segment_refresh(seg), 1);
	ck_assert_uint_eq(kin_segment_bytes(seg), 123456);
	ck_assert_int_eq(((char *)kin_segment_data(seg))[123455], 'c');
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_limit_that_contradicts_is_refused)
{
	static const uint64_t odd[] = { 0, 1, FIRST - 1, (1ull << 46) + 1,
					UINT64_MAX };
	kin_segment *seg = growable(0);
	int fd = kin_segment_fd(seg);
	struct kn_header header = header_of(fd), spoilt = header;
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		spoilt.limit = odd[i];
		set_header(fd, &spoilt);
		ck_attach_fails(-EUCLEAN, fd);
	}
	spoilt = header;
	spoilt.flags |= 1u << 30;
	set_header(fd, &spoilt);
	ck_attach_fails(-EPROTONOSUPPORT, fd);
	kin_segment_close(seg);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("segment grow");
	TCase *tc = kit_case(suite, "growing");

	tcase_add_loop_test(tc, it_grows_where_it_is, 0, 2);
	tcase_add_test(tc,
	    others_see_the_new_bytes_at_once_and_their_size_by_refresh);
	tcase_add_test(tc, nobody_can_make_it_smaller);
	tcase_add_test(tc, beyond_the_limit_nothing_is_seen);
	tcase_add_test(tc, others_do_not_grow);
	tcase_add_test(tc, zero_is_a_limit_that_is_large);
	tcase_add_loop_test(tc, no_room_changes_nothing, 0, 2);
	tcase_add_test(tc, more_than_the_machine_has_is_no_space);
	tcase_add_test(tc, a_limit_that_contradicts_is_refused);

	tc = kit_case(suite, "at the same time");
	tcase_add_test(tc, many_grow_it_at_the_same_time_while_it_is_used);
	tcase_add_test(tc, threads_share_a_handle_that_grows);
	tcase_add_test(tc, who_is_killed_while_it_grows_has_done_so_or_not);
	tcase_add_test(tc, it_travels_and_grows_there);
	return kit_run(suite);
}
