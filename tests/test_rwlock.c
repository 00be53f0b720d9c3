/* SPDX-License-Identifier: MIT */
/*
 * test_rwlock.c - the promises of kin/rwlock.h
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "tests/locks.h"

#define ROUNDS	5000

static kin_rwlock *
rwlock_of(uint32_t on_death)
{
	kin_rwlock *rw;

	ck_kin_ok(kin_rwlock_create(&rw, KIN_OPTS(kin_rwlock_opts,
	    .on_death = on_death)));
	return rw;
}

static void
ck_read(kin_rwlock *rw, int expected)
{
	int r = kin_rwlock_read(rw, KIT_PATIENCE);

	ck_assert_msg(r == expected, "read: %d, %s", r, kin_errmsg());
}

static void
ck_write(kin_rwlock *rw, int expected)
{
	int r = kin_rwlock_write(rw, KIT_PATIENCE);

	ck_assert_msg(r == expected, "write: %d, %s", r, kin_errmsg());
}

static void
let_go(kin_rwlock *rw)
{
	ck_kin_ok(kin_rwlock_release(rw));
}

/* A child that reads, or writes, and waits to be killed. */
static pid_t
user_of(kin_rwlock *rw, bool writes)
{
	pid_t pid;

	lower_flag();
	pid = kit_fork();
	if (pid == 0) {
		if ((writes ? kin_rwlock_write(rw, KIT_PATIENCE)
			    : kin_rwlock_read(rw, KIT_PATIENCE)) < 0)
			_exit(1);
		raise_flag(1);
		for (;;)
			pause();
	}
	await_flag(1);
	return pid;
}

static void
await_waiting(kin_rwlock *rw, uint32_t n)
{
	struct kin_rwlock_stats stat;
	kin_time deadline = KIT_PATIENCE;

	do {
		kin_rwlock_stat(rw, &stat);
		ck_assert(kin_now().ns < deadline.ns);
		sched_yield();
	} while (stat.writer.waiters < n);
}

/* ---- who gets in ---- */

START_TEST(many_read_or_one_writes)
{
	kin_rwlock *rw = rwlock_of(0);
	struct kin_rwlock_stats stat;
	pid_t reader = user_of(rw, false), writer;

	ck_read(rw, 0);
	ck_read(rw, 0);
	kin_rwlock_stat(rw, &stat);
	ck_assert_uint_eq(stat.readers, 2);
	let_go(rw);
	let_go(rw);
	ck_kin_fails(-ETIMEDOUT, kin_rwlock_write(rw, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_rwlock_write(rw, kin_in_ms(20)));
	kit_kill(reader);
	ck_write(rw, 0);
	let_go(rw);
	writer = user_of(rw, true);
	ck_kin_fails(-ETIMEDOUT, kin_rwlock_read(rw, KIN_NOWAIT));
	ck_kin_fails(-ETIMEDOUT, kin_rwlock_write(rw, kin_in_ms(20)));
	kit_kill(writer);
	kin_rwlock_close(rw);
}
END_TEST

/* Two numbers that writers keep the same, and readers look at. */
START_TEST(nobody_sees_half_of_what_is_written)
{
	kin_rwlock *rw = rwlock_of(0);
	volatile pid_t *pair = board->pids;
	pid_t pids[4];
	int i, p;

	for (p = 0; p < 4; p++) {
		pids[p] = kit_fork();
		if (pids[p] != 0)
			continue;
		for (i = 0; i < ROUNDS; i++) {
			bool writes = (p + i) % 4 == 0;

			if ((writes ? kin_rwlock_write(rw, KIT_PATIENCE)
				    : kin_rwlock_read(rw, KIT_PATIENCE)) != 0)
				_exit(1);
			if (pair[0] != pair[1])
				_exit(2);
			if (writes) {
				pair[0] = pair[0] + 1;
				pair[1] = pair[1] + 1;
			}
			if (kin_rwlock_release(rw) != 0)
				_exit(3);
		}
		_exit(0);
	}
	for (p = 0; p < 4; p++)
		kit_reap(pids[p], 0);
	ck_assert_int_eq(pair[0], ROUNDS);
	kin_rwlock_close(rw);
}
END_TEST

static void __attribute__((noreturn))
read_for_ever(kin_rwlock *rw)
{
	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE))
		if (kin_rwlock_read(rw, KIT_PATIENCE) != 0 ||
		    kin_rwlock_release(rw) != 0)
			_exit(1);
	_exit(0);
}

START_TEST(readers_do_not_starve_a_writer)
{
	kin_rwlock *rw = rwlock_of(0);
	pid_t pids[3];
	int i;

	for (i = 0; i < 3; i++) {
		pids[i] = kit_fork();
		if (pids[i] == 0)
			read_for_ever(rw);
	}
	for (i = 0; i < 200; i++) {
		ck_write(rw, 0);
		let_go(rw);
	}
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 3; i++)
		kit_reap(pids[i], 0);
	kin_rwlock_close(rw);
}
END_TEST

START_TEST(what_it_has_it_cannot_wait_for)
{
	kin_rwlock *rw = rwlock_of(0);

	ck_read(rw, 0);
	ck_kin_fails(-EDEADLK, kin_rwlock_write(rw, KIN_FOREVER));
	let_go(rw);
	ck_write(rw, 0);
	ck_kin_fails(-EDEADLK, kin_rwlock_read(rw, KIN_FOREVER));
	ck_kin_fails(-EDEADLK, kin_rwlock_write(rw, KIN_FOREVER));
	ck_kin_ok(kin_rwlock_downgrade(rw));
	ck_read(rw, 0);
	let_go(rw);
	let_go(rw);
	ck_write(rw, 0);
	let_go(rw);
	kin_rwlock_close(rw);
}
END_TEST

START_TEST(a_reader_reads_again_though_a_writer_waits)
{
	kin_rwlock *rw = rwlock_of(0);
	pid_t pid;

	ck_read(rw, 0);
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_rwlock_write(rw, KIT_PATIENCE) == 0 &&
		      kin_rwlock_release(rw) == 0 ? 0 : 1);
	await_waiting(rw, 1);
	ck_read(rw, 0);
	let_go(rw);
	let_go(rw);
	kit_reap(pid, 0);
	kin_rwlock_close(rw);
}
END_TEST

START_TEST(a_fork_holds_nothing)
{
	kin_rwlock *rw = rwlock_of(0);
	pid_t pid;
	int i;

	for (i = 0; i < 2; i++) {
		if (i == 0)
			ck_read(rw, 0);
		else
			ck_write(rw, 0);
		pid = kit_fork();
		if (pid == 0)
			_exit(kin_rwlock_release(rw) == -ESTALE ? 0 : 1);
		kit_reap(pid, 0);
		let_go(rw);
	}
	kin_rwlock_close(rw);
}
END_TEST

START_TEST(who_holds_nothing_cannot_release_it)
{
	kin_rwlock *rw = rwlock_of(0);
	pid_t reader = user_of(rw, false);

	ck_kin_fails(-EPERM, kin_rwlock_release(rw));
	kit_kill(reader);
	ck_kin_fails(-EPERM, kin_rwlock_release(rw));
	kin_rwlock_close(rw);
}
END_TEST

/* ---- death ---- */

START_TEST(a_dead_reader_is_none)
{
	kin_rwlock *rw = rwlock_of(0);
	pid_t reader = user_of(rw, false), pid = kit_fork();

	if (pid == 0)
		_exit(kin_rwlock_write(rw, KIT_PATIENCE) == 0 &&
		      kin_rwlock_release(rw) == 0 ? 0 : 1);
	await_waiting(rw, 1);
	kit_kill(reader);
	kit_reap(pid, 0);
	kin_rwlock_close(rw);
}
END_TEST

START_TEST(all_are_told_of_a_dead_writer)
{
	kin_rwlock *rw = rwlock_of(0);
	int i;

	kit_kill(user_of(rw, true));
	for (i = 0; i < 2; i++) {
		ck_read(rw, KIN_INHERITED);
		let_go(rw);
	}
	ck_write(rw, KIN_INHERITED);
	let_go(rw);
	ck_write(rw, KIN_INHERITED);
	ck_kin_ok(kin_rwlock_consistent(rw));
	let_go(rw);
	ck_read(rw, 0);
	let_go(rw);
	kin_rwlock_close(rw);
}
END_TEST

/* One that waits for readers to go has not written. */
START_TEST(a_writer_killed_as_it_waits_has_spoilt_nothing)
{
	kin_rwlock *rw = rwlock_of(0);
	pid_t pid;

	ck_read(rw, 0);
	pid = kit_fork();
	if (pid == 0)
		_exit(kin_rwlock_write(rw, KIT_PATIENCE));
	await_waiting(rw, 1);
	kit_kill(pid);
	let_go(rw);
	ck_read(rw, 0);
	let_go(rw);
	ck_write(rw, 0);
	let_go(rw);
	kin_rwlock_close(rw);
}
END_TEST

static int
repair(void *user)
{
	int *calls = user;

	return ++*calls == 1 ? -EAGAIN : 0;
}

START_TEST(it_is_repaired_or_ignored)
{
	kin_rwlock *rw = rwlock_of(KIN_DEATH_REPAIR);
	int calls = 0;

	kin_rwlock_repair_by(rw, repair, &calls);
	kit_kill(user_of(rw, true));
	ck_assert_int_eq(kin_rwlock_read(rw, KIT_PATIENCE), -EAGAIN);
	ck_read(rw, KIN_INHERITED);
	let_go(rw);
	ck_write(rw, 0);
	let_go(rw);
	ck_read(rw, 0);
	let_go(rw);
	ck_assert_int_eq(calls, 2);
	kin_rwlock_close(rw);

	rw = rwlock_of(KIN_DEATH_IGNORE);
	kit_kill(user_of(rw, true));
	ck_read(rw, 0);
	let_go(rw);
	ck_write(rw, 0);
	let_go(rw);
	kin_rwlock_close(rw);
}
END_TEST

static void *
read_and_end(void *rw)
{
	ck_fast(kin_rwlock_read(rw, KIT_PATIENCE) == 0);
	return NULL;
}

START_TEST(a_thread_that_ends_reading_is_none)
{
	kin_rwlock *rw = rwlock_of(0);
	pthread_t thread;

	pthread_create(&thread, NULL, read_and_end, rw);
	pthread_join(thread, NULL);
	ck_write(rw, 0);
	let_go(rw);
	kin_rwlock_close(rw);
}
END_TEST

/* Each reads one, and wants to write the other. */
START_TEST(a_ring_of_readers_is_found)
{
	kin_rwlock *a = rwlock_of(0), *b = rwlock_of(0);
	pid_t pid = kit_fork();
	int r, code = 0;

	if (pid == 0) {
		if (kin_rwlock_read(b, KIT_PATIENCE) != 0)
			_exit(2);
		raise_flag(1);
		await_flag(2);
		r = kin_rwlock_write(a, KIT_PATIENCE);
		_exit(r == -EDEADLK ? 1 : r == 0 ? 0 : 2);
	}
	await_flag(1);
	ck_read(a, 0);
	raise_flag(2);
	r = kin_rwlock_write(b, KIT_PATIENCE);
	ck_assert_msg(r == 0 || r == -EDEADLK, "%d, %s", r, kin_errmsg());
	if (r == 0)
		code = 1;
	if (r == 0)
		let_go(b);
	let_go(a);
	kit_reap(pid, code);
	kin_rwlock_close(a);
	kin_rwlock_close(b);
}
END_TEST

START_TEST(many_are_placed)
{
	kin_segment *seg = segment_for(4);
	size_t room = kin_rwlock_room(seg);
	kin_rwlock *a, *b, *c;

	room = (room + 127) / 128 * 128;
	ck_kin_ok(kin_rwlock_create(&a, KIN_OPTS(kin_rwlock_opts,
	    .segment = seg)));
	ck_kin_ok(kin_rwlock_create(&b, KIN_OPTS(kin_rwlock_opts,
	    .segment = seg, .offset = room)));
	ck_kin_ok(kin_rwlock_attach_at(&c, seg, room));
	ck_write(a, 0);
	ck_write(b, 0);
	ck_kin_fails(-EDEADLK, kin_rwlock_read(c, KIN_NOWAIT));
	let_go(c);
	let_go(a);
	kin_rwlock_close(a);
	kin_rwlock_close(b);
	kin_rwlock_close(c);
	kin_segment_close(seg);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rwlock");
	TCase *tc = board_case(suite, "who gets in");

	tcase_add_test(tc, many_read_or_one_writes);
	tcase_add_test(tc, nobody_sees_half_of_what_is_written);
	tcase_add_test(tc, readers_do_not_starve_a_writer);
	tcase_add_test(tc, what_it_has_it_cannot_wait_for);
	tcase_add_test(tc, a_reader_reads_again_though_a_writer_waits);
	tcase_add_test(tc, a_fork_holds_nothing);
	tcase_add_test(tc, who_holds_nothing_cannot_release_it);
	tcase_add_test(tc, many_are_placed);
	tc = board_case(suite, "death");
	tcase_add_test(tc, a_dead_reader_is_none);
	tcase_add_test(tc, all_are_told_of_a_dead_writer);
	tcase_add_test(tc, a_writer_killed_as_it_waits_has_spoilt_nothing);
	tcase_add_test(tc, it_is_repaired_or_ignored);
	tcase_add_test(tc, a_thread_that_ends_reading_is_none);
	tcase_add_test(tc, a_ring_of_readers_is_found);
	return kit_run(suite);
}
