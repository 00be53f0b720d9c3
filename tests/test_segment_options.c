/* SPDX-License-Identifier: MIT */
/*
 * test_segment_options.c - the promises of kin/segment.h: ways of making and
 * of joining
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/segments.h"

#define BYTES	10000
#define MIB	(1ull << 20)

static const struct kin_segment_use read_only = {
	.size = sizeof(read_only), .flags = KIN_USE_READONLY,
};

/* The file system's blocks that it takes, in bytes. */
static uint64_t
taken(const kin_segment *seg)
{
	struct stat st;

	ck_assert_int_eq(fstat(kin_segment_fd(seg), &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* ---- contradictions ---- */

START_TEST(what_contradicts_itself_is_invalid)
{
	static const struct kin_segment_opts wrong[] = {
		{ .flags = 0x80 },
		{ .flags = 1u << 31 },
		{ .reserved = 1 },
		{ .mode = 01000, .name = "n" },
		{ .mode = 0600 },
		{ .name = "n", .path = "/tmp/n" },
		{ .flags = KIN_SEGMENT_OPEN_OR_CREATE },
		{ .flags = KIN_TRUST_OWNER },
		{ .flags = KIN_TRUST_GROUP },
		{ .flags = KIN_SEGMENT_HUGE, .name = "n" },
		{ .flags = KIN_SEGMENT_HUGE, .path = "/tmp/n" },
		{ .flags = KIN_SEGMENT_GROWABLE, .name = "n" },
		{ .flags = KIN_SEGMENT_GROWABLE, .path = "/tmp/n" },
		{ .flags = KIN_SEGMENT_GROWABLE | KIN_SEGMENT_HUGE },
		{ .flags = KIN_SEGMENT_SPARSE | KIN_SEGMENT_POPULATE },
		{ .max_bytes = 2 * BYTES },
		{ .flags = KIN_SEGMENT_GROWABLE, .max_bytes = BYTES - 1 },
		{ .flags = KIN_SEGMENT_GROWABLE, .max_bytes = 1ull << 47 },
		{ .path = "" },
		{ .path = "/tmp/" },
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct kin_segment_opts opts = wrong[i];

		opts.size = sizeof(opts);
		opts.bytes = BYTES;
		ck_make_fails(-EINVAL, &opts);
	}
	ck_assert_int_eq(entries(kit_names()), 0);
}
END_TEST

START_TEST(unknown_uses_are_invalid)
{
	kin_segment *seg = named("jobs"), *other = UNTOUCHED;
	struct kin_segment_use use = { .size = sizeof(use), .flags = 0x40 };
	int fd = kin_segment_fd(seg);

	ck_kin_fails(-EINVAL, kin_segment_attach_with(&other, fd, &use));
	ck_kin_fails(-EINVAL, kin_segment_open_with(&other, "jobs", &use));
	ck_kin_fails(-EINVAL, kin_segment_open_file(&other, "jobs", &use));
	ck_kin_fails(-EINVAL, kin_segment_unlink_with("jobs", &use));
	ck_assert_ptr_eq(other, UNTOUCHED);
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

/* ---- space ---- */

START_TEST(space_is_taken_at_once_and_of_sparse_ones_later)
{
	kin_segment *full = made(KIN_OPTS(kin_segment_opts, .bytes = MIB));
	kin_segment *sparse = made(KIN_OPTS(kin_segment_opts, .bytes = MIB,
					    .flags = KIN_SEGMENT_SPARSE));
	kin_segment *file = made(KIN_OPTS(kin_segment_opts, .bytes = MIB,
					  .name = "sparse",
					  .flags = KIN_SEGMENT_SPARSE));

	ck_assert_uint_ge(taken(full), MIB);
	ck_assert_uint_le(taken(sparse), 8192);
	ck_assert_uint_le(taken(file), 8192);
	memset(kin_segment_data(sparse), 'x', MIB);
	memset(kin_segment_data(file), 'x', MIB);
	ck_assert_uint_ge(taken(sparse), MIB);
	/* Sealed against truncation all the same. */
	ck_assert_int_eq(ftruncate(kin_segment_fd(sparse), 0), -1);
	kin_segment_close(full);
	kin_segment_close(sparse);
	kin_segment_close(file);
	ck_kin_ok(kin_segment_unlink("sparse"));
}
END_TEST

static size_t
present(const void *at, size_t bytes)
{
	unsigned char pages[300];
	size_t n = 0, i;

	ck_assert_uint_le(bytes / 4096, sizeof(pages));
	ck_assert_int_eq(mincore((void *)(uintptr_t)at, bytes, pages), 0);
	for (i = 0; i < bytes / 4096; i++)
		n += pages[i] & 1;
	return n;
}

static long
faults(void)
{
	struct rusage used;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &used), 0);
	return used.ru_minflt;
}

static long
faults_of_touching(char *at)
{
	long before = faults();
	size_t i;

	for (i = 0; i < MIB; i += 4096)
		((volatile char *)at)[i] = 'x';
	return faults() - before;
}

START_TEST(populated_ones_are_mapped_at_once)
{
	kin_segment *seg = made(KIN_OPTS(kin_segment_opts, .bytes = MIB,
					 .flags = KIN_SEGMENT_POPULATE));
	kin_segment *other;

	ck_assert_uint_eq(present(kin_segment_data(seg), MIB), MIB / 4096);
	ck_assert_int_lt(faults_of_touching(kin_segment_data(seg)), 128);
	ck_kin_ok(kin_segment_attach_with(&other, kin_segment_fd(seg),
	    KIN_OPTS(kin_segment_use, .flags = KIN_USE_POPULATE)));
	ck_assert_int_lt(faults_of_touching(kin_segment_data(other)), 128);
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

static unsigned long
huge_pages_free(void)
{
	FILE *info = fopen("/proc/meminfo", "r");
	unsigned long n = 0;
	char line[256];

	while (info != NULL && fgets(line, sizeof(line), info) != NULL)
		if (sscanf(line, "HugePages_Free: %lu", &n) == 1)
			break;
	if (info != NULL)
		fclose(info);
	return n;
}

START_TEST(huge_pages_are_had_or_it_is_said_that_there_are_none)
{
	kin_segment *seg, *other;
	size_t bytes = 3 * MIB;

	if (huge_pages_free() < 2) {
		ck_make_fails(-ENOSPC, KIN_OPTS(kin_segment_opts,
						.bytes = 1ull << 40,
						.flags = KIN_SEGMENT_HUGE));
		ck_assert_ptr_nonnull(strstr(kin_errmsg(), "nr_hugepages"));
		fprintf(stderr, "# SKIP what needs huge pages: none are "
			"reserved here\n");
		return;
	}
	seg = made(KIN_OPTS(kin_segment_opts, .bytes = bytes,
			    .flags = KIN_SEGMENT_HUGE));
	ck_assert_uint_eq(kin_segment_bytes(seg), bytes);
	memset(kin_segment_data(seg), 'h', bytes);
	other = attached(seg);
	ck_assert_uint_eq(kin_segment_bytes(other), bytes);
	ck_assert_int_eq(((char *)kin_segment_data(other))[bytes - 1], 'h');
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

/* ---- permissions ---- */

START_TEST(the_mode_is_as_asked_whatever_the_umask)
{
	mode_t mask = umask(077);
	kin_segment *seg = made(KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					 .name = "ours", .mode = 0664));
	kin_segment *file = made(KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					  .path = name_path("file"),
					  .mode = 0640));
	struct stat st;

	ck_assert_int_eq(stat(name_path("ours"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0664);
	ck_assert_int_eq(stat(name_path("file"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	umask(mask);
	kin_segment_close(seg);
	kin_segment_close(file);
	ck_kin_ok(kin_segment_unlink("ours"));
	ck_assert_int_eq(unlink(name_path("file")), 0);
}
END_TEST

static void
ck_read_only(const kin_segment *seg)
{
	int flags = fcntl(kin_segment_fd(seg), F_GETFL);

	ck_assert_int_eq(kin_segment_writable(seg), 0);
	ck_assert_int_eq(flags & O_ACCMODE, O_RDONLY);
	ck_assert_str_eq(kin_segment_data(seg), "hello");
	ck_assert(store_ends_by(SIGSEGV, kin_segment_data(seg)));
}

START_TEST(who_attaches_read_only_sees_all_and_stores_nothing)
{
	kin_segment *seg = named("jobs"), *other, *again = UNTOUCHED;

	ck_assert_int_eq(kin_segment_writable(seg), 1);
	strcpy(kin_segment_data(seg), "hello");
	ck_kin_ok(kin_segment_attach_with(&other, kin_segment_fd(seg),
					  &read_only));
	ck_read_only(other);
	/* Nor does who gets it from there. */
	ck_kin_fails(-EACCES, kin_segment_attach(&again,
						 kin_segment_fd(other)));
	ck_kin_ok(kin_segment_attach_with(&again, kin_segment_fd(other),
					  &read_only));
	ck_read_only(again);
	kin_segment_close(again);
	kin_segment_close(other);
	ck_kin_ok(kin_segment_open_with(&other, "jobs", &read_only));
	ck_read_only(other);
	strcpy(kin_segment_data(seg), "later");
	ck_assert_str_eq(kin_segment_data(other), "later");
	kin_segment_close(other);
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

/* ---- open or create ---- */

static int
open_or_create(kin_segment **ret_seg, const char *name, const char *path,
	       uint64_t bytes)
{
	return kin_segment_create(ret_seg,
	    KIN_OPTS(kin_segment_opts, .bytes = bytes, .name = name,
		     .path = path, .flags = KIN_SEGMENT_OPEN_OR_CREATE));
}

START_TEST(the_first_creates_and_the_others_open)
{
	const char *name = _i == 0 ? "jobs" : NULL;
	const char *path = _i == 0 ? NULL : name_path("jobs");
	kin_segment *first, *second, *third = UNTOUCHED;

	if (_i == 1)
		ck_assert_int_eq(mkdir(kit_names(), 0700), 0);
	kit_forget();
	ck_assert_int_eq(open_or_create(&first, name, path, BYTES), 1);
	strcpy(kin_segment_data(first), "first");
	ck_assert_int_eq(open_or_create(&second, name, path, BYTES), 0);
	ck_assert(kit_forgotten());
	ck_assert_str_eq(kin_segment_data(second), "first");
	ck_assert_str_eq(kin_segment_label(second), "jobs");
	ck_kin_fails(-EEXIST, open_or_create(&third, name, path, BYTES - 1));
	ck_kin_fails(-EEXIST, open_or_create(&third, name, path, BYTES + 1));
	ck_assert_ptr_eq(third, UNTOUCHED);
	ck_make_fails(-EEXIST, KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					.name = name, .path = path));
	kin_segment_close(first);
	kin_segment_close(second);
	ck_assert_int_eq(unlink(name_path("jobs")), 0);
}
END_TEST

START_TEST(of_many_who_open_or_create_one_creates_and_all_share)
{
	int i, status, created = 0;
	kin_segment *seg = NULL;
	pid_t pids[8];

	for (i = 0; i < 8; i++) {
		pids[i] = kit_fork();
		if (pids[i] != 0)
			continue;
		status = open_or_create(&seg, "one", NULL, BYTES);
		if (status < 0)
			_exit(30);
		__atomic_add_fetch((int *)kin_segment_data(seg), 1,
				   __ATOMIC_SEQ_CST);
		_exit(status == 1 ? 10 : 20);
	}
	for (i = 0; i < 8; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert(WEXITSTATUS(status) == 10 ||
			  WEXITSTATUS(status) == 20);
		created += WEXITSTATUS(status) == 10;
	}
	ck_assert_int_eq(created, 1);
	ck_kin_ok(kin_segment_open(&seg, "one"));
	ck_assert_int_eq(*(int *)kin_segment_data(seg), 8);
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("one"));
}
END_TEST

START_TEST(what_comes_and_goes_is_opened_or_created_nevertheless)
{
	pid_t pid = kit_fork();
	kin_segment *seg;
	int i, r;

	if (pid == 0)
		for (;;)
			(void)kin_segment_unlink("fleeting");
	for (i = 0; i < 300; i++) {
		r = open_or_create(&seg, "fleeting", NULL, BYTES);
		if (r == -EBUSY)
			continue;
		ck_kin_ok(r);
		ck_assert_uint_eq(kin_segment_bytes(seg), BYTES);
		kin_segment_close(seg);
	}
	kit_kill(pid);
	r = kin_segment_unlink("fleeting");
	ck_assert(r == 0 || r == -ENOENT);
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_backs_a_segment)
{
	kin_segment *seg, *other;
	struct stat st;
	char path[64];

	/* On a disk, where there is one here. */
	snprintf(path, sizeof(path), "/var/tmp/kin-test-%d.seg",
		 (int)getpid());
	seg = made(KIN_OPTS(kin_segment_opts, .bytes = BYTES, .path = path));
	ck_assert_str_eq(kin_segment_label(seg), path + strlen("/var/tmp/"));
	strcpy(kin_segment_data(seg), "kept");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, 4 * 4096);
	kin_segment_close(seg);
	ck_make_fails(-EEXIST, KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					.path = path));
	ck_kin_ok(kin_segment_open_file(&seg, path, NULL));
	ck_assert_str_eq(kin_segment_data(seg), "kept");
	ck_assert_uint_eq(kin_segment_bytes(seg), BYTES);
	ck_kin_ok(kin_segment_open_file(&other, path, &read_only));
	strcpy(kin_segment_data(seg), "hello");
	ck_read_only(other);
	kin_segment_close(other);
	other = attached(seg);
	ck_assert_str_eq(kin_segment_data(other), "hello");
	kin_segment_close(other);
	ck_kin_fails(-EOPNOTSUPP, kin_segment_seal(seg));
	ck_kin_fails(-EOPNOTSUPP, kin_segment_publish(seg));
	ck_assert_int_eq(kin_segment_seals(seg), 0);
	kin_segment_close(seg);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

static void
ck_file_fails(int number, const char *path)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, kin_segment_open_file(&seg, path, NULL));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

START_TEST(what_is_no_segments_file_is_refused)
{
	char fifo[PATH_MAX];

	kin_segment_close(named("jobs"));
	snprintf(fifo, sizeof(fifo), "%s", name_path("fifo"));
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_file_fails(-ENOENT, name_path("none"));
	ck_file_fails(-ENOENT, name_path("none/none"));
	ck_file_fails(-EPROTO, fifo);
	ck_file_fails(-EPROTO, "/");
	ck_file_fails(-EPROTO, "/dev/null");
	ck_make_fails(-ENOENT, KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					.path = name_path("none/none")));
	ck_make_fails(-EEXIST, KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					.path = fifo));
	ck_make_fails(-EOPNOTSUPP, KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					    .path = "/proc/new"));
	ck_assert_int_eq(unlink(fifo), 0);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

/* Not defended against: who can write to the file can cut it. */
START_TEST(a_file_that_was_cut_is_refused_to_those_who_come_later)
{
	kin_segment *seg = made(KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					 .name = "cut"));

	ck_assert_int_eq(truncate(name_path("cut"), 4096), 0);
	ck_assert(store_ends_by(SIGBUS, kin_segment_data(seg)));
	ck_file_fails(-EPROTO, name_path("cut"));
	ck_open_fails(-EPROTO, "cut");
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("cut"));
}
END_TEST

static void
add_making(Suite *suite)
{
	TCase *tc = kit_case(suite, "making");

	tcase_add_test(tc, what_contradicts_itself_is_invalid);
	tcase_add_test(tc, space_is_taken_at_once_and_of_sparse_ones_later);
	tcase_add_test(tc, populated_ones_are_mapped_at_once);
	tcase_add_test(tc,
	    huge_pages_are_had_or_it_is_said_that_there_are_none);
	tcase_add_test(tc, the_mode_is_as_asked_whatever_the_umask);
	tcase_add_loop_test(tc, the_first_creates_and_the_others_open, 0, 2);
	tcase_add_test(tc,
	    of_many_who_open_or_create_one_creates_and_all_share);
	tcase_add_test(tc,
	    what_comes_and_goes_is_opened_or_created_nevertheless);
}

static void
add_joining(Suite *suite)
{
	TCase *tc = kit_case(suite, "joining");

	tcase_add_test(tc, unknown_uses_are_invalid);
	tcase_add_test(tc,
	    who_attaches_read_only_sees_all_and_stores_nothing);
	tcase_add_test(tc, a_file_backs_a_segment);
	tcase_add_test(tc, what_is_no_segments_file_is_refused);
	tcase_add_test(tc,
	    a_file_that_was_cut_is_refused_to_those_who_come_later);
}

int
main(void)
{
	Suite *suite = suite_create("segment options");

	add_making(suite);
	add_joining(suite);
	return kit_run(suite);
}
