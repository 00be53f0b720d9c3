/* SPDX-License-Identifier: MIT */
/*
 * test_values_table.c - every C type, every value: in and out
 *
 * What should happen is worked out here from the values themselves, in numbers
 * wider than any that travel.
 */
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/through.h"

__extension__ typedef __int128 wide;

#define FD	100u			/* what is not a KIN_TYPE_... */
#define RO	101u
#define SEGMENT	102u
#define QUEUE	103u

/* ---- the values ---- */

struct value {
	struct kin_arg arg;
	uint32_t type;
	wide n;
	double f;
};

static struct value values[400];
static unsigned nvalues;
static kin_segment *segment;
static kin_queue *queue;
static kin_builder *array, *map;

static struct value *
add(struct kin_arg arg, uint32_t type)
{
	struct value *v = &values[nvalues++];

	ck_assert_uint_le(nvalues, sizeof(values) / sizeof(values[0]));
	*v = (struct value){ .arg = arg, .type = type };
	return v;
}

static void
add_number(wide n)
{
	if (n < INT64_MIN || n > UINT64_MAX)
		return;
	if (n <= INT64_MAX)
		add(KIN_V((int64_t)n), KIN_TYPE_INT)->n = n;
	if (n >= 0)
		add(KIN_V((uint64_t)n), KIN_TYPE_INT)->n = n;
}

/* Around the limits of all integers, and of what floats hold exactly. */
static void
add_numbers(void)
{
	static const int bits[] = { 0, 5, 7, 8, 15, 16, 24, 31, 32, 53, 63,
				    64 };
	unsigned i;
	int off;

	add_number(0);
	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		for (off = -1; off <= 1; off++) {
			add_number(((wide)1 << bits[i]) + off);
			add_number(-((wide)1 << bits[i]) + off);
		}
	}
	add_number(((wide)1 << 63) + (1 << 11));
	add_number(((wide)1 << 63) + (1 << 10));
	add_number(((wide)1 << 62) + (1ll << 38));
}

static void
add_floats(void)
{
	static const double floats[] = {
		0, -0.0, 1, 2.5, 1e300, -1e300, FLT_MAX, -FLT_MAX,
		FLT_MAX * (1 + FLT_EPSILON), 3.5e38, DBL_MAX, DBL_MIN, 1e-40,
		1.0 / 3, (double)INFINITY, (double)-INFINITY, (double)NAN,
	};
	unsigned i;

	for (i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
		add(KIN_V(floats[i]), KIN_TYPE_FLOAT)->f = floats[i];
		if (isfinite(floats[i]) && fabs(floats[i]) > FLT_MAX)
			continue;
		add(KIN_V((float)floats[i]), KIN_TYPE_FLOAT)->f =
			(double)(float)floats[i];
	}
}

static void
set_up(void)
{
	static const char frozen[] = "frozen";

	nvalues = 0;
	ck_kin_ok(kin_segment_create(&segment, KIN_OPTS(kin_segment_opts,
							.bytes = 100)));
	ck_kin_ok(kin_queue_create(&queue, NULL));
	ck_kin_ok(kin_builder_new(&array));
	ck_kin_ok(kin_builder_array(array));
	ck_kin_ok(kin_builder_add(array, 1, "two", 3.0));
	ck_kin_ok(kin_builder_end(array));
	ck_kin_ok(kin_builder_new(&map));
	ck_kin_ok(kin_builder_map(map));
	ck_kin_ok(kin_builder_add(map, "one", 1, 2, "two"));
	ck_kin_ok(kin_builder_end(map));
	add(KIN_NIL, KIN_TYPE_NIL);
	add(KIN_BOOL(2), KIN_TYPE_BOOL)->n = 1;
	add(KIN_BOOL(0), KIN_TYPE_BOOL)->n = 0;
	add_numbers();
	add_floats();
	add(KIN_V("a string"), KIN_TYPE_STR);
	add(KIN_STR("a str\0ng", 8), KIN_TYPE_STR)->n = 1;
	add(KIN_BIN("\0bytes", 6), KIN_TYPE_BIN);
	add(KIN_V(array), KIN_TYPE_ARRAY);
	add(KIN_V(map), KIN_TYPE_MAP);
	add(KIN_FD(2), FD);
	add(KIN_RO(frozen, sizeof(frozen)), RO);
	add(KIN_V(segment), SEGMENT);
	add(KIN_V(queue), QUEUE);
}

static void
tear_down(void)
{
	kin_builder_free(array);
	kin_builder_free(map);
	kin_queue_close(queue);
	kin_segment_close(segment);
}

/* ---- the places ---- */

static kin_values *
one(const struct value *value)
{
	return through(KIN_ARGS("before", value->arg, "after"));
}

/* A failure: that number, the argument is named, and nothing is taken. */
#define ck_refused(number, v, place)					\
	do {								\
		const char *before = "mark", *first = before;		\
		char *last = NULL;					\
		bool thing = kin_values_type(v, 1) == KIN_TYPE_THING;	\
		int held = thing ? kit_descriptors() : 0;		\
									\
		ck_assert_int_eq(number, kin_values_take(v, &first,	\
							 place, &last)); \
		ck_assert_msg(strstr(kin_errmsg(), "argument 2 ") != NULL, \
			      "%s", kin_errmsg());			\
		ck_assert_ptr_eq(first, before);			\
		ck_assert_ptr_null(last);				\
		ck_assert_int_eq(held, thing ? kit_descriptors() : 0);	\
	} while (0)

#define ck_taken(v, place)						\
	do {								\
		const char *first = NULL;				\
		char *last = NULL;					\
									\
		ck_kin_ok(kin_values_take(v, &first, place, &last));	\
		ck_assert_str_eq(first, "before");			\
		ck_assert_str_eq(last, "after");			\
		free(last);						\
	} while (0)

#define INTEGER_TEST(suffix, type_, least, greatest)			\
	static void							\
	into_##suffix(const struct value *value)			\
	{								\
		kin_values *v = one(value);				\
		type_ x = 42;						\
									\
		if (value->type != KIN_TYPE_INT) {			\
			ck_refused(-EINVAL, v, &x);			\
			ck_assert(x == 42);				\
		} else if (value->n < (wide)(least) ||			\
			   value->n > (wide)(greatest)) {		\
			ck_refused(-ERANGE, v, &x);			\
			ck_assert(x == 42);				\
		} else {						\
			ck_taken(v, &x);				\
			ck_assert((wide)x == value->n);			\
		}							\
		kin_values_free(v);					\
	}

INTEGER_TEST(char, char, CHAR_MIN, CHAR_MAX)
INTEGER_TEST(schar, signed char, SCHAR_MIN, SCHAR_MAX)
INTEGER_TEST(uchar, unsigned char, 0, UCHAR_MAX)
INTEGER_TEST(short, short, SHRT_MIN, SHRT_MAX)
INTEGER_TEST(ushort, unsigned short, 0, USHRT_MAX)
INTEGER_TEST(int, int, INT_MIN, INT_MAX)
INTEGER_TEST(uint, unsigned, 0, UINT_MAX)
INTEGER_TEST(long, long, LONG_MIN, LONG_MAX)
INTEGER_TEST(ulong, unsigned long, 0, ULONG_MAX)
INTEGER_TEST(llong, long long, LLONG_MIN, LLONG_MAX)
INTEGER_TEST(ullong, unsigned long long, 0, ULLONG_MAX)

/* An integer must come through whole; 2^64 is beyond the way back. */
static bool
exact(wide n, long double as)
{
	return as == (long double)n && (wide)as == n;
}

static bool
same_float(double a, double b)
{
	return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

static void
into_double(const struct value *value)
{
	kin_values *v = one(value);
	double x = 42;

	if (value->type == KIN_TYPE_FLOAT) {
		ck_taken(v, &x);
		ck_assert(same_float(x, value->f));
	} else if (value->type != KIN_TYPE_INT) {
		ck_refused(-EINVAL, v, &x);
	} else if (exact(value->n, (long double)(double)value->n)) {
		ck_taken(v, &x);
		ck_assert(x == (double)value->n);
	} else {
		ck_refused(-ERANGE, v, &x);
		ck_assert(x == 42);
	}
	kin_values_free(v);
}

static void
into_float(const struct value *value)
{
	kin_values *v = one(value);
	bool fits = value->type == KIN_TYPE_FLOAT
	    ? !isfinite(value->f) || fabs(value->f) < 0x1.ffffffp127
	    : exact(value->n, (long double)(float)value->n);
	float x = 42;

	if (value->type != KIN_TYPE_FLOAT && value->type != KIN_TYPE_INT) {
		ck_refused(-EINVAL, v, &x);
	} else if (!fits) {
		ck_refused(-ERANGE, v, &x);
		ck_assert(x == 42);
	} else {
		ck_taken(v, &x);
		if (value->type == KIN_TYPE_FLOAT)
			ck_assert(same_float((double)x,
					     (double)(float)value->f));
		else
			ck_assert(x == (float)value->n);
	}
	kin_values_free(v);
}

static void
into_bool(const struct value *value)
{
	kin_values *v = one(value);
	bool x = true;

	if (value->type == KIN_TYPE_BOOL) {
		ck_taken(v, &x);
		ck_assert_int_eq(x, (int)value->n);
	} else {
		ck_refused(-EINVAL, v, &x);
		ck_assert(x);
	}
	kin_values_free(v);
}

static void
into_strings(const struct value *value)
{
	bool is = value->type == KIN_TYPE_STR, zero = is && value->n == 1;
	kin_values *v = one(value);
	const char *mark = "mark", *s = mark;
	char *copy = NULL;
	size_t n = 42;

	if (is && !zero) {
		ck_taken(v, &s);
		ck_assert_str_eq(s, "a string");
		ck_taken(v, &copy);
		ck_assert_str_eq(copy, "a string");
		free(copy);
	} else {
		ck_refused(-EINVAL, v, &s);
		ck_refused(-EINVAL, v, &copy);
		ck_assert_ptr_eq(s, mark);
		ck_assert_ptr_null(copy);
	}
	s = mark;
	if (is) {
		ck_taken(v, KIN_STR(&s, &n));
		ck_assert_uint_eq(n, 8);
		ck_assert_mem_eq(s, zero ? "a str\0ng" : "a string", 8);
	} else {
		ck_refused(-EINVAL, v, KIN_STR(&s, &n));
		ck_assert_ptr_eq(s, mark);
		ck_assert_uint_eq(n, 42);
	}
	kin_values_free(v);
}

static void
into_bytes(const struct value *value)
{
	kin_values *v = one(value);
	const void *p = NULL;
	size_t n = 42;

	if (value->type == KIN_TYPE_BIN) {
		ck_taken(v, KIN_BIN(&p, &n));
		ck_assert_uint_eq(n, 6);
		ck_assert_mem_eq(p, "\0bytes", 6);
	} else {
		ck_refused(-EINVAL, v, KIN_BIN(&p, &n));
		ck_assert_ptr_null(p);
		ck_assert_uint_eq(n, 42);
	}
	p = NULL;
	if (value->type == RO) {
		ck_taken(v, KIN_RO(&p, &n));
		ck_assert_uint_eq(n, 7);
		ck_assert_str_eq(p, "frozen");
	} else {
		ck_refused(-EINVAL, v, KIN_RO(&p, &n));
		ck_assert_ptr_null(p);
	}
	kin_values_free(v);
}

static void
into_fd(const struct value *value)
{
	kin_values *v = one(value);
	int fd = -42;

	if (value->type == FD) {
		ck_taken(v, KIN_FD(&fd));
		ck_assert_int_gt(fd, 2);
		ck_assert_int_eq(isatty(fd), isatty(2));
	} else {
		ck_refused(-EINVAL, v, KIN_FD(&fd));
		ck_assert_int_eq(fd, -42);
	}
	kin_values_free(v);
}

static void
into_cursor(const struct value *value)
{
	kin_values *v = one(value);
	struct kin_cursor c = { .taken = 42 };

	if (value->type == KIN_TYPE_ARRAY || value->type == KIN_TYPE_MAP) {
		ck_taken(v, &c);
		ck_assert_uint_eq(c.type, value->type);
		ck_assert_uint_eq(c.left, value->type == KIN_TYPE_MAP ? 2 : 3);
	} else {
		ck_refused(-EINVAL, v, &c);
		ck_assert_uint_eq(c.taken, 42);
	}
	kin_values_free(v);
}

/* Anything goes there; and it is the same there. */
static void
into_values(const struct value *value)
{
	kin_values *v = one(value), *part = NULL;
	uint32_t type = value->type < FD ? value->type : KIN_TYPE_THING;

	ck_taken(v, KIN_ANY);
	ck_assert_uint_eq(kin_values_type(v, 1), type);
	ck_taken(v, &part);
	kin_values_free(v);
	ck_assert_uint_eq(kin_values_count(part), 1);
	ck_assert_uint_eq(kin_values_type(part, 0), type);
	kin_values_free(part);
}

#define THING_TEST(suffix, type_, type_of)				\
	static void							\
	into_##suffix(const struct value *value)			\
	{								\
		kin_values *v = one(value);				\
		type_ *x = NULL;					\
									\
		if (value->type == (type_of)) {				\
			ck_taken(v, &x);				\
			ck_assert_ptr_nonnull(x);			\
		} else {						\
			ck_refused(-EINVAL, v, &x);			\
			ck_assert_ptr_null(x);				\
		}							\
		kin_values_free(v);					\
	}

THING_TEST(segment, kin_segment, SEGMENT)
THING_TEST(queue, kin_queue, QUEUE)
THING_TEST(conn, kin_conn, 999)
THING_TEST(proxy, kin_proxy, 999)
THING_TEST(dict, kin_dict, 999)
THING_TEST(list, kin_list, 999)
THING_TEST(counter, kin_counter, 999)

static void (*const places[])(const struct value *) = {
	into_char, into_schar, into_uchar, into_short, into_ushort, into_int,
	into_uint, into_long, into_ulong, into_llong, into_ullong,
	into_double, into_float, into_bool, into_strings, into_bytes,
	into_fd, into_cursor, into_values, into_segment, into_queue,
	into_conn, into_proxy, into_dict, into_list, into_counter,
};
#define PLACES	((int)(sizeof(places) / sizeof(places[0])))

START_TEST(every_value_into_every_place)
{
	unsigned i;

	set_up();
	ck_assert_uint_gt(nvalues, 100);
	for (i = 0; i < nvalues; i++)
		places[_i](&values[i]);
	tear_down();
}
END_TEST

/* ---- every type that can be given ---- */

#define GIVES(type, x)							\
	do {								\
		type given = (x);					\
		kin_values *v = through(KIN_ARGS(given, (const type)given)); \
		type a, b;						\
									\
		ck_kin_ok(kin_values_take(v, &a, &b));			\
		ck_assert(a == given && b == given);			\
		kin_values_free(v);					\
	} while (0)

START_TEST(every_number_can_be_given)
{
	GIVES(char, 'x');
	GIVES(char, CHAR_MIN);
	GIVES(signed char, SCHAR_MIN);
	GIVES(unsigned char, UCHAR_MAX);
	GIVES(short, SHRT_MIN);
	GIVES(unsigned short, USHRT_MAX);
	GIVES(int, INT_MIN);
	GIVES(unsigned, UINT_MAX);
	GIVES(long, LONG_MIN);
	GIVES(unsigned long, ULONG_MAX);
	GIVES(long long, LLONG_MIN);
	GIVES(unsigned long long, ULLONG_MAX);
	GIVES(float, 2.5f);
	GIVES(double, 0.1);
	GIVES(bool, true);
	GIVES(bool, false);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("values table");
	TCase *tc = kit_case(suite, "table");

	tcase_add_loop_test(tc, every_value_into_every_place, 0, PLACES);
	tcase_add_test(tc, every_number_can_be_given);
	return kit_run(suite);
}
