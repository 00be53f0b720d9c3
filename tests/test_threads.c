/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c - any call from any thread
 *
 * ThreadSanitizer runs this too: so nothing here forks, and each queue is seen
 * through one mapping, since it cannot tell that two are of the same memory.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "tests/kit.h"

#define SIDES		3u		/* threads that put, and that get */

#if defined(__SANITIZE_THREAD__)
#define EACH		5000u
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EACH		5000u
#endif
#endif
#ifndef EACH
#define EACH		100000u
#endif

/* Check is told of failures by the main thread only. */
struct crew {
	kin_queue *q;
	uint32_t there;			/* put and not yet got */
	uint32_t troubles;
	uint32_t ended;
	uint32_t last[SIDES][SIDES];	/* of a putter, by getter */
	uint8_t got[SIDES][EACH];
};

static struct crew crew;

static void
trouble_unless(bool good)
{
	if (!good)
		__atomic_add_fetch(&crew.troubles, 1, __ATOMIC_RELAXED);
}

static void
start(pthread_t *threads, uint32_t n, void *(*fn)(void *))
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	uint32_t i;

	for (i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fn,
						(void *)&numbers[i]), 0);
}

static void
finish(pthread_t *threads, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

static void
make_crew(uint64_t bytes)
{
	memset(&crew, 0, sizeof(crew));
	ck_kin_ok(kin_queue_create(&crew.q, KIN_OPTS(kin_queue_opts,
						     .bytes = bytes)));
}

/* ---- one handle ---- */

static void *
putter(void *arg)
{
	uint32_t me = *(const uint32_t *)arg, msg[2], i;

	for (i = 0; i < EACH; i++) {
		msg[0] = me;
		msg[1] = i;
		trouble_unless(kin_queue_put(crew.q, msg, sizeof(msg),
					     KIT_PATIENCE) == 0);
	}
	return NULL;
}

static void *
getter(void *arg)
{
	uint32_t me = *(const uint32_t *)arg, msg[2];
	ssize_t r;

	while ((r = kin_queue_get(crew.q, msg, sizeof(msg), KIT_PATIENCE)) > 0)
		if (r == sizeof(msg) && msg[0] < SIDES && msg[1] < EACH) {
			uint32_t *last = &crew.last[me][msg[0]];

			trouble_unless(msg[1] >= *last);
			*last = msg[1] + 1;
			__atomic_add_fetch(&crew.got[msg[0]][msg[1]], 1,
					   __ATOMIC_RELAXED);
		} else {
			trouble_unless(false);
		}
	trouble_unless(r == -EPIPE);
	return NULL;
}

static void *
looker(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&crew.ended, __ATOMIC_ACQUIRE)) {
		ssize_t n = kin_queue_len(crew.q);

		trouble_unless(n >= 0 && n <= 64);
		trouble_unless(kin_queue_limit(crew.q) == 1016);
		trouble_unless(kin_queue_fd(crew.q) > 2);
		trouble_unless(kin_queue_label(crew.q)[0] == '\0');
	}
	return NULL;
}

START_TEST(threads_share_a_handle)
{
	pthread_t putters[SIDES], getters[SIDES], lookers[1];
	uint32_t i, n;

	make_crew(1024);
	start(getters, SIDES, getter);
	start(putters, SIDES, putter);
	start(lookers, 1, looker);
	finish(putters, SIDES);
	ck_kin_ok(kin_queue_shutdown(crew.q, KIT_PATIENCE));
	finish(getters, SIDES);
	__atomic_store_n(&crew.ended, 1, __ATOMIC_RELEASE);
	finish(lookers, 1);

	ck_assert_uint_eq(crew.troubles, 0);
	ck_assert_int_eq(kin_queue_len(crew.q), 0);
	for (i = 0; i < SIDES; i++)
		for (n = 0; n < EACH; n++)
			if (crew.got[i][n] != 1)
				ck_abort_msg("message %u of %u came %u times",
					     n, i, crew.got[i][n]);
	kin_queue_close(crew.q);
}
END_TEST

/* ---- shutdown ---- */

static void *
put_on(void *arg)
{
	uint32_t n = 0;
	int r;

	(void)arg;
	while ((r = kin_queue_put(crew.q, &n, sizeof(n), KIT_PATIENCE)) == 0)
		n++;
	trouble_unless(r == -EPIPE);
	__atomic_add_fetch(&crew.there, n, __ATOMIC_ACQ_REL);
	return NULL;
}

static void *
get_on(void *arg)
{
	uint32_t n, got = 0;
	ssize_t r;

	(void)arg;
	while ((r = kin_queue_get(crew.q, &n, sizeof(n), KIT_PATIENCE)) == 4)
		got++;
	trouble_unless(r == -EPIPE);
	__atomic_sub_fetch(&crew.there, got, __ATOMIC_ACQ_REL);
	return NULL;
}

static void *
shut(void *arg)
{
	(void)arg;
	trouble_unless(kin_queue_shutdown(crew.q, KIT_PATIENCE) == 0);
	return NULL;
}

/* crew.there ends as what was put less what was got. */
START_TEST(threads_shut_down_what_others_use)
{
	pthread_t putters[SIDES], getters[SIDES], shutters[2];
	int i;

	for (i = 0; i < 50; i++) {
		make_crew(256);
		start(putters, SIDES, put_on);
		start(getters, SIDES, get_on);
		start(shutters, 2, shut);
		finish(shutters, 2);
		finish(putters, SIDES);
		finish(getters, SIDES);
		ck_assert_uint_eq(crew.troubles, 0);
		ck_assert_uint_eq(crew.there, 0);
		ck_assert_int_eq(kin_queue_len(crew.q), 0);
		kin_queue_close(crew.q);
	}
}
END_TEST

static void *
sleep_in_get(void *arg)
{
	char c;

	(void)arg;
	trouble_unless(kin_queue_get(crew.q, &c, 1, KIN_FOREVER) == 1);
	return NULL;
}

START_TEST(each_sleeping_thread_is_woken_by_a_message_of_its_own)
{
	pthread_t threads[8];
	int i, round;

	for (round = 0; round < 50; round++) {
		make_crew(1024);
		start(threads, 8, sleep_in_get);
		for (i = 0; i < 8; i++)
			ck_kin_ok(kin_queue_put(crew.q, "x", 1, KIT_PATIENCE));
		finish(threads, 8);
		ck_assert_uint_eq(crew.troubles, 0);
		ck_assert_int_eq(kin_queue_len(crew.q), 0);
		kin_queue_close(crew.q);
	}
}
END_TEST

/* ---- things of their own ---- */

static void *
live_alone(void *arg)
{
	uint32_t me = *(const uint32_t *)arg, i;

	for (i = 0; i < 100; i++) {
		kin_segment *seg;
		kin_queue *q;
		uint32_t n = 0;

		if (kin_queue_create(&q, NULL) < 0 ||
		    kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						      .bytes = 100)) < 0) {
			trouble_unless(false);
			break;
		}
		*(uint32_t *)kin_segment_data(seg) = me;
		trouble_unless(kin_queue_put(q, &me, 4, KIN_NOWAIT) == 0);
		trouble_unless(kin_queue_get(q, &n, 4, KIN_NOWAIT) == 4);
		trouble_unless(n == me);
		trouble_unless(*(uint32_t *)kin_segment_data(seg) == me);
		kin_segment_close(seg);
		kin_queue_close(q);
	}
	return NULL;
}

START_TEST(threads_make_and_close_what_is_theirs)
{
	pthread_t threads[8];

	memset(&crew, 0, sizeof(crew));
	start(threads, 8, live_alone);
	finish(threads, 8);
	ck_assert_uint_eq(crew.troubles, 0);
}
END_TEST

static void *
take_part(void *arg)
{
	uint32_t me = *(const uint32_t *)arg, i;

	for (i = 0; i < 50; i++) {
		kin_queue *q;

		if (kin_queue_attach(&q, kin_queue_fd(crew.q)) < 0) {
			trouble_unless(false);
			break;
		}
		trouble_unless(kin_queue_limit(q) == 4088);
		trouble_unless(kin_queue_put(q, &me, 4, KIT_PATIENCE) == 0);
		kin_queue_close(q);
	}
	return NULL;
}

START_TEST(threads_join_and_leave_one_queue)
{
	pthread_t threads[4];
	uint32_t n, sum = 0;

	make_crew(4096);
	start(threads, 4, take_part);
	finish(threads, 4);
	ck_assert_uint_eq(crew.troubles, 0);
	ck_assert_int_eq(kin_queue_len(crew.q), 200);
	while (kin_queue_get(crew.q, &n, 4, KIN_NOWAIT) == 4)
		sum += n;
	ck_assert_uint_eq(sum, 50 * (0 + 1 + 2 + 3));
	kin_queue_close(crew.q);
}
END_TEST

/* ---- sentences ---- */

static void *
fail_here(void *arg)
{
	(void)arg;
	kit_forget();
	trouble_unless(kit_forgotten());
	trouble_unless(kin_queue_get(crew.q, NULL, 0, KIN_NOWAIT) ==
		       -ETIMEDOUT);
	trouble_unless(!kit_forgotten());
	return NULL;
}

START_TEST(each_thread_has_its_own_sentence)
{
	pthread_t thread;

	make_crew(0);
	kit_forget();
	ck_assert(kit_forgotten());
	start(&thread, 1, fail_here);
	finish(&thread, 1);
	ck_assert(kit_forgotten());
	ck_assert_uint_eq(crew.troubles, 0);
	kin_queue_close(crew.q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("threads");
	TCase *tc = kit_case(suite, "one handle");

	tcase_add_test(tc, threads_share_a_handle);
	tcase_add_test(tc, threads_shut_down_what_others_use);
	tcase_add_test(tc,
		       each_sleeping_thread_is_woken_by_a_message_of_its_own);

	tc = kit_case(suite, "their own");
	tcase_add_test(tc, threads_make_and_close_what_is_theirs);
	tcase_add_test(tc, threads_join_and_leave_one_queue);
	tcase_add_test(tc, each_thread_has_its_own_sentence);
	return kit_run(suite);
}
