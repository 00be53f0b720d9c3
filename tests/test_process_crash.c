/* SPDX-License-Identifier: MIT */
/*
 * test_process_crash.c - what is known of a child that died by a fault
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

static const int faults[] = {
	SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT,
};

#define NO_HANDLERS							\
	"handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:"	\
	"handle_sigill=0:handle_sigtrap=0:detect_leaks=0"

/* A sanitizer has handlers of its own; and no test leaves a core. */
static void
as_in_a_program(void)
{
	static const struct rlimit none;
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		signal(faults[i], SIG_DFL);
	setenv("ASAN_OPTIONS", NO_HANDLERS, 1);
	setenv("TSAN_OPTIONS", NO_HANDLERS, 1);
	setrlimit(RLIMIT_CORE, &none);
}

static void
ck_crashed(kin_process *p, int signal, struct kin_crash *ret)
{
	struct kin_status status;

	ck_kin_ok(kin_process_crash(p, ret, KIT_PATIENCE));
	ck_assert_int_eq(ret->signal, signal);
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	ck_killed(status, signal);
}

static void
ck_no_report(kin_process *p)
{
	struct kin_crash crash;

	ck_kin_fails(-ENODATA, kin_process_crash(p, &crash, KIT_PATIENCE));
	kin_process_close(p);
}

/* ---- faults ---- */

static int * volatile nowhere = (int *)0x40;

static __attribute__((noinline)) int
store_nowhere(void)
{
	*nowhere = 1;
	return *nowhere;
}

static int
store(kin_call *call)
{
	(void)call;
	return store_nowhere();
}
KIN_ENTRY(store);

static uintptr_t
first_byte(int (*fn)(void))
{
	return (uintptr_t)fn;
}

/* The frames are those of the functions that were called. */
START_TEST(a_store_to_nowhere)
{
	struct kin_crash crash;
	kin_process *p;

	as_in_a_program();
	p = start(store, KIN_ARGS());
	ck_crashed(p, SIGSEGV, &crash);
	ck_assert_int_eq(crash.code, SEGV_MAPERR);
	ck_assert_uint_eq(crash.address, 0x40);
	ck_assert_uint_ne(crash.thread, 0);
	ck_assert_uint_ge(crash.nframes, 2);
	ck_assert_uint_eq(crash.frames[0], crash.place);
	ck_assert_uint_ne(crash.frames[1], crash.place);
	ck_assert_ptr_nonnull(strstr(crash.text, "test_process_crash+0x"));
	kin_process_close(p);
}
END_TEST

static int
raise_it(kin_call *call)
{
	int signal;

	if (kin_call_take(call, &signal) < 0)
		return 1;
	if (signal == SIGABRT)
		abort();
	raise(signal);
	return 2;
}
KIN_ENTRY(raise_it);

START_TEST(each_of_the_signals)
{
	size_t i;

	as_in_a_program();
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct kin_crash crash;
		int signal = faults[i];
		kin_process *p = start(raise_it, KIN_ARGS(signal));

		ck_crashed(p, signal, &crash);
		ck_assert_int_eq(crash.sender, (int)kin_process_pid(p));
		ck_assert_int_le(crash.code, 0);
		ck_assert_uint_ge(crash.nframes, 2);
		kin_process_close(p);
	}
}
END_TEST

static int
stop_at_breakpoint(kin_call *call)
{
	(void)call;
#if defined(__x86_64__)
	__asm__ volatile("int3");
#else
	raise(SIGTRAP);
#endif
	return 3;
}
KIN_ENTRY(stop_at_breakpoint);

/* The processor goes on behind it: a handler must not let it. */
START_TEST(a_breakpoint_ends_it)
{
	struct kin_crash crash;
	kin_process *p;

	as_in_a_program();
	p = start(stop_at_breakpoint, KIN_ARGS());
	ck_crashed(p, SIGTRAP, &crash);
	kin_process_close(p);
}
END_TEST

static int
read_past_the_end(kin_call *call)
{
	volatile char *at;
	int fd;

	if (kin_call_take(call, KIN_FD(&fd)) < 0)
		return 1;
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? 2 : at[100];
}
KIN_ENTRY(read_past_the_end);

START_TEST(a_read_past_the_end_of_a_file)
{
	int fd = memfd_create("kin-test", MFD_CLOEXEC);
	struct kin_crash crash;
	kin_process *p;

	as_in_a_program();
	p = start(read_past_the_end, KIN_ARGS(KIN_FD(fd)));
	ck_crashed(p, SIGBUS, &crash);
	ck_assert_int_eq(crash.code, BUS_ADRERR);
	kin_process_close(p);
	close(fd);
}
END_TEST

static int
deeper(int n)
{
	volatile char room[4096];

	room[0] = (char)n;
	room[sizeof(room) - 1] = room[0];
	return n == 0 ? 0 : deeper(n + 1) + room[sizeof(room) - 1];
}

static int
run_out_of_stack(kin_call *call)
{
	(void)call;
	return deeper(1);
}
KIN_ENTRY(run_out_of_stack);

START_TEST(no_stack_left)
{
	struct kin_crash crash;
	kin_process *p;

	as_in_a_program();
	p = start(run_out_of_stack, KIN_ARGS());
	ck_crashed(p, SIGSEGV, &crash);
	ck_assert_uint_eq(crash.nframes, KIN_CRASH_FRAMES);
	kin_process_close(p);
}
END_TEST

/* A return into nowhere, from a stack of rubbish: nothing to unwind. */
static int
spoil_stack(kin_call *call)
{
	(void)call;
#if defined(__x86_64__)
	__asm__ volatile("mov $0x48, %rsp\n\tmov $0x50, %rbp\n\tret");
#else
	raise(SIGSEGV);
#endif
	return 4;
}
KIN_ENTRY(spoil_stack);

START_TEST(a_spoiled_stack_costs_the_backtrace_only)
{
	struct kin_crash crash;
	kin_process *p;

	as_in_a_program();
	p = start(spoil_stack, KIN_ARGS());
	ck_crashed(p, SIGSEGV, &crash);
	kin_process_close(p);
}
END_TEST

static void *
store_in_thread(void *arg)
{
	(void)store_nowhere();
	return arg;
}

static int
crash_in_thread(kin_call *call)
{
	pthread_t thread;

	(void)call;
	if (pthread_create(&thread, NULL, store_in_thread, NULL) == 0)
		pthread_join(thread, NULL);
	return 5;
}
KIN_ENTRY(crash_in_thread);

START_TEST(another_thread)
{
	struct kin_crash crash;
	kin_process *p;

	as_in_a_program();
	p = start(crash_in_thread, KIN_ARGS());
	ck_crashed(p, SIGSEGV, &crash);
	ck_assert_uint_ne(crash.thread, (uint32_t)kin_process_pid(p));
	kin_process_close(p);
}
END_TEST

/* In a copy of our memory it is our function. */
START_TEST(the_place_of_a_fault)
{
	uintptr_t at = first_byte(store_nowhere);
	struct kin_crash crash;
	kin_process *p;

	as_in_a_program();
	p = start(store, KIN_ARGS());
	ck_crashed(p, SIGSEGV, &crash);
	ck_assert_uint_ge(crash.place, at);
	ck_assert_uint_lt(crash.place, at + 256);
	kin_process_close(p);
}
END_TEST

/* ---- the application's handlers ---- */

static sigjmp_buf over;

static void
get_over_it(int signal)
{
	(void)signal;
	siglongjmp(over, 1);
}

static int
recover(kin_call *call)
{
	(void)call;
	if (sigsetjmp(over, 1) == 0)
		return store_nowhere();
	return 6;
}
KIN_ENTRY(recover);

START_TEST(one_that_recovers_is_no_crash)
{
	kin_process *p;

	as_in_a_program();
	signal(SIGSEGV, get_over_it);
	p = start(recover, KIN_ARGS());
	ck_no_report(p);
	ck_exited(finish(start(recover, KIN_ARGS())), 6);
}
END_TEST

static void
leave_by_seven(int signal)
{
	(void)signal;
	_exit(7);
}

static int
set_and_store(kin_call *call)
{
	(void)call;
	signal(SIGSEGV, leave_by_seven);
	return store_nowhere();
}
KIN_ENTRY(set_and_store);

START_TEST(one_that_is_set_in_the_child_has_the_last_word)
{
	as_in_a_program();
	ck_exited(finish(start(set_and_store, KIN_ARGS())), 7);
	ck_no_report(start(set_and_store, KIN_ARGS()));
}
END_TEST

static int
fork_and_crash(kin_call *call)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		return store_nowhere();
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		raise_flag(1);
	return wait_to_be_killed(call);
}
KIN_ENTRY(fork_and_crash);

START_TEST(a_crash_of_its_own_child_is_not_its)
{
	kin_process *p;

	as_in_a_program();
	p = start(fork_and_crash, KIN_ARGS());
	await_flag(1);
	ck_kin_ok(kin_process_kill(p));
	ck_no_report(p);
}
END_TEST

/* ---- none ---- */

START_TEST(other_ends_leave_no_report)
{
	struct kin_crash crash;
	kin_process *p;
	int zero = 0;

	ck_no_report(start(return_number, KIN_ARGS(zero)));
	signal(SIGTERM, SIG_DFL);	/* Check has a handler */
	p = start(wait_to_be_killed, KIN_ARGS());
	ck_kin_fails(-ETIMEDOUT, kin_process_crash(p, &crash, KIN_NOWAIT));
	ck_kin_ok(kin_process_terminate(p));
	ck_no_report(p);
}
END_TEST

static void
add_crashes(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "faults", kind);

	tcase_add_test(tc, a_store_to_nowhere);
	tcase_add_test(tc, each_of_the_signals);
	tcase_add_test(tc, a_breakpoint_ends_it);
	tcase_add_test(tc, a_read_past_the_end_of_a_file);
	tcase_add_test(tc, no_stack_left);
	tcase_add_test(tc, a_spoiled_stack_costs_the_backtrace_only);
	tcase_add_test(tc, another_thread);

	tc = context_case(suite, "handlers and none", kind);
	tcase_add_test(tc, one_that_is_set_in_the_child_has_the_last_word);
	tcase_add_test(tc, a_crash_of_its_own_child_is_not_its);
	tcase_add_test(tc, other_ends_leave_no_report);
	if (kind != KIN_CONTEXT_FORK)
		return;
	tcase_add_test(tc, the_place_of_a_fault);
	tcase_add_test(tc, one_that_recovers_is_no_crash);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_crash");
	int r = kin_init(argc, argv);
	uint32_t kind;

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++)
		add_crashes(suite, kind);
	return kit_run(suite);
}
