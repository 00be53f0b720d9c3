/* SPDX-License-Identifier: MIT */
/*
 * ops.c - the table, and what scenes of all nouns have in common
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/os.h"
#include "shm/wait.h"
#include "tests/proof/nouns.h"

#define NEVER_NS	1000000000000

const struct noun nouns[] = {
	{ "queue", queue_ops, other_queue },
	{ "queue, more", queue_many_ops, other_queue },
	{ "latch", latch_ops, other_queue },
	{ "segment", segment_ops, NULL },
	{ "registry", registry_ops, other_member },
	{ "heap", heap_ops, other_heap },
	{ "lock", lock_ops, other_locks },
	{ "rwlock", rwlock_ops, other_rwlock },
	{ "cond", cond_ops, other_cond },
	{ "sem", sem_ops, other_sem },
	{ "event", event_ops, other_event },
	{ "barrier", barrier_ops, other_barrier },
	{ "once", once_ops, other_once },
	{ "table", table_ops, other_table },
	{ "array", array_ops, other_array },
	{ "cell", cell_ops, other_cell },
	{ "process", process_ops, NULL },
	/* Last: its server is a child from then on, and others look for
	 * theirs. */
	{ "client", client_ops, other_client },
	{ NULL, NULL, NULL },
};

int patience_ms = 20000;
bool slices_stay;

kin_time
patience(void)
{
	return kin_in_ms(patience_ms);
}

void
must(int r)
{
	if (r < 0)
		errx(1, "a scene can't be set: %s: %s", kin_strerror(r),
		     kin_errmsg());
}

void
help(struct scene *s, void (*fn)(struct scene *))
{
	fflush(NULL);
	s->helper = fork();
	if (s->helper < 0)
		err(1, "fork");
	if (s->helper == 0) {
		fn(s);
		_exit(0);
	}
}

const char *
await_done(struct scene *s, int value)
{
	kin_time deadline = patience();

	while (s->shared->helper_done != value) {
		if (kin_now().ns > deadline.ns)
			return "a third process sleeps on";
		kn_os_yield();
	}
	return NULL;
}

void
await_sleep(const struct scene *s, const kn_word *w, uint32_t bit)
{
	char path[32], text[512];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->helper);
	for (;;) {
		if ((kn_load(w) & bit) &&
		    kn_os_read_file(path, text, sizeof(text)) > 0 &&
		    (p = strrchr(text, ')')) != NULL && p[2] == 'S')
			return;
		kn_os_yield();
	}
}

void
sleep_long(void)
{
	if (slices_stay)
		return;
	kn_wait_slices = (struct kn_slices){ NEVER_NS, NEVER_NS };
	kn_latch_slices = kn_wait_slices;
}
