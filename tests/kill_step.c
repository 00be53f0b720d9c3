/* SPDX-License-Identifier: MIT */
/*
 * kill_step.c - run a row: victims, one step more each time
 */
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/kill.h"

#define PATIENCE_MS	60000
#define SHORT		600		/* steps: each of them is a point */
#define NEAR		3		/* steps around a change: victims are
					   not quite alike */

/* How one victim ended. */
enum end { KILLED, WINDOW_OVER, ACTED, STUCK };

static struct kill_shared *shared;
static bool by_ptrace;

/* ---- the survey ---- */

static const void *
watched(const struct scene *s)
{
	return s->q != NULL ? kn_segment_body(s->q->seg) : NULL;
}

static size_t
watched_bytes(const struct scene *s)
{
	size_t n = s->q != NULL ? s->q->seg->body_bytes : 0;

	return n < KILL_IMAGE ? n : KILL_IMAGE;
}

static void
begin_survey(const struct scene *s)
{
	if (watched(s) != NULL)
		memcpy(shared->image, watched(s), watched_bytes(s));
}

static void
survey_step(const struct scene *s)
{
	int n = shared->steps;

	if (n >= KILL_STEPS || watched(s) == NULL ||
	    memcmp(shared->image, watched(s), watched_bytes(s)) == 0)
		return;
	shared->changed[n] = 1;
	begin_survey(s);
}

/* Is the n-th step of so many a point to die at? */
static bool
is_point(int n, int steps)
{
	int i;

	if (steps <= SHORT || n <= NEAR || n > steps - NEAR)
		return true;
	for (i = n - NEAR; i <= n + NEAR; i++)
		if (i > 0 && i < KILL_STEPS && shared->changed[i])
			return true;
	return false;
}

/* ---- in the victim ---- */

static struct scene *scene;

static void
die(void)
{
	syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

#ifdef __x86_64__
#define TRAP_FLAG 0x100

static void
on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)signal;
	(void)info;
	if (shared->over) {
		at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	shared->steps++;
	if (shared->steps == shared->step)
		die();
	if (shared->step == 0)
		survey_step(scene);
}

static void
trap_on(void)
{
	__asm__ volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq;"
			 "add $128, %%rsp" ::: "memory", "cc");
}
#else
static void
on_step(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
}

static void
trap_on(void)
{
}
#endif

static void
begin_stepping(void)
{
	begin_survey(scene);
	if (by_ptrace)
		raise(SIGSTOP);
	else
		trap_on();
}

static int
on_call(const char *call)
{
	int n = ++shared->calls;

	(void)call;
	if (n == shared->window + 1) {
		/* Killed or not, this victim is of no more use. */
		shared->over = 1;
		_exit(0);
	}
	if (n == shared->window)
		begin_stepping();
	return 0;
}

static void __attribute__((noreturn))
victim(const struct kill_op *op, struct scene *s)
{
	struct sigaction trap = {
		.sa_sigaction = on_step,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	if (by_ptrace && ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		err(1, "ptrace");
	scene = s;
	sigaction(SIGTRAP, &trap, NULL);
	if (op->ready != NULL)
		op->ready(s);
	kn_os_hook = on_call;
	if (shared->window == 0)
		begin_stepping();
	op->act(s);
	shared->acted = 1;
	shared->over = 1;
	_exit(0);
}

/* ---- in the survivor ---- */

/* Its end, without taking it off the list of processes. */
static bool
await_end(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd end = { .fd = fd, .events = POLLIN };
	int r;

	if (fd < 0)
		err(1, "pidfd_open");
	r = kn_os_poll(&end, 1, kin_in_ms(PATIENCE_MS));
	close(fd);
	return r > 0;
}

static void
reap(pid_t pid)
{
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* Its next stop; false if it has ended, and then it is left a zombie. */
static bool
next_stop(pid_t pid, int *ret_signal)
{
	siginfo_t info;
	int status;

	while (waitid(P_PID, (id_t)pid, &info,
		      WSTOPPED | WEXITED | WNOWAIT) < 0)
		if (errno != EINTR)
			err(1, "waitid");
	if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
		return false;
	if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
		return false;
	*ret_signal = WSTOPSIG(status);
	return true;
}

static void
trace(pid_t pid, const struct scene *s)
{
	int stop, pass = 0;

	for (;;) {
		if (!next_stop(pid, &stop))
			return;
		if (stop == SIGSTOP)
			break;
		ptrace(PTRACE_CONT, pid, 0, (long)stop);
	}
	while (!shared->over) {
		if (shared->step == 0) {
			survey_step(s);
		} else if (shared->steps == shared->step) {
			kill(pid, SIGKILL);
			return;
		}
		shared->steps++;
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, (long)pass) < 0 ||
		    !next_stop(pid, &stop))
			return;
		pass = stop == SIGTRAP ? 0 : stop;
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

static enum end
kill_once(const struct kill_op *op, struct scene *s, pid_t *ret_pid)
{
	siginfo_t info = { 0 };
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0)
		victim(op, s);
	if (by_ptrace)
		trace(pid, s);
	*ret_pid = pid;
	if (!await_end(pid)) {
		kill(pid, SIGKILL);
		reap(pid);
		return STUCK;
	}
	shared->dead = 1;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
		err(1, "waitid");
	if (info.si_code != CLD_EXITED)
		return KILLED;
	if (info.si_status != 0)
		errx(1, "%s, %s: a victim failed", op->name, op->state);
	return shared->acted ? ACTED : WINDOW_OVER;
}

void
kill_help(struct scene *s, void (*fn)(struct scene *))
{
	fflush(NULL);
	s->helper = fork();
	if (s->helper < 0)
		err(1, "fork");
	if (s->helper == 0) {
		fn(s);
		_exit(0);
	}
}

static void
clear(struct scene *s)
{
	if (s->helper > 0) {
		kill(s->helper, SIGKILL);
		reap(s->helper);
	}
	kin_queue_close(s->q);
	kin_segment_close(s->seg);
}

/* One victim, killed at one point or surveyed, and the check. */
static enum end
one_round(const struct kill_op *op, int window, int step,
	  const char **ret_wrong)
{
	struct scene s = { .shared = shared };
	enum end end;
	pid_t pid;

	memset((void *)shared, 0, offsetof(struct kill_shared, image));
	shared->window = window;
	shared->step = step;
	op->set(&s);
	end = kill_once(op, &s, &pid);
	if (end == STUCK) {
		*ret_wrong = "the victim hung";
	} else {
		*ret_wrong = op->check(&s);
		reap(pid);
	}
	clear(&s);
	return end;
}

/*
 * All points of a window.  How it was left: WINDOW_OVER, there is another; or
 * ACTED, it was the last.
 */
static enum end
one_window(const struct kill_op *op, struct kill_result *ret)
{
	enum end last, end;
	int steps;

	memset(shared->changed, 0, sizeof(shared->changed));
	last = one_round(op, ret->window, 0, &ret->wrong);
	steps = shared->steps;
	ret->steps += steps;
	ret->step = steps;
	if (ret->wrong != NULL)
		return last;
	for (ret->step = 1; ret->wrong == NULL; ret->step++) {
		if (ret->step <= steps && !is_point(ret->step, steps))
			continue;
		end = one_round(op, ret->window, ret->step, &ret->wrong);
		if (end != KILLED || ret->wrong != NULL)
			break;
		ret->points++;
	}
	return last;
}

void
kill_run(const struct kill_op *op, struct kill_result *ret)
{
	const char *step_by = getenv("KIN_STEP");

	by_ptrace = (op->flags & KILL_PTRACE) ||
		    (step_by != NULL && strcmp(step_by, "ptrace") == 0);
#ifndef __x86_64__
	by_ptrace = true;
#endif
	if (shared == NULL) {
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared == MAP_FAILED)
			err(1, "mmap");
	}
	memset(ret, 0, sizeof(*ret));
	while (one_window(op, ret) == WINDOW_OVER && ret->wrong == NULL)
		ret->window++;
}
