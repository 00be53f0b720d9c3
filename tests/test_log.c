/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - what a program says of itself, and what kin does in it
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

/* What came, as long as there is room for it. */
struct heard {
	unsigned lines;
	uint32_t level;
	char process[32];
	char text[2048];
};

static void
hear(void *user, uint32_t level, const char *process, const char *message)
{
	struct heard *h = user;

	h->lines++;
	h->level = level;
	snprintf(h->process, sizeof(h->process), "%s", process);
	snprintf(h->text, sizeof(h->text), "%s", message);
}

static int evaluated;

static int
evaluate(void)
{
	return ++evaluated;
}

START_TEST(levels)
{
	struct heard h = { 0 };

	ck_assert_uint_eq(kin_log_level(), KIN_LOG_OFF);
	kin_log(KIN_LOG_ERROR, "%d", evaluate());
	kin_log_to(KIN_LOG_WARNING, hear, &h);
	ck_assert_uint_eq(kin_log_level(), KIN_LOG_WARNING);
	kin_log(KIN_LOG_INFO, "%d", evaluate());
	ck_assert_uint_eq(h.lines, 0);
	ck_assert_int_eq(evaluated, 0);
	errno = 12345;
	kin_log(KIN_LOG_WARNING, "n %d\n\033", evaluate());
	ck_assert_int_eq(errno, 12345);
	ck_assert_uint_eq(h.lines, 1);
	ck_assert_uint_eq(h.level, KIN_LOG_WARNING);
	ck_assert_str_eq(h.text, "n 1??");
	ck_assert_str_eq(h.process, "test_log");
	kin_log_to(KIN_LOG_OFF, hear, &h);
	kin_log(KIN_LOG_ERROR, "x");
	ck_assert_uint_eq(h.lines, 1);
}
END_TEST

START_TEST(a_long_message_is_cut)
{
	struct heard h = { 0 };
	char longer[3000];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	kin_log_to(KIN_LOG_ERROR, hear, &h);
	kin_log(KIN_LOG_ERROR, "%s", longer);
	ck_assert_uint_eq(strlen(h.text), 1000);
}
END_TEST

/* ---- processes ---- */

static int
say(kin_call *call)
{
	(void)call;
	kin_log(KIN_LOG_INFO, "hello");
	kin_log(KIN_LOG_DEBUG, "not said");
	return (int)kin_log_level();
}

/* With stderr at that end of a pipe; then all that came out of it. */
static void
collect(char *text, size_t cap, void (*fn)(void))
{
	size_t len = 0;
	int ends[2];
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = kit_fork();
	if (pid == 0) {
		dup2(ends[1], 2);
		fn();
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(ends[0]);
	kit_reap(pid, 0);
}

static void
start_one(void)
{
	kin_process *p;

	kin_log_to(KIN_LOG_INFO, NULL, NULL);
	ck_kin_ok(kin_process_start(&p, say, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .name = "worker")));
	board->pids[0] = kin_process_pid(p);
	ck_exited(finish(p), KIN_LOG_INFO);
}

START_TEST(a_child_has_its_parents_level_and_a_name)
{
	char text[1024], line[64];

	collect(text, sizeof(text), start_one);
	snprintf(line, sizeof(line), "info worker %d: hello\n",
		 (int)board->pids[0]);
	ck_assert_str_eq(text, line);
}
END_TEST

static void
start_and_kill(void)
{
	kin_process *p;

	kin_log_to(KIN_LOG_DEBUG, NULL, NULL);
	ck_kin_ok(kin_process_start(&p, wait_to_be_killed, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .name = "victim")));
	ck_kin_ok(kin_process_kill(p));
	ck_killed(finish(p), SIGKILL);
}

START_TEST(kin_says_who_starts_and_how_it_ended)
{
	char text[1024];

	collect(text, sizeof(text), start_and_kill);
	ck_assert_msg(strstr(text, "process 'victim' (") != NULL &&
		      strstr(text, ") started\n") != NULL &&
		      strstr(text, ") killed by SIGKILL\n") != NULL, "%s",
		      text);
}
END_TEST

/* Lines that are longer than a pipe's page does not mix: they are shorter. */
static void
many_say_much(void)
{
	char letter[] = "a";
	int i, j;

	kin_log_to(KIN_LOG_INFO, NULL, NULL);
	for (i = 0; i < 4; i++)
		if (kit_fork() == 0) {
			letter[0] = (char)('a' + i);
			for (j = 0; j < 200; j++)
				kin_log(KIN_LOG_INFO, "%s%s%s%s", letter,
					letter, letter, letter);
			_exit(0);
		}
	while (wait(NULL) > 0)
		continue;
}

START_TEST(lines_do_not_mix)
{
	static char text[1 << 17];
	char *line, *rest = text, *said;
	int lines = 0;

	collect(text, sizeof(text), many_say_much);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		said = strstr(line, ": ");
		ck_fast(strncmp(line, "info test_log ", 14) == 0);
		ck_fast(said != NULL && strlen(said) == 6);
		ck_fast(said[2] == said[3] && said[2] == said[5]);
		lines++;
	}
	ck_assert_int_eq(lines, 800);
}
END_TEST

/* ---- the environment ---- */

static int
level_with(char *word)
{
	char *args[] = { (char *)"test_log", (char *)"level", NULL };
	char *env[] = { word, NULL };
	int status;
	pid_t pid = kit_fork();

	if (pid == 0) {
		execve("/proc/self/exe", args, env);
		_exit(99);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(the_environment_has_the_first_word)
{
	char debug[] = "KIN_LOG=debug", error[] = "KIN_LOG=error";
	char off[] = "KIN_LOG=off", other[] = "KIN_LOG=loud";

	ck_assert_int_eq(level_with(debug), KIN_LOG_DEBUG);
	ck_assert_int_eq(level_with(error), KIN_LOG_ERROR);
	ck_assert_int_eq(level_with(off), KIN_LOG_OFF);
	ck_assert_int_eq(level_with(other), KIN_LOG_OFF);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite;
	int r = kin_init(argc, argv);
	TCase *tc;

	if (r < 0)
		return kin_perror("kin_init", r);
	if (argc > 1 && strcmp(argv[1], "level") == 0)
		return (int)kin_log_level();
	kin_log_to(KIN_LOG_OFF, NULL, NULL);
	suite = suite_create("log");
	tc = board_case(suite, "log");
	tcase_add_test(tc, levels);
	tcase_add_test(tc, a_long_message_is_cut);
	tcase_add_test(tc, a_child_has_its_parents_level_and_a_name);
	tcase_add_test(tc, kin_says_who_starts_and_how_it_ended);
	tcase_add_test(tc, lines_do_not_mix);
	tcase_add_test(tc, the_environment_has_the_first_word);
	return kit_run(suite);
}
