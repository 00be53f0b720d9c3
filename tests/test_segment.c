/* SPDX-License-Identifier: MIT */
/*
 * test_segment.c - the promises of kin/segment.h
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/segment.h"
#include "tests/kit.h"

#define STRANGER	65534		/* some other user */
#define CANNOT		77		/* the machine does not let us try */
#define MIB		(1ull << 20)

static kin_segment *
anonymous(uint64_t bytes)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = bytes)));
	return seg;
}

static int
create_named(kin_segment **ret_seg, const char *name)
{
	return kin_segment_create(ret_seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 10000,
						    .name = name));
}

static kin_segment *
named(const char *name)
{
	kin_segment *seg;

	ck_kin_ok(create_named(&seg, name));
	return seg;
}

static kin_segment *
attached(const kin_segment *to)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_attach(&seg, kin_segment_fd(to)));
	return seg;
}

/* What no call that fails may touch. */
static char untouched;
#define UNTOUCHED	((kin_segment *)(void *)&untouched)

static void
ck_attach_fails(int number, int fd)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, kin_segment_attach(&seg, fd));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

static void
ck_open_fails(int number, const char *name)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, kin_segment_open(&seg, name));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

static void
ck_create_fails(int number, const char *name)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, create_named(&seg, name));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

static const char *
path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", kit_names(), name);
	return path;
}

static int
entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

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

static struct kn_header
header_of(int fd)
{
	struct kn_header header;

	ck_assert_int_eq(pread(fd, &header, sizeof(header), 0),
			 (ssize_t)sizeof(header));
	return header;
}

static void
set_header(int fd, const struct kn_header *header)
{
	ck_assert_int_eq(pwrite(fd, header, sizeof(*header), 0),
			 (ssize_t)sizeof(*header));
}

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

/* A child that does that, says so, and waits to be killed. */
static pid_t
holder(void (*fn)(kin_segment *seg), kin_segment *seg)
{
	int ends[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ends), 0);
	pid = kit_fork();
	if (pid == 0) {
		fn(seg);
		if (write(ends[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &c, 1), 1);
	close(ends[0]);
	return pid;
}

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

/* ---- names ---- */

START_TEST(a_named_one_is_opened_by_its_name)
{
	kin_segment *seg = named("jobs"), *other;

	strcpy(kin_segment_data(seg), "hello");
	ck_kin_ok(kin_segment_open(&other, "jobs"));
	ck_assert_str_eq(kin_segment_data(other), "hello");
	ck_assert_uint_eq(kin_segment_bytes(other), 10000);
	ck_assert_str_eq(kin_segment_label(other), "jobs");
	strcpy(kin_segment_data(other), "there");
	ck_assert_str_eq(kin_segment_data(seg), "there");
	kin_segment_close(seg);
	ck_assert_str_eq(kin_segment_data(other), "there");
	kin_segment_close(other);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(a_label_stands_beside_the_name)
{
	kin_segment *seg, *other;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 1, .name = "n",
						    .label = "for people")));
	ck_kin_ok(kin_segment_open(&other, "n"));
	ck_assert_str_eq(kin_segment_label(other), "for people");
	ck_kin_ok(kin_segment_unlink("n"));
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

START_TEST(the_second_creator_fails_and_disturbs_nothing)
{
	kin_segment *seg = named("jobs"), *other;

	strcpy(kin_segment_data(seg), "first");
	ck_create_fails(-EEXIST, "jobs");
	ck_kin_ok(kin_segment_open(&other, "jobs"));
	ck_assert_str_eq(kin_segment_data(other), "first");
	ck_assert_int_eq(entries(kit_names()), 1);
	kin_segment_close(other);
	kin_segment_close(seg);
	ck_create_fails(-EEXIST, "jobs");	/* held or not */
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(of_many_creators_one_wins)
{
	int ends[2], i, status, won = 0;
	pid_t pids[8];
	kin_segment *seg;
	char c;

	ck_assert_int_eq(pipe(ends), 0);
	for (i = 0; i < 8; i++) {
		pids[i] = kit_fork();
		if (pids[i] != 0)
			continue;
		close(ends[1]);
		(void)!read(ends[0], &c, 1);	/* the starting shot */
		status = create_named(&seg, "one");
		_exit(status == 0 ? 10 : status == -EEXIST ? 20 : 30);
	}
	close(ends[0]);
	close(ends[1]);
	for (i = 0; i < 8; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		won += WEXITSTATUS(status) == 10;
		ck_assert(WEXITSTATUS(status) == 10 ||
			  WEXITSTATUS(status) == 20);
	}
	ck_assert_int_eq(won, 1);
	ck_kin_ok(kin_segment_unlink("one"));
}
END_TEST

static void
make_and_remove(kin_segment *unused)
{
	kin_segment *seg;

	(void)unused;
	for (;;) {
		ck_kin_ok(create_named(&seg, "fleeting"));
		kin_segment_close(seg);
		ck_kin_ok(kin_segment_unlink("fleeting"));
	}
}

/* Always whole, always ours, or not there. */
START_TEST(nobody_ever_sees_half_a_segment)
{
	kin_time deadline = KIT_PATIENCE;
	kin_segment *first = named("fleeting"), *seg;
	pid_t pid;
	int r, seen = 0;

	kin_segment_close(first);
	ck_kin_ok(kin_segment_unlink("fleeting"));
	pid = kit_fork();
	if (pid == 0)
		make_and_remove(NULL);
	while (seen < 300) {
		ck_assert_int_lt(kin_now().ns, deadline.ns);
		r = kin_segment_open(&seg, "fleeting");
		if (r == -ENOENT)
			continue;
		ck_kin_ok(r);
		ck_assert_uint_eq(kin_segment_bytes(seg), 10000);
		ck_assert_str_eq(kin_segment_label(seg), "fleeting");
		kin_segment_close(seg);
		seen++;
	}
	kit_kill(pid);
	r = kin_segment_unlink("fleeting");
	ck_assert(r == 0 || r == -ENOENT);
}
END_TEST

/* Not ck_kin_fails: the kit's own mark is the sentence of a bad name. */
static void
ck_bad_name(const char *name)
{
	kin_segment *seg = UNTOUCHED;

	ck_assert_int_eq(create_named(&seg, name), -EINVAL);
	ck_assert_int_eq(strncmp(kin_errmsg(), "a name ", 7), 0);
	ck_attach_fails(-EBADF, -1);
	ck_assert_int_eq(kin_segment_open(&seg, name), -EINVAL);
	ck_assert_int_eq(strncmp(kin_errmsg(), "a name ", 7), 0);
	ck_attach_fails(-EBADF, -1);
	ck_assert_int_eq(kin_segment_unlink(name), -EINVAL);
	ck_assert_int_eq(strncmp(kin_errmsg(), "a name ", 7), 0);
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

START_TEST(names_have_rules)
{
	static const char *const bad[] = {
		"", ".", "..", ".hidden", "a/b", "/a", "a/", "tab\t", "\x7f",
	};
	char name[KIN_NAME_MAX + 2];
	kin_segment *seg;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_bad_name(bad[i]);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_bad_name(name);
	ck_assert_int_eq(entries(kit_names()), 0);

	name[KIN_NAME_MAX] = '\0';
	seg = named(name);
	ck_assert_uint_eq(strlen(kin_segment_label(seg)), KIN_LABEL_MAX);
	ck_kin_ok(kin_segment_unlink(name));
	kin_segment_close(seg);
}
END_TEST

START_TEST(unlink_removes_the_name_and_not_the_segment)
{
	kin_segment *seg = named("jobs"), *other, *next;

	ck_kin_ok(kin_segment_open(&other, "jobs"));
	ck_kin_ok(kin_segment_unlink("jobs"));
	strcpy(kin_segment_data(seg), "still");
	ck_assert_str_eq(kin_segment_data(other), "still");
	kin_segment_close(seg);
	seg = attached(other);
	ck_assert_str_eq(kin_segment_data(seg), "still");
	ck_open_fails(-ENOENT, "jobs");
	ck_kin_fails(-ENOENT, kin_segment_unlink("jobs"));

	next = named("jobs");		/* the name is free again */
	ck_assert_str_eq(kin_segment_data(next), "");
	ck_kin_ok(kin_segment_unlink("jobs"));
	kin_segment_close(next);
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

START_TEST(there_is_nothing_where_no_name_was_ever)
{
	ck_open_fails(-ENOENT, "jobs");
	ck_kin_fails(-ENOENT, kin_segment_unlink("jobs"));
	ck_assert(!exists(kit_names()));	/* looking makes nothing */
}
END_TEST

static void
create_and_store(kin_segment *unused)
{
	(void)unused;
	strcpy(kin_segment_data(named("left")), "by the dead");
}

START_TEST(a_named_one_outlives_its_creator)
{
	kin_segment *seg;

	kit_kill(holder(create_and_store, NULL));
	ck_kin_ok(kin_segment_open(&seg, "left"));
	ck_assert_str_eq(kin_segment_data(seg), "by the dead");
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("left"));
}
END_TEST

START_TEST(an_openers_exit_leaves_segment_and_name)
{
	kin_segment *seg = named("jobs"), *mine;
	pid_t pid = kit_fork();

	if (pid == 0) {
		if (kin_segment_open(&mine, "jobs") < 0)
			_exit(1);
		strcpy(kin_segment_data(mine), "was here");
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_assert_str_eq(kin_segment_data(seg), "was here");
	ck_kin_ok(kin_segment_open(&mine, "jobs"));
	kin_segment_close(mine);
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(a_failed_open_removes_nothing)
{
	kin_segment *seg = named("jobs"), *other;
	struct kn_header header = header_of(kin_segment_fd(seg));
	struct kn_header wrong = header;

	strcpy(kin_segment_data(seg), "kept");
	wrong.magic++;
	set_header(kin_segment_fd(seg), &wrong);
	ck_open_fails(-EPROTO, "jobs");
	ck_attach_fails(-EPROTO, kin_segment_fd(seg));
	set_header(kin_segment_fd(seg), &header);
	ck_kin_ok(kin_segment_open(&other, "jobs"));
	ck_assert_str_eq(kin_segment_data(other), "kept");
	kin_segment_close(other);
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

/* ---- squatters ---- */

START_TEST(a_symbolic_link_is_refused)
{
	kin_segment *seg = named("real");

	ck_assert_int_eq(symlink("real", path_of("link")), 0);
	ck_open_fails(-EACCES, "link");
	ck_create_fails(-EEXIST, "link");
	ck_kin_ok(kin_segment_unlink("link"));
	ck_kin_ok(kin_segment_unlink("real"));
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_dangling_link_is_not_followed_by_a_creator)
{
	char target[PATH_MAX];

	kin_segment_close(named("real"));
	ck_kin_ok(kin_segment_unlink("real"));
	snprintf(target, sizeof(target), "%s-target", kit_names());
	ck_assert_int_eq(symlink(target, path_of("link")), 0);
	ck_create_fails(-EEXIST, "link");
	ck_open_fails(-EACCES, "link");
	ck_assert(!exists(target));
	ck_kin_ok(kin_segment_unlink("link"));
}
END_TEST

START_TEST(a_hard_link_is_refused)
{
	kin_segment *seg = named("real");
	char real[PATH_MAX];

	snprintf(real, sizeof(real), "%s", path_of("real"));
	ck_assert_int_eq(link(real, path_of("link")), 0);
	ck_open_fails(-EACCES, "link");
	ck_create_fails(-EEXIST, "link");
	ck_kin_ok(kin_segment_unlink("link"));
	ck_kin_ok(kin_segment_unlink("real"));
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_directory_is_no_segment)
{
	kin_segment_close(named("real"));
	ck_assert_int_eq(mkdir(path_of("dir"), 0700), 0);
	ck_open_fails(-EPROTO, "dir");
	ck_create_fails(-EEXIST, "dir");
	ck_assert_int_eq(rmdir(path_of("dir")), 0);
	ck_kin_ok(kin_segment_unlink("real"));
}
END_TEST

START_TEST(a_socket_is_no_segment)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	kin_segment_close(named("real"));
	snprintf(at.sun_path, sizeof(at.sun_path), "%.90s", path_of("sock"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_open_fails(-EPROTO, "sock");
	ck_create_fails(-EEXIST, "sock");
	ck_kin_ok(kin_segment_unlink("sock"));
	ck_kin_ok(kin_segment_unlink("real"));
	close(fd);
}
END_TEST

/* With no other end, a plain open of it would wait for one. */
START_TEST(a_fifo_is_no_segment_and_makes_nobody_wait)
{
	kin_segment_close(named("real"));
	ck_assert_int_eq(mkfifo(path_of("fifo"), 0600), 0);
	ck_open_fails(-EPROTO, "fifo");
	ck_create_fails(-EEXIST, "fifo");
	ck_kin_ok(kin_segment_unlink("fifo"));
	ck_kin_ok(kin_segment_unlink("real"));
}
END_TEST

START_TEST(a_strangers_file_is_refused)
{
	kin_segment *seg = named("jobs");

	ck_assert_int_eq(chown(path_of("jobs"), STRANGER, STRANGER), 0);
	ck_open_fails(-EACCES, "jobs");
	ck_create_fails(-EEXIST, "jobs");
	ck_assert(exists(path_of("jobs")));
	ck_kin_ok(kin_segment_unlink("jobs"));
	kin_segment_close(seg);
}
END_TEST

static void
ck_no_names_here(int number)
{
	ck_create_fails(number, "jobs");
	ck_open_fails(number, "jobs");
	ck_kin_fails(number, kin_segment_unlink("jobs"));
}

START_TEST(a_strangers_directory_is_refused)
{
	ck_assert_int_eq(mkdir(kit_names(), 0700), 0);
	ck_assert_int_eq(chown(kit_names(), STRANGER, STRANGER), 0);
	ck_no_names_here(-EACCES);
	ck_assert_int_eq(entries(kit_names()), 0);
}
END_TEST

START_TEST(a_directory_open_to_others_is_refused)
{
	static const mode_t modes[] = { 0701, 0702, 0704, 0710, 0720, 0740,
					0755, 0777, 01777 };
	size_t i;

	kin_segment_close(named("jobs"));
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ck_assert_int_eq(chmod(kit_names(), modes[i]), 0);
		ck_create_fails(-EACCES, "more");
		ck_open_fails(-EACCES, "jobs");
		ck_kin_fails(-EACCES, kin_segment_unlink("jobs"));
	}
	ck_assert_int_eq(chmod(kit_names(), 0700), 0);
	ck_assert_int_eq(entries(kit_names()), 1);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(the_directory_is_made_for_us_alone)
{
	mode_t mask = umask(0);
	struct stat st;

	kin_segment_close(named("jobs"));
	ck_assert_int_eq(stat(kit_names(), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_uint_eq(st.st_uid, geteuid());
	ck_assert_int_eq(stat(path_of("jobs"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_kin_ok(kin_segment_unlink("jobs"));
	umask(mask);
}
END_TEST

START_TEST(kin_dir_may_not_be_a_file_or_a_link)
{
	char path[PATH_MAX];
	int fd;

	kin_segment_close(named("jobs"));
	snprintf(path, sizeof(path), "%s-odd", kit_names());
	ck_assert_int_eq(setenv("KIN_DIR", path, 1), 0);

	fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_no_names_here(-EACCES);
	ck_assert_int_eq(unlink(path), 0);

	ck_assert_int_eq(symlink(kit_names(), path), 0);
	ck_no_names_here(-EACCES);
	ck_assert_int_eq(unlink(path), 0);

	ck_assert_int_eq(setenv("KIN_DIR", kit_names(), 1), 0);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(a_kin_dir_too_long_for_us_is_refused_not_cut)
{
	char path[400];

	memset(path, 'd', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(setenv("KIN_DIR", path, 1), 0);
	ck_no_names_here(-EINVAL);
}
END_TEST

/* ---- what is attached to ---- */

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

static int
live_in_a_small_world(void)
{
	kin_segment *seg = UNTOUCHED;
	int r;

	if (!small_world())
		return CANNOT;
	r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
					      .bytes = 8 * MIB, .name = "a"));
	if (r != -ENOSPC || seg != UNTOUCHED || entries(kit_names()) != 0)
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
	return r < 0 ? 4 : 0;
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

/* Only the mighty can make another user's things; others are told so. */
static bool
can_play_strangers(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	bool can = fd >= 0 && fchown(fd, STRANGER, STRANGER) == 0;

	close(fd);
	if (!can)
		fprintf(stderr, "# SKIP what needs another user's files: "
			"nobody gives files away here but root\n");
	return can;
}

static void
add_strangers(Suite *suite)
{
	TCase *tc = kit_case(suite, "strangers");

	tcase_add_test(tc, a_strangers_file_is_refused);
	tcase_add_test(tc, a_strangers_directory_is_refused);
	tcase_add_test(tc, memory_that_a_stranger_can_cut_is_refused);
	tcase_add_test(tc, a_strangers_sealed_memory_is_as_good_as_ours);
}

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

static void
add_names(Suite *suite)
{
	TCase *tc = kit_case(suite, "names");

	tcase_add_test(tc, a_named_one_is_opened_by_its_name);
	tcase_add_test(tc, a_label_stands_beside_the_name);
	tcase_add_test(tc, the_second_creator_fails_and_disturbs_nothing);
	tcase_add_test(tc, of_many_creators_one_wins);
	tcase_add_test(tc, nobody_ever_sees_half_a_segment);
	tcase_add_test(tc, names_have_rules);
	tcase_add_test(tc, unlink_removes_the_name_and_not_the_segment);
	tcase_add_test(tc, there_is_nothing_where_no_name_was_ever);
	tcase_add_test(tc, a_named_one_outlives_its_creator);
	tcase_add_test(tc, an_openers_exit_leaves_segment_and_name);
	tcase_add_test(tc, a_failed_open_removes_nothing);
}

static void
add_squatters(Suite *suite)
{
	TCase *tc = kit_case(suite, "squatters");

	tcase_add_test(tc, a_symbolic_link_is_refused);
	tcase_add_test(tc, a_dangling_link_is_not_followed_by_a_creator);
	tcase_add_test(tc, a_hard_link_is_refused);
	tcase_add_test(tc, a_directory_is_no_segment);
	tcase_add_test(tc, a_socket_is_no_segment);
	tcase_add_test(tc, a_fifo_is_no_segment_and_makes_nobody_wait);
	tcase_add_test(tc, a_directory_open_to_others_is_refused);
	tcase_add_test(tc, the_directory_is_made_for_us_alone);
	tcase_add_test(tc, kin_dir_may_not_be_a_file_or_a_link);
	tcase_add_test(tc, a_kin_dir_too_long_for_us_is_refused_not_cut);
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
	Suite *suite = suite_create("segment");
	TCase *tc;

	add_memory(suite);
	add_names(suite);
	add_squatters(suite);
	add_attaching(suite);
	if (can_play_strangers())
		add_strangers(suite);

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
