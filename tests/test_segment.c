/* SPDX-License-Identifier: MIT */
/*
 * test_segment.c - the promises of kin/segment.h: memory, limits, descriptors
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/segments.h"

#define CANNOT		77		/* the machine does not let us try */
#define MIB		(1ull << 20)

/* ---- memory ---- */

static void
ck_all(const unsigned char *at, size_t n, unsigned char c)
{
	size_t i = 0;

	while (i < n && at[i] == c)
		i++;
	ck_assert_msg(i == n, "byte %zu is %u", i, at[i]);
}

START_TEST(it_is_as_large_as_asked_and_zero)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 1000000 };
	size_t i, bytes;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		kin_segment *seg = anonymous(sizes[i]);

		bytes = kin_segment_bytes(seg);
		ck_assert_uint_eq(bytes, sizes[i]);
		ck_all(kin_segment_data(seg), bytes, 0);
		memset(kin_segment_data(seg), 0xa5, bytes);
		ck_all(kin_segment_data(seg), bytes, 0xa5);
		kin_segment_close(seg);
	}
}
END_TEST

START_TEST(the_memory_is_page_aligned_and_the_whole_is_the_users)
{
	kin_segment *seg = anonymous(12345);
	kin_segment *again;
	struct kn_header before = header_of(kin_segment_fd(seg)), after;

	ck_assert_uint_eq((uintptr_t)kin_segment_data(seg) % 4096, 0);
	memset(kin_segment_data(seg), 0xff, kin_segment_bytes(seg));
	after = header_of(kin_segment_fd(seg));
	ck_assert_mem_eq(&before, &after, sizeof(before));
	again = attached(seg);
	kin_segment_close(again);
	kin_segment_close(seg);
}
END_TEST

START_TEST(all_see_the_same_size_bytes_and_label)
{
	kin_segment *seg, *other;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 4097,
						    .label = "twice")));
	other = attached(seg);
	ck_assert_uint_eq(kin_segment_bytes(other), 4097);
	ck_assert_str_eq(kin_segment_label(other), "twice");
	ck_assert_int_ne(kin_segment_fd(other), kin_segment_fd(seg));
	ck_assert_ptr_ne(kin_segment_data(other), kin_segment_data(seg));
	((char *)kin_segment_data(seg))[4096] = 'x';
	ck_assert_int_eq(((char *)kin_segment_data(other))[4096], 'x');
	((char *)kin_segment_data(other))[0] = 'y';
	ck_assert_int_eq(((char *)kin_segment_data(seg))[0], 'y');
	kin_segment_close(seg);
	ck_assert_int_eq(((char *)kin_segment_data(other))[4096], 'x');
	kin_segment_close(other);
}
END_TEST

START_TEST(a_childs_stores_are_seen_through_every_mapping)
{
	kin_segment *seg = anonymous(8192), *other = attached(seg), *mine;
	pid_t pid = kit_fork();

	if (pid == 0) {
		((char *)kin_segment_data(seg))[0] = 'f';
		if (kin_segment_attach(&mine, kin_segment_fd(other)) < 0)
			_exit(1);
		((char *)kin_segment_data(mine))[8191] = 'a';
		kin_segment_close(mine);
		kin_segment_close(seg);
		kin_segment_close(other);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(((char *)kin_segment_data(other))[0], 'f');
	ck_assert_int_eq(((char *)kin_segment_data(seg))[8191], 'a');
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

START_TEST(each_side_of_a_fork_closes_its_own)
{
	kin_segment *seg = anonymous(1);
	int ends[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ends), 0);
	*(char *)kin_segment_data(seg) = 'k';
	pid = kit_fork();
	if (pid == 0) {
		close(ends[1]);
		if (read(ends[0], &c, 1) != 0)	/* the parent has closed it */
			_exit(1);
		c = *(char *)kin_segment_data(seg);
		kin_segment_close(seg);
		_exit(c == 'k' ? 0 : 2);
	}
	kin_segment_close(seg);
	close(ends[0]);
	close(ends[1]);
	kit_reap(pid, 0);
}
END_TEST

static void
attach_and_store(kin_segment *seg)
{
	((char *)kin_segment_data(attached(seg)))[1] = 'd';
}

START_TEST(a_holders_death_leaves_it_to_the_others)
{
	kin_segment *seg = anonymous(2), *late;

	kit_kill(holder(attach_and_store, seg));
	ck_assert_int_eq(((char *)kin_segment_data(seg))[1], 'd');
	late = attached(seg);
	ck_assert_int_eq(((char *)kin_segment_data(late))[1], 'd');
	kin_segment_close(late);
	kin_segment_close(seg);
}
END_TEST

START_TEST(an_anonymous_one_cannot_change_its_size)
{
	kin_segment *seg = anonymous(10000), *other = attached(seg);
	int fd = kin_segment_fd(other);

	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(fallocate(fd, 0, 0, 1 << 20), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_all(kin_segment_data(seg), 10000, 0);
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

START_TEST(labels_have_rules)
{
	static const char *const bad[] = {
		"tab\there", "line\n", "\x7f",
		"forty-eight bytes are one more than there is for",
	};
	char most[KIN_LABEL_MAX + 1];
	kin_segment *seg = UNTOUCHED;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_kin_fails(-EINVAL, kin_segment_create(&seg,
		    KIN_OPTS(kin_segment_opts, .bytes = 1, .label = bad[i])));
	ck_assert_ptr_eq(seg, UNTOUCHED);
	memset(most, 'l', KIN_LABEL_MAX);
	most[KIN_LABEL_MAX] = '\0';
	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 1,
						    .label = most)));
	ck_assert_str_eq(kin_segment_label(seg), most);
	kin_segment_close(seg);
	seg = anonymous(1);
	ck_assert_str_eq(kin_segment_label(seg), "");
	kin_segment_close(seg);
}
END_TEST

/* ---- limits ---- */

static void
ck_size_fails(int number, uint64_t bytes)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, kin_segment_create(&seg,
	    KIN_OPTS(kin_segment_opts, .bytes = bytes)));
	ck_kin_fails(number, kin_segment_create(&seg,
	    KIN_OPTS(kin_segment_opts, .bytes = bytes, .name = "huge")));
	ck_assert_ptr_eq(seg, UNTOUCHED);
	ck_assert_int_eq(entries(kit_names()), 0);
}

START_TEST(sizes_that_no_machine_has_are_invalid)
{
	kin_segment *seg;

	ck_size_fails(-EINVAL, 0);
	ck_size_fails(-EINVAL, 1ull << 63);
	ck_size_fails(-EINVAL, (1ull << 63) - 1);
	ck_size_fails(-EINVAL, UINT64_MAX - 4096);
	ck_size_fails(-EINVAL, UINT64_MAX - 4095);
	ck_size_fails(-EINVAL, UINT64_MAX);
	ck_kin_fails(-EINVAL, kin_segment_create(&seg, NULL));
}
END_TEST

/* The kernel's killer would end the test. */
START_TEST(more_than_this_machine_has_is_no_space)
{
	struct sysinfo info;

	ck_assert_int_eq(sysinfo(&info), 0);
	ck_size_fails(-ENOSPC, ((uint64_t)info.totalram + info.totalswap) *
		      info.mem_unit + MIB);
	ck_size_fails(-ENOSPC, 1ull << 46);
}
END_TEST

START_TEST(a_limit_of_file_size_is_no_space)
{
	static const struct rlimit limit = { MIB, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_size_fails(-ENOSPC, 8 * MIB);
	kin_segment_close(anonymous(MIB / 2));
}
END_TEST

static void
put_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	(void)!write(fd, line, strlen(line));
	close(fd);
}

/* In a world of our own: a tmpfs of one MiB where our names are. */
static bool
small_world(void)
{
	char uids[32], gids[32];
	int flags = CLONE_NEWNS | (geteuid() != 0 ? CLONE_NEWUSER : 0);

	snprintf(uids, sizeof(uids), "0 %u 1", (unsigned)geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)getegid());
	if (mkdir(kit_names(), 0700) < 0 || unshare(flags) < 0)
		return false;
	if (flags & CLONE_NEWUSER) {
		put_line("/proc/self/setgroups", "deny");
		put_line("/proc/self/uid_map", uids);
		put_line("/proc/self/gid_map", gids);
	}
	return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", kit_names(), "tmpfs", 0,
		     "size=1m,mode=0700") == 0;
}

/* However it is asked for, too much is refused, and nothing is left. */
static bool
is_too_much(const char *name, const char *path, uint32_t flags)
{
	kin_segment *seg = UNTOUCHED;
	int r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						  .bytes = 8 * MIB,
						  .name = name, .path = path,
						  .flags = flags));

	return r == -ENOSPC && seg == UNTOUCHED && entries(kit_names()) == 0;
}

static bool
is_on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

static int
live_in_a_small_world(void)
{
	kin_segment *seg = UNTOUCHED;
	int r;

	if (!small_world())
		return CANNOT;
	if (!is_too_much("a", NULL, 0) ||
	    !is_too_much("a", NULL, KIN_SEGMENT_OPEN_OR_CREATE) ||
	    !is_too_much(NULL, name_path("a"), 0) ||
	    !is_too_much(NULL, name_path("a"), KIN_SEGMENT_OPEN_OR_CREATE))
		return 1;
	r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
					      .bytes = MIB / 4, .name = "a"));
	if (r < 0)
		return 2;
	/* A SIGBUS would end us here. */
	memset(kin_segment_data(seg), 0x5a, kin_segment_bytes(seg));
	if (((char *)kin_segment_data(seg))[MIB / 4 - 1] != 0x5a)
		return 3;
	kin_segment_close(seg);
	/* 256 KiB and a header are taken, and what failed took nothing. */
	r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
					      .bytes = MIB / 2, .name = "b"));
	if (r < 0)
		return 4;
	if (is_on_valgrind())	/* it does not survive a child's SIGBUS */
		return 0;
	/* Of a sparse one, nothing was reserved: that is its bargain. */
	r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
					      .bytes = 8 * MIB, .name = "s",
					      .flags = KIN_SEGMENT_SPARSE));
	if (r < 0)
		return 5;
	for (r = 0; r < (int)MIB; r += 4096)
		if (store_ends_by(SIGBUS, (char *)kin_segment_data(seg) + r))
			return 0;
	return 6;
}

START_TEST(a_full_tmpfs_is_an_error_at_creation)
{
	int status;
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(live_in_a_small_world());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
		fprintf(stderr, "# SKIP a_full_tmpfs_is_an_error_at_creation: "
			"no mount namespaces for us here\n");
		return;
	}
	ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- descriptors ---- */

static bool
standard_ones_are_closed(void)
{
	return fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 &&
	       fcntl(2, F_GETFD) < 0;
}

/* The number of the first step that went wrong; nobody could print it. */
static int
live_without_standard_ones(void)
{
	kin_segment *seg, *other, *opened;
	kin_inspection *all;
	kin_queue *q;

	close(0);
	close(1);
	close(2);
	if (kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
					      .bytes = 1)) < 0 ||
	    kin_segment_fd(seg) <= 2 || !standard_ones_are_closed())
		return 1;
	if (kin_segment_attach(&other, kin_segment_fd(seg)) < 0 ||
	    kin_segment_fd(other) <= 2 || !standard_ones_are_closed())
		return 2;
	kin_segment_close(other);
	if (create_named(&other, "n") < 0 || kin_segment_fd(other) <= 2 ||
	    !standard_ones_are_closed())
		return 3;
	if (kin_segment_open(&opened, "n") < 0 ||
	    kin_segment_fd(opened) <= 2 || kin_segment_unlink("n") < 0 ||
	    !standard_ones_are_closed())
		return 4;
	if (kin_queue_create(&q, NULL) < 0 || kin_queue_fd(q) <= 2 ||
	    !standard_ones_are_closed())
		return 5;
	if (kin_inspect(&all) < 0 || !standard_ones_are_closed())
		return 6;
	kin_inspect_free(all);
	return 0;
}

START_TEST(the_three_standard_descriptors_are_never_used)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(live_without_standard_ones());
	kit_reap(pid, 0);
}
END_TEST

static void
ck_closes_on_exec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	ck_assert_int_ge(flags, 0);
	ck_assert(flags & FD_CLOEXEC);
}

static int
count_descriptors(void)
{
	return entries("/proc/self/fd");
}

START_TEST(every_descriptor_closes_on_exec)
{
	int before = count_descriptors();
	kin_segment *segs[4];
	int i;

	segs[0] = anonymous(1);
	segs[1] = attached(segs[0]);
	segs[2] = named("n");
	ck_kin_ok(kin_segment_open(&segs[3], "n"));
	ck_kin_ok(kin_segment_unlink("n"));
	/* They have one each, and those are all. */
	ck_assert_int_eq(count_descriptors(), before + 4);
	for (i = 0; i < 4; i++) {
		ck_closes_on_exec(kin_segment_fd(segs[i]));
		kin_segment_close(segs[i]);
	}
}
END_TEST

START_TEST(the_callers_descriptor_stays_the_callers)
{
	kin_segment *seg = anonymous(1), *other;
	int fd = dup(kin_segment_fd(seg));

	ck_kin_ok(kin_segment_attach(&other, fd));
	kin_segment_close(other);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	ck_kin_ok(kin_segment_attach(&other, fd));
	ck_assert_int_eq(close(fd), 0);
	*(char *)kin_segment_data(other) = 'x';
	ck_assert_int_eq(*(char *)kin_segment_data(seg), 'x');
	kin_segment_close(attached(other));
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

/* The four ways to a segment; each is undone by close and unlink. */
static int
reach(int way, kin_segment **ret_seg, const kin_segment *there)
{
	switch (way) {
	case 0:
		return kin_segment_create(ret_seg, KIN_OPTS(kin_segment_opts,
							    .bytes = 1));
	case 1:
		return create_named(ret_seg, "new");
	case 2:
		return kin_segment_attach(ret_seg, kin_segment_fd(there));
	default:
		return kin_segment_open(ret_seg, "there");
	}
}

static int
with_descriptors(rlim_t n, int way, kin_segment **ret_seg,
		 const kin_segment *there)
{
	struct rlimit limit, few;
	int r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ n, limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = reach(way, ret_seg, there);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return r;
}

START_TEST(out_of_descriptors_nothing_is_left)
{
	kin_segment *there = named("there"), *seg = UNTOUCHED;
	int before = count_descriptors(), r, failed = 0;
	int lowest = dup(STDERR_FILENO);
	rlim_t n;

	close(lowest);
	for (n = (rlim_t)lowest;; n++) {
		kit_forget();
		r = with_descriptors(n, _i, &seg, there);
		if (r == 0)
			break;
		failed++;
		ck_assert_int_eq(r, -EMFILE);
		ck_assert(!kit_forgotten());
		ck_assert_ptr_eq(seg, UNTOUCHED);
		ck_assert_int_eq(count_descriptors(), before);
		ck_assert_int_eq(entries(kit_names()), 1);
	}
	ck_assert_int_gt(failed, 0);
	ck_assert_uint_gt(kin_segment_bytes(seg), 0);
	kin_segment_close(seg);
	kin_segment_close(there);
	ck_kin_ok(kin_segment_unlink("there"));
	if (_i == 1)
		ck_kin_ok(kin_segment_unlink("new"));
}
END_TEST

static void
add_memory(Suite *suite)
{
	TCase *tc = kit_case(suite, "memory");

	tcase_add_test(tc, it_is_as_large_as_asked_and_zero);
	tcase_add_test(tc,
		       the_memory_is_page_aligned_and_the_whole_is_the_users);
	tcase_add_test(tc, all_see_the_same_size_bytes_and_label);
	tcase_add_test(tc, a_childs_stores_are_seen_through_every_mapping);
	tcase_add_test(tc, each_side_of_a_fork_closes_its_own);
	tcase_add_test(tc, a_holders_death_leaves_it_to_the_others);
	tcase_add_test(tc, an_anonymous_one_cannot_change_its_size);
	tcase_add_test(tc, labels_have_rules);
}

int
main(void)
{
	Suite *suite = suite_create("segment");
	TCase *tc;

	add_memory(suite);

	tc = kit_case(suite, "limits");
	tcase_add_test(tc, sizes_that_no_machine_has_are_invalid);
	tcase_add_test(tc, more_than_this_machine_has_is_no_space);
	tcase_add_test(tc, a_limit_of_file_size_is_no_space);
	tcase_add_test(tc, a_full_tmpfs_is_an_error_at_creation);

	tc = kit_case(suite, "descriptors");
	tcase_add_test(tc, the_three_standard_descriptors_are_never_used);
	tcase_add_test(tc, every_descriptor_closes_on_exec);
	tcase_add_test(tc, the_callers_descriptor_stays_the_callers);
	tcase_add_loop_test(tc, out_of_descriptors_nothing_is_left, 0, 4);
	return kit_run(suite);
}
