/* SPDX-License-Identifier: MIT */
/*
 * row_call.c - a manager's counter, one client
 *
 * Beside it an echo over a bare Unix socket with requests and answers of as
 * many bytes, whose server answers all that is there at once, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kin/kin.h>

#include "bench.h"
#include "duo.h"

#define WARM		500		/* rounds before the clock runs */
#define ROUND		32		/* rounds between looks at the clock */
#define DEEP		16		/* calls under way, at most */
#define REQUEST		50u		/* bytes: [head ["add", 1] tail] */
#define REPLY		46u		/* [head [sum] tail] */
#define GRACE_MS	5000

/* What a run is: where, how, how many calls at a time. */
struct job {
	bool apart;			/* the server on another CPU */
	const char *io;			/* KIN_IO; NULL = as it is */
	int deep;
	double seconds;
};

/* ---- the clock, and the CPUs ---- */

typedef int round_fn(void *arg, int deep, kin_time deadline);

static int
take_time(round_fn *fn, void *arg, const struct job *job, double *ret)
{
	kin_time deadline = kin_in_ms((int64_t)(job->seconds * 1000) +
				      GRACE_MS);
	int64_t begin = 0, now = 0, end = 0;
	uint64_t n = 0;
	int r = 0;

	while (r == 0 && (n <= WARM || now < end)) {
		if (n++ == WARM) {
			begin = kin_now().ns;
			end = begin + (int64_t)(job->seconds * 1e9);
		}
		r = fn(arg, job->deep, deadline);
		if (n % ROUND == 0)
			now = kin_now().ns;
	}
	now = kin_now().ns;
	*ret = (double)((n - WARM) * (uint64_t)job->deep) * 1e6 /
	       (double)(now - begin);
	return r;
}

/* With the server's CPU ours, start it; then go to our own. */
static int
place(const struct job *job, int (*start)(void *arg), void *arg)
{
	int cpu[2], r;

	(void)duo_cpus(cpu);
	r = duo_stay_on(cpu[0]);
	if (r == 0)
		r = start(arg);
	return r == 0 && job->apart ? duo_stay_on(cpu[1]) : r;
}

/* ---- kin ---- */

static int
start_manager(void *ret_m)
{
	return kin_manager_start(ret_m, NULL, kin_in_ms(GRACE_MS));
}

static int
add_one(kin_counter *c, kin_time deadline)
{
	int64_t sum;

	return kin_counter_add(c, 1, &sum, deadline);
}

static int
kin_round(void *arg, int deep, kin_time deadline)
{
	kin_proxy *p = kin_counter_proxy(arg);
	kin_pending *calls[DEEP];
	int i, n, r = 0, r2;
	int64_t sum;

	if (deep == 1)
		return add_one(arg, deadline);
	for (n = 0; n < deep && r == 0; n++)
		r = kin_proxy_begin(&calls[n], p, "add", KIN_ARGS(1),
				    deadline);
	if (r < 0)
		n--;
	for (i = 0; i < n; i++) {
		r2 = kin_pending_end(calls[i], KIN_TAKE(&sum), deadline);
		if (r2 == -ETIMEDOUT)
			kin_pending_drop(calls[i]);
		if (r == 0)
			r = r2;
	}
	return r;
}

static int
run_on(kin_manager *m, const struct job *job, double *ret)
{
	kin_counter *c;
	int r;

	r = kin_counter_create(&c, m, NULL, kin_in_ms(GRACE_MS));
	if (r < 0)
		return r;
	r = take_time(kin_round, c, job, ret);
	kin_counter_close(c);
	return r;
}

static int
run_kin(const struct job *job, double *ret)
{
	kin_manager *m = NULL;
	int r, r2;

	if (job->io != NULL && setenv("KIN_IO", job->io, 1) < 0)
		return -errno;
	r = place(job, start_manager, &m);
	if (job->io != NULL)
		(void)unsetenv("KIN_IO");
	if (r == 0)
		r = run_on(m, job, ret);
	if (m != NULL) {
		r2 = kin_manager_stop(m, kin_in_ms(GRACE_MS));
		kin_manager_close(m);
		r = r < 0 ? r : r2;
	}
	return r;
}

/* ---- bare ---- */

struct echo {
	kin_process *process;
	int fd, theirs;
	uint64_t sum;
};

static int
send_whole(int fd, const void *msg, size_t len)
{
	const unsigned char *at = msg;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n) {
		n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
	}
	return 0;
}

/* Each answer has the sum in front. */
static int
answer_all(int fd, const unsigned char *requests, size_t n, uint64_t *sum)
{
	unsigned char answers[DEEP * REPLY] = { 0 };
	uint64_t by;
	size_t i;

	for (i = 0; i < n; i++) {
		memcpy(&by, requests + i * REQUEST, sizeof(by));
		*sum += by;
		memcpy(answers + i * REPLY, sum, sizeof(*sum));
	}
	return send_whole(fd, answers, n * REPLY);
}

/* Until the client's end is closed. */
static int
serve(kin_call *call)
{
	unsigned char buf[DEEP * REQUEST];
	size_t have = 0, whole;
	uint64_t sum = 0;
	int fd, theirs, r;
	ssize_t n;

	r = kin_call_take(call, &fd, &theirs);	/* as numbers: it is a fork */
	if (r < 0)
		return r;
	close(theirs);
	while (r == 0) {
		n = recv(fd, buf + have, sizeof(buf) - have, 0);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		have += (size_t)n;
		whole = have / REQUEST * REQUEST;
		if (whole > 0)
			r = answer_all(fd, buf, whole / REQUEST, &sum);
		have -= whole;
		memmove(buf, buf + whole, have);
	}
	return r;
}

static int
start_echo(void *arg)
{
	struct echo *echo = arg;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	r = kin_process_start(&echo->process, serve,
			      KIN_ARGS(fds[1], fds[0]), NULL);
	close(fds[1]);
	if (r < 0)
		close(fds[0]);
	else
		echo->fd = fds[0];
	return r;
}

static int
bare_round(void *arg, int deep, kin_time deadline)
{
	unsigned char requests[DEEP * REQUEST] = { 0 };
	unsigned char answers[DEEP * REPLY];
	struct echo *echo = arg;
	uint64_t by = 1, sum;
	size_t have = 0;
	int i, r;

	(void)deadline;
	for (i = 0; i < deep; i++)
		memcpy(requests + (size_t)i * REQUEST, &by, sizeof(by));
	r = send_whole(echo->fd, requests, (size_t)deep * REQUEST);
	while (r == 0 && have < (size_t)deep * REPLY) {
		ssize_t n = recv(echo->fd, answers + have,
				 sizeof(answers) - have, 0);

		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		have += (size_t)n;
	}
	for (i = 0; i < deep && r == 0; i++) {
		memcpy(&sum, answers + (size_t)i * REPLY, sizeof(sum));
		r = sum == ++echo->sum ? 0 : -EPROTO;
	}
	return r;
}

static int
run_bare(const struct job *job, double *ret)
{
	struct echo echo = { .fd = -1 };
	int r, r2;

	r = place(job, start_echo, &echo);
	if (r == 0)
		r = take_time(bare_round, &echo, job, ret);
	if (echo.fd >= 0)
		close(echo.fd);
	if (echo.process != NULL) {
		r2 = kin_process_join(echo.process, NULL,
				      kin_in_ms(GRACE_MS));
		kin_process_close(echo.process);
		r = r < 0 ? r : r2;
	}
	return r;
}

/* ---- rows ---- */

#define JOB(name_, deep_, apart_, io_)					\
	static int							\
	kin_##name_(double seconds, double *ret)			\
	{								\
		return run_kin(&(struct job){				\
			       .deep = (deep_), .apart = (apart_),	\
			       .io = (io_), .seconds = seconds }, ret);	\
	}								\
	static int							\
	bare_##name_(double seconds, double *ret)			\
	{								\
		return run_bare(&(struct job){				\
				.deep = (deep_), .apart = (apart_),	\
				.seconds = seconds }, ret);		\
	}
JOB(one, 1, false, NULL)
JOB(one_epoll, 1, false, "epoll")
JOB(one_two, 1, true, NULL)
JOB(deep, DEEP, false, NULL)
JOB(deep_epoll, DEEP, false, "epoll")
JOB(deep_two, DEEP, true, NULL)

#define ROW(name_, title_, aim_, cpus_)					\
	const struct bench_row bench_call_##name_ = {			\
		.name = (title_), .unit = "k/s",			\
		.peer = "bare echo", .kin = kin_##name_,		\
		.bare = bare_##name_, .aim = (aim_), .more = true,	\
		.cpus = (cpus_),					\
	}
ROW(one, "counter calls, both on one CPU", 0.8, 0);
ROW(one_epoll, "  counter calls, by epoll", 0.8, 0);
ROW(one_two, "  counter calls, two CPUs", 0, 2);
ROW(deep, "16 calls at once, both on one CPU", 0.6, 0);
ROW(deep_epoll, "  16 calls at once, by epoll", 0.6, 0);
ROW(deep_two, "  16 calls at once, two CPUs", 0, 2);
