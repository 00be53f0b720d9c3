/* SPDX-License-Identifier: MIT */
/*
 * test_segment_seal.c - the promises of kin/segment.h: freezing and publishing
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"

#define ALL	(KIN_SEALED_FROZEN | KIN_SEALED_PUBLISHED | KIN_SEALED_SIZE)

static const struct kin_segment_use read_only = {
	.size = sizeof(read_only), .flags = KIN_USE_READONLY,
};
static const struct kin_segment_use frozen = {
	.size = sizeof(frozen), .flags = KIN_USE_FROZEN,
};
static const struct kin_segment_use published = {
	.size = sizeof(published), .flags = KIN_USE_PUBLISHED,
};

static kin_segment *
hello(void)
{
	kin_segment *seg = anonymous(10000);

	strcpy(kin_segment_data(seg), "hello");
	return seg;
}

static kin_segment *
used(const kin_segment *to, const struct kin_segment_use *use)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_attach_with(&seg, kin_segment_fd(to), use));
	return seg;
}

static void
ck_use_fails(int number, const kin_segment *to,
	     const struct kin_segment_use *use)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number,
		     kin_segment_attach_with(&seg, kin_segment_fd(to), use));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

/* No way to change it is left. */
static void
ck_unchangeable(const kin_segment *seg)
{
	int fd = kin_segment_fd(seg), again;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(again, 0);
	ck_assert_int_eq(pwrite(again, "x", 1, 5000), -1);
	ck_assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again,
		       0) == MAP_FAILED);
	ck_assert_int_eq(fallocate(again, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, 4096, 4096), -1);
	close(again);
	ck_assert(store_ends_by(SIGSEGV, kin_segment_data(seg)));
	ck_assert_str_eq(kin_segment_data(seg), "hello");
}

START_TEST(a_frozen_one_never_changes)
{
	kin_segment *seg = hello(), *other;
	char *data = kin_segment_data(seg);

	ck_assert_int_eq(kin_segment_seals(seg), KIN_SEALED_SIZE);
	ck_use_fails(-EACCES, seg, &frozen);
	ck_kin_ok(kin_segment_seal(seg));
	ck_assert_ptr_eq(kin_segment_data(seg), data);
	ck_assert_int_eq(kin_segment_writable(seg), 0);
	ck_assert_int_eq(kin_segment_seals(seg), ALL);
	ck_unchangeable(seg);
	ck_attach_fails(-EACCES, kin_segment_fd(seg));
	other = used(seg, &frozen);
	ck_assert_int_eq(kin_segment_seals(other), ALL);
	ck_unchangeable(other);
	kin_segment_close(used(other, &published));
	kin_segment_close(used(other, &read_only));
	ck_kin_ok(kin_segment_seal(seg));	/* twice is no error */
	ck_kin_ok(kin_segment_seal(other));
	ck_kin_ok(kin_segment_publish(other));
	kin_segment_close(seg);
	ck_assert_str_eq(kin_segment_data(other), "hello");
	kin_segment_close(other);
}
END_TEST

static void
do_nothing(kin_segment *seg)
{
	(void)seg;
}

START_TEST(who_maps_it_for_writing_is_named_and_in_the_way)
{
	kin_segment *seg = hello();
	char *data = kin_segment_data(seg), who[64];
	pid_t pid = holder(do_nothing, seg);	/* has it by fork */

	ck_kin_fails(-EBUSY, kin_segment_seal(seg));
	snprintf(who, sizeof(who), "pid %d (test_", (int)pid);
	ck_assert_msg(strstr(kin_errmsg(), who) != NULL, "%s", kin_errmsg());
	ck_assert_ptr_null(strstr(kin_errmsg(), "ourselves"));
	/* Nothing has changed. */
	ck_assert_int_eq(kin_segment_writable(seg), 1);
	ck_assert_int_eq(kin_segment_seals(seg), KIN_SEALED_SIZE);
	ck_assert_ptr_eq(kin_segment_data(seg), data);
	strcpy(data, "still");
	kin_segment_close(attached(seg));
	kit_kill(pid);
	strcpy(data, "hello");
	ck_kin_ok(kin_segment_seal(seg));
	ck_unchangeable(seg);
	kin_segment_close(seg);
}
END_TEST

START_TEST(our_own_other_handle_is_in_the_way_too)
{
	kin_segment *seg = hello(), *other = attached(seg);
	kin_segment *reader = used(seg, &read_only);

	ck_kin_fails(-EBUSY, kin_segment_seal(seg));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "ourselves"));
	strcpy(kin_segment_data(other), "other");
	ck_assert_str_eq(kin_segment_data(seg), "other");
	strcpy(kin_segment_data(seg), "hello");
	ck_assert_str_eq(kin_segment_data(other), "hello");
	kin_segment_close(other);
	/* One who only reads is not. */
	ck_kin_ok(kin_segment_seal(seg));
	ck_unchangeable(seg);
	ck_unchangeable(reader);
	kin_segment_close(reader);
	kin_segment_close(seg);
}
END_TEST

START_TEST(there_may_be_more_in_the_way_than_can_be_named)
{
	kin_segment *seg = hello();
	pid_t pids[12];
	int i;

	for (i = 0; i < 12; i++)
		pids[i] = holder(do_nothing, seg);
	ck_kin_fails(-EBUSY, kin_segment_seal(seg));
	ck_assert_msg(strstr(kin_errmsg(), " more") != NULL, "%s",
		      kin_errmsg());
	for (i = 0; i < 12; i++)
		kit_kill(pids[i]);
	ck_kin_ok(kin_segment_seal(seg));
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_published_one_is_written_by_those_who_had_it)
{
	kin_segment *seg = hello(), *early = attached(seg), *late;

	ck_use_fails(-EACCES, seg, &published);
	ck_kin_ok(kin_segment_publish(seg));
	ck_kin_ok(kin_segment_publish(early));
	ck_assert_int_eq(kin_segment_seals(seg),
			 KIN_SEALED_PUBLISHED | KIN_SEALED_SIZE);
	ck_assert_int_eq(kin_segment_writable(seg), 1);
	ck_attach_fails(-EACCES, kin_segment_fd(seg));
	ck_use_fails(-EACCES, seg, &frozen);
	late = used(seg, &published);
	ck_assert(store_ends_by(SIGSEGV, kin_segment_data(late)));
	strcpy(kin_segment_data(early), "early");
	ck_assert_str_eq(kin_segment_data(late), "early");
	strcpy(kin_segment_data(seg), "hello");
	ck_assert_str_eq(kin_segment_data(late), "hello");
	kin_segment_close(early);
	kin_segment_close(late);
	kin_segment_close(seg);
}
END_TEST

/* The kernel would not let us back: so who is in the way is asked first. */
START_TEST(a_published_one_can_be_frozen_or_goes_on)
{
	kin_segment *seg = hello(), *early = attached(seg);
	pid_t pid = holder(do_nothing, seg);

	ck_kin_ok(kin_segment_publish(seg));
	ck_kin_fails(-EBUSY, kin_segment_seal(seg));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "ourselves"));
	ck_assert_int_eq(kin_segment_writable(seg), 1);
	strcpy(kin_segment_data(seg), "still");
	kin_segment_close(early);
	ck_kin_fails(-EBUSY, kin_segment_seal(seg));
	ck_assert_ptr_null(strstr(kin_errmsg(), "ourselves"));
	strcpy(kin_segment_data(seg), "hello");
	kit_kill(pid);
	ck_kin_ok(kin_segment_seal(seg));
	ck_unchangeable(seg);
	kin_segment_close(seg);
}
END_TEST

START_TEST(what_is_not_anonymous_cannot_be_sealed)
{
	kin_segment *seg = named("jobs");

	ck_kin_fails(-EOPNOTSUPP, kin_segment_seal(seg));
	ck_kin_fails(-EOPNOTSUPP, kin_segment_publish(seg));
	ck_assert_int_eq(kin_segment_seals(seg), 0);
	ck_assert_int_eq(kin_segment_writable(seg), 1);
	ck_use_fails(-EACCES, seg, &frozen);
	ck_use_fails(-EACCES, seg, &published);
	strcpy(kin_segment_data(seg), "hello");
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("jobs"));
}
END_TEST

START_TEST(who_only_reads_cannot_seal)
{
	kin_segment *seg = hello(), *reader = used(seg, &read_only);

	ck_kin_fails(-EACCES, kin_segment_seal(reader));
	ck_kin_fails(-EACCES, kin_segment_publish(reader));
	ck_assert_int_eq(kin_segment_seals(seg), KIN_SEALED_SIZE);
	kin_segment_close(reader);
	kin_segment_close(seg);
}
END_TEST

/* ---- threads, forks, travel ---- */

static void *
load_till_told(void *arg)
{
	volatile char *data = arg;
	uintptr_t loads = 0;

	while (__atomic_load_n(&data[4], __ATOMIC_RELAXED) != '!' ||
	       loads == 0) {
		if (data[0] != 'h')
			return NULL;
		loads++;
	}
	return (void *)loads;
}

/* Our mapping is replaced and comes back, a hundred times. */
START_TEST(loads_go_on_while_it_is_sealed)
{
	kin_segment *seg = hello(), *other = attached(seg);
	pthread_t thread;
	void *loads;
	int i;

	ck_assert_int_eq(pthread_create(&thread, NULL, load_till_told,
					kin_segment_data(seg)), 0);
	for (i = 0; i < 100; i++)
		ck_fast(kin_segment_seal(seg) == -EBUSY);
	__atomic_store_n((char *)kin_segment_data(seg) + 4, '!',
			 __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_join(thread, &loads), 0);
	ck_assert_ptr_nonnull(loads);
	ck_assert_str_eq(kin_segment_data(other), "hell!");
	kin_segment_close(other);
	kin_segment_close(seg);
}
END_TEST

static int
look_at(kin_call *call)
{
	kin_segment *seg;
	int r = kin_call_take(call, &seg);

	if (r < 0)
		return r;
	if (strcmp(kin_segment_data(seg), "hello") != 0)
		return 1;
	return kin_call_return(call, kin_segment_seals(seg),
			       kin_segment_writable(seg));
}

static void
ck_arrives(kin_segment *seg, int seals, int writable)
{
	int got, may;
	kin_process *p = start(look_at, KIN_ARGS(seg));

	ck_kin_ok(kin_process_result(p, KIN_TAKE(&got, &may), KIT_PATIENCE));
	ck_assert_int_eq(got, seals);
	ck_assert_int_eq(may, writable);
	ck_exited(finish(p), 0);
}

START_TEST(it_arrives_as_read_only_as_it_was_sent)
{
	kin_segment *seg = hello(), *reader = used(seg, &read_only);

	ck_arrives(seg, KIN_SEALED_SIZE, 1);
	ck_arrives(reader, KIN_SEALED_SIZE, 0);
	ck_kin_ok(kin_segment_publish(seg));
	ck_arrives(seg, KIN_SEALED_PUBLISHED | KIN_SEALED_SIZE, 0);
	ck_kin_ok(kin_segment_seal(seg));
	ck_arrives(seg, ALL, 0);
	kin_segment_close(reader);
	kin_segment_close(seg);
}
END_TEST

static void
add_sealing(Suite *suite)
{
	TCase *tc = kit_case(suite, "sealing");

	tcase_add_test(tc, a_frozen_one_never_changes);
	tcase_add_test(tc, who_maps_it_for_writing_is_named_and_in_the_way);
	tcase_add_test(tc, our_own_other_handle_is_in_the_way_too);
	tcase_add_test(tc, there_may_be_more_in_the_way_than_can_be_named);
	tcase_add_test(tc, a_published_one_is_written_by_those_who_had_it);
	tcase_add_test(tc, a_published_one_can_be_frozen_or_goes_on);
	tcase_add_test(tc, what_is_not_anonymous_cannot_be_sealed);
	tcase_add_test(tc, who_only_reads_cannot_seal);
}

int
main(void)
{
	Suite *suite = suite_create("segment seal");
	TCase *tc;

	add_sealing(suite);
	tc = kit_case(suite, "sharing");
	tcase_add_test(tc, loads_go_on_while_it_is_sealed);
	tcase_add_test(tc, it_arrives_as_read_only_as_it_was_sent);
	return kit_run(suite);
}
