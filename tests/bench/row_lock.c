/* SPDX-License-Identifier: MIT */
/*
 * row_lock.c - locks beside those of libc, which do not survive their holder
 * or (the robust ones) trust everybody with one's own memory
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"
#include "duo.h"

#define ROUND	4096			/* pairs between looks at the clock */
#define PASS	64			/* hand-overs between looks */

/* What all rows have in common, in memory that forks share. */
static struct ground {
	pthread_mutex_t plain, robust;
	_Alignas(128) uint32_t turn;
	_Alignas(128) uint64_t reads[2 * 16];
	_Alignas(128) uint32_t over;
} *ground;
static kin_lock *lock;
static kin_rwlock *rw;

static int
lay_ground(void)
{
	pthread_mutexattr_t attr;
	int r;

	ground = mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ground == MAP_FAILED)
		return -errno;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&ground->plain, &attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&ground->robust, &attr);
	r = kin_lock_create(&lock, NULL);
	return r < 0 ? r : kin_rwlock_create(&rw, NULL);
}

static void
clear_ground(void)
{
	kin_lock_close(lock);
	kin_rwlock_close(rw);
	munmap(ground, sizeof(*ground));
	lock = NULL;
	rw = NULL;
}

/* ---- nobody else about ---- */

static int
kin_round(void)
{
	int i, r = 0;

	for (i = 0; i < ROUND && r == 0; i++) {
		r = kin_lock_acquire(lock, KIN_FOREVER);
		if (r == 0)
			r = kin_lock_release(lock);
	}
	return r;
}

static int
mutex_round(pthread_mutex_t *mutex)
{
	int i, r = 0;

	for (i = 0; i < ROUND && r == 0; i++) {
		r = pthread_mutex_lock(mutex);
		if (r == 0)
			r = pthread_mutex_unlock(mutex);
	}
	return -r;
}

static int
plain_round(void)
{
	return mutex_round(&ground->plain);
}

static int
robust_round(void)
{
	return mutex_round(&ground->robust);
}

static int
alone(int (*fn)(void), double seconds, double *ret)
{
	uint64_t rounds = 0;
	int64_t begin, now;
	int r = lay_ground();

	if (r < 0)
		return r;
	r = fn();			/* to warm up */
	begin = now = kin_now().ns;
	while (r == 0 && now - begin < (int64_t)(seconds * 1e9)) {
		r = fn();
		now = kin_now().ns;
		rounds++;
	}
	*ret = (double)(now - begin) / ((double)rounds * ROUND);
	clear_ground();
	return r;
}

static int
kin_alone(double seconds, double *ret)
{
	return alone(kin_round, seconds, ret);
}

static int
plain_alone(double seconds, double *ret)
{
	return alone(plain_round, seconds, ret);
}

static int
robust_alone(double seconds, double *ret)
{
	return alone(robust_round, seconds, ret);
}

const struct bench_row bench_lock_plain = {
	.name = "lock and unlock, uncontended",
	.unit = "ns",
	.peer = "shared pthread mutex",
	.kin = kin_alone,
	.bare = plain_alone,
	.aim = 0.7,
};

const struct bench_row bench_lock_robust = {
	.name = "lock and unlock, beside robust",
	.unit = "ns",
	.peer = "robust pthread mutex",
	.kin = kin_alone,
	.bare = robust_alone,
	.aim = 0.5,
};

/* ---- two that want it all the time ---- */

static int
take(bool kin)
{
	return kin ? kin_lock_acquire(lock, KIN_FOREVER)
		   : -pthread_mutex_lock(&ground->plain);
}

static int
give(bool kin)
{
	return kin ? kin_lock_release(lock)
		   : -pthread_mutex_unlock(&ground->plain);
}

/*
 * What is measured is hand-overs: the time for each change of hands, however
 * often who has it takes it again in between.
 */
static int
hand_over(struct duo *duo, int who, bool kin)
{
	int64_t begin = kin_now().ns, now = begin;
	uint32_t last = ~0u;
	uint64_t turns = 0, i = 0;
	int r = 0;

	while (r == 0) {
		r = take(kin);
		if (r < 0)
			return r;
		if (ground->turn != last)
			turns++;
		last = ++ground->turn;
		r = give(kin);
		if (++i % PASS == 0) {
			now = kin_now().ns;
			if (__atomic_load_n(&ground->over, __ATOMIC_RELAXED))
				break;
			if (who == 0 && now - begin >
			    (int64_t)(duo->seconds * 1e9))
				break;
		}
	}
	__atomic_store_n(&ground->over, 1, __ATOMIC_RELAXED);
	if (who == 0)
		duo->board->figure = (double)(now - begin) / (double)turns;
	return r;
}

static int
play_kin(struct duo *duo, int who)
{
	return hand_over(duo, who, true);
}

static int
play_mutex(struct duo *duo, int who)
{
	return hand_over(duo, who, false);
}

static int
two(int (*play)(struct duo *duo, int who), double seconds, double *ret)
{
	struct duo duo = { .play = play, .seconds = seconds, .apart = true };
	int r = lay_ground();

	if (r < 0)
		return r;
	r = duo_run(&duo, ret);
	clear_ground();
	return r;
}

static int
kin_handed(double seconds, double *ret)
{
	return two(play_kin, seconds, ret);
}

static int
mutex_handed(double seconds, double *ret)
{
	return two(play_mutex, seconds, ret);
}

const struct bench_row bench_lock_handed = {
	.name = "a lock handed to and fro",
	.unit = "ns",
	.peer = "shared pthread mutex",
	.kin = kin_handed,
	.bare = mutex_handed,
	.aim = 1,
	.cpus = 2,
};

/* ---- readers ---- */

static int
read_on(struct duo *duo, int who, bool alone_)
{
	int64_t begin = kin_now().ns, now = begin;
	uint64_t n = 0;
	int i, r = 0;

	if (alone_ && who == 1)
		return 0;
	while (r == 0 && now - begin < (int64_t)(duo->seconds * 1e9)) {
		for (i = 0; i < ROUND && r == 0; i++) {
			r = kin_rwlock_read(rw, KIN_FOREVER);
			if (r == 0)
				r = kin_rwlock_release(rw);
		}
		n += ROUND;
		now = kin_now().ns;
	}
	ground->reads[who * 16] = n;
	if (alone_ || r < 0)
		return r < 0 ? r : (duo->board->figure = (double)n /
				    (double)(now - begin) * 1e3, 0);
	r = duo_meet(duo);
	if (r == 0 && who == 0)
		duo->board->figure = (double)(n + ground->reads[16]) /
				     (double)(now - begin) * 1e3;
	return r;
}

static int
play_both(struct duo *duo, int who)
{
	return read_on(duo, who, false);
}

static int
play_one(struct duo *duo, int who)
{
	return read_on(duo, who, true);
}

static int
two_read(double seconds, double *ret)
{
	return two(play_both, seconds, ret);
}

static int
one_reads(double seconds, double *ret)
{
	return two(play_one, seconds, ret);
}

const struct bench_row bench_rwlock_two = {
	.name = "reads of a rwlock, by two at once",
	.unit = "M/s",
	.peer = "the same by one",
	.kin = two_read,
	.bare = one_reads,
	.aim = 1,
	.more = true,
	.cpus = 2,
};
