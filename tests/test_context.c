/* SPDX-License-Identifier: MIT */
/*
 * test_context.c - the promises of kin/context.h: what the ways to start have in
 * common
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	return kit_run(suite);
}
