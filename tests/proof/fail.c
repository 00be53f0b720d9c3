/* SPDX-License-Identifier: MIT */
/*
 * fail.c - the k-th kernel call of an operation fails, for every k
 *
 * What failed has not happened, says so, and leaves nothing in the caller;
 * done once more, it works.  Of a remote call only the first is not sure, and
 * it has to leave the other end as it should be.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/os.h"
#include "tests/left.h"
#include "tests/proof/prove.h"

static const int numbers[] = { -ENOMEM, -EMFILE, -EPERM };

static struct track *t;
static struct shared *shared;
static const struct prover_row *row;

/* Shared: what the victim tells. */
static struct notes {
	int left;			/* to the call that fails */
	int number;
	bool again;			/* and then it is tried again */
	bool failed;
	bool mute;			/* without a sentence */
	char call[32];
	struct left before, after;
} *notes;

static int
fail_kth(const char *call)
{
	if (--notes->left != 0)
		return 0;
	snprintf(notes->call, sizeof(notes->call), "%s", call);
	return notes->number;
}

/* A sentence of its own, which is no other's. */
static void
forget(char *mark, size_t bytes)
{
	(void)kin_segment_unlink("/");
	snprintf(mark, bytes, "%s", kin_errmsg());
}

static int
act_failing(struct scene *s)
{
	int (*stepping)(const char *) = kn_os_hook;
	char mark[256];
	int r;

	forget(mark, sizeof(mark));
	notes->before = left_now();
	kn_os_hook = fail_kth;
	r = row->op->act(s);
	kn_os_hook = stepping;
	if (r >= 0)
		return r;
	notes->failed = true;
	notes->after = left_now();
	notes->mute = strcmp(kin_errmsg(), mark) == 0;
	return notes->again ? row->op->act(s) : r;
}

static const char *
complaint(void)
{
	if (!notes->failed)
		return NULL;
	if (notes->mute)
		return "it failed without a sentence";
	if (row->op->flags & OP_REMOTE)
		return NULL;
	if (memcmp(&notes->before, &notes->after, sizeof(notes->before)) != 0)
		return "it failed, and left something";
	return t->result < 0 && notes->again ? "tried again, it fails" : NULL;
}

/* True: there was a k-th call. */
static bool
one_round(int k, int number, bool again, struct outcome *ret)
{
	struct scene s;
	enum end end;
	pid_t pid;

	begin_scene(&s, row->op, shared);
	memset(notes, 0, sizeof(*notes));
	notes->left = k;
	notes->number = number;
	notes->again = again;
	track_rewind(t, false);
	end = step_run(t, &s, row->op->ready, act_failing, DIES, false, &pid);
	shared->dead = 1;
	if (end != RETURNED) {
		ret->wrong = "it hung";
	} else {
		shared->acted = t->result >= 0;
		if (t->result < 0 && !(row->op->flags & OP_REMOTE))
			shared->failed = t->result;
		ret->wrong = complaint();
	}
	if (ret->wrong == NULL)
		ret->wrong = row->op->check(&s);
	step_collect(pid);
	end_scene(&s);
	return notes->left <= 0;
}

/* Alone, and then tried again, with each of the numbers. */
static bool
one_call(int k, struct outcome *ret)
{
	bool reached = true, again;
	size_t i;

	for (i = 0; reached && i < 2 * sizeof(numbers) / sizeof(numbers[0]);
	     i++) {
		again = i % 2 == 1;
		if (again && (row->op->flags & OP_REMOTE))
			continue;
		reached = one_round(k, numbers[i / 2], again, ret);
		if (ret->wrong != NULL) {
			outcome_at(ret, "at call %d, %s: %s%s", k, notes->call,
				   strerror(-numbers[i / 2]),
				   again ? ", again" : "");
			return false;
		}
	}
	return reached;
}

void
prove_fail(const struct prover_row *which, struct outcome *ret)
{
	int k;

	if (t == NULL) {
		t = shared_memory(sizeof(*t));
		shared = shared_memory(sizeof(*shared));
		notes = shared_memory(sizeof(*notes));
	}
	row = which;
	t->window = INT32_MAX;		/* it is not stepped */
	for (k = 1; one_call(k, ret); k++)
		ret->points++;
}
