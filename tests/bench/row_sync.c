/* SPDX-License-Identifier: MIT */
/*
 * row_sync.c - semaphores, events and barriers, beside libc's
 *
 * Alone they are a pair of atomic operations.  Contended, two processes on one
 * CPU hand the turn to each other by two semaphores, or meet at a barrier.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "duo.h"

#define ROUND	4096			/* pairs between looks at the clock */
#define MEETS	256			/* rounds, likewise */

typedef int once_fn(void *arg);

/* Nanoseconds each. */
static int
repeat(once_fn *fn, void *arg, int round, double seconds, double *ret)
{
	int64_t begin, now;
	double n = 0;
	int i, r = 0;

	for (i = 0; i < round && r >= 0; i++)
		r = fn(arg);
	begin = now = kin_now().ns;
	while (r >= 0 && now - begin < (int64_t)(seconds * 1e9)) {
		for (i = 0; i < round && r >= 0; i++)
			r = fn(arg);
		n += round;
		now = kin_now().ns;
	}
	*ret = (double)(now - begin) / n;
	return r < 0 ? r : 0;
}

static void *
common(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* ---- alone ---- */

static int
pair_kin(void *arg)
{
	int r = kin_sem_acquire(arg, 1, KIN_FOREVER);

	return r == 0 ? kin_sem_release(arg, 1) : r;
}

static int
pair_libc(void *arg)
{
	return sem_wait(arg) < 0 || sem_post(arg) < 0 ? -errno : 0;
}

static int
pair_event(void *arg)
{
	kin_event_set(arg);
	kin_event_clear(arg);
	return 0;
}

static int
pair_swap(void *arg)
{
	uint32_t *word = arg;

	(void)__atomic_exchange_n(word, 1, __ATOMIC_SEQ_CST);
	(void)__atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
	return 0;
}

static int
run_kin(uint32_t flags, double seconds, double *ret)
{
	kin_sem *s;
	int r = kin_sem_create(&s, KIN_OPTS(kin_sem_opts, .flags = flags,
					    .permits = 1));

	if (r < 0)
		return r;
	r = repeat(pair_kin, s, ROUND, seconds, ret);
	kin_sem_close(s);
	return r;
}

static int
plain_kin(double seconds, double *ret)
{
	return run_kin(KIN_SEM_PLAIN, seconds, ret);
}

static int
owned_kin(double seconds, double *ret)
{
	return run_kin(0, seconds, ret);
}

static int
sem_libc(double seconds, double *ret)
{
	sem_t *s = common(sizeof(*s));
	int r;

	if (s == NULL || sem_init(s, 1, 1) < 0)
		return -errno;
	r = repeat(pair_libc, s, ROUND, seconds, ret);
	munmap(s, sizeof(*s));
	return r;
}

static int
event_kin(double seconds, double *ret)
{
	kin_event *e;
	int r = kin_event_create(&e, NULL);

	if (r < 0)
		return r;
	r = repeat(pair_event, e, ROUND, seconds, ret);
	kin_event_close(e);
	return r;
}

static int
event_bare(double seconds, double *ret)
{
	uint32_t word = 0;

	return repeat(pair_swap, &word, ROUND, seconds, ret);
}

const struct bench_row bench_sem_plain = {
	.name = "sem, plain",
	.unit = "ns",
	.peer = "sem_t",
	.kin = plain_kin,
	.bare = sem_libc,
	.aim = 1.0,
};

const struct bench_row bench_sem_owned = {
	.name = "sem, owned",
	.unit = "ns",
	.peer = "sem_t",
	.kin = owned_kin,
	.bare = sem_libc,
	.aim = 3.0,
};

const struct bench_row bench_event = {
	.name = "event set and clear",
	.unit = "ns",
	.peer = "two swaps",
	.kin = event_kin,
	.bare = event_bare,
};

/* ---- two processes on one CPU ---- */

/* One of both ways for the turn to go. */
struct turn {
	kin_sem *kin[2];
	sem_t *libc;			/* two */
	kin_barrier *barrier;
	pthread_barrier_t *libc_barrier;
};

static int
hand_kin(const struct turn *t, int who)
{
	int r = kin_sem_release(t->kin[1 - who], 1);

	return r == 0 ? kin_sem_acquire(t->kin[who], 1, kin_in_ms(10000)) : r;
}

static int
hand_libc(const struct turn *t, int who)
{
	return sem_post(&t->libc[1 - who]) < 0 ||
	       sem_wait(&t->libc[who]) < 0 ? -errno : 0;
}

static int
meet_kin(const struct turn *t, int who)
{
	(void)who;
	return kin_barrier_wait(t->barrier, kin_in_ms(10000));
}

static int
meet_libc(const struct turn *t, int who)
{
	int r = pthread_barrier_wait(t->libc_barrier);

	(void)who;
	return r > 0 ? -r : 0;
}

static int
close_all(struct turn *t, int r)
{
	kin_sem_close(t->kin[0]);
	kin_sem_close(t->kin[1]);
	kin_barrier_close(t->barrier);
	if (t->libc != NULL)
		munmap(t->libc, 4096);
	return r;
}

static int
open_all(struct turn *t)
{
	pthread_barrierattr_t attr;
	int i, r = 0;

	*t = (struct turn){ .libc = common(4096) };
	if (t->libc == NULL)
		return -errno;
	t->libc_barrier = (void *)(t->libc + 4);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(t->libc_barrier, &attr, 2);
	for (i = 0; i < 2 && r == 0; i++) {
		sem_init(&t->libc[i], 1, 0);
		r = kin_sem_create(&t->kin[i], KIN_OPTS(kin_sem_opts,
							.flags = KIN_SEM_PLAIN));
	}
	return r < 0 ? r : kin_barrier_create(&t->barrier,
					      KIN_OPTS(kin_barrier_opts,
						       .parties = 2));
}

/* The child goes on until it is killed, the parent as long as it is told to. */
static int
two(int (*step)(const struct turn *, int), double seconds, double *ret)
{
	int64_t begin, now;
	struct turn t;
	double n = 0;
	pid_t pid;
	int i, cpu[2], r;

	/* Whoever is made on one CPU does not spin. */
	duo_cpus(cpu);
	r = duo_stay_on(cpu[0]);
	if (r < 0)
		return r;
	r = open_all(&t);
	if (r < 0)
		return close_all(&t, r);
	pid = fork();
	if (pid == 0) {
		while (r >= 0)
			r = step(&t, 1);
		_exit(1);
	}
	begin = now = kin_now().ns;
	while (r >= 0 && now - begin < (int64_t)(seconds * 1e9)) {
		for (i = 0; i < MEETS && r >= 0; i++)
			r = step(&t, 0);
		n += MEETS;
		now = kin_now().ns;
	}
	*ret = (double)(now - begin) / 1e3 / n;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return close_all(&t, r < 0 ? r : 0);
}

static int
turns_kin(double seconds, double *ret)
{
	return two(hand_kin, seconds, ret);
}

static int
turns_libc(double seconds, double *ret)
{
	return two(hand_libc, seconds, ret);
}

static int
meets_kin(double seconds, double *ret)
{
	return two(meet_kin, seconds, ret);
}

static int
meets_libc(double seconds, double *ret)
{
	return two(meet_libc, seconds, ret);
}

const struct bench_row bench_sem_turns = {
	.name = "sem, there and back, one CPU",
	.unit = "us",
	.peer = "sem_t",
	.kin = turns_kin,
	.bare = turns_libc,
};

const struct bench_row bench_barrier = {
	.name = "barrier of two, one CPU",
	.unit = "us",
	.peer = "pthread_barrier_t",
	.kin = meets_kin,
	.bare = meets_libc,
};
