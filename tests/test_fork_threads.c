/* SPDX-License-Identifier: MIT */
/*
 * test_fork_threads.c - forks while other threads are in the middle of what
 * kin does: its own state is usable in the child
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/child.h"

#define FORKS	60
#define LATE	kin_in_ms(30000)	/* less than the test's own patience */

static kin_queue *q;
static kin_lock *lock;
static kin_counter *counter;
static kin_context *server;

static bool
over(void)
{
	return __atomic_load_n(&board->stop, __ATOMIC_RELAXED) != 0;
}

static int
use_queue(void)
{
	char text[16];
	ssize_t r = kin_queue_put(q, "message", 8, LATE);

	if (r == 0)
		r = kin_queue_get(q, text, sizeof(text), LATE);
	return r < 0 ? (int)r : 0;
}

static int
use_lock(void)
{
	int r = kin_lock_acquire(lock, LATE);

	return r < 0 ? r : kin_lock_release(lock);
}

static int
use_counter(void)
{
	int64_t sum;

	return kin_counter_add(counter, 1, &sum, LATE);
}

static int
use_server(void)
{
	struct kin_status status;
	kin_process *p;
	int r;

	r = kin_process_start(&p, return_number, KIN_ARGS(3),
	    KIN_OPTS(kin_process_opts, .context = server));
	if (r < 0)
		return r;
	r = kin_process_join(p, &status, LATE);
	kin_process_close(p);
	return r < 0 ? r : status.how == KIN_EXITED && status.code == 3
	       ? 0 : -EPROTO;
}

typedef int use_fn(void);
static use_fn *const uses[] = { use_queue, use_lock, use_counter, use_server };
#define USES	(sizeof(uses) / sizeof(uses[0]))

static void *
use_it_all_the_time(void *arg)
{
	use_fn *const *use = arg;
	uintptr_t bad = 0;

	while (!over())
		bad += (*use)() < 0;
	return (void *)bad;
}

static int
use_all(kin_call *call)
{
	size_t i;
	int r;

	(void)call;
	for (i = 0; i < USES; i++) {
		r = uses[i]();
		if (r < 0)
			return (int)(i + 1) * 1000 - r;
	}
	return 0;
}

static void
fork_amid(void)
{
	struct kin_status status;
	kin_process *p;
	int i;

	for (i = 0; i < FORKS; i++) {
		ck_kin_ok(kin_process_start(&p, use_all, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .flags = KIN_PROCESS_THREADS,
			     .context = kin_context_fork())));
		ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
		ck_exited(status, 0);
		kin_process_close(p);
	}
}

START_TEST(what_threads_do_at_a_fork_stops_no_child)
{
	pthread_t threads[USES];
	kin_manager *m;
	void *bad;
	size_t i;

	ck_kin_ok(kin_manager_start(&m, NULL, KIT_PATIENCE));
	ck_kin_ok(kin_counter_create(&counter, m, NULL, KIT_PATIENCE));
	ck_kin_ok(kin_queue_create(&q, NULL));
	ck_kin_ok(kin_lock_create(&lock, NULL));
	ck_kin_ok(kin_context_create(&server, NULL));
	for (i = 0; i < USES; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						use_it_all_the_time,
						(void *)(uintptr_t)&uses[i]),
				 0);
	fork_amid();
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < USES; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
	kin_context_close(server);
	kin_lock_close(lock);
	kin_queue_close(q);
	kin_counter_close(counter);
	ck_kin_ok(kin_manager_stop(m, KIT_PATIENCE));
	kin_manager_close(m);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("fork_threads");
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	tcase_add_test(board_case(suite, "threads"),
		       what_threads_do_at_a_fork_stops_no_child);
	return kit_run(suite);
}
