/* SPDX-License-Identifier: MIT */
/*
 * test_process_family.c - who this process is, who has started it, whom it has
 * started, and how all of them end
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

#define OPTS(...)							\
	KIN_OPTS(kin_process_opts, .context = start_by, __VA_ARGS__)

/* Check has handlers of its own, and a fork's child has them, too. */
static void
as_in_a_program(void)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
}

static int
pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* By its own parent's end, or by ours: it has ended. */
static void
ck_ends(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	ck_assert_msg(poll(&end, 1, 60000) == 1, "it lives on");
	close(pidfd);
}

static void
reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	ck_assert_int_eq(errno, ECHILD);
}

/* ---- status ---- */

static int
die_of(kin_call *call)
{
	int signal_number;

	if (kin_call_take(call, &signal_number) < 0)
		return 1;
	signal(signal_number, SIG_DFL);
	kill(getpid(), signal_number);
	return 2;
}
KIN_ENTRY(die_of);

/* Those whose default is not to end it. */
static bool
is_deadly(int n)
{
	static const int mild[] = { SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
				    SIGTTIN, SIGTTOU, SIGURG, SIGWINCH };
	size_t i;

	for (i = 0; i < sizeof(mild) / sizeof(mild[0]); i++)
		if (n == mild[i])
			return false;
	return n < 32 || n >= SIGRTMIN;		/* the rest are libc's */
}

START_TEST(every_signal_is_told_apart)
{
	struct kin_status status;
	int n;

	for (n = 1; n <= SIGRTMAX; n++) {
		if (!is_deadly(n))
			continue;
		status = finish(start(die_of, KIN_ARGS(n)));
		ck_killed(status, n);
		ck_assert_uint_eq(status.by_us, 0);
	}
}
END_TEST

START_TEST(every_code_is_told_whole)
{
	static const int codes[] = { 0, 1, 127, 128, 137, 255, 256, 65536,
				     INT32_MAX };
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		ck_exited(finish(start(return_number, KIN_ARGS(codes[i]))),
			  codes[i]);
}
END_TEST

/* Some time of its own, and some memory. */
static int
work(kin_call *call)
{
	kin_time end = kin_in_ms(30);
	volatile int n = 0;

	(void)call;
	while (kin_now().ns < end.ns)
		n = n + 1;
	return 0;
}
KIN_ENTRY(work);

START_TEST(its_times_and_usage)
{
	kin_time before = kin_now();
	struct kin_status status;
	kin_process *p = start(work, KIN_ARGS());
	kin_time started = kin_now();

	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert_int_ge(status.started.ns, before.ns);
	ck_assert_int_le(status.started.ns, started.ns);
	ck_assert_int_gt(status.ended.ns, status.started.ns);
	ck_assert_int_le(status.ended.ns, kin_now().ns);
	if (status.has_usage)
		ck_assert_int_gt(status.usage.ru_maxrss, 0);
	else
		ck_assert_int_eq(status.usage.ru_maxrss, 0);
	kin_process_close(p);
}
END_TEST

START_TEST(who_killed_it)
{
	int (*const ways[])(kin_process *) = { kin_process_terminate,
					       kin_process_kill };
	const int signals[] = { SIGTERM, SIGKILL };
	struct kin_status status;
	kin_process *p;
	int i;

	as_in_a_program();
	for (i = 0; i < 2; i++) {
		p = start(wait_to_be_killed, KIN_ARGS());
		ck_assert_int_eq(kin_process_alive(p), 1);
		ck_kin_ok(ways[i](p));
		ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
		ck_killed(status, signals[i]);
		ck_assert_uint_eq(status.by_us, 1);
		ck_assert_int_eq(kin_process_alive(p), 0);
		ck_kin_fails(-ESRCH, ways[i](p));
		kin_process_close(p);
	}
	p = start(wait_to_be_killed, KIN_ARGS());
	ck_kin_ok(kin_process_terminate(p));
	ck_assert_int_eq(kill(kin_process_pid(p), SIGKILL), 0);
	status = finish(p);
	ck_assert_uint_eq(status.by_us, status.signal == SIGTERM);
}
END_TEST

static volatile sig_atomic_t interrupted;

static void
note_interrupt(int n)
{
	(void)n;
	interrupted = 1;
}

static int
be_interrupted(kin_call *call)
{
	sigset_t set, rest;

	(void)call;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, &rest);
	signal(SIGINT, note_interrupt);
	raise_flag(1);
	while (!interrupted)
		sigsuspend(&rest);
	return 9;
}
KIN_ENTRY(be_interrupted);

START_TEST(an_interrupt_is_heeded_by_who_wants_to)
{
	kin_process *p;

	as_in_a_program();
	p = start(wait_for_flag, KIN_ARGS());
	await_flag(1);
	ck_kin_ok(kin_process_interrupt(p));
	raise_flag(2);
	ck_exited(finish(p), 5);
	lower_flag();
	p = start(be_interrupted, KIN_ARGS());
	await_flag(1);
	ck_kin_ok(kin_process_interrupt(p));
	ck_exited(finish(p), 9);
}
END_TEST

/* From this kernel on, a status is kept for who has a pidfd. */
static bool
status_is_kept(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	ck_assert_int_eq(uname(&name), 0);
	ck_assert_int_eq(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 15);
}

START_TEST(a_status_that_others_took)
{
	struct kin_status status;
	kin_process *p;
	pid_t pid;
	int code = 300;

	p = start(return_number, KIN_ARGS(code));
	pid = kin_process_pid(p);
	while (waitpid(-1, NULL, 0) != pid && errno != ECHILD)
		continue;
	status = finish(p);
	if (status_is_kept())
		ck_exited(status, 300);
	else
		ck_assert_uint_eq(status.how, KIN_UNKNOWN);
	ck_assert_uint_eq(status.has_usage, 0);
}
END_TEST

struct joiner {
	pthread_t thread;
	kin_process *p;
	struct kin_status status;
	int r;
};

static void *
join_it(void *arg)
{
	struct joiner *j = arg;

	j->r = kin_process_join(j->p, &j->status, KIT_PATIENCE);
	return NULL;
}

START_TEST(many_threads_join_one)
{
	struct joiner joiners[16];
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());
	int i;

	for (i = 0; i < 16; i++) {
		joiners[i].p = p;
		ck_assert_int_eq(pthread_create(&joiners[i].thread, NULL,
						join_it, &joiners[i]), 0);
	}
	ck_kin_ok(kin_process_kill(p));
	for (i = 0; i < 16; i++) {
		ck_assert_int_eq(pthread_join(joiners[i].thread, NULL), 0);
		ck_assert_int_eq(joiners[i].r, 0);
		ck_killed(joiners[i].status, SIGKILL);
		ck_assert_int_eq(joiners[i].status.ended.ns,
				 joiners[0].status.ended.ns);
	}
	kin_process_close(p);
}
END_TEST

/* ---- who is who ---- */

static int
introduce(kin_call *call)
{
	kin_process *self = kin_process_self();
	kin_process *parent = kin_process_parent();
	int pid = getpid(), names, alive;

	if (parent == NULL || parent != kin_process_parent() ||
	    self != kin_process_self() || kin_process_pid(self) != pid ||
	    kin_process_join(self, NULL, KIN_NOWAIT) != -EDEADLK ||
	    kin_process_join(parent, NULL, KIN_NOWAIT) != -ETIMEDOUT)
		return 1;
	kin_process_close(self);
	kin_process_close(parent);
	names = strcmp(kin_process_name(self), "somebody") == 0;
	alive = kin_process_alive(self) == 1 && kin_process_alive(parent) == 1;
	pid = kin_process_pid(parent);
	return kin_call_return(call, pid, names, alive,
			       kin_process_name(parent));
}
KIN_ENTRY(introduce);

START_TEST(self_and_parent)
{
	kin_process *p, *self = kin_process_self();
	int pid, named, alive;
	const char *name;

	ck_assert_ptr_null(kin_process_parent());
	ck_assert_int_eq(kin_process_pid(self), getpid());
	ck_assert_str_eq(kin_process_name(self), "test_process_fa");
	ck_kin_ok(kin_process_start(&p, introduce, KIN_ARGS(),
				    OPTS(.name = "somebody")));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&pid, &named, &alive, &name),
				     KIT_PATIENCE));
	ck_assert_int_eq(pid, getpid());
	ck_assert(named && alive);
	ck_assert_str_eq(name, "test_process_fa");
	kin_process_close(p);
}
END_TEST

static int
outlive_parent(kin_call *call)
{
	kin_process *parent = kin_process_parent();
	struct pollfd end = { .events = POLLIN };

	(void)call;
	end.fd = kin_process_fd(parent);
	raise_flag(1);
	await_flag(2);			/* it is detached */
	if (kin_process_join(parent, NULL, KIT_PATIENCE) < 0 ||
	    kin_process_alive(parent) != 0 || poll(&end, 1, 0) != 1 ||
	    kin_process_kill(parent) != -ESRCH)
		return 1;
	raise_flag(3);
	return 0;
}
KIN_ENTRY(outlive_parent);

static void __attribute__((noreturn))
detach_and_wait(uint32_t flags)
{
	kin_process *p, *other = start(wait_to_be_killed, KIN_ARGS());

	ck_kin_ok(kin_process_start(&p, outlive_parent, KIN_ARGS(),
				    OPTS(.flags = flags)));
	await_flag(1);
	if (flags == 0)
		ck_kin_ok(kin_process_detach(p));
	board->pids[0] = kin_process_pid(p);
	board->pids[1] = kin_process_pid(other);
	raise_flag(2);
	for (;;)
		pause();
}

static void
ck_outlives(uint32_t flags)
{
	int detached, other;
	pid_t pid = kit_fork();

	if (pid == 0)
		detach_and_wait(flags);
	await_flag(2);
	detached = pidfd_of(board->pids[0]);
	other = pidfd_of(board->pids[1]);
	kit_kill(pid);
	ck_ends(other);
	await_flag(3);
	ck_ends(detached);
	reap_all();
}

START_TEST(one_that_is_detached_outlives_its_parent)
{
	ck_outlives(0);
}
END_TEST

START_TEST(one_that_is_born_detached)
{
	ck_outlives(KIN_PROCESS_DETACHED);
}
END_TEST

/* They may have ended before they could be detached: no failure. */
START_TEST(ones_that_end_at_once)
{
	kin_process *p;
	int i, zero = 0;

	for (i = 0; i < 50; i++) {
		ck_kin_ok(kin_process_start(&p, return_number, KIN_ARGS(zero),
					    OPTS(.flags =
						 KIN_PROCESS_DETACHED)));
		ck_exited(finish(p), 0);
	}
}
END_TEST

START_TEST(who_cannot_be_detached)
{
	int zero = 0;
	kin_process *p = start(return_number, KIN_ARGS(zero));

	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	ck_kin_fails(-ESRCH, kin_process_detach(p));
	kin_process_close(p);
	ck_kin_fails(-EINVAL, kin_process_detach(kin_process_self()));
	ck_kin_fails(-EINVAL, kin_process_start(&p, work, KIN_ARGS(),
	    OPTS(.flags = KIN_PROCESS_DETACHED | KIN_PROCESS_DAEMON)));
}
END_TEST

START_TEST(children_one_after_another)
{
	struct kin_child child = { 0 };
	kin_process *p[3];
	pid_t pids[3];
	int i;

	for (i = 0; i < 3; i++) {
		p[i] = start(wait_to_be_killed, KIN_ARGS());
		pids[i] = kin_process_pid(p[i]);
	}
	ck_kin_ok(kin_process_kill(p[1]));
	ck_kin_ok(kin_process_join(p[1], NULL, KIT_PATIENCE));
	kin_process_close(p[0]);
	for (i = 2; i >= 0; i--) {
		ck_assert_int_eq(kin_process_children(&child), 1);
		ck_assert_int_eq(child.pid, pids[i]);
		ck_assert_ptr_eq(child.process, i == 0 ? NULL : p[i]);
		ck_assert_uint_eq(child.alive, i != 1);
		ck_assert_str_eq(child.name, "wait_to_be_kill");
		/* The one we stand on may go. */
		if (i == 1)
			kin_process_close(p[1]);
	}
	ck_assert_int_eq(kin_process_children(&child), 0);
	i = pidfd_of(pids[0]);
	ck_assert_int_eq(kill(pids[0], SIGKILL), 0);
	ck_ends(i);
	ck_kin_ok(kin_process_kill(p[2]));
	ck_killed(finish(p[2]), SIGKILL);	/* collects the other, too */
	kin_process_close(NULL);
}
END_TEST

/* ---- the end ---- */

static void
write_letter(void *letter)
{
	size_t at = strlen(board->text);

	if (at + 1 < sizeof(board->text))
		board->text[at] = *(const char *)letter;
}

static void
add_letters(void)
{
	ck_kin_ok(kin_finaliser_add(write_letter, (void *)"l", 0));
	ck_kin_ok(kin_finaliser_add(write_letter, (void *)"z", -1));
	ck_kin_ok(kin_finaliser_add(write_letter, (void *)"f", 9));
	ck_kin_ok(kin_finaliser_add(write_letter, (void *)"k", 0));
}

/* In an entry, where Check may not be. */
static int
write_own(kin_call *call)
{
	static char never[] = "n";

	(void)call;
	return kin_finaliser_add(write_letter, (void *)"B", -3) < 0 ||
	       kin_finaliser_add(write_letter, never, 3) < 0 ||
	       kin_finaliser_add(write_letter, (void *)"A", 3) < 0 ||
	       kin_finaliser_remove(write_letter, never) < 0 ||
	       kin_finaliser_remove(write_letter, never) != -ENOENT;
}
KIN_ENTRY(write_own);

static void __attribute__((noreturn))
end_with_child(void)
{
	add_letters();
	ck_exited(finish(start(write_own, KIN_ARGS())), 0);
	exit(3);
}

/* The child's own first, and none of its parent's in it. */
START_TEST(finalisers_in_their_order)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		end_with_child();
	kit_reap(pid, 3);
	ck_assert_str_eq(board->text, "ABfklz");
	reap_all();			/* its fork server */
}
END_TEST

static int
wait_and_write(kin_call *call)
{
	(void)call;
	raise_flag(1);
	await_flag(2);
	write_letter((void *)"c");
	return 0;
}
KIN_ENTRY(wait_and_write);

static void
raise_two(void *user)
{
	(void)user;
	raise_flag(2);
}

static void __attribute__((noreturn))
end_before_child(void)
{
	add_letters();
	ck_kin_ok(kin_finaliser_add(raise_two, NULL, 0));
	kin_process_close(start(wait_and_write, KIN_ARGS()));
	await_flag(1);
	exit(4);
}

START_TEST(an_exit_waits_for_children)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		end_before_child();
	kit_reap(pid, 4);
	ck_assert_str_eq(strchr(board->text, 'c'), "cz");
	reap_all();
}
END_TEST

static int
nest_one(kin_call *call)
{
	kin_process *p;

	(void)call;
	if (kin_process_start(&p, wait_and_write, KIN_ARGS(), NULL) < 0)
		return 1;
	kin_process_close(p);
	await_flag(1);
	return kin_finaliser_add(raise_two, NULL, 0) < 0 ? 2 : 6;
}
KIN_ENTRY(nest_one);

START_TEST(an_entry_waits_for_its_children)
{
	ck_exited(finish(start(nest_one, KIN_ARGS())), 6);
	ck_assert_str_eq(board->text, "c");
	kin_context_close(start_by);	/* whose fork server is a child */
	start_by = NULL;
	reap_all();			/* and so was that of its own */
}
END_TEST

static int
be_daemon(kin_call *call)
{
	int stubborn;

	if (kin_call_take(call, &stubborn) < 0)
		return 1;
	signal(SIGTERM, stubborn ? SIG_IGN : SIG_DFL);
	__atomic_fetch_add(&board->calls, 1, __ATOMIC_RELEASE);
	return wait_to_be_killed(call);
}
KIN_ENTRY(be_daemon);

static void __attribute__((noreturn))
end_with_daemons(void)
{
	kin_process *p;
	int i;

	for (i = 0; i < 2; i++) {
		ck_kin_ok(kin_process_start(&p, be_daemon, KIN_ARGS(i),
					    OPTS(.flags = KIN_PROCESS_DAEMON)));
		board->pids[i] = kin_process_pid(p);
	}
	while (__atomic_load_n(&board->calls, __ATOMIC_ACQUIRE) < 2)
		sched_yield();
	raise_flag(1);
	await_flag(2);
	exit(8);
}

START_TEST(daemons_are_ended)
{
	int one, other;
	pid_t pid;

	pid = kit_fork();
	if (pid == 0)
		end_with_daemons();
	await_flag(1);
	one = pidfd_of(board->pids[0]);
	other = pidfd_of(board->pids[1]);
	raise_flag(2);
	kit_reap(pid, 8);
	ck_ends(one);
	ck_ends(other);
	reap_all();
}
END_TEST

static void __attribute__((noreturn))
end_and_hang(void)
{
	signal(SIGINT, note_interrupt);
	board->pids[0] = kin_process_pid(start(wait_to_be_killed, KIN_ARGS()));
	ck_kin_ok(kin_finaliser_add(raise_two, NULL, 0));
	exit(0);
}

/* Though it has a handler: who would look at what that has noted? */
START_TEST(an_interrupt_ends_who_waits_for_children)
{
	struct pollfd end = { .events = POLLIN };
	int status, child;
	pid_t pid = kit_fork();

	if (pid == 0)
		end_and_hang();
	await_flag(2);
	child = pidfd_of(board->pids[0]);
	end.fd = pidfd_of(pid);
	do
		ck_assert_int_eq(kill(pid, SIGINT), 0);
	while (poll(&end, 1, 10) == 0);
	close(end.fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_ends(child);
	reap_all();
}
END_TEST

/* ---- the line of life ---- */

static void *
start_in_thread(void *arg)
{
	kin_process **ret = arg;

	*ret = start(wait_for_flag, KIN_ARGS());
	await_flag(1);
	return NULL;
}

/* Unlike the parent-death signal. */
START_TEST(the_thread_that_started_it_may_end)
{
	pthread_t thread;
	kin_process *p;

	ck_assert_int_eq(pthread_create(&thread, NULL, start_in_thread, &p), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	raise_flag(2);
	ck_exited(finish(p), 5);
}
END_TEST

static void __attribute__((noreturn))
be_first_of_namespace(void)
{
	int code = 7, status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(errno == EPERM ? 77 : 1);
	pid = kit_fork();
	if (pid == 0) {
		ck_assert_int_eq(getpid(), 1);
		ck_exited(finish(start(return_number, KIN_ARGS(code))), 7);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

/* A child whose parent is pid 1 from the first has not lost one. */
START_TEST(a_parent_with_the_first_pid)
{
	int status;
	pid_t pid = kit_fork();

	if (pid == 0)
		be_first_of_namespace();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		fprintf(stderr, "# SKIP: no namespaces for us\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

static void
add_status(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "status", kind);

	tcase_add_test(tc, every_signal_is_told_apart);
	tcase_add_test(tc, every_code_is_told_whole);
	tcase_add_test(tc, its_times_and_usage);
	tcase_add_test(tc, who_killed_it);
	tcase_add_test(tc, an_interrupt_is_heeded_by_who_wants_to);
	if (kind != KIN_CONTEXT_FORKSERVER)	/* they are its children */
		tcase_add_test(tc, a_status_that_others_took);
	tcase_add_test(tc, many_threads_join_one);
}

static void
add_family(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "family", kind);

	tcase_add_test(tc, self_and_parent);
	tcase_add_test(tc, one_that_is_detached_outlives_its_parent);
	tcase_add_test(tc, one_that_is_born_detached);
	tcase_add_test(tc, ones_that_end_at_once);
	tcase_add_test(tc, who_cannot_be_detached);
	tcase_add_test(tc, children_one_after_another);

	tc = context_case(suite, "end", kind);
	tcase_add_test(tc, finalisers_in_their_order);
	tcase_add_test(tc, an_exit_waits_for_children);
	tcase_add_test(tc, an_entry_waits_for_its_children);
	tcase_add_test(tc, daemons_are_ended);
	tcase_add_test(tc, an_interrupt_ends_who_waits_for_children);

	tc = context_case(suite, "line of life", kind);
	if (kind != KIN_CONTEXT_FORK)		/* it has another thread */
		tcase_add_test(tc, the_thread_that_started_it_may_end);
	tcase_add_test(tc, a_parent_with_the_first_pid);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_family");
	int r = kin_init(argc, argv);
	uint32_t kind;

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++) {
		add_status(suite, kind);
		add_family(suite, kind);
	}
	return kit_run(suite);
}
