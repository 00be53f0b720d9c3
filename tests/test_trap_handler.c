/* SPDX-License-Identifier: MIT */
/*
 * test_trap_handler.c - the application's own handler for SIGSEGV, after ours
 */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shm/word.h"
#include "tests/frozen.h"

static sigjmp_buf again;
static volatile char *volatile target;

static void
say(const char *words)
{
	if (write(STDERR_FILENO, words, strlen(words)) < 0)
		_exit(95);
}

static void
with_info(int signal, siginfo_t *info, void *context)
{
	if (signal != SIGSEGV || context == NULL ||
	    info->si_addr != (void *)(uintptr_t)target)
		_exit(1);
	say("mine\n");
	_exit(7);
}

static void
plain(int signal)
{
	say("mine\n");
	_exit(signal == SIGSEGV ? 7 : 1);
}

static void
jump_out(int signal)
{
	say("mine\n");
	siglongjmp(again, signal);
}

static void
only_say(int signal)
{
	(void)signal;
	say("mine\n");
}

static void
store_with_info(void)
{
	struct sigaction act = { .sa_sigaction = with_info,
				 .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &act, NULL);
	target = take() + 5;
	*target = 1;
}

static void
store_with_plain(void)
{
	handle(plain, 0);
	take()[5] = 1;
}

START_TEST(a_handler_is_called_after_the_report)
{
	ck_exited_with(status_of(store_with_info), 7);
	ck_assert_str_eq(ck_reported("table", 5), "mine\n");
	ck_exited_with(status_of(store_with_plain), 7);
	ck_assert_str_eq(ck_reported("table", 5), "mine\n");
}
END_TEST

static void
fault_with_plain(void)
{
	volatile uintptr_t nowhere = 8;

	handle(plain, 0);
	(void)take();
	*(volatile char *)nowhere = 1;
}

START_TEST(a_handler_gets_other_faults_as_before)
{
	ck_exited_with(status_of(fault_with_plain), 7);
	ck_assert_str_eq(said, "mine\n");
}
END_TEST

/* The second time the signal is not blocked either. */
static void
store_and_jump_twice(void)
{
	volatile char *data;
	volatile int times = 0;

	handle(jump_out, 0);
	data = take();
	if (sigsetjmp(again, 1) != 0)
		times++;
	if (times < 2)
		data[5] = 1;
	_exit(times);
}

START_TEST(a_handler_may_jump_out)
{
	const char *rest;

	ck_exited_with(status_of(store_and_jump_twice), 2);
	rest = ck_reported("table", 5);
	ck_assert_int_eq(strncmp(rest, "mine\n", 5), 0);
	memmove(said, rest + 5, strlen(rest + 5) + 1);
	ck_assert_str_eq(ck_reported("table", 5), "mine\n");
}
END_TEST

#if !KN_TSAN
static void
look_at_mask(int signal)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	_exit(!sigismember(&mask, signal) && sigismember(&mask, SIGUSR1) ? 7
	      : 1);
}

static void
store_with_a_mask(void)
{
	struct sigaction act = { .sa_handler = look_at_mask,
				 .sa_flags = SA_NODEFER };

	sigaddset(&act.sa_mask, SIGUSR1);
	sigaction(SIGSEGV, &act, NULL);
	take()[5] = 1;
}

START_TEST(a_handler_has_the_mask_it_asked_for)
{
	ck_exited_with(status_of(store_with_a_mask), 7);
	ck_assert_str_eq(ck_reported("table", 5), "");
}
END_TEST
#endif

static void
store_with_a_handler_for_once(void)
{
	handle(only_say, (int)SA_RESETHAND);
	take()[5] = 1;
}

START_TEST(a_handler_for_once_is_called_once)
{
	ck_ended_by_segv(status_of(store_with_a_handler_for_once));
	ck_assert_str_eq(ck_reported("table", 5), "mine\n");
}
END_TEST

static void
ignore_and_store(void)
{
	handle(SIG_IGN, 0);
	(void)take();
	kill(getpid(), SIGSEGV);
	say("alive\n");
	take()[0x40] = 1;
}

START_TEST(ignored_is_ignored_if_it_was_sent)
{
	ck_ended_by_segv(status_of(ignore_and_store));
	ck_assert_int_eq(strncmp(said, "alive\n", 6), 0);
	memmove(said, said + 6, strlen(said + 6) + 1);
	ck_assert_str_eq(ck_reported("table", 0x40), "");
}
END_TEST

static void
handle_later_and_store(void)
{
	volatile char *data = take();

	handle(plain, 0);
	(void)take();
	*data = 1;
}

START_TEST(a_later_handler_replaces_ours)
{
	ck_exited_with(status_of(handle_later_and_store), 7);
	ck_assert_str_eq(said, "mine\n");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("trap_handler");
	TCase *tc = kit_case(suite, "handlers");

	tcase_add_checked_fixture(tc, freeze_table, thaw_table);
	tcase_add_test(tc, a_handler_is_called_after_the_report);
	tcase_add_test(tc, a_handler_gets_other_faults_as_before);
	tcase_add_test(tc, a_handler_may_jump_out);
#if !KN_TSAN		/* which has a mask of its own */
	tcase_add_test(tc, a_handler_has_the_mask_it_asked_for);
#endif
	tcase_add_test(tc, a_handler_for_once_is_called_once);
	tcase_add_test(tc, ignored_is_ignored_if_it_was_sent);
	tcase_add_test(tc, a_later_handler_replaces_ours);
	return kit_run(suite);
}
