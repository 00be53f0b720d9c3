/* SPDX-License-Identifier: MIT */
/*
 * child.c - processes to start, and what is to be said of their end
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"

kin_context *start_by;

static void
start_by_kind(uint32_t kind)
{
	ck_kin_ok(kin_context_create(&start_by,
	    KIN_OPTS(kin_context_opts, .kind = kind)));
}

static void
start_by_server(void)
{
	start_by_kind(KIN_CONTEXT_FORKSERVER);
}

static void
start_by_spawn(void)
{
	start_by_kind(KIN_CONTEXT_SPAWN);
}

static void
start_by_fork(void)
{
	start_by_kind(KIN_CONTEXT_FORK);
}

static void
start_by_none(void)
{
	kin_context_close(start_by);
	start_by = NULL;
}

TCase *
context_case(Suite *suite, const char *name, uint32_t kind)
{
	static SFun begin[CONTEXTS] = {
		[KIN_CONTEXT_FORKSERVER] = start_by_server,
		[KIN_CONTEXT_SPAWN] = start_by_spawn,
		[KIN_CONTEXT_FORK] = start_by_fork,
	};
	TCase *tc = board_case(suite, name);

	tcase_add_checked_fixture(tc, begin[kind], start_by_none);
	return tc;
}

kin_process *
start(kin_entry_fn *fn, struct kin_args args)
{
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, fn, args,
	    KIN_OPTS(kin_process_opts, .context = start_by)));
	return p;
}

struct kin_status
finish(kin_process *p)
{
	struct kin_status status;

	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	kin_process_close(p);
	return status;
}

void
await_orphans(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
	ck_assert_int_eq(errno, ECHILD);
}

void
ck_exited(struct kin_status status, int code)
{
	char words[80];

	ck_assert_msg(status.how == KIN_EXITED && status.code == code &&
		      status.signal == 0 && status.core == 0,
		      "%s", kin_status_words(&status, words, sizeof(words)));
}

void
ck_killed(struct kin_status status, int signal)
{
	char words[80];

	ck_assert_msg(status.how == KIN_SIGNALLED && status.signal == signal,
		      "%s", kin_status_words(&status, words, sizeof(words)));
}

/* ---- entries ---- */

int
return_number(kin_call *call)
{
	int n, r = kin_call_take(call, &n);

	return r < 0 ? r : n;
}
KIN_ENTRY(return_number);

int
wait_to_be_killed(kin_call *call)
{
	while (call != NULL)
		pause();
	return 77;
}
KIN_ENTRY(wait_to_be_killed);

int
wait_for_flag(kin_call *call)
{
	(void)call;
	raise_flag(1);
	await_flag(2);
	return 5;
}
KIN_ENTRY(wait_for_flag);
