/* SPDX-License-Identifier: MIT */
/*
 * step.c - run an operation to a point in it
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/proof/step.h"

#define PATIENCE_MS	60000
#define SHORT		64		/* steps: each of them is a point */
#define AROUND		3		/* a change: victims are not quite
					   alike */

void
track_rewind(struct track *t, bool changes)
{
	int window = t->window, step = t->step;

	memset((void *)t, 0, offsetof(struct track, image));
	if (changes)
		memset(t->changed, 0, sizeof(t->changed));
	t->window = window;
	t->step = step;
}

bool
step_by_ptrace(const struct op *op)
{
#ifdef __x86_64__
	const char *by = getenv("KIN_STEP");

	return (op->flags & OP_PTRACE) ||
	       (by != NULL && strcmp(by, "ptrace") == 0);
#else
	(void)op;
	return true;
#endif
}

/* ---- the survey ---- */

static size_t
watched(const struct scene *s)
{
	return s->watch_bytes < TRACK_IMAGE ? s->watch_bytes : TRACK_IMAGE;
}

static void
begin_survey(struct track *t, const struct scene *s)
{
	if (s->watch != NULL)
		memcpy(t->image, s->watch, watched(s));
}

static void
survey_step(struct track *t, const struct scene *s)
{
	int n = t->steps;

	if (n >= TRACK_STEPS || s->watch == NULL ||
	    memcmp(t->image, s->watch, watched(s)) == 0)
		return;
	t->changed[n] = 1;
	begin_survey(t, s);
}

static bool
is_changed(const struct track *t, int from, int to)
{
	int i;

	for (i = from > 1 ? from : 1; i <= to && i < TRACK_STEPS; i++)
		if (t->changed[i])
			return true;
	return false;
}

static bool
is_point(const struct track *t, int n, int steps, enum points points)
{
	if (points == EVERY || n > steps)
		return true;
	if (points == DISTINCT)
		return n == 1 || n == steps || is_changed(t, n, n + 1);
	return steps <= SHORT || n <= AROUND || n > steps - AROUND ||
	       is_changed(t, n - AROUND, n + AROUND);
}

int
step_next(const struct track *t, int n, int steps, enum points points)
{
	do
		n++;
	while (!is_point(t, n, steps, points));
	return n;
}

/* ---- in the victim ---- */

static struct track *track;
static struct scene *scene;
static enum fate fate;
static bool by_ptrace;
static pid_t self;			/* of the victim */

/* A child of the victim's has the flag and the hook, too: it goes its way. */
static bool
is_victim(void)
{
	return syscall(SYS_getpid) == self;
}

/* Without libc, which might be at anything. */
static void
meet_fate(void)
{
	if (fate == STOPS)
		track->over = 1;
	syscall(SYS_kill, syscall(SYS_getpid),
		fate == STOPS ? SIGSTOP : SIGKILL);
}

#ifdef __x86_64__
#define TRAP_FLAG 0x100

static void
on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	int number = errno;

	(void)signal;
	(void)info;
	if (!is_victim()) {
		at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	if (!track->over) {
		track->steps++;
		if (track->steps == track->step)
			meet_fate();
		if (track->step == 0)
			survey_step(track, scene);
	}
	if (track->over)
		at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	errno = number;
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
	begin_survey(track, scene);
	if (by_ptrace)
		raise(SIGSTOP);
	else
		trap_on();
}

static int
on_call(const char *call)
{
	int n;

	(void)call;
	if (!is_victim())
		return 0;
	n = ++track->calls;
	if (n == track->window + 1 && !track->over) {
		track->over = 1;
		/* Killed or not, this victim is of no more use. */
		if (fate == DIES || track->step == 0)
			_exit(0);
	}
	if (n == track->window)
		begin_stepping();
	return 0;
}

static void __attribute__((noreturn))
victim(void (*ready)(struct scene *), int (*act)(struct scene *))
{
	struct sigaction trap = {
		.sa_sigaction = on_step,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	self = getpid();
	if (by_ptrace && ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		err(1, "ptrace");
	sigaction(SIGTRAP, &trap, NULL);
	if (ready != NULL)
		ready(scene);
	kn_os_hook = on_call;
	if (track->window == 0)
		begin_stepping();
	track->result = act(scene);
	track->returned = 1;
	track->over = 1;
	_exit(0);
}

/* ---- in the survivor ---- */

void
step_collect(pid_t pid)
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
trace(struct track *t, pid_t pid, const struct scene *s)
{
	int stop, pass = 0;

	for (;;) {
		if (!next_stop(pid, &stop))
			return;
		if (stop == SIGSTOP)
			break;
		ptrace(PTRACE_CONT, pid, 0, (long)stop);
	}
	while (!t->over) {
		if (t->step == 0) {
			survey_step(t, s);
		} else if (t->steps == t->step) {
			if (fate == DIES) {
				kill(pid, SIGKILL);
				return;
			}
			t->over = 1;
			ptrace(PTRACE_DETACH, pid, 0, (long)SIGSTOP);
			return;
		}
		t->steps++;
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, (long)pass) < 0 ||
		    !next_stop(pid, &stop))
			return;
		pass = stop == SIGTRAP ? 0 : stop;
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

/*
 * Its end, or its stop, without taking it off the list of processes.  There is
 * no waiting for either with a deadline, but for its end there is.
 */
static enum end
await_end(const struct track *t, pid_t pid, bool may_stop)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd end = { .fd = fd, .events = POLLIN };
	kin_time deadline = kin_in_ms(PATIENCE_MS);
	siginfo_t info;

	if (fd < 0)
		err(1, "pidfd_open");
	for (;;) {
		info = (siginfo_t){ 0 };
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG |
			   WNOWAIT | (may_stop ? WSTOPPED : 0)) < 0)
			err(1, "waitid");
		if (info.si_pid != 0 || kin_now().ns > deadline.ns)
			break;
		(void)kn_os_poll(&end, 1, may_stop ? kin_in_ms(1) : deadline);
	}
	close(fd);
	if (info.si_pid == 0)
		return STUCK;
	if (info.si_code == CLD_STOPPED)
		return AT_POINT;
	if (info.si_code != CLD_EXITED)
		return fate == DIES ? AT_POINT : STUCK;
	if (info.si_status != 0)
		errx(1, "a victim failed");
	return t->returned ? RETURNED : WINDOW_OVER;
}

enum end
step_run(struct track *t, struct scene *s, void (*ready)(struct scene *),
	 int (*act)(struct scene *), enum fate how, bool traced,
	 pid_t *ret_pid)
{
	pid_t pid;
	enum end end;

	track = t;
	scene = s;
	fate = how;
	by_ptrace = traced;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0)
		victim(ready, act);
	if (traced)
		trace(t, pid, s);
	end = await_end(t, pid, how == STOPS);
	if (end == STUCK)
		kill(pid, SIGKILL);
	*ret_pid = pid;
	return end;
}

enum end
step_continue(struct track *t, pid_t pid)
{
	enum end end;

	kill(pid, SIGCONT);
	end = await_end(t, pid, false);
	if (end == STUCK)
		kill(pid, SIGKILL);
	return end;
}
