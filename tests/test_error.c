/* SPDX-License-Identifier: MIT */
/*
 * test_error.c - the promises of kin/error.h, kin/opts.h and kin/time.h
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kit.h"

#define SECOND		1000000000

/* A kin call that always fails; its sentence names what. */
static void
fail_with(const char *what)
{
	kin_segment *seg;

	(void)mkdir(kit_names(), 0700);
	ck_assert_int_eq(kin_segment_open(&seg, what), -ENOENT);
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), what));
}

static int
nothing(kin_call *call)
{
	(void)call;
	return 0;
}

/* ---- words ---- */

START_TEST(every_number_of_the_header_has_a_name_and_a_meaning)
{
	static const struct {
		int number;
		const char *name;
	} of[] = {
		{ EINVAL, "EINVAL: " }, { E2BIG, "E2BIG: " },
		{ ETIMEDOUT, "ETIMEDOUT: " }, { EPIPE, "EPIPE: " },
		{ EMSGSIZE, "EMSGSIZE: " }, { ENOSPC, "ENOSPC: " },
		{ ENOMEM, "ENOMEM: " }, { EMFILE, "EMFILE: " },
		{ ENOENT, "ENOENT: " }, { EEXIST, "EEXIST: " },
		{ EPROTO, "EPROTO: " }, { EUCLEAN, "EUCLEAN: " },
		{ EPROTONOSUPPORT, "EPROTONOSUPPORT: " },
		{ EACCES, "EACCES: " }, { EBUSY, "EBUSY: " },
		{ EDEADLK, "EDEADLK: " }, { ESTALE, "ESTALE: " },
		{ EAGAIN, "EAGAIN: " }, { ESRCH, "ESRCH: " },
	};
	size_t i;

	for (i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		const char *words = kin_strerror(-of[i].number);

		ck_assert_msg(strncmp(words, of[i].name,
				      strlen(of[i].name)) == 0,
			      "%s is called '%s'", of[i].name, words);
		ck_assert_uint_gt(strlen(words), strlen(of[i].name));
	}
	ck_assert_str_eq(kin_strerror(-ETIMEDOUT),
			 "ETIMEDOUT: deadline passed");
}
END_TEST

START_TEST(unknown_numbers_are_told_apart)
{
	char first[64];

	snprintf(first, sizeof(first), "%s", kin_strerror(-98765));
	ck_assert_ptr_nonnull(strstr(first, "98765"));
	ck_assert_str_ne(kin_strerror(-98766), first);
}
END_TEST

START_TEST(the_least_number_has_words_too)
{
	ck_assert_ptr_nonnull(strstr(kin_strerror(INT_MIN), "2147483648"));
	ck_assert_ptr_nonnull(strstr(kin_strerror(-INT_MAX), "2147483647"));
}
END_TEST

START_TEST(what_is_not_negative_is_no_error)
{
	ck_assert_str_eq(kin_strerror(0), "no error");
	ck_assert_str_eq(kin_strerror(1), kin_strerror(0));
	ck_assert_str_eq(kin_strerror(EINVAL), kin_strerror(0));
	ck_assert_str_eq(kin_strerror(INT_MAX), kin_strerror(0));
}
END_TEST

/* ---- the message ---- */

START_TEST(before_any_failure_the_message_is_empty_not_null)
{
	pid_t pid = kit_fork();

	/* The fixture has failed nothing, and neither have we. */
	if (pid == 0)
		_exit(kin_errmsg() == NULL || kin_errmsg()[0] != '\0');
	kit_reap(pid, 0);
}
END_TEST

START_TEST(a_failure_replaces_the_message)
{
	fail_with("one");
	fail_with("two");
	ck_assert_ptr_null(strstr(kin_errmsg(), "one"));
}
END_TEST

static void
succeed_with_segments(void)
{
	kin_segment *a, *b, *named;

	ck_kin_ok(kin_segment_create(&a, KIN_OPTS(kin_segment_opts,
						  .bytes = 1)));
	ck_kin_ok(kin_segment_attach(&b, kin_segment_fd(a)));
	kin_segment_close(b);
	kin_segment_close(a);
	ck_kin_ok(kin_segment_create(&named, KIN_OPTS(kin_segment_opts,
						      .bytes = 1,
						      .name = "n")));
	ck_kin_ok(kin_segment_open(&b, "n"));
	ck_kin_ok(kin_segment_unlink("n"));
	kin_segment_close(b);
	kin_segment_close(named);
}

static void
succeed_with_queues(void)
{
	kin_queue *a, *b;
	char c;

	ck_kin_ok(kin_queue_create(&a, NULL));
	ck_kin_ok(kin_queue_attach(&b, kin_queue_fd(a)));
	ck_kin_ok(kin_queue_put(a, "x", 1, KIN_NOWAIT));
	ck_kin_ok(kin_queue_len(b));
	ck_kin_ok(kin_queue_get(b, &c, 1, KIN_NOWAIT));
	ck_kin_ok(kin_queue_shutdown(b, KIN_NOWAIT));
	kin_queue_close(b);
	kin_queue_close(a);
}

static void
succeed_with_processes(void)
{
	kin_inspection *all;
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, nothing, KIN_ARGS(), NULL));
	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	kin_process_close(p);
	ck_kin_ok(kin_inspect(&all));
	kin_inspect_free(all);
}

START_TEST(success_leaves_the_message)
{
	kit_forget();
	succeed_with_segments();
	ck_assert_msg(kit_forgotten(), "segments: %s", kin_errmsg());
	succeed_with_queues();
	ck_assert_msg(kit_forgotten(), "queues: %s", kin_errmsg());
	succeed_with_processes();
	ck_assert_msg(kit_forgotten(), "processes: %s", kin_errmsg());
}
END_TEST

static void *
fail_elsewhere(void *arg)
{
	static char before[8];
	kin_segment *seg;

	(void)arg;
	snprintf(before, sizeof(before), "%s", kin_errmsg());
	if (kin_segment_open(&seg, "theirs") != -ENOENT ||
	    strstr(kin_errmsg(), "theirs") == NULL)
		return NULL;
	return before;
}

START_TEST(the_message_is_the_threads_own)
{
	pthread_t thread;
	void *before;

	fail_with("mine");
	ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL),
			 0);
	ck_assert_int_eq(pthread_join(thread, &before), 0);
	ck_assert_ptr_nonnull(before);
	ck_assert_str_eq(before, "");	/* it began with none of ours */
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "mine"));
	ck_assert_ptr_null(strstr(kin_errmsg(), "theirs"));
}
END_TEST

START_TEST(the_message_is_one_line_however_long_the_name)
{
	char name[KIN_NAME_MAX + 1];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fail_with("short");
	ck_assert_int_eq(kin_segment_unlink(name), -ENOENT);
	ck_assert_ptr_null(strchr(kin_errmsg(), '\n'));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "nnn"));
}
END_TEST

/* ---- standard error ---- */

static int unasked;		/* what a call gives that must not return */

/* Run fn in a child; its status, and what it wrote on standard error. */
static int
overhear(void (*fn)(void), char *text, size_t cap)
{
	size_t got = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = kit_fork();
	if (pid == 0) {
		static const struct rlimit no_core;

		setrlimit(RLIMIT_CORE, &no_core);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		fn();
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + got, cap - 1 - got)) > 0)
		got += (size_t)n;
	text[got] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void
complain(void)
{
	kin_segment *seg;
	int r = kin_segment_open(&seg, "jobs");

	_exit(kin_perror("me", r) == 1 ? 0 : 1);
}

START_TEST(perror_prints_it_all_and_returns_one)
{
	char text[1024];
	int status = overhear(complain, text, sizeof(text));

	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(strncmp(text, "me: ENOENT: ", 12), 0);
	ck_assert_ptr_nonnull(strstr(text, " ("));
	ck_assert_ptr_nonnull(strstr(text, kit_names()));
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

#define BUG(name, expr)							\
	static void							\
	name(void)							\
	{								\
		unasked = (expr) != 0;					\
	}

BUG(bug_data, kin_segment_data(NULL))
BUG(bug_bytes, kin_segment_bytes(NULL))
BUG(bug_fd, kin_segment_fd(NULL))
BUG(bug_label, kin_segment_label(NULL))
BUG(bug_put, kin_queue_put(NULL, "", 0, KIN_NOWAIT))
BUG(bug_get, kin_queue_get(NULL, NULL, 0, KIN_NOWAIT))
BUG(bug_shutdown, kin_queue_shutdown(NULL, KIN_NOWAIT))
BUG(bug_len, kin_queue_len(NULL))
BUG(bug_limit, kin_queue_limit(NULL))
BUG(bug_queue_fd, kin_queue_fd(NULL))
BUG(bug_queue_label, kin_queue_label(NULL))
BUG(bug_join, kin_process_join(NULL, NULL, KIN_NOWAIT))
BUG(bug_signal, kin_process_signal(NULL, 0))
BUG(bug_pid, kin_process_pid(NULL))
BUG(bug_process_fd, kin_process_fd(NULL))
BUG(bug_name, kin_process_name(NULL))
BUG(bug_call, kin_call_values(NULL))
BUG(bug_inspect, kin_inspect(NULL))
BUG(bug_next, kin_inspect_next(NULL, NULL))
BUG(bug_holder, kin_inspect_next_holder(NULL, NULL, NULL))
BUG(bug_fact, kin_inspect_next_fact(NULL, NULL, NULL))
BUG(bug_hidden, kin_inspect_hidden(NULL))

static void
bug_start(void)
{
	kin_process *p;

	unasked = kin_process_start(&p, NULL, KIN_ARGS(), NULL);
}

static void (*const bugs[])(void) = {
	bug_data, bug_bytes, bug_fd, bug_label, bug_put, bug_get,
	bug_shutdown, bug_len, bug_limit, bug_queue_fd, bug_queue_label,
	bug_join, bug_signal, bug_pid, bug_process_fd, bug_name, bug_call,
	bug_inspect, bug_next, bug_holder, bug_fact, bug_hidden, bug_start,
};

START_TEST(a_null_handle_aborts_with_one_line)
{
	char text[1024];
	int status = overhear(bugs[_i], text, sizeof(text));

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
		      "bug %d: status %#x", _i, (unsigned)status);
	ck_assert_msg(strncmp(text, "kin: ", 5) == 0,
		      "bug %d: '%s'", _i, text);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

static void
let_go_of_nothing(void)
{
	kin_segment_close(NULL);
	kin_queue_close(NULL);
	kin_process_close(NULL);
	kin_inspect_free(NULL);
}

START_TEST(letting_go_of_null_does_nothing)
{
	char text[64];

	ck_assert_int_eq(overhear(let_go_of_nothing, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

/* ---- options ---- */

START_TEST(options_without_a_size_are_refused)
{
	struct kin_segment_opts seg_opts = { .bytes = 1 };
	struct kin_queue_opts q_opts = { .bytes = 1 };
	struct kin_process_opts p_opts = { .name = "p" };
	kin_segment *seg;
	kin_process *p;
	kin_queue *q;

	ck_kin_fails(-EINVAL, kin_segment_create(&seg, &seg_opts));
	ck_kin_fails(-EINVAL, kin_queue_create(&q, &q_opts));
	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, KIN_ARGS(),
						&p_opts));
	seg_opts.size = sizeof(seg_opts.size) - 1;
	ck_kin_fails(-EINVAL, kin_segment_create(&seg, &seg_opts));
}
END_TEST

/* What the older program did not know is not even looked at. */
START_TEST(a_shorter_struct_means_zero_for_the_rest)
{
	struct kin_segment_opts seg_opts = {
		.size = offsetof(struct kin_segment_opts, name),
		.bytes = 1,
		.name = "never/read",
		.label = "never read",
	};
	struct kin_queue_opts q_opts = {
		.size = sizeof(q_opts.size),
		.flags = UINT32_MAX,
		.members = UINT32_MAX,
	};
	kin_segment *seg;
	kin_queue *q;

	ck_kin_ok(kin_segment_create(&seg, &seg_opts));
	ck_assert_str_eq(kin_segment_label(seg), "");
	kin_segment_close(seg);
	ck_kin_ok(kin_queue_create(&q, &q_opts));
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	kin_queue_close(q);
}
END_TEST

struct newer_segment_opts {
	struct kin_segment_opts known;
	unsigned char unknown[24];
};

START_TEST(a_longer_struct_works_if_the_rest_is_zero)
{
	struct newer_segment_opts opts = {
		.known = { .size = sizeof(opts), .bytes = 5, .label = "new" },
	};
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, &opts.known));
	ck_assert_uint_eq(kin_segment_bytes(seg), 5);
	ck_assert_str_eq(kin_segment_label(seg), "new");
	kin_segment_close(seg);
}
END_TEST

START_TEST(a_longer_struct_that_asks_for_more_is_refused)
{
	struct newer_segment_opts opts = {
		.known = { .size = sizeof(opts), .bytes = 5 },
	};
	kin_segment *seg;
	size_t i;

	for (i = 0; i < sizeof(opts.unknown); i++) {
		opts.unknown[i] = 1;
		ck_kin_fails(-E2BIG, kin_segment_create(&seg, &opts.known));
		opts.unknown[i] = 0;
	}
}
END_TEST

START_TEST(a_longer_struct_is_refused_by_queues_and_processes_too)
{
	struct {
		struct kin_queue_opts known;
		uint64_t unknown;
	} q_opts = { { .size = sizeof(q_opts) }, 1 };
	struct {
		struct kin_process_opts known;
		uint64_t unknown;
	} p_opts = { { .size = sizeof(p_opts) }, 1 };
	kin_process *p;
	kin_queue *q;

	ck_kin_fails(-E2BIG, kin_queue_create(&q, &q_opts.known));
	ck_kin_fails(-E2BIG, kin_process_start(&p, nothing, KIN_ARGS(),
					       &p_opts.known));
}
END_TEST

START_TEST(unknown_flags_are_refused)
{
	const uint32_t known = KIN_SEGMENT_GROWABLE | KIN_SEGMENT_SPARSE |
			       KIN_SEGMENT_POPULATE | KIN_SEGMENT_HUGE;
	const uint32_t of_queues = KIN_QUEUE_OPEN_OR_CREATE | KIN_QUEUE_FAIL |
				   KIN_QUEUE_DROP_OLDEST | KIN_QUEUE_TASKS |
				   KIN_TRUST_OWNER | KIN_TRUST_GROUP;
	const uint32_t of_processes = KIN_PROCESS_THREADS | KIN_PROCESS_GROUP |
				      KIN_PROCESS_SESSION |
				      KIN_PROCESS_ENV_ONLY |
				      KIN_PROCESS_DAEMON |
				      KIN_PROCESS_DETACHED;
	uint32_t flag = 1u << _i;
	kin_segment *seg;
	kin_process *p;
	kin_queue *q;

	if (!(flag & known))
		ck_kin_fails(-EINVAL, kin_segment_create(&seg,
		    KIN_OPTS(kin_segment_opts, .bytes = 1, .flags = flag)));
	if (!(flag & of_queues))
		ck_kin_fails(-EINVAL, kin_queue_create(&q,
		    KIN_OPTS(kin_queue_opts, .flags = flag)));
	ck_kin_fails(-EINVAL, kin_queue_create(&q,
	    KIN_OPTS(kin_queue_opts, .reserved = flag)));
	if (!(flag & of_processes))
		ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, KIN_ARGS(),
		    KIN_OPTS(kin_process_opts, .flags = flag)));
}
END_TEST

/* ---- deadlines ---- */

static void
ck_forever(kin_time t)
{
	ck_assert_int_eq(t.ns, KIN_FOREVER.ns);
}

/* Between two looks at the clock. */
static void
ck_now(kin_time before, kin_time t)
{
	ck_assert_int_ge(t.ns, before.ns);
	ck_assert_int_le(t.ns, kin_now().ns);
}

START_TEST(a_negative_length_is_now)
{
	static const int64_t lengths[] = { 0, -1, -SECOND, INT64_MIN,
					   INT64_MIN + 1, INT64_MIN / 1000000 };
	kin_time before = kin_now();
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		ck_now(before, kin_in_ms(lengths[i]));
		ck_now(before, kin_in_ns(lengths[i]));
	}
}
END_TEST

START_TEST(an_endless_length_is_forever)
{
	ck_forever(kin_in_ns(INT64_MAX));
	ck_forever(kin_in_ns(INT64_MAX - 1));
	ck_forever(kin_in_ms(INT64_MAX));
	ck_forever(kin_in_ms(INT64_MAX / 1000000 + 1));
	ck_forever(kin_in_ms(INT64_MAX / 1000000));
}
END_TEST

START_TEST(a_deadline_is_so_long_from_now)
{
	kin_time before = kin_now(), ms, ns, after;

	ms = kin_in_ms(1000);
	ns = kin_in_ns(SECOND);
	after = kin_now();
	ck_assert_int_gt(before.ns, 0);
	ck_assert_int_ge(ms.ns, before.ns + SECOND);
	ck_assert_int_le(ms.ns, after.ns + SECOND);
	ck_assert_int_ge(ns.ns, ms.ns);
	ck_assert_int_le(ns.ns, after.ns + SECOND);
}
END_TEST

START_TEST(time_never_goes_back)
{
	kin_time last = kin_now(), next;
	int i;

	for (i = 0; i < 100000; i++) {
		next = i % 2 == 0 ? kin_now() : kin_in_ns(0);
		ck_assert_int_ge(next.ns, last.ns);
		last = next;
	}
}
END_TEST

START_TEST(the_clock_is_the_monotonic_one)
{
	struct timespec ts;
	kin_time before = kin_now(), between;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	between.ns = (int64_t)ts.tv_sec * SECOND + ts.tv_nsec;
	ck_now(before, between);
}
END_TEST

static void
add_options_and_time(Suite *suite)
{
	TCase *tc = kit_case(suite, "options");

	tcase_add_test(tc, options_without_a_size_are_refused);
	tcase_add_test(tc, a_shorter_struct_means_zero_for_the_rest);
	tcase_add_test(tc, a_longer_struct_works_if_the_rest_is_zero);
	tcase_add_test(tc, a_longer_struct_that_asks_for_more_is_refused);
	tcase_add_test(tc,
		       a_longer_struct_is_refused_by_queues_and_processes_too);
	tcase_add_loop_test(tc, unknown_flags_are_refused, 0, 32);

	tc = kit_case(suite, "deadlines");
	tcase_add_test(tc, a_negative_length_is_now);
	tcase_add_test(tc, an_endless_length_is_forever);
	tcase_add_test(tc, a_deadline_is_so_long_from_now);
	tcase_add_test(tc, time_never_goes_back);
	tcase_add_test(tc, the_clock_is_the_monotonic_one);
}

int
main(void)
{
	Suite *suite = suite_create("error");
	TCase *tc = kit_case(suite, "words");

	tcase_add_test(tc,
		       every_number_of_the_header_has_a_name_and_a_meaning);
	tcase_add_test(tc, unknown_numbers_are_told_apart);
	tcase_add_test(tc, the_least_number_has_words_too);
	tcase_add_test(tc, what_is_not_negative_is_no_error);

	tc = kit_case(suite, "the message");
	tcase_add_test(tc, before_any_failure_the_message_is_empty_not_null);
	tcase_add_test(tc, a_failure_replaces_the_message);
	tcase_add_test(tc, success_leaves_the_message);
	tcase_add_test(tc, the_message_is_the_threads_own);
	tcase_add_test(tc, the_message_is_one_line_however_long_the_name);

	tc = kit_case(suite, "standard error");
	tcase_add_test(tc, perror_prints_it_all_and_returns_one);
	tcase_add_loop_test(tc, a_null_handle_aborts_with_one_line, 0,
			    sizeof(bugs) / sizeof(bugs[0]));
	tcase_add_test(tc, letting_go_of_null_does_nothing);
	add_options_and_time(suite);
	return kit_run(suite);
}
