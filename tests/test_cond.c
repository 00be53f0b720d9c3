/* SPDX-License-Identifier: MIT */
/*
 * test_cond.c - the promises of kin/cond.h
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/locks.h"

static kin_lock *lock;
static kin_cond *cond;

static void
make(void)
{
	ck_kin_ok(kin_lock_create(&lock, NULL));
	ck_kin_ok(kin_cond_create(&cond, NULL));
}

static void
drop(void)
{
	kin_cond_close(cond);
	kin_lock_close(lock);
}

static void
await_asleep(uint32_t n)
{
	kin_time deadline = KIT_PATIENCE;

	while (kin_cond_waiters(cond) != n) {
		ck_assert(kin_now().ns < deadline.ns);
		sched_yield();
	}
}

/* A child that waits, and takes one of what calls counts; in this order. */
static pid_t
taker(uint32_t n)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		if (kin_lock_acquire(lock, KIT_PATIENCE) != 0)
			_exit(1);
		while (board->calls == 0)
			if (kin_cond_wait(cond, lock, KIT_PATIENCE) < 0)
				_exit(2);
		board->calls--;
		_exit(kin_lock_release(lock) == 0 ? 0 : 3);
	}
	await_asleep(n);
	return pid;
}

static void
give_one(void)
{
	get_lock(lock);
	board->calls++;
	ck_kin_ok(kin_cond_notify(cond, lock, 1));
	give(lock);
}

START_TEST(who_waits_is_woken_and_has_the_lock)
{
	pid_t pid;

	make();
	pid = taker(1);
	give_one();
	kit_reap(pid, 0);
	get_lock(lock);
	ck_assert_int_eq(kin_cond_notify(cond, lock, KIN_ALL), 0);
	give(lock);
	drop();
}
END_TEST

START_TEST(all_or_so_many_are_woken)
{
	pid_t pids[4];
	uint32_t i;

	make();
	for (i = 0; i < 4; i++)
		pids[i] = taker(i + 1);
	get_lock(lock);
	board->calls = 4;
	ck_assert_int_eq(kin_cond_notify(cond, lock, 3), 3);
	ck_assert_int_eq(kin_cond_notify(cond, lock, KIN_ALL), 1);
	ck_assert_int_eq(kin_cond_notify(cond, lock, 1), 0);
	give(lock);
	for (i = 0; i < 4; i++)
		kit_reap(pids[i], 0);
	drop();
}
END_TEST

START_TEST(at_the_deadline_it_has_the_lock_again)
{
	pid_t pid;

	make();
	get_lock(lock);
	ck_kin_fails(-ETIMEDOUT, kin_cond_wait(cond, lock, kin_in_ms(20)));
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_lock_acquire(lock, KIN_NOWAIT) == -ETIMEDOUT ? 0 : 1);
	kit_reap(pid, 0);
	ck_kin_fails(-ETIMEDOUT, kin_cond_wait(cond, lock, KIN_NOWAIT));
	give(lock);
	ck_assert_uint_eq(kin_cond_waiters(cond), 0);
	drop();
}
END_TEST

START_TEST(a_recursive_lock_is_let_go_of_whole)
{
	pid_t pid;

	make();
	kin_lock_close(lock);
	lock = lock_of(KIN_LOCK_RECURSIVE, 0);
	get_lock(lock);
	get_lock(lock);
	pid = kit_fork();
	if (pid == 0) {
		await_asleep(1);
		if (kin_lock_acquire(lock, KIT_PATIENCE) != 0 ||
		    kin_cond_notify(cond, lock, 1) != 1)
			_exit(1);
		_exit(kin_lock_release(lock) == 0 ? 0 : 2);
	}
	ck_kin_ok(kin_cond_wait(cond, lock, KIT_PATIENCE));
	kit_reap(pid, 0);
	give(lock);
	give(lock);
	drop();
}
END_TEST

START_TEST(both_may_lie_in_one_segment_or_in_two)
{
	kin_segment *seg = segment_for(8);
	pid_t pid;

	lock = lock_in(seg, 0);
	ck_kin_ok(kin_cond_create(&cond, KIN_OPTS(kin_cond_opts,
	    .segment = seg, .offset = KIN_LOCK_ROOM)));
	pid = taker(1);
	give_one();
	kit_reap(pid, 0);
	drop();
	kin_segment_close(seg);
}
END_TEST

static void
dies_of_a_bug(int what)
{
	int status;
	pid_t pid = kit_fork();

	if (pid == 0) {
		fclose(stderr);
		if (what == 0)
			_exit(kin_cond_wait(cond, lock, KIN_NOWAIT));
		_exit(kin_cond_notify(cond, lock, 1));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

START_TEST(without_the_lock_it_is_a_bug)
{
	make();
	dies_of_a_bug(0);
	dies_of_a_bug(1);
	drop();
}
END_TEST

/* ---- the clock ---- */

/*
 * Whoever waits by the wall clock wakes early or late when that is set.  So
 * the kernel ends the one that asks for such a wait, and nobody has to set it.
 */
static void
forbid_the_wall_clock(void)
{
	static const uint32_t nr = offsetof(struct seccomp_data, nr);
	static const uint32_t op = offsetof(struct seccomp_data, args[1]);
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, op),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FUTEX_CLOCK_REALTIME, 0,
			 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		sizeof(filter) / sizeof(filter[0]), filter
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(77);
}

static void __attribute__((noreturn))
wait_for_all_kinds(kin_rwlock *rw)
{
	forbid_the_wall_clock();
	if (kin_lock_acquire(lock, kin_in_ms(20)) != -ETIMEDOUT ||
	    kin_rwlock_read(rw, kin_in_ms(20)) != -ETIMEDOUT ||
	    kin_rwlock_write(rw, kin_in_ms(20)) != -ETIMEDOUT)
		_exit(1);
	raise_flag(1);
	if (kin_lock_acquire(lock, KIT_PATIENCE) != 0 ||
	    kin_cond_wait(cond, lock, kin_in_ms(20)) != -ETIMEDOUT)
		_exit(2);
	_exit(kin_lock_release(lock));
}

START_TEST(no_wait_is_by_the_wall_clock)
{
	kin_rwlock *rw;
	pid_t pid;

	make();
	ck_kin_ok(kin_rwlock_create(&rw, NULL));
	ck_assert_int_eq(kin_rwlock_write(rw, KIT_PATIENCE), 0);
	get_lock(lock);
	pid = kit_fork();
	if (pid == 0)
		wait_for_all_kinds(rw);
	await_flag(1);
	give(lock);
	kit_reap(pid, 0);
	ck_kin_ok(kin_rwlock_release(rw));
	kin_rwlock_close(rw);
	drop();
}
END_TEST

/* ---- death ---- */

START_TEST(a_waiter_killed_asleep_is_forgotten)
{
	pid_t first, second;

	make();
	first = taker(1);
	second = taker(2);
	kit_kill(first);
	give_one();
	kit_reap(second, 0);
	drop();
}
END_TEST

/*
 * It is notified, and killed before it can have the lock; then there is one
 * notice, and one who waits.
 */
START_TEST(a_waiter_killed_awake_leaves_its_notice)
{
	pid_t first, second;
	int i;

	make();
	for (i = 0; i < 20; i++) {
		first = taker(1);
		second = taker(2);
		get_lock(lock);
		board->calls++;
		ck_assert_int_eq(kin_cond_notify(cond, lock, 1), 1);
		kit_kill(first);
		give(lock);
		kit_reap(second, 0);
		ck_assert_uint_eq(board->calls, 0);
	}
	drop();
}
END_TEST

START_TEST(waiters_killed_while_notices_go_on)
{
	pid_t pids[3];
	int i, p;

	make();
	for (i = 0; i < 20; i++) {
		for (p = 0; p < 3; p++)
			pids[p] = taker((uint32_t)p + 1);
		give_one();
		kit_kill(pids[i % 3]);
		give_one();
		give_one();
		for (p = 0; p < 3; p++)
			if (p != i % 3)
				kit_reap(pids[p], 0);
		board->calls = 0;
	}
	drop();
}
END_TEST

START_TEST(who_wakes_to_a_dead_notifiers_lock_is_told)
{
	pid_t pid;

	make();
	get_lock(lock);
	pid = kit_fork();
	if (pid == 0) {
		await_asleep(1);
		if (kin_lock_acquire(lock, KIT_PATIENCE) != 0 ||
		    kin_cond_notify(cond, lock, 1) != 1)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(kin_cond_wait(cond, lock, KIT_PATIENCE),
			 KIN_INHERITED);
	ck_kin_ok(kin_lock_consistent(lock));
	give(lock);
	kit_reap(pid, 0);
	drop();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cond");
	TCase *tc = board_case(suite, "waiting");

	tcase_add_test(tc, who_waits_is_woken_and_has_the_lock);
	tcase_add_test(tc, all_or_so_many_are_woken);
	tcase_add_test(tc, at_the_deadline_it_has_the_lock_again);
	tcase_add_test(tc, a_recursive_lock_is_let_go_of_whole);
	tcase_add_test(tc, both_may_lie_in_one_segment_or_in_two);
	tcase_add_test(tc, without_the_lock_it_is_a_bug);
	tcase_add_test(tc, no_wait_is_by_the_wall_clock);
	tc = board_case(suite, "death");
	tcase_add_test(tc, a_waiter_killed_asleep_is_forgotten);
	tcase_add_test(tc, a_waiter_killed_awake_leaves_its_notice);
	tcase_add_test(tc, waiters_killed_while_notices_go_on);
	tcase_add_test(tc, who_wakes_to_a_dead_notifiers_lock_is_told);
	return kit_run(suite);
}
