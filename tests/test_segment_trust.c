/* SPDX-License-Identifier: MIT */
/*
 * test_segment_trust.c - the promises of kin/segment.h: whom to trust
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/segments.h"

#define BYTES	10000

START_TEST(a_directory_of_a_group_can_be_trusted)
{
	const struct kin_segment_use *trust =
	    KIN_OPTS(kin_segment_use, .flags = KIN_TRUST_GROUP);
	kin_segment *seg, *other = UNTOUCHED;

	kin_segment_close(named("first"));
	ck_assert_int_eq(chmod(kit_names(), 0770), 0);
	ck_make_fails(-EACCES, KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					.name = "team's"));
	seg = made(KIN_OPTS(kin_segment_opts, .bytes = BYTES,
			    .name = "team's", .mode = 0660,
			    .flags = KIN_TRUST_GROUP));
	ck_open_fails(-EACCES, "team's");
	ck_kin_ok(kin_segment_open_with(&other, "team's", trust));
	kin_segment_close(other);
	ck_kin_fails(-EACCES, kin_segment_unlink("team's"));
	ck_kin_ok(kin_segment_unlink_with("team's", trust));
	ck_kin_ok(kin_segment_unlink_with("first", trust));
	/* But never one that is open to all. */
	ck_assert_int_eq(chmod(kit_names(), 0771), 0);
	ck_kin_fails(-EACCES, kin_segment_unlink_with("first", trust));
	kin_segment_close(seg);
}
END_TEST

START_TEST(another_owner_can_be_trusted)
{
	const struct kin_segment_use *trust =
	    KIN_OPTS(kin_segment_use, .flags = KIN_TRUST_OWNER);
	kin_segment *seg = named("jobs"), *other = UNTOUCHED;

	strcpy(kin_segment_data(seg), "theirs");
	ck_assert_int_eq(chown(name_path("jobs"), STRANGER, STRANGER), 0);
	ck_open_fails(-EACCES, "jobs");
	ck_kin_fails(-EACCES, kin_segment_open_file(&other, name_path("jobs"),
						    NULL));
	ck_attach_fails(-EACCES, kin_segment_fd(seg));
	ck_kin_ok(kin_segment_attach_with(&other, kin_segment_fd(seg), trust));
	kin_segment_close(other);
	ck_kin_ok(kin_segment_open_file(&other, name_path("jobs"), trust));
	kin_segment_close(other);
	ck_kin_ok(kin_segment_open_with(&other, "jobs", trust));
	ck_assert_str_eq(kin_segment_data(other), "theirs");
	kin_segment_close(other);

	/* The directory likewise. */
	ck_assert_int_eq(chown(kit_names(), STRANGER, STRANGER), 0);
	ck_open_fails(-EACCES, "jobs");
	ck_kin_ok(kin_segment_open_with(&other, "jobs", trust));
	kin_segment_close(other);
	ck_kin_ok(kin_segment_unlink_with("jobs", trust));
	kin_segment_close(seg);
}
END_TEST

/* As a member of the group, and of nothing else. */
static int
live_as_a_stranger(void)
{
	const struct kin_segment_use *read =
	    KIN_OPTS(kin_segment_use, .flags = KIN_USE_READONLY |
		     KIN_TRUST_OWNER | KIN_TRUST_GROUP);
	const struct kin_segment_use *write =
	    KIN_OPTS(kin_segment_use,
		     .flags = KIN_TRUST_OWNER | KIN_TRUST_GROUP);
	kin_segment *seg;

	if (setgroups(0, NULL) < 0 || setgid(STRANGER) < 0 ||
	    setuid(STRANGER) < 0)
		return 1;
	if (kin_segment_open(&seg, "read") != -EACCES ||
	    kin_segment_open_with(&seg, "read", write) != -EACCES)
		return 2;
	if (kin_segment_open_with(&seg, "read", read) < 0 ||
	    strcmp(kin_segment_data(seg), "to be read") != 0)
		return 3;
	if (kin_segment_open_with(&seg, "write", write) < 0)
		return 4;
	strcpy(kin_segment_data(seg), "written");
	/* The directory is not his to change. */
	return kin_segment_unlink_with("write", write) == -EACCES ? 0 : 5;
}

START_TEST(a_member_of_the_group_may_what_the_mode_allows)
{
	kin_segment *for_reading, *for_writing;
	pid_t pid;

	for_reading = made(KIN_OPTS(kin_segment_opts, .bytes = BYTES,
				    .name = "read", .mode = 0640));
	for_writing = made(KIN_OPTS(kin_segment_opts, .bytes = BYTES,
				    .name = "write", .mode = 0660));
	strcpy(kin_segment_data(for_reading), "to be read");
	ck_assert_int_eq(chown(name_path("read"), (uid_t)-1, STRANGER), 0);
	ck_assert_int_eq(chown(name_path("write"), (uid_t)-1, STRANGER), 0);
	ck_assert_int_eq(chown(kit_names(), (uid_t)-1, STRANGER), 0);
	ck_assert_int_eq(chmod(kit_names(), 0750), 0);
	pid = kit_fork();
	if (pid == 0)
		_exit(live_as_a_stranger());
	kit_reap(pid, 0);
	ck_assert_str_eq(kin_segment_data(for_writing), "written");
	kin_segment_close(for_reading);
	kin_segment_close(for_writing);
	ck_assert_int_eq(chmod(kit_names(), 0700), 0);
	ck_kin_ok(kin_segment_unlink("read"));
	ck_kin_ok(kin_segment_unlink("write"));
}
END_TEST

static void
add_strangers(Suite *suite)
{
	TCase *tc = kit_case(suite, "strangers");

	tcase_add_test(tc, another_owner_can_be_trusted);
	tcase_add_test(tc, a_member_of_the_group_may_what_the_mode_allows);
}

int
main(void)
{
	Suite *suite = suite_create("segment trust");
	TCase *tc = kit_case(suite, "groups");

	tcase_add_test(tc, a_directory_of_a_group_can_be_trusted);
	if (can_play_strangers())
		add_strangers(suite);
	return kit_run(suite);
}
