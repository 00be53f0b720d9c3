/* SPDX-License-Identifier: MIT */
/*
 * ops_sync.c - events, barriers and onces
 */
#include <errno.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/barrier.h"
#include "lib/event.h"
#include "lib/once.h"
#include "shm/os.h"
#include "tests/proof/nouns.h"

/* A helper's: no slice of its own wakes it any more. */
static void
sleep_tight(void)
{
	kn_wait_slices = (struct kn_slices){ 1000000000000, 1000000000000 };
	kn_latch_slices = kn_wait_slices;
}

static void
set_object(struct scene *s, struct kn_object *o, void (*clear)(struct scene *))
{
	s->thing = o;
	s->clear = clear;
	s->watch = o->own;
	s->watch_bytes = o->mark.bytes - sizeof(o->mark);
	if (o->control != NULL)
		s->registry = &o->control->registry;
}

static void
ready_member(struct scene *s)
{
	struct kn_object *o = s->thing;
	int r = kn_control_process(o->control);

	must(r);
	must(kn_control_me(o->control));
	s->shared->stamp = (uint32_t)r;
}

/* ---- events ---- */

static kn_word *
event_word(const struct scene *s)
{
	const struct kn_object *o = s->thing;

	return o->own;
}

static void
clear_event(struct scene *s)
{
	kin_event_close(s->thing);
}

static void
set_event(struct scene *s)
{
	kin_event *e;

	must(kin_event_create(&e, NULL));
	set_object(s, (struct kn_object *)e, clear_event);
}

static void
set_set_event(struct scene *s)
{
	set_event(s);
	kin_event_set(s->thing);
}

static void
sleep_in_event(struct scene *s)
{
	sleep_tight();
	must(kin_event_wait(s->thing, KIN_FOREVER));
	s->shared->helper_done = 1;
}

static void
set_event_sleeper(struct scene *s)
{
	set_event(s);
	help(s, sleep_in_event);
	await_sleep(s, event_word(s), KN_EVENT_ASLEEP);
}

static void
set_it(struct scene *s)
{
	while (!(kn_load(event_word(s)) & KN_EVENT_ASLEEP) && !s->shared->dead)
		kn_os_yield();
	kin_event_set(s->thing);
	s->shared->helper_done = 1;
}

static void
set_event_then_set(struct scene *s)
{
	set_event(s);
	help(s, set_it);
}

static int
act_set(struct scene *s)
{
	kin_event_set(s->thing);
	return 0;
}

static int
act_clear(struct scene *s)
{
	kin_event_clear(s->thing);
	return 0;
}

static int
act_wait(struct scene *s)
{
	return kin_event_wait(s->thing, patience());
}

static const char *
check_event(struct scene *s)
{
	kin_event_set(s->thing);
	if (kin_event_wait(s->thing, KIN_NOWAIT) != 0)
		return "it is not set";
	kin_event_clear(s->thing);
	return kin_event_wait(s->thing, KIN_NOWAIT) == -ETIMEDOUT
	       ? NULL : "it is not clear";
}

static const char *
check_set(struct scene *s)
{
	if (s->shared->acted && !kin_event_is_set(s->thing))
		return "a set that returned is lost";
	return check_event(s);
}

static const char *
check_cleared(struct scene *s)
{
	if (s->shared->acted && kin_event_is_set(s->thing))
		return "a clear that returned is lost";
	return check_event(s);
}

static const char *
check_event_woken(struct scene *s)
{
	if (!kin_event_is_set(s->thing)) {
		if (s->shared->acted)
			return "a set that returned is lost";
		kin_event_set(s->thing);
	}
	return await_done(s, 1) != NULL ? "the sleeper was not woken"
					: check_event(s);
}

static const char *
check_waited(struct scene *s)
{
	return await_done(s, 1) != NULL ? "the helper hangs" : check_set(s);
}

void
other_event(struct scene *s)
{
	(void)!kin_event_wait(s->thing, KIN_NOWAIT);
}

const struct op event_ops[] = {
	{ "event set", "clear", set_event, NULL, act_set, check_set, 0 },
	{ "event set", "set", set_set_event, NULL, act_set, check_set, 0 },
	{ "event set", "sleeper", set_event_sleeper, NULL, act_set,
	  check_event_woken, OP_PTRACE },
	{ "event clear", "set", set_set_event, NULL, act_clear, check_cleared,
	  0 },
	{ "event wait", "clear", set_event_then_set, NULL, act_wait,
	  check_waited, 0 },
	{ 0 },
};

/* ---- barriers ---- */

/* A result, as a helper tells it: not 0. */
#define TOLD(r)	((r) >= 0 ? 1 + (r) : 1000 - (r))

static struct kn_barrier_shared *
barrier_of(const struct scene *s)
{
	const struct kn_object *o = s->thing;

	return o->own;
}

static uint32_t
generation(const struct scene *s)
{
	return kn_phase_generation(kn_load(&barrier_of(s)->phase));
}

static void
clear_barrier(struct scene *s)
{
	kin_barrier_close(s->thing);
}

static void
set_barrier_for(struct scene *s, uint32_t parties)
{
	kin_barrier *b;

	must(kin_barrier_create(&b, KIN_OPTS(kin_barrier_opts,
					     .parties = parties,
					     .members = 8)));
	kn_spin_init(&b->spin, KIN_SPIN_NEVER);
	set_object(s, (struct kn_object *)b, clear_barrier);
}

static void
set_barrier_for_one(struct scene *s)
{
	set_barrier_for(s, 1);
}

static void
come_second(struct scene *s)
{
	int r;

	while (kin_barrier_waiting(s->thing) == 0 && !s->shared->dead)
		kn_os_yield();
	r = kin_barrier_wait(s->thing, patience());
	s->shared->helper_done = TOLD(r);
}

static void
set_barrier(struct scene *s)
{
	set_barrier_for(s, 2);
	help(s, come_second);
}

static void
sleep_in_barrier(struct scene *s)
{
	int r;

	sleep_tight();
	r = kin_barrier_wait(s->thing, KIN_FOREVER);
	s->shared->helper_done = TOLD(r);
}

static void
set_barrier_sleeper(struct scene *s)
{
	set_barrier_for(s, 2);
	help(s, sleep_in_barrier);
	await_sleep(s, &barrier_of(s)->phase, KN_PHASE_ASLEEP);
}

static void
ready_latch_inherited(struct scene *s)
{
	struct kn_object *o = s->thing;
	pid_t pid;

	ready_member(s);
	pid = fork();
	if (pid == 0) {
		must(kn_control_process(o->control));
		must(kn_latch_take(&barrier_of(s)->latch,
				   &o->control->registry.party, patience()));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static int
act_barrier_wait(struct scene *s)
{
	return kin_barrier_wait(s->thing, patience());
}

static int
nothing(void *user)
{
	(void)user;
	return 0;
}

static int
act_barrier_action(struct scene *s)
{
	return kin_barrier_wait_with(s->thing, nothing, NULL, patience());
}

static int
act_abort(struct scene *s)
{
	return kin_barrier_abort(s->thing, patience());
}

static int
act_reset(struct scene *s)
{
	return kin_barrier_reset(s->thing, patience());
}

/* Reset, two parties go through it together. */
static const char *
check_barrier(struct scene *s)
{
	int status, r;
	pid_t pid;

	if (kin_barrier_reset(s->thing, patience()) < 0)
		return "a reset fails afterwards";
	if (kin_barrier_waiting(s->thing) != 0)
		return "somebody is there who is not";
	if (kin_barrier_parties(s->thing) == 1)
		return kin_barrier_wait(s->thing, KIN_NOWAIT) == 0
		       ? NULL : "a wait fails afterwards";
	pid = fork();
	if (pid == 0)
		_exit(kin_barrier_wait(s->thing, patience()) & 0xff);
	r = kin_barrier_wait(s->thing, patience());
	waitpid(pid, &status, 0);
	return r >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1 - r
	       ? NULL : "two do not go through together";
}

static const char *
check_alone(struct scene *s)
{
	if (s->shared->acted && generation(s) == 0)
		return "a wait has returned, and nothing has happened";
	return check_barrier(s);
}

/*
 * The second one has gone through, with the victim or with us; or it has been
 * told of the death.  It was not if the victim's wait returned.
 */
static const char *
check_second(struct scene *s)
{
	kin_time deadline = patience();

	while (s->shared->helper_done == 0) {
		(void)!kin_barrier_wait(s->thing, KIN_NOWAIT);
		if (kin_now().ns > deadline.ns)
			return "the other party hangs";
		kn_os_yield();
	}
	if (s->shared->helper_done > 2 &&
	    (s->shared->acted || s->shared->helper_done != TOLD(-EOWNERDEAD)))
		return "the other party is told something else";
	return check_barrier(s);
}

/* If the round is over, the sleeper knows; if not, we end it. */
static const char *
check_first_woken(struct scene *s)
{
	bool over = generation(s) != 0;

	if (!over && s->shared->acted)
		return "a wait has returned, and nothing has happened";
	if (!over)
		(void)!kin_barrier_wait(s->thing, patience());
	if (over && await_done(s, TOLD(0)) != NULL)
		return "the sleeper was not woken";
	if (!over && generation(s) == 0 &&
	    await_done(s, TOLD(-EOWNERDEAD)) != NULL)
		return "the sleeper was not told of the death";
	if (!over && generation(s) != 0 && await_done(s, TOLD(0)) != NULL)
		return "the sleeper was not let go";
	return check_barrier(s);
}

static const char *
check_sent_away(struct scene *s)
{
	bool over = generation(s) != 0 || kin_barrier_broken(s->thing);

	if (!over && s->shared->acted)
		return "it has returned, and nothing has happened";
	if (!over && kin_barrier_abort(s->thing, patience()) < 0)
		return "an abort fails afterwards";
	if (await_done(s, TOLD(-ECANCELED)) != NULL)
		return "the sleeper was not sent away";
	return check_barrier(s);
}

void
other_barrier(struct scene *s)
{
	(void)!kin_barrier_waiting(s->thing);
	(void)!kin_barrier_broken(s->thing);
}

const struct op barrier_ops[] = {
	{ "barrier wait", "alone", set_barrier_for_one, ready_member,
	  act_barrier_wait, check_alone, 0 },
	{ "barrier wait", "inherited", set_barrier_for_one,
	  ready_latch_inherited, act_barrier_wait, check_alone, 0 },
	{ "barrier wait", "first", set_barrier, ready_member, act_barrier_wait,
	  check_second, 0 },
	{ "barrier wait", "last, sleeper", set_barrier_sleeper, ready_member,
	  act_barrier_wait, check_first_woken, OP_PTRACE },
	{ "barrier wait", "action, sleeper", set_barrier_sleeper, ready_member,
	  act_barrier_action, check_first_woken, OP_PTRACE },
	{ "barrier abort", "sleeper", set_barrier_sleeper, ready_member,
	  act_abort, check_sent_away, OP_PTRACE },
	{ "barrier reset", "sleeper", set_barrier_sleeper, ready_member,
	  act_reset, check_sent_away, OP_PTRACE },
	{ 0 },
};

/* ---- onces ---- */

static kn_word *
once_word(const struct scene *s)
{
	const struct kn_object *o = s->thing;

	return o->own;
}

static void
clear_once(struct scene *s)
{
	kin_once_close(s->thing);
}

static void
set_once(struct scene *s)
{
	kin_once *o;

	must(kin_once_create(&o, KIN_OPTS(kin_once_opts, .members = 8)));
	set_object(s, (struct kn_object *)o, clear_once);
}

static int
has_begun(int former, void *user)
{
	struct scene *s = user;

	(void)former;
	s->shared->helper_done |= 4;
	return 0;
}

static int
die(int former, void *user)
{
	(void)former;
	(void)user;
	_exit(0);
}

static void
ready_thread(struct scene *s)
{
	struct kn_object *o = s->thing;

	must(kn_control_me(o->control));
}

static void
ready_runner_died(struct scene *s)
{
	pid_t pid;

	ready_thread(s);
	pid = fork();
	if (pid == 0)
		_exit(kin_once_run(s->thing, die, s, patience()) & 0xff);
	waitpid(pid, NULL, 0);
	s->shared->helper_done = 4;
}

static int
act_run(struct scene *s)
{
	return kin_once_run(s->thing, has_begun, s, patience());
}

/* Where the victim's run stops, in its function, and goes on from. */
static ucontext_t outside, inside;
static unsigned char stack[1 << 16];
static struct scene *scene;
static int ran;

static int
stop_inside(int former, void *user)
{
	(void)former;
	(void)user;
	scene->shared->helper_done = 2;
	swapcontext(&inside, &outside);
	return 0;
}

static void
run_inside(void)
{
	ran = kin_once_run(scene->thing, stop_inside, NULL, patience());
}

/* In the function, and somebody sleeps for its end. */
static void
ready_inside(struct scene *s)
{
	scene = s;
	getcontext(&inside);
	inside.uc_stack.ss_sp = stack;
	inside.uc_stack.ss_size = sizeof(stack);
	inside.uc_link = &outside;
	makecontext(&inside, run_inside, 0);
	swapcontext(&outside, &inside);
	while (!(kn_load(once_word(s)) & KN_LATCH_WAITER))
		kn_os_yield();
}

static int
act_go_on(struct scene *s)
{
	(void)s;
	swapcontext(&outside, &inside);
	return ran;
}

static void
sleep_in_once(struct scene *s)
{
	while (s->shared->helper_done != 2)
		kn_os_yield();
	sleep_tight();
	must(kin_once_run(s->thing, die, s, KIN_FOREVER));
	s->shared->helper_done = 1;
}

static void
set_once_sleeper(struct scene *s)
{
	set_once(s);
	help(s, sleep_in_once);
}

static int
count(int former, void *user)
{
	int *n = user;

	(void)former;
	(*n)++;
	return 0;
}

/* Done by the victim, or by us, who are told if it had begun. */
static const char *
check_once(struct scene *s)
{
	bool done = kin_once_done(s->thing);
	bool begun = s->shared->helper_done & 4;
	int n = 0, r;

	if (s->shared->acted && !done)
		return "a run has returned, and it is not done";
	r = kin_once_run(s->thing, count, &n, patience());
	if (r < 0)
		return "a run fails afterwards";
	if (n != !done)
		return "it was run when it was done, or not when it was not";
	if (!done && begun && r != 1)
		return "nobody told us of the former one";
	return kin_once_done(s->thing) ? NULL : "it is not done";
}

/* Done, the sleeper knows; and if not, it is not awake: we do it. */
static const char *
check_once_woken(struct scene *s)
{
	bool done = kin_once_done(s->thing);
	int n = 0;

	if (s->shared->acted && !done)
		return "a run has returned, and it is not done";
	if (!done && (kin_once_run(s->thing, count, &n, patience()) != 1 ||
		      n != 1))
		return "the dead one is not replaced";
	return await_done(s, 1) != NULL ? "the sleeper was not woken" : NULL;
}

void
other_once(struct scene *s)
{
	(void)!kin_once_done(s->thing);
}

const struct op once_ops[] = {
	{ "once run", "never", set_once, ready_thread, act_run, check_once,
	  0 },
	{ "once run", "first", set_once, NULL, act_run, check_once, 0 },
	{ "once run", "inherited", set_once, ready_runner_died, act_run,
	  check_once, 0 },
	{ "once run", "sleeper", set_once_sleeper, ready_inside, act_go_on,
	  check_once_woken, OP_PTRACE },
	{ 0 },
};
