/* SPDX-License-Identifier: MIT */
/*
 * prove.h - what all provers have in common
 */
#ifndef PROVE_H
#define PROVE_H

#include "tests/proof/ops.h"
#include "tests/proof/step.h"

struct prover_row {
	const struct noun *noun;
	const struct op *op;
	enum points points;
};

/* The outcome of one row. */
struct outcome {
	int points;			/* at which it happened */
	int steps;			/* instructions that were stepped over */
	const char *wrong;		/* NULL = nothing */
	char at[96];			/* where it was wrong */
};

void outcome_at(struct outcome *ret, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Zeroed, common to all that are forked. */
void *shared_memory(size_t bytes);

/* Of $KIN_STRIDE points, one; which they are is different for each row. */
bool is_my_turn(void);

void begin_scene(struct scene *s, const struct op *op, struct shared *shared);
void end_scene(struct scene *s);

/* Some victims that go through a window, and what they change. */
enum end kill_survey(struct track *t, const struct prover_row *row,
		     struct shared *shared, struct outcome *ret,
		     int *ret_steps);

/* A victim is killed at the track's point, or surveyed; and the check. */
enum end kill_once(struct track *t, const struct prover_row *row,
		   struct shared *shared, struct outcome *ret);

void prove_kill(const struct prover_row *row, struct outcome *ret);
void prove_double(const struct prover_row *row, struct outcome *ret);
void prove_stop(const struct prover_row *row, struct outcome *ret);
void prove_fail(const struct prover_row *row, struct outcome *ret);

#endif
