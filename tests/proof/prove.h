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
	uint32_t seed;
};

/* The outcome of one row. */
struct outcome {
	int points;			/* at which it happened */
	int steps;			/* instructions that were stepped over */
	const char *wrong;		/* NULL = nothing */
	char at[80];			/* where it was wrong */
};

void outcome_at(struct outcome *ret, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What a round's processes share; it comes afresh with each scene. */
struct shared *shared_new(void);

/*
 * From here to there nothing may be left: descriptors, mappings of shared
 * memory, names, children.
 */
void begin_scene(struct scene *s, const struct op *op, struct shared *shared);
void end_scene(struct scene *s, const char **ret_wrong);

void prove_kill(const struct prover_row *row, struct outcome *ret);

#endif
