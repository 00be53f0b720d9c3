/* SPDX-License-Identifier: MIT */
/*
 * worker.c - what a worker does: count the texts of one batch after the other
 *
 *      "#17", 4096,              ┌─ texts ────────┐      totals
 *      { "a.h": 12, ... } ──────▶│ ...the texts.. │ ──▶  "#17": MARK_VALUE,
 *      a batch                   └────────────────┘      "the": +2, ...
 *
 * A batch is its mark, the place where its first text begins, and its files'
 * names and lengths; each text stands behind the one before and a zero byte.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"

struct desk {
	kin_queue *names;
	kin_segment *texts;
	kin_dict *totals;
	const char *pause_at;
	struct words words;		/* of this batch */
};

/* All counts of a batch and its mark, in one step. */
static int
deliver(struct desk *desk, const char *mark)
{
	const struct words *words = &desk->words;
	kin_builder *counts;
	int r;

	r = kin_builder_new(&counts);
	if (r < 0)
		return r;
	kin_builder_map(counts);
	kin_builder_add(counts, mark, MARK_VALUE);
	for (size_t i = 0; i < words->len; i++) {
		const struct word *word = &words->list[i];

		kin_builder_add(counts,
				KIN_STR(words->letters + word->at, word->len),
				word->count);
	}
	kin_builder_end(counts);

	/* If any of those calls failed, so does this, in the same way. */
	r = kin_dict_add_many(desk->totals, counts, kin_in_ms(CALL_MS));
	kin_builder_free(counts);

	/* It is there already: its worker died after it had delivered. */
	return r == -ERANGE ? 0 : r;
}

/* Count one batch; returns how many files it had. */
static int
work_on(struct desk *desk, kin_values *batch)
{
	const char *texts = kin_segment_data(desk->texts);
	struct kin_cursor names;
	const char *mark, *path;
	size_t at, len;
	int files = 0;
	int r;

	r = kin_values_take(batch, &mark, &at, &names);
	if (r < 0)
		return r;

	words_forget(&desk->words);
	while ((r = kin_cursor_next(&names, &path, &len)) > 0) {
		if (strcmp(path, desk->pause_at) == 0) {
			fprintf(stderr, "worker %d holds %s\n", (int)getpid(),
				path);
			raise(SIGSTOP);
		}
		r = words_count(&desk->words, texts + at, len);
		if (r < 0)
			return r;
		at += len + 1;
		files++;
	}
	if (r == 0)
		r = deliver(desk, mark);
	return r < 0 ? r : files;
}

int
work(kin_call *call)
{
	struct desk desk = { 0 };
	kin_values *batch;
	int files = 0;
	int r;

	r = kin_call_take(call, &desk.names, &desk.texts, &desk.totals,
			  &desk.pause_at);
	while (r >= 0) {
		r = kin_queue_get_values(desk.names, &batch, KIN_FOREVER);
		if (r == -EPIPE) {
			r = kin_call_return(call, files);
			break;
		}
		if (r < 0)
			break;
		r = work_on(&desk, batch);
		kin_values_free(batch);
		files += r;
	}
	words_free(&desk.words);
	return r;
}
KIN_ENTRY(work);
