/* SPDX-License-Identifier: MIT */
/*
 * test_sync_hostile.c - semaphores, events, barriers and onces whose words
 * somebody scribbles over: every call returns by its deadline
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/barrier.h"
#include "lib/event.h"
#include "lib/once.h"
#include "lib/sem.h"
#include "tests/hostile.h"

#define ROUNDS	400

/* What each call may say of something that is spoilt; ended by 1. */
static const int says[] = { 0, -ETIMEDOUT, -EUCLEAN, -ECANCELED, -EOWNERDEAD,
			    -ERANGE, -ESTALE, -EDEADLK, 1 };
static const int attach_may[] = { 0, -EUCLEAN, -EPROTO, -EPROTONOSUPPORT, 1 };

static struct kn_object *
object(void *thing)
{
	return thing;
}

/* Behind the mark: all that is written by calls. */
static size_t
own_bytes(void *thing)
{
	return object(thing)->mark.bytes - sizeof(struct kn_mark);
}

/* Rubbish of several sorts, some of it near to what could be. */
static void
scribble(void *thing, uint32_t *random)
{
	uint32_t *words = object(thing)->own;
	size_t n = own_bytes(thing) / 4, times = 1 + next_random(random) % 4;

	while (times-- > 0) {
		uint32_t v = next_random(random);

		switch (next_random(random) % 4) {
		case 0:
			v %= 16;
			break;
		case 1:
			v = KN_STAMP | (v & 0x800003ff);
			break;
		case 2:
			v = KN_STAMP | KN_STAMP_THREAD | (v & 0x8000000f);
			break;
		}
		/* The words before the cells or seats, mostly. */
		words[next_random(random) % (times % 2 ? n : 8)] = v;
	}
}

static int
one(int former, void *user)
{
	(void)former;
	(void)user;
	return 0;
}

START_TEST(no_semaphore_outlasts_a_deadline)
{
	uint32_t random = SEED, flags, i;

	for (i = 0; i < ROUNDS; i++) {
		kin_sem *s;

		flags = i % 2 ? KIN_SEM_PLAIN : 0;
		ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts,
			.flags = flags, .permits = 3,
			.most = i % 4 == 1 ? 3 : 0, .members = 4)));
		if (i % 3 == 0)
			ck_kin_ok(kin_sem_acquire(s, 2, KIN_NOWAIT));
		scribble(s, &random);
		ck_says(kin_sem_acquire(s, 1, KIN_NOWAIT), says);
		ck_says(kin_sem_acquire(s, 2, kin_in_ms(3)), says);
		ck_says(kin_sem_release(s, 1), says);
		ck_says(kin_sem_count(s) < 0 ? -EUCLEAN : 0, says);
		kin_sem_close(s);
	}
}
END_TEST

START_TEST(no_event_outlasts_a_deadline)
{
	uint32_t random = SEED, i;
	kin_event *e;

	ck_kin_ok(kin_event_create(&e, NULL));
	for (i = 0; i < ROUNDS; i++) {
		scribble(e, &random);
		ck_says(kin_event_wait(e, kin_in_ms(1)), says);
		kin_event_set(e);
		ck_kin_ok(kin_event_wait(e, KIN_NOWAIT));
		kin_event_clear(e);
		ck_assert_int_eq(kin_event_is_set(e), 0);
	}
	kin_event_close(e);
}
END_TEST

START_TEST(no_barrier_outlasts_a_deadline)
{
	uint32_t random = SEED, i;

	for (i = 0; i < ROUNDS; i++) {
		kin_barrier *b;
		int r;

		ck_kin_ok(kin_barrier_create(&b, KIN_OPTS(kin_barrier_opts,
			.parties = 1 + i % 3, .members = 4)));
		scribble(b, &random);
		r = kin_barrier_wait(b, KIN_NOWAIT);
		ck_says(r > 0 ? 0 : r, says);
		r = kin_barrier_wait_with(b, NULL, NULL, kin_in_ms(3));
		ck_says(r > 0 ? 0 : r, says);
		ck_assert_uint_le(kin_barrier_waiting(b), 1 + i % 3);
		ck_says(kin_barrier_abort(b, kin_in_ms(1)), says);
		ck_says(kin_barrier_reset(b, kin_in_ms(1)), says);
		kin_barrier_close(b);
	}
}
END_TEST

START_TEST(no_once_outlasts_a_deadline)
{
	uint32_t random = SEED, i;

	for (i = 0; i < ROUNDS; i++) {
		kin_once *o;
		int r;

		ck_kin_ok(kin_once_create(&o, KIN_OPTS(kin_once_opts,
						       .members = 4)));
		scribble(o, &random);
		r = kin_once_run(o, one, NULL, KIN_NOWAIT);
		ck_says(r > 0 ? 0 : r, says);
		r = kin_once_run(o, one, NULL, kin_in_ms(3));
		ck_says(r > 0 ? 0 : r, says);
		kin_once_close(o);
	}
}
END_TEST

/* Nonsense that can only be nonsense is said to be that, and goes on so. */
START_TEST(nonsense_is_sticky)
{
	kin_barrier *b;
	kin_once *o;
	kin_sem *s;

	ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts, .permits = 3)));
	kn_store(&s->shared->free, 4 * KN_SEM_ONE);
	ck_kin_fails(-EUCLEAN, kin_sem_acquire(s, 1, KIN_NOWAIT));
	kn_store(&s->shared->free, 3 * KN_SEM_ONE);
	ck_kin_fails(-EUCLEAN, kin_sem_acquire(s, 1, KIN_NOWAIT));
	ck_kin_fails(-EUCLEAN, kin_sem_release(s, 1));
	kin_sem_close(s);

	ck_kin_ok(kin_once_create(&o, NULL));
	kn_store((kn_word *)object(o)->own, 0x12345678);
	ck_kin_fails(-EUCLEAN, kin_once_run(o, one, NULL, KIN_FOREVER));
	kn_store((kn_word *)object(o)->own, 0);
	ck_kin_fails(-EUCLEAN, kin_once_run(o, one, NULL, KIN_FOREVER));
	kin_once_close(o);

	ck_kin_ok(kin_barrier_create(&b, KIN_OPTS(kin_barrier_opts,
						  .parties = 1)));
	kn_store(&b->shared->latch, 0x12345678);
	ck_kin_fails(-EUCLEAN, kin_barrier_wait(b, KIN_FOREVER));
	kn_store(&b->shared->latch, 0);
	ck_kin_fails(-EUCLEAN, kin_barrier_wait(b, KIN_FOREVER));
	kin_barrier_close(b);
}
END_TEST

/* A mark that is not what it was made as is not joined, or is harmless. */
START_TEST(no_mark_is_believed)
{
	uint32_t random = SEED, i;

	for (i = 0; i < ROUNDS; i++) {
		kin_sem *s, *other;
		unsigned char *mark;
		int r;

		ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts,
						      .members = 4)));
		mark = (unsigned char *)object(s)->own - sizeof(struct kn_mark);
		mark[next_random(&random) % sizeof(struct kn_mark)] ^=
		    (unsigned char)(1u << next_random(&random) % 8);
		r = kin_sem_attach(&other, kin_sem_fd(s));
		ck_says(r, attach_may);
		if (r == 0) {
			ck_says(kin_sem_acquire(other, 1, kin_in_ms(1)), says);
			kin_sem_close(other);
		}
		kin_sem_close(s);
	}
}
END_TEST

/* Another one changes them all the time. */
static void
while_scribbled(void *thing, int (*call)(void *thing))
{
	kin_time end;
	pid_t pid = kit_fork();

	if (pid == 0) {
		uint32_t random = SEED;

		for (;;)
			scribble(thing, &random);
	}
	end = kin_in_ms(200);
	while (kin_now().ns < end.ns) {
		int r = call(thing);

		ck_says(r > 0 ? 0 : r, says);
		__atomic_store_n(&object(thing)->spoilt, 0, __ATOMIC_RELAXED);
	}
	kit_kill(pid);
}

static int
use_sem(void *thing)
{
	(void)kin_sem_release(thing, 1);
	return kin_sem_acquire(thing, 1, kin_in_ms(2));
}

static int
use_event(void *thing)
{
	kin_event_set(thing);
	kin_event_clear(thing);
	return kin_event_wait(thing, kin_in_ms(2));
}

static int
use_barrier(void *thing)
{
	(void)!kin_barrier_reset(thing, kin_in_ms(1));
	return kin_barrier_wait(thing, kin_in_ms(2));
}

static int
use_once(void *thing)
{
	return kin_once_run(thing, one, NULL, kin_in_ms(2));
}

START_TEST(scribbled_over_in_use_all_return)
{
	kin_barrier *b;
	kin_event *e;
	kin_once *o;
	kin_sem *s;

	ck_kin_ok(kin_sem_create(&s, KIN_OPTS(kin_sem_opts, .permits = 3)));
	while_scribbled(s, use_sem);
	kin_sem_close(s);
	ck_kin_ok(kin_event_create(&e, NULL));
	while_scribbled(e, use_event);
	kin_event_close(e);
	ck_kin_ok(kin_barrier_create(&b, KIN_OPTS(kin_barrier_opts,
						  .parties = 3)));
	while_scribbled(b, use_barrier);
	kin_barrier_close(b);
	ck_kin_ok(kin_once_create(&o, NULL));
	while_scribbled(o, use_once);
	kin_once_close(o);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sync hostile");
	TCase *tc = hostile_case(suite, "scribbles");

	tcase_add_test(tc, no_semaphore_outlasts_a_deadline);
	tcase_add_test(tc, no_event_outlasts_a_deadline);
	tcase_add_test(tc, no_barrier_outlasts_a_deadline);
	tcase_add_test(tc, no_once_outlasts_a_deadline);
	tcase_add_test(tc, nonsense_is_sticky);
	tcase_add_test(tc, no_mark_is_believed);
	tcase_add_test(tc, scribbled_over_in_use_all_return);
	return kit_run(suite);
}
