/* SPDX-License-Identifier: MIT */
/*
 * test_queue_placed.c - the promises of kin/queue.h: queues in a segment of
 * the user's own
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/segments.h"

#define ROOM	(64u << 10)

static const struct kin_queue_opts small = {
	.size = sizeof(small), .bytes = 1024, .members = 2,
};

static int
place(kin_queue **ret_q, kin_segment *seg, uint64_t offset)
{
	struct kin_queue_opts opts = small;

	opts.segment = seg;
	opts.offset = offset;
	return kin_queue_create(ret_q, &opts);
}

static kin_queue *
placed(kin_segment *seg, uint64_t offset)
{
	kin_queue *q;

	ck_kin_ok(place(&q, seg, offset));
	return q;
}

static kin_queue *
joined(kin_segment *seg, uint64_t offset)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_attach_at(&q, seg, offset));
	return q;
}

static void
ck_says(kin_queue *q, const char *text)
{
	char buf[64] = "";

	ck_kin_ok(kin_queue_get(q, buf, sizeof(buf), KIT_PATIENCE));
	ck_assert_str_eq(buf, text);
}

START_TEST(it_is_a_queue_and_stays_in_its_room)
{
	kin_segment *seg = anonymous(ROOM);
	unsigned char *data = kin_segment_data(seg);
	size_t room = kin_queue_room(&small), i;
	kin_queue *q, *other;

	memset(data, 0x5a, ROOM);
	q = placed(seg, 256);
	other = joined(seg, 256);
	ck_kin_ok(kin_queue_put(q, "there", 5, KIN_NOWAIT));
	ck_says(other, "there");
	ck_kin_ok(kin_queue_put(other, "back", 4, KIN_NOWAIT));
	ck_says(q, "back");
	for (i = 0; i < 100; i++) {
		char text[64];
		int n = snprintf(text, sizeof(text), "message %zu", i);

		ck_kin_ok(kin_queue_put(q, text, (size_t)n, KIN_NOWAIT));
		ck_says(other, text);
	}
	for (i = 0; i < ROOM; i++)
		if (i < 256 || i >= 256 + room)
			ck_fast(data[i] == 0x5a);
	/* The queue holds the segment. */
	ck_assert_int_eq(kin_queue_fd(q), kin_segment_fd(seg));
	kin_segment_close(seg);
	ck_kin_ok(kin_queue_put(q, "on", 2, KIN_NOWAIT));
	ck_says(other, "on");
	kin_queue_close(q);
	kin_queue_close(other);
}
END_TEST

START_TEST(many_fit_in_one_segment_and_cost_no_descriptor)
{
	enum { MANY = 200 };
	size_t room = (kin_queue_room(&small) + 127) / 128 * 128;
	kin_segment *seg = anonymous(MANY * room);
	int before = kit_descriptors(), i;
	kin_queue *qs[MANY];
	char text[16];

	for (i = 0; i < MANY; i++)
		qs[i] = placed(seg, (uint64_t)i * room);
	ck_assert_int_eq(kit_descriptors(), before);
	for (i = 0; i < MANY; i++) {
		int n = snprintf(text, sizeof(text), "%d", i);

		ck_kin_ok(kin_queue_put(qs[i], text, (size_t)n, KIN_NOWAIT));
	}
	for (i = MANY; i-- > 0;) {
		snprintf(text, sizeof(text), "%d", i);
		ck_says(qs[i], text);
		kin_queue_close(qs[i]);
	}
	kin_segment_close(seg);
}
END_TEST

static void
ck_place_fails(int number, kin_segment *seg, uint64_t offset)
{
	kin_queue *q = NULL;

	ck_kin_fails(number, place(&q, seg, offset));
	ck_assert_ptr_null(q);
}

START_TEST(it_goes_only_where_there_is_room)
{
	size_t room = kin_queue_room(&small);
	kin_segment *seg = anonymous(ROOM), *reader;
	kin_queue *q = NULL;

	ck_place_fails(-EINVAL, seg, 64);
	ck_place_fails(-EINVAL, seg, 1);
	ck_place_fails(-EINVAL, seg, ROOM);
	ck_place_fails(-EINVAL, seg, UINT64_MAX - 127);
	ck_place_fails(-ENOSPC, seg, (ROOM - room) / 128 * 128 + 128);
	q = placed(seg, (ROOM - room) / 128 * 128);
	ck_place_fails(-EEXIST, seg, (ROOM - room) / 128 * 128);
	kin_queue_close(q);
	/* Its room is free when somebody says so. */
	memset((char *)kin_segment_data(seg) + (ROOM - room) / 128 * 128, 0,
	       64);
	kin_queue_close(placed(seg, (ROOM - room) / 128 * 128));
	ck_kin_ok(kin_segment_attach_with(&reader, kin_segment_fd(seg),
	    KIN_OPTS(kin_segment_use, .flags = KIN_USE_READONLY)));
	ck_place_fails(-EACCES, reader, 0);
	ck_kin_fails(-EINVAL, kin_queue_create(&q,
	    KIN_OPTS(kin_queue_opts, .offset = 128)));
	ck_kin_fails(-EINVAL, kin_queue_create(&q,
	    KIN_OPTS(kin_queue_opts, .segment = seg, .label = "no")));
	ck_assert_uint_eq(kin_queue_room(KIN_OPTS(kin_queue_opts,
						  .members = 1001)), 0);
	ck_assert_uint_gt(kin_queue_room(NULL), 65536);
	kin_segment_close(reader);
	kin_segment_close(seg);
}
END_TEST

START_TEST(where_there_is_none_none_is_joined)
{
	kin_segment *seg = anonymous(ROOM);
	kin_queue *q = placed(seg, 0), *other = NULL;
	uint64_t *words = kin_segment_data(seg);
	unsigned i;

	ck_kin_fails(-EPROTO, kin_queue_attach_at(&other, seg, 128));
	ck_kin_fails(-EINVAL, kin_queue_attach_at(&other, seg, 8));
	ck_kin_fails(-EINVAL, kin_queue_attach_at(&other, seg, ROOM));
	ck_kin_fails(-EPROTO, kin_queue_attach(&other, kin_segment_fd(seg)));
	for (i = 0; i < 6; i++) {
		static const uint64_t odd[] = { 0, 1, 1u << 20, 1ull << 40,
						UINT64_MAX };
		uint64_t was = words[i];
		unsigned k;

		for (k = 0; k < 5; k++) {
			/* One member fits into the place of two. */
			if (odd[k] == was || (i == 5 && odd[k] == 1))
				continue;
			words[i] = odd[k];
			ck_kin_fails(-EUCLEAN,
				     kin_queue_attach_at(&other, seg, 0));
		}
		words[i] = was;
	}
	ck_assert_ptr_null(other);
	kin_queue_close(joined(seg, 0));
	kin_queue_close(q);
	kin_segment_close(seg);
}
END_TEST

/* ---- lives ---- */

static void
join_both(kin_segment *seg)
{
	(void)joined(seg, 0);
	(void)joined(seg, 32 << 10);
}

static void
join_second(kin_segment *seg)
{
	(void)joined(seg, 32 << 10);
}

/* Each has its own members, though all ask one file who lives. */
START_TEST(lives_in_one_are_not_lives_in_another)
{
	kin_segment *seg = anonymous(ROOM);
	kin_queue *first = placed(seg, 0), *second = placed(seg, 32 << 10);
	kin_queue *third = NULL;
	pid_t dead = holder(join_both, seg), alive;

	ck_kin_fails(-ENOSPC, kin_queue_attach_at(&third, seg, 0));
	ck_kin_fails(-ENOSPC, kin_queue_attach_at(&third, seg, 32 << 10));
	kit_kill(dead);
	alive = holder(join_second, seg);
	kin_queue_close(joined(seg, 0));
	ck_kin_fails(-ENOSPC, kin_queue_attach_at(&third, seg, 32 << 10));
	kit_kill(alive);
	kin_queue_close(joined(seg, 32 << 10));
	kin_queue_close(first);
	kin_queue_close(second);
	kin_segment_close(seg);
}
END_TEST

static int
answer(kin_call *call)
{
	kin_queue *from, *to;
	char text[16];
	ssize_t n;
	int r = kin_call_take(call, &from, &to);

	if (r < 0)
		return r;
	n = kin_queue_get(from, text, sizeof(text), KIT_PATIENCE);
	return n < 0 ? (int)n : kin_queue_put(to, text, (size_t)n,
					      KIT_PATIENCE);
}

START_TEST(they_travel_as_others_do)
{
	kin_segment *seg = anonymous(ROOM);
	kin_queue *there = placed(seg, 128), *back = placed(seg, 32 << 10);
	kin_process *p = start(answer, KIN_ARGS(there, back));

	ck_kin_ok(kin_queue_put(there, "hello", 5, KIN_NOWAIT));
	ck_says(back, "hello");
	ck_exited(finish(p), 0);
	kin_queue_close(there);
	kin_queue_close(back);
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_segment_may_grow_under_them)
{
	kin_queue *q, *more;
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 32 << 10, .flags = KIN_SEGMENT_GROWABLE)));
	q = placed(seg, 0);
	ck_place_fails(-EINVAL, seg, 32 << 10);
	ck_kin_ok(kin_segment_grow(seg, ROOM));
	more = placed(seg, 32 << 10);
	ck_kin_ok(kin_queue_put(q, "old", 3, KIN_NOWAIT));
	ck_kin_ok(kin_queue_put(more, "new", 3, KIN_NOWAIT));
	ck_says(q, "old");
	ck_says(more, "new");
	kin_queue_close(q);
	kin_queue_close(more);
	kin_segment_close(seg);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue placed");
	TCase *tc = kit_case(suite, "places");

	tcase_add_test(tc, it_is_a_queue_and_stays_in_its_room);
	tcase_add_test(tc, many_fit_in_one_segment_and_cost_no_descriptor);
	tcase_add_test(tc, it_goes_only_where_there_is_room);
	tcase_add_test(tc, where_there_is_none_none_is_joined);

	tc = kit_case(suite, "lives");
	tcase_add_test(tc, lives_in_one_are_not_lives_in_another);
	tcase_add_test(tc, they_travel_as_others_do);
	tcase_add_test(tc, a_segment_may_grow_under_them);
	return kit_run(suite);
}
