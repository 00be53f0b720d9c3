/* SPDX-License-Identifier: MIT */
/*
 * test_queue_named.c - the promises of kin/queue.h: queues with a name, and ten
 * thousand of them in one segment
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/traffic.h"

static int
named(kin_queue **ret_q, const char *name, uint32_t flags, uint64_t bytes)
{
	return kin_queue_create(ret_q, KIN_OPTS(kin_queue_opts, .name = name,
	    .flags = flags, .bytes = bytes, .members = 8));
}

START_TEST(a_name_leads_to_it_until_it_is_removed)
{
	kin_queue *q, *again, *none = NULL;

	ck_kin_fails(-ENOENT, kin_queue_open(&none, "jobs"));
	ck_assert_int_eq(named(&q, "jobs", 0, 1024), 0);
	ck_assert_str_eq(kin_queue_label(q), "jobs");
	ck_kin_fails(-EEXIST, named(&none, "jobs", 0, 1024));
	ck_kin_ok(kin_queue_open(&again, "jobs"));
	put_number(q, 7);
	ck_assert_uint_eq(get_number(again), 7);
	kin_queue_close(q);
	kin_queue_close(again);

	/* It stays without holders. */
	ck_kin_ok(kin_queue_open(&q, "jobs"));
	put_number(q, 8);
	ck_kin_ok(kin_queue_unlink("jobs"));
	ck_kin_fails(-ENOENT, kin_queue_unlink("jobs"));
	ck_kin_fails(-ENOENT, kin_queue_open(&none, "jobs"));
	ck_assert_uint_eq(get_number(q), 8);
	ck_assert_ptr_null(none);
	kin_queue_close(q);
}
END_TEST

START_TEST(it_is_opened_or_created)
{
	kin_queue *q, *again, *none = NULL;

	ck_assert_int_eq(named(&q, "jobs", KIN_QUEUE_OPEN_OR_CREATE, 1024), 1);
	ck_assert_int_eq(named(&again, "jobs", KIN_QUEUE_OPEN_OR_CREATE, 1000),
			 0);
	put_number(q, 7);
	ck_assert_uint_eq(get_number(again), 7);
	ck_kin_fails(-EEXIST, named(&none, "jobs", KIN_QUEUE_OPEN_OR_CREATE,
				    2048));
	ck_kin_fails(-EEXIST, named(&none, "jobs", KIN_QUEUE_OPEN_OR_CREATE |
				    KIN_QUEUE_TASKS, 1024));
	ck_kin_ok(kin_queue_unlink("jobs"));
	ck_assert_ptr_null(none);
	kin_queue_close(again);
	kin_queue_close(q);
}
END_TEST

START_TEST(of_many_who_open_or_create_one_creates)
{
	pid_t pids[6];
	kin_queue *q;
	uint32_t i, sum = 0;

	for (i = 0; i < 6; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0) {
			int r = named(&q, "jobs", KIN_QUEUE_OPEN_OR_CREATE,
				      1024);

			if (r < 0)
				_exit(1);
			put_number(q, (uint32_t)r);
			kin_queue_close(q);
			_exit(0);
		}
	}
	for (i = 0; i < 6; i++)
		kit_reap(pids[i], 0);
	ck_kin_ok(kin_queue_open(&q, "jobs"));
	ck_assert_int_eq(kin_queue_len(q), 6);
	for (i = 0; i < 6; i++)
		sum += get_number(q);
	ck_assert_uint_eq(sum, 1);
	ck_kin_ok(kin_queue_unlink("jobs"));
	kin_queue_close(q);
}
END_TEST

START_TEST(names_are_checked_and_kept_apart)
{
	kin_segment *seg;
	kin_queue *q = NULL;

	ck_kin_fails(-EINVAL, named(&q, "", 0, 0));
	ck_assert_int_eq(named(&q, "a/b", 0, 0), -EINVAL);
	ck_kin_fails(-EINVAL, named(&q, ".hidden", 0, 0));
	ck_assert_int_eq(kin_queue_open(&q, "a/b"), -EINVAL);
	ck_kin_fails(-EINVAL, named(&q, NULL, KIN_QUEUE_OPEN_OR_CREATE, 0));
	ck_kin_fails(-EINVAL, kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
							    .mode = 0600)));
	ck_kin_fails(-EINVAL, kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
	    .flags = KIN_QUEUE_FAIL | KIN_QUEUE_DROP_OLDEST)));

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .name = "memory", .bytes = 4096)));
	ck_kin_fails(-EPROTO, kin_queue_open(&q, "memory"));
	ck_kin_fails(-EEXIST, named(&q, "memory", 0, 0));
	ck_assert_ptr_null(q);
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("memory"));
}
END_TEST

START_TEST(its_mode_is_what_was_asked_for)
{
	struct stat st;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .name = "jobs",
						.mode = 0660)));
	ck_assert_int_eq(fstat(kin_queue_fd(q), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	ck_kin_ok(kin_queue_unlink("jobs"));
	kin_queue_close(q);
}
END_TEST

/* Through memory it goes by name, and on from where it arrived. */
START_TEST(it_travels_through_a_queue)
{
	kin_queue *q, *way = queue_of(4096, 0), *there, *further;
	kin_values *v;

	ck_kin_ok(named(&q, "jobs", 0, 1024));
	put_number(q, 7);
	ck_kin_ok(kin_queue_put_values(way, KIN_ARGS(q), KIN_NOWAIT));
	ck_kin_ok(kin_queue_get_values(way, &v, KIN_NOWAIT));
	ck_kin_ok(kin_values_take(v, &there));
	ck_kin_ok(kin_values_keep(v, there));
	kin_values_free(v);
	ck_assert_uint_eq(get_number(there), 7);

	ck_kin_ok(kin_queue_put_values(way, KIN_ARGS(there), KIN_NOWAIT));
	ck_kin_ok(kin_queue_get_values(way, &v, KIN_NOWAIT));
	ck_kin_ok(kin_values_take(v, &further));
	ck_kin_ok(kin_values_keep(v, further));
	kin_values_free(v);
	put_number(further, 8);
	ck_assert_uint_eq(get_number(q), 8);

	ck_kin_ok(kin_queue_unlink("jobs"));
	ck_kin_fails(-EOPNOTSUPP, kin_queue_put_values(way, KIN_ARGS(q),
						       KIN_NOWAIT));
	ck_kin_fails(-EOPNOTSUPP, kin_queue_put_values(way, KIN_ARGS(way),
						       KIN_NOWAIT));
	kin_queue_close(further);
	kin_queue_close(there);
	kin_queue_close(q);
	kin_queue_close(way);
}
END_TEST

/* By descriptor it keeps its name, too. */
START_TEST(it_travels_on_from_a_connection)
{
	kin_queue *q, *way = queue_of(4096, 0), *there;
	kin_conn *ours, *theirs;
	kin_values *v;

	ck_kin_ok(named(&q, "jobs", 0, 1024));
	ck_kin_ok(kin_pipe(&ours, &theirs, NULL));
	ck_kin_ok(kin_conn_send_values(ours, KIN_ARGS(q), KIT_PATIENCE));
	ck_kin_ok(kin_conn_recv_values(theirs, &v, KIT_PATIENCE));
	ck_kin_ok(kin_values_take(v, &there));
	ck_kin_ok(kin_values_keep(v, there));
	kin_values_free(v);
	ck_kin_ok(kin_queue_put_values(way, KIN_ARGS(there), KIN_NOWAIT));
	ck_kin_ok(kin_queue_unlink("jobs"));
	kin_queue_close(there);
	kin_queue_close(q);
	kin_queue_close(way);
	kin_conn_close(ours);
	kin_conn_close(theirs);
}
END_TEST

/* ---- ten thousand in one segment ---- */

#define QUEUES	10000u

static kin_queue *all[QUEUES];

static const struct kin_queue_opts tiny = {
	.size = sizeof(tiny), .bytes = 256, .flags = KIN_QUEUE_TASKS,
};

static uint64_t
place_all(kin_segment *seg)
{
	struct kin_queue_opts opts = tiny;
	uint64_t room;
	uint32_t i;

	opts.segment = seg;
	room = kin_queue_room(&opts);
	for (i = 0; i < QUEUES; i++) {
		opts.offset = i * room;
		ck_fast(kin_queue_create(&all[i], &opts) == 0);
	}
	return room;
}

START_TEST(ten_thousand_live_in_one_segment)
{
	struct kin_queue_opts opts = tiny;
	int descriptors, mappings;
	uint64_t room;
	kin_segment *seg;
	int64_t begin;
	uint32_t i;
	pid_t pid;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = QUEUES * 1024, .members = 4)));
	opts.segment = seg;
	ck_assert_uint_le(kin_queue_room(&opts), 1024);
	descriptors = kit_descriptors();
	mappings = kit_mappings();
	begin = kin_now().ns;
	room = place_all(seg);
	printf("# %u placed in %" PRId64 " ns each, %" PRIu64 " bytes each\n",
	       QUEUES, (kin_now().ns - begin) / QUEUES, room);
	ck_assert_int_eq(kit_descriptors(), descriptors);
	/* The page by which our life is known. */
	ck_assert_int_eq(kit_mappings(), mappings + 1);

	pid = kit_fork();
	if (pid == 0) {
		for (i = 0; i < QUEUES; i++)
			put_number(all[i], i);
		raise_flag(1);
		for (;;)
			pause();
	}
	await_flag(1);
	for (i = 0; i < QUEUES; i++) {
		kin_queue_close(all[i]);
		ck_fast(kin_queue_attach_at(&all[i], seg, i * room) == 0);
		ck_fast(get_number(all[i]) == i);
	}
	kit_kill(pid);
	for (i = 0; i < QUEUES; i += 1000) {
		ck_kin_fails(-ETIMEDOUT, kin_queue_join(all[i], KIN_NOWAIT));
		ck_kin_ok(kin_queue_task_done(all[i], 1));
		ck_kin_ok(kin_queue_join(all[i], KIN_NOWAIT));
	}
	for (i = 0; i < QUEUES; i++)
		kin_queue_close(all[i]);
	kin_segment_close(seg);
}
END_TEST

/* They are members of the segment: one may be anywhere in it when it dies. */
START_TEST(one_who_dies_is_dead_in_all_of_them)
{
	kin_segment *seg;
	kin_queue *q;
	uint32_t i;
	pid_t pid;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 65536, .members = 4)));
	ck_kin_fails(-EINVAL, kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
	    .bytes = 256, .segment = seg, .members = 4)));
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 256,
	    .segment = seg, .flags = KIN_QUEUE_TASKS)));
	for (i = 0; i < 20; i++) {
		put_number(q, i);
		lower_flag();
		pid = kit_fork();
		if (pid == 0) {
			ck_assert_uint_eq(get_number(q), i);
			raise_flag(1);
			for (;;)
				pause();
		}
		await_flag(1);
		ck_kin_fails(-ETIMEDOUT, kin_queue_join(q, KIN_NOWAIT));
		kit_kill(pid);
		ck_kin_ok(kin_queue_join(q, KIN_NOWAIT));
	}
	kin_queue_close(q);
	kin_segment_close(seg);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue_named");
	TCase *tc = board_case(suite, "names");

	tcase_add_test(tc, a_name_leads_to_it_until_it_is_removed);
	tcase_add_test(tc, it_is_opened_or_created);
	tcase_add_test(tc, of_many_who_open_or_create_one_creates);
	tcase_add_test(tc, names_are_checked_and_kept_apart);
	tcase_add_test(tc, its_mode_is_what_was_asked_for);
	tcase_add_test(tc, it_travels_through_a_queue);
	tcase_add_test(tc, it_travels_on_from_a_connection);

	tc = board_case(suite, "ten thousand");
	tcase_add_test(tc, ten_thousand_live_in_one_segment);
	tcase_add_test(tc, one_who_dies_is_dead_in_all_of_them);
	return kit_run(suite);
}
