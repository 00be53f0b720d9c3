/* SPDX-License-Identifier: MIT */
/*
 * kill.c - a victim is killed at every instruction of an operation
 *
 * One victim for each point, until one lives.  Then the promise has held at
 * every instruction, since between two instructions nothing changes.  The
 * victim stays a zombie until the check is over.
 */
#include "tests/proof/prove.h"

#define SURVEYS	3

enum end
kill_once(struct track *t, const struct prover_row *row, struct shared *shared,
	  struct outcome *ret)
{
	const struct op *op = row->op;
	struct scene s;
	enum end end;
	pid_t pid;

	begin_scene(&s, op, shared);
	track_rewind(t, false);
	end = step_run(t, &s, op->ready, op->act, DIES, step_by_ptrace(op),
		       &pid);
	shared->dead = 1;
	if (end == STUCK) {
		ret->wrong = "the victim hung";
	} else if (t->returned && t->result < 0) {
		ret->wrong = "the operation fails";
	} else {
		shared->acted = t->returned;
		ret->wrong = op->check(&s);
	}
	step_collect(pid);
	end_scene(&s);
	return end;
}

/*
 * Victims are not quite alike: one that meets a tick of the clock takes a few
 * steps more, and what it changes lies elsewhere.  So several are looked at;
 * what any of them changes is a change, and the shortest tells the steps.
 */
enum end
kill_survey(struct track *t, const struct prover_row *row,
	    struct shared *shared, struct outcome *ret, int *ret_steps)
{
	enum end end = STUCK;
	int i, least = TRACK_STEPS;

	t->step = 0;
	track_rewind(t, true);
	for (i = 0; i < SURVEYS && ret->wrong == NULL; i++) {
		end = kill_once(t, row, shared, ret);
		if (t->steps < least)
			least = t->steps;
	}
	ret->steps += least;
	*ret_steps = least;
	return end;
}

/*
 * All points of a window.  How it was left: WINDOW_OVER, there is another; or
 * RETURNED, it was the last.
 */
static enum end
one_window(struct track *t, const struct prover_row *row,
	   struct shared *shared, struct outcome *ret)
{
	enum end last;
	int steps;

	last = kill_survey(t, row, shared, ret, &steps);
	while (ret->wrong == NULL) {
		t->step = step_next(t, t->step, steps, row->points);
		if (kill_once(t, row, shared, ret) != AT_POINT)
			break;
		ret->points++;
	}
	return last;
}

void
prove_kill(const struct prover_row *row, struct outcome *ret)
{
	static struct track *t;
	static struct shared *shared;

	if (t == NULL) {
		t = shared_memory(sizeof(*t));
		shared = shared_memory(sizeof(*shared));
	}
	t->window = 0;
	while (one_window(t, row, shared, ret) == WINDOW_OVER &&
	       ret->wrong == NULL)
		t->window++;
	outcome_at(ret, "at call %d, step %d", t->window, t->step);
}
