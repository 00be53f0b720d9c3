/* SPDX-License-Identifier: MIT */
/*
 * row_python.c - Python's manager, with the same counter; and its processes
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "duo.h"

extern char **environ;

/* Prints thousands of calls in a second. */
static const char script[] =
"import multiprocessing, sys, time\n"
"from multiprocessing.managers import BaseManager\n"
"class Counter:\n"
"    def __init__(self): self.n = 0\n"
"    def add(self, by):\n"
"        self.n += by\n"
"        return self.n\n"
"class Manager(BaseManager): pass\n"
"Manager.register('Counter', Counter)\n"
"with Manager(ctx=multiprocessing.get_context('fork')) as m:\n"
"    c = m.Counter()\n"
"    for i in range(200): c.add(1)\n"
"    begin = now = time.monotonic()\n"
"    n = 0\n"
"    while now - begin < float(sys.argv[1]):\n"
"        for i in range(16): c.add(1)\n"
"        n += 16\n"
"        now = time.monotonic()\n"
"    print(n / (now - begin) / 1e3)\n";

/* Its output, up to its end. */
static int
read_figure(int fd, double *ret)
{
	char text[64], *end;
	size_t have = 0;
	ssize_t n;

	do {
		n = read(fd, text + have, sizeof(text) - 1 - have);
		if (n > 0)
			have += (size_t)n;
	} while (n > 0);
	text[have] = '\0';
	*ret = strtod(text, &end);
	return n < 0 ? -errno : end == text ? -EPROTO : 0;
}

static int
start(pid_t *ret_pid, int out, const char *program, const char *seconds,
      const char *word)
{
	char *argv[] = { (char *)"python3", (char *)"-c", (char *)program,
			 (char *)seconds, (char *)word, NULL };
	posix_spawn_file_actions_t actions;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (r == 0)
		r = posix_spawnp(ret_pid, "python3", &actions, NULL, argv,
				 environ);
	posix_spawn_file_actions_destroy(&actions);
	return r == ENOENT ? BENCH_NONE : -r;
}

int
bench_python_run(const char *program, const char *word, double seconds,
		 double *ret)
{
	char text[32];
	int fds[2], status, r;
	pid_t pid;

	snprintf(text, sizeof(text), "%g", seconds);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = start(&pid, fds[1], program, text, word);
	close(fds[1]);
	if (r == 0) {
		r = read_figure(fds[0], ret);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	close(fds[0]);
	return r;
}

static int
python_on_one(double seconds, double *ret)
{
	int cpu[2], r;

	(void)duo_cpus(cpu);
	r = duo_stay_on(cpu[0]);
	return r < 0 ? r : bench_python_run(script, "", seconds, ret);
}

static int
kin_on_one(double seconds, double *ret)
{
	return bench_call_one.kin(seconds, ret);
}

const struct bench_row bench_python = {
	.name = "  for scale: counter calls in Python",
	.unit = "k/s",
	.peer = "multiprocessing's manager",
	.kin = kin_on_one,
	.bare = python_on_one,
	.more = true,
};
