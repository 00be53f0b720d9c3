/* SPDX-License-Identifier: MIT */
/*
 * row_start.c - processes: started and joined, in each context
 */
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kin/kin.h>

#include "bench.h"

#define CROWD	8
#define LARGE	(1ull << 30)

extern char **environ;

static int
end(kin_call *call)
{
	(void)call;
	return 0;
}
KIN_ENTRY(end);

/* ---- one after the other ---- */

typedef int once_fn(void);

static int
by(kin_context *c)
{
	struct kin_status status;
	kin_process *p;
	int r;

	r = kin_process_start(&p, end, KIN_ARGS(),
	    KIN_OPTS(kin_process_opts, .context = c));
	if (r < 0)
		return r;
	r = kin_process_join(p, &status, KIN_FOREVER);
	kin_process_close(p);
	return r < 0 ? r : status.how == KIN_EXITED && status.code == 0
	       ? 0 : -EPROTO;
}

static int
by_fork(void)
{
	return by(kin_context_fork());
}

static int
by_spawn(void)
{
	return by(kin_context_spawn());
}

static int
by_server(void)
{
	return by(kin_context_forkserver());
}

static int
collect(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 ? -errno :
	       info.si_status == 0 ? 0 : -EPROTO;
}

static int
bare_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -errno : collect(pid);
}

static int
bare_spawn(void)
{
	char *argv[] = { (char *)"kin-bench", (char *)BENCH_END, NULL };
	pid_t pid;
	int r = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);

	return r != 0 ? -r : collect(pid);
}

/* Microseconds of one; the first, which may start a server, does not count. */
static int
repeat(once_fn *fn, double seconds, double *ret)
{
	kin_time begin, now;
	int n = 0, r = fn();

	begin = now = kin_now();
	while (r == 0 && (double)(now.ns - begin.ns) < seconds * 1e9) {
		r = fn();
		n++;
		now = kin_now();
	}
	*ret = n > 0 ? (double)(now.ns - begin.ns) / 1e3 / n : 0;
	return r;
}

static int
run_fork(double seconds, double *ret)
{
	return repeat(by_fork, seconds, ret);
}

static int
run_spawn(double seconds, double *ret)
{
	return repeat(by_spawn, seconds, ret);
}

static int
run_server(double seconds, double *ret)
{
	return repeat(by_server, seconds, ret);
}

static int
run_bare_fork(double seconds, double *ret)
{
	return repeat(bare_fork, seconds, ret);
}

static int
run_bare_spawn(double seconds, double *ret)
{
	return repeat(bare_spawn, seconds, ret);
}

const struct bench_row bench_start_fork = {
	.name = "start and join, fork",
	.unit = "us",
	.peer = "fork and waitid",
	.kin = run_fork,
	.bare = run_bare_fork,
	.aim = 1.2,
};

const struct bench_row bench_start_spawn = {
	.name = "start and join, spawn",
	.unit = "us",
	.peer = "posix_spawn and waitid of the same image",
	.kin = run_spawn,
	.bare = run_bare_spawn,
	.aim = 1.2,
};

const struct bench_row bench_start_server = {
	.name = "start and join, fork server",
	.unit = "us",
	.peer = "fork and waitid",
	.kin = run_server,
	.bare = run_bare_fork,
	.aim = 1.5,
};

/* Bare fork gives no more than a pid: this is what the context itself costs. */
const struct bench_row bench_start_server_fork = {
	.name = "  the same, beside kin's own fork",
	.unit = "us",
	.peer = "kin's fork",
	.kin = run_server,
	.bare = run_fork,
};

/* ---- from a parent with a GiB in small pages ---- */

static int
grow_large(void)
{
	static char *large;
	size_t i;

	if (large != NULL)
		return 0;
	large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (large == MAP_FAILED)
		return -errno;
	(void)madvise(large, LARGE, MADV_NOHUGEPAGE);
	for (i = 0; i < LARGE; i += 4096)
		large[i] = 1;
	return 0;
}

static int
per_second(once_fn *fn, double seconds, double *ret)
{
	double us;
	int r = grow_large();

	if (r == 0)
		r = repeat(fn, seconds, &us);
	*ret = r == 0 ? 1e6 / us : 0;
	return r;
}

static int
run_large_server(double seconds, double *ret)
{
	return per_second(by_server, seconds, ret);
}

static int
run_large_fork(double seconds, double *ret)
{
	return per_second(by_fork, seconds, ret);
}

const struct bench_row bench_start_large = {
	.name = "start and join, fork server, 1 GiB resident",
	.unit = "/s",
	.peer = "fork",
	.kin = run_large_server,
	.bare = run_large_fork,
	.aim = 50,
	.more = true,
};

/* ---- as many as there can be ---- */

/* Thousands a second, with so many under way. */
static int
crowd(kin_context *c, double seconds, double *ret)
{
	kin_process *p[CROWD] = { NULL };
	kin_time begin = kin_now(), now = begin;
	int i, n = 0, r = 0;

	for (i = 0; r == 0 && (double)(now.ns - begin.ns) < seconds * 1e9;
	     i = (i + 1) % CROWD) {
		if (p[i] != NULL) {
			r = kin_process_join(p[i], NULL, KIN_FOREVER);
			kin_process_close(p[i]);
			p[i] = NULL;
			n++;
		}
		if (r == 0)
			r = kin_process_start(&p[i], end, KIN_ARGS(),
			    KIN_OPTS(kin_process_opts, .context = c));
		now = kin_now();
	}
	for (i = 0; i < CROWD; i++)
		if (p[i] != NULL) {
			if (kin_process_join(p[i], NULL, KIN_FOREVER) == 0)
				kin_process_close(p[i]);
		}
	*ret = n / ((double)(now.ns - begin.ns) / 1e9) / 1e3;
	return r;
}

static int
run_crowd_fork(double seconds, double *ret)
{
	return crowd(kin_context_fork(), seconds, ret);
}

static int
run_crowd_spawn(double seconds, double *ret)
{
	return crowd(kin_context_spawn(), seconds, ret);
}

static int
run_crowd_server(double seconds, double *ret)
{
	return crowd(kin_context_forkserver(), seconds, ret);
}

/* Python's, which are started and joined one after the other, too. */
static const char script[] =
"import multiprocessing, os, sys, time\n"
"c = multiprocessing.get_context(sys.argv[2])\n"
"def once():\n"
"    p = c.Process(target=os.getpid)\n"
"    p.start()\n"
"    p.join()\n"
"once()\n"
"begin = now = time.monotonic()\n"
"n = 0\n"
"while now - begin < float(sys.argv[1]):\n"
"    once()\n"
"    n += 1\n"
"    now = time.monotonic()\n"
"print((now - begin) / n * 1e6)\n";

static int
python_fork(double seconds, double *ret)
{
	return bench_python_run(script, "fork", seconds, ret);
}

static int
python_spawn(double seconds, double *ret)
{
	return bench_python_run(script, "spawn", seconds, ret);
}

static int
python_server(double seconds, double *ret)
{
	return bench_python_run(script, "forkserver", seconds, ret);
}

const struct bench_row bench_crowd_fork = {
	.name = "processes, eight at once, fork",
	.unit = "k/s",
	.peer = "",
	.kin = run_crowd_fork,
};

const struct bench_row bench_crowd_spawn = {
	.name = "processes, eight at once, spawn",
	.unit = "k/s",
	.peer = "",
	.kin = run_crowd_spawn,
};

const struct bench_row bench_crowd_server = {
	.name = "processes, eight at once, fork server",
	.unit = "k/s",
	.peer = "",
	.kin = run_crowd_server,
};

const struct bench_row bench_python_fork = {
	.name = "  for scale: start and join in Python, fork",
	.unit = "us",
	.peer = "multiprocessing",
	.kin = run_fork,
	.bare = python_fork,
};

const struct bench_row bench_python_spawn = {
	.name = "  for scale: start and join in Python, spawn",
	.unit = "us",
	.peer = "multiprocessing",
	.kin = run_spawn,
	.bare = python_spawn,
};

const struct bench_row bench_python_server = {
	.name = "  for scale: start and join in Python, fork server",
	.unit = "us",
	.peer = "multiprocessing",
	.kin = run_server,
	.bare = python_server,
};
