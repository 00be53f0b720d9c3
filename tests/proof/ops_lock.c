/* SPDX-License-Identifier: MIT */
/*
 * ops_lock.c - a lock, a rwlock, a condition: taken, released, waited for
 *
 * Whatever the victim does, in the end a survivor gets the lock, and is told
 * (1) if the victim had it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cond.h"
#include "lib/lock.h"
#include "lib/rwlock.h"
#include "shm/os.h"
#include "tests/proof/nouns.h"

/* What one scene has of them. */
struct locks {
	kin_segment *seg;
	kin_lock *lock;
	kin_rwlock *rw;
	kin_cond *cond;
};

static struct locks *
locks_of(const struct scene *s)
{
	return s->thing;
}

static kn_word *
word_of(const struct scene *s)
{
	return &locks_of(s)->lock->mutex.shared->word;
}

static struct kn_control *
control_of(const struct scene *s)
{
	return locks_of(s)->lock->object.control;
}

static void
clear_locks(struct scene *s)
{
	struct locks *l = locks_of(s);

	kin_cond_close(l->cond);
	kin_rwlock_close(l->rw);
	kin_lock_close(l->lock);
	kin_segment_close(l->seg);
	free(l);
}

/* The lock at 0, the condition behind it, then the rwlock. */
static void
set_locks(struct scene *s)
{
	struct locks *l = calloc(1, sizeof(*l));

	if (l == NULL)
		abort();
	s->thing = l;
	s->clear = clear_locks;
	must(kin_segment_create(&l->seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 8192, .members = 8, .threads = 8)));
	must(kin_lock_create(&l->lock, KIN_OPTS(kin_lock_opts,
	    .segment = l->seg)));
	must(kin_cond_create(&l->cond, KIN_OPTS(kin_cond_opts,
	    .segment = l->seg, .offset = 128)));
	must(kin_rwlock_create(&l->rw, KIN_OPTS(kin_rwlock_opts,
	    .segment = l->seg, .offset = 256)));
	s->registry = &control_of(s)->registry;
	s->watch = control_of(s)->threads;
	s->watch_bytes = (size_t)((unsigned char *)kn_segment_body(l->seg) +
				  1024 - (unsigned char *)s->watch);
}

/* The victim takes part already. */
static void
ready_locker(struct scene *s)
{
	int stamp = kn_control_me(control_of(s));

	must(stamp);
	s->shared->stamp = (uint32_t)stamp;
}

/* ---- lock ---- */

static int
act_acquire(struct scene *s)
{
	return kin_lock_acquire(locks_of(s)->lock, patience());
}

static int
act_release(struct scene *s)
{
	return kin_lock_release(locks_of(s)->lock);
}

static int
act_consistent(struct scene *s)
{
	return kin_lock_consistent(locks_of(s)->lock);
}

static void
ready_held(struct scene *s)
{
	ready_locker(s);
	must(act_acquire(s));
}

/* Somebody has died with it. */
static void
ready_inherited(struct scene *s)
{
	pid_t pid;

	ready_locker(s);
	pid = fork();
	if (pid == 0)
		_exit(act_acquire(s) < 0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		abort();
}

static void
ready_inherited_held(struct scene *s)
{
	ready_inherited(s);
	must(act_acquire(s));
}

/* Somebody has it until the victim waits, or has died. */
static void
hold(struct scene *s)
{
	must(act_acquire(s));
	s->shared->helper_done = 1;
	while (!(kn_load(word_of(s)) & KN_MUTEX_WAITER) && !s->shared->dead)
		kn_os_yield();
	must(act_release(s));
}

static void
set_contended(struct scene *s)
{
	set_locks(s);
	help(s, hold);
	if (await_done(s, 1) != NULL)
		abort();
}

/* Somebody sleeps on the victim's lock, so it comes after it. */
static void
sleep_later(struct scene *s)
{
	while (s->shared->helper_done != 2)
		kn_os_yield();
	sleep_long();
	must(kin_lock_acquire(locks_of(s)->lock, KIN_FOREVER));
	must(act_release(s));
	s->shared->helper_done = 1;
}

static void
set_sleeper(struct scene *s)
{
	set_locks(s);
	help(s, sleep_later);
}

static void
ready_held_with_sleeper(struct scene *s)
{
	ready_held(s);
	s->shared->helper_done = 2;
	await_sleep(s, word_of(s), KN_MUTEX_WAITER);
	s->shared->helper_done = 0;
}

static const char *
usable(struct scene *s)
{
	int r = act_acquire(s);

	if (r < 0)
		return "the lock is not to be had";
	if (r > 0 && act_consistent(s) < 0)
		return "it cannot be called consistent";
	if (act_release(s) < 0)
		return "it cannot be released";
	if (act_acquire(s) != 0)
		return "it is not to be had, or was not called consistent";
	return act_release(s) < 0 ? "it cannot be released again" : NULL;
}

/* The victim died with it if it had it: that is told. */
static const char *
check_acquired(struct scene *s)
{
	bool held = kn_mutex_owner(kn_load(word_of(s))) == s->shared->stamp;
	int r = act_acquire(s);

	if (r < 0)
		return "the lock is not to be had";
	if (held && r != KIN_INHERITED)
		return "nobody was told of the death of its holder";
	if (s->shared->acted && r != KIN_INHERITED)
		return "who had taken it had not got it";
	if (act_consistent(s) < 0 || act_release(s) < 0)
		return "it cannot be released";
	return usable(s);
}

static const char *
check_released(struct scene *s)
{
	int r = act_acquire(s);

	if (r < 0)
		return "the lock is not to be had";
	if (s->shared->acted && r != 0)
		return "it was released, and is told to be a dead one's";
	if (act_consistent(s) < 0 || act_release(s) < 0)
		return "it cannot be released";
	return usable(s);
}

/* Released, the sleeper has it: nothing but that wakes it. */
static const char *
check_sleeper_woken(struct scene *s)
{
	if (kn_mutex_owner(kn_load(word_of(s))) != s->shared->stamp &&
	    await_done(s, 1) != NULL)
		return "the sleeping taker was not woken";
	return check_released(s);
}

static void
other_lock(struct scene *s)
{
	int r = kin_lock_acquire(locks_of(s)->lock, KIN_NOWAIT);

	if (r >= 0)
		must(act_release(s));
}

void
other_locks(struct scene *s)
{
	other_lock(s);
}

const struct op lock_ops[] = {
	{ "lock acquire", "free", set_locks, ready_locker, act_acquire,
	  check_acquired, 0 },
	{ "lock acquire", "contended", set_contended, ready_locker,
	  act_acquire, check_acquired, 0 },
	{ "lock acquire", "inherited", set_locks, ready_inherited,
	  act_acquire, check_acquired, 0 },
	{ "lock acquire", "first", set_locks, NULL, act_acquire, usable, 0 },
	{ "lock release", "held", set_locks, ready_held, act_release,
	  check_released, 0 },
	{ "lock release", "sleeper", set_sleeper, ready_held_with_sleeper,
	  act_release, check_sleeper_woken, OP_PTRACE },
	{ "lock consistent", "inherited", set_locks, ready_inherited_held,
	  act_consistent, check_acquired, 0 },
	{ NULL, NULL, NULL, NULL, NULL, NULL, 0 },
};

/* ---- rwlock ---- */

static int
act_read(struct scene *s)
{
	return kin_rwlock_read(locks_of(s)->rw, patience());
}

static int
act_write(struct scene *s)
{
	return kin_rwlock_write(locks_of(s)->rw, patience());
}

static int
act_let_go(struct scene *s)
{
	return kin_rwlock_release(locks_of(s)->rw);
}

static int
act_downgrade(struct scene *s)
{
	return kin_rwlock_downgrade(locks_of(s)->rw);
}

static void
ready_reader(struct scene *s)
{
	ready_locker(s);
	must(act_read(s));
}

static void
ready_writer(struct scene *s)
{
	ready_locker(s);
	must(act_write(s));
}

/* A writer, or a reader, is in the way until the victim waits or has died. */
static bool
somebody_waits(const struct scene *s)
{
	const struct kin_rwlock *rw = locks_of(s)->rw;

	return kn_control_count(control_of(s), rw->mutex.at) > 0;
}

static void
write_a_while(struct scene *s)
{
	must(act_write(s));
	s->shared->helper_done = 1;
	while (!somebody_waits(s) && !s->shared->dead)
		kn_os_yield();
	must(act_let_go(s));
}

static void
read_a_while(struct scene *s)
{
	must(act_read(s));
	s->shared->helper_done = 1;
	while (!somebody_waits(s) && !s->shared->dead)
		kn_os_yield();
	must(act_let_go(s));
}

static void
set_writer(struct scene *s)
{
	set_locks(s);
	help(s, write_a_while);
	if (await_done(s, 1) != NULL)
		abort();
}

static void
set_reader(struct scene *s)
{
	set_locks(s);
	help(s, read_a_while);
	if (await_done(s, 1) != NULL)
		abort();
}

/* A writer sleeps until the victim does not read any more. */
static void
write_later(struct scene *s)
{
	while (s->shared->helper_done != 2)
		kn_os_yield();
	sleep_long();
	must(kin_rwlock_write(locks_of(s)->rw, KIN_FOREVER));
	must(act_let_go(s));
	s->shared->helper_done = 1;
}

static void
set_writer_later(struct scene *s)
{
	set_locks(s);
	help(s, write_later);
}

static void
ready_reader_with_writer(struct scene *s)
{
	ready_reader(s);
	s->shared->helper_done = 2;
	await_sleep(s, &locks_of(s)->rw->shared->writers.word, ~0u);
	s->shared->helper_done = 0;
}

static const char *
rw_usable(struct scene *s)
{
	if (act_write(s) < 0)
		return "it is not to be had to write";
	if (kin_rwlock_consistent(locks_of(s)->rw) < 0 || act_let_go(s) < 0)
		return "it cannot be released";
	if (act_read(s) != 0 || act_let_go(s) < 0)
		return "it is not to be had to read";
	return NULL;
}

static const char *
check_read(struct scene *s)
{
	int r = act_read(s);

	if (r != 0)
		return "a dead reader is told of as a writer";
	if (act_let_go(s) < 0)
		return "it cannot be released";
	return rw_usable(s);
}

static const char *
check_written(struct scene *s)
{
	int r = act_read(s);

	if (r < 0)
		return "it is not to be had to read";
	if (s->shared->acted && r != KIN_INHERITED)
		return "nobody was told of the death of a writer";
	if (act_let_go(s) < 0)
		return "it cannot be released";
	return rw_usable(s);
}

static const char *
check_unwritten(struct scene *s)
{
	int r = act_read(s);

	if (r < 0)
		return "it is not to be had to read";
	if (s->shared->acted && r != 0)
		return "the writer had let go, and is told to have died";
	if (act_let_go(s) < 0)
		return "it cannot be released";
	return rw_usable(s);
}

static const char *
check_writer_woken(struct scene *s)
{
	if (kn_reader_count(locks_of(s)->rw, s->shared->stamp) == 0 &&
	    await_done(s, 1) != NULL)
		return "the sleeping writer was not woken";
	return s->shared->helper_done == 1 ? rw_usable(s) : NULL;
}

void
other_rwlock(struct scene *s)
{
	if (kin_rwlock_read(locks_of(s)->rw, KIN_NOWAIT) >= 0)
		must(act_let_go(s));
}

const struct op rwlock_ops[] = {
	{ "rwlock read", "free", set_locks, ready_locker, act_read,
	  check_read, 0 },
	{ "rwlock read", "contended", set_writer, ready_locker, act_read,
	  check_read, 0 },
	{ "rwlock write", "free", set_locks, ready_locker, act_write,
	  check_written, 0 },
	{ "rwlock write", "contended", set_reader, ready_locker, act_write,
	  check_written, 0 },
	{ "rwlock release", "reader", set_locks, ready_reader, act_let_go,
	  check_read, 0 },
	{ "rwlock release", "writer", set_locks, ready_writer, act_let_go,
	  check_unwritten, 0 },
	{ "rwlock release", "sleeper", set_writer_later,
	  ready_reader_with_writer, act_let_go, check_writer_woken,
	  OP_PTRACE },
	{ "rwlock downgrade", "writer", set_locks, ready_writer,
	  act_downgrade, check_unwritten, 0 },
	{ NULL, NULL, NULL, NULL, NULL, NULL, 0 },
};

/* ---- condition ---- */

/* It may be notified for nothing: until there is something. */
static void
wait_for_notice(struct scene *s)
{
	struct locks *l = locks_of(s);

	must(act_acquire(s));
	s->shared->helper_done = 3;
	while (s->expect == 0) {
		if (kin_cond_wait(l->cond, l->lock, KIN_FOREVER) >= 0)
			break;
	}
	must(act_release(s));
	s->shared->helper_done = 1;
}

static void
set_waiter(struct scene *s)
{
	set_locks(s);
	help(s, wait_for_notice);
	while (kin_cond_waiters(locks_of(s)->cond) == 0)
		kn_os_yield();
}

static void
sleep_for_notice(struct scene *s)
{
	sleep_long();
	wait_for_notice(s);
}

static kn_word *
notice_of_helper(struct scene *s)
{
	return kn_thread_notice(&control_of(s)->threads->of[0]);
}

static void
set_long_waiter(struct scene *s)
{
	set_locks(s);
	help(s, sleep_for_notice);
	await_sleep(s, notice_of_helper(s), ~0u);
}

static int
act_wait(struct scene *s)
{
	struct locks *l = locks_of(s);
	int r = kin_cond_wait(l->cond, l->lock, kin_in_ms(1));

	return r == -ETIMEDOUT ? 0 : r;
}

static int
act_notify(struct scene *s)
{
	struct locks *l = locks_of(s);
	int r = kin_cond_notify(l->cond, l->lock, 1);

	return r < 0 ? r : act_release(s);
}

/* One notice, and it reaches the one who lives and waits. */
static const char *
check_waited(struct scene *s)
{
	struct locks *l = locks_of(s);
	int r = act_acquire(s);

	if (r < 0)
		return "the lock is not to be had";
	if (r > 0)
		must(act_consistent(s));
	/* One for the dead, if it still waits, and one for the other. */
	r = kin_cond_notify(l->cond, l->lock, 1);
	must(act_release(s));
	if (r != 1)
		return "nobody seems to wait";
	if (await_done(s, 1) != NULL)
		return "a dead waiter swallowed the notice";
	return usable(s);
}

/* It has woken: it has the lock, or had it, or waits for it now. */
static const char *
await_awake(struct scene *s)
{
	kin_time deadline = patience();
	uint64_t at = locks_of(s)->lock->mutex.at;

	while (s->shared->helper_done != 1 &&
	       kn_control_count(control_of(s), at) == 0) {
		if (kin_now().ns > deadline.ns)
			return "the waiter is notified, and sleeps";
		kn_os_yield();
	}
	return NULL;
}

/* Notified, it wakes; and has the lock, if that was released. */
static const char *
check_notified(struct scene *s)
{
	bool held = kn_mutex_owner(kn_load(word_of(s))) == s->shared->stamp;

	if (s->shared->acted && held)
		return "it has not let go";
	if (!(kn_load(notice_of_helper(s)) & KN_NOTICED) && held)
		return s->shared->acted ? "nobody was notified" : NULL;
	if (await_awake(s) != NULL)
		return "the waiter is notified, and sleeps";
	if (!held && await_done(s, 1) != NULL)
		return "the waiter has not got the lock";
	return held ? NULL : usable(s);
}

void
other_cond(struct scene *s)
{
	other_lock(s);
}

const struct op cond_ops[] = {
	{ "cond wait", "alone", set_locks, ready_held, act_wait, usable, 0 },
	{ "cond wait", "another", set_waiter, ready_held, act_wait,
	  check_waited, 0 },
	{ "cond notify", "nobody", set_locks, ready_held, act_notify,
	  check_released, 0 },
	{ "cond notify", "sleeper", set_long_waiter, ready_held, act_notify,
	  check_notified, OP_PTRACE },
	{ NULL, NULL, NULL, NULL, NULL, NULL, 0 },
};
