/* SPDX-License-Identifier: MIT */
/*
 * test_values_made.c - builders, cursors, values as messages of a queue, and
 * kernel calls that fail while values travel
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fault.h"
#include "tests/through.h"

#define ck_says(number, words, expr)					\
	do {								\
		int r_ = (expr);					\
									\
		ck_assert_msg(r_ == (number) &&				\
			      strstr(kin_errmsg(), words) != NULL,	\
			      "%s: %d (%s)", #expr, r_, kin_errmsg());	\
	} while (0)

/* ---- builders and cursors ---- */

static kin_builder *
fresh(void)
{
	kin_builder *b;

	ck_kin_ok(kin_builder_new(&b));
	return b;
}

START_TEST(what_is_built_is_read)
{
	kin_builder *b = fresh();
	struct kin_cursor pairs, items;
	const char *key;
	kin_values *v;
	int64_t n, sum = 0;
	double x;

	ck_kin_ok(kin_builder_map(b));
	ck_kin_ok(kin_builder_add(b, "apple", 3, -5, "minus five"));
	ck_kin_ok(kin_builder_add(b, "list"));
	ck_kin_ok(kin_builder_array(b));
	ck_kin_ok(kin_builder_add(b, 1, 2));
	ck_kin_ok(kin_builder_add_all(b, KIN_ARGS()));
	ck_kin_ok(kin_builder_add(b, 3));
	ck_kin_ok(kin_builder_end(b));
	ck_kin_ok(kin_builder_add(b, "pi", 3.14));
	ck_kin_ok(kin_builder_end(b));
	v = through(KIN_ARGS(b, "and", b));
	kin_builder_free(b);

	ck_kin_ok(kin_values_take(v, &pairs, KIN_ANY, KIN_ANY));
	ck_assert_uint_eq(pairs.type, KIN_TYPE_MAP);
	ck_assert_uint_eq(kin_cursor_type(&pairs), KIN_TYPE_INT);
	ck_assert_int_eq(kin_cursor_next(&pairs, &key, &n), 1);
	ck_assert_str_eq(key, "apple");
	ck_assert_int_eq(n, 3);
	/* Refused, and it stays where it was. */
	ck_says(-EINVAL, "key or value 3 is an integer, taken as a string",
		kin_cursor_next(&pairs, &key, &n));
	ck_says(-EINVAL, "key or value 4 is a string, taken as an integer",
		kin_cursor_next(&pairs, &n, &n));
	ck_says(-EINVAL, "a key and its value, taken as 1",
		kin_cursor_next(&pairs, &n));
	ck_assert_int_eq(kin_cursor_next(&pairs, &n, &key), 1);
	ck_assert_int_eq(n, -5);
	ck_assert_uint_eq(kin_cursor_type(&pairs), KIN_TYPE_ARRAY);
	ck_assert_int_eq(kin_cursor_next(&pairs, &key, &items), 1);
	ck_says(-EINVAL, "one item, taken as 2",
		kin_cursor_next(&items, &n, &n));
	while (kin_cursor_next(&items, &n) > 0)
		sum += n;
	ck_assert_int_eq(sum, 6);
	ck_assert_uint_eq(kin_cursor_type(&items), 0);
	ck_assert_int_eq(kin_cursor_next(&items, &n), 0);
	ck_assert_int_eq(kin_cursor_next(&pairs, &key, &x), 1);
	ck_assert(x == 3.14);
	ck_assert_int_eq(kin_cursor_next(&pairs, &key, &x), 0);
	kin_values_free(v);
}
END_TEST

static void
ck_spoilt(kin_builder *b, const char *words)
{
	kin_values *v = NULL;

	ck_says(-EINVAL, words, kin_builder_add(b, 1));
	ck_says(-EINVAL, words, kin_builder_array(b));
	ck_says(-EINVAL, words, kin_builder_map(b));
	ck_says(-EINVAL, words, kin_builder_end(b));
	ck_says(-EINVAL, words, kin_values_pack(&v, KIN_ARGS(0, b)));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "argument 2: "));
	ck_assert_ptr_null(v);
	kin_builder_free(b);
}

START_TEST(the_first_error_stays)
{
	const char *nobody = NULL;
	kin_builder *b = fresh(), *whole;

	ck_says(-EINVAL, "nothing has begun", kin_builder_end(b));
	ck_spoilt(b, "nothing has begun");

	b = fresh();
	ck_kin_ok(kin_builder_map(b));
	ck_kin_ok(kin_builder_add(b, 1, 2, 3));
	ck_says(-EINVAL, "no value", kin_builder_end(b));
	ck_spoilt(b, "no value");

	b = fresh();
	ck_kin_ok(kin_builder_map(b));
	ck_says(-EINVAL, "argument 3", kin_builder_add(b, 1, 2, 2.5, 1));
	ck_spoilt(b, "a key is a string, bytes");

	b = fresh();
	ck_kin_ok(kin_builder_map(b));
	ck_says(-EINVAL, "an array", kin_builder_array(b));
	ck_spoilt(b, "a key is a string, bytes");

	whole = fresh();
	ck_kin_ok(kin_builder_add(whole, 1));
	b = fresh();
	ck_kin_ok(kin_builder_map(b));
	ck_says(-EINVAL, "argument 1", kin_builder_add(b, whole, 1));
	ck_spoilt(b, "a key is a string, bytes");
	kin_builder_free(whole);

	b = fresh();
	ck_kin_ok(kin_builder_array(b));
	ck_says(-EINVAL, "argument 1: a NULL string",
		kin_builder_add(b, nobody));
	ck_spoilt(b, "a NULL string");

	b = fresh();
	ck_says(-EINVAL, "a second value", kin_builder_add(b, 1, 2));
	ck_spoilt(b, "a second value");

	b = fresh();
	ck_kin_ok(kin_builder_array(b));
	ck_says(-EINVAL, "inside of itself", kin_builder_add(b, b));
	ck_spoilt(b, "inside of itself");
	kin_builder_free(NULL);
}
END_TEST

START_TEST(a_builder_is_whole_when_it_is_given)
{
	kin_builder *b = fresh();
	kin_values *v = NULL;
	int n;

	ck_says(-EINVAL, "argument 1: a builder without a value",
		kin_values_pack(&v, KIN_ARGS(b)));
	ck_kin_ok(kin_builder_array(b));
	ck_says(-EINVAL, "argument 1: a builder whose array or map is not "
		"ended", kin_values_pack(&v, KIN_ARGS(b)));
	ck_kin_ok(kin_builder_end(b));
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(b)));
	kin_values_free(v);
	kin_builder_free(b);
	/* Any one value. */
	b = fresh();
	ck_kin_ok(kin_builder_add(b, 5));
	ck_kin_ok(kin_values_pack(&v, KIN_ARGS(b)));
	ck_kin_ok(kin_values_take(v, &n));
	ck_assert_int_eq(n, 5);
	kin_values_free(v);
	kin_builder_free(b);
}
END_TEST

/* What is made can be read; what could not be is refused when it is made. */
START_TEST(builders_nest_as_deep_as_messages)
{
	kin_builder *b = fresh(), *outer = fresh();
	kin_values *v, *deeper = NULL;
	int i;

	for (i = 0; i < KIN_VALUES_DEPTH; i++)
		ck_kin_ok(kin_builder_array(b));
	for (i = 0; i < KIN_VALUES_DEPTH; i++)
		ck_kin_ok(kin_builder_end(b));
	v = through(KIN_ARGS(b));
	ck_says(-EMSGSIZE, "argument 1: values are nested deeper than 64",
		kin_values_pack(&deeper, KIN_ARGS(v)));
	ck_kin_ok(kin_builder_array(outer));
	ck_says(-EMSGSIZE, "argument 2: values are nested deeper than 64",
		kin_builder_add(outer, 1, b));
	kin_values_free(v);
	kin_builder_free(b);
	kin_builder_free(outer);
	b = fresh();
	for (i = 0; i < KIN_VALUES_DEPTH; i++)
		ck_kin_ok(i % 2 ? (kin_builder_add(b, 1), kin_builder_array(b))
				: i == 0 ? kin_builder_map(b)
				: kin_builder_array(b));
	ck_says(-EMSGSIZE, "deeper than 64", kin_builder_array(b));
	kin_builder_free(b);
}
END_TEST

START_TEST(descriptors_are_the_right_ones_however_deep)
{
	int pipes[2][2], fd[4], i;
	kin_values *inner, *v, *part;
	struct kin_cursor all, some;
	kin_builder *b = fresh();
	char c;

	ck_assert_int_eq(pipe(pipes[0]), 0);
	ck_assert_int_eq(pipe(pipes[1]), 0);
	inner = through(KIN_ARGS("in", KIN_FD(pipes[0][1]), 1));
	ck_kin_ok(kin_builder_array(b));
	ck_kin_ok(kin_builder_add(b, KIN_FD(pipes[1][1]), inner));
	ck_kin_ok(kin_builder_end(b));
	v = through(KIN_ARGS(KIN_FD(1), b, inner, KIN_FD(pipes[1][1])));
	kin_builder_free(b);
	kin_values_free(inner);

	ck_kin_ok(kin_values_take(v, KIN_ANY, &all, &part, KIN_FD(&fd[0])));
	ck_assert_int_eq(kin_cursor_next(&all, KIN_FD(&fd[1])), 1);
	ck_assert_int_eq(kin_cursor_next(&all, &some), 1);
	ck_assert_int_eq(kin_cursor_next(&some, KIN_ANY), 1);
	ck_assert_int_eq(kin_cursor_next(&some, KIN_FD(&fd[2])), 1);
	ck_kin_ok(kin_values_take(part, &some));
	ck_assert_int_eq(kin_cursor_next(&some, KIN_ANY), 1);
	ck_assert_int_eq(kin_cursor_next(&some, KIN_FD(&fd[3])), 1);
	for (i = 0; i < 4; i++) {
		int *p = pipes[i < 2];

		c = (char)('0' + i);
		ck_assert_int_eq(write(fd[i], &c, 1), 1);
		c = 0;
		ck_assert_int_eq(read(p[0], &c, 1), 1);
		ck_assert_int_eq(c, '0' + i);
	}
	kin_values_free(part);
	kin_values_free(v);
	for (i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
}
END_TEST

START_TEST(so_many_descriptors_and_no_more)
{
	const struct kn_way way = { .what = "a test" };
	int held = kit_descriptors(), i;
	kin_builder *b = fresh();
	struct kn_bundle bundle;

	ck_kin_ok(kin_builder_array(b));
	for (i = 0; i < KIN_VALUES_FDS; i++)
		ck_kin_ok(kin_builder_add(b, KIN_FD(1)));
	ck_kin_ok(kin_builder_end(b));
	kin_values_free(through(KIN_ARGS(b)));
	ck_says(-EMSGSIZE, "argument 2: over 128 descriptors",
		kn_bundle_encode(&bundle, KIN_ARGS(b, KIN_FD(1)), &way));
	kin_builder_free(b);
	ck_assert_int_eq(kit_descriptors(), held);
}
END_TEST

/* ---- queues of values ---- */

START_TEST(values_through_a_queue)
{
	kin_queue *q;
	kin_values *v = NULL;
	const char *s;
	double x;
	int n;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
						.label = "jobs")));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(5, "text", 2.5),
				       KIN_NOWAIT));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(), KIN_NOWAIT));
	ck_kin_ok(kin_queue_put(q, "text", 4, KIN_NOWAIT));
	ck_kin_ok(kin_queue_put(q, "", 0, KIN_NOWAIT));
	ck_kin_ok(kin_queue_get_values(q, &v, KIN_NOWAIT));
	ck_kin_ok(kin_values_take(v, &n, &s, &x));
	ck_assert_int_eq(n, 5);
	ck_assert_str_eq(s, "text");
	ck_assert(x == 2.5);
	kin_values_free(v);
	ck_kin_ok(kin_queue_get_values(q, &v, KIN_NOWAIT));
	ck_assert_uint_eq(kin_values_count(v), 0);
	kin_values_free(v);
	v = NULL;
	ck_kin_fails(-EPROTO, kin_queue_get_values(q, &v, KIN_NOWAIT));
	ck_kin_fails(-EPROTO, kin_queue_get_values(q, &v, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_queue_get_values(q, &v, KIN_NOWAIT));
	ck_assert_ptr_null(v);
	kin_queue_close(q);
}
END_TEST

START_TEST(only_what_has_a_name_rides_in_a_queue)
{
	kin_segment *nameless;
	kin_queue *q;
	kin_builder *b = fresh();

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
						.label = "jobs")));
	ck_kin_ok(kin_segment_create(&nameless, KIN_OPTS(kin_segment_opts,
							 .bytes = 10)));
	ck_says(-EOPNOTSUPP, "argument 2: a queue without a name of its own "
		"cannot travel in queue 'jobs'; give it one, or send it over "
		"a kin_conn or as an argument of a process", kin_queue_put_values(q, KIN_ARGS(1, q),
						KIN_NOWAIT));
	ck_says(-EOPNOTSUPP, "argument 1: a segment without a name cannot "
		"travel in queue 'jobs'; give it one, or send it",
		kin_queue_put_values(q, KIN_ARGS(nameless), KIN_NOWAIT));
	ck_says(-EOPNOTSUPP, "argument 1: a descriptor cannot",
		kin_queue_put_values(q, KIN_ARGS(KIN_FD(1)), KIN_NOWAIT));
	ck_says(-EOPNOTSUPP, "argument 1 ('\"x\"'): read-only data cannot",
		kin_queue_put_values(q, KIN_ARGS(KIN_RO("x", 1)),
				     KIN_NOWAIT));
	ck_kin_ok(kin_builder_add(b, q));
	ck_says(-EOPNOTSUPP, "argument 2: a queue without",
		kin_queue_put_values(q, KIN_ARGS(1, b), KIN_NOWAIT));
	kin_builder_free(b);
	b = fresh();
	ck_kin_ok(kin_builder_add(b, nameless));
	ck_says(-EOPNOTSUPP, "argument 2: a segment without a name",
		kin_queue_put_values(q, KIN_ARGS(1, b), KIN_NOWAIT));
	kin_builder_free(b);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_segment_close(nameless);
	kin_queue_close(q);
}
END_TEST

static kin_segment *
get_segment(kin_queue *q, kin_values **ret_v)
{
	struct kin_cursor c;
	kin_segment *seg;

	ck_kin_ok(kin_queue_get_values(q, ret_v, KIN_NOWAIT));
	if (kin_values_type(*ret_v, 0) == KIN_TYPE_ARRAY) {
		ck_kin_ok(kin_values_take(*ret_v, &c));
		ck_assert_int_eq(kin_cursor_next(&c, &seg), 1);
	} else {
		ck_kin_ok(kin_values_take(*ret_v, &seg));
	}
	return seg;
}

/* Made, opened, received; alone, in a builder, in values. */
START_TEST(a_named_segment_rides_in_a_queue)
{
	kin_segment *made, *opened, *received, *got;
	kin_values *passed, *v;
	kin_builder *b = fresh();
	kin_queue *q;
	int i;

	ck_kin_ok(kin_queue_create(&q, NULL));
	ck_kin_ok(kin_segment_create(&made, KIN_OPTS(kin_segment_opts,
		.bytes = 10, .name = "texts", .label = "other")));
	ck_kin_ok(kin_segment_open(&opened, "texts"));
	passed = through(KIN_ARGS(opened));
	ck_kin_ok(kin_values_take(passed, &received));
	ck_kin_ok(kin_builder_array(b));
	ck_kin_ok(kin_builder_add(b, made));
	ck_kin_ok(kin_builder_end(b));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(made), KIN_NOWAIT));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(opened), KIN_NOWAIT));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(received), KIN_NOWAIT));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(b), KIN_NOWAIT));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(passed), KIN_NOWAIT));
	for (i = 0; i < 5; i++) {
		got = get_segment(q, &v);
		((char *)kin_segment_data(got))[i] = (char)('a' + i);
		ck_assert_int_eq(((char *)kin_segment_data(made))[i], 'a' + i);
		kin_values_free(v);
	}
	/* Under its name there may be nothing, or another one. */
	ck_kin_ok(kin_segment_unlink("texts"));
	ck_says(-EOPNOTSUPP, "argument 1: the name 'texts' does not lead",
		kin_queue_put_values(q, KIN_ARGS(made), KIN_NOWAIT));
	ck_kin_ok(kin_segment_create(&got, KIN_OPTS(kin_segment_opts,
		.bytes = 10, .name = "texts")));
	ck_says(-EOPNOTSUPP, "argument 1: the name 'texts' does not lead",
		kin_queue_put_values(q, KIN_ARGS(received), KIN_NOWAIT));
	ck_says(-EOPNOTSUPP, "argument 1: the name 'texts' does not lead",
		kin_queue_put_values(q, KIN_ARGS(b), KIN_NOWAIT));
	ck_kin_ok(kin_segment_unlink("texts"));
	kin_segment_close(got);
	kin_builder_free(b);
	kin_values_free(passed);
	kin_segment_close(made);
	kin_segment_close(opened);
	kin_queue_close(q);
}
END_TEST

/* ---- every kernel call fails in turn ---- */

static kin_queue *queue;
static kin_segment *segment;
static const char frozen[] = "frozen";

static int
travel(void)
{
	const struct kn_way way = { .what = "a test" };
	kin_values *v, *part = NULL, *mark = NULL;
	kin_queue *q = NULL;
	kin_segment *seg = NULL;
	struct kn_bundle b;
	const void *p = NULL;
	char *copy = NULL;
	size_t n = 42;
	int fd = -42, r;

	r = kn_bundle_encode(&b, KIN_ARGS(queue, "copy", KIN_FD(1),
	    KIN_V(queue), KIN_RO(frozen, sizeof(frozen)), segment), &way);
	if (r < 0)
		return r;
	ck_kin_ok(kn_values_of(&v, b.bytes, b.len, b.fds, b.nfds));
	b.bytes = NULL;
	b.nfds = 0;
	kn_bundle_sent(&b);
	r = kin_values_take(v, &q, &copy, KIN_FD(&fd), &part, KIN_RO(&p, &n),
			    &seg);
	if (r < 0)
		ck_assert(q == NULL && copy == NULL && fd == -42 &&
			  part == mark && p == NULL && n == 42 &&
			  seg == NULL);
	free(copy);
	kin_values_free(part);
	kin_values_free(v);
	return r;
}

START_TEST(whatever_fails_nothing_is_left)
{
	int number = _i == 0 ? -ENOMEM : -EMFILE, k, r, failed = 0;
	bool struck = true;

	ck_kin_ok(kin_queue_create(&queue, NULL));
	ck_kin_ok(kin_segment_create(&segment, KIN_OPTS(kin_segment_opts,
		.bytes = 10, .name = "there")));
	ck_kin_ok(travel());
	for (k = 1; struck; k++) {
		struct left before = left_now();

		kit_forget();
		arm(k, number);
		r = travel();
		struck = disarm();
		ck_assert_msg(r == 0 || (struck && !kit_forgotten()),
			      "call %d (%s): %d", k, failed_call, r);
		failed += r < 0;
		ck_same(&before, "travel", k);
	}
	ck_assert_int_ge(failed, 10);
	ck_kin_ok(kin_segment_unlink("there"));
	kin_segment_close(segment);
	kin_queue_close(queue);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("values made");
	TCase *tc = kit_case(suite, "made");

	tcase_add_test(tc, what_is_built_is_read);
	tcase_add_test(tc, the_first_error_stays);
	tcase_add_test(tc, a_builder_is_whole_when_it_is_given);
	tcase_add_test(tc, builders_nest_as_deep_as_messages);
	tcase_add_test(tc, descriptors_are_the_right_ones_however_deep);
	tcase_add_test(tc, so_many_descriptors_and_no_more);
	tcase_add_test(tc, values_through_a_queue);
	tcase_add_test(tc, only_what_has_a_name_rides_in_a_queue);
	tcase_add_test(tc, a_named_segment_rides_in_a_queue);
	tcase_add_loop_test(tc, whatever_fails_nothing_is_left, 0, 2);
	return kit_run(suite);
}
