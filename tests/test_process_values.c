/* SPDX-License-Identifier: MIT */
/*
 * test_process_values.c - what goes to a child as arguments, and what comes
 * back as its result
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/child.h"

#define BIG	(64u << 20)

/* For places that are to stay as they are. */
static char mark;
#define UNTOUCHED	((void *)&mark)

/* Its result is there, and its end was good. */
static void
let_go(kin_process *p, int code)
{
	ck_exited(finish(p), code);
}

static unsigned char *
pattern(size_t len)
{
	unsigned char *bytes = malloc(len);
	uint32_t state = 12345;
	size_t i;

	if (bytes == NULL)
		abort();		/* in a child, too, without Check */
	for (i = 0; i < len; i++)
		bytes[i] = (unsigned char)next_random(&state);
	return bytes;
}

/* ---- there and back ---- */

static int
give_back(kin_call *call)
{
	return kin_call_return(call, kin_call_values(call));
}
KIN_ENTRY(give_back);

START_TEST(every_kind_of_value_goes_there_and_back)
{
	kin_process *p;
	struct kin_cursor all;
	bool yes = false;
	int64_t least;
	uint64_t most;
	double x;
	const char *text, *str;
	char *copy;
	const void *bin;
	size_t str_len, bin_len;

	p = start(give_back, KIN_ARGS(KIN_NIL, KIN_BOOL(1), INT64_MIN,
				      UINT64_MAX, 2.5, "text", "copied",
				      KIN_STR("a\0b", 3), KIN_BIN("\0\1", 2)));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&all), KIT_PATIENCE));
	ck_kin_ok(kin_cursor_next(&all, KIN_ANY));
	ck_kin_ok(kin_cursor_next(&all, &yes));
	ck_kin_ok(kin_cursor_next(&all, &least));
	ck_kin_ok(kin_cursor_next(&all, &most));
	ck_kin_ok(kin_cursor_next(&all, &x));
	ck_kin_ok(kin_cursor_next(&all, &text));
	ck_kin_ok(kin_cursor_next(&all, &copy));
	ck_kin_ok(kin_cursor_next(&all, KIN_STR(&str, &str_len)));
	ck_kin_ok(kin_cursor_next(&all, KIN_BIN(&bin, &bin_len)));
	ck_assert_int_eq(kin_cursor_next(&all, KIN_ANY), 0);
	ck_assert(yes);
	ck_assert_int_eq(least, INT64_MIN);
	ck_assert_uint_eq(most, UINT64_MAX);
	ck_assert_double_eq(x, 2.5);
	ck_assert_str_eq(text, "text");
	ck_assert_str_eq(copy, "copied");
	ck_assert_uint_eq(str_len, 3);
	ck_assert_int_eq(memcmp(str, "a\0b", 3), 0);
	ck_assert_uint_eq(bin_len, 2);
	ck_assert_int_eq(memcmp(bin, "\0\1", 2), 0);
	free(copy);
	let_go(p, 0);
}
END_TEST

static int
turn_round(kin_call *call)
{
	int v[20], r;

	r = kin_call_take(call, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
			  &v[6], &v[7], &v[8], &v[9], &v[10], &v[11], &v[12],
			  &v[13], &v[14], &v[15], &v[16], &v[17], &v[18],
			  &v[19]);
	if (r < 0)
		return r;
	return kin_call_return(call, v[19], v[18], v[17], v[16], v[15], v[14],
			       v[13], v[12], v[11], v[10], v[9], v[8], v[7],
			       v[6], v[5], v[4], v[3], v[2], v[1], v[0]);
}
KIN_ENTRY(turn_round);

START_TEST(twenty_go_and_twenty_come)
{
	kin_process *p = start(turn_round, KIN_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9,
						    10, 11, 12, 13, 14, 15, 16,
						    17, 18, 19, 20));
	int v[20], i;

	ck_kin_ok(kin_process_result(p, KIN_TAKE(
	    &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8],
	    &v[9], &v[10], &v[11], &v[12], &v[13], &v[14], &v[15], &v[16],
	    &v[17], &v[18], &v[19]), KIT_PATIENCE));
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(v[i], 20 - i);
	let_go(p, 0);
}
END_TEST

static int
add_up(kin_call *call)
{
	struct kin_cursor list, map;
	const char *key;
	int n, r, sum = 0;

	r = kin_call_take(call, &list, &map);
	while (r >= 0 && (r = kin_cursor_next(&list, &n)) > 0)
		sum += n;
	while (r >= 0 && (r = kin_cursor_next(&map, &key, &n)) > 0)
		sum += n * (int)strlen(key);
	return r < 0 ? r : kin_call_return(call, sum);
}
KIN_ENTRY(add_up);

START_TEST(arrays_and_maps_go_too)
{
	kin_builder *list, *map;
	kin_process *p;
	int sum;

	ck_kin_ok(kin_builder_new(&list));
	ck_kin_ok(kin_builder_array(list));
	ck_kin_ok(kin_builder_add(list, 1, 2, 3));
	ck_kin_ok(kin_builder_end(list));
	ck_kin_ok(kin_builder_new(&map));
	ck_kin_ok(kin_builder_map(map));
	ck_kin_ok(kin_builder_add(map, "ten", 10, "hundred", 100));
	ck_kin_ok(kin_builder_end(map));
	p = start(add_up, KIN_ARGS(list, map));
	kin_builder_free(list);
	kin_builder_free(map);
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&sum), KIT_PATIENCE));
	ck_assert_int_eq(sum, 6 + 30 + 700);
	let_go(p, 0);
}
END_TEST

/* ---- sizes ---- */

static int
return_bytes(kin_call *call)
{
	const void *bytes;
	size_t len;
	int r = kin_call_take(call, KIN_BIN(&bytes, &len));

	return r < 0 ? r : kin_call_return(call, KIN_BIN(bytes, len));
}
KIN_ENTRY(return_bytes);

/* From nothing over the slip's room and a memfd's page to many pages. */
START_TEST(results_of_all_sizes_come_whole)
{
	static const size_t sizes[] = { 0, 1, 100, 3700, 3790, 3800, 3801,
					3802, 3803, 3804, 3805, 3806, 3807,
					3808, 3809, 3810, 3900, 4096, 8192,
					65536, 1000003 };
	unsigned char *bytes = pattern(1000003);
	size_t i, len;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		kin_process *p = start(return_bytes,
				       KIN_ARGS(KIN_BIN(bytes, sizes[i])));
		const void *back;

		ck_kin_ok(kin_process_result(p, KIN_TAKE(KIN_BIN(&back, &len)),
					     KIT_PATIENCE));
		ck_assert_uint_eq(len, sizes[i]);
		ck_assert_int_eq(memcmp(back, bytes, len), 0);
		let_go(p, 0);
	}
	free(bytes);
}
END_TEST

static int
return_big(kin_call *call)
{
	unsigned char *mine;
	const void *bytes;
	size_t len;
	int r;

	r = kin_call_take(call, KIN_BIN(&bytes, &len));
	if (r < 0)
		return r;
	mine = pattern(BIG);
	r = len == BIG && memcmp(bytes, mine, BIG) == 0 ? 0 : -EBADMSG;
	if (r == 0)
		r = kin_call_return(call, KIN_BIN(mine, BIG));
	free(mine);
	return r;
}
KIN_ENTRY(return_big);

/* It ends though nobody reads, and what it gave is there afterwards. */
START_TEST(sixty_four_megabytes_go_and_come_with_nobody_reading)
{
	unsigned char *bytes = pattern(BIG);
	kin_process *p = start(return_big, KIN_ARGS(KIN_BIN(bytes, BIG)));
	const void *back;
	size_t len;

	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(KIN_BIN(&back, &len)),
				     KIN_NOWAIT));
	ck_assert_uint_eq(len, BIG);
	ck_assert_int_eq(memcmp(back, bytes, BIG), 0);
	free(bytes);
	let_go(p, 0);
}
END_TEST

/* Nor need anybody ever read. */
START_TEST(a_big_result_that_nobody_wants_is_let_go_of)
{
	unsigned char *bytes = pattern(1 << 20);
	int i;

	for (i = 0; i < 3; i++)
		let_go(start(give_back, KIN_ARGS(KIN_BIN(bytes, 1 << 20))), 0);
	free(bytes);
}
END_TEST

START_TEST(an_argument_over_the_limit_is_refused_by_name)
{
	static const char table[1000];
	kin_process *p = UNTOUCHED;

	ck_assert_int_eq(kin_process_start(&p, give_back,
	    KIN_ARGS(1, KIN_BIN(table, sizeof(table))),
	    KIN_OPTS(kin_process_opts, .max_copy_bytes = 999)), -EMSGSIZE);
	ck_assert_ptr_eq(p, UNTOUCHED);
	ck_assert_msg(strstr(kin_errmsg(), "'table'") != NULL, "%s",
		      kin_errmsg());
	ck_kin_ok(kin_process_start(&p, give_back,
	    KIN_ARGS(1, KIN_BIN(table, sizeof(table))),
	    KIN_OPTS(kin_process_opts, .max_copy_bytes = 1000)));
	let_go(p, 0);
}
END_TEST

START_TEST(an_argument_that_is_no_value_is_refused)
{
	kin_process *p = UNTOUCHED;

	ck_kin_fails(-EINVAL, kin_process_start(&p, give_back,
	    KIN_ARGS(1, (const char *)NULL), NULL));
	ck_kin_fails(-EINVAL, kin_process_start(&p, give_back,
	    KIN_ARGS((kin_queue *)NULL), NULL));
	ck_assert_ptr_eq(p, UNTOUCHED);
}
END_TEST

/* ---- taking ---- */

static int
take_wrongly(kin_call *call)
{
	const char *text = UNTOUCHED;
	int n = -77, one = -77;

	if (kin_call_take(call, &one) != -EINVAL || one != -77)
		return 1;
	if (kin_call_take(call, &n, &one) != -EINVAL || n != -77)
		return 2;
	if (strstr(kin_errmsg(), "argument 2") == NULL)
		return 3;
	if (kin_call_take(call, &n, &text, &one) != -EINVAL ||
	    n != -77 || text != UNTOUCHED)
		return 4;
	if (kin_call_take(call, &n, &text) != 0 || n != 5 ||
	    strcmp(text, "five") != 0)
		return 5;
	return kin_call_return(call, text);
}
KIN_ENTRY(take_wrongly);

START_TEST(a_wrong_take_takes_nothing)
{
	kin_process *p = start(take_wrongly, KIN_ARGS(5, "five"));
	const char *text = UNTOUCHED;
	int n = -77;

	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	ck_kin_fails(-EINVAL, kin_process_result(p, KIN_TAKE(&n), KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_process_result(p, KIN_TAKE(&text, &n),
						 KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_process_result(p, KIN_TAKE(), KIN_NOWAIT));
	ck_assert_int_eq(n, -77);
	ck_assert_ptr_eq(text, UNTOUCHED);
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&text), KIN_NOWAIT));
	ck_assert_str_eq(text, "five");
	let_go(p, 0);
}
END_TEST

static int
return_one(kin_call *call)
{
	return kin_call_return(call, 300, "once more");
}
KIN_ENTRY(return_one);

START_TEST(a_result_can_be_taken_again_and_again)
{
	kin_process *p = start(return_one, KIN_ARGS());
	const char *text;
	unsigned char small;
	char *copy;
	int n, i;

	for (i = 0; i < 3; i++) {
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&n, &copy),
					     KIT_PATIENCE));
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&n, &text),
					     KIN_NOWAIT));
		ck_assert_int_eq(n, 300);
		ck_assert_str_eq(copy, text);
		free(copy);
		ck_kin_fails(-ERANGE, kin_process_result(p,
		    KIN_TAKE(&small, &text), KIN_NOWAIT));
	}
	let_go(p, 0);
}
END_TEST

static void *
take_it(void *arg)
{
	uintptr_t bad = 0;
	int i;

	for (i = 0; i < 50; i++) {
		char *copy = NULL;
		int n = 0;

		if (kin_process_result(arg, KIN_TAKE(&n, &copy),
				       KIT_PATIENCE) < 0 ||
		    n != 300 || strcmp(copy, "once more") != 0)
			bad++;
		free(copy);
	}
	return (void *)bad;
}

START_TEST(many_threads_may_take_one)
{
	kin_process *p = start(return_one, KIN_ARGS());
	pthread_t threads[4];
	void *bad;
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_it, p),
				 0);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
	let_go(p, 0);
}
END_TEST

static void
add_values(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "values", kind);

	tcase_add_test(tc, every_kind_of_value_goes_there_and_back);
	tcase_add_test(tc, twenty_go_and_twenty_come);
	tcase_add_test(tc, arrays_and_maps_go_too);
	tcase_add_test(tc, results_of_all_sizes_come_whole);
	tcase_add_test(tc,
	    sixty_four_megabytes_go_and_come_with_nobody_reading);
	tcase_add_test(tc, a_big_result_that_nobody_wants_is_let_go_of);
	tcase_add_test(tc, an_argument_over_the_limit_is_refused_by_name);
	tcase_add_test(tc, an_argument_that_is_no_value_is_refused);
	tcase_add_test(tc, a_wrong_take_takes_nothing);
	tcase_add_test(tc, a_result_can_be_taken_again_and_again);
	tcase_add_test(tc, many_threads_may_take_one);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_values");
	uint32_t kind;
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++)
		add_values(suite, kind);
	return kit_run(suite);
}
