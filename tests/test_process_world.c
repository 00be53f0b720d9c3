/* SPDX-License-Identifier: MIT */
/*
 * test_process_world.c - the promises of kin/process.h amid what an application
 * has besides: its output, threads, children, signals, terminal, and its death
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

#define CROWD		100

static int
nothing(kin_call *call)
{
	(void)call;
	return 0;
}
KIN_ENTRY(nothing);

/* Until it has ended; it stays to be collected. */
static void
await_end(pid_t pid)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT),
			 0);
}

/* ---- what is printed ---- */

static void
say_goodbye(void)
{
	printf("goodbye ");
}

static int
print_child(kin_call *call)
{
	(void)call;
	printf("child ");
	return 0;
}
KIN_ENTRY(print_child);

static void __attribute__((noreturn))
print_and_start(int out)
{
	kin_process *p;

	fflush(NULL);
	dup2(out, 1);
	setvbuf(stdout, NULL, _IOFBF, 4096);
	atexit(say_goodbye);
	printf("parent ");
	p = start(print_child, KIN_ARGS());
	if (kin_process_join(p, NULL, KIT_PATIENCE) < 0)
		_exit(1);
	kin_process_close(p);
	exit(0);
}

START_TEST(what_is_printed_appears_once)
{
	char text[256];
	size_t got = 0;
	ssize_t n;
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = kit_fork();
	if (pid == 0)
		print_and_start(ends[1]);
	close(ends[1]);
	while ((n = read(ends[0], text + got, sizeof(text) - 1 - got)) > 0)
		got += (size_t)n;
	close(ends[0]);
	text[got] = '\0';
	kit_reap(pid, 0);
	ck_assert_str_eq(text, "parent child goodbye ");
}
END_TEST

/* ---- threads ---- */

static void *
stay(void *arg)
{
	(void)arg;
	await_flag(1);
	return NULL;
}

START_TEST(with_other_threads_it_is_refused_unless_insisted)
{
	kin_process *p = (void *)board;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, stay, NULL), 0);
	ck_kin_fails(-EBUSY, kin_process_start(&p, nothing, KIN_ARGS(), NULL));
	ck_assert_ptr_eq(p, (void *)board);
	ck_kin_ok(kin_process_start(&p, nothing, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .flags = KIN_PROCESS_THREADS)));
	ck_exited(finish(p), 0);
	raise_flag(1);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* The kernel counts a thread a little longer than pthread_join waits. */
START_TEST(a_thread_that_was_joined_is_no_other_thread)
{
	pthread_t thread;
	int i;

	raise_flag(1);
	for (i = 0; i < 500; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, stay, NULL), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_exited(finish(start(nothing, KIN_ARGS())), 0);
	}
}
END_TEST

static void *
start_some(void *arg)
{
	uintptr_t bad = 0;
	int code, i;

	(void)arg;
	for (i = 0; i < 25; i++) {
		struct kin_status status;
		kin_process *p;

		code = 1000 + i;
		if (kin_process_start(&p, return_number, KIN_ARGS(code),
		    KIN_OPTS(kin_process_opts, .context = start_by,
			     .flags = KIN_PROCESS_THREADS)) < 0) {
			bad++;
			continue;
		}
		bad += kin_process_join(p, &status, KIT_PATIENCE) < 0 ||
		       status.how != KIN_EXITED || status.code != code;
		kin_process_close(p);
	}
	return (void *)bad;
}

START_TEST(threads_may_start_at_once)
{
	pthread_t threads[4];
	void *bad;
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, start_some,
						NULL), 0);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
}
END_TEST

/* ---- the application's own ---- */

static void
collect_all(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

static void
try_with_handler(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler }, was;
	int code = 5, i;

	ck_assert_int_eq(sigaction(SIGCHLD, &action, &was), 0);
	for (i = 0; i < 50; i++) {
		kin_process *p = start(return_number, KIN_ARGS(code));
		kin_process *other = start(wait_to_be_killed, KIN_ARGS());
		struct kin_status status = finish(p);

		if (status.how != KIN_UNKNOWN)
			ck_exited(status, 5);
		ck_kin_ok(kin_process_signal(other, SIGKILL));
		status = finish(other);
		if (status.how != KIN_UNKNOWN)
			ck_killed(status, SIGKILL);
	}
	ck_assert_int_eq(sigaction(SIGCHLD, &was, NULL), 0);
}

START_TEST(a_handler_that_collects_all_makes_nobody_hang)
{
	try_with_handler(collect_all);
}
END_TEST

START_TEST(an_ignored_sigchld_makes_nobody_hang)
{
	try_with_handler(SIG_IGN);
}
END_TEST

START_TEST(children_of_its_own_stay_the_applications)
{
	kin_process *p = start(nothing, KIN_ARGS());
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(33);
	await_end(pid);
	ck_exited(finish(p), 0);
	ck_exited(finish(start(nothing, KIN_ARGS())), 0);
	kit_reap(pid, 33);
}
END_TEST

/* ---- letting go ---- */

START_TEST(one_closed_while_it_runs_is_collected_later)
{
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());
	pid_t pid = kin_process_pid(p);
	siginfo_t info;

	kin_process_close(p);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	await_end(pid);
	ck_exited(finish(start(nothing, KIN_ARGS())), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info,
				WEXITED | WNOHANG | WNOWAIT), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(one_closed_after_its_end_is_collected_at_once)
{
	kin_process *p = start(nothing, KIN_ARGS());
	pid_t pid = kin_process_pid(p);

	await_end(pid);
	errno = 12345;
	kin_process_close(p);
	ck_assert_int_eq(errno, 12345);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_handle_is_stale_in_a_child)
{
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());
	pid_t pid = kit_fork();

	if (pid == 0) {
		struct kin_status status;

		ck_kin_fails(-ESTALE, kin_process_join(p, &status, KIN_NOWAIT));
		ck_kin_fails(-ESTALE, kin_process_join(p, NULL, KIN_FOREVER));
		ck_kin_fails(-ESTALE, kin_process_signal(p, SIGKILL));
		kin_process_close(p);
		ck_exited(finish(start(nothing, KIN_ARGS())), 0);
		kin_context_close(start_by);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_kin_fails(-ETIMEDOUT, kin_process_join(p, NULL, KIN_NOWAIT));
	ck_kin_ok(kin_process_signal(p, SIGKILL));
	ck_killed(finish(p), SIGKILL);
}
END_TEST

/* ---- families ---- */

static int
nest(kin_call *call)
{
	int depth;
	struct kin_status status;
	kin_process *p;

	if (kin_call_take(call, &depth) < 0)
		return -1;
	if (depth == 0)
		return 1000;
	depth--;
	if (kin_process_start(&p, nest, KIN_ARGS(depth), NULL) < 0 ||
	    kin_process_join(p, &status, KIT_PATIENCE) < 0 ||
	    status.how != KIN_EXITED)
		return -1;
	kin_process_close(p);
	return status.code + 1;
}
KIN_ENTRY(nest);

START_TEST(a_child_may_have_children)
{
	int depth = 5;

	ck_exited(finish(start(nest, KIN_ARGS(depth))), 1005);
}
END_TEST

/* One with a child of its own, which it has told of. */
static int
have_child(kin_call *call)
{
	kin_process *p;

	if (kin_process_start(&p, wait_to_be_killed, KIN_ARGS(), NULL) < 0)
		return 1;
	board->pids[3] = kin_process_pid(p);
	raise_flag(1);
	return wait_to_be_killed(call);
}
KIN_ENTRY(have_child);

/* Three children, a grandchild, and one that is not kin's. */
static void __attribute__((noreturn))
have_family(void)
{
	kin_entry_fn *fns[] = { wait_to_be_killed, have_child,
				wait_to_be_killed };
	pid_t pid;
	int i;

	for (i = 0; i < 3; i++)
		board->pids[i] = kin_process_pid(start(fns[i], KIN_ARGS()));
	pid = kit_fork();
	if (pid == 0)
		for (;;)
			pause();
	board->pids[4] = pid;
	await_flag(1);
	raise_flag(2);
	for (;;)
		pause();
}

/* It was orphaned, and is ours now; it has to end. */
static void
ck_gone(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), status;
	struct pollfd end = { .fd = fd, .events = POLLIN };

	if (fd < 0 && errno == ESRCH)
		return;			/* a fork server has collected it */
	ck_assert_int_ge(fd, 0);
	ck_assert_msg(poll(&end, 1, 60000) == 1, "%d lives on", (int)pid);
	close(fd);
	/* Its own parent may be on the way out, and it not yet ours. */
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != ECHILD || kill(pid, 0) < 0)
			return;
		sched_yield();
	}
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

START_TEST(who_dies_takes_all_of_its_own_along)
{
	pid_t pid = kit_fork();
	int i;

	if (pid == 0)
		have_family();
	await_flag(2);
	kit_kill(pid);
	for (i = 0; i < 4; i++)
		ck_gone(board->pids[i]);
	ck_assert_int_eq(waitpid(board->pids[4], NULL, WNOHANG), 0);
	kit_kill(board->pids[4]);
	await_orphans();		/* fork servers */
}
END_TEST

START_TEST(one_killed_while_it_starts_others_takes_them_along)
{
	pid_t pid;
	int i;

	for (i = 0; i < 50; i++) {
		lower_flag();
		pid = kit_fork();
		if (pid == 0)
			for (;;) {
				kin_process_close(start(wait_to_be_killed,
							KIN_ARGS()));
				raise_flag(1);
			}
		await_flag(1);
		kit_kill(pid);
		/* Each of them ends, or this waits for ever. */
		await_orphans();
	}
}
END_TEST

START_TEST(a_hundred_end_as_they_should)
{
	kin_process *crowd[CROWD];
	int i;

	for (i = 0; i < CROWD; i++)
		crowd[i] = start(return_number, KIN_ARGS(i));
	for (i = 0; i < CROWD; i++)
		ck_exited(finish(crowd[i]), i);
}
END_TEST

START_TEST(a_hundred_killed_at_once_are_told_so)
{
	kin_process *crowd[CROWD];
	int i;

	for (i = 0; i < CROWD; i++) {
		crowd[i] = start(wait_to_be_killed, KIN_ARGS());
		ck_kin_ok(kin_process_signal(crowd[i], SIGKILL));
	}
	for (i = 0; i < CROWD; i++)
		ck_killed(finish(crowd[i]), SIGKILL);
}
END_TEST

/* ---- the terminal ---- */

static void
interrupt_itself(void)
{
	raise(SIGINT);
}

/* The earliest moment there is: before fork has returned in the child. */
START_TEST(an_interrupt_at_its_birth_is_the_parents)
{
	int code = 5;

	signal(SIGINT, SIG_DFL);	/* it has one of Check's */
	ck_assert_int_eq(pthread_atfork(NULL, NULL, interrupt_itself), 0);
	ck_exited(finish(start(return_number, KIN_ARGS(code))), 5);
}
END_TEST

static volatile sig_atomic_t interrupts;

static void
count_interrupt(int signal)
{
	(void)signal;
	interrupts = interrupts + 1;
}

/* In front of a terminal of its own, with a child. */
static void __attribute__((noreturn))
sit_at(const char *terminal)
{
	struct sigaction action = { .sa_handler = count_interrupt };
	struct kin_status status;
	sigset_t interrupt, rest;
	kin_process *p;
	int fd;

	setsid();
	fd = open(terminal, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, TIOCSCTTY, 0), 0);
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	p = start(wait_for_flag, KIN_ARGS());
	await_flag(1);
	sigprocmask(SIG_BLOCK, &interrupt, &rest);
	board->pids[0] = kin_process_pid(p);
	__atomic_store_n(&board->pids[1], 1, __ATOMIC_RELEASE);
	while (interrupts == 0)
		sigsuspend(&rest);
	raise_flag(2);
	status = finish(p);
	_exit(status.how == KIN_EXITED && status.code == 5 ? 0 : 1);
}

START_TEST(an_interrupt_at_the_terminal_is_the_parents)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	char *terminal;
	pid_t pid;

	if (master < 0 && errno == ENOENT) {
		fprintf(stderr, "# SKIP: no /dev/pts here, no terminals\n");
		return;
	}
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	terminal = ptsname(master);
	ck_assert_ptr_nonnull(terminal);
	pid = kit_fork();
	if (pid == 0)
		sit_at(terminal);
	while (!__atomic_load_n(&board->pids[1], __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert_int_eq(write(master, "\003", 1), 1);
	kit_reap(pid, 0);
	close(master);
	await_orphans();		/* a fork server */
}
END_TEST

static void
add_world(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "its begin", kind);

	tcase_add_test(tc, what_is_printed_appears_once);

	tc = context_case(suite, "threads", kind);
	tcase_add_test(tc, threads_may_start_at_once);
	if (kind == KIN_CONTEXT_FORK) {
		tcase_add_test(tc,
		    with_other_threads_it_is_refused_unless_insisted);
		tcase_add_test(tc, a_thread_that_was_joined_is_no_other_thread);
	}

	tc = context_case(suite, "the application's own", kind);
	tcase_add_test(tc, a_handler_that_collects_all_makes_nobody_hang);
	tcase_add_test(tc, an_ignored_sigchld_makes_nobody_hang);
	tcase_add_test(tc, children_of_its_own_stay_the_applications);
	if (kind == KIN_CONTEXT_FORK)
		tcase_add_test(tc, an_interrupt_at_its_birth_is_the_parents);
	tcase_add_test(tc, an_interrupt_at_the_terminal_is_the_parents);
}

static void
add_families(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "families", kind);

	if (kind != KIN_CONTEXT_FORKSERVER) {	/* whose children they are */
		tcase_add_test(tc, one_closed_while_it_runs_is_collected_later);
		tcase_add_test(tc,
		    one_closed_after_its_end_is_collected_at_once);
	}
	tcase_add_test(tc, a_handle_is_stale_in_a_child);
	tcase_add_test(tc, a_child_may_have_children);
	tcase_add_test(tc, who_dies_takes_all_of_its_own_along);
	tcase_add_test(tc, one_killed_while_it_starts_others_takes_them_along);
	tcase_add_test(tc, a_hundred_end_as_they_should);
	tcase_add_test(tc, a_hundred_killed_at_once_are_told_so);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_world");
	uint32_t kind;
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++) {
		add_world(suite, kind);
		add_families(suite, kind);
	}
	return kit_run(suite);
}
