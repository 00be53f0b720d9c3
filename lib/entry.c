/* SPDX-License-Identifier: MIT */
/*
 * entry.c - functions that run in processes of their own, by name
 *
 * Each image (the program, a shared library) enters its own when it is loaded
 * and takes them out when it is unloaded.  Nothing is allocated: this runs
 * before main.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/entry.h"
#include "lib/hand.h"
#include "lib/image.h"
#include "shm/error.h"
#include "shm/self.h"

static struct kin_entry *entries;

void
kin_entry_enter(struct kin_entry *entry)
{
	kn_self_lock();
	entry->next = entries;
	entries = entry;
	kn_self_unlock();
}

void
kin_entry_leave(struct kin_entry *entry)
{
	struct kin_entry **at;

	kn_self_lock();
	for (at = &entries; *at != NULL; at = &(*at)->next)
		if (*at == entry) {
			*at = entry->next;
			break;
		}
	kn_self_unlock();
}

const struct kin_entry *
kn_entry_of(kin_entry_fn *fn)
{
	const struct kin_entry *e;

	kn_self_lock();
	for (e = entries; e != NULL; e = e->next)
		if (e->fn == fn)
			break;
	kn_self_unlock();
	return e;
}

const struct kin_entry *
kn_entry_named(const char *name)
{
	const struct kin_entry *e;

	kn_self_lock();
	for (e = entries; e != NULL; e = e->next)
		if (strcmp(e->name, name) == 0)
			break;
	kn_self_unlock();
	return e;
}

const char *
kn_entry_name(kin_entry_fn *fn)
{
	const struct kin_entry *e = kn_entry_of(fn);

	return e != NULL ? e->name : NULL;
}

/* The second of two entries of one name, and *ret_first the first; or NULL. */
static const struct kin_entry *
twin(const struct kin_entry **ret_first)
{
	const struct kin_entry *a, *b;

	for (a = entries; a != NULL; a = a->next)
		for (b = a->next; b != NULL; b = b->next)
			if (strcmp(a->name, b->name) == 0) {
				*ret_first = b;
				return a;
			}
	return NULL;
}

/* The line of a child that a parent has spawned; -1: this is no such. */
static int
handed_line(int argc, char **argv)
{
	size_t len = sizeof(KN_HANDED) - 1;
	char *end;
	long fd;

	if (argc != 2 || strncmp(argv[1], KN_HANDED, len) != 0)
		return -1;
	fd = strtol(argv[1] + len, &end, 10);
	return *end == '\0' && fd > 2 && fd < INT_MAX ? (int)fd : -1;
}

int
kin_init(int argc, char **argv)
{
	const struct kin_entry *first, *second;
	int line;

	kn_self_lock();
	second = twin(&first);
	kn_self_unlock();
	if (second != NULL)
		return kn_fail(-EEXIST, "entry '%s' is in %s and in %s",
			       second->name, first->file, second->file);
	kn_image_keep(argc > 0 ? argv[0] : "kin");
	line = handed_line(argc, argv);
	if (line >= 0)
		kn_hand_take(line);
	return 0;
}

kin_values *
kin_call_values(kin_call *call)
{
	kn_assert(call != NULL);
	return call->values;
}

int
kin_call_keep(kin_call *call, const void *thing)
{
	kn_assert(call != NULL);
	return kin_values_keep(call->values, thing);
}

int
kin_call_keep_fd(kin_call *call, int fd)
{
	kn_assert(call != NULL);
	return kin_values_keep_fd(call->values, fd);
}
