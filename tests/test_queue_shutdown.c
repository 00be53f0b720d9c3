/* SPDX-License-Identifier: MIT */
/*
 * test_queue_shutdown.c - a queue's getters learn of its end at once, wherever
 * on their way to sleep it meets them
 *
 * A sleep's slice lasts longer than any test, so that none hides a lost wake.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "shm/os.h"
#include "shm/wait.h"
#include "tests/hostile.h"

#define HOUR_NS		3600000000000

/* Where a process is stopped: flags say that it is there, and may go on. */
struct stop {
	const char *call;
	int calls;			/* it is the so-many-th */
	int there, go_on;
};

static struct stop stop;

static int
stop_there(const char *call)
{
	if (strcmp(call, stop.call) == 0 && --stop.calls == 0) {
		raise_flag(stop.there);
		await_flag(stop.go_on);
	}
	return 0;
}

/* Who spins sees the end before it says that it will sleep. */
static kin_queue *
empty_queue(void)
{
	kin_queue *q;

	kn_wait_slices = (struct kn_slices){ HOUR_NS, HOUR_NS };
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 256,
						.spin_ns = KIN_SPIN_NEVER)));
	return q;
}

/* Who finds the end only when its deadline wakes it, was left asleep. */
static pid_t
getter(kin_queue *q, struct stop where)
{
	kin_time patience = KIT_PATIENCE;
	pid_t pid = kit_fork();
	ssize_t r;
	char c;

	if (pid != 0)
		return pid;
	stop = where;
	kn_os_hook = stop_there;
	r = kin_queue_get(q, &c, 1, patience);
	kn_os_hook = NULL;
	if (kin_now().ns >= patience.ns)
		r = -ETIMEDOUT;
	kin_queue_close(q);
	_exit(r < 0 ? (int)-r : 0);
}

/* The first one has said that it will sleep, and does not yet. */
static pid_t
getter_about_to_sleep(kin_queue *q, int there, int go_on)
{
	pid_t pid = getter(q, (struct stop){ "futex_wait", 1, there, go_on });

	await_flag(there);
	ck_assert_uint_eq(kn_load(&put_side(q)->commit), KN_WAITER);
	return pid;
}

/*
 * The second one has been woken before, finds the queue shut, and so passes
 * on what it was woken for.
 */
START_TEST(a_getter_that_was_woken_leaves_none_asleep)
{
	kin_queue *q = empty_queue();
	pid_t first = getter_about_to_sleep(q, 1, 4), second;
	kin_time patience = KIT_PATIENCE;

	second = getter(q, (struct stop){ "futex_wait", 2, 2, 3 });
	while (kn_os_futex_wake(&put_side(q)->commit, 1) == 0) {
		ck_fast(kin_now().ns < patience.ns);
		sched_yield();
	}
	await_flag(2);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	raise_flag(3);
	kit_reap(second, EPIPE);
	raise_flag(4);
	kit_reap(first, EPIPE);
	kin_queue_close(q);
}
END_TEST

/*
 * The second one has seen the queue open and empty, and says that it will
 * sleep when shutdown is over.  It lets go of the latch in between, by a
 * kernel call as somebody seems to wait for it: there it can be stopped.
 */
START_TEST(a_getter_that_comes_late_leaves_none_asleep)
{
	kin_queue *q = empty_queue();
	pid_t first = getter_about_to_sleep(q, 1, 4), second;

	kn_store(&get_side(q)->latch, KN_LATCH_WAITER);
	second = getter(q, (struct stop){ "futex_wake_op", 1, 2, 3 });
	await_flag(2);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	raise_flag(3);
	kit_reap(second, EPIPE);
	raise_flag(4);
	kit_reap(first, EPIPE);
	kin_queue_close(q);
}
END_TEST

/* Of a word that may still move, the bit is its latch's holder's. */
START_TEST(only_a_word_that_settles_loses_its_bit)
{
	struct kn_spin never = { 0 };
	struct kn_wait wait;
	kn_word w = { 10 }, shut = { 1 };

	kn_wait_begin(&wait, &never, 1);
	ck_assert_int_eq(kn_wait_move(&wait, &w, 5, &shut, KIT_PATIENCE), 0);
	ck_assert_uint_eq(kn_load(&w), 10 | KN_WAITER);
	kn_store(&w, 10);
	kn_wait_end(&wait, &w, 5, &shut);
	ck_assert_uint_eq(kn_load(&w), 10 | KN_WAITER);

	wait.settles = true;
	ck_assert_int_eq(kn_wait_move(&wait, &w, 5, &shut, KIT_PATIENCE), 0);
	ck_assert_uint_eq(kn_load(&w), 10);
	kn_wait_end(&wait, &w, 5, &shut);
	ck_assert_uint_eq(kn_load(&w), 10);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue_shutdown");
	TCase *tc = hostile_case(suite, "getters");

	tcase_add_test(tc, a_getter_that_was_woken_leaves_none_asleep);
	tcase_add_test(tc, a_getter_that_comes_late_leaves_none_asleep);
	tcase_add_test(tc, only_a_word_that_settles_loses_its_bit);
	return kit_run(suite);
}
