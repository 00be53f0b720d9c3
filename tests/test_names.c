/* SPDX-License-Identifier: MIT */
/*
 * test_names.c - the promises of kin/segment.h: names, and who squats on them
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/segments.h"

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

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

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

static void
add_strangers(Suite *suite)
{
	TCase *tc = kit_case(suite, "strangers");

	tcase_add_test(tc, a_strangers_file_is_refused);
	tcase_add_test(tc, a_strangers_directory_is_refused);
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

int
main(void)
{
	Suite *suite = suite_create("names");

	add_names(suite);
	add_squatters(suite);
	if (can_play_strangers())
		add_strangers(suite);
	return kit_run(suite);
}
