/* SPDX-License-Identifier: MIT */
/*
 * test_verdict.c - who is alive and who is dead, to the others that share a
 * queue with it: the table in DESIGN.md, Life, row by row
 *
 * A verdict shows in kin_queue_reap, which counts those it finds dead, and in
 * places: a queue of so many members has room for one more, or has not.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/traffic.h"

#define STACK		65536

/* ---- the verdict ---- */

static void
ck_reaps(kin_queue *q, int n)
{
	int r = kin_queue_reap(q);

	ck_assert_msg(r == n, "%d found dead (%s), not %d", r, kin_errmsg(), n);
}

/* The kernel lets go of what a process had, one thing after the other. */
static void
ck_reaps_in_the_end(kin_queue *q)
{
	kin_time patience = KIT_PATIENCE;
	int r;

	while ((r = kin_queue_reap(q)) == 0) {
		ck_fast(kin_now().ns < patience.ns);
		sched_yield();
	}
	ck_assert_int_eq(r, 1);
}

/* A member's life: takes part, raises 1, and goes on at 2. */
static void
live(kin_queue *q)
{
	put_number(q, 1);
	raise_flag(1);
	await_flag(2);
	put_number(q, 2);
}

static pid_t
member(kin_queue *q)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		live(q);
		_exit(0);
	}
	await_flag(1);
	return pid;
}

/* It lives, was never taken for dead, and has lost nothing. */
static void
ck_goes_on(kin_queue *q, pid_t pid)
{
	ck_reaps(q, 0);
	raise_flag(2);
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 1);
	ck_assert_uint_eq(get_number(q), 2);
	ck_reaps(q, 1);
	kin_queue_close(q);
}

/* ---- the dead ---- */

START_TEST(one_that_was_killed_is_dead_before_anybody_waits_for_it)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = member(q);
	siginfo_t info;

	ck_reaps(q, 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(kill(pid, 0), 0);
	ck_reaps(q, 1);
	ck_reaps(q, 0);
	kit_kill(pid);
	kin_queue_close(q);
}
END_TEST

/* It forks by fork(), and by a raw clone that nobody is told of. */
static pid_t
fork_raw(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Its child lives on, and does what it does. */
static pid_t
parent(kin_queue *q, pid_t (*fork_by)(void), void (*child)(kin_queue *q))
{
	pid_t pid = kit_fork();

	if (pid != 0) {
		await_flag(2);
		return pid;
	}
	put_number(q, 1);
	if (fork_by() == 0) {
		board->pids[0] = getpid();
		raise_flag(1);
		child(q);
		_exit(0);
	}
	await_flag(1);
	raise_flag(2);
	for (;;)
		pause();
}

static void
idle(kin_queue *q)
{
	(void)q;
	await_flag(3);
}

static void
work(kin_queue *q)
{
	put_number(q, 2);
	raise_flag(2);
	await_flag(3);
	put_number(q, 3);
}

static pid_t (*const forks[])(void) = { fork, fork_raw };

START_TEST(an_idle_child_does_not_keep_its_parent_alive)
{
	kin_queue *q = queue_of(256, 3);
	pid_t pid = parent(q, forks[_i], idle);

	kit_kill(pid);
	ck_reaps(q, 1);
	raise_flag(3);
	kit_reap(board->pids[0], 0);
	ck_reaps(q, 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_child_that_works_on_outlives_its_parent)
{
	kin_queue *q = queue_of(256, 3);
	uint32_t number;
	pid_t pid = parent(q, forks[_i], work);

	/* The child's life is its own as soon as it has done anything. */
	for (number = 0; number != 2;)
		number = get_number(q);
	kit_kill(pid);
	ck_reaps(q, 1);
	raise_flag(3);
	kit_reap(board->pids[0], 0);
	ck_assert_uint_eq(get_number(q), 3);
	ck_reaps(q, 1);
	kin_queue_close(q);
}
END_TEST

/* ---- the living ---- */

/* Is the first thread of it a zombie? */
static bool
leads_no_more(pid_t pid)
{
	char path[32], text[512];
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	p = strrchr(text, ')');
	return p != NULL && p[2] == 'Z';
}

/* It takes part when the first thread has ended, and /proc/self/fd is empty. */
static void *
go_on(void *arg)
{
	while (!leads_no_more(getpid()))
		sched_yield();
	live(arg);
	_exit(0);
}

START_TEST(one_whose_first_thread_has_ended_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork();
	pthread_t thread;

	if (pid == 0) {
		if (pthread_create(&thread, NULL, go_on, q) != 0)
			_exit(1);
		pthread_exit(NULL);
	}
	await_flag(1);
	ck_goes_on(q, pid);
}
END_TEST

START_TEST(one_that_is_stopped_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = member(q);

	kill(pid, SIGSTOP);
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
	ck_reaps(q, 0);
	kill(pid, SIGCONT);
	ck_goes_on(q, pid);
}
END_TEST

START_TEST(one_that_has_closed_all_descriptors_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		syscall(SYS_close_range, 3, ~0u, 0);
		raise_flag(1);
		await_flag(2);
		/* Nobody else can be asked about any more; that is said. */
		if (kin_queue_reap(q) != -EBADF)
			_exit(1);
		put_number(q, 2);
		_exit(0);
	}
	await_flag(1);
	ck_goes_on(q, pid);
}
END_TEST

static int
end_at_3(void *arg)
{
	(void)arg;
	raise_flag(2);
	await_flag(3);
	return 0;
}

/*
 * Memory that two processes have in common is stored to as long as one of them
 * lives.  So the dead one is not found dead, which only delays.
 */
START_TEST(one_whose_memory_is_anothers_too_lives_as_long_as_that_one)
{
	static char stack[STACK] __attribute__((aligned(16)));
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		board->pids[0] = clone(end_at_3, stack + STACK,
				       CLONE_VM | SIGCHLD, NULL);
		if (board->pids[0] < 0)
			_exit(1);
		for (;;)
			pause();
	}
	await_flag(2);
	kit_kill(pid);
	ck_reaps(q, 0);
	raise_flag(3);
	kit_reap(board->pids[0], 0);
	ck_reaps_in_the_end(q);
	kin_queue_close(q);
}
END_TEST

START_TEST(one_that_runs_programs_by_vfork_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork(), child;

	if (pid == 0) {
		put_number(q, 1);
		child = vfork();
		if (child == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		if (waitpid(child, NULL, 0) != child)
			_exit(1);
		raise_flag(1);
		await_flag(2);
		put_number(q, 2);
		_exit(0);
	}
	await_flag(1);
	ck_goes_on(q, pid);
}
END_TEST

/* ---- children are members of their own ---- */

START_TEST(a_raw_clone_takes_part_by_itself)
{
	kin_queue *q = queue_of(256, 2), *more;
	pid_t pid;

	fflush(NULL);
	pid = fork_raw();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		live(q);
		_exit(0);
	}
	await_flag(1);
	ck_kin_fails(-ENOSPC, kin_queue_attach(&more, kin_queue_fd(q)));
	ck_goes_on(q, pid);
}
END_TEST

/* ---- peers that would have it dead ---- */

static void
unlock_all(int fd, int command)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, command, &all) < 0)
		_exit(1);
	if (lseek(fd, 0, SEEK_SET) != 0)
		_exit(1);
}

/* All that can be tried with what a peer has: inherited, and opened anew. */
static void
unlock_by_all_means(int fd)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_CLOEXEC);
	if (own < 0)
		_exit(1);
	unlock_all(fd, F_OFD_SETLK);
	unlock_all(own, F_OFD_SETLK);
	unlock_all(fd, F_SETLK);
	unlock_all(own, F_SETLK);
	/* What a lock of another kind replaces or drops at a close. */
	(void)fcntl(own, F_SETLK, &all);
	(void)fcntl(own, F_OFD_SETLK, &all);
	(void)fcntl(fd, F_SETLK, &all);
	unlock_all(fd, F_SETLK);
	unlock_all(own, F_OFD_SETLK);
	close(own);
	close(dup(fd));
}

START_TEST(nobody_can_unlock_anothers_life)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = member(q), peer = kit_fork();

	if (peer == 0) {
		unlock_by_all_means(kin_queue_fd(q));
		close(kin_queue_fd(q));
		_exit(0);
	}
	kit_reap(peer, 0);
	unlock_by_all_means(kin_queue_fd(q));
	ck_goes_on(q, pid);
}
END_TEST

/* By inheritance its child has all that it had, but not its life. */
START_TEST(a_child_cannot_unlock_its_parents_life)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork(), child;

	if (pid == 0) {
		put_number(q, 1);
		child = fork();
		if (child == 0) {
			int fd;

			for (fd = 0; fd < 64; fd++)
				if (fcntl(fd, F_GETFD) >= 0 && fd > 2)
					(void)fcntl(fd, F_OFD_SETLK,
						    &(struct flock){
						.l_type = F_UNLCK });
			unlock_by_all_means(kin_queue_fd(q));
			_exit(0);
		}
		/* In our own name, too: by another handle, and its close. */
		unlock_by_all_means(kin_queue_fd(q));
		if (child < 0 || waitpid(child, NULL, 0) != child)
			_exit(1);
		raise_flag(1);
		await_flag(2);
		put_number(q, 2);
		_exit(0);
	}
	await_flag(1);
	ck_goes_on(q, pid);
}
END_TEST

/* ---- on request ---- */

START_TEST(all_dead_are_found_at_once_and_their_places_are_free)
{
	kin_queue *q = queue_of(4096, 40);
	pid_t pids[39];
	int i;

	for (i = 0; i < 39; i++) {
		lower_flag();
		pids[i] = member(q);
	}
	ck_reaps(q, 0);
	for (i = 0; i < 30; i++)
		kit_kill(pids[i]);
	ck_reaps(q, 30);
	ck_reaps(q, 0);
	for (; i < 39; i++)
		kit_kill(pids[i]);
	ck_reaps(q, 9);
	kin_queue_close(q);
}
END_TEST

START_TEST(who_can_only_read_takes_no_part)
{
	kin_queue *q = queue_of(256, 1), *mine = NULL;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kin_queue_fd(q));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_kin_fails(-EACCES, kin_queue_attach(&mine, fd));
	close(fd);
	ck_assert_ptr_null(mine);
	kin_queue_close(q);
}
END_TEST

static void
add_dead_and_living(Suite *suite)
{
	TCase *tc = board_case(suite, "dead");

	tcase_add_test(tc,
		       one_that_was_killed_is_dead_before_anybody_waits_for_it);
	tcase_add_loop_test(tc, an_idle_child_does_not_keep_its_parent_alive, 0,
			    2);
	tcase_add_loop_test(tc, a_child_that_works_on_outlives_its_parent, 0,
			    2);

	tc = board_case(suite, "living");
	tcase_add_test(tc, one_whose_first_thread_has_ended_lives);
	tcase_add_test(tc, one_that_is_stopped_lives);
	tcase_add_test(tc, one_that_has_closed_all_descriptors_lives);
	tcase_add_test(tc,
		one_whose_memory_is_anothers_too_lives_as_long_as_that_one);
	tcase_add_test(tc, one_that_runs_programs_by_vfork_lives);
	tcase_add_test(tc, a_raw_clone_takes_part_by_itself);
}

int
main(void)
{
	Suite *suite = suite_create("verdict");
	TCase *tc;

	add_dead_and_living(suite);

	tc = board_case(suite, "peers");
	tcase_add_test(tc, nobody_can_unlock_anothers_life);
	tcase_add_test(tc, a_child_cannot_unlock_its_parents_life);

	tc = board_case(suite, "request");
	tcase_add_test(tc,
		       all_dead_are_found_at_once_and_their_places_are_free);
	tcase_add_test(tc, who_can_only_read_takes_no_part);
	return kit_run(suite);
}
