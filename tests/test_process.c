/* SPDX-License-Identifier: MIT */
/*
 * test_process.c - the promises of kin/process.h and kin/entry.h: what a child
 * is given, and how its end is told
 */
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

static int
nothing(kin_call *call)
{
	(void)call;
	return 0;
}
KIN_ENTRY(nothing);

static int
exit_with_number(kin_call *call)
{
	int n;

	if (kin_call_take(call, &n) < 0)
		return 77;
	exit(n);
}
KIN_ENTRY(exit_with_number);

static int
die_of(kin_call *call)
{
	int n;

	if (kin_call_take(call, &n) < 0)
		return 76;
	signal(n, SIG_DFL);
	raise(n);
	return 77;
}
KIN_ENTRY(die_of);

/* ---- the end, told truly ---- */

START_TEST(what_an_entry_returns_arrives_whole)
{
	static const int codes[] = { 0, 1, 3, 127, 255, 256, 257, 65536, -1,
				     -EPIPE, -EUCLEAN, INT32_MAX, INT32_MIN };
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		ck_exited(finish(start(return_number,
				       KIN_ARGS(codes[i]))), codes[i]);
}
END_TEST

START_TEST(what_exit_is_given_arrives_in_eight_bits)
{
	static const int codes[] = { 0, 3, 255, 256 + 7, -1 };
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		ck_exited(finish(start(exit_with_number,
				       KIN_ARGS(codes[i]))), codes[i] & 0xff);
}
END_TEST

/* Who looks at the kernel's status alone sees 0 only for 0. */
START_TEST(eight_bits_are_zero_only_for_zero)
{
	static const int codes[] = { 0, 1, 255, 256, -256, 65536 };
	kin_process *p;
	siginfo_t info;
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		p = start(return_number, KIN_ARGS(codes[i]));
		ck_assert_int_eq(waitid(P_PID, (id_t)kin_process_pid(p), &info,
					WEXITED | WNOWAIT), 0);
		ck_assert_int_eq(info.si_status == 0, codes[i] == 0);
		ck_exited(finish(p), codes[i]);
	}
}
END_TEST

static int
run_another_program(kin_call *call)
{
	(void)call;
	execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
	return 77;
}
KIN_ENTRY(run_another_program);

START_TEST(another_program_in_the_child_ends_as_itself)
{
	ck_exited(finish(start(run_another_program, KIN_ARGS())), 9);
}
END_TEST

static bool
deadly(int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGCONT:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGURG:
	case SIGWINCH:
		return false;
	default:
		return true;
	}
}

START_TEST(every_signal_is_told_apart)
{
	struct rlimit none = { 0, 0 };
	struct kin_status status;
	int n;

	ck_assert_int_eq(setrlimit(RLIMIT_CORE, &none), 0);
	for (n = 1; n <= 31; n++) {
		if (!deadly(n))
			continue;
		status = finish(start(die_of, KIN_ARGS(n)));
		ck_killed(status, n);
	}
	n = SIGRTMIN + 3;
	ck_killed(finish(start(die_of, KIN_ARGS(n))), n);
}
END_TEST

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Where cores go is the machine's: a plain child of our own tells. */
START_TEST(a_core_dump_is_told)
{
	struct rlimit some = { 64 << 20, 64 << 20 };
	char dir[] = "/tmp/kin-core-XXXXXX", home[4096];
	struct kin_status status;
	int n = SIGQUIT, plain;
	pid_t pid;

	ck_assert_ptr_nonnull(getcwd(home, sizeof(home)));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	/* Which forbids it at a program's begin, and so in ours alone. */
	setenv("ASAN_OPTIONS", "disable_coredump=0", 1);
	(void)setrlimit(RLIMIT_CORE, &some);
	pid = kit_fork();
	if (pid == 0) {
		signal(n, SIG_DFL);
		raise(n);
		_exit(77);
	}
	ck_assert_int_eq(waitpid(pid, &plain, 0), pid);
	status = finish(start(die_of, KIN_ARGS(n)));
	ck_killed(status, n);
	ck_assert_int_eq(status.core, WCOREDUMP(plain) != 0);

	ck_assert_int_eq(chdir(home), 0);
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

START_TEST(a_status_can_be_said_in_words)
{
	struct kin_status exited = { .how = KIN_EXITED, .code = -3 };
	struct kin_status killed = { .how = KIN_SIGNALLED, .signal = SIGKILL };
	struct kin_status dumped = { .how = KIN_SIGNALLED, .signal = SIGSEGV,
				     .core = 1 };
	struct kin_status unknown = { .how = KIN_UNKNOWN };
	char words[80], few[8] = "1234567";

	ck_assert_str_eq(kin_status_words(&exited, words, sizeof(words)),
			 "exited with -3");
	ck_assert_ptr_eq(kin_status_words(&killed, words, sizeof(words)),
			 words);
	ck_assert_ptr_nonnull(strstr(words, "SIGKILL"));
	ck_assert_ptr_null(strstr(words, "core"));
	kin_status_words(&dumped, words, sizeof(words));
	ck_assert_ptr_nonnull(strstr(words, "SIGSEGV"));
	ck_assert_ptr_nonnull(strstr(words, "core"));
	ck_assert_uint_gt(strlen(kin_status_words(&unknown, words,
						  sizeof(words))), 0);
	ck_assert_str_eq(kin_status_words(&exited, few, sizeof(few)),
			 "exited ");
}
END_TEST

START_TEST(a_deadline_leaves_it_running)
{
	kin_process *p = start(wait_for_flag, KIN_ARGS());
	struct kin_status status = { .how = 99 };
	kin_time deadline = kin_in_ms(50);

	ck_kin_fails(-ETIMEDOUT, kin_process_join(p, &status, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	ck_kin_fails(-ETIMEDOUT, kin_process_join(p, &status, KIN_NOWAIT));
	ck_assert_uint_eq(status.how, 99);
	raise_flag(2);
	ck_exited(finish(p), 5);
}
END_TEST

START_TEST(every_join_says_the_same)
{
	int code = -77, i;
	kin_process *p = start(return_number, KIN_ARGS(code));
	struct kin_status status;

	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	for (i = 0; i < 3; i++) {
		memset(&status, 0xff, sizeof(status));
		ck_kin_ok(kin_process_join(p, &status, KIN_NOWAIT));
		ck_exited(status, code);
	}
	ck_kin_fails(-ESRCH, kin_process_signal(p, SIGTERM));
	kin_process_close(p);
}
END_TEST

static void *
join_it(void *arg)
{
	struct kin_status *status = calloc(1, sizeof(*status));

	if (status != NULL && kin_process_join(arg, status, KIT_PATIENCE) < 0)
		status->how = 99;
	return status;
}

START_TEST(many_threads_may_join_one)
{
	pthread_t threads[4];
	int round, i;

	for (round = 0; round < 20; round++) {
		kin_process *p;

		lower_flag();
		p = start(wait_for_flag, KIN_ARGS());
		for (i = 0; i < 4; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL,
							join_it, p), 0);
		raise_flag(2);
		for (i = 0; i < 4; i++) {
			void *said;

			ck_assert_int_eq(pthread_join(threads[i], &said), 0);
			ck_assert_ptr_nonnull(said);
			ck_exited(*(struct kin_status *)said, 5);
			free(said);
		}
		ck_exited(finish(p), 5);
	}
}
END_TEST

START_TEST(its_sentinel_is_readable_at_its_end)
{
	kin_process *p = start(wait_for_flag, KIN_ARGS());
	struct pollfd end = { .fd = kin_process_fd(p), .events = POLLIN };

	ck_assert_int_gt(end.fd, 2);
	ck_assert_int_eq(poll(&end, 1, 0), 0);
	raise_flag(2);
	ck_assert_int_eq(poll(&end, 1, 60000), 1);
	ck_assert(end.revents & POLLIN);
	ck_exited(finish(p), 5);
}
END_TEST

START_TEST(a_signal_reaches_it)
{
	kin_process *p = start(wait_to_be_killed, KIN_ARGS());

	ck_kin_fails(-EINVAL, kin_process_signal(p, 1000));
	ck_kin_ok(kin_process_signal(p, 0));
	ck_kin_ok(kin_process_signal(p, SIGUSR2));
	ck_killed(finish(p), SIGUSR2);
}
END_TEST

/* ---- what it is given ---- */

struct thing {
	char text[16];
	int numbers[2000];
};

static int
check_thing(kin_call *call)
{
	struct thing thing;
	const void *bytes;
	size_t len;

	if (kin_call_take(call, KIN_BIN(&bytes, &len)) < 0 ||
	    len != sizeof(thing))
		return 2;
	memcpy(&thing, bytes, len);
	return strcmp(thing.text, "as it was") == 0 &&
	       thing.numbers[1999] == 42 ? 0 : 1;
}
KIN_ENTRY(check_thing);

START_TEST(bytes_arrive_as_they_were_at_start)
{
	struct thing thing = { "as it was", { 0 } };
	kin_process *p;
	int i;

	thing.numbers[1999] = 42;
	for (i = 0; i < 50; i++) {
		p = start(check_thing,
			  KIN_ARGS(KIN_BIN(&thing, sizeof(thing))));
		memset(&thing, 0xff, sizeof(thing));
		ck_exited(finish(p), 0);
		memset(&thing, 0, sizeof(thing));
		strcpy(thing.text, "as it was");
		thing.numbers[1999] = 42;
	}
}
END_TEST

static int
check_none(kin_call *call)
{
	kin_values *v = kin_call_values(call);

	return kin_values_take_all(v, KIN_TAKE()) == 0 &&
	       kin_values_count(v) == 0 ? 0 : 1;
}
KIN_ENTRY(check_none);

START_TEST(without_arguments_there_are_none)
{
	ck_exited(finish(start(check_none, KIN_ARGS())), 0);
}
END_TEST

static int
tell_name(kin_call *call)
{
	(void)call;
	return prctl(PR_GET_NAME, board->text) == 0 ? 0 : 1;
}
KIN_ENTRY(tell_name);

static void
try_name(const char *name, kin_entry_fn *fn, const char *shown)
{
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, fn, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .name = name, .context = start_by)));
	ck_assert_str_eq(kin_process_name(p), shown);
	ck_exited(finish(p), 0);
	ck_assert_str_eq(board->text, shown);
}

START_TEST(it_has_a_name)
{
	try_name("worker", tell_name, "worker");
	try_name("worker 12345678901234", tell_name, "worker 12345678");
	try_name(NULL, tell_name, "tell_name");
}
END_TEST

START_TEST(what_cannot_be_right_is_refused)
{
	kin_process *p = (void *)board;

	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .flags = 1u << 31)));
	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .flags = 0x80000001u)));
	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, KIN_ARGS(),
	    &(struct kin_process_opts){ .size = 0 }));
	ck_assert_ptr_eq(p, (void *)board);
	kin_process_close(NULL);
}
END_TEST

static char **arguments;

START_TEST(two_entries_of_one_name_are_told)
{
	struct kin_entry twin = { "nothing", "elsewhere.c", tell_name, NULL };

	ck_kin_ok(kin_init(1, arguments));
	kin_entry_enter(&twin);
	ck_assert_int_eq(kin_init(1, arguments), -EEXIST);
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "'nothing'"));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "test_process.c"));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "elsewhere.c"));
	kin_entry_leave(&twin);
	ck_kin_ok(kin_init(1, arguments));
}
END_TEST

static void
add_end(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "its end", kind);

	tcase_add_test(tc, what_an_entry_returns_arrives_whole);
	tcase_add_test(tc, what_exit_is_given_arrives_in_eight_bits);
	if (kind != KIN_CONTEXT_FORKSERVER)	/* whose children they are */
		tcase_add_test(tc, eight_bits_are_zero_only_for_zero);
	tcase_add_test(tc, another_program_in_the_child_ends_as_itself);
	tcase_add_test(tc, every_signal_is_told_apart);
	tcase_add_test(tc, a_core_dump_is_told);
	tcase_add_test(tc, a_status_can_be_said_in_words);
	tcase_add_test(tc, a_deadline_leaves_it_running);
	tcase_add_test(tc, every_join_says_the_same);
	tcase_add_test(tc, many_threads_may_join_one);
	tcase_add_test(tc, its_sentinel_is_readable_at_its_end);
	tcase_add_test(tc, a_signal_reaches_it);
}

static void
add_begin(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "its begin", kind);

	tcase_add_test(tc, bytes_arrive_as_they_were_at_start);
	tcase_add_test(tc, without_arguments_there_are_none);
	tcase_add_test(tc, it_has_a_name);
}

static void
add_refusals(Suite *suite)
{
	TCase *tc = board_case(suite, "what is refused");

	tcase_add_test(tc, what_cannot_be_right_is_refused);
	tcase_add_test(tc, two_entries_of_one_name_are_told);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process");
	uint32_t kind;
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	arguments = argv;
	for (kind = 0; kind < CONTEXTS; kind++) {
		add_end(suite, kind);
		add_begin(suite, kind);
	}
	add_refusals(suite);
	return kit_run(suite);
}
