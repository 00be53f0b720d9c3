/* SPDX-License-Identifier: MIT */
/*
 * test_deadlock.c - rings of threads that wait for each other, and chains
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/locks.h"

#define RING	5			/* three processes and two threads */

static kin_lock *locks[RING];

/* Takes lock i, waits until all have theirs, and asks for the next one. */
static int
link_of_ring(int i)
{
	int r;

	if (kin_lock_acquire(locks[i], KIT_PATIENCE) != 0)
		return -1;
	__atomic_add_fetch(&board->flag, 1, __ATOMIC_ACQ_REL);
	await_flag(RING);
	r = kin_lock_acquire(locks[(i + 1) % RING], KIT_PATIENCE);
	if (r == -EDEADLK)
		__atomic_add_fetch(&board->calls, 1, __ATOMIC_ACQ_REL);
	else if (r == 0)
		(void)kin_lock_release(locks[(i + 1) % RING]);
	else
		return -1;
	return kin_lock_release(locks[i]);
}

static void *
thread_of_ring(void *arg)
{
	return link_of_ring((int)(intptr_t)arg) == 0 ? NULL : arg;
}

static void
run_ring(void)
{
	pthread_t threads[2];
	pid_t pids[3];
	void *failed;
	int i;

	for (i = 0; i < 3; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0)
			_exit(link_of_ring(i) == 0 ? 0 : 1);
	}
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, thread_of_ring,
			       (void *)(intptr_t)(i + 3));
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	for (i = 0; i < 3; i++)
		kit_reap(pids[i], 0);
	ck_assert_uint_eq(board->calls, 1);
}

START_TEST(one_of_a_ring_has_to_give_way)
{
	kin_segment *seg = segment_for(8);
	int i;

	for (i = 0; i < RING; i++)
		locks[i] = lock_in(seg, (uint64_t)i * KIN_LOCK_ROOM);
	run_ring();
	for (i = 0; i < RING; i++)
		kin_lock_close(locks[i]);
	kin_segment_close(seg);
}
END_TEST

START_TEST(one_of_a_ring_through_many_segments_too)
{
	int i;

	for (i = 0; i < RING; i++)
		locks[i] = lock_alone();
	run_ring();
	for (i = 0; i < RING; i++)
		kin_lock_close(locks[i]);
}
END_TEST

static void
await_calls(uint32_t n)
{
	kin_time deadline = KIT_PATIENCE;

	while (__atomic_load_n(&board->calls, __ATOMIC_ACQUIRE) < n) {
		ck_assert(kin_now().ns < deadline.ns);
		sched_yield();
	}
}

/* Nobody holds what the first one waits for, but somebody not in the chain,
 * who lets go when all have waited for many slices. */
START_TEST(a_chain_is_no_ring)
{
	pid_t pids[RING - 1];
	int i, rounds;

	for (i = 0; i < RING; i++)
		locks[i] = lock_alone();
	get_lock(locks[RING - 1]);
	for (i = 0; i < RING - 1; i++) {
		pids[i] = kit_fork();
		if (pids[i] != 0)
			continue;
		if (kin_lock_acquire(locks[i], KIT_PATIENCE) != 0)
			_exit(1);
		__atomic_add_fetch(&board->flag, 1, __ATOMIC_ACQ_REL);
		await_flag(RING - 1);
		for (rounds = 0; rounds < 5; rounds++)
			if (kin_lock_acquire(locks[i + 1], kin_in_ms(100)) == 0)
				_exit(2);
		__atomic_add_fetch(&board->calls, 1, __ATOMIC_ACQ_REL);
		_exit(kin_lock_acquire(locks[i + 1], KIT_PATIENCE) == 0 &&
		      kin_lock_release(locks[i + 1]) == 0 &&
		      kin_lock_release(locks[i]) == 0 ? 0 : 3);
	}
	await_calls(RING - 1);
	give(locks[RING - 1]);
	for (i = 0; i < RING - 1; i++)
		kit_reap(pids[i], 0);
	for (i = 0; i < RING; i++)
		kin_lock_close(locks[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("deadlock");
	TCase *tc = board_case(suite, "rings");

	tcase_add_test(tc, one_of_a_ring_has_to_give_way);
	tcase_add_test(tc, one_of_a_ring_through_many_segments_too);
	tcase_add_test(tc, a_chain_is_no_ring);
	return kit_run(suite);
}
