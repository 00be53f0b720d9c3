/* SPDX-License-Identifier: MIT */
/*
 * test_fault_futex.c - queues do their work, or end by their deadline, though
 * the kernel refuses a futex
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/kit.h"

static const char *refused;	/* the call that this kernel does not know */
static int refused_with;
static int refusals;
static kin_time patience;

/* A call that goes on for ever after its deadline is ended here. */
static int
refuse(const char *call)
{
	if (strcmp(call, refused) != 0)
		return 0;
	refusals++;
	if (patience.ns != 0 && kin_now().ns >= patience.ns) {
		kn_os_hook = NULL;
		ck_abort_msg("still at it a minute after its deadline, after "
			     "%d calls of %s", refusals, call);
	}
	return refused_with;
}

static void
refuse_call(const char *call, int number)
{
	refused = call;
	refused_with = number;
	refusals = 0;
	kn_os_hook = refuse;
}

static kin_queue *
narrow_queue(void)
{
	kin_queue *q;

	/* Who never spins, sleeps; and a ring this small is often full. */
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 1,
						.spin_ns = KIN_SPIN_NEVER)));
	return q;
}

static int
echo(kin_queue *in, kin_queue *out)
{
	unsigned n;
	ssize_t r;
	int w;

	while ((r = kin_queue_get(in, &n, sizeof(n), KIT_PATIENCE)) > 0) {
		w = kin_queue_put(out, &n, sizeof(n), KIT_PATIENCE);
		if (w < 0)
			return 1;
	}
	if (r != -EPIPE || kin_queue_shutdown(out, KIT_PATIENCE) < 0)
		return 2;
	return 0;
}

/*
 * In a sandbox without FUTEX_WAKE_OP, two who wait for each other go on
 * waking each other, and the last of them learns of the end.
 */
START_TEST(queues_do_without_futex_wake_op)
{
	kin_queue *there_q = narrow_queue(), *back = narrow_queue();
	kin_time deadline = KIT_PATIENCE;
	unsigned n = 0, got;
	pid_t pid;

	refuse_call("futex_wake_op", -ENOSYS);
	pid = kit_fork();
	if (pid == 0)
		_exit(echo(there_q, back));
	while (n < 2000 || refusals < 100) {
		ck_assert_int_lt(kin_now().ns, deadline.ns);
		ck_kin_ok(kin_queue_put(there_q, &n, sizeof(n), KIT_PATIENCE));
		ck_assert_int_eq(kin_queue_get(back, &got, sizeof(got),
					       KIT_PATIENCE), sizeof(got));
		ck_assert_uint_eq(got, n);
		n++;
	}
	ck_kin_ok(kin_queue_shutdown(there_q, KIT_PATIENCE));
	ck_assert_int_eq(kin_queue_get(back, &got, sizeof(got), KIT_PATIENCE),
			 -EPIPE);
	kit_reap(pid, 0);
	kn_os_hook = NULL;
	kin_queue_close(back);
	kin_queue_close(there_q);
}
END_TEST

/* One side faster than the other, so that the ring is full or empty. */
START_TEST(a_stream_goes_on_without_futex_wake_op)
{
	enum { MESSAGES = 20000 };
	kin_queue *q = narrow_queue();
	unsigned n, got;
	pid_t pid;

	refuse_call("futex_wake_op", -ENOSYS);
	pid = kit_fork();
	if (pid == 0) {
		for (n = 0; n < MESSAGES; n++)
			if (kin_queue_put(q, &n, sizeof(n), KIT_PATIENCE) < 0)
				_exit(1);
		_exit(0);
	}
	for (n = 0; n < MESSAGES; n++) {
		ck_assert_int_eq(kin_queue_get(q, &got, sizeof(got),
					       KIT_PATIENCE), sizeof(got));
		ck_assert_uint_eq(got, n);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

static const int wait_failures[] = { -ENOMEM, -ENOSYS, -EINTR, -EPERM };

/* Not even if the kernel won't let it sleep. */
START_TEST(a_wait_that_fails_ends_by_its_deadline)
{
	kin_queue *q = narrow_queue();
	char c;

	refuse_call("futex_wait", wait_failures[_i]);
	patience = KIT_PATIENCE;
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, &c, 1, kin_in_ms(20)));
	ck_assert_int_gt(refusals, 0);
	kn_os_hook = NULL;
	while (kin_queue_put(q, "x", 1, KIN_NOWAIT) == 0)
		;
	refuse_call("futex_wait", wait_failures[_i]);
	patience = KIT_PATIENCE;
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "x", 1, kin_in_ms(20)));
	ck_assert_int_gt(refusals, 0);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

/* However long they were told to spin. */
START_TEST(a_wait_that_spins_ends_by_its_deadline)
{
	static const int64_t hours[] = { 3600000000000, INT64_MAX };
	kin_queue *q;
	char c;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 1,
						.spin_ns = hours[_i])));
	alarm(60);		/* what spins looks at nothing else */
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, &c, 1, kin_in_ms(20)));
	while (kin_queue_put(q, "x", 1, KIN_NOWAIT) == 0)
		;
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "x", 1, kin_in_ms(20)));
	alarm(0);
	kin_queue_close(q);
}
END_TEST

/* It costs time, and nothing else. */
START_TEST(messages_come_through_though_no_wait_works)
{
	kin_queue *q = narrow_queue();
	unsigned n, got;
	pid_t pid;

	refuse_call("futex_wait", -ENOMEM);
	pid = kit_fork();
	if (pid == 0) {
		for (n = 0; n < 1000; n++)
			if (kin_queue_put(q, &n, sizeof(n), KIT_PATIENCE) < 0)
				_exit(1);
		_exit(0);
	}
	for (n = 0; n < 1000; n++) {
		ck_assert_int_eq(kin_queue_get(q, &got, sizeof(got),
					       KIT_PATIENCE), sizeof(got));
		ck_assert_uint_eq(got, n);
	}
	kit_reap(pid, 0);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fault_futex");
	TCase *tc = kit_case(suite, "futexes");

	tcase_add_test(tc, queues_do_without_futex_wake_op);
	tcase_add_test(tc, a_stream_goes_on_without_futex_wake_op);
	tcase_add_loop_test(tc, a_wait_that_fails_ends_by_its_deadline, 0,
			    sizeof(wait_failures) / sizeof(wait_failures[0]));
	tcase_add_loop_test(tc, a_wait_that_spins_ends_by_its_deadline, 0, 2);
	tcase_add_test(tc, messages_come_through_though_no_wait_works);
	return kit_run(suite);
}
