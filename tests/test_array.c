/* SPDX-License-Identifier: MIT */
/*
 * test_array.c - the promises of kin/array.h and kin/cell.h
 */
#include <errno.h>
#include <float.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"

static kin_array *
array_of(uint32_t type, size_t count, uint32_t flags)
{
	kin_array *a;

	ck_kin_ok(kin_array_create(&a, KIN_OPTS(kin_array_opts, .type = type,
						.count = count,
						.flags = flags)));
	return a;
}

/* ---- elements ---- */

START_TEST(elements_are_what_was_written)
{
	static const int16_t some[3] = { -1, 32767, -32768 };
	kin_array *a = array_of(KIN_ARRAY_INT16, 10, 0);
	int16_t all[10];
	int i;

	ck_assert_uint_eq(kin_array_count(a), 10);
	ck_assert_uint_eq(kin_array_element_bytes(a), 2);
	ck_assert_uint_eq(kin_array_type(a), KIN_ARRAY_INT16);
	ck_kin_ok(kin_array_write(a, 7, 3, some, KIN_NOWAIT));
	ck_kin_ok(kin_array_read(a, 0, 10, all, KIN_NOWAIT));
	for (i = 0; i < 7; i++)
		ck_assert_int_eq(all[i], 0);
	ck_assert_mem_eq(all + 7, some, sizeof(some));
	*KIN_ARRAY_AT(a, int16_t, 0) = 5;
	ck_kin_ok(kin_array_read(a, 0, 1, all, KIN_NOWAIT));
	ck_assert_int_eq(all[0], 5);
	ck_kin_ok(kin_array_read(a, 10, 0, NULL, KIN_NOWAIT));
	kin_array_close(a);
}
END_TEST

START_TEST(outside_there_are_none)
{
	kin_array *a = array_of(KIN_ARRAY_UINT64, 4, 0);
	uint64_t x[8] = { 0 };

	ck_kin_fails(-EINVAL, kin_array_write(a, 4, 1, x, KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_array_write(a, 2, 3, x, KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_array_read(a, SIZE_MAX, 2, x, KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_array_read(a, 1, SIZE_MAX, x, KIN_NOWAIT));
	ck_assert_ptr_null(kin_array_at(a, 4, 8));
	ck_assert_ptr_null(kin_array_at(a, 0, 4));
	ck_assert_ptr_nonnull(KIN_ARRAY_AT(a, uint64_t, 3));
	kin_array_close(a);
}
END_TEST

START_TEST(every_type_has_its_size)
{
	static const size_t bytes[] = { 0, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8 };
	unsigned char in[600], out[600];
	uint32_t type, record;
	size_t i;

	for (type = KIN_ARRAY_INT8; type <= KIN_ARRAY_DOUBLE; type++) {
		kin_array *a = array_of(type, 3, type % 2 ? KIN_ARRAY_LOCKED
							  : 0);

		ck_assert_uint_eq(kin_array_element_bytes(a), bytes[type]);
		ck_assert_uint_eq((uintptr_t)kin_array_at(a, 0, bytes[type]) %
				  64, 0);
		kin_array_close(a);
	}
	for (i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)(i * 31 + 1);
	for (record = 1; record < 200; record += 13) {
		kin_array *a;

		ck_kin_ok(kin_array_create(&a, KIN_OPTS(kin_array_opts,
		    .type = KIN_ARRAY_RECORD, .record_bytes = record,
		    .count = 5)));
		ck_kin_ok(kin_array_write(a, 1, 3, in + 1, KIN_NOWAIT));
		ck_kin_ok(kin_array_read(a, 1, 3, out, KIN_NOWAIT));
		ck_assert_mem_eq(in + 1, out, 3 * record);
		ck_kin_ok(kin_array_read(a, 0, 1, out, KIN_NOWAIT));
		ck_assert_mem_eq(out, (char[200]){ 0 }, record);
		ck_kin_ok(kin_array_read(a, 4, 1, out, KIN_NOWAIT));
		ck_assert_mem_eq(out, (char[200]){ 0 }, record);
		kin_array_close(a);
	}
}
END_TEST

START_TEST(at_random_it_is_what_plain_memory_is)
{
	kin_array *a = array_of(KIN_ARRAY_INT32, 700, KIN_ARRAY_LOCKED);
	int32_t model[700] = { 0 }, some[700];
	uint32_t state = 0x61727279;
	int turn;

	for (turn = 0; turn < 3000; turn++) {
		size_t first = next_random(&state) % 701;
		size_t n = next_random(&state) % (701 - first), i;

		if (next_random(&state) % 2 == 0) {
			for (i = 0; i < n; i++)
				model[first + i] = some[i] =
				    (int32_t)next_random(&state);
			ck_fast(kin_array_write(a, first, n, some,
						KIN_NOWAIT) == 0);
		} else {
			ck_fast(kin_array_read(a, first, n, some,
					       KIN_NOWAIT) == 0);
			ck_fast(memcmp(some, model + first,
				       n * sizeof(int32_t)) == 0);
		}
	}
	kin_array_close(a);
}
END_TEST

/* ---- its lock ---- */

START_TEST(its_lock_is_taken_by_each_call)
{
	kin_array *a = array_of(KIN_ARRAY_DOUBLE, 4, KIN_ARRAY_LOCKED);
	double x = 1;
	pid_t pid;

	ck_kin_ok(kin_lock_acquire(kin_array_lock(a), KIN_NOWAIT));
	ck_kin_ok(kin_array_write(a, 0, 1, &x, KIN_NOWAIT));	/* ours */
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_array_write(a, 0, 1, &x, KIN_NOWAIT) != -ETIMEDOUT);
	kit_reap(pid, 0);
	ck_kin_ok(kin_lock_release(kin_array_lock(a)));
	kin_array_close(a);
	a = array_of(KIN_ARRAY_DOUBLE, 4, 0);
	ck_assert_ptr_null(kin_array_lock(a));
	kin_array_close(a);
}
END_TEST

START_TEST(a_holders_death_is_told_until_it_is_put_right)
{
	kin_array *a = array_of(KIN_ARRAY_DOUBLE, 4, KIN_ARRAY_LOCKED);
	double x = 1;
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(kin_lock_acquire(kin_array_lock(a), KIN_NOWAIT));
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_array_write(a, 0, 1, &x, KIT_PATIENCE), 1);
	ck_assert_int_eq(kin_array_read(a, 0, 1, &x, KIT_PATIENCE), 1);
	ck_assert_int_eq(kin_lock_acquire(kin_array_lock(a), KIT_PATIENCE),
			 1);
	ck_kin_ok(kin_lock_consistent(kin_array_lock(a)));
	ck_kin_ok(kin_lock_release(kin_array_lock(a)));
	ck_assert_int_eq(kin_array_read(a, 0, 1, &x, KIT_PATIENCE), 0);
	kin_array_close(a);
}
END_TEST

#define SLICE	500

/* Its slices are all of one number: with the lock, nobody sees two. */
static void
write_slices(kin_array *a, int32_t n)
{
	int32_t slice[SLICE];
	int i;

	for (;; n += 2) {
		for (i = 0; i < SLICE; i++)
			slice[i] = n;
		if (kin_array_write(a, 0, SLICE, slice, KIT_PATIENCE) != 0)
			_exit(1);
	}
}

START_TEST(with_its_lock_slices_are_whole)
{
	kin_array *a = array_of(KIN_ARRAY_INT32, SLICE, KIN_ARRAY_LOCKED);
	int32_t slice[SLICE], last = 0;
	pid_t pids[2];
	int i, seen = 0;

	for (i = 0; i < 2; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0)
			write_slices(a, i + 1);
	}
	while (seen < 300) {
		ck_fast(kin_array_read(a, 0, SLICE, slice, KIT_PATIENCE) == 0);
		for (i = 1; i < SLICE; i++)
			ck_fast(slice[i] == slice[0]);
		seen += slice[0] != last;
		last = slice[0];
	}
	kit_kill(pids[0]);
	kit_kill(pids[1]);
	kin_array_close(a);
}
END_TEST

/* ---- places ---- */

static int
try_make(struct kin_array_opts opts)
{
	kin_array *a;

	opts.size = sizeof(opts);
	return kin_array_create(&a, &opts);
}

START_TEST(what_can_not_be_is_refused)
{
	kin_segment *plain = anonymous(4096);

	ck_kin_fails(-EINVAL, kin_array_create(&(kin_array *){ 0 }, NULL));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){ .count = 1 }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8 }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = UINT64_MAX }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_RECORD, .count = 1 }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 1, .record_bytes = 1 }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 1, .flags = 2 }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 1, .segment = plain,
		.flags = KIN_ARRAY_LOCKED }));
	ck_kin_fails(-ENOSPC, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 4096, .segment = plain }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 1, .members = 4 }));
	kin_segment_close(plain);
	kin_array_close(NULL);
}
END_TEST

START_TEST(without_a_lock_any_segment_will_do)
{
	kin_segment *plain = anonymous(4096);
	kin_array *a, *again;
	float x = 0.5f;

	ck_kin_ok(kin_array_create(&a, KIN_OPTS(kin_array_opts,
	    .type = KIN_ARRAY_FLOAT, .count = 100, .segment = plain,
	    .offset = 64)));
	ck_kin_ok(kin_array_attach_at(&again, plain, 64));
	ck_assert_uint_eq(kin_array_offset(again), 64);
	ck_kin_ok(kin_array_write(a, 99, 1, &x, KIN_NOWAIT));
	ck_assert(*KIN_ARRAY_AT(again, float, 99) == 0.5f);
	kin_array_close(again);
	kin_array_close(a);
	kin_segment_close(plain);
}
END_TEST

START_TEST(it_lives_in_a_block_of_a_heap)
{
	struct kin_array_opts opts = {
		.size = sizeof(opts), .type = KIN_ARRAY_INT32, .count = 100,
		.flags = KIN_ARRAY_LOCKED,
	};
	struct kin_heap_usage usage;
	kin_array *a, *again;
	int32_t x = 7;
	int turn;

	ck_kin_ok(kin_heap_create(&opts.heap, NULL));
	for (turn = 0; turn < 3; turn++) {	/* where one was before, too */
		ck_kin_ok(kin_array_create(&a, &opts));
		ck_kin_ok(kin_heap_publish(opts.heap, kin_array_offset(a),
					   kin_heap_root(opts.heap, 0),
					   KIN_NOWAIT));
		ck_kin_ok(kin_array_attach_at(&again,
		    kin_heap_segment(opts.heap),
		    *kin_heap_root(opts.heap, 0)));
		ck_assert_int_eq(*KIN_ARRAY_AT(again, int32_t, 99), 0);
		ck_kin_ok(kin_array_write(again, 99, 1, &x, KIN_NOWAIT));
		ck_assert_int_eq(*KIN_ARRAY_AT(a, int32_t, 99), 7);
		kin_array_close(again);
		kin_array_close(a);
		ck_kin_ok(kin_heap_free(opts.heap,
					*kin_heap_root(opts.heap, 0),
					KIN_NOWAIT));
	}
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 1, .heap = opts.heap,
		.label = "x" }));
	ck_kin_fails(-EINVAL, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 0, .heap = opts.heap }));
	ck_kin_fails(-ENOSPC, try_make((struct kin_array_opts){
		.type = KIN_ARRAY_INT8, .count = 2u << 20,
		.heap = opts.heap }));
	kin_heap_stats(opts.heap, &usage);
	ck_assert_uint_eq(usage.used, 0);
	kin_heap_close(opts.heap);
}
END_TEST

static int
double_it(kin_call *call)
{
	kin_array *a;
	kin_cell *sum;
	size_t i;
	int r = kin_call_take(call, &a, &sum);

	for (i = 0; r == 0 && i < kin_array_count(a); i++) {
		double *x = KIN_ARRAY_AT(a, double, i);

		*x *= 2;
		r = kin_cell_add_double(sum, *x, NULL);
	}
	return r;
}
KIN_ENTRY(double_it);

START_TEST(they_are_arguments_placed_or_not)
{
	kin_array *a = array_of(KIN_ARRAY_DOUBLE, 3, KIN_ARRAY_LOCKED);
	kin_heap *heap;
	kin_cell *sum;
	double x[3] = { 1, 2, 3.5 };

	ck_kin_ok(kin_heap_create(&heap, NULL));
	ck_kin_ok(kin_cell_create(&sum, KIN_OPTS(kin_cell_opts,
	    .type = KIN_CELL_DOUBLE, .heap = heap)));
	ck_kin_ok(kin_array_write(a, 0, 3, x, KIN_NOWAIT));
	ck_exited(finish(start(double_it, KIN_ARGS(a, sum))), 0);
	ck_kin_ok(kin_array_read(a, 0, 3, x, KIN_NOWAIT));
	ck_assert(x[0] == 2 && x[1] == 4 && x[2] == 7);
	ck_kin_ok(kin_cell_get_double(sum, x));
	ck_assert(x[0] == 13);
	kin_cell_close(sum);
	kin_heap_close(heap);
	kin_array_close(a);
}
END_TEST

/* ---- cells ---- */

static kin_cell *
cell_of(uint32_t type)
{
	kin_cell *cell;

	ck_kin_ok(kin_cell_create(&cell, KIN_OPTS(kin_cell_opts,
						  .type = type)));
	return cell;
}

static int64_t
value_of(kin_cell *cell)
{
	int64_t ret;

	ck_kin_ok(kin_cell_get(cell, &ret));
	return ret;
}

START_TEST(a_cell_is_a_number)
{
	kin_cell *cell = cell_of(KIN_CELL_INT);
	int64_t was;
	double x;

	ck_assert_int_eq(value_of(cell), 0);
	ck_kin_ok(kin_cell_set(cell, INT64_MAX));
	ck_kin_ok(kin_cell_add(cell, 1, &was));
	ck_assert_int_eq(was, INT64_MAX);
	ck_assert_int_eq(value_of(cell), INT64_MIN);
	ck_kin_ok(kin_cell_swap(cell, -5, &was));
	ck_assert_int_eq(was, INT64_MIN);
	was = 7;
	ck_assert_int_eq(kin_cell_cas(cell, &was, 9), 0);
	ck_assert_int_eq(was, -5);
	ck_assert_int_eq(kin_cell_cas(cell, &was, 9), 1);
	ck_assert_int_eq(value_of(cell), 9);
	ck_kin_fails(-EINVAL, kin_cell_get_double(cell, &x));
	ck_kin_fails(-EINVAL, kin_cell_set_double(cell, 1));
	ck_kin_fails(-EINVAL, kin_cell_add_double(cell, 1, NULL));
	ck_kin_fails(-EINVAL, kin_cell_cas_double(cell, &x, 1));
	ck_assert_ptr_null(kin_cell_lock(cell));
	kin_cell_close(cell);
	kin_cell_close(NULL);
}
END_TEST

START_TEST(or_a_double)
{
	kin_cell *cell = cell_of(KIN_CELL_DOUBLE);
	int64_t n = 0;
	double x;

	ck_kin_ok(kin_cell_set_double(cell, DBL_MAX));
	ck_kin_ok(kin_cell_get_double(cell, &x));
	ck_assert(x == DBL_MAX);
	ck_assert_int_eq(kin_cell_cas_double(cell, &x, -0.0), 1);
	x = 0.0;			/* another one than -0.0 */
	ck_assert_int_eq(kin_cell_cas_double(cell, &x, 1), 0);
	ck_kin_ok(kin_cell_add_double(cell, 2.5, &x));
	ck_assert(x == 0);
	ck_kin_ok(kin_cell_get_double(cell, &x));
	ck_assert(x == 2.5);
	ck_kin_fails(-EINVAL, kin_cell_get(cell, &n));
	ck_kin_fails(-EINVAL, kin_cell_set(cell, 1));
	ck_kin_fails(-EINVAL, kin_cell_add(cell, 1, NULL));
	ck_kin_fails(-EINVAL, kin_cell_swap(cell, 1, NULL));
	ck_kin_fails(-EINVAL, kin_cell_cas(cell, &n, 1));
	kin_cell_close(cell);
}
END_TEST

#define ADDS	20000

static void
add_many(kin_cell *n, kin_cell *x)
{
	int i;

	for (i = 0; i < ADDS; i++)
		if (kin_cell_add(n, 3, NULL) < 0 ||
		    kin_cell_add_double(x, 0.5, NULL) < 0)
			_exit(1);
	_exit(0);
}

START_TEST(no_addition_is_lost)
{
	kin_cell *n = cell_of(KIN_CELL_UINT), *x = cell_of(KIN_CELL_DOUBLE);
	pid_t pids[3];
	double sum;
	int i;

	for (i = 0; i < 3; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0)
			add_many(n, x);
	}
	for (i = 0; i < 3; i++)
		kit_reap(pids[i], 0);
	ck_assert_int_eq(value_of(n), 3 * 3 * ADDS);
	ck_kin_ok(kin_cell_get_double(x, &sum));
	ck_assert(sum == 3 * 0.5 * ADDS);
	kin_cell_close(x);
	kin_cell_close(n);
}
END_TEST

START_TEST(a_cell_may_have_a_lock)
{
	kin_cell *cell, *again;

	ck_kin_ok(kin_cell_create(&cell, KIN_OPTS(kin_cell_opts,
	    .flags = KIN_CELL_LOCKED, .label = "total")));
	ck_kin_ok(kin_cell_attach(&again, kin_cell_fd(cell)));
	ck_assert_str_eq(kin_cell_label(again), "total");
	ck_kin_ok(kin_lock_acquire(kin_cell_lock(again), KIN_NOWAIT));
	ck_kin_ok(kin_cell_set(again, 4));
	ck_kin_ok(kin_lock_release(kin_cell_lock(again)));
	ck_assert_int_eq(value_of(cell), 4);
	kin_cell_close(again);
	kin_cell_close(cell);
	ck_kin_fails(-EINVAL, kin_cell_create(&cell, KIN_OPTS(kin_cell_opts,
	    .type = 3)));
	ck_kin_fails(-EINVAL, kin_cell_create(&cell, KIN_OPTS(kin_cell_opts,
	    .flags = 2)));
	ck_kin_fails(-EINVAL, kin_cell_create(&cell, KIN_OPTS(kin_cell_opts,
	    .members = 2)));
	ck_assert_uint_eq(kin_cell_room(NULL), 128);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("array");
	TCase *tc = kit_case(suite, "elements");

	tcase_add_test(tc, elements_are_what_was_written);
	tcase_add_test(tc, outside_there_are_none);
	tcase_add_test(tc, every_type_has_its_size);
	tcase_add_test(tc, at_random_it_is_what_plain_memory_is);

	tc = kit_case(suite, "lock");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, its_lock_is_taken_by_each_call);
	tcase_add_test(tc, a_holders_death_is_told_until_it_is_put_right);
	tcase_add_test(tc, with_its_lock_slices_are_whole);

	tc = kit_case(suite, "places");
	tcase_add_test(tc, what_can_not_be_is_refused);
	tcase_add_test(tc, without_a_lock_any_segment_will_do);
	tcase_add_test(tc, it_lives_in_a_block_of_a_heap);
	tcase_add_test(tc, they_are_arguments_placed_or_not);

	tc = kit_case(suite, "cells");
	tcase_add_test(tc, a_cell_is_a_number);
	tcase_add_test(tc, or_a_double);
	tcase_add_test(tc, no_addition_is_lost);
	tcase_add_test(tc, a_cell_may_have_a_lock);
	return kit_run(suite);
}
