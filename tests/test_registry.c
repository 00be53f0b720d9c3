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
#include "shm/control.h"
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

static pid_t
start_holder(kin_queue *q, uint32_t *ret_slot)
{
	uint32_t seen = kn_load(&q->ring.shared->put.latch), v;
	kin_time patience = KIT_PATIENCE;
	pid_t pid = kit_fork();

	ck_assert_uint_eq(seen, 0);
	if (pid == 0) {
		if (kn_registry_join(&q->registry) < 0 ||
		    kn_latch_take(&q->ring.shared->put.latch,
				  &q->registry.party, KIN_NOWAIT) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	while ((v = kn_load(&q->ring.shared->put.latch)) == 0) {
		ck_fast(kin_now().ns < patience.ns);
		kn_os_yield();
	}
	*ret_slot = kn_stamp_slot(v);
	return pid;
}

/* A member of a segment's control part, as a user of its locks is one. */
static pid_t
start_user(kin_segment *seg)
{
	struct kn_control *control;
	pid_t pid = kit_fork();

	if (pid == 0) {
		if (kn_control_of(&control, seg) < 0 ||
		    kn_control_process(control) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
	return pid;
}

START_TEST(the_dead_in_a_segments_objects_are_found_on_request)
{
	kin_segment *seg, *bare;
	pid_t one, two;

	ck_kin_ok(kin_segment_create(&bare, KIN_OPTS(kin_segment_opts,
						     .bytes = 4096)));
	ck_kin_fails(-EINVAL, kin_segment_reap(bare));
	kin_segment_close(bare);

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 4096,
						    .members = 3)));
	one = start_user(seg);
	two = start_user(seg);
	ck_assert_int_eq(kin_segment_reap(seg), 0);
	kit_kill(one);
	ck_assert_int_eq(kin_segment_reap(seg), 1);
	kit_kill(two);
	one = start_user(seg);
	two = start_user(seg);
	ck_assert_int_eq(kin_segment_reap(seg), 0);
	kit_kill(one);
	kit_kill(two);
	ck_assert_int_eq(kin_segment_reap(seg), 2);
	kin_segment_close(seg);
}
END_TEST

static int
refuse_pidfds(const char *call)
{
	return strcmp(call, "pidfd_open") == 0 ? -ENOSYS : 0;
}

/*
 * In a sandbox that knows no pidfds, of members that have joined outside of it:
 * the dead are dead, and who has lost its page is not.
 */
START_TEST(where_pidfds_are_refused_the_dead_are_found_all_the_same)
{
	kin_queue *q = queue_of(256);
	uint32_t slot;
	pid_t pid = start_holder(q, &slot), pageless = kit_fork();

	if (pageless == 0) {
		if (kn_registry_join(&q->registry) < 0)
			_exit(1);
		kn_os_unmap(q->registry.life, KN_PAGE);
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pageless, NULL, WUNTRACED), pageless);
	kn_os_hook = refuse_pidfds;
	ck_assert_int_eq(kin_queue_reap(q), 0);
	kit_kill(pid);
	ck_assert_int_eq(kin_queue_reap(q), 1);
	kit_kill(pageless);
	ck_assert_int_eq(kin_queue_reap(q), 1);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

/* Where a stamp's part of it ends, and where the word does. */
static const uint32_t last_generations[] = { KN_GENERATIONS, 0x7fffffff };

/*
 * The generations come to their end and begin anew: no owner is taken for the
 * one before or after it, and what the dead held comes free each time.
 */
START_TEST(generations_wrap_and_nobody_is_taken_for_another)
{
	kin_queue *q = queue_of(256);
	uint32_t last = last_generations[_i], slot, before, i;
	struct kn_slot *slots = q->registry.roster->slots;
	struct kn_party *me = &q->registry.party;

	kn_store(&slots[1].state, (last - 1) << 1);
	for (i = 0; i < 4; i++) {
		uint32_t generation = (last - 1 + i) & 0x7fffffff;
		pid_t pid = start_holder(q, &slot);
		uint32_t stamp = kn_load(&q->ring.shared->put.latch);

		ck_assert_uint_eq(slot, 1);
		before = state_of(q, 1);
		ck_assert_uint_eq(before, generation << 1 | KN_SLOT_ACTIVE);
		ck_assert_uint_eq(stamp, kn_stamp_of(before, 1));
		ck_assert_int_eq(me->dead(me, stamp), 0);
		ck_assert_int_eq(me->dead(me, kn_stamp_of(before - 2, 1)), 1);
		ck_assert_int_eq(me->dead(me, kn_stamp_of(before + 2, 1)), 1);
		ck_assert_int_eq(kin_queue_reap(q), 0);
		kit_kill(pid);
		ck_assert_int_eq(me->dead(me, stamp), 1);
		ck_assert_int_eq(kin_queue_reap(q), 1);
		ck_assert_uint_eq(state_of(q, 1), (generation + 1) << 1);
		ck_assert_uint_eq(kn_load(&q->ring.shared->put.latch), 0);
	}
	kin_queue_close(q);
}
END_TEST

/*
 * A reaper dies with the reap byte locked: the kernel unlocks it, and another
 * does all of it again.  One that lives keeps all others out.
 */
START_TEST(a_slot_has_one_reaper_and_gets_another_when_that_one_dies)
{
	kin_queue *q = queue_of(256);
	uint64_t byte = (1ull << 61) + q->registry.at +
			sizeof(struct kn_roster) + sizeof(struct kn_slot);
	uint32_t slot;
	pid_t dead = start_holder(q, &slot), reaper;
	int ready[2];
	char c;

	ck_assert_uint_eq(slot, 1);
	ck_assert_int_eq(pipe(ready), 0);
	reaper = kit_fork();
	if (reaper == 0) {
		int fd = kn_os_reopen(kin_queue_fd(q), O_RDWR);

		if (fd < 0 || kn_os_lock_byte(fd, byte) < 0 ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	kit_kill(dead);
	ck_assert_int_eq(kin_queue_reap(q), 0);
	ck_assert_uint_eq(state_of(q, slot) & KN_SLOT_ACTIVE, KN_SLOT_ACTIVE);
	kit_kill(reaper);
	ck_assert_int_eq(kin_queue_reap(q), 1);
	ck_assert_uint_eq(state_of(q, slot) & KN_SLOT_ACTIVE, 0);
	ck_assert_uint_eq(kn_load(&q->ring.shared->put.latch), 0);
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
	tcase_add_test(tc,
		       the_dead_in_a_segments_objects_are_found_on_request);
	tcase_add_test(tc,
		where_pidfds_are_refused_the_dead_are_found_all_the_same);
	tcase_add_loop_test(tc,
			    generations_wrap_and_nobody_is_taken_for_another,
			    0, 2);
	tcase_add_test(tc,
		a_slot_has_one_reaper_and_gets_another_when_that_one_dies);
	return kit_run(suite);
}
