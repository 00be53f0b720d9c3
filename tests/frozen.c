/* SPDX-License-Identifier: MIT */
/*
 * frozen.c - frozen bytes, children that store into them, what those say
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frozen.h"

struct kn_frozen *held;
char table[BYTES];

/* ---- a child, how it ended, and what it said ---- */

char said[8192];
pid_t child;

static void
listen_to(int fd)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, said + len, sizeof(said) - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	said[len] = '\0';
}

/* Sanitizers have a handler of their own. */
static void
begin_child(int to)
{
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	alarm(60);		/* a store that comes again and again */
	signal(SIGSEGV, SIG_DFL);
	dup2(to, STDERR_FILENO);
}

/* fn in a child, which has 'table' frozen by us: its status, and said. */
int
status_of(void (*fn)(void))
{
	int ends[2], status;

	ck_assert_int_eq(pipe(ends), 0);
	child = kit_fork();
	if (child == 0) {
		begin_child(ends[1]);
		fn();
		_exit(99);
	}
	close(ends[1]);
	listen_to(ends[0]);
	close(ends[0]);
	while (waitpid(child, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	return status;
}

void
ck_ended_by_segv(int status)
{
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
		      "status %#x; said: %s", status, said);
}

void
ck_exited_with(int status, int code)
{
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
		      "status %#x; said: %s", status, said);
}

/* The report is all that was said first: what comes after it. */
const char *
ck_reported(const char *name, unsigned offset)
{
	char first[256];
	const char *second, *place, *rest;

	snprintf(first, sizeof(first), "kin: pid %d wrote to frozen '%s' "
		 "+0x%x, frozen by pid %d\nkin:   at ", (int)child, name,
		 offset, (int)getpid());
	ck_assert_msg(strncmp(said, first, strlen(first)) == 0,
		      "said: %s\nnot: %s", said, first);
	second = said + strlen(first);
	rest = strchr(second, '\n');
	place = strstr(second, "/test_trap");
	ck_assert_msg(rest != NULL && place != NULL && place < rest &&
		      strstr(place, "+0x") != NULL &&
		      strstr(place, "+0x") < rest, "said: %s", second);
	return rest + 1;
}

volatile char *
take(void)
{
	const void *data;

	if (kn_readonly_map(&data, kn_frozen_fd(held), BYTES) < 0)
		_exit(98);
	return (volatile char *)(uintptr_t)data;
}

void
freeze_table(void)
{
	ck_kin_ok(kn_freeze(&held, table, BYTES, "table"));
}

void
thaw_table(void)
{
	kn_frozen_drop(held);
}

void
handle(void (*fn)(int), int flags)
{
	struct sigaction act = { .sa_handler = fn, .sa_flags = flags };

	sigaction(SIGSEGV, &act, NULL);
}
