/* SPDX-License-Identifier: MIT */
/*
 * entry.c - functions that run in processes of their own, by name
 *
 * Each image (the program, a shared library) enters its own when it is loaded
 * and takes them out when it is unloaded.  Nothing is allocated: this runs
 * before main.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/entry.h"
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

const char *
kn_entry_name(kin_entry_fn *fn)
{
	const struct kin_entry *e;

	kn_self_lock();
	for (e = entries; e != NULL; e = e->next)
		if (e->fn == fn)
			break;
	kn_self_unlock();
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

int
kin_init(int argc, char **argv)
{
	const struct kin_entry *first, *second;

	/* By these a spawned child will be told from a program's start. */
	(void)argc;
	(void)argv;

	kn_self_lock();
	second = twin(&first);
	kn_self_unlock();
	if (second != NULL)
		return kn_fail(-EEXIST, "entry '%s' is in %s and in %s",
			       second->name, first->file, second->file);
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
