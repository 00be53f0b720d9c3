/* SPDX-License-Identifier: MIT */
/*
 * test_view.c - the promises of kin/view.h
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/view.h"
#include "tests/child.h"
#include "tests/segments.h"

#define BYTES	10000u

static kin_view *
view_of(kin_segment *seg, uint64_t offset, uint64_t bytes, uint32_t flags)
{
	kin_view *view;

	ck_kin_ok(kin_view_create(&view, seg, KIN_OPTS(kin_view_opts,
	    .offset = offset, .bytes = bytes, .flags = flags)));
	return view;
}

START_TEST(a_view_is_that_part_of_it)
{
	kin_segment *seg = anonymous(BYTES);
	kin_view *view = view_of(seg, 5001, 100, 0), *all;

	ck_assert_uint_eq(kin_view_bytes(view), 100);
	ck_assert_uint_eq(kin_view_offset(view), 5001);
	ck_assert_int_eq(kin_view_writable(view), 1);
	strcpy(kin_view_data(view), "in the middle");
	ck_assert_str_eq((char *)kin_segment_data(seg) + 5001,
			 "in the middle");
	ck_kin_ok(kin_view_create(&all, seg, NULL));
	ck_assert_uint_eq(kin_view_bytes(all), BYTES);
	ck_assert_uint_eq(kin_view_offset(all), 0);
	kin_view_close(all);
	all = view_of(seg, BYTES - 1, 0, 0);
	ck_assert_uint_eq(kin_view_bytes(all), 1);
	kin_view_close(all);
	kin_view_close(view);
	kin_view_close(NULL);
	kin_segment_close(seg);
}
END_TEST

START_TEST(it_holds_the_memory_without_the_segments_handle)
{
	kin_segment *seg = anonymous(BYTES);
	kin_view *first = view_of(seg, 0, 100, 0);
	kin_view *second = view_of(seg, 50, 100, KIN_VIEW_READONLY);

	kin_segment_close(seg);
	strcpy((char *)kin_view_data(first) + 50, "shared");
	ck_assert_str_eq(kin_view_data(second), "shared");
	kin_view_close(first);
	ck_assert_str_eq(kin_view_data(second), "shared");
	kin_view_close(second);
}
END_TEST

START_TEST(what_lies_outside_is_no_view)
{
	static const struct { uint64_t offset, bytes; } wrong[] = {
		{ BYTES, 0 }, { BYTES, 1 }, { BYTES - 1, 2 }, { 0, BYTES + 1 },
		{ 1, BYTES }, { 1, UINT64_MAX }, { UINT64_MAX, 1 },
		{ UINT64_MAX, UINT64_MAX }, { UINT64_MAX, 0 },
	};
	kin_segment *seg = anonymous(BYTES);
	kin_view *view = NULL;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_kin_fails(-EINVAL, kin_view_create(&view, seg,
		    KIN_OPTS(kin_view_opts, .offset = wrong[i].offset,
			     .bytes = wrong[i].bytes)));
	ck_kin_fails(-EINVAL, kin_view_create(&view, seg,
	    KIN_OPTS(kin_view_opts, .flags = 2)));
	ck_assert_ptr_null(view);
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_read_only_one_is_of_memory_that_others_write)
{
	kin_segment *seg = anonymous(BYTES);
	kin_view *view = view_of(seg, 100, 100, KIN_VIEW_READONLY);

	ck_assert_int_eq(kin_view_writable(view), 0);
	ck_assert_int_eq(kin_segment_writable(seg), 1);
	strcpy((char *)kin_segment_data(seg) + 100, "written");
	ck_assert_str_eq(kin_view_data(view), "written");
	ck_assert(store_ends_by(SIGSEGV, kin_view_data(view)));
	kin_view_close(view);
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_frozen_segments_views_are_frozen)
{
	kin_segment *seg = anonymous(BYTES);
	kin_view *before = view_of(seg, 0, 10, 0), *after;

	/* They hold the very mapping: nobody is in the way. */
	ck_kin_ok(kin_segment_seal(seg));
	ck_assert_int_eq(kin_view_writable(before), 0);
	after = view_of(seg, 0, 10, 0);
	ck_assert(store_ends_by(SIGSEGV, kin_view_data(before)));
	ck_assert(store_ends_by(SIGSEGV, kin_view_data(after)));
	kin_view_close(before);
	kin_view_close(after);
	kin_segment_close(seg);
}
END_TEST

/* ---- travel ---- */

static int
use_view(kin_call *call)
{
	kin_view *view;
	int r = kin_call_take(call, &view);

	if (r < 0)
		return r;
	if (strcmp(kin_view_data(view), "hello") != 0)
		return 1;
	if (kin_view_writable(view))
		strcpy(kin_view_data(view), "there");
	return kin_call_return(call, kin_view_bytes(view),
			       kin_view_offset(view), kin_view_writable(view));
}

static void
ck_arrives(const kin_view *view, int writable)
{
	kin_process *p = start(use_view, KIN_ARGS(view));
	uint64_t bytes, offset;
	int may;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&bytes, &offset, &may),
				     KIT_PATIENCE));
	ck_assert_uint_eq(bytes, kin_view_bytes(view));
	ck_assert_uint_eq(offset, kin_view_offset(view));
	ck_assert_int_eq(may, writable);
	ck_exited(finish(p), 0);
}

START_TEST(it_travels_as_large_and_as_read_only_as_it_is)
{
	kin_segment *seg = anonymous(BYTES);
	kin_view *view = view_of(seg, 4097, 77, 0);
	kin_view *reader = view_of(seg, 4097, 77, KIN_VIEW_READONLY);
	char *at = kin_view_data(view);

	strcpy(at, "hello");
	ck_arrives(reader, 0);
	ck_assert_str_eq(at, "hello");
	ck_arrives(view, 1);
	ck_assert_str_eq(at, "there");
	strcpy(at, "hello");
	ck_kin_ok(kin_segment_seal(seg));
	ck_arrives(view, 0);
	kin_view_close(view);
	kin_view_close(reader);
	kin_segment_close(seg);
}
END_TEST

START_TEST(it_is_no_other_thing)
{
	kin_segment *seg = anonymous(BYTES), *wrong = NULL;
	kin_view *view = view_of(seg, 0, 10, 0), *again;
	kin_conn *ends[2];
	kin_proxy *proxy = NULL;
	kin_values *v;

	ck_kin_ok(kin_pipe(&ends[0], &ends[1], NULL));
	ck_kin_ok(kin_conn_send_values(ends[0], KIN_ARGS(view),
				       KIT_PATIENCE));
	ck_kin_ok(kin_conn_recv_values(ends[1], &v, KIT_PATIENCE));
	ck_kin_fails(-EINVAL, kin_values_take(v, &wrong));
	ck_kin_fails(-EINVAL, kin_values_take(v, &proxy));
	ck_kin_ok(kin_values_take(v, &again));
	ck_assert_uint_eq(kin_view_bytes(again), 10);
	kin_values_free(v);
	kin_view_close(view);
	ck_kin_ok(kin_view_create(&view, seg, NULL));
	ck_kin_ok(kin_conn_send_values(ends[0], KIN_ARGS(seg),
				       KIT_PATIENCE));
	ck_kin_ok(kin_conn_recv_values(ends[1], &v, KIT_PATIENCE));
	ck_kin_fails(-EINVAL, kin_values_take(v, &again));
	kin_values_free(v);
	ck_kin_fails(-EOPNOTSUPP, kin_values_pack(&v, KIN_ARGS(view)));
	kin_view_close(view);
	kin_conn_close(ends[0]);
	kin_conn_close(ends[1]);
	kin_segment_close(seg);
}
END_TEST

/* What a peer may send: a view of what is not there. */
START_TEST(one_that_lies_outside_is_refused_where_it_arrives)
{
	static const uint64_t odd[][2] = {
		{ BYTES, 1 }, { 0, BYTES + 1 }, { 0, 0 }, { UINT64_MAX, 2 },
		{ 1, UINT64_MAX },
	};
	kin_segment *seg = anonymous(BYTES);
	kin_view *view = view_of(seg, 0, 10, 0), *none = NULL;
	kin_conn *ends[2];
	kin_values *v;
	size_t i;

	ck_kin_ok(kin_pipe(&ends[0], &ends[1], NULL));
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct kin_view spoilt = *view;

		spoilt.offset = odd[i][0];
		spoilt.bytes = odd[i][1];
		ck_kin_ok(kin_conn_send_values(ends[0], KIN_ARGS(&spoilt),
					       KIT_PATIENCE));
		ck_kin_ok(kin_conn_recv_values(ends[1], &v, KIT_PATIENCE));
		ck_kin_fails(-EPROTO, kin_values_take(v, &none));
		kin_values_free(v);
	}
	ck_assert_ptr_null(none);
	kin_conn_close(ends[0]);
	kin_conn_close(ends[1]);
	kin_view_close(view);
	kin_segment_close(seg);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("view");
	TCase *tc = kit_case(suite, "views");

	tcase_add_test(tc, a_view_is_that_part_of_it);
	tcase_add_test(tc, it_holds_the_memory_without_the_segments_handle);
	tcase_add_test(tc, what_lies_outside_is_no_view);
	tcase_add_test(tc, a_read_only_one_is_of_memory_that_others_write);
	tcase_add_test(tc, a_frozen_segments_views_are_frozen);

	tc = kit_case(suite, "travel");
	tcase_add_test(tc, it_travels_as_large_and_as_read_only_as_it_is);
	tcase_add_test(tc, it_is_no_other_thing);
	tcase_add_test(tc, one_that_lies_outside_is_refused_where_it_arrives);
	return kit_run(suite);
}
