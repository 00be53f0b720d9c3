/* SPDX-License-Identifier: MIT */
/*
 * test_record_table.c - the promises of kin/table.h
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/board.h"
#include "tests/child.h"
#include "tests/segments.h"

static kin_table *
table_of(uint64_t count, uint32_t bytes)
{
	kin_table *t;

	ck_kin_ok(kin_table_create(&t, KIN_OPTS(kin_table_opts, .count = count,
						.record_bytes = bytes)));
	return t;
}

#define set(t, i, ...) \
	kin_table_set(t, i, KIN_ARGS(__VA_ARGS__), KIN_NOWAIT)
#define get(t, i, ...) \
	kin_table_get(t, i, KIN_TAKE(__VA_ARGS__), KIN_NOWAIT)

/* ---- records ---- */

START_TEST(a_record_is_what_was_set)
{
	kin_table *t = table_of(5, 64);
	int64_t n;
	uint64_t u;
	bool b;
	double x;
	float f;
	char *s;

	ck_kin_ok(set(t, 0, INT64_MIN, UINT64_MAX, KIN_BOOL(true), 0.1));
	ck_kin_ok(get(t, 0, &n, &u, &b, &x));
	ck_assert(n == INT64_MIN && u == UINT64_MAX && b && x == 0.1);
	ck_kin_ok(set(t, 1, "apple", 1.5f));
	ck_kin_ok(get(t, 1, &s, &f));
	ck_assert_str_eq(s, "apple");
	ck_assert(f == 1.5f);
	free(s);
	ck_kin_ok(set(t, 1, KIN_NIL));		/* another type */
	ck_kin_ok(get(t, 1, KIN_ANY));
	ck_kin_fails(-EINVAL, get(t, 1, &n));
	ck_kin_fails(-EINVAL, get(t, 0, &n));
	ck_kin_ok(get(t, 0, &n, &u, &b, &x));
	kin_table_close(t);
	kin_table_close(NULL);
}
END_TEST

START_TEST(zero_bytes_at_the_end_stay)
{
	static const char bytes[] = { 0, 'a', 0, 0, 0 };
	kin_table *t = table_of(2, 64);
	kin_values *v;
	const void *p;
	const char *s;
	size_t n, m;

	ck_kin_ok(set(t, 0, KIN_BIN(bytes, 5), KIN_STR(bytes, 4)));
	ck_kin_ok(kin_table_values(t, 0, &v, KIN_NOWAIT));
	ck_kin_ok(kin_values_take(v, KIN_BIN(&p, &n), KIN_STR(&s, &m)));
	ck_assert_uint_eq(n, 5);
	ck_assert_mem_eq(p, bytes, 5);
	ck_assert_uint_eq(m, 4);
	ck_assert_mem_eq(s, bytes, 4);
	kin_values_free(v);
	ck_kin_ok(set(t, 0, KIN_BIN(bytes, 0)));
	ck_kin_ok(kin_table_values(t, 0, &v, KIN_NOWAIT));
	ck_kin_ok(kin_values_take(v, KIN_BIN(&p, &n)));
	ck_assert_uint_eq(n, 0);
	kin_values_free(v);
	kin_table_close(t);
}
END_TEST

START_TEST(what_is_too_long_changes_nothing)
{
	kin_table *t = table_of(3, 10);
	char *s;

	ck_kin_ok(set(t, 1, "12345678"));	/* and a byte for each head */
	ck_kin_fails(-EMSGSIZE, set(t, 1, "123456789"));
	ck_kin_fails(-EMSGSIZE, set(t, 1, 1.5, 1));
	ck_kin_ok(get(t, 1, &s));
	ck_assert_str_eq(s, "12345678");
	free(s);
	ck_kin_ok(set(t, 1, 1.5));
	ck_kin_fails(-ENODATA, get(t, 0, &s));
	ck_kin_fails(-ENODATA, get(t, 2, &s));
	kin_table_close(t);
}
END_TEST

START_TEST(an_empty_record_has_no_values)
{
	kin_table *t = table_of(2, 0);
	kin_values *v;
	int n;

	ck_assert_uint_eq(kin_table_record_bytes(t), 64);
	ck_kin_fails(-ENODATA, get(t, 1, &n));
	ck_kin_ok(kin_table_get(t, 1, KIN_TAKE(), KIN_NOWAIT));
	ck_kin_ok(kin_table_values(t, 1, &v, KIN_NOWAIT));
	ck_assert_uint_eq(kin_values_count(v), 0);
	kin_values_free(v);
	ck_kin_ok(set(t, 1, 5));
	ck_kin_ok(get(t, 1, &n));
	ck_kin_ok(kin_table_set(t, 1, KIN_ARGS(), KIN_NOWAIT));
	ck_kin_fails(-ENODATA, get(t, 1, &n));
	kin_table_close(t);
}
END_TEST

START_TEST(what_can_not_be_in_a_record_is_refused)
{
	kin_table *t = table_of(2, 500);
	kin_segment *named;
	const char *s;
	int n;

	ck_kin_ok(kin_segment_create(&named, KIN_OPTS(kin_segment_opts,
	    .bytes = 1, .name = "named")));
	ck_kin_fails(-EOPNOTSUPP, set(t, 0, named));
	ck_kin_fails(-EOPNOTSUPP, set(t, 0, t));
	ck_kin_ok(kin_segment_unlink("named"));
	kin_segment_close(named);
	ck_kin_fails(-EINVAL, set(t, 2, 1));
	ck_kin_fails(-EINVAL, get(t, 2, &n));
	ck_kin_fails(-EINVAL, get(t, SIZE_MAX, &n));
	ck_kin_ok(set(t, 0, "text"));
	ck_kin_fails(-EINVAL, get(t, 0, &s));		/* borrowed of whom? */
	kin_table_close(t);
	ck_kin_fails(-EINVAL, kin_table_create(&t, NULL));
	ck_kin_fails(-EINVAL, kin_table_create(&t, KIN_OPTS(kin_table_opts,
	    .count = UINT64_MAX)));
	ck_kin_fails(-EINVAL, kin_table_create(&t, KIN_OPTS(kin_table_opts,
	    .count = 1, .record_bytes = UINT32_MAX)));
	ck_kin_fails(-EINVAL, kin_table_create(&t, KIN_OPTS(kin_table_opts,
	    .count = 1, .flags = 1)));
}
END_TEST

START_TEST(a_record_can_be_found)
{
	kin_table *t = table_of(6, 64);

	ck_kin_ok(set(t, 1, "pear", 2));
	ck_kin_ok(set(t, 4, "pear", 2u));
	ck_kin_ok(set(t, 5, 1.0));
	ck_assert_int_eq(kin_table_find(t, 0, KIN_ARGS("pear", (char)2),
					KIN_NOWAIT), 1);
	ck_assert_int_eq(kin_table_find(t, 2, KIN_ARGS("pear", 2),
					KIN_NOWAIT), 4);
	ck_kin_fails(-ENOENT, kin_table_find(t, 5, KIN_ARGS("pear", 2),
					     KIN_NOWAIT));
	ck_kin_fails(-ENOENT, kin_table_find(t, 0, KIN_ARGS(1), KIN_NOWAIT));
	ck_kin_fails(-ENOENT, kin_table_find(t, 9, KIN_ARGS(), KIN_NOWAIT));
	ck_assert_int_eq(kin_table_find(t, 0, KIN_ARGS(), KIN_NOWAIT), 0);
	kin_table_close(t);
}
END_TEST

/* ---- against a model ---- */

#define RECORDS	20
#define LONGEST	700

START_TEST(at_random_it_is_what_a_model_says)
{
	kin_table *t = table_of(RECORDS, LONGEST);
	static char text[RECORDS][LONGEST + 1];
	int64_t number[RECORDS];
	bool is_set[RECORDS] = { false };
	uint32_t state = 0x7461626c;
	int turn;

	for (turn = 0; turn < 20000; turn++) {
		uint32_t i = next_random(&state) % RECORDS;
		size_t n = next_random(&state) % (LONGEST - 20);
		int64_t got;
		char *s;

		if (next_random(&state) % 2 == 0) {
			memset(text[i], 'a' + (int)(n % 26), n);
			text[i][n] = '\0';
			number[i] = (int64_t)next_random(&state) << n % 32;
			is_set[i] = true;
			ck_fast(set(t, i, number[i], text[i]) == 0);
		} else if (is_set[i]) {
			ck_fast(get(t, i, &got, &s) == 0);
			ck_fast(got == number[i] && strcmp(s, text[i]) == 0);
			free(s);
		} else {
			ck_fast(get(t, i, &got, &s) == -ENODATA);
		}
	}
	kin_table_close(t);
}
END_TEST

/* ---- places ---- */

static int
answer(kin_call *call)
{
	kin_table *t;
	char *s;
	int r = kin_call_take(call, &t);

	if (r == 0)
		r = get(t, 0, &s);
	if (r < 0)
		return r;
	r = kin_table_set(t, 1, KIN_ARGS(s, strlen(s)), KIT_PATIENCE);
	free(s);
	return r;
}
KIN_ENTRY(answer);

static void
ck_answers(kin_table *t)
{
	size_t n;
	char *s;

	ck_kin_ok(set(t, 0, "how long"));
	ck_exited(finish(start(answer, KIN_ARGS(t))), 0);
	ck_kin_ok(get(t, 1, &s, &n));
	ck_assert_str_eq(s, "how long");
	ck_assert_uint_eq(n, 8);
	free(s);
}

START_TEST(it_travels_wherever_it_is)
{
	struct kin_table_opts opts = { .size = sizeof(opts), .count = 2 };
	kin_heap *heap;
	kin_table *t;

	ck_kin_ok(kin_table_create(&t, &opts));
	ck_answers(t);
	kin_table_close(t);
	ck_kin_ok(kin_segment_create(&opts.segment, KIN_OPTS(kin_segment_opts,
	    .bytes = 64 + kin_table_room(&opts), .members = 4)));
	opts.offset = 64;
	ck_kin_ok(kin_table_create(&t, &opts));
	ck_answers(t);
	kin_table_close(t);
	ck_kin_ok(kin_table_attach_at(&t, opts.segment, 64));
	ck_assert_uint_eq(kin_table_count(t), 2);
	kin_table_close(t);
	kin_segment_close(opts.segment);

	ck_kin_ok(kin_heap_create(&heap, NULL));
	opts = (struct kin_table_opts){ .size = sizeof(opts), .count = 2,
					.heap = heap };
	ck_kin_ok(kin_table_create(&t, &opts));
	ck_answers(t);
	ck_kin_ok(kin_heap_free(heap, kin_table_offset(t), KIN_NOWAIT));
	kin_table_close(t);
	kin_heap_close(heap);
}
END_TEST

/* ---- the others ---- */

#define LENGTH	300

/* A record says how long it is, and of what. */
static void
set_for_ever(kin_table *t, uint32_t seed)
{
	uint32_t state = seed | 1;
	char text[LENGTH + 1];

	for (;;) {
		uint32_t n = next_random(&state) % LENGTH;
		uint32_t i = next_random(&state) % 2;
		int letter = 'a' + (int)(next_random(&state) % 26);

		memset(text, letter, n);
		text[n] = '\0';
		if (kin_table_set(t, i, KIN_ARGS(n, letter, text),
				  KIT_PATIENCE) < 0)
			_exit(1);
		__atomic_fetch_add(&board->calls, 1, __ATOMIC_RELAXED);
	}
}

static void
ck_whole(kin_table *t, size_t i)
{
	uint32_t n, at;
	int letter, r;
	char *s;

	r = kin_table_get(t, i, KIN_TAKE(&n, &letter, &s), KIT_PATIENCE);
	ck_fast(r == 0 || r == -ENODATA);
	if (r < 0)
		return;
	ck_fast(strlen(s) == n);
	for (at = 0; at < n; at++)
		ck_fast(s[at] == letter);
	free(s);
}

static pid_t
setter(kin_table *t, uint32_t seed)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		set_for_ever(t, seed);
	return pid;
}

START_TEST(nobody_sees_half_of_a_record_whoever_is_killed)
{
	kin_table *t = table_of(2, LENGTH + 20);
	uint32_t turn, look;
	pid_t pids[2] = { setter(t, 1), setter(t, 2) };
	int status;

	for (turn = 0; turn < 150; turn++) {
		uint32_t from = board->calls;
		kin_time end = KIT_PATIENCE;

		while (__atomic_load_n(&board->calls, __ATOMIC_RELAXED) -
		       from < 20)
			ck_fast(kin_now().ns < end.ns);
		for (look = 0; look < 50; look++)
			ck_whole(t, look % 2);
		kill(pids[turn % 2], SIGKILL);
		ck_fast(waitpid(pids[turn % 2], &status, 0) > 0);
		ck_fast(WIFSIGNALED(status));
		ck_whole(t, turn % 2);
		pids[turn % 2] = setter(t, turn + 3);
	}
	kit_kill(pids[0]);
	kit_kill(pids[1]);
	ck_kin_ok(kin_table_set(t, 0, KIN_ARGS(1), KIT_PATIENCE));
	ck_kin_ok(kin_table_set(t, 1, KIN_ARGS(2), KIT_PATIENCE));
	kin_table_close(t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("table");
	TCase *tc = kit_case(suite, "records");

	tcase_add_test(tc, a_record_is_what_was_set);
	tcase_add_test(tc, zero_bytes_at_the_end_stay);
	tcase_add_test(tc, what_is_too_long_changes_nothing);
	tcase_add_test(tc, an_empty_record_has_no_values);
	tcase_add_test(tc, what_can_not_be_in_a_record_is_refused);
	tcase_add_test(tc, a_record_can_be_found);
	tcase_add_test(tc, at_random_it_is_what_a_model_says);
	tcase_add_test(tc, it_travels_wherever_it_is);

	tc = board_case(suite, "the others");
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, nobody_sees_half_of_a_record_whoever_is_killed);
	return kit_run(suite);
}
