/* SPDX-License-Identifier: MIT */
/*
 * test_process.c - the promises of kin/process.h and kin/entry.h
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kit.h"

#define CROWD		100

/* What the processes of a test have in common; zeros at its begin. */
static struct board {
	int flag;
	pid_t pids[8];
	char text[32];
} *board;

static void
hang_up_board(void)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(board, MAP_FAILED);
}

static void
take_down_board(void)
{
	munmap(board, sizeof(*board));
}

static void
lower_flag(void)
{
	__atomic_store_n(&board->flag, 0, __ATOMIC_RELEASE);
}

/* Never down: who comes late with a lower one changes nothing. */
static void
raise_flag(int value)
{
	int was = __atomic_load_n(&board->flag, __ATOMIC_RELAXED);

	while (was < value &&
	       !__atomic_compare_exchange_n(&board->flag, &was, value, 0,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* Also for those who are not to fail by Check's means: then it is over. */
static void
await_flag(int value)
{
	kin_time patience = KIT_PATIENCE;

	while (__atomic_load_n(&board->flag, __ATOMIC_ACQUIRE) < value) {
		if (kin_now().ns >= patience.ns)
			ck_abort_msg("nobody raised flag %d", value);
		sched_yield();
	}
}

static kin_process *
start(kin_entry_fn *fn, const void *bytes, size_t len)
{
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, fn, bytes, len, NULL));
	return p;
}

/* Wait for its end, let go, and say how it ended. */
static struct kin_status
finish(kin_process *p)
{
	struct kin_status status;

	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	kin_process_close(p);
	return status;
}

static void
ck_exited(struct kin_status status, int code)
{
	char words[80];

	ck_assert_msg(status.how == KIN_EXITED && status.code == code &&
		      status.signal == 0 && status.core == 0,
		      "%s", kin_status_words(&status, words, sizeof(words)));
}

static void
ck_killed(struct kin_status status, int signal)
{
	char words[80];

	ck_assert_msg(status.how == KIN_SIGNALLED && status.signal == signal,
		      "%s", kin_status_words(&status, words, sizeof(words)));
}

/* Until it has ended; it stays to be collected. */
static void
await_end(pid_t pid)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT),
			 0);
}

/* ---- entries ---- */

static int
nothing(kin_call *call)
{
	(void)call;
	return 0;
}
KIN_ENTRY(nothing);

static int
return_number(kin_call *call)
{
	const int *n = kin_call_bytes(call, NULL);

	return *n;
}
KIN_ENTRY(return_number);

static int
exit_with_number(kin_call *call)
{
	const int *n = kin_call_bytes(call, NULL);

	exit(*n);
}

static int
die_of(kin_call *call)
{
	const int *n = kin_call_bytes(call, NULL);

	signal(*n, SIG_DFL);
	raise(*n);
	return 77;
}

static int
wait_to_be_killed(kin_call *call)
{
	while (call != NULL)
		pause();
	return 77;
}
KIN_ENTRY(wait_to_be_killed);

/* Says that it runs, and ends when it may. */
static int
wait_for_flag(kin_call *call)
{
	(void)call;
	raise_flag(1);
	await_flag(2);
	return 5;
}

/* ---- the end, told truly ---- */

START_TEST(what_an_entry_returns_arrives_whole)
{
	static const int codes[] = { 0, 1, 3, 127, 255, 256, 257, 65536, -1,
				     -EPIPE, -EUCLEAN, INT32_MAX, INT32_MIN };
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		ck_exited(finish(start(return_number, &codes[i],
				       sizeof(int))), codes[i]);
}
END_TEST

START_TEST(what_exit_is_given_arrives_in_eight_bits)
{
	static const int codes[] = { 0, 3, 255, 256 + 7, -1 };
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		ck_exited(finish(start(exit_with_number, &codes[i],
				       sizeof(int))), codes[i] & 0xff);
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
		p = start(return_number, &codes[i], sizeof(int));
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

START_TEST(another_program_in_the_child_ends_as_itself)
{
	ck_exited(finish(start(run_another_program, NULL, 0)), 9);
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
		status = finish(start(die_of, &n, sizeof(n)));
		ck_killed(status, n);
	}
	n = SIGRTMIN + 3;
	ck_killed(finish(start(die_of, &n, sizeof(n))), n);
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
	(void)setrlimit(RLIMIT_CORE, &some);
	pid = kit_fork();
	if (pid == 0) {
		signal(n, SIG_DFL);
		raise(n);
		_exit(77);
	}
	ck_assert_int_eq(waitpid(pid, &plain, 0), pid);
	status = finish(start(die_of, &n, sizeof(n)));
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
	kin_process *p = start(wait_for_flag, NULL, 0);
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
	kin_process *p = start(return_number, &code, sizeof(code));
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
		p = start(wait_for_flag, NULL, 0);
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
	kin_process *p = start(wait_for_flag, NULL, 0);
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
	kin_process *p = start(wait_to_be_killed, NULL, 0);

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
	size_t len;
	const struct thing *thing = kin_call_bytes(call, &len);

	return len == sizeof(*thing) && strcmp(thing->text, "as it was") == 0 &&
	       thing->numbers[1999] == 42 ? 0 : 1;
}

START_TEST(bytes_arrive_as_they_were_at_start)
{
	struct thing thing = { "as it was", { 0 } };
	kin_process *p;
	int i;

	thing.numbers[1999] = 42;
	for (i = 0; i < 50; i++) {
		p = start(check_thing, &thing, sizeof(thing));
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
	size_t len = 99;

	return kin_call_bytes(call, &len) == NULL && len == 0 ? 0 : 1;
}

START_TEST(without_bytes_there_are_none)
{
	ck_exited(finish(start(check_none, NULL, 0)), 0);
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

	ck_kin_ok(kin_process_start(&p, fn, NULL, 0,
	    KIN_OPTS(kin_process_opts, .name = name)));
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

	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, NULL, 1, NULL));
	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, NULL, 0,
	    KIN_OPTS(kin_process_opts, .flags = 2)));
	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, NULL, 0,
	    KIN_OPTS(kin_process_opts, .flags = 0x80000001u)));
	ck_kin_fails(-EINVAL, kin_process_start(&p, nothing, NULL, 0,
	    &(struct kin_process_opts){ .size = 0 }));
	ck_assert_ptr_eq(p, (void *)board);
	kin_process_close(NULL);
}
END_TEST

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

static void __attribute__((noreturn))
print_and_start(int out)
{
	kin_process *p;

	fflush(NULL);
	dup2(out, 1);
	setvbuf(stdout, NULL, _IOFBF, 4096);
	atexit(say_goodbye);
	printf("parent ");
	if (kin_process_start(&p, print_child, NULL, 0, NULL) < 0 ||
	    kin_process_join(p, NULL, KIT_PATIENCE) < 0)
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
	ck_kin_fails(-EBUSY, kin_process_start(&p, nothing, NULL, 0, NULL));
	ck_assert_ptr_eq(p, (void *)board);
	ck_kin_ok(kin_process_start(&p, nothing, NULL, 0,
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
		ck_exited(finish(start(nothing, NULL, 0)), 0);
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
		if (kin_process_start(&p, return_number, &code, sizeof(code),
		    KIN_OPTS(kin_process_opts,
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
		kin_process *p = start(return_number, &code, sizeof(code));
		kin_process *other = start(wait_to_be_killed, NULL, 0);
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
	kin_process *p = start(nothing, NULL, 0);
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(33);
	await_end(pid);
	ck_exited(finish(p), 0);
	ck_exited(finish(start(nothing, NULL, 0)), 0);
	kit_reap(pid, 33);
}
END_TEST

/* ---- letting go ---- */

START_TEST(one_closed_while_it_runs_is_collected_later)
{
	kin_process *p = start(wait_to_be_killed, NULL, 0);
	pid_t pid = kin_process_pid(p);
	siginfo_t info;

	kin_process_close(p);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	await_end(pid);
	ck_exited(finish(start(nothing, NULL, 0)), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info,
				WEXITED | WNOHANG | WNOWAIT), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(one_closed_after_its_end_is_collected_at_once)
{
	kin_process *p = start(nothing, NULL, 0);
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
	kin_process *p = start(wait_to_be_killed, NULL, 0);
	pid_t pid = kit_fork();

	if (pid == 0) {
		struct kin_status status;

		ck_kin_fails(-ESTALE, kin_process_join(p, &status, KIN_NOWAIT));
		ck_kin_fails(-ESTALE, kin_process_join(p, NULL, KIN_FOREVER));
		ck_kin_fails(-ESTALE, kin_process_signal(p, SIGKILL));
		kin_process_close(p);
		ck_exited(finish(start(nothing, NULL, 0)), 0);
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
	int depth = *(const int *)kin_call_bytes(call, NULL);
	struct kin_status status;
	kin_process *p;

	if (depth == 0)
		return 1000;
	depth--;
	if (kin_process_start(&p, nest, &depth, sizeof(depth), NULL) < 0 ||
	    kin_process_join(p, &status, KIT_PATIENCE) < 0 ||
	    status.how != KIN_EXITED)
		return -1;
	kin_process_close(p);
	return status.code + 1;
}

START_TEST(a_child_may_have_children)
{
	int depth = 5;

	ck_exited(finish(start(nest, &depth, sizeof(depth))), 1005);
}
END_TEST

/* One with a child of its own, which it has told of. */
static int
have_child(kin_call *call)
{
	kin_process *p;

	if (kin_process_start(&p, wait_to_be_killed, NULL, 0, NULL) < 0)
		return 1;
	board->pids[3] = kin_process_pid(p);
	raise_flag(1);
	return wait_to_be_killed(call);
}

/* Three children, a grandchild, and one that is not kin's. */
static void __attribute__((noreturn))
have_family(void)
{
	kin_entry_fn *fns[] = { wait_to_be_killed, have_child,
				wait_to_be_killed };
	pid_t pid;
	int i;

	for (i = 0; i < 3; i++)
		board->pids[i] = kin_process_pid(start(fns[i], NULL, 0));
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
}
END_TEST

START_TEST(one_killed_while_it_starts_others_takes_them_along)
{
	pid_t pid, child;
	int i;

	for (i = 0; i < 50; i++) {
		lower_flag();
		pid = kit_fork();
		if (pid == 0)
			for (;;) {
				kin_process_close(start(wait_to_be_killed,
							NULL, 0));
				raise_flag(1);
			}
		await_flag(1);
		kit_kill(pid);
		/* Each of them ends, or this waits for ever. */
		while ((child = waitpid(-1, NULL, 0)) > 0)
			;
		ck_assert_int_eq(errno, ECHILD);
	}
}
END_TEST

START_TEST(a_hundred_end_as_they_should)
{
	kin_process *crowd[CROWD];
	int i;

	for (i = 0; i < CROWD; i++)
		crowd[i] = start(return_number, &i, sizeof(i));
	for (i = 0; i < CROWD; i++)
		ck_exited(finish(crowd[i]), i);
}
END_TEST

START_TEST(a_hundred_killed_at_once_are_told_so)
{
	kin_process *crowd[CROWD];
	int i;

	for (i = 0; i < CROWD; i++) {
		crowd[i] = start(wait_to_be_killed, NULL, 0);
		ck_kin_ok(kin_process_signal(crowd[i], SIGKILL));
	}
	for (i = 0; i < CROWD; i++)
		ck_killed(finish(crowd[i]), SIGKILL);
}
END_TEST

/* ---- entries ---- */

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
	ck_exited(finish(start(return_number, &code, sizeof(code))), 5);
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
	p = start(wait_for_flag, NULL, 0);
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
}
END_TEST

static TCase *
board_case(Suite *suite, const char *name)
{
	TCase *tc = kit_case(suite, name);

	tcase_add_checked_fixture(tc, hang_up_board, take_down_board);
	return tc;
}

static void
add_one(Suite *suite)
{
	TCase *tc = board_case(suite, "its end");

	tcase_add_test(tc, what_an_entry_returns_arrives_whole);
	tcase_add_test(tc, what_exit_is_given_arrives_in_eight_bits);
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

	tc = board_case(suite, "its begin");
	tcase_add_test(tc, bytes_arrive_as_they_were_at_start);
	tcase_add_test(tc, without_bytes_there_are_none);
	tcase_add_test(tc, it_has_a_name);
	tcase_add_test(tc, what_cannot_be_right_is_refused);
	tcase_add_test(tc, what_is_printed_appears_once);
	tcase_add_test(tc, two_entries_of_one_name_are_told);
}

static void
add_many(Suite *suite)
{
	TCase *tc = board_case(suite, "threads");

	tcase_add_test(tc, with_other_threads_it_is_refused_unless_insisted);
	tcase_add_test(tc, a_thread_that_was_joined_is_no_other_thread);
	tcase_add_test(tc, threads_may_start_at_once);

	tc = board_case(suite, "the application's own");
	tcase_add_test(tc, a_handler_that_collects_all_makes_nobody_hang);
	tcase_add_test(tc, an_ignored_sigchld_makes_nobody_hang);
	tcase_add_test(tc, children_of_its_own_stay_the_applications);
	tcase_add_test(tc, an_interrupt_at_its_birth_is_the_parents);
	tcase_add_test(tc, an_interrupt_at_the_terminal_is_the_parents);

	tc = board_case(suite, "families");
	tcase_add_test(tc, one_closed_while_it_runs_is_collected_later);
	tcase_add_test(tc, one_closed_after_its_end_is_collected_at_once);
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
	Suite *suite = suite_create("process");
	int r = kin_init(argc, argv);

	if (r < 0)
		return kin_perror("kin_init", r);
	arguments = argv;
	add_one(suite);
	add_many(suite);
	return kit_run(suite);
}
