/* SPDX-License-Identifier: MIT */
/*
 * test_trap.c - a store into frozen data is reported, and no other fault
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frozen.h"

/* ---- caught ---- */

static void
store_at_0x40(void)
{
	take()[0x40] = 1;
}

START_TEST(a_store_is_caught)
{
	ck_ended_by_segv(status_of(store_at_0x40));
	ck_assert_str_eq(ck_reported("table", 0x40), "");
}
END_TEST

static void
store_at_the_last(void)
{
	(void)take();
	take()[BYTES - 1]++;
}

START_TEST(in_any_range_and_to_its_end)
{
	ck_ended_by_segv(status_of(store_at_the_last));
	ck_assert_str_eq(ck_reported("table", BYTES - 1), "");
}
END_TEST

/* One that a library exports, whose name is known therefore. */
static void
store_in_a_library(void)
{
	volatile char *data = take();

	swab("ab", (void *)(uintptr_t)(data + 6), 2);
}

START_TEST(a_function_is_named)
{
	ck_ended_by_segv(status_of(store_in_a_library));
	ck_assert_ptr_nonnull(strstr(said, " (swab+0x"));
}
END_TEST

static void
only_read(void)
{
	volatile char *data = take();
	size_t i;

	for (i = 0; i < BYTES; i++)
		if (data[i] != table[i])
			_exit(1);
	_exit(0);
}

START_TEST(a_read_is_not)
{
	ck_exited_with(status_of(only_read), 0);
	ck_assert_str_eq(said, "");
}
END_TEST

static void
store_in_a_fork(void)
{
	volatile char *data = take();
	pid_t grandchild = fork();
	int status;

	if (grandchild == 0) {
		data[1] = 1;
		_exit(97);
	}
	waitpid(grandchild, &status, 0);
	dprintf(STDERR_FILENO, "%d %d", (int)grandchild,
		WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	_exit(0);
}

START_TEST(a_fork_is_caught_by_its_own_pid)
{
	const char *rest;
	int pid, killed;

	ck_exited_with(status_of(store_in_a_fork), 0);
	rest = strrchr(said, '\n');
	ck_assert_ptr_nonnull(rest);
	ck_assert_int_eq(sscanf(rest, "%d %d", &pid, &killed), 2);
	ck_assert_int_eq(killed, 1);
	child = pid;
	(void)ck_reported("table", 1);
}
END_TEST

/* A name from outside, and a namespace that is not ours. */
static int
forge(void)
{
	struct kn_frozen_trailer t = {
		.magic = KN_FROZEN_MAGIC,
		.layout = KN_FROZEN_LAYOUT,
		.pid = 77,
		.pid_namespace = 1,
		.bytes = 8,
		.name = "a\033[2J\nb",
	};
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 8) < 0 ||
	    pwrite(fd, &t, sizeof(t), 8) != sizeof(t) ||
	    fcntl(fd, F_ADD_SEALS, KN_FROZEN_SEALS) < 0)
		_exit(96);
	return fd;
}

static void
store_into_a_stranger(void)
{
	const void *data;

	if (kn_readonly_map(&data, forge(), 8) < 0)
		_exit(98);
	*(volatile char *)(uintptr_t)data = 1;
}

START_TEST(a_name_from_outside_is_printable)
{
	ck_ended_by_segv(status_of(store_into_a_stranger));
	ck_assert_ptr_nonnull(strstr(said, " wrote to frozen 'a?[2J?b' +0x0, "
				     "frozen by pid 77 of another namespace\n"));
}
END_TEST

static void
store_with_nobody_listening(void)
{
	int ends[2];

	if (pipe(ends) < 0)
		_exit(96);
	dup2(ends[1], STDERR_FILENO);
	close(ends[0]);
	store_at_0x40();
}

START_TEST(with_nobody_listening_it_is_still_sigsegv)
{
	ck_ended_by_segv(status_of(store_with_nobody_listening));
}
END_TEST

static void
store_after_release(void)
{
	volatile char *data = take();

	kin_readonly_release(NULL);
	kin_readonly_release((const void *)(uintptr_t)data);
	*data = 1;
}

START_TEST(what_was_let_go_is_not_ours)
{
	ck_ended_by_segv(status_of(store_after_release));
	ck_assert_str_eq(said, "");
}
END_TEST

static void
release_twice(void)
{
	const void *data = (const void *)(uintptr_t)take();

	kin_readonly_release(data);
	kin_readonly_release(data);
}

START_TEST(a_second_release_is_a_bug)
{
	int status = status_of(release_twice);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_ptr_nonnull(strstr(said, "kin_readonly_release"));
}
END_TEST

/* ---- faults that are not ours ---- */

static void
store_nowhere(void)
{
	volatile uintptr_t nowhere = 8;

	(void)take();
	*(volatile char *)nowhere = 1;
}

static void
store_elsewhere(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	(void)take();
	*(volatile char *)page = 1;
}

static void
jump_into_it(void)
{
	volatile char *data = take();

	((void (*)(void))(uintptr_t)data)();
}

static void
kill_it(void)
{
	(void)take();
	kill(getpid(), SIGSEGV);
}

START_TEST(other_faults_are_not_reported)
{
	void (*others[])(void) = { store_nowhere, store_elsewhere,
				   jump_into_it, kill_it };
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_ended_by_segv(status_of(others[i]));
		ck_assert_str_eq(said, "");
	}
}
END_TEST

/* ---- while others come and go ---- */

#define ROUNDS	2000

static sigjmp_buf again;
static int stop;

static void *
come_and_go(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		const void *a = (const void *)(uintptr_t)take();
		const void *b = (const void *)(uintptr_t)take();

		kin_readonly_release(a);
		kin_readonly_release(b);
	}
	return arg;
}

static void
jump_out_silently(int signal)
{
	siglongjmp(again, signal);
}

static void
store_while_others_come_and_go(void)
{
	volatile char *data;
	volatile int rounds = 0;
	pthread_t other;
	FILE *report = tmpfile();
	char line[256];
	int caught = 0;

	handle(jump_out_silently, 0);
	data = take();
	if (report == NULL || dup2(fileno(report), STDERR_FILENO) < 0 ||
	    pthread_create(&other, NULL, come_and_go, NULL) != 0)
		_exit(96);
	(void)sigsetjmp(again, 1);
	if (rounds < ROUNDS) {
		rounds++;
		data[3] = 1;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	rewind(report);
	while (fgets(line, sizeof(line), report) != NULL)
		caught += strstr(line, "frozen 'table' +0x3,") != NULL;
	_exit(caught == ROUNDS ? 0 : 1);
}

START_TEST(all_is_caught_while_others_come_and_go)
{
	ck_exited_with(status_of(store_while_others_come_and_go), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("trap");
	TCase *tc = kit_case(suite, "caught");

	tcase_add_checked_fixture(tc, freeze_table, thaw_table);
	tcase_add_test(tc, a_store_is_caught);
	tcase_add_test(tc, in_any_range_and_to_its_end);
	tcase_add_test(tc, a_function_is_named);
	tcase_add_test(tc, a_read_is_not);
	tcase_add_test(tc, a_fork_is_caught_by_its_own_pid);
	tcase_add_test(tc, a_name_from_outside_is_printable);
	tcase_add_test(tc, with_nobody_listening_it_is_still_sigsegv);
	tcase_add_test(tc, what_was_let_go_is_not_ours);
	tcase_add_test(tc, a_second_release_is_a_bug);
	tcase_add_test(tc, other_faults_are_not_reported);
	tcase_add_test(tc, all_is_caught_while_others_come_and_go);
	return kit_run(suite);
}
