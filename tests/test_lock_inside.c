/* SPDX-License-Identifier: MIT */
/*
 * test_lock_inside.c - locks whose words somebody scribbles over, and whose
 * slices are so long that only wakes and hand-overs count
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "lib/lock.h"
#include "shm/os.h"
#include "tests/locks.h"

#define GRANTS	300u

static struct kn_mutex_shared *
words_of(kin_lock *lock)
{
	return lock->mutex.shared;
}

/* ---- fairness ---- */

/*
 * The hog has seen the waiter wait, and takes the lock again: it has passed it
 * over, until the waiter's own count has moved.
 */
static void __attribute__((noreturn))
hog(kin_lock *lock)
{
	uint32_t got, before = 0, passed = 0;
	struct kin_lock_stats stat;
	bool waited = false;

	for (;;) {
		if (kin_lock_acquire(lock, KIT_PATIENCE) < 0)
			_exit(1);
		got = __atomic_load_n(&board->calls, __ATOMIC_RELAXED);
		passed = waited && got == before ? passed + 1 : 0;
		kin_lock_stat(lock, &stat);
		waited = stat.waiters > 0;
		before = got;
		if (kin_lock_release(lock) < 0)
			_exit(2);
		if (passed > 4)
			_exit(3);
		if (got >= GRANTS)
			_exit(0);
	}
}

START_TEST(a_waiter_is_passed_over_four_times_at_most)
{
	struct kn_slices slices = kn_latch_slices;
	kin_lock *lock = lock_alone();
	uint32_t i;
	pid_t pid;

	kn_latch_slices = (struct kn_slices){ 60000000000, 60000000000 };
	pid = kit_fork();
	if (pid == 0)
		hog(lock);
	for (i = 1; i <= GRANTS; i++) {
		get_lock(lock);
		__atomic_store_n(&board->calls, i, __ATOMIC_RELAXED);
		give(lock);
	}
	kit_reap(pid, 0);
	kn_latch_slices = slices;
	kin_lock_close(lock);
}
END_TEST

/* Whose turn it was is the first one; the others may outrun each other. */
static void __attribute__((noreturn))
wait_in_line(kin_lock *lock, uint32_t place)
{
	bool right;

	if (kin_lock_acquire(lock, KIT_PATIENCE) != 0)
		_exit(1);
	right = (board->calls == 0) == (place == 0);
	board->calls++;
	if (kin_lock_release(lock) != 0)
		_exit(2);
	_exit(right ? 0 : 3);
}

START_TEST(it_is_kept_for_the_one_who_came_first)
{
	struct kn_slices slices = kn_latch_slices;
	kin_lock *lock = lock_alone();
	pid_t pids[5];
	uint32_t i;

	kn_latch_slices = (struct kn_slices){ 60000000000, 60000000000 };
	get_lock(lock);
	for (i = 0; i < 5; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0)
			wait_in_line(lock, i);
		await_waiters(lock, i + 1);
	}
	/* So often, as it were, the first of them was passed over. */
	kn_store(&words_of(lock)->passes, 3);
	give(lock);
	for (i = 0; i < 5; i++)
		kit_reap(pids[i], 0);
	kn_latch_slices = slices;
	kin_lock_close(lock);
}
END_TEST

/* ---- scribbled words ---- */

START_TEST(nonsense_is_found_and_stays_found)
{
	kin_lock *lock = lock_alone(), *other;

	ck_kin_ok(kin_lock_attach(&other, kin_lock_fd(lock)));
	kn_store(&words_of(lock)->word, 0x12345);
	ck_kin_fails(-EUCLEAN, kin_lock_acquire(lock, kin_in_ms(2000)));
	ck_kin_fails(-EUCLEAN, kin_lock_acquire(lock, KIN_NOWAIT));
	/* A handle of its own finds what it finds. */
	kn_store(&words_of(lock)->word, 0);
	get_lock(other);
	give(other);
	kin_lock_close(other);
	kin_lock_close(lock);
}
END_TEST

START_TEST(a_held_lock_that_was_scribbled_over_is_not_released)
{
	static const uint32_t scribbles[] = { 0, 1, 0x80000000u, 0x40000000u,
					      0x3fffffffu, 0x20000001u };
	size_t i;

	for (i = 0; i < sizeof(scribbles) / sizeof(scribbles[0]); i++) {
		kin_lock *lock = lock_alone();

		get_lock(lock);
		kn_store(&words_of(lock)->word, scribbles[i]);
		ck_kin_fails(-EUCLEAN, kin_lock_release(lock));
		kin_lock_close(lock);
	}
}
END_TEST

/* Anything at all in there: no call hangs, no call ends the program. */
/* Whom nobody can wake must not look for the lock all the time instead. */
START_TEST(a_waiter_without_a_record_does_not_wait)
{
	kin_lock *lock = lock_alone();
	struct kn_control *control = lock->object.control;
	uint32_t i;
	pid_t pid;

	get_lock(lock);
	give(lock);
	pid = holder_of(lock);
	i = kn_stamp_record(kn_me_last.stamp, control->bits);
	kn_wide_store(&control->threads->of[i].owner, 0);
	ck_kin_fails(-EUCLEAN, kin_lock_acquire(lock, KIT_PATIENCE));
	kit_kill(pid);
	kin_lock_close(lock);
}
END_TEST

START_TEST(random_words_do_no_harm)
{
	struct kn_slices slices = kn_latch_slices;
	uint32_t seed = 20261128, i, n;

	kn_latch_slices = (struct kn_slices){ 100000, 200000 };
	for (i = 0; i < 400; i++) {
		kin_lock *lock = lock_of(i % 2 ? KIN_LOCK_RECURSIVE : 0, 0);
		struct kn_control *control = lock->object.control;
		unsigned char *bytes = (unsigned char *)words_of(lock);
		unsigned char *threads = (unsigned char *)control->threads;
		bool held = i % 3 == 0;
		struct kin_lock_stats stat;
		int r;

		if (held)
			get_lock(lock);
		for (n = 0; n < 8; n++) {
			bytes[next_random(&seed) % 64] =
			    (unsigned char)next_random(&seed);
			threads[next_random(&seed) % 512] =
			    (unsigned char)next_random(&seed);
		}
		r = held ? 0 : kin_lock_acquire(lock, kin_in_ms(1));
		if (held || r >= 0)
			(void)kin_lock_release(lock);
		kin_lock_stat(lock, &stat);
		kin_lock_close(lock);
	}
	kn_latch_slices = slices;
}
END_TEST

START_TEST(random_words_in_rwlocks_and_conditions_do_no_harm)
{
	struct kn_slices slices = kn_latch_slices;
	uint32_t seed = 4711, i, n;

	kn_latch_slices = (struct kn_slices){ 100000, 200000 };
	for (i = 0; i < 300; i++) {
		kin_segment *seg = segment_for(4);
		kin_lock *lock = lock_in(seg, 0);
		unsigned char *body = kin_segment_data(seg);
		unsigned char *threads;
		kin_rwlock *rw;
		kin_cond *cond;

		ck_kin_ok(kin_cond_create(&cond, KIN_OPTS(kin_cond_opts,
		    .segment = seg, .offset = 128)));
		ck_kin_ok(kin_rwlock_create(&rw, KIN_OPTS(kin_rwlock_opts,
		    .segment = seg, .offset = 256)));
		threads = (unsigned char *)lock->object.control->threads;
		get_lock(lock);
		for (n = 0; n < 12; n++) {
			body[256 + 64 + next_random(&seed) % 448] =
			    (unsigned char)next_random(&seed);
			threads[next_random(&seed) % 512] =
			    (unsigned char)next_random(&seed);
		}
		/* Of a lock that is whole, so that no bug is seen in us. */
		if (kin_cond_wait(cond, lock, kin_in_ms(1)) >= 0 ||
		    kin_lock_consistent(lock) == 0) {
			(void)kin_cond_notify(cond, lock, KIN_ALL);
			(void)kin_lock_release(lock);
		}
		if (kin_rwlock_read(rw, kin_in_ms(1)) >= 0)
			(void)kin_rwlock_release(rw);
		if (kin_rwlock_write(rw, kin_in_ms(1)) >= 0)
			(void)kin_rwlock_release(rw);
		kin_rwlock_close(rw);
		kin_cond_close(cond);
		kin_lock_close(lock);
		kin_segment_close(seg);
	}
	kn_latch_slices = slices;
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lock inside");
	TCase *tc = board_case(suite, "fairness");

	tcase_add_test(tc, a_waiter_is_passed_over_four_times_at_most);
	tcase_add_test(tc, it_is_kept_for_the_one_who_came_first);
	tc = board_case(suite, "scribbles");
	tcase_add_test(tc, nonsense_is_found_and_stays_found);
	tcase_add_test(tc, a_held_lock_that_was_scribbled_over_is_not_released);
	tcase_add_test(tc, a_waiter_without_a_record_does_not_wait);
	tcase_add_test(tc, random_words_do_no_harm);
	tcase_add_test(tc,
		       random_words_in_rwlocks_and_conditions_do_no_harm);
	return kit_run(suite);
}
