/* SPDX-License-Identifier: MIT */
/*
 * crew.c - count the words of many texts, in many processes
 *
 *                        texts (a segment)
 *                          │  │
 *      parent ──▶ names ───┼─▶ worker 0 ─┐    the manager's server
 *        ▲      (a queue)  └─▶ worker 1 ─┴──▶ totals (a dict)
 *        │                                        │
 *        └────────────────────────────────────────┘
 *
 * The parent deals the files out in batches.  Whichever worker is free gets
 * the next batch from the queue, counts its texts where they lie, and adds all
 * its counts to the totals in one step.
 *
 * Any worker may be killed at any instruction, and every batch is still
 * counted once:
 *
 *      not lost   A batch's mark is added together with its counts.  When a
 *                 round is over the parent looks for the marks, and batches
 *                 without one are dealt out in another round.
 *      not twice  The mark is the greatest number that fits.  Once more does
 *                 not, and then the whole step is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"

/*
 * A batch is full when it has so many bytes of texts; or of names and their
 * lengths, which with one more path still fit the 16 KiB of a message.
 */
#define BATCH_TEXTS	(2 << 20)
#define BATCH_NAMES	(11 << 10)
#define NAME_MORE	10		/* bytes of a message beside the name */

#define ROUNDS		5		/* a batch may be somebody's death */
#define LOOK_MS		100		/* between looks at the workers */

struct batch {
	size_t first;			/* file */
	size_t end;			/* the file behind its last one */
	bool done;
};

struct crew {
	struct job *job;
	kin_manager *manager;
	kin_dict *totals;
	kin_queue *names;		/* of this round */
	kin_process **worker;		/* as many as the job wants, or NULL */
	struct batch *batch;
	size_t batches;
	size_t left;			/* of them, not done */
};

/* A round */

static int
start_workers(struct crew *crew)
{
	struct job *job = crew->job;
	char name[24];
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < job->workers; i++) {
		snprintf(name, sizeof(name), "worker %u", i);
		r = kin_process_start(&crew->worker[i], work,
				      KIN_ARGS(crew->names, job->texts,
					       crew->totals, job->pause_at),
				      KIN_OPTS(kin_process_opts, .name = name));
		if (r < 0)
			failed(name, r);
	}
	return r;
}

static bool
all_ended(struct crew *crew)
{
	for (uint32_t i = 0; i < crew->job->workers; i++)
		if (kin_process_join(crew->worker[i], NULL, KIN_NOWAIT) < 0)
			return false;
	return true;
}

static void
show_progress(struct crew *crew, size_t dealt)
{
	ssize_t waiting = kin_queue_len(crew->names);

	if (waiting >= 0 && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%zu of %zu batches",
			dealt - (size_t)waiting, crew->batches);
}

/* Put a batch: its mark, where its texts begin, and each file's length. */
static int
deal(struct crew *crew, size_t number)
{
	const struct batch *batch = &crew->batch[number];
	const struct file *file = crew->job->files.list;
	char mark[MARK_BYTES];
	kin_builder *names;
	int r;

	snprintf(mark, sizeof(mark), MARK_FORMAT, number);
	r = kin_builder_new(&names);
	if (r < 0)
		return failed("a batch", r);
	kin_builder_map(names);
	for (size_t i = batch->first; i < batch->end; i++)
		kin_builder_add(names, file[i].path, file[i].len);
	kin_builder_end(names);

	/* The dead make no room. */
	do
		r = kin_queue_put_values(crew->names,
					 KIN_ARGS(mark, file[batch->first].at,
						  names), kin_in_ms(LOOK_MS));
	while (r == -ETIMEDOUT && !all_ended(crew));
	kin_builder_free(names);
	return r < 0 && r != -ETIMEDOUT ? failed("deal a batch", r) : r;
}

static int
deal_all(struct crew *crew)
{
	int r;

	for (size_t i = 0; i < crew->batches; i++) {
		if (i >= crew->batches / 2)
			run_midway(crew->job);
		if (crew->batch[i].done)
			continue;
		r = deal(crew, i);
		if (r < 0)
			return r == -ETIMEDOUT ? 0 : r;
		show_progress(crew, i + 1);
	}
	return 0;
}

/* No more names: the workers finish what is there, and say what they did. */
static int
finish_workers(struct crew *crew)
{
	int result, files, r;

	r = kin_queue_shutdown(crew->names, kin_in_ms(CALL_MS));
	if (r < 0)
		failed("end the names", r);
	for (uint32_t i = 0; i < crew->job->workers; i++) {
		kin_process *worker = crew->worker[i];

		if (worker == NULL)
			continue;
		result = kin_process_result(worker, KIN_TAKE(&files),
					    KIN_FOREVER);
		if (result == 0)
			say("%s counted %d files", kin_process_name(worker),
			    files);
		else if (result == -EOWNERDEAD)
			say("%s", kin_errmsg());
		else
			r = failed(kin_process_name(worker), result);
		kin_process_close(worker);
		crew->worker[i] = NULL;
	}
	return r;
}

static int
find_marks(struct crew *crew)
{
	char mark[MARK_BYTES];
	int r;

	for (size_t i = 0; i < crew->batches; i++) {
		if (crew->batch[i].done)
			continue;
		snprintf(mark, sizeof(mark), MARK_FORMAT, i);
		r = kin_dict_has(crew->totals, KIN_V(mark), kin_in_ms(CALL_MS));
		if (r < 0)
			return failed("find a mark", r);
		crew->batch[i].done = r == 1;
		crew->left -= (size_t)r;
	}
	return 0;
}

static int
run_round(struct crew *crew)
{
	int ends, r;

	r = kin_queue_create(&crew->names,
			     KIN_OPTS(kin_queue_opts, .label = "names",
				      .members = crew->job->workers + 1));
	if (r < 0)
		return failed("queue names", r);
	r = start_workers(crew);
	if (r >= 0)
		r = deal_all(crew);
	ends = finish_workers(crew);
	kin_queue_close(crew->names);
	if (r < 0 || ends < 0)
		return r < 0 ? r : ends;
	return find_marks(crew);
}

/* Before the rounds, and after them */

static int
make_batches(struct crew *crew)
{
	const struct files *files = &crew->job->files;
	size_t texts = 0, names = 0;
	struct batch *batch;

	crew->batch = calloc(files->len, sizeof(*crew->batch));
	if (crew->batch == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < files->len; i++) {
		if (texts == 0)
			crew->batch[crew->batches++].first = i;
		batch = &crew->batch[crew->batches - 1];
		batch->end = i + 1;
		texts += files->list[i].len + 1;
		names += strlen(files->list[i].path) + NAME_MORE;
		if (texts >= BATCH_TEXTS || names >= BATCH_NAMES)
			texts = names = 0;
	}
	crew->left = crew->batches;
	return 0;
}

static int
make_totals(struct crew *crew)
{
	int r;

	r = kin_manager_start(&crew->manager, NULL, kin_in_ms(CALL_MS));
	if (r < 0)
		return failed("start a manager", r);
	printf("manager   pid %d, %s\n", (int)kin_manager_pid(crew->manager),
	       kin_manager_address(crew->manager));
	r = kin_dict_create(&crew->totals, crew->manager, "totals",
			    kin_in_ms(CALL_MS));
	return r < 0 ? failed("dict totals", r) : 0;
}

static int
take_totals(struct crew *crew)
{
	struct kin_cursor pairs;
	kin_values *all;
	const char *key;
	uint64_t n;
	size_t len;
	int r;

	r = kin_dict_items(crew->totals, &all, kin_in_ms(CALL_MS));
	if (r < 0)
		return failed("take the totals", r);
	r = kin_values_take(all, &pairs);
	while (r >= 0) {
		r = kin_cursor_next(&pairs, KIN_STR(&key, &len), &n);
		if (r <= 0)
			break;
		if (key[0] != MARK_FORMAT[0])
			r = words_add(&crew->job->words, key, len, n);
	}
	kin_values_free(all);
	return r;
}

static void
say_missing(struct crew *crew)
{
	struct job *job = crew->job;

	for (size_t i = 0; i < crew->batches; i++) {
		const struct batch *batch = &crew->batch[i];

		if (batch->done)
			continue;
		for (size_t f = batch->first; f < batch->end; f++) {
			say("missing: %s", job->files.list[f].path);
			job->files.list[f].missing = true;
			job->missing++;
		}
	}
	job->trouble |= job->missing > 0;
}

int
crew_count(struct job *job)
{
	struct crew crew = { .job = job };
	kin_time since = kin_now();
	int r;

	crew.worker = calloc(job->workers, sizeof(*crew.worker));
	r = crew.worker == NULL ? -ENOMEM : make_batches(&crew);
	if (r >= 0)
		r = make_totals(&crew);
	for (int i = 0; r >= 0 && crew.left > 0 && i < ROUNDS; i++)
		r = run_round(&crew);
	if (r >= 0)
		r = take_totals(&crew);
	job->seconds = (double)(kin_now().ns - since.ns) / 1e9;
	if (r >= 0)
		say_missing(&crew);

	kin_dict_close(crew.totals);
	kin_manager_close(crew.manager);
	free(crew.batch);
	free(crew.worker);
	return r;
}
