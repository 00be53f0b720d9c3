/* SPDX-License-Identifier: MIT */
/*
 * test_apart.c - members that are apart: in other pid namespaces, without /proc
 *
 * Where the kernel grants no namespace, a test says so and passes.  Reaches
 * inside for latches that are held, and for the page that holds a life.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/queue.h"
#include "shm/os.h"
#include "tests/traffic.h"

#define REFUSED		77		/* exit code: no namespace for us */
#define SAME_PID	7

/* ---- going apart ---- */

static bool
write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) ==
				    (ssize_t)strlen(text);

	close(fd);
	return done;
}

/* By one's own right, or in a user namespace, as the user that one is. */
static bool
go_apart(int namespaces)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[32];

	if (unshare(namespaces) == 0)
		return true;
	if (unshare(namespaces | CLONE_NEWUSER) < 0)
		return false;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (!write_to("/proc/self/uid_map", map) ||
	    !write_to("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return write_to("/proc/self/gid_map", map);
}

static bool
refused(const char *what)
{
	fprintf(stderr, "# SKIP %s is not granted here\n", what);
	return true;
}

/*
 * A child that is pid 1 of a pid namespace of its own.  Its pid as we see it;
 * -1: there is none to be had.  It is ours, as the one between us ends.
 */
static pid_t
fork_apart(void)
{
	pid_t between = kit_fork(), pid;
	int status;

	if (between == 0) {
		if (!go_apart(CLONE_NEWPID))
			_exit(REFUSED);
		pid = fork();
		if (pid == 0)
			return 0;
		board->pids[0] = pid;
		_exit(pid < 0);
	}
	ck_assert_int_eq(waitpid(between, &status, 0), between);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == REFUSED) {
		refused("a pid namespace");
		return -1;
	}
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	return board->pids[0];
}

/* From now on there is no /proc for this process; or it exits. */
static void
lose_proc(void)
{
	if (!go_apart(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/proc", "tmpfs", 0, NULL) < 0)
		_exit(REFUSED);
	if (access("/proc/self", F_OK) == 0)
		_exit(1);
}

/* It must have done well, unless there was no namespace for it. */
static bool
did_well(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == REFUSED)
		return !refused("a mount namespace");
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	return true;
}

/* Until it has raised the flag: true; or has ended, refused or failed. */
static bool
raises(pid_t pid, int value)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		(void)waitid(P_PID, (id_t)pid, &info,
			     WEXITED | WNOHANG | WNOWAIT);
		if (__atomic_load_n(&board->flag, __ATOMIC_ACQUIRE) >= value)
			return true;
		if (info.si_pid == pid)
			return false;
		sched_yield();
	}
}

/* In children: Check's own would fail the test twice. */
#define must(expr)							\
	do {								\
		if (!(expr)) {						\
			fprintf(stderr, "# %s:%d: %s: %s\n", __func__,	\
				__LINE__, #expr, kin_errmsg());		\
			_exit(1);					\
		}							\
	} while (0)

static void
ck_reaps(kin_queue *q, int n)
{
	int r = kin_queue_reap(q);

	ck_assert_msg(r == n, "%d found dead (%s), not %d", r, kin_errmsg(), n);
}

static void
live(kin_queue *q)
{
	put_number(q, 1);
	raise_flag(1);
	await_flag(2);
	put_number(q, 2);
}

static void __attribute__((noreturn))
live_on(kin_queue *q)
{
	live(q);
	for (;;)
		pause();
}

static void
hold_putters_latch(kin_queue *q)
{
	must(kn_registry_join(&q->registry) == 0);
	must(kn_latch_take(&q->ring.shared->put.latch, &q->registry.party,
			   KIN_NOWAIT) == 0);
}

/* ---- other pid namespaces ---- */

START_TEST(of_equal_pids_in_two_namespaces_one_dies)
{
	kin_queue *q = queue_of(4096, 3);
	pid_t first = fork_apart(), second;

	if (first == 0)
		live_on(q);
	if (first > 0) {
		await_flag(1);
		lower_flag();
		second = fork_apart();
		if (second == 0) {
			must(getpid() == 1);
			live(q);
			_exit(0);
		}
		await_flag(1);
		ck_reaps(q, 0);
		kit_kill(first);
		ck_reaps(q, 1);
		raise_flag(2);
		kit_reap(second, 0);
		ck_reaps(q, 1);
	}
	kin_queue_close(q);
}
END_TEST

/* The one that asks has itself the pid that it asks about. */
START_TEST(who_has_the_same_pid_finds_the_other_dead)
{
	kin_queue *q = queue_of(4096, 3);
	pid_t first = fork_apart(), second;

	if (first == 0)
		live_on(q);
	if (first > 0) {
		await_flag(1);
		second = fork_apart();
		if (second == 0) {
			must(getpid() == 1);
			must(kin_queue_reap(q) == 0);
			raise_flag(2);
			await_flag(3);
			must(kin_queue_reap(q) == 1);
			_exit(0);
		}
		await_flag(2);
		kit_kill(first);
		raise_flag(3);
		kit_reap(second, 0);
		ck_reaps(q, 1);
	}
	kin_queue_close(q);
}
END_TEST

START_TEST(a_holder_elsewhere_is_waited_for_until_it_is_killed)
{
	kin_queue *q = queue_of(4096, 3);
	pid_t first = fork_apart(), second;

	if (first == 0) {
		hold_putters_latch(q);
		raise_flag(1);
		for (;;)
			pause();
	}
	if (first > 0) {
		await_flag(1);
		second = fork_apart();
		if (second == 0) {
			must(kin_queue_put(q, "x", 1, kin_in_ms(100)) ==
			     -ETIMEDOUT);
			raise_flag(2);
			must(kin_queue_put(q, "x", 1, KIT_PATIENCE) == 0);
			_exit(0);
		}
		await_flag(2);
		kit_kill(first);
		kit_reap(second, 0);
		ck_assert_int_eq(kin_queue_len(q), 1);
	}
	kin_queue_close(q);
}
END_TEST

/* ---- one pid, two processes ---- */

static pid_t
fork_as(pid_t pid)
{
	struct clone_args how = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};

	return (pid_t)syscall(SYS_clone3, &how, sizeof(how));
}

/* So that whoever starts now does not start in the same tick. */
static void
pass_tick(uint64_t tick)
{
	uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK), now;
	struct timespec t;

	do {
		sched_yield();
		clock_gettime(CLOCK_BOOTTIME, &t);
		now = (uint64_t)t.tv_sec * per_second +
		      (uint64_t)t.tv_nsec * per_second / 1000000000;
	} while (now <= tick + 1);
}

/*
 * Pid 1 of a namespace: a member dies there, and another process gets its pid,
 * which maps the queue, too.  by_start: as where the kernel gives no numbers.
 */
static void __attribute__((noreturn))
give_pid_again(kin_queue *q, bool by_start)
{
	struct kn_slot *slot = &q->registry.roster->slots[1];
	pid_t pid = fork_as(SAME_PID);

	if (pid < 0)
		_exit(REFUSED);
	if (pid == 0)
		live_on(q);
	await_flag(1);
	must(kn_load(&slot->pid) == SAME_PID);
	if (by_start)
		kn_wide_store(&slot->number, 0);
	must(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	if (by_start)
		pass_tick(kn_wide_load(&slot->start));
	pid = fork_as(SAME_PID);
	must(pid >= 0);
	if (pid == 0) {
		raise_flag(2);
		for (;;)
			pause();
	}
	await_flag(2);
	must(kill(SAME_PID, 0) == 0);
	must(kin_queue_reap(q) == 1);
	_exit(0);
}

START_TEST(who_has_a_dead_ones_pid_is_not_taken_for_it)
{
	kin_queue *q = queue_of(4096, 4);
	pid_t pid = fork_apart();

	if (pid == 0)
		give_pid_again(q, _i);
	if (pid > 0)
		(void)did_well(pid);
	kin_queue_close(q);
}
END_TEST

/* ---- without /proc ---- */

START_TEST(without_proc_it_is_said_and_nothing_is_held)
{
	kin_queue *q = queue_of(256, 2), *more = NULL;
	int fd = -1, fds;
	pid_t pid;

	fds = kit_descriptors();
	pid = kit_fork();
	if (pid == 0) {
		lose_proc();
		must(kin_queue_put(q, "x", 1, KIN_NOWAIT) == -ENOENT);
		must(strstr(kin_errmsg(), "/proc") != NULL);
		must(kin_queue_reap(q) == -ENOENT);
		must(kin_queue_attach(&more, kin_queue_fd(q)) == -ENOENT);
		must(strstr(kin_errmsg(), "/proc") != NULL);
		must(kin_queue_create(&more, NULL) == -ENOENT);
		must(strstr(kin_errmsg(), "/proc") != NULL);
		must(kin_spare_make(&fd, kin_queue_fd(q)) == -ENOENT);
		must(strstr(kin_errmsg(), "/proc") != NULL);
		must(more == NULL && fd == -1);
		_exit(0);
	}
	(void)did_well(pid);
	ck_assert_int_eq(kit_descriptors(), fds);
	ck_reaps(q, 0);
	kin_queue_close(q);
}
END_TEST

/* It lives until it is killed or ends, whatever it could be taken for. */
START_TEST(a_spare_is_good_for_a_life)
{
	kin_queue *q = queue_of(256, 2);
	int spare;
	pid_t pid;

	ck_kin_ok(kin_spare_make(&spare, kin_queue_fd(q)));
	pid = kit_fork();
	if (pid == 0) {
		lose_proc();
		must(kin_spare_keep(spare) == 0);
		must(fcntl(spare, F_GETFD) < 0);
		if (_i)
			live_on(q);
		live(q);
		_exit(0);
	}
	close(spare);
	if (!raises(pid, 1)) {
		(void)did_well(pid);
	} else {
		ck_reaps(q, 0);
		raise_flag(2);
		if (_i)
			kit_kill(pid);
		else
			kit_reap(pid, 0);
		ck_reaps(q, 1);
	}
	kin_queue_close(q);
}
END_TEST

START_TEST(a_spare_is_good_for_one)
{
	kin_queue *q = queue_of(256, 4), *one, *two = NULL;
	int spare, again;
	pid_t pid;

	ck_kin_ok(kin_spare_make(&spare, kin_queue_fd(q)));
	again = fcntl(spare, F_DUPFD_CLOEXEC, 3);
	ck_assert_int_ge(again, 0);
	pid = kit_fork();
	if (pid == 0) {
		int fds;

		lose_proc();
		must(kin_spare_keep(spare) == 0);
		must(kin_spare_keep(again) == 0);
		fds = fcntl(kin_queue_fd(q), F_DUPFD_CLOEXEC, 3);
		must(kin_queue_attach(&one, fds) == 0);
		must(kin_queue_attach(&two, fds) == -ENOENT);
		must(two == NULL);
		put_number(one, 3);
		must(get_number(one) == 3);
		_exit(0);
	}
	close(spare);
	close(again);
	if (did_well(pid))
		ck_reaps(q, 1);
	kin_queue_close(q);
}
END_TEST

/* Handed over, and then the queue, to one that has nothing yet. */
START_TEST(a_spare_comes_before_its_queue_over_a_connection)
{
	kin_queue *q = queue_of(256, 4), *theirs;
	kin_conn *ours, *other;
	kin_values *v;
	int spare, fd;
	pid_t pid;

	ck_kin_ok(kin_pipe(&ours, &other, NULL));
	pid = kit_fork();
	if (pid == 0) {
		lose_proc();
		must(kin_conn_recv_values(other, &v, KIT_PATIENCE) == 0);
		must(kin_values_take(v, KIN_FD(&spare)) == 0);
		must(kin_values_keep_fd(v, spare) == 0);
		kin_values_free(v);
		must(kin_spare_keep(spare) == 0);
		must(kin_conn_recv_values(other, &v, KIT_PATIENCE) == 0);
		must(kin_values_take(v, &theirs) == 0);
		must(kin_values_keep(v, theirs) == 0);
		kin_values_free(v);
		put_number(theirs, 4);
		_exit(0);
	}
	ck_kin_ok(kin_spare_make(&fd, kin_queue_fd(q)));
	ck_kin_ok(kin_conn_send_values(ours, KIN_ARGS(KIN_FD(fd)),
				       KIT_PATIENCE));
	close(fd);
	ck_kin_ok(kin_conn_send_values(ours, KIN_ARGS(q), KIT_PATIENCE));
	if (did_well(pid)) {
		ck_assert_uint_eq(get_number(q), 4);
		ck_reaps(q, 1);
	}
	kin_conn_close(ours);
	kin_conn_close(other);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_child_has_not_its_parents_spares)
{
	kin_queue *q = queue_of(256, 4);
	int spare, status;
	pid_t pid, child;

	ck_kin_ok(kin_spare_make(&spare, kin_queue_fd(q)));
	pid = kit_fork();
	if (pid == 0) {
		must(kin_spare_keep(spare) == 0);
		lose_proc();
		child = _i ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0,
						     0, 0);
		if (child == 0) {
			must(kin_queue_put(q, "x", 1, KIN_NOWAIT) == -ENOENT);
			_exit(0);
		}
		must(waitpid(child, &status, 0) == child && status == 0);
		must(kin_queue_put(q, "x", 1, KIN_NOWAIT) == 0);
		_exit(0);
	}
	close(spare);
	if (did_well(pid))
		ck_reaps(q, 1);
	kin_queue_close(q);
}
END_TEST

static const char *failing;

static int
fail_one(const char *call)
{
	return strcmp(call, failing) == 0 ? -EMFILE : 0;
}

/* It was not kept, and is still the caller's. */
static void
ck_not_kept(int fd, const char *call)
{
	failing = call;
	kn_os_hook = fail_one;
	ck_kin_fails(-EMFILE, kin_spare_keep(fd));
	kn_os_hook = NULL;
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
}

START_TEST(only_so_many_spares_are_kept_and_only_good_ones)
{
	kin_queue *q = queue_of(256, 4);
	char path[32];
	int i, fd;
	pid_t pid;

	ck_kin_fails(-EBADF, kin_spare_keep(-1));
	ck_kin_fails(-EBADF, kin_spare_make(&fd, -1));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kin_queue_fd(q));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_kin_fails(-EACCES, kin_spare_keep(fd));
	ck_kin_fails(-EACCES, kin_spare_make(&i, fd));
	close(fd);

	ck_kin_ok(kin_spare_make(&fd, kin_queue_fd(q)));
	ck_not_kept(fd, "fstat");
	ck_not_kept(fd, "dup");
	close(fd);
	failing = "open";
	kn_os_hook = fail_one;
	fd = -1;
	ck_kin_fails(-EMFILE, kin_spare_make(&fd, kin_queue_fd(q)));
	kn_os_hook = NULL;
	ck_assert_int_eq(fd, -1);

	pid = kit_fork();
	if (pid == 0) {
		for (i = 0; i < KIN_SPARES_MAX; i++) {
			must(kin_spare_make(&fd, kin_queue_fd(q)) == 0);
			must(kin_spare_keep(fd) == 0);
		}
		must(kin_spare_make(&fd, kin_queue_fd(q)) == 0);
		must(kin_spare_keep(fd) == -ENOSPC);
		must(fcntl(fd, F_GETFD) >= 0);
		_exit(0);
	}
	kit_reap(pid, 0);
	kin_queue_close(q);
}
END_TEST

/* Who took part before has all that it needs but what reaping takes. */
START_TEST(who_took_part_before_takes_over_from_the_dead)
{
	kin_queue *q = queue_of(4096, 4);
	pid_t holder = kit_fork(), pid;

	if (holder == 0) {
		hold_putters_latch(q);
		raise_flag(1);
		for (;;)
			pause();
	}
	await_flag(1);
	pid = kit_fork();
	if (pid == 0) {
		must(kin_queue_reap(q) == 0);
		lose_proc();
		must(kin_queue_put(q, "x", 1, kin_in_ms(50)) == -ETIMEDOUT);
		raise_flag(3);
		must(kin_queue_put(q, "x", 1, KIT_PATIENCE) == 0);
		must(kin_queue_reap(q) == -ENOENT);
		_exit(0);
	}
	(void)raises(pid, 3);
	kit_kill(holder);
	if (did_well(pid))
		ck_reaps(q, 2);
	kin_queue_close(q);
}
END_TEST

/* What has a name can be opened by it, as often as need be. */
START_TEST(by_a_name_no_proc_is_needed)
{
	kin_segment *seg;
	kin_queue *q;
	pid_t holder, pid;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 65536,
						    .name = "theirs")));
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 256,
						.segment = seg)));
	holder = kit_fork();
	if (holder == 0)
		live_on(q);
	await_flag(1);
	pid = kit_fork();
	if (pid == 0) {
		kin_segment *mine;
		kin_queue *by_name;

		lose_proc();
		must(kin_segment_open(&mine, "theirs") == 0);
		must(kin_queue_attach_at(&by_name, mine, 0) == 0);
		must(kin_queue_reap(by_name) == 0);
		must(kill(holder, SIGKILL) == 0);
		while (kin_queue_reap(by_name) != 1)
			sched_yield();
		/* And at its first call the handle from before the fork. */
		put_number(q, 5);
		_exit(0);
	}
	if (did_well(pid))
		ck_reaps(q, 2);
	kit_kill(holder);
	kin_queue_close(q);
	kin_segment_close(seg);
	ck_kin_ok(kin_segment_unlink("theirs"));
}
END_TEST

/* Its life byte is free, and it lives: that takes the process itself. */
START_TEST(who_has_lost_its_page_lives_even_for_one_without_proc)
{
	kin_queue *q = queue_of(256, 4);
	pid_t member = kit_fork(), pid;

	if (member == 0) {
		put_number(q, 1);
		kn_os_unmap(q->registry.life, KN_PAGE);
		raise_flag(1);
		await_flag(2);
		put_number(q, 2);
		_exit(0);
	}
	await_flag(1);
	ck_reaps(q, 0);
	pid = kit_fork();
	if (pid == 0) {
		must(kin_queue_reap(q) == 0);
		lose_proc();
		must(kin_queue_reap(q) == 0);
		_exit(0);
	}
	if (did_well(pid))
		ck_reaps(q, 1);
	raise_flag(2);
	kit_reap(member, 0);
	ck_assert_uint_eq(get_number(q), 1);
	ck_assert_uint_eq(get_number(q), 2);
	ck_assert_int_ge(kin_queue_reap(q), 1);
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("apart");
	TCase *tc;

	tc = board_case(suite, "namespaces");
	tcase_add_test(tc, of_equal_pids_in_two_namespaces_one_dies);
	tcase_add_test(tc, who_has_the_same_pid_finds_the_other_dead);
	tcase_add_test(tc, a_holder_elsewhere_is_waited_for_until_it_is_killed);
	tcase_add_loop_test(tc, who_has_a_dead_ones_pid_is_not_taken_for_it, 0,
			    2);

	tc = board_case(suite, "without /proc");
	tcase_add_test(tc, without_proc_it_is_said_and_nothing_is_held);
	tcase_add_loop_test(tc, a_spare_is_good_for_a_life, 0, 2);
	tcase_add_test(tc, a_spare_is_good_for_one);
	tcase_add_test(tc, a_spare_comes_before_its_queue_over_a_connection);
	tcase_add_loop_test(tc, a_child_has_not_its_parents_spares, 0, 2);
	tcase_add_test(tc, only_so_many_spares_are_kept_and_only_good_ones);
	tcase_add_test(tc, who_took_part_before_takes_over_from_the_dead);
	tcase_add_test(tc, by_a_name_no_proc_is_needed);
	tcase_add_test(tc,
		       who_has_lost_its_page_lives_even_for_one_without_proc);
	return kit_run(suite);
}
