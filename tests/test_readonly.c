/* SPDX-License-Identifier: MIT */
/*
 * test_readonly.c - freezing bytes, and mapping what was frozen; what a
 * sender may not get away with
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/bundle.h"
#include "lib/readonly.h"
#include "tests/fault.h"

#define ALL_SEALS	(KN_FROZEN_SEALS | F_SEAL_SEAL)

static char table[10000];

static void
fill_table(void)
{
	size_t i;

	for (i = 0; i < sizeof(table); i++)
		table[i] = (char)(i * 7);
}

static ino_t
inode_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

static struct kn_frozen *
frozen(const void *p, size_t n, const char *name)
{
	struct kn_frozen *f;

	ck_kin_ok(kn_freeze(&f, p, n, name));
	return f;
}

/* What came of f holds those bytes. */
static void
ck_arrives(const struct kn_frozen *f, const void *bytes, size_t n)
{
	const void *data = NULL;

	ck_kin_ok(kn_readonly_map(&data, kn_frozen_fd(f), n));
	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq((uintptr_t)data % 4096, 0);
	ck_assert(n == 0 || memcmp(data, bytes, n) == 0);
	kin_readonly_release(data);
}

/* ---- freezing ---- */

START_TEST(what_is_frozen_arrives_and_is_sealed)
{
	static const size_t lengths[] = { 1, 7, 8, 9, 4095, 4096, 4097, 10000,
					  4096 - 88, 4096 - 87 };
	struct kn_frozen *f;
	size_t i;

	fill_table();
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		f = frozen(table, lengths[i], "table");
		ck_assert_int_eq(fcntl(kn_frozen_fd(f), F_GET_SEALS) &
				 ALL_SEALS, ALL_SEALS);
		ck_arrives(f, table, lengths[i]);
		kn_frozen_drop(f);
	}
}
END_TEST

START_TEST(what_is_held_is_found_again)
{
	struct kn_frozen *first, *again, *third;

	first = frozen(table, 100, "table");
	again = frozen(table, 100, "table");
	ck_assert_ptr_eq(first, again);
	kn_frozen_drop(first);		/* there are two holders */
	third = frozen(table, 100, "&table");
	ck_assert_ptr_eq(third, again);
	kn_frozen_hold(third);
	kn_frozen_drop(third);
	kn_frozen_drop(again);
	ck_arrives(third, table, 100);
	kn_frozen_drop(third);
	kn_frozen_drop(NULL);
}
END_TEST

START_TEST(another_name_or_length_is_another)
{
	struct kn_frozen *f = frozen(table, 100, "table");
	struct kn_frozen *named = frozen(table, 100, "prices");
	struct kn_frozen *longer = frozen(table, 101, "table");
	struct kn_frozen *nameless = frozen(table, 100, NULL);

	ck_assert_ptr_ne(f, named);
	ck_assert_ptr_ne(f, longer);
	ck_assert_ptr_ne(f, nameless);
	kn_frozen_drop(f);
	kn_frozen_drop(named);
	kn_frozen_drop(longer);
	kn_frozen_drop(nameless);
}
END_TEST

START_TEST(changed_bytes_are_frozen_anew)
{
	struct kn_frozen *old, *new, *back, *third;
	char bytes[] = "first words";

	old = frozen(bytes, sizeof(bytes), "bytes");
	memcpy(bytes, "other", 5);
	new = frozen(bytes, sizeof(bytes), "bytes");
	ck_assert_uint_ne(inode_of(kn_frozen_fd(old)),
			  inode_of(kn_frozen_fd(new)));
	ck_arrives(old, "first words", sizeof(bytes));
	ck_arrives(new, "other words", sizeof(bytes));
	/* As they were once more, behind the newer one. */
	memcpy(bytes, "first", 5);
	back = frozen(bytes, sizeof(bytes), "bytes");
	ck_assert_ptr_eq(back, old);
	memcpy(bytes, "third", 5);
	third = frozen(bytes, sizeof(bytes), "bytes");
	ck_arrives(third, "third words", sizeof(bytes));
	kn_frozen_drop(third);
	kn_frozen_drop(old);
	kn_frozen_drop(new);
	kn_frozen_drop(back);
}
END_TEST

/* A program that closes all it knows not of, and opens something else. */
START_TEST(a_closed_descriptor_does_not_serve_again)
{
	struct kn_frozen *f = frozen(table, 100, "table"), *g;
	int fd = kn_frozen_fd(f), other = open("/dev/null", O_RDONLY);

	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(dup2(other, fd), fd);
	close(other);
	g = frozen(table, 100, "table");
	ck_assert_ptr_ne(f, g);
	ck_arrives(g, table, 100);
	kn_frozen_drop(g);
	kn_frozen_drop(f);
	ck_assert_int_eq(close(fd), 0);	/* it was not kin's any more */
}
END_TEST

START_TEST(no_bytes_have_an_address)
{
	struct kn_frozen *f = frozen(NULL, 0, "nothing");
	const void *data = NULL;

	ck_kin_ok(kn_readonly_map(&data, kn_frozen_fd(f), 0));
	ck_assert_ptr_nonnull(data);
	kin_readonly_release(data);
	kn_frozen_drop(f);
	ck_kin_fails(-EINVAL, kn_freeze(&f, NULL, 1, "nothing"));
	ck_kin_fails(-EINVAL, kn_freeze(&f, table, SIZE_MAX, "table"));
	ck_kin_fails(-EINVAL, kn_freeze(&f, table, SIZE_MAX - 7, "table"));
}
END_TEST

START_TEST(a_hundred_megabytes)
{
	size_t n = 100u << 20, i;
	char *bytes = malloc(n);
	struct kn_frozen *f, *again;

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, 1, n);
	for (i = 0; i < n; i += 4096)
		bytes[i] = (char)(i >> 12);
	f = frozen(bytes, n, "bytes");
	again = frozen(bytes, n, "bytes");
	ck_assert_ptr_eq(f, again);
	ck_arrives(f, bytes, n);
	kn_frozen_drop(f);
	kn_frozen_drop(again);
	free(bytes);
}
END_TEST

START_TEST(no_room_is_an_error)
{
	struct rlimit limit = { 8192, RLIM_INFINITY };
	struct kn_frozen *f;

	/* The kernel would send SIGXFSZ for one byte too many. */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_kin_fails(-ENOSPC, kn_freeze(&f, table, sizeof(table), "table"));
}
END_TEST

static int
count_from_zero(void)
{
	struct kn_frozen *f;

	if (kin_copied_bytes() != 0)
		return 1;
	kn_copied(5);
	/* The parent holds it, and so do we: not copied again. */
	if (kn_freeze(&f, table, 1000, "table") < 0)
		return 2;
	return kin_copied_bytes() == 5 ? 0 : 3;
}

START_TEST(copies_are_counted_once_and_by_each_process)
{
	uint64_t before = kin_copied_bytes();
	struct kn_frozen *f = frozen(table, 1000, "table");
	struct kn_frozen *again = frozen(table, 1000, "table");
	pid_t pid;

	ck_assert_uint_eq(kin_copied_bytes(), before + 1000);
	pid = kit_fork();
	if (pid == 0)
		_exit(count_from_zero());
	kit_reap(pid, 0);
	kn_copied(7);
	ck_assert_uint_eq(kin_copied_bytes(), before + 1007);
	kn_frozen_drop(f);
	kn_frozen_drop(again);
}
END_TEST

/* ---- what a sender may not get away with ---- */

/* As kn_freeze would make it, of 100 bytes, before the seals. */
static int
forge(const struct kn_frozen_trailer *trailer)
{
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 104), 0);
	ck_assert_int_eq(pwrite(fd, trailer, sizeof(*trailer), 104),
			 sizeof(*trailer));
	return fd;
}

static struct kn_frozen_trailer
honest(void)
{
	return (struct kn_frozen_trailer){
		.magic = KN_FROZEN_MAGIC,
		.layout = KN_FROZEN_LAYOUT,
		.pid = 1,
		.bytes = 100,
		.name = "forged",
	};
}

/* Refused with that number; fd is closed. */
static void
ck_refused(int number, int fd, uint64_t bytes)
{
	const void *data = &data;

	ck_kin_fails(number, kn_readonly_map(&data, fd, bytes));
	ck_assert_ptr_eq(data, &data);
	if (fd >= 0)
		ck_assert_int_eq(close(fd), 0);
}

static int
forge_sealed(const struct kn_frozen_trailer *trailer, int seals)
{
	int fd = forge(trailer);

	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

START_TEST(an_honest_forgery_is_taken)
{
	struct kn_frozen_trailer t = honest();
	int fd = forge_sealed(&t, KN_FROZEN_SEALS);
	const void *data;

	ck_kin_ok(kn_readonly_map(&data, fd, 100));
	close(fd);			/* it was the caller's */
	kin_readonly_release(data);
}
END_TEST

START_TEST(what_its_sender_could_change_is_refused)
{
	struct kn_frozen_trailer t = honest();
	int fd, ends[2];

	ck_refused(-EACCES, forge(&t), 100);
	ck_refused(-EACCES, forge_sealed(&t, KN_FROZEN_SEALS & ~F_SEAL_WRITE),
		   100);
	ck_refused(-EACCES, forge_sealed(&t, KN_FROZEN_SEALS & ~F_SEAL_SHRINK),
		   100);
	ck_refused(-EACCES, forge_sealed(&t, KN_FROZEN_SEALS & ~F_SEAL_GROW),
		   100);
	fd = open("/proc/self/exe", O_RDONLY);
	ck_refused(-EACCES, fd, 100);
	ck_assert_int_eq(pipe(ends), 0);
	ck_refused(-EACCES, ends[0], 100);
	close(ends[1]);
	ck_refused(-EBADF, -1, 100);
}
END_TEST

START_TEST(lengths_that_do_not_fit_are_refused)
{
	static const uint64_t lengths[] = {
		0, 96, 105, 188, 192, 193, 4096, 1ull << 46, 1ull << 63,
		UINT64_MAX - 200, UINT64_MAX - 87, UINT64_MAX - 7, UINT64_MAX,
	};
	struct kn_frozen_trailer t = honest();
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		ck_refused(-EPROTO, forge_sealed(&t, KN_FROZEN_SEALS),
			   lengths[i]);
	/* It fits the file, but not what the trailer says. */
	ck_refused(-EPROTO, forge_sealed(&t, KN_FROZEN_SEALS), 99);
}
END_TEST

START_TEST(truncated_files_are_refused)
{
	struct kn_frozen_trailer t = honest();
	int fd, len;

	for (len = 0; len < 192; len += 8) {
		fd = forge(&t);
		ck_assert_int_eq(ftruncate(fd, len), 0);
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, KN_FROZEN_SEALS), 0);
		ck_refused(-EPROTO, fd, 100);
	}
}
END_TEST

START_TEST(trailers_that_are_none_are_refused)
{
	struct kn_frozen_trailer t = { 0 };

	ck_refused(-EPROTO, forge_sealed(&t, KN_FROZEN_SEALS), 100);
	t = honest();
	t.magic++;
	ck_refused(-EPROTO, forge_sealed(&t, KN_FROZEN_SEALS), 100);
	t = honest();
	t.layout = 2;
	ck_refused(-EPROTONOSUPPORT, forge_sealed(&t, KN_FROZEN_SEALS), 100);
	t = honest();
	t.bytes = 101;
	ck_refused(-EPROTO, forge_sealed(&t, KN_FROZEN_SEALS), 100);
	t = honest();
	memset(t.name, 'x', sizeof(t.name));
	ck_refused(-EPROTO, forge_sealed(&t, KN_FROZEN_SEALS), 100);
}
END_TEST

/* ---- every kernel call fails in turn ---- */

static size_t faulty_bytes;

static int
freeze_and_drop(void)
{
	struct kn_frozen *f;
	int r = kn_freeze(&f, table, faulty_bytes, "table");

	if (r == 0)
		kn_frozen_drop(f);
	return r;
}

static struct kn_frozen *held;

/* The comparison may fail: then there is another copy, and no error. */
static int
freeze_again(void)
{
	struct kn_frozen *f;
	int r = kn_freeze(&f, table, 1000, "table");

	if (r == 0) {
		ck_assert(f == held || failed_call[0] != '\0');
		kn_frozen_drop(f);
	}
	return r;
}

static int
map_and_release(void)
{
	const void *data;
	int r = kn_readonly_map(&data, kn_frozen_fd(held), 1000);

	if (r == 0)
		kin_readonly_release(data);
	return r;
}

/* It fails with that number and a sentence, or works without the call. */
static int
fail_each(const char *op, int (*try)(void), int number)
{
	struct left before = left_now();
	int k, r, failures = 0;

	for (k = 1; k < 100; k++) {
		kit_forget();
		arm(k, number);
		r = try();
		if (!disarm()) {
			ck_kin_ok(r);
			return failures;
		}
		if (r < 0) {
			ck_assert_msg(r == number || r == -ENOSPC,
				      "%s, %s failed: %d", op, failed_call, r);
			ck_assert_msg(!kit_forgotten(), "%s, %s: no sentence",
				      op, failed_call);
			failures++;
		}
		ck_same(&before, op, k);
	}
	ck_abort_msg("%s never works", op);
}

START_TEST(every_call_fails)
{
	faulty_bytes = 1000;
	ck_assert_int_ge(fail_each("freeze", freeze_and_drop, -EMFILE), 6);
	ck_assert_int_ge(fail_each("freeze", freeze_and_drop, -EIO), 6);
	held = frozen(table, 1000, "table");
	(void)fail_each("freeze again", freeze_again, -ENOMEM);
	ck_assert_int_ge(fail_each("map", map_and_release, -ENOMEM), 4);
	kn_frozen_drop(held);
}
END_TEST

static int handler_calls_left;

static int
fail_sigaction(const char *call)
{
	return strcmp(call, "sigaction") == 0 && --handler_calls_left == 0
	       ? -EPERM : 0;
}

/* Both are made for the first range only. */
START_TEST(without_a_handler_nothing_is_mapped)
{
	struct left before;
	int k;

	held = frozen(table, 1000, "table");
	before = left_now();
	for (k = 1; k <= 2; k++) {
		handler_calls_left = k;
		kn_os_hook = fail_sigaction;
		ck_kin_fails(-EPERM, map_and_release());
		kn_os_hook = NULL;
		ck_same(&before, "map", k);
	}
	ck_kin_ok(map_and_release());
	kn_frozen_drop(held);
}
END_TEST

static bool refused_once;

static int
refuse_first_mapping(const char *call)
{
	if (strcmp(call, "mmap") != 0 || refused_once)
		return 0;
	refused_once = true;
	return -EPERM;
}

/* Before Linux 6.7, what could also be written cannot be mapped shared. */
START_TEST(an_older_kernel_is_asked_otherwise)
{
	held = frozen(table, 1000, "table");
	kn_os_hook = refuse_first_mapping;
	ck_kin_ok(map_and_release());
	kn_os_hook = NULL;
	ck_assert(refused_once);
	kn_frozen_drop(held);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("readonly");
	TCase *tc = kit_case(suite, "freezing");

	tcase_add_test(tc, what_is_frozen_arrives_and_is_sealed);
	tcase_add_test(tc, what_is_held_is_found_again);
	tcase_add_test(tc, another_name_or_length_is_another);
	tcase_add_test(tc, changed_bytes_are_frozen_anew);
	tcase_add_test(tc, a_closed_descriptor_does_not_serve_again);
	tcase_add_test(tc, no_bytes_have_an_address);
	tcase_add_test(tc, a_hundred_megabytes);
	tcase_add_test(tc, no_room_is_an_error);
	tcase_add_test(tc, copies_are_counted_once_and_by_each_process);
	tcase_add_test(tc, every_call_fails);
	tcase_add_test(tc, without_a_handler_nothing_is_mapped);
	tcase_add_test(tc, an_older_kernel_is_asked_otherwise);
	tc = kit_case(suite, "senders");
	tcase_add_test(tc, an_honest_forgery_is_taken);
	tcase_add_test(tc, what_its_sender_could_change_is_refused);
	tcase_add_test(tc, lengths_that_do_not_fit_are_refused);
	tcase_add_test(tc, truncated_files_are_refused);
	tcase_add_test(tc, trailers_that_are_none_are_refused);
	return kit_run(suite);
}
