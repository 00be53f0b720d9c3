/* SPDX-License-Identifier: MIT */
/*
 * prove.c - provers over the table of operations
 *
 *      prove kill                       all rows
 *      prove kill put 'get,sleeper'     rows of an operation, or of one in a
 *                                       state
 *      prove --list                     the operations, one a line
 *
 * Provers: kill, double, stop, fail; each has a file.  KIN_POINTS=distinct|near|
 * every says how many points there are (near), KIN_STRIDE=n that double and
 * stop take one in n of them (1).  Prints TAP, with the number of points, and
 * last the sums.
 */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/left.h"
#include "tests/proof/prove.h"

static const struct prover {
	const char *name;
	void (*prove)(const struct prover_row *, struct outcome *);
	const char *done;		/* what happened at each point */
} provers[] = {
	{ "kill", prove_kill, "killed" },
	{ "double", prove_double, "two killed" },
	{ "stop", prove_stop, "stopped" },
	{ "fail", prove_fail, "failed" },
	{ NULL, NULL, NULL },
};

/* ---- for the provers ---- */

void
outcome_at(struct outcome *ret, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret->at, sizeof(ret->at), format, args);
	va_end(args);
}

void *
shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}

static unsigned turn, stride;

bool
is_my_turn(void)
{
	return turn++ % stride == 0;
}

/* What there is between two rounds; its first round makes a row's baseline. */
static struct left between;
static int rounds;

void
begin_scene(struct scene *s, const struct op *op, struct shared *shared)
{
	memset((void *)shared, 0, sizeof(*shared));
	*s = (struct scene){ .shared = shared };
	op->set(s);
}

void
end_scene(struct scene *s)
{
	if (s->helper > 0) {
		kill(s->helper, SIGKILL);
		step_collect(s->helper);
	}
	if (s->clear != NULL)
		s->clear(s);
	kin_queue_close(s->q);
	kin_segment_close(s->seg);
	if (rounds++ == 0)
		between = left_now();
}

/* After a row there is what there was after its first round. */
static void
look_for_left(struct outcome *ret)
{
	struct left now = left_now();

	if (ret->wrong != NULL ||
	    memcmp(&now, &between, sizeof(now)) == 0)
		return;
	ret->wrong = "something is left";
	outcome_at(ret, "%+d descriptors, %+d mappings, %+d names, %+d "
		   "children", now.descriptors - between.descriptors,
		   now.mappings - between.mappings, now.names - between.names,
		   now.children - between.children);
}

/* ---- the rows ---- */

/* By "operation" or "operation,state". */
static bool
wanted(const struct op *op, char **names)
{
	char full[128];

	if (*names == NULL)
		return true;
	snprintf(full, sizeof(full), "%s,%s", op->name, op->state);
	for (; *names != NULL; names++)
		if (strcmp(*names, op->name) == 0 || strcmp(*names, full) == 0)
			return true;
	return false;
}

static int
list(void)
{
	const struct noun *noun;
	const struct op *op;
	const char *last = "";

	for (noun = nouns; noun->name != NULL; noun++)
		for (op = noun->ops; op->name != NULL; op++) {
			if (strcmp(op->name, last) != 0)
				puts(op->name);
			last = op->name;
		}
	return 0;
}

struct sums {
	int rows, points, failures;
};

static void
one_row(const struct prover *p, const struct prover_row *row, struct sums *sums)
{
	const struct op *op = row->op;
	struct outcome out = { 0 };

	rounds = 0;
	/* Where an operation begins, nothing has happened yet. */
	turn = stride > 3 ? stride - 3 : 0;
	p->prove(row, &out);
	look_for_left(&out);
	sums->rows++;
	sums->points += out.points;
	if (out.wrong == NULL) {
		printf("ok %d - %s, %s: %s at %d points in %d steps\n",
		       sums->rows, op->name, op->state, p->done, out.points,
		       out.steps);
	} else {
		sums->failures++;
		printf("not ok %d - %s, %s: %s %s: %s\n", sums->rows, op->name,
		       op->state, p->done, out.at, out.wrong);
	}
	fflush(stdout);
}

static int
all_rows(const struct prover *p, enum points points, char **names)
{
	struct sums sums = { 0 };
	const struct noun *noun;
	const struct op *op;

	for (noun = nouns; noun->name != NULL; noun++)
		for (op = noun->ops; op->name != NULL; op++) {
			struct prover_row row = {
				.noun = noun, .op = op, .points = points,
			};

			if (wanted(op, names))
				one_row(p, &row, &sums);
		}
	printf("1..%d\n# %d rows, %d points, %d failures\n", sums.rows,
	       sums.rows, sums.points, sums.failures);
	if (sums.rows == 0)
		errx(2, "no such row");
	return sums.failures != 0;
}

/* ---- */

/*
 * Victim, survivor and helpers on one CPU: single steps are ten times faster
 * there, and who is to run next is the kernel's choice, not the hardware's.
 */
static void
pin(void)
{
	cpu_set_t all, one;
	int cpu, nth;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	nth = (int)getpid() % CPU_COUNT(&all);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && nth-- == 0)
			break;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static enum points
points_wanted(void)
{
	const char *text = getenv("KIN_POINTS");

	if (text == NULL || strcmp(text, "near") == 0)
		return NEAR;
	if (strcmp(text, "every") == 0)
		return EVERY;
	if (strcmp(text, "distinct") == 0)
		return DISTINCT;
	errx(2, "KIN_POINTS is distinct, near or every");
}

static unsigned
stride_wanted(void)
{
	const char *text = getenv("KIN_STRIDE");
	int n = text != NULL ? atoi(text) : 1;

	if (n < 1)
		errx(2, "KIN_STRIDE is a number from 1");
	return (unsigned)n;
}

int
main(int argc, char **argv)
{
	const struct prover *p;
	char names[64];
	int r;

	if (argc > 1 && strcmp(argv[1], "--list") == 0)
		return list();
	for (p = provers; argc > 1 && p->name != NULL; p++)
		if (strcmp(argv[1], p->name) == 0)
			break;
	if (argc < 2 || p->name == NULL)
		errx(2, "usage: prove PROVER [OPERATION[,STATE]]...");

	snprintf(names, sizeof(names), "/dev/shm/kin-prove-%d", (int)getpid());
	setenv("KIN_DIR", names, 1);
	stride = stride_wanted();
	pin();
	r = all_rows(p, points_wanted(), argv + 2);
	(void)rmdir(names);
	return r;
}
