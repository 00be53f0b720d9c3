/* SPDX-License-Identifier: MIT */
/*
 * double.c - the victim is killed, and so is the one who takes over from it
 *
 *      victim     ✝ at (window, step)
 *      heir                            other: takes over, reaps ✝ at (w, s)
 *      survivor                                                    check
 *
 * for each state in which a victim can leave the thing, and each point at
 * which the heir can die over it.
 */
#include "tests/proof/prove.h"

static struct track *first, *second;
static struct shared *shared;
static const struct prover_row *row;

/* Runs in the heir; a row without other is done once more. */
static void
ready_heir(struct scene *s)
{
	if (row->noun->other == NULL && row->op->ready != NULL)
		row->op->ready(s);
}

static int
act_heir(struct scene *s)
{
	if (row->noun->other == NULL)
		return row->op->act(s);
	row->noun->other(s);
	return 0;
}

/* One victim, one heir, one check.  How the heir ended. */
static enum end
one_pair(struct outcome *ret)
{
	const struct op *op = row->op;
	enum end end = STUCK;
	pid_t victim, heir;
	struct scene s;

	begin_scene(&s, op, shared);
	track_rewind(first, false);
	track_rewind(second, second->step == 0);
	if (step_run(first, &s, op->ready, op->act, DIES, step_by_ptrace(op),
		     &victim) == STUCK) {
		ret->wrong = "the victim hung";
	} else {
		shared->dead = 1;
		shared->acted = first->returned;
		end = step_run(second, &s, ready_heir, act_heir, DIES, false,
			       &heir);
		ret->wrong = end == STUCK ? "the heir hung" : op->check(&s);
		step_collect(heir);
	}
	step_collect(victim);
	end_scene(&s);
	return end;
}

/* All points of one of the heir's windows. */
static enum end
heir_window(struct outcome *ret)
{
	enum end last, end;
	int steps;

	second->step = 0;
	last = one_pair(ret);
	steps = second->steps;
	ret->steps += steps;
	while (ret->wrong == NULL) {
		second->step = step_next(second, second->step, steps,
					 row->points);
		end = one_pair(ret);
		if (end != AT_POINT)
			break;
		ret->points++;
	}
	return last;
}

static void
all_heirs(struct outcome *ret)
{
	second->window = 0;
	while (heir_window(ret) == WINDOW_OVER && ret->wrong == NULL)
		second->window++;
}

/* What the first one leaves is the same everywhere between two states. */
static enum end
victim_window(struct outcome *ret)
{
	enum end last;
	int steps;

	last = kill_survey(first, row, shared, ret, &steps);
	while (ret->wrong == NULL) {
		first->step = step_next(first, first->step, steps, DISTINCT);
		if (first->step > steps)
			break;
		if (is_my_turn())
			all_heirs(ret);
	}
	return last;
}

void
prove_double(const struct prover_row *which, struct outcome *ret)
{
	if (first == NULL) {
		first = shared_memory(sizeof(*first));
		second = shared_memory(sizeof(*second));
		shared = shared_memory(sizeof(*shared));
	}
	row = which;
	slices_stay = true;
	first->window = 0;
	while (victim_window(ret) == WINDOW_OVER && ret->wrong == NULL)
		first->window++;
	outcome_at(ret, "at call %d, step %d, and at call %d, step %d",
		   first->window, first->step, second->window, second->step);
}
