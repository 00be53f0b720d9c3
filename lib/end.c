/* SPDX-License-Identifier: MIT */
/*
 * end.c - the end of this process, in order
 *
 *      finalisers of priority 0 and more, highest first
 *      daemons: SIGTERM, SIGKILL to who does not heed it; joined
 *      all other children that are not detached: joined
 *      fork servers: ended
 *      finalisers of negative priority
 *
 * In the child of a start this is when its entry has returned; in any process,
 * when it calls exit.  A fork's child has none of its parent's.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <kin/process.h>

#include "lib/end.h"
#include "lib/fork_client.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/self.h"

struct finaliser {
	struct finaliser *next;		/* the next to run */
	kin_finaliser_fn *fn;
	void *user;
	int priority;
};

static struct finaliser *finalisers;
static bool watched;
static bool ending;

/* Its memory is the child's copy, and stays with it. */
static void
in_child(void)
{
	finalisers = NULL;
	ending = false;
}

__attribute__((constructor)) static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

void
kn_end_watch(void)
{
	bool first;

	kn_self_lock();
	first = !watched;
	watched = true;
	kn_self_unlock();
	/* No memory for it: then exit kills who would have been waited for. */
	if (first)
		(void)atexit(kn_end);
}

int
kin_finaliser_add(kin_finaliser_fn *fn, void *user, int priority)
{
	struct finaliser *f = malloc(sizeof(*f)), **at;

	kn_assert(fn != NULL);
	if (f == NULL)
		return kn_fail(-ENOMEM, "a finaliser");
	*f = (struct finaliser){ NULL, fn, user, priority };
	kn_end_watch();
	kn_self_lock();
	for (at = &finalisers; *at != NULL; at = &(*at)->next)
		if ((*at)->priority <= priority)
			break;
	f->next = *at;
	*at = f;
	kn_self_unlock();
	return 0;
}

int
kin_finaliser_remove(kin_finaliser_fn *fn, void *user)
{
	struct finaliser **at, *f;

	kn_assert(fn != NULL);
	kn_self_lock();
	for (at = &finalisers; (f = *at) != NULL; at = &f->next)
		if (f->fn == fn && f->user == user)
			break;
	if (f != NULL)
		*at = f->next;
	kn_self_unlock();
	free(f);
	return f != NULL ? 0 : kn_fail(-ENOENT, "no such finaliser");
}

/* Without the mutex: it may add and remove others, and use all of kin. */
static bool
run_first(int least)
{
	struct finaliser *f;

	kn_self_lock();
	f = finalisers;
	if (f != NULL && f->priority >= least)
		finalisers = f->next;
	else
		f = NULL;
	kn_self_unlock();
	if (f == NULL)
		return false;
	f->fn(f->user);
	free(f);
	return true;
}

void
kn_end(void)
{
	bool again;

	kn_self_lock();
	again = ending;
	ending = true;
	kn_self_unlock();
	if (again)			/* a finaliser has called exit */
		return;
	while (run_first(0))
		continue;
	kn_children_end();
	kn_servers_end();
	while (run_first(INT_MIN))
		continue;
}
