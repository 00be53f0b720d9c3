/* SPDX-License-Identifier: MIT */
/*
 * test_context.c - the promises of kin/context.h: what the ways to start have in
 * common, and what fork servers do when they are killed
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

#define LARGE		(8u << 20)

/* ---- in all of them ---- */

static int
check_large(kin_call *call)
{
	const unsigned char *bytes;
	size_t len, i;

	await_flag(1);
	if (kin_call_take(call, KIN_BIN(&bytes, &len)) < 0 || len != LARGE)
		return 1;
	for (i = 0; i < len; i++)
		if (bytes[i] != (unsigned char)(i >> 8))
			return 2;
	return 0;
}
KIN_ENTRY(check_large);

/* The child looks at them only when start has returned. */
START_TEST(arguments_of_any_size_do_not_wait_for_it)
{
	unsigned char *bytes = malloc(LARGE);
	kin_process *p;
	size_t i;

	ck_assert_ptr_nonnull(bytes);
	for (i = 0; i < LARGE; i++)
		bytes[i] = (unsigned char)(i >> 8);
	p = start(check_large, KIN_ARGS(KIN_BIN(bytes, LARGE)));
	free(bytes);
	raise_flag(1);
	ck_exited(finish(p), 0);
}
END_TEST

static int
give_all_kinds(kin_call *call)
{
	kin_queue *q;
	const char *text;
	double x;
	int fd, r;

	r = kin_call_take(call, &q, KIN_FD(&fd), &text, &x);
	if (r < 0)
		return r;
	r = kin_queue_put(q, text, strlen(text), KIT_PATIENCE);
	if (r < 0 || write(fd, "w", 1) != 1)
		return -EIO;
	return kin_call_return(call, x * 2, text, KIN_FD(fd));
}
KIN_ENTRY(give_all_kinds);

START_TEST(arguments_and_results_are_the_same)
{
	char text[16] = "";
	const char *back;
	kin_process *p;
	int ends[2], fd;
	kin_queue *q;
	double x;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_kin_ok(kin_queue_create(&q, NULL));
	p = start(give_all_kinds, KIN_ARGS(q, KIN_FD(ends[1]), "words", 1.25));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&x, &back, KIN_FD(&fd)),
				     KIT_PATIENCE));
	ck_assert(x == 2.5);
	ck_assert_str_eq(back, "words");
	ck_assert_int_eq(kin_queue_get(q, text, sizeof(text), KIT_PATIENCE), 5);
	ck_assert_str_eq(text, "words");
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(read(ends[0], text, sizeof(text)), 2);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	kin_process_close(p);
	kin_queue_close(q);
}
END_TEST

static int
look_around(kin_call *call)
{
	char here[256], link[256];
	const char *there;
	ssize_t n;
	int fd;

	if (kin_call_take(call, &there, KIN_FD(&fd)) < 0 ||
	    getcwd(here, sizeof(here)) == NULL)
		return 1;
	n = readlink("/proc/self/fd/1", link, sizeof(link) - 1);
	if (n < 0)
		return 2;
	link[n] = '\0';
	if (strcmp(here, there) != 0)
		return 3;
	return strcmp(link, "/dev/full") == 0 ? 0 : 4;
}
KIN_ENTRY(look_around);

/* Wherever they were when a server was started. */
START_TEST(directory_and_streams_are_the_parents)
{
	int saved = dup(1), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	kin_process *p;

	finish(start(return_number, KIN_ARGS(0)));
	ck_assert_int_eq(chdir("/usr"), 0);
	dup2(full, 1);
	p = start(look_around, KIN_ARGS("/usr", KIN_FD(full)));
	dup2(saved, 1);
	ck_assert_int_eq(fchdir(home), 0);
	ck_exited(finish(p), 0);
	close(saved);
	close(full);
	close(home);
}
END_TEST

static void *
start_and_join(void *arg)
{
	uintptr_t bad = 0;
	int i;

	(void)arg;
	for (i = 0; i < 20; i++) {
		struct kin_status status = finish(start(return_number,
							KIN_ARGS(i)));

		bad += status.how != KIN_EXITED || status.code != i;
	}
	return (void *)bad;
}

/* Not a fork: what other threads hold is not there. */
START_TEST(threads_are_no_hindrance)
{
	pthread_t threads[4];
	void *bad;
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						start_and_join, NULL), 0);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
}
END_TEST

/* Its write end, if a child had it, would be open for as long as that runs. */
START_TEST(only_what_is_named_is_inherited)
{
	kin_process *p;
	int ends[2];
	char c;

	ck_assert_int_eq(pipe(ends), 0);	/* not close-on-exec */
	p = start(wait_for_flag, KIN_ARGS());
	await_flag(1);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &c, 1), 0);
	raise_flag(2);
	ck_exited(finish(p), 5);
	close(ends[0]);
}
END_TEST

int no_entry(kin_call *call);

int __attribute__((visibility("default")))
no_entry(kin_call *call)
{
	(void)call;
	return 0;
}

START_TEST(what_is_no_entry_is_refused)
{
	kin_process *p = (void *)board;

	ck_kin_fails(-EINVAL, kin_process_start(&p, no_entry, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = start_by)));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "KIN_ENTRY"));
	ck_assert_ptr_eq(p, (void *)board);
}
END_TEST

static int
who_am_i(kin_call *call)
{
	sigset_t set;
	struct sigaction act;

	(void)call;
	sigprocmask(SIG_SETMASK, NULL, &set);
	if (sigismember(&set, SIGTERM) || sigismember(&set, SIGCHLD))
		return 1;
	sigaction(SIGPIPE, NULL, &act);
	if (act.sa_handler != SIG_DFL)
		return 2;
	sigaction(SIGINT, NULL, &act);
	return act.sa_handler == SIG_IGN ? 0 : 3;
}
KIN_ENTRY(who_am_i);

START_TEST(its_signals_are_as_at_first)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGPIPE, SIG_IGN);
	ck_exited(finish(start(who_am_i, KIN_ARGS())), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
}
END_TEST

/* ---- contexts ---- */

START_TEST(contexts_that_cannot_be_are_refused)
{
	static const char *const none[] = { NULL };
	kin_context *c = (void *)board;

	ck_kin_fails(-EINVAL, kin_context_create(&c,
	    KIN_OPTS(kin_context_opts, .kind = 3)));
	ck_kin_fails(-EINVAL, kin_context_create(&c,
	    KIN_OPTS(kin_context_opts, .kind = KIN_CONTEXT_FORK,
		     .libraries = none)));
	ck_kin_fails(-EINVAL, kin_context_create(&c,
	    KIN_OPTS(kin_context_opts, .kind = KIN_CONTEXT_SPAWN,
		     .prepare = who_am_i)));
	ck_assert_ptr_eq(c, (void *)board);
	kin_context_close(NULL);
	ck_assert_str_eq(kin_context_name(kin_context_fork()), "fork");
	ck_assert_str_eq(kin_context_name(kin_context_spawn()), "spawn");
	ck_assert_str_eq(kin_context_name(kin_context_forkserver()),
			 "forkserver");
}
END_TEST

/* The kit has set it. */
START_TEST(the_default_is_set_once)
{
	ck_kin_fails(-EALREADY, kin_context_set_default(kin_context_spawn()));
	ck_assert_ptr_eq(kin_context_default(), kin_context_fork());
}
END_TEST

static int
tell_variable(kin_call *call)
{
	const char *value = getenv("KIN_TEST_COLOUR");

	return kin_call_return(call, value != NULL ? value : "");
}
KIN_ENTRY(tell_variable);

START_TEST(a_context_says_what_options_do_not)
{
	static const char *const env[] = { "KIN_TEST_COLOUR=red", NULL };
	static const char *const other[] = { "KIN_TEST_COLOUR=blue", NULL };
	static const uint32_t kinds[] = { KIN_CONTEXT_FORKSERVER,
					  KIN_CONTEXT_SPAWN, KIN_CONTEXT_FORK };
	const char *value;
	kin_context *c;
	kin_process *p;
	int i;

	for (i = 0; i < 3; i++) {
		ck_kin_ok(kin_context_create(&c,
		    KIN_OPTS(kin_context_opts, .kind = kinds[i], .env = env)));
		ck_kin_ok(kin_process_start(&p, tell_variable, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .context = c)));
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&value),
					     KIT_PATIENCE));
		ck_assert_str_eq(value, "red");
		kin_process_close(p);
		ck_kin_ok(kin_process_start(&p, tell_variable, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .context = c, .env = other)));
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&value),
					     KIT_PATIENCE));
		ck_assert_str_eq(value, "blue");
		kin_process_close(p);
		kin_context_close(c);
	}
}
END_TEST

/* ---- fork servers ---- */

static int prepared;

static int
get_ready(kin_call *call)
{
	(void)call;
	prepared++;
	return 0;
}
KIN_ENTRY(get_ready);

static int
tell_prepared(kin_call *call)
{
	return kin_call_return(call, prepared, (int)getppid());
}
KIN_ENTRY(tell_prepared);

/* One that has just been killed has left its child to us. */
static pid_t
server_of(kin_context *c)
{
	int ready, ppid;
	kin_process *p;

	do {
		ck_kin_ok(kin_process_start(&p, tell_prepared, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .context = c)));
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&ready, &ppid),
					     KIT_PATIENCE));
		kin_process_close(p);
	} while (ppid == getpid());
	return ppid;
}

START_TEST(what_is_prepared_is_there_once_for_all)
{
	int i, ready, ppid, first = 0;
	kin_context *c;
	kin_process *p;

	ck_kin_ok(kin_context_create(&c,
	    KIN_OPTS(kin_context_opts, .prepare = get_ready)));
	for (i = 0; i < 3; i++) {
		ck_kin_ok(kin_process_start(&p, tell_prepared, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .context = c)));
		ck_kin_ok(kin_process_result(p, KIN_TAKE(&ready, &ppid),
					     KIT_PATIENCE));
		kin_process_close(p);
		ck_assert_int_eq(ready, 1);
		ck_assert_int_ne(ppid, getpid());
		ck_assert(first == 0 || first == ppid);
		first = ppid;
	}
	ck_assert_int_eq(prepared, 0);
	kin_context_close(c);
}
END_TEST

static int
fail_to_prepare(kin_call *call)
{
	(void)call;
	return kin_queue_attach(&(kin_queue *){ NULL }, 0);
}
KIN_ENTRY(fail_to_prepare);

static int
die_preparing(kin_call *call)
{
	(void)call;
	raise(SIGKILL);
	return 0;
}
KIN_ENTRY(die_preparing);

static void *
stay(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int
leave_a_thread(kin_call *call)
{
	pthread_t thread;

	(void)call;
	return -pthread_create(&thread, NULL, stay, NULL);
}
KIN_ENTRY(leave_a_thread);

static void
ck_server_fails(int number, kin_entry_fn *prepare, const char *library,
		const char *words)
{
	const char *const libraries[] = { library, NULL };
	kin_process *p = (void *)board;
	kin_context *c;
	int i;

	ck_kin_ok(kin_context_create(&c,
	    KIN_OPTS(kin_context_opts, .prepare = prepare,
		     .libraries = libraries)));
	for (i = 0; i < 2; i++) {
		ck_kin_fails(number, kin_process_start(&p, return_number,
		    KIN_ARGS(i), KIN_OPTS(kin_process_opts, .context = c)));
		ck_assert_msg(strstr(kin_errmsg(), words) != NULL, "%s",
			      kin_errmsg());
		ck_assert_ptr_eq(p, (void *)board);
	}
	kin_context_close(c);
}

START_TEST(a_server_that_cannot_begin_says_why)
{
	ck_server_fails(-EPROTO, fail_to_prepare, NULL, "fork server");
	ck_server_fails(-EOWNERDEAD, die_preparing, NULL, "SIGKILL");
	ck_server_fails(-EBUSY, leave_a_thread, NULL, "thread");
	ck_server_fails(-EINVAL, no_entry, NULL, "KIN_ENTRY");
	ck_server_fails(-ELIBACC, NULL, "/nowhere/libnone.so", "libnone.so");
}
END_TEST

/* Told truly by the kernel that collects it, or not known. */
static void
ck_end_without_server(struct kin_status status, int code)
{
	if (status.how != KIN_UNKNOWN)
		ck_exited(status, code);
}

/* Those that a killed server has left to us, as it would to init. */
static void
collect_orphans(void)
{
	kin_context_close(start_by);
	start_by = NULL;
	await_orphans();
}

static void
kill_server(pid_t server)
{
	ck_assert_int_eq(kill(server, SIGKILL), 0);
}

START_TEST(a_killed_server_leaves_its_children_running)
{
	kin_process *p = start(wait_for_flag, KIN_ARGS());
	kin_process *q;
	int code = 8;

	await_flag(1);
	kill_server(server_of(start_by));
	q = start(return_number, KIN_ARGS(code));
	ck_exited(finish(q), code);
	ck_kin_fails(-ETIMEDOUT, kin_process_join(p, NULL, KIN_NOWAIT));
	ck_assert_int_eq(kin_process_alive(p), 1);
	raise_flag(2);
	while (kin_process_alive(p) == 1)
		sched_yield();
	ck_assert_int_eq(waitpid(kin_process_pid(p), NULL, 0),
			 kin_process_pid(p));
	ck_end_without_server(finish(p), 5);
}
END_TEST

START_TEST(an_end_that_nobody_collects_is_no_hang)
{
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());
	struct kin_status status;

	kill_server(server_of(start_by));
	ck_exited(finish(start(return_number, KIN_ARGS(0))), 0);
	ck_kin_ok(kin_process_kill(p));
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	if (status.how != KIN_UNKNOWN)
		ck_killed(status, SIGKILL);
	kin_process_close(p);
	collect_orphans();
}
END_TEST

START_TEST(a_server_killed_again_and_again_is_replaced)
{
	int i;

	for (i = 0; i < 30; i++) {
		kill_server(server_of(start_by));
		ck_exited(finish(start(return_number, KIN_ARGS(i))), i);
	}
}
END_TEST

static void *
kill_servers(void *arg)
{
	pid_t *server = arg, pid;

	while (!__atomic_load_n(&board->stop, __ATOMIC_RELAXED)) {
		pid = __atomic_exchange_n(server, 0, __ATOMIC_ACQ_REL);
		if (pid != 0)
			kill(pid, SIGKILL);
		sched_yield();
	}
	return NULL;
}

/* A pid is told only by a child of the server, so it is its own or nobody's. */
START_TEST(servers_killed_at_any_time_lose_no_start)
{
	pid_t server = 0;
	pthread_t thread;
	int i;

	signal(SIGCHLD, SIG_IGN);	/* we collect orphans as init would */
	ck_assert_int_eq(pthread_create(&thread, NULL, kill_servers, &server),
			 0);
	for (i = 0; i < 150; i++) {
		kin_process *p = start(return_number, KIN_ARGS(i));
		struct kin_status status;

		if (i % 3 == 0)
			__atomic_store_n(&server, server_of(start_by),
					 __ATOMIC_RELEASE);
		ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
		ck_end_without_server(status, i);
		kin_process_close(p);
	}
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	collect_orphans();
}
END_TEST

START_TEST(a_closed_context_leaves_its_children_running)
{
	kin_process *p;
	kin_context *c;

	ck_kin_ok(kin_context_create(&c, NULL));
	ck_kin_ok(kin_process_start(&p, wait_for_flag, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = c)));
	await_flag(1);
	kin_context_close(c);
	ck_assert_int_eq(kin_process_alive(p), 1);
	raise_flag(2);
	ck_exited(finish(p), 5);
}
END_TEST

START_TEST(a_server_is_no_child_to_be_seen)
{
	struct kin_child child = { 0 };

	ck_exited(finish(start(return_number, KIN_ARGS(0))), 0);
	ck_assert_int_eq(kin_process_children(&child), 0);
}
END_TEST

/* A thousand that nobody joins do not fill what lies between us. */
START_TEST(many_ends_that_nobody_hears_do_not_block_it)
{
	kin_process *crowd[400];
	int i;

	for (i = 0; i < 400; i++)
		crowd[i] = start(return_number, KIN_ARGS(i));
	for (i = 400; i-- > 0; )
		ck_exited(finish(crowd[i]), i);
}
END_TEST

static void
add_common(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, kind == KIN_CONTEXT_FORK ? "fork" :
				 kind == KIN_CONTEXT_SPAWN ? "spawn" :
				 "forkserver", kind);

	tcase_add_test(tc, arguments_of_any_size_do_not_wait_for_it);
	tcase_add_test(tc, arguments_and_results_are_the_same);
	tcase_add_test(tc, directory_and_streams_are_the_parents);
	if (kind == KIN_CONTEXT_FORK)
		return;
	tcase_add_test(tc, threads_are_no_hindrance);
	tcase_add_test(tc, only_what_is_named_is_inherited);
	tcase_add_test(tc, what_is_no_entry_is_refused);
	tcase_add_test(tc, its_signals_are_as_at_first);
}

static void
add_servers(Suite *suite)
{
	TCase *tc = context_case(suite, "fork servers",
				 KIN_CONTEXT_FORKSERVER);

	tcase_add_test(tc, what_is_prepared_is_there_once_for_all);
	tcase_add_test(tc, a_server_that_cannot_begin_says_why);
	tcase_add_test(tc, a_killed_server_leaves_its_children_running);
	tcase_add_test(tc, an_end_that_nobody_collects_is_no_hang);
	tcase_add_test(tc, a_server_killed_again_and_again_is_replaced);
	tcase_add_test(tc, servers_killed_at_any_time_lose_no_start);
	tcase_add_test(tc, a_closed_context_leaves_its_children_running);
	tcase_add_test(tc, a_server_is_no_child_to_be_seen);
	tcase_add_test(tc, many_ends_that_nobody_hears_do_not_block_it);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("context");
	uint32_t kind;
	TCase *tc;
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++)
		add_common(suite, kind);
	tc = board_case(suite, "contexts");
	tcase_add_test(tc, contexts_that_cannot_be_are_refused);
	tcase_add_test(tc, the_default_is_set_once);
	tcase_add_test(tc, a_context_says_what_options_do_not);
	add_servers(suite);
	return kit_run(suite);
}
