/* SPDX-License-Identifier: MIT */
/*
 * test_fault_segment.c - every kernel call fails in turn, in each way to a
 * segment and in what is done with one
 *
 * The first, the second, the third kernel call of an operation fails, until
 * there is none left to fail and the operation has worked.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/segment.h"
#include "tests/fault.h"

#define BYTES	10000

static kin_segment *there;	/* a named one, "there" */
static char file[PATH_MAX];	/* in the directory of names */
static char untouched;
#define UNTOUCHED	((void *)&untouched)

/* ---- ways to a segment ---- */

struct way {
	const char *name;
	int (*make)(kin_segment **ret);
	const char *left;		/* a name to remove, or NULL */
	const char *fatal;		/* calls that it cannot do without */
};

static int
make_sparse(kin_segment **ret)
{
	return kin_segment_create(ret, KIN_OPTS(kin_segment_opts,
	    .bytes = BYTES, .flags = KIN_SEGMENT_SPARSE));
}

static int
make_growable(kin_segment **ret)
{
	return kin_segment_create(ret, KIN_OPTS(kin_segment_opts,
	    .bytes = BYTES, .flags = KIN_SEGMENT_GROWABLE));
}

static int
make_with_mode(kin_segment **ret)
{
	return kin_segment_create(ret, KIN_OPTS(kin_segment_opts,
	    .bytes = BYTES, .name = "new", .mode = 0640));
}

static int
make_file(kin_segment **ret)
{
	return kin_segment_create(ret, KIN_OPTS(kin_segment_opts,
	    .bytes = BYTES, .path = file));
}

static int
make_first(kin_segment **ret)
{
	int r = kin_segment_create(ret, KIN_OPTS(kin_segment_opts,
	    .bytes = BYTES, .name = "new",
	    .flags = KIN_SEGMENT_OPEN_OR_CREATE));

	return r == 1 ? 0 : r == 0 ? -EPROTO : r;
}

static int
make_second(kin_segment **ret)
{
	return kin_segment_create(ret, KIN_OPTS(kin_segment_opts,
	    .bytes = BYTES, .name = "there",
	    .flags = KIN_SEGMENT_OPEN_OR_CREATE));
}

static int
attach_read_only(kin_segment **ret)
{
	return kin_segment_attach_with(ret, kin_segment_fd(there),
	    KIN_OPTS(kin_segment_use, .flags = KIN_USE_READONLY));
}

static int
open_file(kin_segment **ret)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/there", kit_names());
	return kin_segment_open_file(ret, path,
	    KIN_OPTS(kin_segment_use, .flags = KIN_USE_POPULATE));
}

static const struct way ways[] = {
	{ "sparse", make_sparse, NULL, " memfd_create fstat ftruncate seal "
	  "mmap " },
	{ "growable", make_growable, NULL, " memfd_create fstat fallocate "
	  "seal mmap " },
	{ "mode", make_with_mode, "new", " fstat fallocate fchmod mmap link " },
	{ "file", make_file, "file", " fstat fallocate mmap link " },
	{ "open or create, none", make_first, "new", " fallocate mmap link " },
	{ "open or create, one", make_second, NULL, " fstat pread dup mmap " },
	{ "read-only", attach_read_only, NULL, " fstat pread mmap " },
	{ "open file", open_file, NULL, " open fstat pread dup mmap " },
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static bool
cannot_do_without(const char *fatal, const char *call)
{
	char word[40];

	snprintf(word, sizeof(word), " %s ", call);
	return strstr(fatal, word) != NULL;
}

static void
use_and_undo(const struct way *way, kin_segment *seg)
{
	char *data = kin_segment_data(seg);

	ck_assert_uint_eq(kin_segment_bytes(seg), BYTES);
	ck_assert_int_eq(data[BYTES - 1], 0);
	if (kin_segment_writable(seg))
		data[0] = 'x';
	kin_segment_close(seg);
	if (way->left != NULL)
		ck_kin_ok(kin_segment_unlink(way->left));
}

/* The k-th call fails.  False: there was no k-th. */
static bool
round_of(const struct way *way, int k, int number, int *failed)
{
	struct left before = left_now();
	kin_segment *seg = UNTOUCHED;
	bool struck;
	int r;

	kit_forget();
	arm(k, number);
	r = way->make(&seg);
	struck = disarm();
	if (r < 0) {
		(*failed)++;
		ck_assert_msg(struck && r == number && !kit_forgotten(),
			      "%s, call %d (%s): %s: %s", way->name, k,
			      failed_call, kin_strerror(r), kin_errmsg());
		ck_assert_ptr_eq(seg, UNTOUCHED);
		ck_same(&before, way->name, k);
		ck_kin_ok(way->make(&seg));
	} else {
		ck_assert_msg(!struck ||
			      !cannot_do_without(way->fatal, failed_call),
			      "%s did not notice that %s failed", way->name,
			      failed_call);
		ck_assert(kit_forgotten());
	}
	use_and_undo(way, seg);
	ck_same(&before, way->name, k);
	return struck;
}

static void
set_up(void)
{
	ck_kin_ok(kin_segment_create(&there, KIN_OPTS(kin_segment_opts,
						      .bytes = BYTES,
						      .name = "there")));
	snprintf(file, sizeof(file), "%s/file", kit_names());
}

static void
tear_down(void)
{
	kin_segment_close(there);
	ck_kin_ok(kin_segment_unlink("there"));
}

START_TEST(any_kernel_call_may_fail_on_the_way)
{
	const struct way *way = &ways[_i / 2];
	int k = 1, failed = 0;

	set_up();
	while (round_of(way, k, _i % 2 ? -EMFILE : -ENOMEM, &failed))
		k++;
	ck_assert_int_ge(k, 4);
	ck_assert_int_ge(failed, 3);
	tear_down();
}
END_TEST

/* ---- what is done with one ---- */

struct deed {
	const char *name;
	int (*act)(kin_segment *seg);
	/* It has been done, or not at all. */
	bool (*done)(kin_segment *seg);
	const char *fatal;
};

static int
grow(kin_segment *seg)
{
	return kin_segment_grow(seg, 5 * BYTES);
}

static bool
has_grown(kin_segment *seg)
{
	struct stat st;

	ck_assert_int_eq(fstat(kin_segment_fd(seg), &st), 0);
	ck_assert(st.st_size == 4096 + BYTES || st.st_size == 4096 + 5 * BYTES);
	return st.st_size != 4096 + BYTES;
}

static int
refresh(kin_segment *seg)
{
	int r = kin_segment_refresh(seg);

	return r == 1 ? 0 : r == 0 ? -EPROTO : r;
}

static bool
has_seen(kin_segment *seg)
{
	return kin_segment_bytes(seg) != BYTES;
}

static bool
is_frozen(kin_segment *seg)
{
	bool frozen = kin_segment_seals(seg) & KIN_SEALED_FROZEN;

	ck_assert_int_eq(kin_segment_writable(seg), !frozen);
	if (!frozen)
		((char *)kin_segment_data(seg))[1] = 'y';
	return frozen;
}

static bool
is_published(kin_segment *seg)
{
	return kin_segment_seals(seg) & KIN_SEALED_PUBLISHED;
}

static int
view(kin_segment *seg)
{
	kin_view *view = UNTOUCHED;
	int r = kin_view_create(&view, seg, KIN_OPTS(kin_view_opts,
	    .flags = KIN_VIEW_READONLY));

	if (r == 0)
		kin_view_close(view);
	else
		ck_assert_ptr_eq(view, UNTOUCHED);
	return r;
}

static const struct deed deeds[] = {
	{ "grow", grow, has_grown, " fstat fallocate ftruncate " },
	{ "refresh", refresh, has_seen, " fstat " },
	{ "seal", kin_segment_seal, is_frozen, " seals mmap_over seal " },
	{ "publish", kin_segment_publish, is_published, " seals seal " },
	{ "view", view, NULL, " fstat pread mmap " },
};
enum { DEEDS = sizeof(deeds) / sizeof(deeds[0]) };

static kin_segment *
to_be_treated(const struct deed *deed)
{
	kin_segment *seg, *other;

	ck_kin_ok(make_growable(&seg));
	if (deed->act != refresh)
		return seg;
	ck_kin_ok(kin_segment_attach(&other, kin_segment_fd(seg)));
	ck_kin_ok(grow(other));
	kin_segment_close(other);
	return seg;
}

static bool
do_with(const struct deed *deed, int k, int number, int *failed)
{
	kin_segment *seg = to_be_treated(deed);
	struct left before = left_now();
	bool struck;
	int r;

	kit_forget();
	arm(k, number);
	r = deed->act(seg);
	struck = disarm();
	ck_same(&before, deed->name, k);
	if (r < 0) {
		(*failed)++;
		ck_assert_msg(struck && r == number && !kit_forgotten(),
			      "%s, call %d (%s): %s: %s", deed->name, k,
			      failed_call, kin_strerror(r), kin_errmsg());
		if (deed->done != NULL)
			ck_assert(!deed->done(seg));
		ck_kin_ok(deed->act(seg));
	} else {
		ck_assert_msg(!struck ||
			      !cannot_do_without(deed->fatal, failed_call),
			      "%s did not notice that %s failed", deed->name,
			      failed_call);
	}
	if (deed->done != NULL)
		ck_assert(deed->done(seg));
	ck_same(&before, deed->name, k);
	kin_segment_close(seg);
	return struck;
}

START_TEST(any_kernel_call_may_fail_in_the_deed)
{
	const struct deed *deed = &deeds[_i / 2];
	int k = 1, failed = 0;

	while (do_with(deed, k, _i % 2 ? -EIO : -ENOMEM, &failed))
		k++;
	ck_assert_int_ge(failed, 1);
}
END_TEST

/* Whoever is in the way may not be found out; the answer stays the same. */
START_TEST(who_is_in_the_way_may_stay_unknown)
{
	kin_segment *seg, *other;
	int k, r;
	bool struck = true;

	ck_kin_ok(make_growable(&seg));
	ck_kin_ok(kin_segment_attach(&other, kin_segment_fd(seg)));
	for (k = 4; struck; k = k < 30 ? k + 1 : k + k / 16) {
		struct left before = left_now();

		arm(k, -EMFILE);
		r = kin_segment_seal(seg);
		struck = disarm();
		ck_assert_int_eq(r, -EBUSY);
		ck_assert_int_eq(kin_segment_writable(seg), 1);
		((char *)kin_segment_data(seg))[1] = 'y';
		ck_same(&before, "seal", k);
	}
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fault segment");
	TCase *tc = kit_case(suite, "every call in turn");

	tcase_add_loop_test(tc, any_kernel_call_may_fail_on_the_way, 0,
			    WAYS * 2);
	tcase_add_loop_test(tc, any_kernel_call_may_fail_in_the_deed, 0,
			    DEEDS * 2);
	tcase_add_test(tc, who_is_in_the_way_may_stay_unknown);
	return kit_run(suite);
}
