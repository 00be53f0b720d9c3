/* SPDX-License-Identifier: MIT */
/*
 * ops_sem.c - acquiring and releasing permits
 *
 * Owned, there are three, and whatever the victim had comes back.  Plain, what
 * it had is gone, and what it brought is there or not.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sem.h"
#include "shm/os.h"
#include "tests/proof/nouns.h"

#define THREE	3

static kn_word *
word(const struct scene *s)
{
	const kin_sem *sem = s->thing;

	return &sem->shared->free;
}

static struct kn_party *
party(const struct scene *s)
{
	const kin_sem *sem = s->thing;

	return &sem->o.control->registry.party;
}

/* ---- scenes ---- */

static void
clear_sem(struct scene *s)
{
	kin_sem_close(s->thing);
}

static void
set_with(struct scene *s, const struct kin_sem_opts *opts)
{
	kin_sem *sem;

	must(kin_sem_create(&sem, opts));
	kn_spin_init(&sem->spin, KIN_SPIN_NEVER);
	s->thing = sem;
	s->clear = clear_sem;
	s->watch = sem->o.own;
	s->watch_bytes = sem->o.mark.bytes - sizeof(sem->o.mark);
	s->registry = &sem->o.control->registry;
}

static void
set_owned(struct scene *s)
{
	set_with(s, KIN_OPTS(kin_sem_opts, .permits = THREE, .members = 8));
}

static void
set_plain(struct scene *s)
{
	set_with(s, KIN_OPTS(kin_sem_opts, .flags = KIN_SEM_PLAIN,
			     .permits = THREE, .members = 8));
}

static void
set_empty(struct scene *s)
{
	set_with(s, KIN_OPTS(kin_sem_opts, .flags = KIN_SEM_PLAIN,
			     .members = 8));
}

static void
set_bounded(struct scene *s)
{
	set_with(s, KIN_OPTS(kin_sem_opts, .flags = KIN_SEM_PLAIN,
			     .permits = 1, .most = THREE, .members = 8));
}

/* Somebody has all until the victim sleeps for them, or has died. */
static void
hold_all(struct scene *s)
{
	must(kin_sem_acquire(s->thing, THREE, patience()));
	s->shared->helper_done = 1;
	while (!(kn_load(word(s)) & KN_SEM_ASLEEP) && !s->shared->dead)
		kn_os_yield();
	must(kin_sem_release(s->thing, THREE));
}

static void
set_contended(struct scene *s)
{
	set_owned(s);
	help(s, hold_all);
	while (!s->shared->helper_done)
		kn_os_yield();
}

static void
die_with_all(struct scene *s)
{
	pid_t pid = fork();

	if (pid == 0) {
		must(kin_sem_acquire(s->thing, THREE, patience()));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
set_held_by_dead(struct scene *s)
{
	set_owned(s);
	die_with_all(s);
}

/* No slice of its own wakes it any more; and it keeps what it gets. */
static void
sleep_for_one(struct scene *s)
{
	kn_latch_slices = (struct kn_slices){ 1000000000000, 1000000000000 };
	must(kin_sem_acquire(s->thing, 1, KIN_FOREVER));
	s->shared->helper_done = 1;
	for (;;)
		pause();
}

static void
sleep_later(struct scene *s)
{
	while (s->shared->helper_done != 2)
		kn_os_yield();
	s->shared->helper_done = 0;
	sleep_for_one(s);
}

static void
set_owned_sleeper(struct scene *s)
{
	set_owned(s);
	help(s, sleep_later);
}

static void
set_plain_sleeper(struct scene *s)
{
	set_empty(s);
	help(s, sleep_for_one);
	await_sleep(s, word(s), KN_SEM_ASLEEP);
}

/* ---- what the victim does ---- */

static void
ready_member(struct scene *s)
{
	kin_sem *sem = s->thing;
	int r = kn_control_process(sem->o.control);

	must(r);
	must(kn_control_me(sem->o.control));
	s->shared->stamp = (uint32_t)r;
}

static void
ready_holder(struct scene *s)
{
	ready_member(s);
	must(kin_sem_acquire(s->thing, 2, KIN_NOWAIT));
}

/* The sleeper sleeps for what the victim has, so it comes after it. */
static void
ready_holder_of_all(struct scene *s)
{
	ready_member(s);
	must(kin_sem_acquire(s->thing, THREE, KIN_NOWAIT));
	s->shared->helper_done = 2;
	while (!(kn_load(word(s)) & KN_SEM_ASLEEP))
		kn_os_yield();
}

/* Somebody died in its turn, and left its flags. */
static void
ready_turn_inherited(struct scene *s)
{
	kin_sem *sem = s->thing;
	pid_t pid;

	ready_member(s);
	pid = fork();
	if (pid == 0) {
		must(kn_control_process(sem->o.control));
		must(kn_latch_take(&sem->shared->turn, party(s), patience()));
		__atomic_fetch_or(&word(s)->v, KN_SEM_FLAGS, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static int
act_acquire(struct scene *s)
{
	return kin_sem_acquire(s->thing, 2, patience());
}

static int
act_release(struct scene *s)
{
	return kin_sem_release(s->thing, 2);
}

static int
act_release_all(struct scene *s)
{
	return kin_sem_release(s->thing, THREE);
}

static int
act_close(struct scene *s)
{
	kin_sem *sem;
	int r = kin_sem_attach(&sem, kin_sem_fd(s->thing));

	if (r == 0) {
		r = kin_sem_acquire(sem, 2, patience());
		kin_sem_close(sem);
	}
	return r;
}

/* ---- whether the promise is kept ---- */

/* All can be had at once, and not one more. */
static const char *
check_all(kin_sem *sem, uint32_t all)
{
	if (kin_sem_count(sem) != all)
		return "permits are lost, or there are too many";
	if (all > 0 && kin_sem_acquire(sem, all, patience()) < 0)
		return "an acquire fails afterwards";
	if (kin_sem_acquire(sem, 1, KIN_NOWAIT) != -ETIMEDOUT)
		return "there is one permit too many";
	if (all > 0 && kin_sem_release(sem, all) < 0)
		return "a release fails afterwards";
	return kn_load(&sem->shared->turn) == 0 ||
	       kin_sem_acquire(sem, 1, patience()) == 0
	       ? NULL : "nobody gets a turn any more";
}

/* Wherever it died, what it had is free; and so if it was not killed. */
static const char *
check_owned(struct scene *s)
{
	kin_time deadline = patience();

	while (s->helper > 0 && kin_sem_count(s->thing) != THREE) {
		if (kin_now().ns > deadline.ns)
			return "the helper hangs";
		kn_os_yield();
	}
	return check_all(s->thing, THREE);
}

/* If it was released, the sleeper is awake; if not, ours will wake it. */
static const char *
check_owned_woken(struct scene *s)
{
	if (kn_load(word(s)) == KN_SEM_ASLEEP) {
		if (s->shared->acted)
			return "a release that returned is lost";
		if (kin_sem_count(s->thing) < 0)
			return "it cannot be counted";
	}
	if (await_done(s, 1) != NULL)
		return "the sleeper was not woken";
	return check_all(s->thing, THREE - 1);
}

/* Taken by the dead is gone; so is the one of an heir that died with it. */
static const char *
check_plain(struct scene *s)
{
	int64_t n = kin_sem_count(s->thing), heirs = slices_stay && n % 2 == 0;

	if (n + heirs != THREE - 2 &&
	    (n + heirs != THREE || s->shared->acted))
		return "neither taken nor not taken";
	return check_all(s->thing, (uint32_t)n);
}

static const char *
check_plain_woken(struct scene *s)
{
	bool released = kn_load(word(s)) != KN_SEM_ASLEEP;

	if (!released && s->shared->acted)
		return "a release that returned is lost";
	if (!released && kin_sem_release(s->thing, 2) < 0)
		return "a release fails afterwards";
	if (await_done(s, 1) != NULL)
		return "the sleeper was not woken";
	return check_all(s->thing, 1);
}

static const char *
check_bounded(struct scene *s)
{
	int64_t n = kin_sem_count(s->thing);

	if (n != THREE && (n != 1 || s->shared->acted))
		return "neither released nor not released";
	if (n == THREE && kin_sem_release(s->thing, 1) != -ERANGE)
		return "it is not bounded any more";
	return check_all(s->thing, (uint32_t)n);
}

/* ---- the table ---- */

/* Another one who looks for what the dead had, and for a turn. */
void
other_sem(struct scene *s)
{
	(void)!kin_sem_count(s->thing);
	if (kin_sem_acquire(s->thing, 1, KIN_NOWAIT) == 0)
		(void)kin_sem_release(s->thing, 1);
}

const struct op sem_ops[] = {
	{ "sem acquire", "free", set_owned, ready_member, act_acquire,
	  check_owned, 0 },
	{ "sem acquire", "contended", set_contended, ready_member, act_acquire,
	  check_owned, 0 },
	{ "sem acquire", "inherited", set_owned, ready_turn_inherited,
	  act_acquire, check_owned, 0 },
	{ "sem acquire", "held by the dead", set_held_by_dead, ready_member,
	  act_acquire, check_owned, 0 },
	{ "sem acquire", "plain", set_plain, ready_member, act_acquire,
	  check_plain, 0 },
	{ "sem release", "held", set_owned, ready_holder, act_release,
	  check_owned, 0 },
	{ "sem release", "sleeper", set_owned_sleeper, ready_holder_of_all,
	  act_release_all, check_owned_woken, OP_PTRACE },
	{ "sem release", "plain, sleeper", set_plain_sleeper, ready_member,
	  act_release, check_plain_woken, OP_PTRACE },
	{ "sem release", "bounded", set_bounded, ready_member, act_release,
	  check_bounded, 0 },
	{ "sem close", "held", set_owned, NULL, act_close, check_owned, 0 },
	{ 0 },
};
