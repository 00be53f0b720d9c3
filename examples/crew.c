/* SPDX-License-Identifier: MIT */
/*
 * crew.c - count the words of many files, in many processes
 *
 *                               ┌─▶ worker 0 ─┐
 *      feeder ──▶ names ────────┼─▶ worker 1 ─┼──▶ totals ──▶ the parent
 *                 (a queue)     └─▶ worker N ─┘    (a queue)
 *
 * The feeder puts the files' names into one queue.  Whichever worker is free
 * gets the next one, counts that file, and puts its counts into the other
 * queue, out of which the parent adds them up.  When there are no more names
 * the feeder shuts its queue down, and that is how the workers learn it.
 *
 * Any of them may be killed at any time: the parent goes on with the others'
 * work, and a file counts whole or not at all.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kin/kin.h>

#include "crew.h"

/* Some 40000 names: a feeder that waits for room is woken for each of them. */
#define NAMES_BYTES	(4 << 20)
#define TOTALS_BYTES	(1 << 20)
#define LOOK_MS		100		/* between looks at the processes */
#define END_MS		5000		/* for an end that has to come */

/*
 * The messages.  A name is the file's number, and its path.
 *
 * A part is some of a file's counts: this, and records.  A worker numbers the
 * words that it meets, and sends a word's letters only once, behind the
 * record in which it first stands; to add a record up is then a step through
 * two arrays.  The counts are the file's own when its last part is there.
 */
#define NAME_BYTES	16376		/* which every queue takes */

struct part {
	uint64_t file;
	uint64_t bytes;			/* that were read */
	uint32_t worker;
	int32_t state;			/* FILE_WAITING: more parts follow */
};

struct record {
	uint64_t count;
	uint32_t number;		/* of the word, by that worker */
	uint32_t letters;		/* that follow; 0 = told before */
};

/* One of the other processes. */
struct member {
	kin_process *process;
	bool ended;

	/* What the parent knows of a worker. */
	uint32_t *known;		/* its word's number: ours */
	size_t known_len;
	size_t known_cap;
	char *held;			/* records of an unfinished file */
	size_t held_len;
	size_t held_cap;
};

struct crew {
	struct job *job;
	kin_queue *names;
	kin_queue *totals;
	struct member feeder;
	struct member *worker;		/* as many as the job wants */
	kin_time since;
	kin_time shown;			/* when the bar was drawn last */
	bool bar;			/* somebody sees it */
};

/* What a child is started with: the parent's memory as it was is its own. */
struct seat {
	const struct crew *crew;
	uint32_t number;
};

static double
seconds_since(kin_time start)
{
	return (double)(kin_now().ns - start.ns) / 1e9;
}

void
say(const char *fmt, ...)
{
	va_list args;

	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Say which kin call failed, and pass on how. */
static int
failed(const char *what, int r)
{
	say("%s: %s (%s)", what, kin_strerror(r), kin_errmsg());
	return r;
}

/* The feeder */

static int
feed(kin_call *call)
{
	size_t len;
	const struct seat *seat;
	const struct files *files;
	char msg[NAME_BYTES];
	uint64_t i;
	int r;

	r = kin_call_take(call, KIN_BIN(&seat, &len));
	if (r < 0)
		return failed("take its seat", r);
	files = &seat->crew->job->files;
	for (i = 0; i < files->len; i++) {
		len = strlen(files->list[i].path);
		if (len > sizeof(msg) - sizeof(i))
			return -ENAMETOOLONG;
		memcpy(msg, &i, sizeof(i));
		memcpy(msg + sizeof(i), files->list[i].path, len);

		/* If all workers are dead the parent shuts the queue down. */
		r = kin_queue_put(seat->crew->names, msg, sizeof(i) + len,
				  KIN_FOREVER);
		if (r == -EPIPE)
			return 0;
		if (r < 0)
			return failed("put a name", r);
	}
	r = kin_queue_shutdown(seat->crew->names, KIN_FOREVER);
	return r < 0 ? failed("end the names", r) : 0;
}
KIN_ENTRY(feed);

/* A worker */

struct desk {
	const struct crew *crew;
	struct words words;
	struct text text;
	uint32_t told;			/* words that the parent knows */
	char *msg;			/* a part, and its records */
	size_t limit;
};

static int
put_part(struct desk *desk, struct part part, int state, size_t len)
{
	int r;

	part.state = state;
	memcpy(desk->msg, &part, sizeof(part));
	r = kin_queue_put(desk->crew->totals, desk->msg, len, KIN_FOREVER);
	return r < 0 ? failed("put totals", r) : 0;
}

/* Send the file's counts, in as many parts as it takes. */
static int
send_counts(struct desk *desk, struct part part, int state)
{
	const struct words *words = &desk->words;
	size_t len = sizeof(part);
	int r;

	for (size_t i = 0; i < words->touched_len; i++) {
		uint32_t number = words->touched[i];
		const struct word *word = &words->list[number];
		struct record record = {
			.count = word->count,
			.number = number,
			.letters = number == desk->told ? word->len : 0,
		};

		if (len + sizeof(record) + record.letters > desk->limit) {
			r = put_part(desk, part, FILE_WAITING, len);
			if (r < 0)
				return r;
			len = sizeof(part);
		}
		memcpy(desk->msg + len, &record, sizeof(record));
		len += sizeof(record);
		if (record.letters == 0)
			continue;

		memcpy(desk->msg + len, words->letters + word->at, word->len);
		len += word->len;
		desk->told++;
	}

	return put_part(desk, part, state, len);
}

static int
work_on(struct desk *desk, uint32_t worker, uint64_t file, const char *path)
{
	const char *pause_at = desk->crew->job->pause_at;
	struct part part = { .worker = worker, .file = file };
	int state;
	int r;

	if (pause_at && strcmp(path, pause_at) == 0) {
		fprintf(stderr, "worker %d holds %s\n", (int)getpid(), path);
		raise(SIGSTOP);
	}

	state = words_of_file(&desk->words, &desk->text, path, &part.bytes);
	if (state < 0)
		return state;
	r = send_counts(desk, part, state);
	words_forget(&desk->words);
	return r;
}

static int
work(kin_call *call)
{
	size_t len;
	const struct seat *seat;
	struct desk desk = { 0 };
	char name[NAME_BYTES + 1];
	uint64_t file;
	ssize_t n;
	int r;

	r = kin_call_take(call, KIN_BIN(&seat, &len));
	if (r < 0)
		return failed("take its seat", r);
	desk.crew = seat->crew;
	desk.limit = kin_queue_limit(seat->crew->totals);
	desk.msg = malloc(desk.limit);
	if (desk.msg == NULL)
		return -ENOMEM;

	while (r >= 0) {
		n = kin_queue_get(seat->crew->names, name, NAME_BYTES,
				  KIN_FOREVER);
		if (n == -EPIPE)
			break;
		if (n < 0) {
			r = failed("get a name", (int)n);
			break;
		}
		memcpy(&file, name, sizeof(file));
		name[n] = '\0';
		r = work_on(&desk, seat->number, file, name + sizeof(file));
	}

	words_free(&desk.words);
	text_free(&desk.text);
	free(desk.msg);
	return r;
}
KIN_ENTRY(work);

/* The parent: its queues and processes */

static int
make_queues(struct crew *crew)
{
	uint32_t members = crew->job->workers + 2;
	int r;

	r = kin_queue_create(&crew->names,
			     KIN_OPTS(kin_queue_opts, .members = members,
				      .bytes = NAMES_BYTES,
				      .label = "names"));
	if (r < 0)
		return failed("queue names", r);
	r = kin_queue_create(&crew->totals,
			     KIN_OPTS(kin_queue_opts, .members = members,
				      .bytes = TOTALS_BYTES,
				      .label = "totals"));
	return r < 0 ? failed("queue totals", r) : 0;
}

static int
start_member(struct member *member, kin_entry_fn *fn, struct seat seat,
	     const char *name)
{
	int r = kin_process_start(&member->process, fn,
				  KIN_ARGS(KIN_BIN(&seat, sizeof(seat))),
				  KIN_OPTS(kin_process_opts, .name = name));

	return r < 0 ? failed(name, r) : 0;
}

static int
start(struct crew *crew)
{
	uint32_t workers = crew->job->workers;
	struct seat seat = { .crew = crew };
	char name[24];
	int r;

	crew->worker = calloc(workers, sizeof(*crew->worker));
	if (crew->worker == NULL)
		return -ENOMEM;
	r = make_queues(crew);
	if (r >= 0)
		r = start_member(&crew->feeder, feed, seat, "feeder");
	for (; r >= 0 && seat.number < workers; seat.number++) {
		snprintf(name, sizeof(name), "worker %" PRIu32, seat.number);
		r = start_member(&crew->worker[seat.number], work, seat, name);
	}
	return r;
}

/*
 * Has it ended, at the latest by the deadline?  No good end goes unsaid.
 * Returns 1, or 0 if it goes on, be it stopped.
 */
static int
look_at(struct crew *crew, struct member *member, kin_time deadline)
{
	struct kin_status status;
	char words[64];
	int r;

	if (member->process == NULL || member->ended)
		return 1;
	r = kin_process_join(member->process, &status, deadline);
	if (r == -ETIMEDOUT)
		return 0;
	if (r < 0)
		return failed(kin_process_name(member->process), r);

	member->ended = true;
	if (status.how == KIN_EXITED && status.code == 0)
		return 1;
	crew->job->trouble = true;
	say("%s (pid %d): %s%s%s", kin_process_name(member->process),
	    (int)kin_process_pid(member->process),
	    kin_status_words(&status, words, sizeof(words)),
	    status.code < 0 ? ", " : "",
	    status.code < 0 ? kin_strerror(status.code) : "");
	return 1;
}

/* No more puts into it. */
static int
end_queue(kin_queue *q, kin_time deadline)
{
	int r = q == NULL ? 0 : kin_queue_shutdown(q, deadline);

	return r < 0 ? failed(kin_queue_label(q), r) : 0;
}

/*
 * Look at everyone.  A feeder that died has not shut its queue down, and the
 * workers would wait for ever.  (Where it has, a second time does no harm.)
 * When no worker is left, nobody puts totals any more: a queue that is shut
 * down says when the last of them has been got.
 */
static int
look_at_all(struct crew *crew)
{
	uint32_t ended = 0;
	int r;

	r = look_at(crew, &crew->feeder, KIN_NOWAIT);
	if (r > 0)
		r = end_queue(crew->names, kin_in_ms(END_MS));
	if (r < 0)
		return r;

	for (uint32_t i = 0; i < crew->job->workers; i++) {
		r = look_at(crew, &crew->worker[i], KIN_NOWAIT);
		if (r < 0)
			return r;
		ended += (uint32_t)r;
	}
	if (ended < crew->job->workers)
		return 0;
	return end_queue(crew->totals, kin_in_ms(END_MS));
}

/* End one whose work is over, and let go of it. */
static void
end_of(struct crew *crew, struct member *member, kin_time deadline)
{
	if (look_at(crew, member, deadline) == 0) {
		say("%s (pid %d) does not end: killing it",
		    kin_process_name(member->process),
		    (int)kin_process_pid(member->process));
		kin_process_signal(member->process, SIGKILL);
		look_at(crew, member, kin_in_ms(END_MS));
	}
	kin_process_close(member->process);
	free(member->known);
	free(member->held);
}

/* Everything that start made, whatever came of it. */
static void
stop(struct crew *crew)
{
	kin_time deadline = kin_in_ms(END_MS);
	uint32_t started = crew->worker ? crew->job->workers : 0;

	/* Who waits in one of the queues wakes up, and finds it over. */
	if (end_queue(crew->names, deadline) < 0 ||
	    end_queue(crew->totals, deadline) < 0)
		crew->job->trouble = true;

	end_of(crew, &crew->feeder, deadline);
	for (uint32_t i = 0; i < started; i++)
		end_of(crew, &crew->worker[i], deadline);
	free(crew->worker);
	kin_queue_close(crew->names);
	kin_queue_close(crew->totals);
}

/* The parent: adding up */

/* A worker's next word: find out its number here. */
static int
learn(struct words *words, struct member *worker, const char *letters,
      size_t len)
{
	uint32_t *known = grown(worker->known, &worker->known_cap,
				worker->known_len + 1, sizeof(*known));
	int r;

	if (known == NULL)
		return -ENOMEM;
	worker->known = known;
	r = words_find(words, letters, len, &known[worker->known_len]);
	if (r < 0)
		return r;
	worker->known_len++;
	return 0;
}

/* Add the records of a file that is complete. */
static int
add_up(struct words *words, struct member *worker, const char *at, size_t len)
{
	const char *end = at + len;
	struct record record;
	int r;

	while (at < end) {
		if ((size_t)(end - at) < sizeof(record))
			return -EPROTO;
		memcpy(&record, at, sizeof(record));
		at += sizeof(record);

		if (record.letters != 0) {
			if (record.number != worker->known_len ||
			    record.letters > (size_t)(end - at))
				return -EPROTO;
			r = learn(words, worker, at, record.letters);
			if (r < 0)
				return r;
			at += record.letters;
		}
		if (record.number >= worker->known_len)
			return -EPROTO;
		words->list[worker->known[record.number]].count += record.count;
	}
	return 0;
}

static int
hold(struct member *worker, const char *records, size_t len)
{
	char *held = grown(worker->held, &worker->held_cap,
			   worker->held_len + len, 1);

	if (held == NULL)
		return -ENOMEM;
	memcpy(held + worker->held_len, records, len);
	worker->held = held;
	worker->held_len += len;
	return 0;
}

static int
take_part(struct crew *crew, const char *msg, size_t len)
{
	struct job *job = crew->job;
	struct member *worker;
	struct file *file;
	struct part part;
	int r;

	if (len < sizeof(part))
		return -EPROTO;
	memcpy(&part, msg, sizeof(part));
	if (part.worker >= job->workers || part.file >= job->files.len)
		return -EPROTO;
	worker = &crew->worker[part.worker];
	file = &job->files.list[part.file];
	msg += sizeof(part);
	len -= sizeof(part);

	/* All that is held goes if the worker dies before the last part. */
	if (part.state == FILE_WAITING)
		return hold(worker, msg, len);
	if (worker->held_len > 0) {
		r = hold(worker, msg, len);
		if (r < 0)
			return r;
		msg = worker->held;
		len = worker->held_len;
		worker->held_len = 0;
	}

	r = add_up(&job->words, worker, msg, len);
	if (r < 0)
		return r;
	file->state = part.state;
	file->bytes = part.bytes;
	job->bytes += part.bytes;
	job->skipped += part.state == FILE_SKIPPED;
	job->done++;
	return 0;
}

/* [##########..........]  50%  2611/5222 files  9321 files/s */
static void
show_progress(struct crew *crew)
{
	static const char bar[] = "##############################"
				  "..............................";
	const int width = (sizeof(bar) - 1) / 2;
	const struct job *job = crew->job;
	double part = (double)job->done / (double)job->files.len;
	int full = (int)(part * width);

	if (!crew->bar || seconds_since(crew->shown) < LOOK_MS / 1e3)
		return;
	crew->shown = kin_now();
	fprintf(stderr, "\r[%.*s] %3.0f%%  %zu/%zu files  %.0f files/s", width,
		bar + width - full, part * 100, job->done, job->files.len,
		(double)job->done / seconds_since(crew->since));
}

/* Run the command in the middle, where all queues and processes are there. */
static void
run_midway(struct job *job)
{
	if (job->midway == NULL || job->done < job->files.len / 2)
		return;
	say("halfway, %zu of %zu files: %s", job->done, job->files.len,
	    job->midway);
	fflush(stdout);
	if (system(job->midway) != 0) {
		say("that command failed");
		job->trouble = true;
	}
	job->midway = NULL;
}

/* Get all totals that come. */
static int
gather(struct crew *crew)
{
	struct job *job = crew->job;
	size_t limit = kin_queue_limit(crew->totals);
	char *msg = malloc(limit);
	ssize_t n;
	int r = msg == NULL ? -ENOMEM : 0;

	while (r >= 0 && job->done < job->files.len) {
		n = kin_queue_get(crew->totals, msg, limit, kin_in_ms(LOOK_MS));
		if (n == -EPIPE)
			break;
		if (n == -ETIMEDOUT)
			r = look_at_all(crew);
		else if (n < 0)
			r = failed("get totals", (int)n);
		else
			r = take_part(crew, msg, (size_t)n);
		show_progress(crew);
		run_midway(job);
	}
	free(msg);
	return r;
}


int
crew_count(struct job *job)
{
	struct crew crew = {
		.job = job,
		.bar = isatty(STDERR_FILENO),
		.since = kin_now(),
	};
	int r;

	r = start(&crew);
	if (r >= 0)
		r = gather(&crew);
	job->seconds = seconds_since(crew.since);
	stop(&crew);
	if (crew.bar)
		fputs("\r\033[K", stderr);
	return r;
}
