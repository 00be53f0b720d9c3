/* SPDX-License-Identifier: MIT */
/*
 * stop.c - a victim is stopped at an instruction, and later goes on
 *
 *      victim     ‖ at (window, step)                    ▶ returns
 *      another           other: to its end
 *      survivor          is the victim still a member?     check
 *
 * Whoever is stopped lives: nothing is taken from it, and others get on or
 * time out.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/proof/prove.h"

#define SLOTS	64u

static struct track *t, *others;
static struct shared *shared;
static const struct prover_row *row;

/* ---- the victim's membership ---- */

struct places {
	uint32_t states[SLOTS];		/* 0 = not the victim's */
};

static struct places
places_of(const struct scene *s, pid_t pid)
{
	const struct kn_registry *reg = s->registry;
	struct places p = { { 0 } };
	uint32_t i, state;

	for (i = 0; reg != NULL && i < reg->slots && i < SLOTS; i++) {
		state = kn_load(&reg->roster->slots[i].state);
		if ((state & KN_SLOT_ACTIVE) &&
		    kn_load(&reg->roster->slots[i].pid) == (uint32_t)pid)
			p.states[i] = state;
	}
	return p;
}

static bool
still_there(const struct scene *s, const struct places *before)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++)
		if (before->states[i] != 0 &&
		    kn_load(&s->registry->roster->slots[i].state) !=
		    before->states[i])
			return false;
	return true;
}

/* ---- the others ---- */

static int
act_other(struct scene *s)
{
	if (row->noun->other != NULL) {
		row->noun->other(s);
		return 0;
	}
	if (row->op->ready != NULL)
		row->op->ready(s);
	/* It may well fail: the stopped one is in the way. */
	(void)row->op->act(s);
	return 0;
}

/* Another process, to its end. */
static const char *
let_others(struct scene *s)
{
	enum end end;
	pid_t pid;

	others->window = INT32_MAX;	/* it is not stepped */
	others->step = 1;
	track_rewind(others, false);
	end = step_run(others, s, NULL, act_other, DIES, false, &pid);
	step_collect(pid);
	return end == RETURNED ? NULL : "another one hangs";
}

/* ---- the rounds ---- */

static const char *
while_stopped(struct scene *s, pid_t pid)
{
	struct places before = places_of(s, pid);
	const char *wrong;

	shared->dead = 1;
	wrong = let_others(s);
	if (wrong == NULL && !still_there(s, &before))
		wrong = "a stopped process was reaped";
	return wrong;
}

/* With rivals, what was stopped may come too late. */
static const char *
afterwards(struct scene *s)
{
	if (t->result < 0 && !(row->op->flags & OP_RIVALS))
		return "its operation fails when it goes on";
	shared->acted = t->result >= 0;
	return row->op->check(s);
}

static enum end
one_round(struct outcome *ret)
{
	const struct op *op = row->op;
	struct scene s;
	enum end end;
	pid_t pid;

	begin_scene(&s, op, shared);
	track_rewind(t, false);
	end = step_run(t, &s, op->ready, op->act, STOPS, step_by_ptrace(op),
		       &pid);
	if (end == STUCK)
		ret->wrong = "the victim hung";
	if (end == AT_POINT) {
		ret->wrong = while_stopped(&s, pid);
		if (step_continue(t, pid) != RETURNED && ret->wrong == NULL)
			ret->wrong = "it hangs when it goes on";
		if (ret->wrong == NULL)
			ret->wrong = afterwards(&s);
	}
	step_collect(pid);
	end_scene(&s);
	return end;
}

static enum end
one_window(struct outcome *ret)
{
	enum end last;
	int steps;

	last = kill_survey(t, row, shared, ret, &steps);
	while (ret->wrong == NULL) {
		t->step = step_next(t, t->step, steps, row->points);
		if (t->step > steps)
			break;
		if (!is_my_turn())
			continue;
		if (one_round(ret) != AT_POINT)
			break;
		ret->points++;
	}
	return last;
}

void
prove_stop(const struct prover_row *which, struct outcome *ret)
{
	if (t == NULL) {
		t = shared_memory(sizeof(*t));
		others = shared_memory(sizeof(*others));
		shared = shared_memory(sizeof(*shared));
	}
	row = which;
	t->window = 0;
	while (one_window(ret) == WINDOW_OVER && ret->wrong == NULL)
		t->window++;
	outcome_at(ret, "at call %d, step %d", t->window, t->step);
}
