/* SPDX-License-Identifier: MIT */
/*
 * test_attach.c - the promises of kin/segment.h: what is attached to
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/segments.h"

/* A file of memory that kin has not made. */
static int
foreign(const void *bytes, size_t len, off_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, 0), (ssize_t)len);
	return fd;
}

START_TEST(a_truncated_file_is_refused)
{
	static const off_t sizes[] = { 0, 1, 127, 128, 4096, 12287 };
	kin_segment *seg = named("jobs");
	int fd = dup(kin_segment_fd(seg));
	size_t i;

	kin_segment_close(seg);		/* or the mapping would be cut too */
	for (i = sizeof(sizes) / sizeof(sizes[0]); i-- > 0;) {
		ck_assert_int_eq(ftruncate(fd, sizes[i]), 0);
		ck_attach_fails(-EPROTO, fd);
		ck_open_fails(-EPROTO, "jobs");
	}
	close(fd);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(a_foreign_file_is_refused)
{
	unsigned char bytes[4096] = { 0 };
	unsigned seed = 1;
	size_t i;
	int fd;

	fd = foreign(bytes, 0, 0);
	ck_attach_fails(-EPROTO, fd);
	close(fd);
	fd = foreign(bytes, sizeof(bytes), 8192);
	ck_attach_fails(-EPROTO, fd);
	close(fd);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)rand_r(&seed);
	fd = foreign(bytes, sizeof(bytes), 8192);
	ck_attach_fails(-EPROTO, fd);
	close(fd);
}
END_TEST

START_TEST(another_layout_is_refused_as_such)
{
	kin_segment *seg = anonymous(1);
	struct kn_header header = header_of(kin_segment_fd(seg)), other;

	other = header;
	other.layout++;
	set_header(kin_segment_fd(seg), &other);
	ck_attach_fails(-EPROTONOSUPPORT, kin_segment_fd(seg));
	other = header;
	other.kind_layout++;
	set_header(kin_segment_fd(seg), &other);
	ck_attach_fails(-EPROTONOSUPPORT, kin_segment_fd(seg));
	set_header(kin_segment_fd(seg), &header);
	kin_segment_close(attached(seg));
	kin_segment_close(seg);
}
END_TEST

START_TEST(another_kind_is_refused)
{
	kin_segment *seg = anonymous(1);
	kin_queue *q, *not_a_queue = NULL;

	ck_kin_ok(kin_queue_create(&q, NULL));
	ck_attach_fails(-EPROTO, kin_queue_fd(q));
	ck_kin_fails(-EPROTO, kin_queue_attach(&not_a_queue,
					       kin_segment_fd(seg)));
	ck_assert_ptr_null(not_a_queue);
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	kin_queue_close(q);
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_descriptor_that_cannot_write_is_refused)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_PATH };
	kin_segment *seg = anonymous(1);
	char path[64];
	size_t i;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kin_segment_fd(seg));
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		fd = open(path, modes[i] | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_attach_fails(-EACCES, fd);
		close(fd);
	}
	kin_segment_close(seg);
}
END_TEST

START_TEST(what_is_no_memory_is_refused)
{
	int ends[2], pair[2], fd;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_attach_fails(-EPROTO, ends[0]);
	ck_attach_fails(-EPROTO, ends[1]);
	ck_attach_fails(-EPROTO, pair[0]);
	fd = open("/dev/null", O_RDWR);
	ck_attach_fails(-EPROTO, fd);
	close(fd);
	fd = open("/", O_RDONLY | O_DIRECTORY);
	ck_attach_fails(-EPROTO, fd);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(a_closed_descriptor_is_refused)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	ck_attach_fails(-EBADF, fd);
	ck_attach_fails(-EBADF, -1);
	ck_attach_fails(-EBADF, INT_MAX);
}
END_TEST

/* A copy of a good segment in memory of that owner, with those seals. */
static int
copy_owned_by(uid_t uid, int seals)
{
	kin_segment *seg = anonymous(1);
	struct kn_header header = header_of(kin_segment_fd(seg));
	int fd = foreign(&header, sizeof(header), 8192);

	kin_segment_close(seg);
	ck_assert_int_eq(fchown(fd, uid, (gid_t)-1), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

START_TEST(memory_that_a_stranger_can_cut_is_refused)
{
	int fd = copy_owned_by(STRANGER, 0);

	ck_attach_fails(-EACCES, fd);
	close(fd);
	fd = copy_owned_by(STRANGER, F_SEAL_GROW);
	ck_attach_fails(-EACCES, fd);
	close(fd);
}
END_TEST

START_TEST(a_strangers_sealed_memory_is_as_good_as_ours)
{
	int fd = copy_owned_by(STRANGER, F_SEAL_SHRINK | F_SEAL_GROW);
	kin_segment *seg;

	ck_kin_ok(kin_segment_attach(&seg, fd));
	kin_segment_close(seg);
	close(fd);
}
END_TEST

START_TEST(our_own_unsealed_memory_is_trusted)
{
	int fd = copy_owned_by(geteuid(), 0);
	kin_segment *seg;

	ck_kin_ok(kin_segment_attach(&seg, fd));
	kin_segment_close(seg);
	close(fd);
}
END_TEST

/* 0, or one of the numbers that a spoilt header may give. */
static int
try_spoilt(const char *name, int fd)
{
	kin_segment *seg = UNTOUCHED;
	const char *p;
	int r;

	kit_forget();
	r = name != NULL ? kin_segment_open(&seg, name)
			 : kin_segment_attach(&seg, fd);
	if (r == 0) {
		/* Then it is as large as it says. */
		((char *)kin_segment_data(seg))[0] = 'x';
		((char *)kin_segment_data(seg))[kin_segment_bytes(seg) - 1] =
		    'x';
		for (p = kin_segment_label(seg); *p != '\0'; p++)
			ck_assert((unsigned char)*p >= ' ' && *p != 0x7f);
		ck_assert_int_le(p - kin_segment_label(seg), KIN_LABEL_MAX);
		kin_segment_close(seg);
		return 0;
	}
	ck_assert_ptr_eq(seg, UNTOUCHED);
	ck_assert(!kit_forgotten());
	for (p = kin_errmsg(); *p != '\0'; p++)
		ck_assert((unsigned char)*p >= ' ' && *p != 0x7f);
	ck_assert_msg(r == -EPROTO || r == -EPROTONOSUPPORT || r == -EUCLEAN,
		      "%s: %s", kin_strerror(r), kin_errmsg());
	return r;
}

static void
spoil_each_byte(kin_segment *seg, const char *name)
{
	static const unsigned char flips[] = { 0x01, 0x02, 0x10, 0x40, 0x80,
					       0x7f, 0xfe, 0xff };
	int fd = kin_segment_fd(seg), r, good = 0, bad = 0;
	struct kn_header header = header_of(fd), spoilt;
	size_t at, i;

	for (at = 0; at < sizeof(header); at++)
		for (i = 0; i < sizeof(flips); i++) {
			spoilt = header;
			((unsigned char *)&spoilt)[at] ^= flips[i];
			set_header(fd, &spoilt);
			r = try_spoilt(name, fd);
			if (at < sizeof(header.magic))
				ck_assert_int_eq(r, -EPROTO);
			good += r == 0;
			bad += r < 0;
		}
	ck_assert_int_gt(good, 0);
	ck_assert_int_gt(bad, 0);
	set_header(fd, &header);
	ck_assert_int_eq(try_spoilt(name, fd), 0);
}

START_TEST(any_byte_of_the_header_may_be_spoilt)
{
	kin_segment *seg = anonymous(10000);

	spoil_each_byte(seg, NULL);
	kin_segment_close(seg);
	seg = named("jobs");
	spoil_each_byte(seg, "jobs");
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(sizes_that_contradict_each_other_are_refused)
{
	static const uint64_t odd[] = {
		0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 12287, 12288, 12289,
		16384, 1ull << 32, (1ull << 46) + 4096, 1ull << 62,
		1ull << 63, UINT64_MAX - 4096, UINT64_MAX - 4095, UINT64_MAX,
	};
	enum { ODD = sizeof(odd) / sizeof(odd[0]) };
	kin_segment *seg = anonymous(8192);
	int fd = kin_segment_fd(seg), i, k;
	struct kn_header header = header_of(fd);

	for (i = 0; i < ODD; i++)
		for (k = 0; k < ODD; k++) {
			bool fits = odd[i] > 4096 && odd[i] <= 12288 &&
				    odd[k] > 0 && odd[k] <= odd[i] - 4096;

			header.bytes = odd[i];
			header.body_bytes = odd[k];
			set_header(fd, &header);
			ck_assert_msg((try_spoilt(NULL, fd) == 0) == fits,
				      "%#llx and %#llx",
				      (unsigned long long)odd[i],
				      (unsigned long long)odd[k]);
		}
	kin_segment_close(seg);
}
END_TEST

static void
add_strangers(Suite *suite)
{
	TCase *tc = kit_case(suite, "strangers");

	tcase_add_test(tc, memory_that_a_stranger_can_cut_is_refused);
	tcase_add_test(tc, a_strangers_sealed_memory_is_as_good_as_ours);
}

static void
add_attaching(Suite *suite)
{
	TCase *tc = kit_case(suite, "what is attached to");

	tcase_add_test(tc, a_truncated_file_is_refused);
	tcase_add_test(tc, a_foreign_file_is_refused);
	tcase_add_test(tc, another_layout_is_refused_as_such);
	tcase_add_test(tc, another_kind_is_refused);
	tcase_add_test(tc, a_descriptor_that_cannot_write_is_refused);
	tcase_add_test(tc, what_is_no_memory_is_refused);
	tcase_add_test(tc, a_closed_descriptor_is_refused);
	tcase_add_test(tc, our_own_unsealed_memory_is_trusted);
	tcase_add_test(tc, any_byte_of_the_header_may_be_spoilt);
	tcase_add_test(tc, sizes_that_contradict_each_other_are_refused);
}

int
main(void)
{
	Suite *suite = suite_create("attach");

	add_attaching(suite);
	if (can_play_strangers())
		add_strangers(suite);
	return kit_run(suite);
}
