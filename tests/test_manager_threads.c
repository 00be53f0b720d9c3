/* SPDX-License-Identifier: MIT */
/*
 * test_manager_threads.c - any call from any thread, over one connection
 *
 * ThreadSanitizer runs this too, and the server is forked before any thread is
 * there, so that it does not mind.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/served.h"

#define T	KIT_PATIENCE
#define CREW	6u

#if defined(__SANITIZE_THREAD__)
#define EACH	200
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EACH	200
#endif
#endif
#ifndef EACH
#define EACH	1000
#endif

/* Check is told of failures by the main thread only. */
static struct {
	kin_manager *m;
	kin_counter *c;
	kin_dict *d;
	uint32_t troubles;
	uint32_t late;			/* calls that timed out */
} crew;

static void
trouble_unless(bool good)
{
	if (!good)
		__atomic_add_fetch(&crew.troubles, 1, __ATOMIC_RELAXED);
}

static void
begin(int engine)
{
	memset(&crew, 0, sizeof(crew));
	crew.m = serve(engine);
	ck_kin_ok(kin_counter_create(&crew.c, crew.m, NULL, T));
	ck_kin_ok(kin_dict_create(&crew.d, crew.m, NULL, T));
}

static void
end(void)
{
	ck_assert_uint_eq(crew.troubles, 0);
	kin_counter_close(crew.c);
	kin_dict_close(crew.d);
	await_objects(crew.m, 0);
	unserve(crew.m);
}

static void
run(uint32_t n, void *(*fn)(void *))
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	pthread_t threads[CREW];
	uint32_t i;

	for (i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fn,
						(void *)(uintptr_t)
						&numbers[i]), 0);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

static int64_t
counted(void)
{
	int64_t n;

	ck_kin_ok(kin_counter_get(crew.c, &n, T));
	return n;
}

/* ---- counters add up ---- */

static void *
adder(void *arg)
{
	int64_t before = 0, now;
	int i;

	(void)arg;
	for (i = 0; i < EACH; i++) {
		trouble_unless(kin_counter_add(crew.c, 1, &now, T) == 0);
		trouble_unless(now > before);
		before = now;
	}
	return NULL;
}

START_TEST(counters_add_up)
{
	begin(_i);
	run(CREW, adder);
	ck_assert_int_eq(counted(), EACH * (int64_t)CREW);
	ck_assert_uint_eq(counts(crew.m).sessions, 1);
	end();
}
END_TEST

/* Everybody has answers of his own kind, and gets no other's. */
static void *
own_key(void *arg)
{
	uint32_t me = *(const uint32_t *)arg;
	char text[40], *answer;
	int i;

	for (i = 0; i < EACH; i++) {
		memset(text, 'a' + (int)me, sizeof(text));
		text[1 + (i + (int)me * 7) % 38] = '\0';
		trouble_unless(kin_dict_set(crew.d, KIN_V(me), KIN_V(text),
					    T) >= 0);
		answer = NULL;
		trouble_unless(kin_dict_get(crew.d, KIN_V(me),
					    KIN_TAKE(&answer), T) == 0 &&
			       strcmp(answer, text) == 0);
		free(answer);
	}
	return NULL;
}

START_TEST(answers_find_who_asked)
{
	begin(_i);
	run(CREW, own_key);
	ck_assert_int_eq(kin_dict_len(crew.d, T), CREW);
	end();
}
END_TEST

static void *
sixteen_deep(void *arg)
{
	kin_pending *calls[16];
	int64_t before, now;
	int i, turn;

	(void)arg;
	for (turn = 0; turn < EACH / 16; turn++) {
		for (i = 0; i < 16; i++)
			trouble_unless(kin_proxy_begin(&calls[i],
					kin_counter_proxy(crew.c), "add",
					KIN_ARGS(1), T) == 0);
		for (i = 0, before = 0; i < 16; i++, before = now) {
			trouble_unless(kin_pending_end(calls[i],
						       KIN_TAKE(&now), T)
				       == 0);
			trouble_unless(now > before);
		}
	}
	return NULL;
}

START_TEST(many_calls_of_many_threads)
{
	begin(_i);
	run(CREW, sixteen_deep);
	ck_assert_int_eq(counted(), EACH / 16 * 16 * (int64_t)CREW);
	end();
}
END_TEST

/* ---- some are in a hurry ---- */

static void *
hurried_or_not(void *arg)
{
	uint32_t me = *(const uint32_t *)arg;
	int64_t now;
	int i, r;

	for (i = 0; i < EACH; i++) {
		if (me % 2 == 0) {
			trouble_unless(kin_counter_add(crew.c, 1, &now, T)
				       == 0);
			continue;
		}
		r = kin_dict_len(crew.d, kin_in_ns(i % 3 * 20000));
		trouble_unless(r == 0 || r == -ETIMEDOUT);
		if (r < 0)
			__atomic_add_fetch(&crew.late, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(deadlines_of_some_are_not_those_of_others)
{
	begin(_i);
	run(CREW, hurried_or_not);
	ck_assert_int_eq(counted(), EACH * (int64_t)CREW / 2);
	ck_assert_uint_gt(crew.late, 0);	/* KIN_NOWAIT is never met */
	end();
}
END_TEST

/* Objects come and go, and what is made too late goes too. */
static void *
maker(void *arg)
{
	uint32_t me = *(const uint32_t *)arg;
	kin_dict *d;
	int i, r;

	for (i = 0; i < EACH / 4; i++) {
		r = kin_dict_create(&d, crew.m, NULL,
				    me % 2 == 0 ? T : kin_in_ns(30000));
		trouble_unless(r == 0 || (r == -ETIMEDOUT && me % 2 != 0));
		if (r == 0)
			kin_dict_close(d);
	}
	return NULL;
}

START_TEST(what_is_made_too_late_goes)
{
	begin(_i);
	run(CREW, maker);
	await_objects(crew.m, 2);
	end();
}
END_TEST

/* ---- the server dies ---- */

static void *
until_reset(void *arg)
{
	uint32_t me = *(const uint32_t *)arg;
	int64_t sum = 0;
	int r = 0;

	while (r >= 0) {
		r = kin_counter_add(crew.c, 1, &sum, KIN_FOREVER);
		if (me == 0 && sum > EACH)
			kill(kin_manager_pid(crew.m), SIGKILL);
	}
	trouble_unless(r == -ECONNRESET);
	return NULL;
}

START_TEST(a_dead_server_resets_all_threads)
{
	begin(_i);
	run(CREW, until_reset);
	ck_assert_uint_eq(crew.troubles, 0);
	kin_counter_close(crew.c);
	kin_dict_close(crew.d);
	bury(crew.m);
	unserve(serve(_i));
}
END_TEST

/* ---- one starts where others run ---- */

static void *
wait_for_stop(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&crew.late, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	return NULL;
}

START_TEST(a_manager_is_started_beside_threads_if_asked)
{
	kin_manager *m;
	pthread_t thread;

	memset(&crew, 0, sizeof(crew));
	choose_engine(_i);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_stop, NULL),
			 0);
	ck_kin_fails(-EBUSY, kin_manager_start(&m, NULL, T));
	ck_kin_ok(kin_manager_start(&m, KIN_OPTS(kin_manager_opts,
						 .flags = KIN_MANAGER_THREADS),
				    T));
	ck_assert_uint_eq(counts(m).objects, 0);
	unserve(m);
	__atomic_store_n(&crew.late, 1, __ATOMIC_RELEASE);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager threads");
	TCase *tc = kit_case(s, "one connection");

	add_both(tc, counters_add_up);
	add_both(tc, answers_find_who_asked);
	add_both(tc, many_calls_of_many_threads);
	add_both(tc, deadlines_of_some_are_not_those_of_others);
	add_both(tc, what_is_made_too_late_goes);
	add_both(tc, a_dead_server_resets_all_threads);
	add_both(tc, a_manager_is_started_beside_threads_if_asked);
	return s;
}

int
main(void)
{
	return kit_run(make_suite());
}
