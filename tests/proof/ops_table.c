/* SPDX-License-Identifier: MIT */
/*
 * ops_table.c - tables, arrays and cells: one record set, a slice written,
 * a number added to
 *
 * Each is in a segment of its own.  What the victim writes is V's, what was
 * there before is a's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/array.h"
#include "lib/cell.h"
#include "lib/lock.h"
#include "lib/table.h"
#include "shm/os.h"
#include "tests/proof/nouns.h"

#define LEN	40

/* ---- tables ---- */

static kin_table *
table_of(const struct scene *s)
{
	return s->thing;
}

static struct kn_record *
record_of(const struct scene *s)
{
	return table_of(s)->o.own;
}

static struct kn_party *
party_of(const struct kn_object *o)
{
	return &o->control->registry.party;
}

static const char *
text_of(int letter)
{
	static char text[LEN + 1];

	memset(text, letter, LEN);
	return text;
}

static int
set_record(struct scene *s, int letter)
{
	return kin_table_set(table_of(s), 0, KIN_ARGS(letter, text_of(letter)),
			     patience());
}

static void
clear_table(struct scene *s)
{
	kin_table_close(s->thing);
}

static void
set_table(struct scene *s)
{
	kin_table *t;

	must(kin_table_create(&t, KIN_OPTS(kin_table_opts, .count = 2,
					   .record_bytes = LEN + 10,
					   .members = 8)));
	s->thing = t;
	s->clear = clear_table;
	s->watch = t->o.own;
	s->watch_bytes = t->o.mark.bytes - sizeof(t->o.mark);
	s->registry = &t->o.control->registry;
	must(set_record(s, 'a'));
}

static void
hold_record(struct scene *s)
{
	kn_word *latch = &record_of(s)->latch;
	struct kn_party *me = party_of(&table_of(s)->o);

	must(kn_control_process(table_of(s)->o.control));
	must(kn_latch_take(latch, me, patience()));
	s->shared->helper_done = 1;
	while (!(kn_load(latch) & KN_LATCH_WAITER) && !s->shared->dead)
		kn_os_yield();
	kn_latch_release(latch, me);
}

static void
set_table_contended(struct scene *s)
{
	set_table(s);
	help(s, hold_record);
	while (!s->shared->helper_done)
		kn_os_yield();
}

static void
ready_table(struct scene *s)
{
	must(kn_control_process(table_of(s)->o.control));
	s->shared->stamp = party_of(&table_of(s)->o)->stamp;
}

static void
ready_table_inherited(struct scene *s)
{
	pid_t pid;

	ready_table(s);
	pid = fork();
	if (pid == 0) {
		must(kn_control_process(table_of(s)->o.control));
		must(kn_latch_take(&record_of(s)->latch,
				   party_of(&table_of(s)->o), patience()));
		kn_store(&record_of(s)->bytes[0], 7);	/* half of it */
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static int
act_set(struct scene *s)
{
	return set_record(s, 'V');
}

static int
act_get(struct scene *s)
{
	char *text;
	int letter, r;

	r = kin_table_get(table_of(s), 0, KIN_TAKE(&letter, &text),
			  patience());
	if (r == 0)
		free(text);
	return r;
}

/* One or the other, whole; and it can be set again, at once or in a slice. */
static const char *
check_table(struct scene *s)
{
	char *text;
	int letter;
	bool same;

	if (kin_table_get(table_of(s), 0, KIN_TAKE(&letter, &text),
			  KIN_NOWAIT) < 0)
		return "the record can't be got";
	same = strcmp(text, text_of(letter)) == 0;
	free(text);
	if (!same)
		return "half of a record";
	if (s->shared->acted && letter != 'V')
		return "it was set, and is not there";
	if (s->shared->failed && letter != 'a')
		return "it was not set, and is there";
	return set_record(s, 'b') < 0 ? "it can't be set again" : NULL;
}

static const char *
check_got(struct scene *s)
{
	s->shared->acted = 0;
	return check_table(s);
}

void
other_table(struct scene *s)
{
	(void)!act_get(s);
}

const struct op table_ops[] = {
	{ "table set", "free", set_table, ready_table, act_set, check_table,
	  0 },
	{ "table set", "contended", set_table_contended, ready_table, act_set,
	  check_table, 0 },
	{ "table set", "inherited", set_table, ready_table_inherited, act_set,
	  check_table, 0 },
	{ "table get", "free", set_table, ready_table, act_get, check_got, 0 },
	{ "table get", "contended", set_table_contended, ready_table, act_get,
	  check_got, 0 },
	{ 0 },
};

/* ---- arrays, with their lock ---- */

static kin_array *
array_of(const struct scene *s)
{
	return s->thing;
}

static int
write_all(struct scene *s, int letter)
{
	uint64_t some[4];

	memset(some, letter, sizeof(some));
	return kin_array_write(array_of(s), 0, 4, some, patience());
}

static void
clear_array(struct scene *s)
{
	kin_array_close(s->thing);
}

static void
set_array(struct scene *s)
{
	kin_array *a;

	must(kin_array_create(&a, KIN_OPTS(kin_array_opts,
	    .type = KIN_ARRAY_UINT64, .count = 4, .members = 8,
	    .flags = KIN_ARRAY_LOCKED)));
	s->thing = a;
	s->clear = clear_array;
	s->watch = a->o.own;
	s->watch_bytes = a->o.mark.bytes - sizeof(a->o.mark);
	s->registry = &a->o.control->registry;
	must(write_all(s, 'a'));
}

static void
ready_array(struct scene *s)
{
	must(kn_control_me(array_of(s)->o.control));
}

static void
ready_array_inherited(struct scene *s)
{
	pid_t pid;

	ready_array(s);
	pid = fork();
	if (pid == 0) {
		must(kin_lock_acquire(kin_array_lock(array_of(s)),
				      patience()));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static bool
is_waited_for(const struct scene *s)
{
	const struct kn_control *control = array_of(s)->o.control;
	uint32_t i;

	for (i = 0; i < control->nthreads; i++)
		if (kn_wide_load(&control->threads->of[i].waits) != 0)
			return true;
	return false;
}

static void
hold_array(struct scene *s)
{
	kin_lock *lock = kin_array_lock(array_of(s));

	must(kin_lock_acquire(lock, patience()));
	s->shared->helper_done = 1;
	while (!is_waited_for(s) && !s->shared->dead)
		kn_os_yield();
	must(kin_lock_release(lock));
}

static void
set_array_contended(struct scene *s)
{
	set_array(s);
	help(s, hold_array);
	while (!s->shared->helper_done)
		kn_os_yield();
}

static int
act_write(struct scene *s)
{
	return write_all(s, 'V');
}

/* Each number is whole; if they are not all of one write, we are told. */
static const char *
check_array(struct scene *s)
{
	uint64_t some[4], old, new;
	int i, told, news = 0;

	memset(&old, 'a', sizeof(old));
	memset(&new, 'V', sizeof(new));
	told = kin_array_read(array_of(s), 0, 4, some, patience());
	if (told < 0)
		return "it can't be read";
	for (i = 0; i < 4; i++) {
		if (some[i] != old && some[i] != new)
			return "half of a number";
		news += some[i] == new;
	}
	if (s->shared->acted && news != 4)
		return "it was written, and is not there";
	if (news != 0 && news != 4 && told == 0)
		return "half of it was written, and nobody is told";
	return write_all(s, 'b') < 0 ? "it can't be written again" : NULL;
}

void
other_array(struct scene *s)
{
	uint64_t some[4];

	(void)!kin_array_read(array_of(s), 0, 4, some, KIN_NOWAIT);
}

const struct op array_ops[] = {
	{ "array write", "free", set_array, ready_array, act_write,
	  check_array, 0 },
	{ "array write", "contended", set_array_contended, ready_array,
	  act_write, check_array, 0 },
	{ "array write", "inherited", set_array, ready_array_inherited,
	  act_write, check_array, 0 },
	{ 0 },
};

/* ---- cells ---- */

static void
clear_cell(struct scene *s)
{
	kin_cell_close(s->thing);
}

static void
set_cell(struct scene *s)
{
	kin_cell *cell;

	must(kin_cell_create(&cell, KIN_OPTS(kin_cell_opts,
					     .type = KIN_CELL_DOUBLE)));
	s->thing = cell;
	s->clear = clear_cell;
	s->watch = cell->o.own;
	s->watch_bytes = sizeof(kn_wide);
	must(kin_cell_set_double(cell, 1.5));
}

static int
act_add(struct scene *s)
{
	return kin_cell_add_double(s->thing, 2, NULL);
}

static const char *
check_cell(struct scene *s)
{
	double x;

	must(kin_cell_get_double(s->thing, &x));
	if (x != 1.5 && x != 3.5)
		return "half of a number";
	if (s->shared->acted && x != 3.5)
		return "it was added, and is not there";
	if (s->shared->failed && x != 1.5)
		return "it was not added, and is there";
	return NULL;
}

void
other_cell(struct scene *s)
{
	double x;

	(void)!kin_cell_get_double(s->thing, &x);
}

const struct op cell_ops[] = {
	{ "cell add", "free", set_cell, NULL, act_add, check_cell, 0 },
	{ 0 },
};
