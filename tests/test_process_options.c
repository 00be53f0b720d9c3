/* SPDX-License-Identifier: MIT */
/*
 * test_process_options.c - what a child is made with, as kin_process_opts says
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/child.h"

#define OPTS(...)							\
	KIN_OPTS(kin_process_opts, .context = start_by, __VA_ARGS__)

/* ---- what it finds ---- */

static int
tell_oom_score(void)
{
	FILE *f = fopen("/proc/self/oom_score_adj", "r");
	int score = -1;

	if (f != NULL && fscanf(f, "%d", &score) != 1)
		score = -1;
	if (f != NULL)
		fclose(f);
	return score;
}

/* All that can be looked at, of the process that looks. */
struct looks {
	char cwd[256];
	const char *added, *path;
	int nice, oom, group, session, mask, cpus;
	uint64_t files;
};

static void
look_around(struct looks *l)
{
	struct rlimit files;
	cpu_set_t cpus;

	memset(l, 0, sizeof(*l));
	if (getcwd(l->cwd, sizeof(l->cwd)) == NULL)
		l->cwd[0] = '\0';
	l->added = getenv("KIN_TEST_ADDED");
	l->path = getenv("PATH");
	l->nice = getpriority(PRIO_PROCESS, 0);
	l->oom = tell_oom_score();
	l->group = getpgid(0) == getpid();
	l->session = getsid(0) == getpid();
	l->mask = (int)umask(0);
	umask((mode_t)l->mask);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		l->cpus = CPU_COUNT(&cpus);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		l->files = files.rlim_cur;
}

static int
tell(kin_call *call)
{
	struct looks l;

	look_around(&l);
	return kin_call_return(call, (const char *)l.cwd,
			       l.added ? l.added : "", l.path ? l.path : "",
			       l.nice, l.oom, l.group, l.session, l.mask,
			       l.cpus, l.files);
}
KIN_ENTRY(tell);

/* What a child so made looks like; strings are good until p's close. */
static kin_process *
made(struct looks *l, const struct kin_process_opts *opts)
{
	const char *cwd;
	kin_process *p;

	memset(l, 0, sizeof(*l));
	ck_kin_ok(kin_process_start(&p, tell, KIN_ARGS(), opts));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&cwd, &l->added, &l->path,
	    &l->nice, &l->oom, &l->group, &l->session, &l->mask, &l->cpus,
	    &l->files), KIT_PATIENCE));
	snprintf(l->cwd, sizeof(l->cwd), "%s", cwd);
	return p;
}

static void
ck_same_looks(const struct looks *a, const struct looks *b)
{
	ck_assert_str_eq(a->cwd, b->cwd);
	ck_assert_int_eq(a->nice, b->nice);
	ck_assert_int_eq(a->oom, b->oom);
	ck_assert_int_eq(a->mask, b->mask);
	ck_assert_int_eq(a->cpus, b->cpus);
	ck_assert_uint_eq(a->files, b->files);
}

START_TEST(one_without_options_is_as_its_parent)
{
	struct looks here, there;
	kin_process *p;

	look_around(&here);
	p = made(&there, OPTS(.flags = 0));
	ck_same_looks(&here, &there);
	ck_assert_str_eq(there.added, "");
	ck_assert_str_eq(there.path, here.path != NULL ? here.path : "");
	ck_assert(!there.group);
	kin_process_close(p);
}
END_TEST

START_TEST(one_with_all_options_is_as_they_say)
{
	static const char *const env[] = { "KIN_TEST_ADDED=a=b", "PATH", NULL };
	static const struct kin_limit limits[] = { { RLIMIT_NOFILE, 77, 99 } };
	uint32_t cpu = (uint32_t)sched_getcpu();
	struct looks here, there, after;
	kin_process *p;

	look_around(&here);
	p = made(&there, OPTS(.cwd = "/usr", .env = env, .nice = 1,
	    .oom_score = 3, .umask = KIN_UMASK(0123), .cpus = &cpu,
	    .ncpus = 1, .limits = limits, .nlimits = 1,
	    .flags = KIN_PROCESS_GROUP));
	ck_assert_str_eq(there.cwd, "/usr");
	ck_assert_str_eq(there.added, "a=b");
	ck_assert_str_eq(there.path, "");
	ck_assert_int_eq(there.nice, here.nice < 19 ? here.nice + 1 : 19);
	ck_assert_int_eq(there.oom, here.oom + 3);
	ck_assert_int_eq(there.mask, 0123);
	ck_assert_int_eq(there.cpus, 1);
	ck_assert_uint_eq(there.files, 77);
	ck_assert(there.group && !there.session);
	kin_process_close(p);

	look_around(&after);
	ck_same_looks(&here, &after);
}
END_TEST

START_TEST(a_umask_of_zero_is_one_too)
{
	struct looks there;

	umask(027);
	kin_process_close(made(&there, OPTS(.umask = KIN_UMASK(0))));
	ck_assert_int_eq(there.mask, 0);
}
END_TEST

START_TEST(a_session_of_its_own)
{
	struct looks there;

	kin_process_close(made(&there, OPTS(.flags = KIN_PROCESS_SESSION)));
	ck_assert(there.group && there.session);
}
END_TEST

START_TEST(an_environment_in_place_of_all)
{
	static const char *const env[] = { "KIN_TEST_ADDED=x", NULL };
	struct looks there;
	kin_process *p;

	ck_assert_int_eq(setenv("PATH", "/bin", 1), 0);
	p = made(&there, OPTS(.env = env, .flags = KIN_PROCESS_ENV_ONLY));
	ck_assert_str_eq(there.added, "x");
	ck_assert_str_eq(there.path, "");
	kin_process_close(p);
	p = made(&there, OPTS(.flags = KIN_PROCESS_ENV_ONLY));
	ck_assert_str_eq(there.added, "");
	ck_assert_str_eq(there.path, "");
	kin_process_close(p);
	p = made(&there, OPTS(.env = env));
	ck_assert_str_eq(there.path, "/bin");
	kin_process_close(p);
}
END_TEST

START_TEST(a_directory_relative_to_the_parents)
{
	struct looks there;

	ck_assert_int_eq(chdir("/"), 0);
	kin_process_close(made(&there, OPTS(.cwd = "usr/bin/..")));
	ck_assert_str_eq(there.cwd, "/usr");
}
END_TEST

/* ---- streams ---- */

static int
echo(kin_call *call)
{
	char line[64];

	(void)call;
	while (fgets(line, sizeof(line), stdin) != NULL)
		printf("out %s", line);
	fprintf(stderr, "err\n");
	return 0;
}
KIN_ENTRY(echo);

/* All there is until the end. */
static void
ck_says(int fd, const char *text)
{
	char got[256];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	ck_assert_str_eq(got, text);
	close(fd);
}

START_TEST(pipes_to_and_from_it)
{
	kin_process *p, *sibling;
	int in, out, err;

	ck_kin_ok(kin_process_start(&p, echo, KIN_ARGS(),
	    OPTS(.in = KIN_STREAM_PIPE, .out = KIN_STREAM_PIPE,
		 .err = KIN_STREAM_PIPE)));
	/* A sibling has no end of what is not taken: it would keep it open. */
	sibling = start(wait_to_be_killed, KIN_ARGS());
	ck_kin_ok(in = kin_process_take_pipe(p, 0));
	ck_kin_ok(out = kin_process_take_pipe(p, 1));
	ck_kin_ok(err = kin_process_take_pipe(p, 2));
	ck_kin_fails(-ENOENT, kin_process_take_pipe(p, 2));
	ck_kin_fails(-ENOENT, kin_process_take_pipe(p, 3));
	ck_kin_fails(-ENOENT, kin_process_take_pipe(sibling, 0));
	ck_assert_int_eq(write(in, "a\nb\n", 4), 4);
	close(in);
	ck_says(out, "out a\nout b\n");
	ck_says(err, "err\n");
	ck_exited(finish(p), 0);
	ck_kin_ok(kin_process_signal(sibling, SIGKILL));
	ck_killed(finish(sibling), SIGKILL);
}
END_TEST

START_TEST(what_is_not_taken_is_closed_with_it)
{
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, echo, KIN_ARGS(),
	    OPTS(.in = KIN_STREAM_NULL, .out = KIN_STREAM_PIPE,
		 .err = KIN_STREAM_OUT)));
	ck_exited(finish(p), 0);
}
END_TEST

START_TEST(errors_go_where_output_goes)
{
	kin_process *p;
	int out;

	ck_kin_ok(kin_process_start(&p, echo, KIN_ARGS(),
	    OPTS(.in = KIN_STREAM_NULL, .out = KIN_STREAM_PIPE,
		 .err = KIN_STREAM_OUT)));
	ck_kin_ok(out = kin_process_take_pipe(p, 1));
	ck_says(out, "err\n");
	ck_exited(finish(p), 0);
}
END_TEST

START_TEST(a_descriptor_and_what_was_read_ahead)
{
	int old[2], new[2];
	kin_process *p;
	char line[8];
	int out;

	ck_assert_int_eq(pipe2(old, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(new, O_CLOEXEC), 0);
	ck_assert_int_eq(write(old[1], "1\n2\n", 4), 4);
	ck_assert_int_eq(dup2(old[0], 0), 0);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), stdin));
	ck_assert_int_eq(write(new[1], "3\n", 2), 2);
	close(new[1]);
	ck_kin_ok(kin_process_start(&p, echo, KIN_ARGS(),
	    OPTS(.in = new[0], .out = KIN_STREAM_PIPE,
		 .err = KIN_STREAM_NULL)));
	ck_kin_ok(out = kin_process_take_pipe(p, 1));
	ck_says(out, "out 3\n");
	ck_exited(finish(p), 0);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), stdin));
	ck_assert_str_eq(line, "2\n");
	close(new[0]);
	close(old[0]);
	close(old[1]);
}
END_TEST

/* ---- what cannot be ---- */

static void
ck_refused(int number, const char *named, const struct kin_process_opts *opts)
{
	kin_process *p = (void *)board;

	ck_kin_fails(number, kin_process_start(&p, tell, KIN_ARGS(), opts));
	ck_assert_ptr_eq(p, (void *)board);
	ck_assert_msg(strstr(kin_errmsg(), named) != NULL, "%s", kin_errmsg());
}

START_TEST(what_can_never_be_is_refused_before)
{
	static const char *const nameless[] = { "A=1", "=2", NULL };
	static const struct kin_limit unknown = { 77, 1, 1 };
	static const struct kin_limit upside_down = { RLIMIT_NOFILE, 2, 1 };
	static const uint32_t cpu = 1u << 20;

	ck_refused(-EINVAL, "flags", OPTS(.flags = 1u << 31));
	ck_refused(-EINVAL, ".cwd", OPTS(.cwd = ""));
	ck_refused(-EINVAL, ".env[1]", OPTS(.env = nameless));
	ck_refused(-EINVAL, "77", OPTS(.limits = &unknown, .nlimits = 1));
	ck_refused(-EINVAL, "over", OPTS(.limits = &upside_down, .nlimits = 1));
	ck_refused(-EINVAL, "CPU", OPTS(.cpus = &cpu, .ncpus = 1));
	ck_refused(-EINVAL, "0 .cpus", OPTS(.cpus = &cpu));
	ck_refused(-EINVAL, "1 .cpus", OPTS(.ncpus = 1));
	ck_refused(-EINVAL, "0 .limits", OPTS(.limits = &unknown));
	ck_refused(-EINVAL, "2 .limits", OPTS(.nlimits = 2));
	ck_refused(-EINVAL, "umask", OPTS(.umask = 022 | 1u << 20));
	ck_refused(-EINVAL, "stdin", OPTS(.in = KIN_STREAM_OUT));
	ck_refused(-EINVAL, "stdout", OPTS(.out = -7));
	ck_refused(-EBADF, "stderr", OPTS(.err = 999));
}
END_TEST

START_TEST(what_fails_in_the_child_is_told_by_start)
{
	static const uint32_t cpu = 8191;
	static const struct kin_limit fewer = { RLIMIT_CORE, 0, 0 };
	int i;

	for (i = 0; i < 20; i++) {
		ck_refused(-ENOENT, "/no/such", OPTS(.cwd = "/no/such",
		    .in = KIN_STREAM_PIPE, .limits = &fewer, .nlimits = 1));
		ck_refused(-ENOTDIR, "/dev/null", OPTS(.cwd = "/dev/null"));
		ck_refused(-EINVAL, "CPUs", OPTS(.cpus = &cpu, .ncpus = 1));
		ck_refused(-EINVAL, "oom", OPTS(.oom_score = 100000));
	}
}
END_TEST

static void
add_options(Suite *suite, uint32_t kind)
{
	TCase *tc = context_case(suite, "options", kind);

	tcase_add_test(tc, one_without_options_is_as_its_parent);
	tcase_add_test(tc, one_with_all_options_is_as_they_say);
	tcase_add_test(tc, a_umask_of_zero_is_one_too);
	tcase_add_test(tc, a_session_of_its_own);
	tcase_add_test(tc, an_environment_in_place_of_all);
	tcase_add_test(tc, a_directory_relative_to_the_parents);

	tc = context_case(suite, "streams", kind);
	tcase_add_test(tc, pipes_to_and_from_it);
	tcase_add_test(tc, what_is_not_taken_is_closed_with_it);
	tcase_add_test(tc, errors_go_where_output_goes);
	tcase_add_test(tc, a_descriptor_and_what_was_read_ahead);

	tc = context_case(suite, "what cannot be", kind);
	tcase_add_test(tc, what_can_never_be_is_refused_before);
	tcase_add_test(tc, what_fails_in_the_child_is_told_by_start);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("process_options");
	int r = kin_init(argc, argv);
	uint32_t kind;

	if (r < 0)
		return kin_perror("kin_init", r);
	for (kind = 0; kind < CONTEXTS; kind++)
		add_options(suite, kind);
	return kit_run(suite);
}
