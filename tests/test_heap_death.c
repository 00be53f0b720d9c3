/* SPDX-License-Identifier: MIT */
/*
 * test_heap_death.c - the promises of kin/heap.h about those who are killed,
 * stopped, forked, or let go
 *
 *      test_heap_death          all tests, 500 kills
 *      KIN_KILLS=10000          that many
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/board.h"

#define SMALL	(64u << 10)
#define KILLS	500
#define PLACES	64			/* where blocks can be found */
#define SEED	0x64656164u

static kin_heap *
heap_of(uint64_t bytes)
{
	kin_heap *heap;

	ck_kin_ok(kin_heap_create(&heap, KIN_OPTS(kin_heap_opts,
						  .bytes = bytes)));
	return heap;
}

static struct kin_heap_usage
usage(const kin_heap *heap)
{
	struct kin_heap_usage ret;

	kin_heap_stats(heap, &ret);
	return ret;
}

static uint64_t
block(kin_heap *heap, size_t bytes)
{
	uint64_t at;

	ck_kin_ok(kin_heap_alloc(heap, &at, bytes, KIT_PATIENCE));
	return at;
}

static uint64_t
all_of(const kin_heap *heap)
{
	return usage(heap).bytes - usage(heap).used - 16;
}

/* ---- blocks of the dead ---- */

/* A child that does it and stays until it is killed. */
static pid_t
owner(kin_heap *heap, void (*fn)(kin_heap *))
{
	pid_t pid;

	lower_flag();
	pid = kit_fork();
	if (pid == 0) {
		fn(heap);
		raise_flag(1);
		for (;;)
			pause();
	}
	await_flag(1);
	return pid;
}

static void
take_all(kin_heap *heap)
{
	(void)block(heap, 1000);
	(void)block(heap, all_of(heap));
}

static void
publish_one(kin_heap *heap)
{
	uint64_t at = block(heap, 100);

	ck_kin_ok(kin_heap_publish(heap, at, kin_heap_root(heap, 0),
				   KIT_PATIENCE));
	(void)block(heap, 1000);
}

START_TEST(what_the_dead_owned_is_there_when_it_is_missed)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t all = all_of(heap), at;
	pid_t pid = owner(heap, take_all);

	ck_kin_fails(-ENOSPC, kin_heap_alloc(heap, &at, 100, KIN_FOREVER));
	kit_kill(pid);
	at = block(heap, all);
	ck_assert_uint_eq(usage(heap).swept, 2);
	ck_kin_ok(kin_heap_check(heap, KIT_PATIENCE));
	kin_heap_close(heap);
}
END_TEST

START_TEST(what_the_dead_owned_is_freed_on_request)
{
	kin_heap *heap = heap_of(SMALL);
	pid_t pid = owner(heap, take_all);

	ck_assert_int_eq(kin_heap_sweep(heap, KIT_PATIENCE), 0);
	kit_kill(pid);
	ck_assert_int_eq(kin_heap_sweep(heap, KIT_PATIENCE), 2);
	ck_assert_int_eq(kin_heap_sweep(heap, KIT_PATIENCE), 0);
	ck_assert_uint_eq(usage(heap).used, 0);
	kin_heap_close(heap);
}
END_TEST

/* One that others have heard of: a newcomer has looked, and counted it. */
START_TEST(a_death_that_was_noticed_is_enough)
{
	kin_heap *heap = heap_of(SMALL), *again;
	uint64_t at = block(heap, 10);
	pid_t pid = owner(heap, publish_one);

	kit_kill(pid);
	ck_kin_ok(kin_heap_attach(&again, kin_heap_fd(heap)));
	ck_kin_ok(kin_heap_free(again, at, KIT_PATIENCE));	/* joins */
	at = block(again, 10);
	ck_assert_uint_eq(usage(heap).swept, 1);
	kin_heap_close(again);
	kin_heap_close(heap);
}
END_TEST

START_TEST(what_the_dead_have_published_stays)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at;
	pid_t pid = owner(heap, publish_one);

	kit_kill(pid);
	ck_assert_int_eq(kin_heap_sweep(heap, KIT_PATIENCE), 1);
	at = *kin_heap_root(heap, 0);
	ck_assert_int_ge(kin_heap_bytes_at(heap, at, KIT_PATIENCE), 100);
	ck_kin_ok(kin_heap_free(heap, at, KIT_PATIENCE));
	ck_assert_uint_eq(usage(heap).used, 0);
	kin_heap_close(heap);
}
END_TEST

START_TEST(what_was_taken_back_goes_with_the_taker)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at;
	pid_t pid;

	publish_one(heap);
	at = *kin_heap_root(heap, 0);
	pid = kit_fork();
	if (pid == 0) {
		const struct kin_heap_edit edits[] = {
			KIN_HEAP_EXPECT(kin_heap_root(heap, 0), at),
			KIN_HEAP_STORE(kin_heap_root(heap, 0), 0),
			KIN_HEAP_OWN(at),
		};

		_exit(kin_heap_apply(heap, edits, 3, KIT_PATIENCE) != 1);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_heap_sweep(heap, KIT_PATIENCE), 1);
	ck_kin_fails(-EINVAL, kin_heap_free(heap, at, KIN_NOWAIT));
	kin_heap_close(heap);
}
END_TEST

START_TEST(a_stopped_one_loses_nothing)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at;
	pid_t pid = owner(heap, take_all);

	kill(pid, SIGSTOP);
	ck_kin_fails(-ENOSPC, kin_heap_alloc(heap, &at, 100, KIT_PATIENCE));
	ck_assert_int_eq(kin_heap_sweep(heap, KIT_PATIENCE), 0);
	kit_kill(pid);
	kin_heap_close(heap);
}
END_TEST

START_TEST(a_child_owns_nothing_of_its_parent)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at = block(heap, 100);
	pid_t pid = kit_fork();

	if (pid == 0) {
		(void)block(heap, 100);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_heap_sweep(heap, KIT_PATIENCE), 1);
	ck_kin_ok(kin_heap_free(heap, at, KIT_PATIENCE));
	ck_assert_uint_eq(usage(heap).used, 0);
	kin_heap_close(heap);
}
END_TEST

START_TEST(who_lets_go_leaves_no_blocks)
{
	kin_heap *heap = heap_of(SMALL), *other;
	uint64_t at, all = all_of(heap);

	ck_kin_ok(kin_heap_attach(&other, kin_heap_fd(heap)));
	(void)block(other, all);
	ck_kin_fails(-ENOSPC, kin_heap_alloc(heap, &at, 100, KIN_FOREVER));
	kin_heap_close(other);
	at = block(heap, all);
	kin_heap_close(heap);
}
END_TEST

/* ---- amid traffic ---- */

/* Put a block into a place, or take one out of it, in one step each. */
static void
exchange(kin_heap *heap, uint64_t *place, uint32_t *state)
{
	uint64_t old = *(volatile uint64_t *)place, at = 0;
	struct kin_heap_edit edits[] = {
		KIN_HEAP_EXPECT(place, old),
		KIN_HEAP_STORE(place, 0),
		KIN_HEAP_FREE(old),
		KIN_HEAP_KEEP(0),
	};
	uint32_t n = next_random(state);
	int r = 0;

	if (n % 3 != 0)
		r = kin_heap_alloc(heap, &at, n / 3 % 700, KIT_PATIENCE);
	if (r == -ENOSPC)
		at = 0;
	else if (r < 0)
		_exit(2);
	if (old == 0 && at == 0)
		return;
	edits[1].value = at;
	edits[3].value = at;
	if (old == 0)
		edits[2] = edits[3];
	r = kin_heap_apply(heap, edits, old == 0 || at == 0 ? 3 : 4,
			   KIT_PATIENCE);
	if (r == 0 && at != 0)
		r = kin_heap_free(heap, at, KIT_PATIENCE);
	if (r < 0)
		_exit(3);
}

static void
work(kin_heap *heap, uint64_t *places, uint32_t seed)
{
	uint32_t state = seed;

	for (;;) {
		exchange(heap, &places[next_random(&state) % PLACES], &state);
		__atomic_fetch_add(&board->calls, 1, __ATOMIC_RELAXED);
	}
}

static pid_t
worker(kin_heap *heap, uint64_t *places, uint32_t seed)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		work(heap, places, seed | 1);
	return pid;
}

/* So much work from now on, and so much more. */
static void
let_work(uint32_t calls, uint32_t spins)
{
	uint32_t from = __atomic_load_n(&board->calls, __ATOMIC_RELAXED);
	kin_time end = KIT_PATIENCE;

	while (__atomic_load_n(&board->calls, __ATOMIC_RELAXED) - from < calls)
		ck_fast(kin_now().ns < end.ns);
	while (spins-- > 0)
		__asm__ volatile("" ::: "memory");
}

/* It must have been killed: of an error it would have died by itself. */
static void
ck_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ck_fast(waitpid(pid, &status, 0) == pid);
	ck_fast(WIFSIGNALED(status));
}

static int
kills(void)
{
	const char *n = getenv("KIN_KILLS");

	return n != NULL ? atoi(n) : KILLS;
}

/* To the last byte, and empty again. */
static uint64_t
fill_and_empty(kin_heap *heap)
{
	uint64_t first = 0, at, n = 0;
	int r;

	while ((r = kin_heap_alloc(heap, &at, 8, KIT_PATIENCE)) == 0) {
		*KIN_HEAP_AT(heap, uint64_t, at) = first;
		first = at;
		n++;
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_uint_eq(usage(heap).used, usage(heap).bytes);
	while ((at = first) != 0) {
		first = *KIN_HEAP_AT(heap, uint64_t, at);
		ck_fast(kin_heap_free(heap, at, KIT_PATIENCE) == 0);
	}
	ck_assert_uint_eq(usage(heap).used, 0);
	ck_kin_ok(kin_heap_check(heap, KIT_PATIENCE));
	return n;
}

/*
 * Two at a time work in a heap that is mostly full, one of them is killed, and
 * so on.  In the end, what can be found is all there is.
 */
START_TEST(after_many_kills_it_gives_all_back)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t before = fill_and_empty(heap), at, *places;
	uint32_t state = SEED;
	pid_t pids[2];
	int i, n = kills();

	at = block(heap, PLACES * sizeof(uint64_t));
	ck_kin_ok(kin_heap_publish(heap, at, kin_heap_root(heap, 0),
				   KIT_PATIENCE));
	places = kin_heap_pointer(heap, at, PLACES * sizeof(uint64_t));
	memset(places, 0, PLACES * sizeof(uint64_t));
	for (i = 0; i < 2; i++)
		pids[i] = worker(heap, places, next_random(&state));
	for (i = 0; i < n; i++) {
		let_work(3, next_random(&state) % 4000);
		ck_kill(pids[i % 2]);
		pids[i % 2] = worker(heap, places, next_random(&state));
		if (i % 50 == 0)
			ck_fast(kin_heap_check(heap, KIT_PATIENCE) == 0);
	}
	for (i = 0; i < 2; i++)
		ck_kill(pids[i]);

	ck_kin_ok(kin_heap_sweep(heap, KIT_PATIENCE));
	for (i = 0; i < PLACES; i++)
		ck_kin_ok(kin_heap_free(heap, places[i], KIT_PATIENCE));
	ck_kin_ok(kin_heap_free(heap, at, KIT_PATIENCE));
	ck_assert_uint_eq(usage(heap).used, 0);
	ck_assert_uint_eq(usage(heap).blocks, 0);
	ck_assert_uint_eq(fill_and_empty(heap), before);
	kin_heap_close(heap);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("heap death");
	TCase *tc = board_case(suite, "the dead");

	tcase_add_test(tc, what_the_dead_owned_is_there_when_it_is_missed);
	tcase_add_test(tc, what_the_dead_owned_is_freed_on_request);
	tcase_add_test(tc, a_death_that_was_noticed_is_enough);
	tcase_add_test(tc, what_the_dead_have_published_stays);
	tcase_add_test(tc, what_was_taken_back_goes_with_the_taker);
	tcase_add_test(tc, a_stopped_one_loses_nothing);
	tcase_add_test(tc, a_child_owns_nothing_of_its_parent);
	tcase_add_test(tc, who_lets_go_leaves_no_blocks);

	tc = board_case(suite, "traffic");
	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, after_many_kills_it_gives_all_back);
	return kit_run(suite);
}
