/* SPDX-License-Identifier: MIT */
/*
 * test_registry.c - who takes part, who is woken, and who is not taken for dead
 *
 * Reaches inside: sleeps are as long as the slices here, so what is found out
 * at a slice's end is found out never.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/queue.h"
#include "shm/os.h"
#include "tests/kit.h"

static kin_queue *
queue_of(uint64_t bytes)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
						.bytes = bytes,
						.spin_ns = KIN_SPIN_NEVER)));
	return q;
}

static void
sleep_long(void)
{
	kn_wait_slices = (struct kn_slices){ 1000000000000, 1000000000000 };
}

/* It sleeps in the kernel, with nothing else to wait for. */
static void
await_sleep(pid_t pid, const kn_word *w)
{
	char path[32], text[512];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (;;) {
		if ((kn_load(w) & KN_WAITER) &&
		    kn_os_read_file(path, text, sizeof(text)) > 0 &&
		    (p = strrchr(text, ')')) != NULL && p[2] == 'S')
			return;
		kn_os_yield();
	}
}

static pid_t
start_putter(kin_queue *q, size_t len)
{
	static char msg[1000];
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(kin_queue_put(q, msg, len, KIN_FOREVER) == 0 ? 0 : 1);
	await_sleep(pid, &q->ring.shared->get.commit);
	return pid;
}

/* ---- sleepers ---- */

/*
 * The big one sleeps first, so it gets the wake, and it is none for it: the
 * little one beside it must have it.
 */
START_TEST(a_wake_that_is_of_no_use_to_one_is_anothers)
{
	kin_queue *q = queue_of(1024);
	char msg[1000];
	pid_t big, little;

	while (kin_queue_put(q, msg, 8, KIN_NOWAIT) == 0)
		;
	sleep_long();
	big = start_putter(q, sizeof(msg));
	little = start_putter(q, 8);
	ck_kin_ok(kin_queue_get(q, msg, sizeof(msg), KIN_NOWAIT));
	kit_reap(little, 0);
	while (kin_queue_get(q, msg, sizeof(msg), KIT_PATIENCE) != sizeof(msg))
		;
	kit_reap(big, 0);
	kin_queue_close(q);
}
END_TEST

/* It would wait for ever if it waited for the getters' latch. */
START_TEST(a_stopped_getter_does_not_hold_a_shutdown_up)
{
	kin_queue *q = queue_of(1024);
	pid_t pid = kit_fork();
	char c;

	if (pid == 0) {
		if (kn_registry_join(&q->registry) < 0 ||
		    kn_latch_take(&q->ring.shared->get.latch,
				  &q->registry.party, KIN_NOWAIT) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
	kit_forget();
	ck_kin_ok(kin_queue_shutdown(q, KIN_FOREVER));
	ck_assert_msg(kit_forgotten(), "a success left: %s", kin_errmsg());
	ck_kin_fails(-EPIPE, kin_queue_put(q, "x", 1, KIN_NOWAIT));
	kit_kill(pid);
	ck_kin_fails(-EPIPE, kin_queue_get(q, &c, 1, KIT_PATIENCE));
	kin_queue_close(q);
}
END_TEST

/* ---- members ---- */

static uint32_t
state_of(const kin_queue *q, uint32_t slot)
{
	return kn_load(&q->registry.roster->slots[slot].state);
}

static pid_t
start_member(kin_queue *q, int ready[2])
{
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = kit_fork();
	if (pid == 0) {
		if (kn_registry_join(&q->registry) < 0 ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/*
 * A program has closed all descriptors and opened others: the number means
 * another file, of which no byte is locked.
 */
START_TEST(nobody_is_dead_by_the_word_of_another_file)
{
	kin_queue *q = queue_of(256);
	int ready[2], fd = kin_queue_fd(q), other, kept;
	uint32_t slot = q->registry.slot + 1, state;
	pid_t pid = start_member(q, ready);

	/* As one of another pid namespace, it cannot be looked up. */
	kn_wide_store(&q->registry.roster->slots[slot].pid_namespace, 1);
	state = state_of(q, slot);
	ck_assert_uint_eq(state & KN_SLOT_ACTIVE, KN_SLOT_ACTIVE);

	kept = dup(fd);
	other = memfd_create("other", 0);
	ck_assert_int_eq(dup2(other, fd), fd);
	kn_registry_sweep(&q->registry, KN_SLOTS_MAX);
	ck_assert_uint_eq(state_of(q, slot), state);

	/* And with the right one it is found when it has died. */
	ck_assert_int_eq(dup2(kept, fd), fd);
	kit_kill(pid);
	kn_registry_sweep(&q->registry, KN_SLOTS_MAX);
	ck_assert_uint_ne(state_of(q, slot), state);
	close(other);
	close(kept);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_number_that_means_another_file_is_not_closed)
{
	kin_queue *q = queue_of(256);
	int fd = kin_queue_fd(q), other = memfd_create("other", 0);

	ck_assert_int_eq(dup2(other, fd), fd);
	kin_queue_close(q);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	close(fd);
	close(other);
}
END_TEST

/* The way to learn of deaths is gone: said, and not waited for. */
START_TEST(a_lost_descriptor_is_said)
{
	kin_queue *q = queue_of(256);
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(kn_registry_join(&q->registry) == 0 &&
		      kn_latch_take(&q->ring.shared->put.latch,
				    &q->registry.party, KIN_NOWAIT) == 0
		      ? 0 : 1);
	kit_reap(pid, 0);
	close(kin_queue_fd(q));
	ck_kin_fails(-EBADF, kin_queue_put(q, "x", 1, KIN_FOREVER));
	kin_queue_close(q);
}
END_TEST

static void *
cancelled_in_its_first_get(void *arg)
{
	char c;

	pthread_cancel(pthread_self());
	if (kin_queue_get(arg, &c, 1, KIN_NOWAIT) >= 0)
		return arg;
	pthread_testcancel();
	return arg;
}

/* In a fork's child the first call joins, under the private mutex. */
START_TEST(a_cancelled_thread_leaves_the_mutex_free)
{
	kin_queue *q = queue_of(256);
	pid_t pid = kit_fork();
	pthread_t thread;
	void *end;
	char c;

	if (pid == 0) {
		alarm(60);
		pthread_create(&thread, NULL, cancelled_in_its_first_get, q);
		pthread_join(thread, &end);
		_exit(end == PTHREAD_CANCELED &&
		      kin_queue_put(q, "x", 1, KIN_NOWAIT) == 0 ? 0 : 1);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_queue_get(q, &c, 1, KIN_NOWAIT), 1);
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tc;

	tc = kit_case(suite, "sleepers");
	tcase_add_test(tc, a_wake_that_is_of_no_use_to_one_is_anothers);
	tcase_add_test(tc, a_stopped_getter_does_not_hold_a_shutdown_up);

	tc = kit_case(suite, "members");
	tcase_add_test(tc, nobody_is_dead_by_the_word_of_another_file);
	tcase_add_test(tc, a_number_that_means_another_file_is_not_closed);
	tcase_add_test(tc, a_lost_descriptor_is_said);
	tcase_add_test(tc, a_cancelled_thread_leaves_the_mutex_free);
	return kit_run(suite);
}
