/* SPDX-License-Identifier: MIT */
/*
 * kit.c - what every test has
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kit.h"

static char names[64];
static char mark[128];			/* in the sentence, since kit_forget */
static int descriptors, mappings;

/* A call that always fails, and whose sentence we know. */
void
kit_forget(void)
{
	(void)kin_segment_unlink("/");
	snprintf(mark, sizeof(mark), "%s", kin_errmsg());
}

bool
kit_forgotten(void)
{
	return strcmp(kin_errmsg(), mark) == 0;
}

static void
before(void)
{
	/* A child of a child that escapes is ours to find. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Not by the pid alone: that of a killed test may come again. */
	snprintf(names, sizeof(names), "/dev/shm/kin-test-%d-%lld",
		 (int)getpid(), (long long)kin_now().ns);
	setenv("KIN_DIR", names, 1);
	descriptors = kit_descriptors();
	mappings = kit_mappings();
}

static void
after(void)
{
	pid_t child = waitpid(-1, NULL, WNOHANG);

	ck_assert_msg(child == -1 && errno == ECHILD,
		      "a child is left: %d", (int)child);
	ck_assert_msg(rmdir(names) == 0 || errno == ENOENT,
		      "names are left in %s: %s", names, strerror(errno));
	ck_assert_msg(kit_descriptors() == descriptors,
		      "%d descriptors before, %d after", descriptors,
		      kit_descriptors());
	ck_assert_msg(kit_mappings() == mappings,
		      "%d mappings before, %d after", mappings,
		      kit_mappings());
}

TCase *
kit_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, before, after);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return tc;
}

/* What children share with their test is memory that they inherit. */
int
kit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	if (kin_context_set_default(kin_context_fork()) < 0)
		abort();
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

pid_t
kit_fork(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	return pid;
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	return status;
}

void
kit_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	(void)wait_for(pid);
}

void
kit_reap(pid_t pid, int code)
{
	int status = wait_for(pid);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
		      "child ended with %s %d, not with %d",
		      WIFEXITED(status) ? "code" : "signal",
		      WIFEXITED(status) ? WEXITSTATUS(status)
					: WTERMSIG(status), code);
}

uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

const char *
kit_names(void)
{
	return names;
}
